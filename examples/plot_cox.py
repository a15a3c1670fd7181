"""
Survival: sparse proportional hazards
=====================================

Cox's model with λ tuned by the partial likelihood of rows left out: which features matter for how long, when for many
rows it is only known that the event has not come yet.
"""

# %%
# Three hundred rows, 60 features, of which three matter; a third of the rows are censored.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import CoxLasso, GradientSearch
from lambdahat.plots import plot_criterion

rng = np.random.default_rng(0)
n, p = 300, 60
X = rng.normal(size=(n, p))
risk = X[:, :3] @ [1.0, -0.8, 0.6]
event_time, censored = rng.exponential(10.0 * np.exp(-risk)), rng.exponential(25.0, size=n)
y = np.empty(n, dtype=[("event", bool), ("time", float)])
y["event"], y["time"] = event_time <= censored, np.minimum(event_time, censored)

search = GradientSearch(CoxLasso(), cv=5).fit(X, y)
print(f"{y['event'].mean():.0%} events; λ = {search.best_params_['alpha']:.3f} in {search.n_evals_} evaluations")
print("features:", np.flatnonzero(search.coef_).tolist(), f"concordance {search.score(X, y):.3f}")
plot_criterion(search)
plt.show()

# %%
# Survival of rows of low, middle and high risk: the share that is expected to have had no event until a time.

model = search.best_estimator_
order = np.argsort(model.predict(X))
times = np.linspace(0.0, 30.0, 200)
curves = model.predict_survival_function(X[order[[n // 10, n // 2, 9 * n // 10]]], times=times)
figure, ax = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
for curve, name in zip(curves, ("low risk", "middle", "high risk"), strict=True):
    ax.step(times, curve, where="post", label=name)
ax.set(xlabel="time", ylabel="share without event", ylim=(0.0, 1.02))
ax.legend()
plt.show()

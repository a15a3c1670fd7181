"""
Counts, and outliers
====================

λ by the gradient of a criterion for two losses beside least squares: counts of events, and numbers of which some are
wrong.
"""

# %%
# Counts of events over 40 features, of which four matter; the rates differ by a factor of a hundred. The criterion is
# the mean Poisson deviance over five folds. Least squares on the same counts is led by the few large ones.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import GradientSearch, HuberLasso, Lasso, PoissonLasso
from lambdahat.plots import plot_criterion

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 40))
w = np.zeros(40)
w[:4] = 0.8, -0.6, 0.4, -0.3
counts = rng.poisson(np.exp(X @ w))

poisson = GradientSearch(PoissonLasso()).fit(X, counts)
squares = GradientSearch(Lasso()).fit(X, counts)
print(f"{poisson.metric_}: {poisson.best_criterion_:.3f} at λ = {poisson.best_params_['alpha']:.3f}")
plot_criterion(poisson)
plt.show()

# %%
# What each of them makes of the coefficients; those of least squares are in events, not in logarithms of the rate, and
# are divided by the mean count.

fig, axes = plt.subplots(figsize=(6.0, 3.0), layout="constrained")
axes.plot(w, "k_", markersize=12, label="true")
axes.plot(poisson.coef_, "o", label="PoissonLasso")
axes.plot(squares.coef_ / counts.mean(), "x", label="Lasso / mean count")
axes.set(xlabel="feature", ylabel="coefficient")
axes.legend()
plt.show()

# %%
# A tenth of these targets have lost their decimal point. Beyond ``delta`` a residual counts by its size, not by its
# square. Both λ's are chosen by cross-validation, each by its own loss.

y = X @ w + 0.3 * rng.normal(size=300)
y[rng.choice(300, 30, replace=False)] *= 10.0
huber = GradientSearch(HuberLasso(delta=0.5)).fit(X, y)
lasso = GradientSearch(Lasso()).fit(X, y)
for name, search in (("Huber", huber), ("squares", lasso)):
    print(f"{name}: error of the coefficients {np.linalg.norm(search.coef_ - w):.2f}")

fig, axes = plt.subplots(figsize=(6.0, 3.0), layout="constrained")
axes.plot(w, "k_", markersize=12, label="true")
axes.plot(huber.coef_, "o", label="HuberLasso")
axes.plot(lasso.coef_, "x", label="Lasso")
axes.set(xlabel="feature", ylabel="coefficient")
axes.legend()
plt.show()

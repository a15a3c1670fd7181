"""
Ridge with one strength a feature
=================================

Automatic relevance determination by cross-validation: one ridge strength for each feature, all tuned by the gradient.
A feature that does not matter gets a strength without bound, and its coefficient goes to zero.
"""

# %%
# A hundred rows, 30 features, of which five matter.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import GradientSearch, Ridge
from lambdahat.plots import plot_trace

rng = np.random.default_rng(0)
n, p = 100, 30
X = rng.normal(size=(n, p))
w = np.zeros(p)
w[:5] = [2.0, -1.5, 1.0, 0.7, -0.5]
y = X @ w + rng.normal(size=n)

one = GradientSearch(Ridge(), cv=5).fit(X, y)
each = GradientSearch(Ridge(), cv=5, hyperparams="penalty_factors").fit(X, y)

# %%
# The criterion of thirty strengths is far lower, and too good to be true: thirty numbers have been fitted to the rows
# that judge them. New rows tell.

X_new = rng.normal(size=(10_000, p))
y_new = X_new @ w + rng.normal(size=10_000)
for name, search in (("one strength", one), ("one a feature", each)):
    error = np.mean((y_new - search.predict(X_new)) ** 2)
    print(f"{name}: criterion {search.best_criterion_:.3f}, error on new rows {error:.3f} (noise alone: 1)")

plot_trace({"one strength": one, "one a feature": each})
plt.show()

# %%
# Coefficients: thirty strengths tell features that matter from those that do not, and leave the former unshrunk.

figure, ax = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
ax.axhline(0.0, color="0.8", linewidth=1.0)
ax.plot(w, "_", color="black", markersize=10, label="truth")
ax.plot(one.coef_, "o", color="tab:orange", markersize=4, label="one strength")
ax.plot(each.coef_, "o", color="tab:blue", markersize=4, label="one a feature")
ax.set(xlabel="feature", ylabel="coefficient")
ax.legend()
plt.show()

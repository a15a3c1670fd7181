"""
Several classes, one λ each
===========================

Multinomial logistic regression with one λ for all classes and with one for each, by the gradient of the log-loss, and
with features that come and go for all classes at once.
"""

# %%
# Five classes over 40 features. The first two classes need three features each, the third twelve, the others none of
# their own: they are what is left.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import GradientSearch, MultinomialLogistic
from lambdahat.plots import plot_trace

rng = np.random.default_rng(0)
n, p, K = 400, 40, 5
X = rng.normal(size=(n, p))
W = np.zeros((p, K))
W[:3, 0], W[3:6, 1], W[6:18, 2] = 1.5, -1.5, rng.normal(size=12)
odds = np.exp(X @ W)
y = np.array([rng.choice(K, p=row / row.sum()) for row in odds])

shared = GradientSearch(MultinomialLogistic(), cv=3).fit(X, y)
each = GradientSearch(MultinomialLogistic(np.full(K, 0.01)), cv=3).fit(X, y)
rows = GradientSearch(MultinomialLogistic(penalty="rows"), cv=3).fit(X, y)

for name, search in (("one λ", shared), ("one λ a class", each), ("one λ, whole rows", rows)):
    used = int(search.coef_.any(axis=0).sum())
    print(f"{name}: log-loss {search.best_criterion_:.4f}, {used} features in {search.n_evals_} evaluations")
print("λ of each class:", np.round(each.best_params_["alpha"], 4))

# %%
# Five λ's cost about as many evaluations as one does, as one linear system gives all slopes.

plot_trace({"one λ": shared, "one λ a class": each, "one λ, whole rows": rows})
plt.show()

# %%
# Coefficients by class: entries vanish one by one with the ℓ1 norm, features for all classes with norms of rows.

figure, axes = plt.subplots(1, 3, figsize=(9.0, 3.2), sharey=True, layout="constrained")
limit = np.abs(W).max()
for ax, coef, title in zip(axes, (W.T, each.coef_, rows.coef_), ("truth", "one λ a class", "whole rows"), strict=True):
    image = ax.imshow(coef, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.set(title=title, xlabel="feature")
axes[0].set(ylabel="class", yticks=range(K))
figure.colorbar(image, ax=axes, label="coefficient (log-odds per unit)")
plt.show()

"""
Rows and groups: the multi-task and the group Lasso
===================================================

A feature that explains several targets is selected for all of them or for none, and so is a group of features. One
strength or one factor for each row or group: the search is the same.
"""

# %%
# Thirty features, of which four explain twelve targets together, each in its own way.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import GradientSearch, GroupLasso, HeldOut, Lasso, MultiTaskLasso

rng = np.random.default_rng(0)
X, X_val, X_new = rng.normal(size=(3, 60, 30))
W = np.zeros((30, 12))
W[[3, 8, 15, 22]] = 0.5 * rng.normal(size=(4, 12))
Y, Y_val, Y_new = (A @ W + rng.normal(size=(60, 12)) for A in (X, X_val, X_new))

# %%
# One λ for all targets together, against one Lasso a target, each with a λ of its own.

together = GradientSearch(MultiTaskLasso(), criterion=HeldOut(X_val, Y_val)).fit(X, Y)
apart = [
    GradientSearch(Lasso(), criterion=HeldOut(X_val, y_val)).fit(X, y) for y, y_val in zip(Y.T, Y_val.T, strict=True)
]
error = np.mean((Y_new - together.predict(X_new)) ** 2)
error_apart = np.mean((Y_new.T - [search.predict(X_new) for search in apart]) ** 2)
print(f"mean squared error on new rows: {error:.3f} together, {error_apart:.3f} apart (the noise alone has 1)")
print(together.status_)

fig, axes = plt.subplots(1, 3, sharey=True, figsize=(8, 4), layout="constrained")
found = {
    "truth": W,
    "multi-task Lasso": together.coef_.T,
    "a Lasso a target": np.stack([s.coef_ for s in apart], axis=1),
}
for ax, (name, coef) in zip(axes, found.items(), strict=True):
    ax.imshow(np.abs(coef), aspect="auto", cmap="magma_r", vmin=0, vmax=1)
    ax.set(title=name, xlabel="target")
axes[0].set_ylabel("feature")
plt.show()

# %%
# Groups: powers of a few variables come and go together. Their weights can be tuned one by one, all by one gradient.

z = rng.uniform(-1, 1, size=(150, 12))
powers = np.hstack([z[:, [j]] ** np.arange(1, 5) for j in range(12)])
y = np.sin(3 * z[:, 0]) + z[:, 1] ** 2 + 0.3 * rng.normal(size=150)
train, judge = slice(0, 80), HeldOut(powers[80:], y[80:])
one = GradientSearch(GroupLasso(4), criterion=judge).fit(powers[train], y[train])
each = GradientSearch(GroupLasso(4), criterion=judge, hyperparams=["group_weights"]).fit(powers[train], y[train])
for name, search in {"one strength": one, "a weight a group": each}.items():
    groups = np.flatnonzero(search.coef_.reshape(12, 4).any(axis=1))
    print(f"{name}: {search.best_criterion_:.3f} on held-out rows, groups {groups.tolist()}")

"""
Each class against the rest, one λ each
=======================================

Three kinds of wine from thirteen measurements: three sparse logistic regressions, solved together. Their λ's are tuned
at once by the log-loss of the probabilities that the three make together, as every class has a say in the λ of
every other.
"""

# %%

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_wine

from lambdahat import GradientSearch, OneVsRestLogistic
from lambdahat.plots import plot_trace

wine = load_wine()
X, y = wine.data, wine.target

shared = GradientSearch(OneVsRestLogistic(standardize=True), cv=5).fit(X, y)
each = GradientSearch(OneVsRestLogistic(np.full(3, 0.01), standardize=True), cv=5).fit(X, y)
for name, search in (("one λ", shared), ("one λ a class", each)):
    sizes = ", ".join(str(np.count_nonzero(coef)) for coef in search.coef_)
    print(f"{name}: log-loss {search.best_criterion_:.4f}, {sizes} features, {search.n_evals_} evaluations")
print("λ of each class:", np.round(each.best_params_["alpha"], 5))

plot_trace({"one λ": shared, "one λ a class": each})
plt.show()

# %%
# What speaks for each class, per standard deviation of a measurement.

coefs = each.coef_ * X.std(axis=0)
limit = np.abs(coefs).max()
figure, ax = plt.subplots(figsize=(7.0, 3.0), layout="constrained")
image = ax.imshow(coefs, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit)
ax.set_xticks(range(13), wine.feature_names, rotation=60, ha="right")
ax.set_yticks(range(3), [f"class {k}" for k in range(3)])
figure.colorbar(image, ax=ax, label="log-odds per standard deviation")
plt.show()

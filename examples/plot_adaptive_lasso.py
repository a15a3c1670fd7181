"""
The adaptive Lasso
==================

A λ that predicts well shrinks large coefficients too much and lets too many others in. The adaptive Lasso weighs
features by an initial fit: what was large at first is penalised less than what was small. Its λ is tuned through both
fits.
"""

# %%
# Fifteen samples of 100 rows, 200 correlated features, eight of which matter. Both models are tuned by the same
# criterion, five-fold cross-validation.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import AdaptiveLasso, GradientSearch, Lasso
from lambdahat.plots import plot_criterion

n, p, k = 100, 200, 8
truth = np.zeros(p)
truth[:k] = np.linspace(1.0, 3.0, k) * np.resize([1.0, -1.0], k)


def sample(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.7 * rng.normal(size=(n, 1))
    return X, X @ truth + rng.normal(size=n)


models = {"Lasso": Lasso(), "adaptive Lasso": AdaptiveLasso()}
coefs = {name: [] for name in models}
for seed in range(15):
    for name, model in models.items():
        coefs[name].append(GradientSearch(model).fit(*sample(seed)).coef_)

# %%
# How many features are found, how many of those that do not matter, and how large the coefficients of the others are
# beside the true ones.

for name, found in coefs.items():
    found = np.array(found)
    right, wrong = np.count_nonzero(found[:, :k], axis=1).mean(), np.count_nonzero(found[:, k:], axis=1).mean()
    ratio = np.mean(found[:, :k] / truth[:k])
    print(f"{name}: {right:.1f} of {k} found, {wrong:.1f} of {p - k} besides, amplitudes {ratio:.2f} of the true ones")

fig, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.2), layout="constrained")
bins = np.arange(0, 61, 3)
for shift, (name, found) in zip((-0.1, 0.1), coefs.items(), strict=True):
    found = np.array(found)
    left.hist(np.count_nonzero(found[:, k:], axis=1), bins=bins, alpha=0.6, label=name)
    bias = np.abs(found[:, :k]) - np.abs(truth[:k])
    right.errorbar(np.abs(truth[:k]) + shift / 2, bias.mean(axis=0), bias.std(axis=0), fmt="o", label=name)
right.axhline(0.0, color="k", linewidth=0.8)
left.set(xlabel="features that do not matter in the model", ylabel="samples")
right.set(xlabel="true size of a coefficient", ylabel="size of the estimate, less the truth")
left.legend()
plt.show()

# %%
# The criterion over λ, on the first sample. Its slope at every point visited is a derivative through both fits.

search = GradientSearch(AdaptiveLasso()).fit(*sample(0))
plot_criterion(search)
plt.show()

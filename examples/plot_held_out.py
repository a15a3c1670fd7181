"""
Searches for one λ
==================

λ of the Lasso, chosen on held-out rows by searches that follow the hypergradient and by some that do not.
"""

# %%
# The data: 442 patients, 55 features, a third of the rows held out.

import numpy as np
from matplotlib import pyplot as plt
from sklearn.model_selection import train_test_split

from lambdahat import GradientSearch, HeldOut, Lasso, path
from lambdahat.datasets import diabetes_interactions
from lambdahat.estimators.gradient_search import OPTIMIZERS
from lambdahat.plots import plot_criterion, plot_path, plot_trace

dataset = diabetes_interactions()
X, X_val, y, y_val = train_test_split(dataset.X, dataset.y, test_size=1 / 3, random_state=0)
X = np.asfortranarray(X)
criterion = HeldOut(X_val, y_val)

# %%
# Every search that is named in ``GradientSearch(optimizer=...)``, with its own settings (``"auto"`` is the scalar one
# here). Bayesian search needs optuna, and is left out.

names = ["auto", *(name for name in OPTIMIZERS if name not in ("scalar", "bayesian"))]
searches = {name: GradientSearch(Lasso(), criterion=criterion, optimizer=name).fit(X, y) for name in names}
for name, search in searches.items():
    alpha, value = search.best_params_["alpha"], search.best_criterion_
    print(f"{name}: λ = {alpha:.4g}, {value:.2f} after {search.n_evals_} evaluations")

# %%
# How far from the best of all each search was, after so many evaluations.

plot_trace(searches, suboptimality=True)
plt.show()

# %%
# The way of one of them. Tangents are the hypergradients, which say where to look next.

plot_criterion(searches["auto"])
plt.show()

# %%
# And what was chosen: the coefficients over λ.

plot_path(path(Lasso(), X, y), chosen=searches["auto"], names=dataset.feature_names)
plt.show()

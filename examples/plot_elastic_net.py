"""
Two hyperparameters of the elastic net
======================================

A grid over two hyperparameters has as many points as the product of its sides. A search by gradient takes a coarse look
along a few lines, then walks downhill.
"""

# %%
# The data: 442 patients, 55 features, a third of the rows held out.

import numpy as np
from matplotlib import pyplot as plt
from sklearn.model_selection import train_test_split

from lambdahat import ElasticNet, GradientSearch, HeldOut, path
from lambdahat.datasets import diabetes_interactions
from lambdahat.estimators.gradient_search import OPTIMIZERS
from lambdahat.plots import plot_level_sets

dataset = diabetes_interactions()
X, X_val, y, y_val = train_test_split(dataset.X, dataset.y, test_size=1 / 3, random_state=0)
X = np.asfortranarray(X)

# %%
# The criterion on 30 × 30 points, to have something to draw on.

alphas = np.geomspace(0.1, 100.0, 30)
ratios = 1 / (1 + np.exp(-np.linspace(-7, 7, 30)))
paths = [path(ElasticNet(l1_ratio=ratio), X, y, alphas=alphas, X_val=X_val, y_val=y_val) for ratio in ratios]
surface = np.array([each.scores[::-1] for each in paths]).T  # a path begins at the largest alpha

# %%
# The searches; those without gradients visit a hundred points.

names = ["auto", *(name for name in ("line_search", "gradient_descent", "grid", "random") if name in OPTIMIZERS)]
bounds = {"alpha": (alphas[0], alphas[-1]), "l1_ratio": (ratios[0], ratios[-1])}
settings = {"criterion": HeldOut(X_val, y_val), "bounds": bounds}
searches = {name: GradientSearch(ElasticNet(), optimizer=name, **settings).fit(X, y) for name in names}
for name, search in searches.items():
    print(f"{name}: {search.best_criterion_:.2f} after {search.n_evals_} evaluations")

# %%
# Every point is an evaluation; a line leads through those that improved on all before, to the star.

plot_level_sets(searches, (alphas, ratios, surface))
plt.show()

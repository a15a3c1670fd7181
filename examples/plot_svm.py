"""
C of a support vector machine
=============================

A linear support vector machine is fitted by its dual, a quadratic programme in a box of side C. Its solution follows C
along straight pieces, and the criterion can be differentiated through it as through a Lasso's.
"""

# %%
# The data: 569 tumours, 30 measurements, half of the rows held out.

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from lambdahat import GradientSearch, HeldOut, LinearSVC, hypergradient
from lambdahat.plots import plot_criterion

X, y = load_breast_cancer(return_X_y=True)
X, X_val, y, y_val = train_test_split(scale(X), y, test_size=0.5, random_state=0, stratify=y)
criterion = HeldOut(X_val, y_val)

# %%
# The squared hinge loss of the rows held out is what the search minimises: unlike the accuracy, it has a slope.

search = GradientSearch(LinearSVC(), criterion=criterion).fit(X, y)
print(f"C = {search.best_params_['C']:.3g}, {search.metric_} {search.best_criterion_:.4f}, {search.status_}")
print(f"accuracy on the rows held out: {search.score(X_val, y_val):.3f}")

# %%
# What the search has seen. Tangents are the hypergradients.

low, high = search.trace_.hyperparams[:, 0].min(), search.trace_.hyperparams[:, 0].max()
strengths = np.geomspace(low, high, 60)
curve = [hypergradient(LinearSVC(C=C), X, y, criterion=criterion) for C in strengths]
plot_criterion(search, grid=(strengths, [point.value for point in curve]))
plt.show()

# %%
# The slope itself, from close by. Coefficients go straight between the strengths at which a row enters or leaves its
# bounds; there the slope jumps, and in between it is exact.

strengths = np.geomspace(0.7, 1.4, 200) * search.best_params_["C"]
near = [hypergradient(LinearSVC(C=C), X, y, criterion=criterion) for C in strengths]
slopes = np.gradient([point.value for point in near], np.log(strengths))
fig, ax = plt.subplots()
ax.semilogx(strengths, [point.log_gradient[0] for point in near], drawstyle="steps-mid", label="hypergradient")
ax.semilogx(strengths, slopes, ".", label="differences of the criterion")
ax.set(xlabel="C", ylabel="slope of the criterion in log C")
ax.legend()
plt.show()

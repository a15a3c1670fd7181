"""
How fast the Jacobian converges
===============================

Differentiating the steps of a solver gives, next to the iterates, a sequence of Jacobians. Once the support is found
both converge linearly, at the same rate: the spectral radius of the iteration on the support (Bertrand et al., JMLR
2022).
"""

# %%
# Standardised measurements of 442 patients, at a tenth of the λ above which all coefficients are zero.

from matplotlib import pyplot as plt

from lambdahat import Lasso, alpha_max, jacobian_convergence
from lambdahat.datasets import diabetes_interactions
from lambdahat.plots import plot_jacobian_convergence

dataset = diabetes_interactions()
X, y = dataset.X, dataset.y
lasso = Lasso(alpha=alpha_max(X, y) / 10)

# %%
# Both lines run parallel to the dashed guide from where the support is identified.

figure, panels = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, solver in zip(panels, ["coordinate_descent", "proximal_gradient"], strict=True):
    result = jacobian_convergence(lasso, X, y, solver=solver)
    plot_jacobian_convergence(result, ax=ax)
    print(f"{solver}: rate {result.measured_rate:.4f}, in theory {result.theoretical_rate:.4f}")
plt.show()

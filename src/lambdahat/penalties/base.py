"""What a penalty is."""

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Matrix, Vector


class Penalty(Protocol):
    """A convex penalty ``g(w; θ)``, smooth around ``w`` on its generalised support.

    ``w`` has shape (p,); ``support`` is an array of column numbers; ``w_S`` and ``v`` belong to the support. θ has
    shape (d,) and is positive.
    """

    @property
    def hyperparams(self) -> Vector:
        """θ."""

    def with_hyperparams(self, theta: Vector) -> Self:
        """The same penalty at another θ."""

    def rescaled(self, scales: Vector) -> Self:
        """The penalty of ``scales∘w``: standardisation."""

    def scaled(self, factor: float) -> Self:
        """``factor·g``."""

    def value(self, w: Vector) -> float:
        """``g(w; θ)``."""

    def prox(self, w: Vector, step: float) -> Vector:
        """``argmin_u ½‖u − w‖² + step·g(u)``."""

    def prox_jvp(self, z: Vector, step: float, dz: Matrix) -> Matrix:
        """``∂_z prox(z)·dz + ∂_θ prox(z)`` with ``dz`` of shape (d, p), a row for each hyperparameter.

        This and its transpose are all that differentiating a proximal iteration needs to know of a penalty.
        """

    def prox_vjp(self, z: Vector, step: float, v: Vector) -> tuple[Vector, Vector]:
        """``∂_z prox(z)ᵀ v``, shape (p,), and ``∂_θ prox(z)ᵀ v``, shape (d,)."""

    def subdiff_distance(self, w: Vector, gradient: Vector) -> Vector:
        """Distance, per coordinate, of minus the gradient of the loss to the subdifferential of ``g`` at ``w``."""

    def generalized_support(self, w: Vector) -> NDArray[np.int32]:
        """Where ``g`` is smooth around ``w``."""

    def curvature(self, support: NDArray[np.int32]) -> Vector:
        """The diagonal of the Hessian of ``g`` on the support."""

    def hyperparam_jacobian(self, support: NDArray[np.int32], w_S: Vector) -> Matrix:
        """``∂_θ ∇g(w_S; θ)``, shape (d, |S|)."""

    def hyperparam_vjp(self, support: NDArray[np.int32], w_S: Vector, v: Vector) -> Vector:
        """``vᵀ ∂_θ ∇g(w_S; θ)``, shape (d,): the one thing the hypergradient needs to know of a penalty."""

"""What a penalty is."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Curvature, Matrix, Vector


class Penalty(Protocol):
    """A convex penalty ``g(w; θ)``, smooth around ``w`` on its generalised support.

    ``w`` has shape (p,), or (p, T) for T targets; ``support`` and ``columns`` are arrays of column numbers; ``w_S``
    and ``v`` belong to the support. θ has shape (d,) and is positive. Where a method takes ``w`` alone, it is of all
    columns that the penalty has: those of a support are asked of ``penalty.restricted(support)``.
    """

    @property
    def hyperparams(self) -> Vector:
        """θ."""

    @property
    def positive(self) -> bool:
        """Whether ``w ≥ 0``."""

    @property
    def l1(self) -> Vector:
        """Strength of ``|w_j|``, one a column."""

    @property
    def labels(self) -> NDArray[np.intp] | None:
        """The block of each column, where blocks are what vanishes together."""

    def with_hyperparams(self, theta: Vector) -> Self:
        """The same penalty at another θ."""

    def rescaled(self, scales: Vector) -> Self:
        """The penalty of ``scales∘w``: standardisation."""

    def scaled(self, factor: float) -> Self:
        """``factor·g``."""

    def strengthened(self, factor: float) -> Self:
        """With ``factor`` times the terms that have a kink at zero."""

    def without_kinked(self) -> Self:
        """With the columns that have a kink at zero excluded."""

    def restricted(self, columns: NDArray[np.int32]) -> Self:
        """The penalty of some columns."""

    # What there is to know of columns.

    @property
    def excluded(self) -> NDArray[np.bool_]:
        """The columns whose coefficients are zero whatever θ."""

    @property
    def free(self) -> NDArray[np.bool_]:
        """The columns without any penalty."""

    @property
    def is_smooth(self) -> bool:
        """Whether every column is either excluded or free of kinks and bounds."""

    @property
    def is_tunable(self) -> bool:
        """Whether θ matters to any column."""

    @property
    def least_strength(self) -> float:
        """The smallest positive strength of a kink: gradients far below it are next to none."""

    def whole_blocks(self, columns: NDArray[np.int32]) -> NDArray[np.int32]:
        """All the columns that vanish together with some of these, block by block."""

    def generalized_support(self, w: Matrix) -> NDArray[np.int32]:
        """Where ``g`` is smooth around ``w``."""

    def moving(self, w: Matrix) -> NDArray[np.bool_] | None:
        """Which entries of the rows of a support are smooth, where rows do not vanish as a whole; None if they do."""

    # What solvers ask.

    def value(self, w: Matrix) -> float:
        """``g(w; θ)``."""

    def gradient(self, w: Matrix) -> Matrix:
        """``∇g(w)``, where all columns are in the support."""

    def curvature(self, w: Matrix) -> Curvature:
        """``∇²g(w)``, where all columns are in the support."""

    def crossing(self, w: Matrix, target: Matrix) -> Matrix | None:
        """``target`` with those coefficients at zero that are on the other side of a kink there, if any is."""

    def search(self, w: Matrix, d: Matrix, slope: float, curvature: float) -> tuple[float, Matrix]:
        """The minimiser over ``t ≥ 0`` of ``slope·t + ½ curvature·t² + g(w + t d)``, and ``w + t d`` there."""

    def subdiff_distance(self, w: Matrix, gradient: Matrix) -> Vector:
        """Distance, one per column, of minus the gradient of the loss to the subdifferential of ``g`` at ``w``."""

    def dual_norm(self, h: Matrix) -> float:
        """The smallest factor of the terms with a kink at which zero coefficients suit ``h``, minus a gradient."""

    def nearness(self, h: Matrix) -> Matrix:
        """What share of the slope at which they move zero coefficients have: one a column, or an entry; 0 without kink.

        It never says too little.
        """

    def feasible(self, h: Matrix, w: Matrix) -> tuple[float, float, float, float]:
        """Penalty terms, and the largest multiples of the residual that are dual points; see ``kernels.quadratic``."""

    def excess(self, h: Matrix, a: float) -> float:
        """What a dual point of the second kind pays at ``a·h``; see ``kernels.quadratic``."""

    # What differentiation asks.

    def prox(self, w: Matrix, step: float) -> Matrix:
        """``argmin_u ½‖u − w‖² + step·g(u)``."""

    def prox_jvp(self, z: Vector, step: float, dz: Matrix) -> Matrix:
        """``∂_z prox(z)·dz + ∂_θ prox(z)`` with ``dz`` of shape (d, p), a row for each hyperparameter; for one target.

        This and its transpose are all that differentiating a proximal iteration needs to know of a penalty.
        """

    def prox_vjp(self, z: Vector, step: float, v: Vector) -> tuple[Vector, Vector]:
        """``∂_z prox(z)ᵀ v``, shape (p,), and ``∂_θ prox(z)ᵀ v``, shape (d,)."""

    def hyperparam_jacobian(self, support: NDArray[np.int32], w_S: Matrix) -> Matrix:
        """``∂_θ ∇g(w_S; θ)``, shape (d, |S|)."""

    def hyperparam_vjp(self, support: NDArray[np.int32], w_S: Matrix, v: Matrix) -> Vector:
        """``vᵀ ∂_θ ∇g(w_S; θ)``, shape (d,): the one thing the hypergradient needs to know of a penalty."""


def strength(factors: Vector, theta: Vector) -> Vector:
    """``factors·theta``, where an infinite factor stays infinite at θ = 0."""
    infinite = np.isinf(factors)
    if not infinite.any():
        return factors * theta
    return np.where(infinite, np.inf, np.where(infinite, 0.0, factors) * theta)

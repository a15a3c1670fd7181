"""The root of the mean squared error: the loss of the square-root Lasso."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from lambdahat.datafits.row_wise import RowWise
from lambdahat.linear import Vector

_SMOOTH = 1e-5  # of the size of y


@dataclass(frozen=True, eq=False)
class RootMeanSquare(RowWise):
    """``F(y, z) = ‖y − z‖_s``, with ``‖r‖_s² = Σ s_i r_i²`` and weights s of sum 1.

    No sum over rows: each row's slope depends on all residuals, through ``σ = ‖y − z‖_s``. With ``q = s∘(y − z)``,

        ∇F = −q/σ,    ∇²F = (diag(s) − q qᵀ/σ²)/σ,    F*(s∘u) = Σ s_i u_i y_i  where ‖u‖_s ≤ 1.

    A proximal Newton step on the diagonal part is the Lasso at ``λ = ασ``: the alternating algorithm of the scaled
    Lasso (Sun & Zhang, Biometrika 2012), whose limit minimises ``F + α‖w‖₁``.

    Where residuals vanish that is no more to be computed, and F has a kink: below ``σ₀``, 1e-5 of the size of y, it
    is ``½ (σ²/σ₀ + σ₀)``, which is at most ``σ₀/2`` more (Ndiaye et al., *Efficient smoothed concomitant lasso
    estimation*, 2017). Its conjugate is less by ``½ σ₀ (1 − ‖u‖_s²)``.
    """

    weights: Vector | None = None
    size: float = 1.0  # of y about its mean

    quadratic = False
    row_wise = False
    labels = False
    log_link = False
    metric = "root mean squared error"
    metric_factor = 1.0
    largest_curvature = np.inf
    kernel = None
    reach = np.inf

    def prepared(self, y: Vector, weights: Vector) -> Self:
        return replace(self, weights=weights, size=float(np.sqrt(weights @ (y - weights @ y) ** 2)) or 1.0)

    @property
    def _least(self) -> float:
        return _SMOOTH * self.size

    def _scale(self, y: Vector, z: Vector) -> float:
        """The greater of σ and σ₀."""
        assert self.weights is not None  # prepared
        return max(float(np.sqrt(self.weights @ (y - z) ** 2)), self._least)

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        scale = float(np.sqrt(weights @ (y - z) ** 2))
        return scale if scale >= self._least else 0.5 * (scale**2 / self._least + self._least)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return (z - y) / self._scale(y, z)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """Of the diagonal part, an upper bound of the whole."""
        return np.full(y.shape, 1.0 / self._scale(y, z))

    def secant(self, y: Vector, z: Vector) -> Vector:
        return self.curvature(y, z)

    def hessian(self, y: Vector, z: Vector, weights: Vector) -> Callable[[Vector], Vector]:
        scale = self._scale(y, z)
        q = weights * (y - z) / scale if scale > self._least else np.zeros_like(y)
        return lambda d: np.asarray((weights * d - q * float(q @ d)) / scale)

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        return float((weights * u) @ y) - 0.5 * self._least * (1.0 - float(weights @ u**2))

    def clip(self, y: Vector, u: Vector) -> Vector:
        assert self.weights is not None
        return np.asarray(u / max(1.0, float(np.sqrt(self.weights @ u**2))))

    def constant(self, y: Vector, weights: Vector) -> float:
        return float(weights @ y)

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        return float(weights @ (y - z))

"""The ℓ1 norm of a matrix of coefficients, with one λ for all its columns or one for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Curvature, Matrix, Vector
from lambdahat.penalties.base import strength
from lambdahat.penalties.separable import Separable, l1, weighted_l1


@dataclass(frozen=True, eq=False)
class Entrywise:
    """``g(W) = Σ_jk factors_j θ_k |W_jk|``, plus ``W ≥ 0`` when ``positive``.

    ``W`` has shape (p, K), a column for each class; θ has shape (K,), or (1,) where one λ serves all of them. Entries
    vanish one by one, so that in a row that is used some may be at rest: see :meth:`moving`.
    """

    theta: Vector
    factors: Vector
    positive: bool = False

    labels = None

    @property
    def hyperparams(self) -> Vector:
        return self.theta

    @cached_property
    def strengths(self) -> Matrix:
        """Of ``|W_jk|``, shape (p, K) or (p, 1)."""
        return strength(self.factors[:, None], self.theta)

    def column(self, k: int) -> Separable:
        """The penalty of the coefficients of class ``k``."""
        theta = float(self.theta[min(k, self.theta.size - 1)])
        return l1(self.factors.size, theta, self.factors, positive=self.positive)

    def with_hyperparams(self, theta: Vector) -> Entrywise:
        return replace(self, theta=theta)

    def rescaled(self, scales: Vector) -> Entrywise:
        return replace(self, factors=self.factors * scales)

    def scaled(self, factor: float) -> Entrywise:
        return replace(self, factors=self.factors * factor)

    def strengthened(self, factor: float) -> Entrywise:
        return self.scaled(factor)

    def without_kinked(self) -> Entrywise:
        return replace(self, factors=np.where(self.free, self.factors, np.inf))

    def restricted(self, columns: NDArray[np.int32]) -> Entrywise:
        return replace(self, factors=self.factors[columns])

    def of_entries(self, entries: NDArray[np.bool_]) -> Separable:
        """The penalty of a vector of some entries, row after row."""
        strengths = np.broadcast_to(self.strengths, entries.shape)[entries]
        return weighted_l1(strengths, positive=self.positive)

    @property
    def l1(self) -> Vector:
        """The greatest strength in each row."""
        return np.asarray(self.strengths.max(axis=1))

    @property
    def excluded(self) -> NDArray[np.bool_]:
        return np.isinf(self.factors)

    @property
    def free(self) -> NDArray[np.bool_]:
        return np.asarray(self.l1 == 0.0)

    @cached_property
    def is_smooth(self) -> bool:
        return not self.positive and bool(np.all(self.free | self.excluded))

    @property
    def is_tunable(self) -> bool:
        return bool(np.any((self.factors > 0.0) & np.isfinite(self.factors)))

    @property
    def least_strength(self) -> float:
        return float(np.min(self.strengths[self.strengths > 0.0], initial=np.inf))

    def whole_blocks(self, columns: NDArray[np.int32]) -> NDArray[np.int32]:
        return columns

    def moving(self, w: Matrix) -> NDArray[np.bool_]:
        """The entries around which ``g`` is smooth, within rows that are used."""
        return np.asarray((w != 0.0) | ((self.strengths == 0.0) & (not self.positive)))

    def generalized_support(self, w: Matrix) -> NDArray[np.int32]:
        return np.flatnonzero(self.moving(w).any(axis=1)).astype(np.int32)

    def value(self, w: Matrix) -> float:
        used = w != 0.0
        if (self.positive and np.any(w < 0.0)) or np.any(used[self.excluded]):
            return np.inf
        return float(np.sum(np.where(used, self.strengths, 0.0) * np.abs(w)))

    def gradient(self, w: Matrix) -> Matrix:
        return np.where(w != 0.0, self.strengths, 0.0) * np.sign(w)

    def curvature(self, w: Matrix) -> Curvature:
        return Curvature(np.zeros(len(w)))

    def crossing(self, w: Matrix, target: Matrix) -> Matrix | None:
        crossed = target < 0.0 if self.positive else (self.strengths > 0.0) & (target * w < 0.0)
        return np.where(crossed, 0.0, target) if np.any(crossed) else None

    def search(self, w: Matrix, d: Matrix, slope: float, curvature: float) -> tuple[float, Matrix]:
        """As that of its entries in one row."""
        strengths = np.where(self.excluded[:, None], 0.0, self.strengths)  # where w and d are zero
        entries = weighted_l1(np.broadcast_to(strengths, w.shape).ravel(), positive=self.positive)
        t, target = entries.search(w.ravel(), d.ravel(), slope, curvature)
        return t, target.reshape(w.shape)

    def subdiff_distance(self, w: Matrix, gradient: Matrix) -> Vector:
        """The largest distance in each row."""
        return np.asarray(self.distances(w, gradient).max(axis=1))

    def distances(self, w: Matrix, gradient: Matrix) -> Matrix:
        """One for each entry."""
        at_zero = np.maximum((-gradient if self.positive else np.abs(gradient)) - self.strengths, 0.0)
        elsewhere = np.abs(gradient + np.where(w != 0.0, self.strengths, 0.0) * np.sign(w))
        return np.where(w == 0.0, at_zero, elsewhere)

    def dual_norm(self, h: Matrix) -> float:
        return float(self.dual_norms(h).max(initial=0.0))

    def dual_norms(self, h: Matrix) -> Vector:
        """That of each column."""
        return np.asarray(self.nearness(h).max(axis=0, initial=0.0))

    def nearness(self, h: Matrix) -> Matrix:
        kinked = (self.strengths > 0.0) & np.isfinite(self.strengths)
        size = h if self.positive else np.abs(h)
        return np.divide(size, self.strengths, out=np.zeros_like(h), where=np.broadcast_to(kinked, h.shape))

    def feasible(self, h: Matrix, w: Matrix) -> tuple[float, float, float, float]:
        multiple = 1.0 / max(self.dual_norm(h), 1e-300)
        return self.value(w), 0.0, multiple, multiple

    def excess(self, h: Matrix, a: float) -> float:
        return 0.0

    def prox(self, w: Matrix, step: float) -> Matrix:
        shrunk = np.maximum(np.abs(w) - step * self.strengths, 0.0)
        return np.where(w > 0.0, shrunk, 0.0 if self.positive else -shrunk)

    def prox_jvp(self, z: Matrix, step: float, dz: Matrix) -> Matrix:
        """With ``dz`` of shape (d, p, K)."""
        w = self.prox(z, step)
        every = np.arange(len(z), dtype=np.int32)
        return np.where(self.moving(w), dz, 0.0) - step * self.hyperparam_jacobian(every, w)

    def prox_vjp(self, z: Matrix, step: float, v: Matrix) -> tuple[Matrix, Vector]:
        w = self.prox(z, step)
        every = np.arange(len(z), dtype=np.int32)
        return np.where(self.moving(w), v, 0.0), -step * self.hyperparam_vjp(every, w, v)

    def hyperparam_jacobian(self, support: NDArray[np.int32], w_S: Matrix) -> Matrix:
        """Shape (d, |S|, K)."""
        slopes = self._slopes(support, w_S)
        if self.theta.size == 1:
            return slopes[None]
        out = np.zeros((self.theta.size, *w_S.shape))
        each = np.arange(self.theta.size)
        out[each, :, each] = slopes.T
        return out

    def hyperparam_vjp(self, support: NDArray[np.int32], w_S: Matrix, v: Matrix) -> Vector:
        by_column = np.asarray(np.sum(self._slopes(support, w_S) * v, axis=0))
        return by_column if self.theta.size > 1 else by_column.sum(keepdims=True)

    def hyperparam_vjp_of_many(self, W: Matrix, V: Matrix) -> Vector:
        """The sum of :meth:`hyperparam_vjp` over n solutions, of which all rows are given, shape (n, p, K)."""
        by_column = np.asarray(np.einsum("ijk,ijk,j->k", np.sign(W), V, self.factors))
        return by_column if self.theta.size > 1 else by_column.sum(keepdims=True)

    def _slopes(self, support: NDArray[np.int32], w_S: Matrix) -> Matrix:
        """``∂_θ`` of the gradient, entry by entry."""
        return np.where(w_S != 0.0, self.factors[support, None], 0.0) * np.sign(w_S)


def entrywise_l1(p: int, alphas: Vector, penalty_factors: Vector | None = None, *, positive: bool = False) -> Entrywise:
    """``Σ_jk factor_j alphas_k |W_jk|``; θ = alphas, of shape (K,), or (1,) for all columns."""
    factors = np.ones(p) if penalty_factors is None else np.asarray(penalty_factors, dtype=np.float64)
    return Entrywise(alphas, factors, positive)

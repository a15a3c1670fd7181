"""The Lasso, elastic net, weighted Lasso and ridge: one penalty, whose strengths are linear in its hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lambdahat.kernels import quadratic
from lambdahat.linear import Curvature, Matrix, Vector
from lambdahat.penalties.base import strength

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Separable:
    """``g(w) = Σ_j l1_j |w_j| + ½ l2_j w_j²``, plus ``w ≥ 0`` when ``positive``.

    The strengths are ``l1_j = l1_factors_j θ[l1_index_j]`` and ``l2_j = l2_factors_j θ[l2_index_j]``: one λ for all
    features, one for each, one for each kind of penalty or one for each group differ in the index only. A factor of
    zero leaves a feature unpenalised, an infinite one excludes it.
    """

    theta: Vector
    l1_factors: Vector
    l1_index: Index
    l2_factors: Vector
    l2_index: Index
    positive: bool = False

    labels = None

    @property
    def hyperparams(self) -> Vector:
        return self.theta

    def with_hyperparams(self, theta: Vector) -> Separable:
        return replace(self, theta=theta)

    def rescaled(self, scales: Vector) -> Separable:
        return replace(self, l1_factors=self.l1_factors * scales, l2_factors=self.l2_factors * scales**2)

    def scaled(self, factor: float) -> Separable:
        return replace(self, l1_factors=self.l1_factors * factor, l2_factors=self.l2_factors * factor)

    def strengthened(self, factor: float) -> Separable:
        return replace(self, l1_factors=self.l1_factors * factor)

    def each(self, theta: Vector) -> Separable:
        """The same factors with a hyperparameter for each column; an infinite one excludes it."""
        index, excluded = np.arange(theta.size, dtype=np.intp), np.isinf(theta)
        factors = np.where(excluded, np.inf, self.l1_factors)
        return replace(
            self, theta=np.where(excluded, 1.0, theta), l1_factors=factors, l1_index=index, l2_index=index
        )  # fmt: skip

    def without_kinked(self) -> Separable:
        return replace(self, l1_factors=np.where(self.l1 > 0.0, np.inf, self.l1_factors))

    def restricted(self, columns: NDArray[np.int32]) -> Separable:
        return Separable(
            self.theta, self.l1_factors[columns], self.l1_index[columns], self.l2_factors[columns],
            self.l2_index[columns], self.positive,
        )  # fmt: skip

    @cached_property
    def l1(self) -> Vector:
        """Strength of ``|w_j|``, shape (p,)."""
        return strength(self.l1_factors, self.theta[self.l1_index])

    @cached_property
    def l2(self) -> Vector:
        """Strength of ``½ w_j²``, shape (p,)."""
        return strength(self.l2_factors, self.theta[self.l2_index])

    @cached_property
    def is_smooth(self) -> bool:
        return not self.positive and bool(np.all((self.l1 == 0.0) | np.isinf(self.l1)))

    @property
    def is_tunable(self) -> bool:
        return bool(np.any(np.isfinite(self.l1) & ((self.l1_factors > 0.0) | (self.l2_factors > 0.0))))

    @property
    def excluded(self) -> NDArray[np.bool_]:
        return np.asarray(np.isinf(self.l1))

    @property
    def free(self) -> NDArray[np.bool_]:
        return np.asarray((self.l1 == 0.0) & (self.l2 == 0.0))

    @property
    def least_strength(self) -> float:
        return float(np.min(self.l1[self.l1 > 0.0], initial=np.inf))

    def moving(self, w: Vector) -> None:
        return None

    def whole_blocks(self, columns: NDArray[np.int32]) -> NDArray[np.int32]:
        return columns

    def value(self, w: Vector) -> float:
        if self.positive and np.any(w < 0.0):
            return np.inf
        used = w != 0.0
        return float(self.l1[used] @ np.abs(w[used]) + 0.5 * self.l2[used] @ w[used] ** 2)

    def prox(self, w: Vector, step: float) -> Vector:
        shrunk = np.maximum(np.abs(w) - step * self.l1, 0.0) / (1.0 + step * self.l2)
        return np.where(w > 0.0, shrunk, 0.0 if self.positive else -shrunk)

    def prox_jvp(self, z: Vector, step: float, dz: Matrix) -> Matrix:
        shrink, by_l1, by_l2 = self._prox_slopes(z, step)
        out = shrink * dz
        each = np.arange(z.size)
        out[self.l1_index, each] += by_l1
        out[self.l2_index, each] += by_l2
        return out

    def prox_vjp(self, z: Vector, step: float, v: Vector) -> tuple[Vector, Vector]:
        shrink, by_l1, by_l2 = self._prox_slopes(z, step)
        d = self.theta.size
        by_theta = np.bincount(self.l1_index, by_l1 * v, d) + np.bincount(self.l2_index, by_l2 * v, d)
        return shrink * v, np.asarray(by_theta, dtype=np.float64)

    def _prox_slopes(self, z: Vector, step: float) -> tuple[Vector, Vector, Vector]:
        """Derivatives of ``prox(z)``, coordinate by coordinate: in ``z`` and, through each strength, in θ."""
        w = self.prox(z, step)
        smooth = w != 0.0
        if not self.positive:
            smooth |= self.l1 == 0.0
        shrink = smooth / (1.0 + step * self.l2)
        factors = np.where(smooth, self.l1_factors, 0.0)  # infinite ones are nowhere smooth
        return shrink, -step * shrink * factors * np.sign(w), -step * shrink * self.l2_factors * w

    def subdiff_distance(self, w: Vector, gradient: Vector) -> Vector:
        slope = gradient + self.l2 * w
        out = np.maximum((-slope if self.positive else np.abs(slope)) - self.l1, 0.0)
        used = np.flatnonzero(w)
        kink = np.where(np.isinf(self.l1[used]), 0.0, self.l1[used])
        out[used] = np.abs(slope[used] + kink * np.sign(w[used]))
        return np.asarray(out)

    def generalized_support(self, w: Vector) -> NDArray[np.int32]:
        smooth = w != 0.0
        if not self.positive:
            smooth |= self.l1 == 0.0
        return np.flatnonzero(smooth).astype(np.int32)

    def gradient(self, w: Vector) -> Vector:
        return self.l1 * np.sign(w) + self.l2 * w

    def curvature(self, w: Vector) -> Curvature:
        return Curvature(self.l2)

    def crossing(self, w: Vector, target: Vector) -> Vector | None:
        crossed = target <= 0.0 if self.positive else (self.l1 > 0.0) & (target * w <= 0.0)
        return np.where(crossed, 0.0, target) if np.any(crossed) else None

    def search(self, w: Vector, d: Vector, slope: float, curvature: float) -> tuple[float, Vector]:
        """Exactly: the objective is piecewise quadratic along the segment."""
        slope, curvature = slope + float((self.l2 * w) @ d), curvature + float(self.l2 @ (d * d))
        t, zero = quadratic.segment(w, d, self.l1, slope, curvature)
        if self.positive:
            t, zero = _stay_positive(w, d, t, zero)
        target = w + t * d
        if zero >= 0:
            target[zero] = 0.0
        return t, target

    def dual_norm(self, h: Vector) -> float:
        return float(np.max(self.nearness(h), initial=0.0))

    def nearness(self, h: Vector) -> Vector:
        kinked = (self.l1 > 0.0) & np.isfinite(self.l1)
        return np.divide(h if self.positive else np.abs(h), self.l1, out=np.zeros_like(h), where=kinked)

    def feasible(self, h: Vector, w: Vector) -> tuple[float, float, float, float]:
        terms: tuple[float, float, float, float] = quadratic.feasible(h, w, self.l1, self.l2, self.positive)
        return terms

    def excess(self, h: Vector, a: float) -> float:
        return float(quadratic.excess(h, self.l1, self.l2, self.positive, a))

    def hyperparam_jacobian(self, support: NDArray[np.int32], w_S: Vector) -> Matrix:
        out, each = np.zeros((self.theta.size, support.size)), np.arange(support.size)
        out[self.l1_index[support], each] += self.l1_factors[support] * np.sign(w_S)
        out[self.l2_index[support], each] += self.l2_factors[support] * w_S
        return out

    def hyperparam_vjp(self, support: NDArray[np.int32], w_S: Vector, v: Vector) -> Vector:
        d = self.theta.size
        by_l1 = np.bincount(self.l1_index[support], self.l1_factors[support] * np.sign(w_S) * v, minlength=d)
        by_l2 = np.bincount(self.l2_index[support], self.l2_factors[support] * w_S * v, minlength=d)
        return np.asarray(by_l1 + by_l2, dtype=np.float64)

    def hyperparam_vjp_of_many(self, W: Matrix, V: Matrix) -> Vector:
        """The sum of :meth:`hyperparam_vjp` over n solutions, of which all coefficients are given, shape (n, p)."""
        d = self.theta.size
        by_l1 = np.bincount(self.l1_index, self.l1_factors * np.einsum("ij,ij->j", np.sign(W), V), minlength=d)
        by_l2 = np.bincount(self.l2_index, self.l2_factors * np.einsum("ij,ij->j", W, V), minlength=d)
        return np.asarray(by_l1 + by_l2, dtype=np.float64)


def _stay_positive(w: Vector, d: Vector, t: float, zero: int) -> tuple[float, int]:
    falling = np.flatnonzero(d < 0.0)
    if falling.size:
        limits = -w[falling] / d[falling]
        first = int(np.argmin(limits))
        if limits[first] <= t:
            return float(limits[first]), int(falling[first])
    return t, zero


def _factors(p: int, penalty_factors: Vector | None) -> Vector:
    return np.ones(p) if penalty_factors is None else np.asarray(penalty_factors, dtype=np.float64)


def l1(p: int, alpha: float, penalty_factors: Vector | None = None, *, positive: bool = False) -> Separable:
    """``alpha Σ_j factor_j |w_j|``; θ = (alpha,)."""
    zero = np.zeros(p, dtype=np.intp)
    return Separable(np.array([alpha]), _factors(p, penalty_factors), zero, np.zeros(p), zero, positive)


def weighted_l1(weights: Vector, alpha: float = 1.0, *, positive: bool = False) -> Separable:
    """``alpha Σ_j weights_j |w_j|``; θ = weights, one hyperparameter a feature."""
    p = weights.size
    each = np.arange(p, dtype=np.intp)
    return Separable(np.asarray(weights, dtype=np.float64), np.full(p, alpha), each, np.zeros(p), each, positive)


def elastic_net(
    p: int, l1: float, l2: float, penalty_factors: Vector | None = None, *, positive: bool = False
) -> Separable:
    """``Σ_j factor_j (l1 |w_j| + ½ l2 w_j²)``; θ = (l1, l2)."""
    zero = np.zeros(p, dtype=np.intp)
    factors = _factors(p, penalty_factors)
    finite = np.where(np.isinf(factors), 0.0, factors)
    return Separable(np.array([l1, l2]), factors, zero, finite, zero + 1, positive)


def tied_elastic_net(
    p: int, alpha: float, l1_ratio: float, penalty_factors: Vector | None = None, *, positive: bool = False
) -> Separable:
    """``alpha Σ_j factor_j (l1_ratio |w_j| + ½ (1 − l1_ratio) w_j²)``; θ = (alpha,)."""
    zero = np.zeros(p, dtype=np.intp)
    factors = _factors(p, penalty_factors)
    finite = np.where(np.isinf(factors), 0.0, factors)
    strength = l1_ratio * finite
    strength[np.isinf(factors)] = np.inf
    return Separable(np.array([alpha]), strength, zero, (1.0 - l1_ratio) * finite, zero, positive)


def weighted_ridge(
    labels: NDArray[np.intp], weights: Vector, alpha: float = 1.0, *, total_weight: float = 1.0, positive: bool = False
) -> Separable:
    """``½ (alpha / total_weight) Σ_j weights[labels_j] w_j²``; θ = weights, one hyperparameter a group of features.

    An infinite weight excludes a group, by an infinite ``l1`` strength.
    """
    excluded = np.isinf(weights)
    return Separable(
        np.where(excluded, 1.0, weights),
        np.where(excluded, np.inf, 0.0)[labels],
        labels,
        np.where(excluded, 0.0, alpha / total_weight)[labels],
        labels,
        positive,
    )


def ridge(
    p: int, alpha: float, penalty_factors: Vector | None = None, *, total_weight: float = 1.0, positive: bool = False
) -> Separable:
    """``½ (alpha / total_weight) Σ_j factor_j w_j²``; θ = (alpha,). scikit-learn's ridge has ``total_weight = n``.

    An infinite factor excludes a feature by an infinite ``l1`` strength.
    """
    zero = np.zeros(p, dtype=np.intp)
    factors = _factors(p, penalty_factors)
    excluded = np.where(np.isinf(factors), np.inf, 0.0)
    finite = np.where(np.isinf(factors), 0.0, factors)
    return Separable(np.array([alpha]), excluded, zero, finite / total_weight, zero, positive)

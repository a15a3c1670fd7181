"""Norms of blocks: the group Lasso, the sparse-group Lasso, the multi-task Lasso.

Yuan and Lin, *Model selection and estimation in regression with grouped variables*, JRSS B 2006; Obozinski, Taskar and
Jordan, *Joint covariate selection for grouped classification*, 2010 (rows); Simon et al., *A sparse-group lasso*,
JCGS 2013.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Curvature, Matrix, Vector, by_row, rows_used
from lambdahat.penalties.base import strength

Index = NDArray[np.intp]

_BISECTIONS = 60
_ACCURATE = 1e-6


@dataclass(frozen=True, eq=False)
class Blockwise:
    """``g(w) = Σ_b norm_b ‖w_b‖ + ½ l2_b ‖w_b‖² + Σ_j l1_j |w_j|``.

    A block is a set of columns with their coefficients for all targets: rows of a matrix are blocks of one column each,
    groups of features blocks for one target, and groups of rows blocks of several columns for several targets.
    ``labels`` says which block a column belongs to. Strengths are linear in θ, as those of :class:`Separable` are:
    ``norm_b = norm_factors_b θ[norm_index_b]``, and so for the others. A block without any strength is unpenalised, an
    infinite ``norm_b`` excludes it. ``l1`` is for one target (entries vanish one by one in problems of their own).
    """

    theta: Vector
    labels: Index
    norm_factors: Vector
    norm_index: Index
    l2_factors: Vector
    l2_index: Index
    l1_factors: Vector
    l1_index: Index

    positive = False

    @property
    def hyperparams(self) -> Vector:
        return self.theta

    @property
    def n_blocks(self) -> int:
        return int(self.norm_factors.size)

    @property
    def _one_each(self) -> bool:
        """Whether every block is one column."""
        return self.n_blocks == self.labels.size

    @cached_property
    def norms(self) -> Vector:
        """Strength of ``‖w_b‖``, one a block."""
        return strength(self.norm_factors, self.theta[self.norm_index])

    @cached_property
    def l2(self) -> Vector:
        """Strength of ``½ ‖w_b‖²``, one a block."""
        return strength(self.l2_factors, self.theta[self.l2_index])

    @cached_property
    def l1(self) -> Vector:
        """Strength of ``|w_j|``, one a column."""
        return strength(self.l1_factors, self.theta[self.l1_index])

    @cached_property
    def pull(self) -> Vector:
        """``norms`` without the infinite ones, whose blocks are zero."""
        return np.where(np.isinf(self.norms), 0.0, self.norms)

    @cached_property
    def _kinked(self) -> NDArray[np.bool_]:
        """Blocks with a kink at zero."""
        return (self.norms > 0.0) | (self._sum(self.l1) > 0.0)

    def with_hyperparams(self, theta: Vector) -> Blockwise:
        return replace(self, theta=theta)

    def rescaled(self, scales: Vector) -> Blockwise:
        if not self._one_each:
            raise ValueError(
                "standardize=True is for blocks of one column, the norm of a group of rescaled columns is no group "
                "norm any more: scale the columns beforehand (scikit-learn's StandardScaler)"
            )
        of_block = np.empty(self.n_blocks)
        of_block[self.labels] = scales
        return replace(
            self, norm_factors=self.norm_factors * of_block, l2_factors=self.l2_factors * of_block**2,
            l1_factors=self.l1_factors * scales,
        )  # fmt: skip

    def scaled(self, factor: float) -> Blockwise:
        return replace(self.strengthened(factor), l2_factors=self.l2_factors * factor)

    def strengthened(self, factor: float) -> Blockwise:
        return replace(self, norm_factors=self.norm_factors * factor, l1_factors=self.l1_factors * factor)

    def restricted(self, columns: NDArray[np.int32]) -> Blockwise:
        labels = self.labels[columns]
        of_blocks = (labels, np.arange(labels.size)) if self._one_each else _as_they_come(labels)
        return self._of_blocks(columns, *of_blocks)

    def _of_blocks(self, columns: NDArray[np.int32], kept: NDArray[np.intp], labels: NDArray[np.intp]) -> Blockwise:
        """Of some columns, with the numbers of their blocks, and which of these each is of."""
        return Blockwise(
            self.theta, labels, self.norm_factors[kept], self.norm_index[kept], self.l2_factors[kept],
            self.l2_index[kept], self.l1_factors[columns], self.l1_index[columns],
        )  # fmt: skip

    def of_entries(self, entries: NDArray[np.bool_]) -> Blockwise:
        """The penalty of a vector of the entries of some rows, row after row."""
        columns = np.nonzero(entries)[0].astype(np.int32)  # each as often as it has entries
        return self._of_blocks(columns, *_as_they_come(self.labels[columns]))

    def without_kinked(self) -> Blockwise:
        return replace(self, norm_factors=np.where(self._kinked, np.inf, self.norm_factors))

    @cached_property
    def is_smooth(self) -> bool:
        return not np.any(self._kinked & np.isfinite(self.norms))

    @property
    def is_tunable(self) -> bool:
        factors = self.norm_factors + self.l2_factors + self._sum(self.l1_factors)
        return bool(np.any((factors > 0.0) & np.isfinite(self.norms)))

    @property
    def excluded(self) -> NDArray[np.bool_]:
        return np.asarray(np.isinf(self.norms)[self.labels])

    @property
    def free(self) -> NDArray[np.bool_]:
        return np.asarray((~self._kinked & (self.l2 == 0.0))[self.labels])

    @property
    def least_strength(self) -> float:
        kinks = np.concatenate([self.norms, self.l1])
        return float(np.min(kinks[kinks > 0.0], initial=np.inf))

    def moving(self, w: Matrix) -> None:
        return None

    def whole_blocks(self, columns: NDArray[np.int32]) -> NDArray[np.int32]:
        """All columns of the blocks that some columns belong to, block by block."""
        if self._one_each:
            return columns
        wanted = np.zeros(self.n_blocks, dtype=bool)
        wanted[self.labels[columns]] = True
        found = np.flatnonzero(wanted[self.labels])
        return found[np.argsort(self.labels[found], kind="stable")].astype(np.int32)

    def _sum(self, w: Matrix) -> Vector:
        """The sum over each block."""
        sums = np.bincount(self.labels, w if w.ndim == 1 else w.sum(axis=1), self.n_blocks)
        return sums.astype(np.float64, copy=False)

    def _norms_of(self, w: Matrix) -> Vector:
        return np.sqrt(self._sum(w * w if w.ndim == 1 else np.einsum("ij,ij->i", w, w)))

    def _over_norms(self, numerators: Vector, norms: Vector) -> Vector:
        """One a column: ``numerators / norms`` of its block, zero where the norm is."""
        return np.divide(numerators, norms, out=np.zeros_like(norms), where=norms > 0.0)[self.labels]

    def _soft(self, w: Matrix, step: float = 1.0) -> Matrix:
        """Soft thresholding of entries."""
        if not self.l1.any():
            return w
        return np.sign(w) * np.maximum(np.abs(w) - step * self.l1, 0.0)

    def value(self, w: Matrix) -> float:
        kinks, l2_term = self._terms(w)
        return kinks + 0.5 * l2_term

    def _terms(self, w: Matrix) -> tuple[float, float]:
        """``Σ_b norm_b ‖w_b‖ + Σ_j l1_j |w_j|`` and ``Σ_b l2_b ‖w_b‖²``."""
        norms = self._norms_of(w)
        if np.any(norms[np.isinf(self.norms)] > 0.0):
            return np.inf, 0.0
        entries = float(self.l1 @ np.abs(w)) if self.l1.any() else 0.0
        return float(self.pull @ norms) + entries, float(self.l2 @ norms**2)

    def gradient(self, w: Matrix) -> Matrix:
        norms = self._norms_of(w)
        out = by_row(self._over_norms(self.pull, norms) + self.l2[self.labels], w)
        return out + self.l1 * np.sign(w) if self.l1.any() else out

    def curvature(self, w: Matrix) -> Curvature:
        norms = self._norms_of(w)
        bend = self._over_norms(self.pull, norms)
        return Curvature(
            bend + self.l2[self.labels], by_row(np.sqrt(self._over_norms(self.pull, norms**3)), w), self.labels
        )

    def prox(self, w: Matrix, step: float) -> Matrix:
        soft = self._soft(w, step)
        norms = self._norms_of(soft)
        return by_row(self._left(norms, step)[self.labels] / (1.0 + step * self.l2[self.labels]), soft)

    def _left(self, norms: Vector, step: float) -> Vector:
        """What the prox leaves of blocks of such norms."""
        gone = norms <= step * self.norms
        return np.where(gone, 0.0, 1.0 - step * self.pull / np.where(gone, 1.0, norms))

    def prox_jvp(self, z: Vector, step: float, dz: Matrix) -> Matrix:
        return np.stack([self._prox_slope(z, step, row) for row in dz]) + self._prox_by_theta(z, step)

    def prox_vjp(self, z: Vector, step: float, v: Vector) -> tuple[Vector, Vector]:
        return self._prox_slope(z, step, v), self._prox_by_theta(z, step) @ v  # a derivative in z is symmetric

    def _prox_slope(self, z: Vector, step: float, v: Vector) -> Vector:
        """``∂_z prox(z) v``."""
        soft = self._soft(z, step)
        norms = self._norms_of(soft)
        left = self._left(norms, step)
        inner = np.where((soft != 0.0) | (self.l1 == 0.0), v, 0.0)
        bend = np.where(left > 0.0, self._sum(soft * inner) * step * self.pull, 0.0)
        out = left[self.labels] * inner + self._over_norms(bend, norms**3) * soft
        return np.asarray(out / (1.0 + step * self.l2[self.labels]))

    def _prox_by_theta(self, z: Vector, step: float) -> Matrix:
        """``∂_θ prox(z)``, shape (d, p): through θ in ``z − step ∇g(prox(z))``, whose slope is that of the prox."""
        w = self.prox(z, step)
        support = np.flatnonzero(w).astype(np.int32)
        moved = np.zeros((self.theta.size, z.size))
        moved[:, support] = -step * self.hyperparam_jacobian(support, w[support])
        return np.stack([self._prox_slope(z, step, row) for row in moved])

    def subdiff_distance(self, w: Matrix, gradient: Matrix) -> Vector:
        """The distance of the block that a column belongs to."""
        at_zero = np.maximum(self._norms_of(self._soft(gradient)) - self.norms, 0.0)[self.labels]
        used = self.whole_blocks(rows_used(w))
        at_zero[used] = self.restricted(used)._off(w[used], gradient[used])
        return at_zero

    def _off(self, w: Matrix, gradient: Matrix) -> Vector:
        """How far from optimal blocks are that are not zero."""
        norms = self._norms_of(w)
        off = gradient + by_row(self._over_norms(self.pull, norms) + self.l2[self.labels], w)
        if self.l1.any():
            off = np.where(w == 0.0, self._soft(off), off + self.l1 * np.sign(w))
        return self._norms_of(off)[self.labels]

    def generalized_support(self, w: Matrix) -> NDArray[np.int32]:
        alive = (self._norms_of(w) > 0.0) | ~self._kinked
        used = (w if w.ndim == 1 else w.any(axis=1)) != 0.0
        return np.flatnonzero(alive[self.labels] & (used | (self.l1 == 0.0))).astype(np.int32)

    def crossing(self, w: Matrix, target: Matrix) -> Matrix | None:
        products = target * w
        crossed = ((self._sum(products) <= 0.0) & (self.pull > 0.0))[self.labels]
        if w.ndim == 1:
            crossed = crossed | ((self.l1 > 0.0) & (products <= 0.0))
        if not np.any(crossed):
            return None
        stopped = target.copy()
        stopped[crossed] = 0.0
        return stopped

    def search(self, w: Matrix, d: Matrix, slope: float, curvature: float) -> tuple[float, Matrix]:
        """By bisection of the derivative, which grows."""

        def rises(t: float) -> bool:
            return slope + curvature * t + float(np.vdot(self.gradient(w + t * d), d)) >= 0.0

        low, high = 0.0, 1.0
        while not rises(high) and high < 1e3:
            low, high = high, 2.0 * high
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if rises(middle) else (middle, high)
            if high - low <= _ACCURATE * high:
                break
        return high, w + high * d

    def dual_norm(self, h: Matrix) -> float:
        """``m`` where ``‖(|h_b| − m l1)₊‖ = m norm_b`` for the block that asks for most; by bisection with ℓ1 terms."""
        kinked = self._kinked & np.isfinite(self.norms)
        low, high = 0.0, float(np.max(self.nearness(h), initial=0.0))
        for _ in range(_BISECTIONS if self.l1.any() else 0):
            middle = 0.5 * (low + high)
            inside = np.all(self._norms_of(self._soft(h, middle))[kinked] <= middle * self.norms[kinked])
            low, high = (low, middle) if inside else (middle, high)
        return high

    def nearness(self, h: Matrix) -> Vector:
        kinked = self._kinked & np.isfinite(self.norms)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = self._norms_of(h) / self.norms
            if self.l1.any():
                by_entry = np.zeros(self.n_blocks)
                np.maximum.at(by_entry, self.labels, np.where(h == 0.0, 0.0, np.abs(h) / self.l1))
                shares = np.fmin(shares, by_entry)
        return np.asarray(np.where(kinked, shares, 0.0)[self.labels])

    def feasible(self, h: Matrix, w: Matrix) -> tuple[float, float, float, float]:
        kinks, l2_term = self._terms(w)
        ridged = self.l2 > 0.0
        if not ridged.any():
            multiple = 1.0 / max(self.dual_norm(h), 1e-300)
            return kinks, l2_term, multiple, multiple
        by_rows = 1.0 / max(self.dual_norm(h - by_row(self.l2[self.labels], w)), 1e-300)
        by_columns = 1.0 / max(self.dual_norm(by_row(np.where(ridged, 0.0, 1.0)[self.labels], h)), 1e-300)
        return kinks, l2_term, -1.0 if np.any(ridged & ~self._kinked) else by_rows, by_columns

    def excess(self, h: Matrix, a: float) -> float:
        if not self.l2.any():
            return 0.0
        beyond = np.maximum(self._norms_of(self._soft(a * h)) - self.norms, 0.0)
        paid = (self.l2 > 0.0) & (beyond > 0.0)
        return 0.5 * float(np.sum(beyond[paid] ** 2 / self.l2[paid]))

    def hyperparam_jacobian(self, support: NDArray[np.int32], w_S: Matrix) -> Matrix:
        on, each = self.restricted(support), np.arange(support.size)
        finite = np.where(np.isinf(on.norm_factors), 0.0, on.norm_factors)
        out = np.zeros((self.theta.size, *w_S.shape))
        out[on.norm_index[on.labels], each] += by_row(on._over_norms(finite, on._norms_of(w_S)), w_S)
        out[on.l2_index[on.labels], each] += by_row(on.l2_factors[on.labels], w_S)
        out[on.l1_index, each] += by_row(on.l1_factors, np.sign(w_S))
        return out

    def hyperparam_vjp(self, support: NDArray[np.int32], w_S: Matrix, v: Matrix) -> Vector:
        return self.restricted(support)._vjp(w_S, v)

    def hyperparam_vjp_of_many(self, W: Matrix, V: Matrix) -> Vector:
        """The sum of :meth:`hyperparam_vjp` over n solutions, of which all coefficients are given, shape (n, p, …)."""
        n = len(W)
        labels = (self.labels + self.n_blocks * np.arange(n)[:, None]).ravel()
        many = Blockwise(
            self.theta, labels, np.tile(self.norm_factors, n), np.tile(self.norm_index, n),
            np.tile(self.l2_factors, n), np.tile(self.l2_index, n), np.tile(self.l1_factors, n),
            np.tile(self.l1_index, n),
        )  # fmt: skip
        return many._vjp(*(vectors.reshape(-1, *W.shape[2:]) for vectors in (W, V)))

    def _vjp(self, w: Matrix, v: Matrix) -> Vector:
        terms = self._vjp_terms(w, v)
        return np.asarray(sum(np.bincount(index, values, self.theta.size) for index, values in terms))

    def _vjp_terms(self, w: Matrix, v: Matrix) -> list[tuple[Index, Vector]]:
        norms, along = self._norms_of(w), self._sum(w * v)
        finite = np.where(np.isinf(self.norm_factors), 0.0, self.norm_factors)
        by_norm = np.divide(finite * along, norms, out=np.zeros_like(norms), where=norms > 0.0)
        signed = np.sign(w) * v
        by_l1 = self.l1_factors * (signed if v.ndim == 1 else signed.sum(axis=1))
        return [(self.norm_index, by_norm), (self.l2_index, self.l2_factors * along), (self.l1_index, by_l1)]


def _as_they_come(labels: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Those that there are, in the order of their first places, which kernels count on, and which of them each is."""
    kept, first, places = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return kept[order], np.argsort(order)[places]

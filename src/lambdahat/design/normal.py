"""Least squares by its normal equations: for many rows and few columns, X is read once and never again.

The weighted moments of disjoint groups of rows add up, so that all folds of a cross-validation, whatever the splitter,
come from one pass: rows are grouped by the folds they belong to, and a fold is a sum of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lambdahat.design.storage import DenseStorage, Storage
from lambdahat.kernels import quadratic
from lambdahat.linear import Curvature, Matrix, Vector, solve_gram

_BLOCK = 4096  # rows in a block: it should still be in cache when it is multiplied
_MAX_GROUPS = 64
# Normal equations are used for up to so many columns, if these are half as many as the rows or few in any case.
MOST_COLUMNS, FEW_COLUMNS = 2000, 200
# Below this share of ‖y‖² a mean squared error from normal equations has lost digits to cancellation.
CANCELLATION = 1e-7


def has_few_columns(storage: Storage) -> bool:
    """Whether X is dense and has so few columns that least squares are solved by their normal equations."""
    n, p = storage.shape
    return isinstance(storage, DenseStorage) and p <= min(MOST_COLUMNS, max(n // 2, FEW_COLUMNS))


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """``G = X̃ᵀSX̃``, ``c = X̃ᵀSy`` and ``yy = yᵀSy`` of centred data with weights of sum 1."""

    G: Matrix
    c: Vector
    yy: float
    n_rows: int = 0

    def squared_error(self, support: NDArray[np.int32], w_S: Vector) -> float | None:
        """``Σ s_i (y_i − x̃_iᵀw)²``; None where it is so small that its digits are lost to cancellation."""
        value = self.yy - float((2.0 * self.c[support] - (w_S @ self.G[support])[support]) @ w_S)
        return value if value > CANCELLATION * self.yy else None

    def squared_error_slope(self, support: NDArray[np.int32], w_S: Vector) -> Vector:
        """Its derivatives in ``w_S``."""
        return np.asarray(2.0 * ((w_S @ self.G[support])[support] - self.c[support]))

    def solve_support(self, support: NDArray[np.int32], curvature: Curvature, b: Vector) -> Vector:
        """Solve ``(G_SS + curvature) v = b``; minimum norm when singular."""
        return solve_gram(quadratic.submatrix(self.G, support), curvature, b)


@dataclass(frozen=True, eq=False)
class Moments:
    """Weight, sum and cross products of the rows of ``[X, y] − shift``, additive over disjoint sets of rows."""

    weight: float
    total: Vector
    cross: Matrix
    shift: Vector

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.weight + other.weight, self.total + other.total, self.cross + other.cross, self.shift)

    @property
    def mean(self) -> Vector:
        """Means of the columns of X and, last, of y."""
        return self.shift + self.total / self.weight

    def about(self, center: Vector) -> NormalEquations:
        """The normal equations of the rows with ``center`` (columns of X and, last, y) taken off."""
        move = center - self.shift
        mean = self.total / self.weight
        second = self.cross / self.weight
        if np.any(move):
            half = np.outer(mean - 0.5 * move, move)
            second -= half + half.T
        diagonal = second.diagonal()
        constant = diagonal <= 1e-14 * (mean * mean + move * move)
        second[constant] = 0.0
        second[:, constant] = 0.0
        return NormalEquations(np.ascontiguousarray(second[:-1, :-1]), second[:-1, -1].copy(), float(second[-1, -1]))


def _moments(X: DenseStorage, y: Vector, weights: Vector, rows: NDArray[np.intp], shift: Vector) -> Moments:
    p = X.shape[1]
    sums = np.zeros((p + 2, p + 2))
    contiguous = rows.size > 0 and rows[-1] - rows[0] + 1 == rows.size
    block = np.empty((min(_BLOCK, rows.size), p + 2), order="C" if X.by_row else "F")
    for start in range(0, rows.size, _BLOCK):
        chosen = rows[start : start + _BLOCK]
        index = slice(chosen[0], chosen[-1] + 1) if contiguous else chosen
        Z = block[: chosen.size]
        np.subtract(X.X[index], shift[:-1], out=Z[:, :-2])
        np.subtract(y[index], shift[-1], out=Z[:, -2])
        Z[:, -1] = 1.0  # whose products are the sums
        w = weights[index]
        if w[0] != 1.0 or np.any(w != 1.0):
            Z *= np.sqrt(w)[:, None]
        sums += Z.T @ Z
    return Moments(float(sums[-1, -1]), sums[-1, :-1].copy(), sums[:-1, :-1].copy(), shift)


def shared_moments(
    X: DenseStorage, y: Vector, sample_weight: Vector, row_sets: Sequence[NDArray[np.bool_]], *, center: bool
) -> list[Moments] | None:
    """Moments of several sets of rows (masks) from one pass over X, or None when they overlap in too many ways.

    Sums are accumulated about a point near the means (no cancellation) if ``center``, about zero otherwise.
    """
    if len(row_sets) > 64:
        return None
    keys = np.zeros(X.shape[0], dtype=np.uint64)  # bit k: the row is in set k
    for k, rows in enumerate(row_sets):
        keys |= rows.astype(np.uint64) << np.uint64(k)
    signatures, group_of_row = np.unique(keys, return_inverse=True)
    if len(signatures) > _MAX_GROUPS:
        return None
    n, p = X.shape
    shift = np.zeros(p + 1)
    if center:
        some = slice(0, n, max(1, n // 256))
        shift[:-1] = X.X[some].mean(axis=0, dtype=np.float64)
        shift[-1] = y[some].mean()
    sums: list[Moments | None] = [None] * len(row_sets)
    for group, signature in enumerate(signatures):
        if signature:
            moments = _moments(X, y, sample_weight, np.flatnonzero(group_of_row == group), shift)
            for k in range(len(row_sets)):
                if int(signature) >> k & 1:
                    previous = sums[k]
                    sums[k] = moments if previous is None else previous + moments
    return [moments for moments in sums if moments is not None]

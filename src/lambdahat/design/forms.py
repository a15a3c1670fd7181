"""The objective restricted to a working set, as a solver wants it: sweeps, gradients, Newton systems, moves.

Three shapes of the same object: by the Gram matrix of the columns (small working sets of a dense X), by gathered dense
columns (large ones), by the sparse columns where they lie. ``w`` is the working set's coefficients, of shape (m,) or
(m, T) for T targets, and is updated in place; ``h = X̃ᵀ s∘r`` is minus the gradient of the data term. ``subset`` numbers
columns *within* the working set. Where the penalty is of blocks, each is a run of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lambdahat.kernels import block, csc, dense, quadratic
from lambdahat.linear import Curvature, Matrix, Vector, by_row, conjugate_gradient, rows_used, solve_gram

if TYPE_CHECKING:
    from lambdahat.design.design import Design
    from lambdahat.design.storage import Columns, SparseStorage

Subset = NDArray[np.intp]

Blocks = tuple[NDArray[np.intp], Vector]
"""Where blocks start, with the end of the last one; and what steps on each are divided by."""

# Newton directions by conjugate gradients are truncated: the next one starts from a better point.
MAX_PRODUCTS = 100

# Sweeps of blocks for one of entries, by the Gram matrix and by columns: many blocks turn round, Newton steps are dear.
_GRAM_SWEEPS, _COLUMN_SWEEPS = 8, 4


Terms = Any
"""A penalty restricted to the working set (``penalties.base``), whose strengths go to the kernels as they are."""


class QuadraticForm(Protocol):
    """What a solver may ask of the objective on a working set."""

    w: Matrix
    penalty: Terms
    curvature: Vector
    self_contained: bool  # can be solved to the end without looking at X again

    def weighted_residual(self) -> Matrix:
        """``q = s∘r`` on all rows."""

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        """Coordinate descent; returns the duality gap of the restricted problem, or ``inf`` where it is not known."""

    def gradient(self, subset: Subset) -> Matrix:
        """``h`` on a subset."""

    def solve(self, subset: Subset, b: Matrix, curvature: Curvature, atol: float) -> Matrix:
        """Solve ``(H + curvature) d = b`` on a subset, roughly."""

    def image(self, subset: Subset, d: Matrix) -> tuple[Any, float]:
        """What ``move`` needs of a direction, and its curvature ``dᵀHd``."""

    def move(self, subset: Subset, w_subset: Matrix, t: float, image: Any) -> None:
        """Set the subset's coefficients, reached by ``t`` times the direction of ``image``."""


@dataclass(frozen=True, eq=False)
class Working:
    """The columns of a working set; ``A = (√s X̃)ᵀ`` of them over the rows in use, where these are few."""

    design: Design
    columns: Columns
    y: Matrix
    A: Matrix | None = None

    def weighted_residual(self, w: Matrix) -> Matrix:
        used = rows_used(w)
        return self.design.weighted_residual(self.y, self.columns[used], w[used])


class GramForm:
    """By the Gram matrix ``G`` and ``c = X̃ᵀ s∘y``; ``working`` says of which columns, when there are others."""

    self_contained = True

    def __init__(
        self, G: Matrix, c: Matrix, yy: float, h: Matrix, w: Matrix, penalty: Terms, working: Working | None = None
    ) -> None:
        self.G, self.c, self.yy, self.working = G, c, yy, working
        self.w, self.h, self.penalty = w, h, penalty
        self.curvature = G.diagonal()

    @cached_property
    def _free(self) -> tuple[Subset, Matrix]:
        """Unpenalised columns, and the inverse of their block of ``G``."""
        free = np.flatnonzero(self.penalty.free & (self.curvature > 0.0))
        return free, np.asarray(np.linalg.pinv(self.G[free[:, None], free], hermitian=True), dtype=np.float64)

    @cached_property
    def _blocks(self) -> Blocks:
        return block_divisors(self.G, self.penalty.labels)

    def weighted_residual(self) -> Matrix:
        assert self.working is not None
        return self.working.weighted_residual(self.w)

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        penalty, problem = self.penalty, (self.G, self.c, self.yy)
        if penalty.labels is None:
            entries = (penalty.l1, penalty.l2, penalty.positive, *self._free)
            return float(quadratic.descend(*problem, *entries, self.w, self.h, n_sweeps, gap_target)[0])
        terms = (*self._blocks, penalty.norms, penalty.l2, penalty.l1)
        c, w, h = (_two_dimensional(array) for array in (self.c, self.w, self.h))
        arguments = (self.G, c, self.yy, *terms, w, h, _GRAM_SWEEPS * n_sweeps, gap_target)
        return float(block.descend(*arguments)[0])

    def gradient(self, subset: Subset) -> Matrix:
        return self.h[subset]

    def solve(self, subset: Subset, b: Matrix, curvature: Curvature, atol: float) -> Matrix:
        return solve_gram(quadratic.submatrix(self.G, subset), curvature, b, atol=atol)

    def image(self, subset: Subset, d: Matrix) -> tuple[Matrix, float]:
        image = self.G[subset].T @ d
        return image, float(np.vdot(image[subset], d))

    def move(self, subset: Subset, w_subset: Matrix, t: float, image: Matrix) -> None:
        self.w[subset] = w_subset
        self.h -= t * image


class DenseForm:
    """By the gathered columns ``A = (√s X̃)ᵀ`` and the residual ``√s r``."""

    self_contained = False

    def __init__(self, working: Working, A: Matrix, w: Matrix, penalty: Terms) -> None:
        self.working, self.A = working, A
        self.w, self.penalty = w, penalty
        self.curvature = np.einsum("ij,ij->i", A, A)
        A[self.curvature <= 1e-28 * working.design.means[working.columns] ** 2] = 0.0  # constant
        design = working.design
        self.residual = by_row(design.root_weights, working.y[design.rows]) - self.A.T @ w

    @cached_property
    def _blocks(self) -> Blocks:
        starts = block_starts(self.penalty.labels)
        return starts, _divisors_of(lambda rows: _grams(self.A[rows]), starts, self.curvature)

    def weighted_residual(self) -> Matrix:
        return self.working.weighted_residual(self.w)

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        penalty = self.penalty
        if penalty.labels is None:
            entries = (penalty.l1, penalty.l2, penalty.positive)
            dense.sweep(self.A, self.curvature, *entries, self.w, self.residual, n_sweeps)
        else:
            terms = (*self._blocks, penalty.norms, penalty.l2, penalty.l1)
            state = (_two_dimensional(self.w), _two_dimensional(self.residual))
            block.sweep_dense(*(self.A, *terms, *state, _COLUMN_SWEEPS * n_sweeps))
        return np.inf

    def gradient(self, subset: Subset) -> Matrix:
        return np.asarray((self.A @ self.residual)[subset])

    def solve(self, subset: Subset, b: Matrix, curvature: Curvature, atol: float) -> Matrix:
        full = np.zeros_like(self.w)

        def product(v: Matrix) -> Matrix:
            full[subset] = v
            return np.asarray((self.A @ (self.A.T @ full))[subset] + curvature @ v)

        inverse = curvature.inverse_after(self.curvature[subset])
        return conjugate_gradient(product, inverse, b, atol=atol, max_iter=MAX_PRODUCTS)[0]

    def image(self, subset: Subset, d: Matrix) -> tuple[Matrix, float]:
        full = np.zeros_like(self.w)
        full[subset] = d
        image = self.A.T @ full
        return image, float(np.vdot(image, image))

    def move(self, subset: Subset, w_subset: Matrix, t: float, image: Matrix) -> None:
        self.w[subset] = w_subset
        self.residual -= t * image


class SparseForm:
    """By the sparse columns where they lie and the weighted residual ``q = s∘r``, updated in place."""

    self_contained = False

    def __init__(
        self, storage: SparseStorage, design: Design, columns: Columns, q: Matrix, curvature: Vector, w: Matrix,
        penalty: Terms,
    ) -> None:  # fmt: skip
        self.storage, self.design, self.columns, self.q = storage, design, columns, q
        self.w, self.penalty = w, penalty
        self.means = design.means[columns]
        self.curvature = curvature

    @cached_property
    def _divisors(self) -> Vector:
        """Those of each block, one a column."""
        starts = block_starts(self.penalty.labels)
        out = np.empty(starts.size - 1)
        problem = (*self.storage.arrays, self.columns, self.design.weights, self.means)
        block.divisors_csc(*problem, starts, self.curvature, out)
        return np.repeat(out, np.diff(starts))

    def weighted_residual(self) -> Matrix:
        return self.q

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        self._sweep(np.arange(len(self.w)), 1)
        used = self.penalty.whole_blocks(rows_used(self.w))  # mostly, what is zero after one sweep stays so
        self._sweep(used, n_sweeps - 1)
        return np.inf

    def _sweep(self, subset: Subset, n_sweeps: int) -> None:
        w, penalty, means = self.w[subset], self.penalty.restricted(subset), self.means[subset]
        problem = (*self.storage.arrays, self.columns[subset], self.design.weights, means)
        if penalty.labels is None:
            entries = (self.curvature[subset], penalty.l1, penalty.l2, penalty.positive)
            csc.sweep(*problem, *entries, w, self.q, n_sweeps)
        else:
            starts = block_starts(penalty.labels)
            terms = (starts, self._divisors[subset][starts[:-1]], penalty.norms, penalty.l2, penalty.l1)
            block.sweep_csc(*(*problem, *terms, _two_dimensional(w), _two_dimensional(self.q), n_sweeps))
        self.w[subset] = w

    def gradient(self, subset: Subset) -> Matrix:
        product = self.storage.rmatvec_columns(self.columns[subset], self.q)
        return np.asarray(product - np.multiply.outer(self.means[subset], self.q.sum(axis=0)))

    def _product(self, columns: Columns, means: Vector, d: Matrix) -> Matrix:
        """``X̃d``."""
        image = self.storage.matvec_columns(columns, d)
        image -= means @ d
        return image

    def solve(self, subset: Subset, b: Matrix, curvature: Curvature, atol: float) -> Matrix:
        columns, means = self.columns[subset], self.means[subset]

        def product(v: Matrix) -> Matrix:  # s∘X̃v sums to zero, so its gradient needs no centring
            weighted = by_row(self.design.weights, self._product(columns, means, v))
            return self.storage.rmatvec_columns(columns, weighted) + curvature @ v

        inverse = curvature.inverse_after(self.curvature[subset])
        return conjugate_gradient(product, inverse, b, atol=atol, max_iter=MAX_PRODUCTS)[0]

    def image(self, subset: Subset, d: Matrix) -> tuple[Matrix, float]:
        columns, means = self.columns[subset], self.means[subset]
        product = self._product(columns, means, d)
        image = by_row(self.design.weights, product)
        return image, float(np.vdot(product, image))

    def move(self, subset: Subset, w_subset: Matrix, t: float, image: Matrix) -> None:
        self.w[subset] = w_subset
        self.q -= t * image


def block_starts(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where the runs of one label start, and where the last one ends."""
    return np.flatnonzero(np.diff(labels, prepend=-1, append=-1)) if labels.size else np.zeros(1, dtype=np.intp)


def block_divisors(G: Matrix, labels: NDArray[np.intp]) -> Blocks:
    """Where blocks start, and what steps on each are divided by."""
    starts = block_starts(labels)

    def grams(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray(G[rows[:, :, None], rows[:, None, :]])

    return starts, _divisors_of(grams, starts, G.diagonal())


def _divisors_of(
    grams: Callable[[NDArray[np.intp]], NDArray[np.float64]], starts: NDArray[np.intp], variances: Vector
) -> Vector:
    """What steps on each block are divided by; blocks of one size together.

    ``grams`` maps the rows of k blocks, of shape (k, size), to their matrices, of shape (k, size, size).
    """
    if len(starts) - 1 == len(variances):  # each row is a block
        return variances.copy()
    sizes, out = np.diff(starts), variances[starts[:-1]].copy()
    for size in np.unique(sizes[sizes > 1]):
        alike = np.flatnonzero(sizes == size)
        rows = starts[alike][:, None] + np.arange(size)
        out[alike] = block.divisors_of(np.linalg.eigvalsh(grams(rows)))
    return out


def _grams(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """``A Aᵀ`` of each of k matrices."""
    return A @ A.transpose(0, 2, 1)


def _two_dimensional(array: Matrix) -> Matrix:
    """A view with one column where the array is a vector."""
    return array[:, None] if array.ndim == 1 else array

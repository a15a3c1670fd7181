"""The objective restricted to a working set, as a solver wants it: sweeps, gradients, Newton systems, moves.

Three shapes of the same object: by the Gram matrix of the columns (small working sets of a dense X), by gathered dense
columns (large ones), by the sparse columns where they lie. ``w`` is the working set's coefficients and is updated in
place; ``h = X̃ᵀ s∘r`` is minus the gradient of the data term. ``subset`` numbers columns *within* the working set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lambdahat.kernels import csc, dense, quadratic
from lambdahat.linear import Matrix, Vector, conjugate_gradient, solve_dense

if TYPE_CHECKING:
    from lambdahat.design.design import Design
    from lambdahat.design.storage import Columns, SparseStorage

Subset = NDArray[np.intp]

# Newton directions by conjugate gradients are truncated: the next one starts from a better point.
MAX_PRODUCTS = 100


class QuadraticForm(Protocol):
    """What a solver may ask of the objective on a working set."""

    w: Vector
    l1: Vector
    l2: Vector
    positive: bool
    curvature: Vector
    self_contained: bool  # can be solved to the end without looking at X again

    def weighted_residual(self) -> Vector:
        """``q = s∘r`` on all rows."""

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        """Coordinate descent; returns the duality gap of the restricted problem, or ``inf`` where it is not known."""

    def gradient(self, subset: Subset) -> Vector:
        """``h`` on a subset."""

    def solve(self, subset: Subset, b: Vector, ridge: Vector, atol: float) -> Vector:
        """Solve ``(H + diag(ridge)) d = b`` on a subset, roughly."""

    def image(self, subset: Subset, d: Vector) -> tuple[Any, float]:
        """What ``move`` needs of a direction, and its curvature ``dᵀHd``."""

    def move(self, subset: Subset, w_subset: Vector, t: float, image: Any) -> None:
        """Set the subset's coefficients, reached by ``t`` times the direction of ``image``."""


@dataclass(frozen=True, eq=False)
class Working:
    """The columns of a working set; ``A = (√s X̃)ᵀ`` of them over the rows in use, where these are few."""

    design: Design
    columns: Columns
    y: Vector
    A: Matrix | None = None

    def weighted_residual(self, w: Vector) -> Vector:
        used = np.flatnonzero(w)
        return self.design.weighted_residual(self.y, self.columns[used], w[used])


class GramForm:
    """By the Gram matrix ``G`` and ``c = X̃ᵀ s∘y``; ``working`` says of which columns, when there are others."""

    self_contained = True

    def __init__(
        self, G: Matrix, c: Vector, yy: float, h: Vector, w: Vector, l1: Vector, l2: Vector, positive: bool,
        working: Working | None = None,
    ) -> None:  # fmt: skip
        self.G, self.c, self.yy, self.working = G, c, yy, working
        self.w, self.l1, self.l2, self.positive = w, l1, l2, positive
        self.curvature = G.diagonal()
        self.h = h
        self.free = np.flatnonzero((l1 == 0.0) & (l2 == 0.0) & (self.curvature > 0.0))
        self.free_inverse = np.linalg.pinv(G[self.free[:, None], self.free], hermitian=True)

    def weighted_residual(self) -> Vector:
        assert self.working is not None
        return self.working.weighted_residual(self.w)

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        gap, _ = quadratic.descend(
            self.G, self.c, self.yy, self.l1, self.l2, self.positive, self.free, self.free_inverse, self.w, self.h,
            n_sweeps, gap_target,
        )  # fmt: skip
        return float(gap)

    def gradient(self, subset: Subset) -> Vector:
        return self.h[subset]

    def solve(self, subset: Subset, b: Vector, ridge: Vector, atol: float) -> Vector:
        return solve_dense(quadratic.submatrix(self.G, subset, ridge), b)

    def image(self, subset: Subset, d: Vector) -> tuple[Vector, float]:
        image = d @ self.G[subset]
        return image, float(image[subset] @ d)

    def move(self, subset: Subset, w_subset: Vector, t: float, image: Vector) -> None:
        self.w[subset] = w_subset
        self.h -= t * image


class DenseForm:
    """By the gathered columns ``A = (√s X̃)ᵀ`` and the residual ``√s r``."""

    self_contained = False

    def __init__(self, working: Working, A: Matrix, w: Vector, l1: Vector, l2: Vector, positive: bool) -> None:
        self.working, self.A = working, A
        self.w, self.l1, self.l2, self.positive = w, l1, l2, positive
        self.curvature = np.einsum("ij,ij->i", A, A)
        A[self.curvature <= 1e-28 * working.design.means[working.columns] ** 2] = 0.0  # constant
        design = working.design
        self.residual = design.root_weights * working.y[design.rows] - w @ A

    def weighted_residual(self) -> Vector:
        return self.working.weighted_residual(self.w)

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        dense.sweep(self.A, self.curvature, self.l1, self.l2, self.positive, self.w, self.residual, n_sweeps)
        return np.inf

    def gradient(self, subset: Subset) -> Vector:
        return np.asarray((self.A @ self.residual)[subset])

    def solve(self, subset: Subset, b: Vector, ridge: Vector, atol: float) -> Vector:
        full = np.zeros(self.A.shape[0])

        def product(v: Vector) -> Vector:
            full[subset] = v
            return np.asarray((self.A @ (full @ self.A))[subset] + ridge * v)

        diagonal = self.curvature[subset] + ridge
        return conjugate_gradient(product, diagonal, b, atol=atol, max_iter=MAX_PRODUCTS)[0]

    def image(self, subset: Subset, d: Vector) -> tuple[Vector, float]:
        full = np.zeros(self.A.shape[0])
        full[subset] = d
        image = full @ self.A
        return image, float(image @ image)

    def move(self, subset: Subset, w_subset: Vector, t: float, image: Vector) -> None:
        self.w[subset] = w_subset
        self.residual -= t * image


class SparseForm:
    """By the sparse columns where they lie and the weighted residual ``q = s∘r``, updated in place."""

    self_contained = False

    def __init__(
        self, storage: SparseStorage, design: Design, columns: Columns, q: Vector, curvature: Vector, w: Vector,
        l1: Vector, l2: Vector, positive: bool,
    ) -> None:  # fmt: skip
        self.storage, self.design, self.columns, self.q = storage, design, columns, q
        self.w, self.l1, self.l2, self.positive = w, l1, l2, positive
        self.means = design.means[columns]
        self.curvature = curvature

    def weighted_residual(self) -> Vector:
        return self.q

    def sweep(self, n_sweeps: int, gap_target: float) -> float:
        self._sweep(np.arange(self.w.size), 1)
        self._sweep(np.flatnonzero(self.w), n_sweeps - 1)  # mostly, what is zero after one sweep stays so
        return np.inf

    def _sweep(self, subset: Subset, n_sweeps: int) -> None:
        w = self.w[subset]
        csc.sweep(
            *self.storage.arrays, self.columns[subset], self.design.weights, self.means[subset],
            self.curvature[subset], self.l1[subset], self.l2[subset], self.positive, w, self.q, n_sweeps,
        )  # fmt: skip
        self.w[subset] = w

    def gradient(self, subset: Subset) -> Vector:
        return self.storage.rmatvec_columns(self.columns[subset], self.q) - self.means[subset] * float(self.q.sum())

    def _product(self, columns: Columns, means: Vector, d: Vector) -> Vector:
        """``s∘X̃d``."""
        image = self.storage.matvec_columns(columns, d)
        image -= means @ d
        image *= self.design.weights
        return image

    def solve(self, subset: Subset, b: Vector, ridge: Vector, atol: float) -> Vector:
        columns, means = self.columns[subset], self.means[subset]

        def product(v: Vector) -> Vector:  # s∘X̃v sums to zero, so its gradient needs no centring
            return self.storage.rmatvec_columns(columns, self._product(columns, means, v)) + ridge * v

        diagonal = self.curvature[subset] + ridge
        return conjugate_gradient(product, diagonal, b, atol=atol, max_iter=MAX_PRODUCTS)[0]

    def image(self, subset: Subset, d: Vector) -> tuple[Vector, float]:
        columns, means = self.columns[subset], self.means[subset]
        image = self._product(columns, means, d)
        return image, self.design.squared_norm(image)

    def move(self, subset: Subset, w_subset: Vector, t: float, image: Vector) -> None:
        self.w[subset] = w_subset
        self.q -= t * image

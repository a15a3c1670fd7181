"""What everything else is built on: rows of coefficients, and two ways to solve a symmetric positive system.

Coefficients are an array ``w`` of shape (p,), or (p, T) where there are T targets: a coefficient is then a row. What is
said of one number per column holds for one row per column, and is written once with the two functions below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg import lapack

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_PIECE = 64  # of matrices that are mirrored
_FLAT = 1e-12  # what is left of a block along its coefficients, over its curvature across them, to be told from none


def rows_used(w: Matrix) -> NDArray[np.int32]:
    """The rows (entries) of ``w`` that are not zero."""
    return np.flatnonzero(w if w.ndim == 1 else w.any(axis=1)).astype(np.int32)


Inverse = Callable[[Matrix], Matrix]
"""``v ↦ M⁻¹v`` of a symmetric positive matrix."""


def by_row(factors: Vector, w: Matrix) -> Matrix:
    """Each row (entry) of ``w`` times a factor of its own."""
    return factors * w if w.ndim == 1 else factors[:, None] * w


def inverse_of_diagonal(diagonal: Matrix) -> Inverse:
    """Of a diagonal shaped as the coefficients, or with one entry a row; zero where that is not positive."""
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)
    return lambda v: inverse * v if inverse.ndim == v.ndim else by_row(inverse, v)


@dataclass(frozen=True, eq=False)
class Curvature:
    """The Hessian of a penalty on some rows of coefficients: ``diag(diagonal) − Σ_b U_b U_bᵀ``.

    Attributes
    ----------
    diagonal : array of shape (m,)
        The same for all entries of a row.
    U : array shaped as the coefficients, optional
        A norm is flat along its coefficients, which the blocks of ``U`` are multiples of.
    labels : array of shape (m,), optional
        The block of each row.
    """

    diagonal: Vector
    U: Matrix | None = None
    labels: NDArray[np.intp] | None = None

    def plus(self, diagonal: Vector) -> Curvature:
        return replace(self, diagonal=self.diagonal + diagonal)

    def __matmul__(self, v: Matrix) -> Matrix:
        out = by_row(self.diagonal, v)
        if self.U is not None and self.labels is not None:
            out -= by_row(self._along(self.U, v)[self.labels], self.U)
        return out

    def inverse_after(self, variances: Matrix) -> Inverse:
        """The inverse of ``diag(variances)`` and this together; zero for entries that have neither.

        ``variances`` are shaped as the coefficients or have one entry a row. By the formula of Sherman and Morrison, a
        block at a time.
        """
        total = self.diagonal.reshape(self.diagonal.shape + (1,) * (variances.ndim - 1)) + variances
        plain = inverse_of_diagonal(total)
        if self.U is None or self.labels is None:
            return plain
        image = plain(self.U)
        left = 1.0 - self._along(image, self.U)
        scale = np.divide(1.0, left, out=np.zeros_like(left), where=left > _FLAT)

        def inverse(v: Matrix) -> Matrix:
            return plain(v) + by_row((scale * self._along(image, v))[self.labels], image)

        return inverse

    def _along(self, U: Matrix, v: Matrix) -> Vector:
        """``⟨U_b, v_b⟩`` of each block."""
        assert self.labels is not None
        products = U * v
        along = np.bincount(self.labels, products if v.ndim == 1 else products.sum(axis=1))
        return along.astype(np.float64, copy=False)

    def add_to(self, G: Matrix) -> None:
        """Add this to a matrix over coefficients of one target, in place."""
        G[np.diag_indices_from(G)] += self.diagonal
        if self.U is not None and self.labels is not None:
            U = self.U.reshape(self.diagonal.size)
            G -= np.where(self.labels[:, None] == self.labels, np.outer(U, U), 0.0)


def solve_dense(A: Matrix, b: Matrix) -> Matrix:
    """Solve ``A x = b`` for symmetric positive semi-definite ``A``; the minimum-norm solution when it is singular.

    ``A`` is overwritten.
    """
    if b.size == 0:
        return np.zeros_like(b)
    factor = _cholesky(A)
    if factor is not None:
        return np.asarray(lapack.dpotrs(factor, b, lower=0)[0])
    values, basis = _range(A)
    return np.asarray(basis @ by_row(1.0 / values, basis.T @ b))


def pseudo_inverse(A: Matrix) -> Matrix:
    """The pseudo-inverse of a symmetric positive semi-definite matrix, which is overwritten."""
    if len(A) == 0:
        return np.zeros_like(A)
    factor = _cholesky(A)
    if factor is not None:
        return _mirrored(lapack.dpotri(factor, lower=0, overwrite_c=1)[0].T)
    values, basis = _range(A)
    root = basis / np.sqrt(values)
    return np.asarray(root @ root.T)


def _cholesky(A: Matrix) -> Matrix | None:
    """The upper factor in place, or where ``A`` is singular None: then it stays as it is."""
    diagonal = A.diagonal().copy()
    factor, info = lapack.dpotrf(A.T, lower=0, clean=0, overwrite_a=1)
    pivots = factor.diagonal()
    if info == 0 and np.min(diagonal) > 0.0 and np.min(pivots * pivots / diagonal) > 64.0 * len(A) * _EPS:
        return np.asarray(factor)
    A[:] = np.tril(A.T, -1)  # the triangle that LAPACK left alone
    A += A.T
    np.fill_diagonal(A, diagonal)
    return None


def _range(A: Matrix) -> tuple[Vector, Matrix]:
    """Eigenvalues that are not zero, and eigenvectors."""
    values, vectors = scipy.linalg.eigh(A)
    kept = values > max(0.0, len(A) * _EPS * values[-1])
    return values[kept], vectors[:, kept]


def _mirrored(A: Matrix) -> Matrix:
    """Its lower triangle written over its upper one, a piece that stays in cache at a time."""
    for start in range(0, len(A), _PIECE):
        end = start + _PIECE
        corner, below = A[start:end, start:end], A[end:, start:end]
        corner[:] = np.tril(corner) + np.tril(corner, -1).T
        A[start:end, end:] = below.T
    return A


def conjugate_gradient(
    product: Callable[[Matrix], Matrix],
    inverse: Inverse,
    b: Matrix,
    *,
    atol: float,
    max_iter: int,
    guess: Matrix | None = None,
) -> tuple[Matrix, int]:
    """Solve ``A x = b`` by conjugate gradients, preconditioned by the inverse of a matrix M near ``A``.

    ``x`` and ``b`` may have any shape. Differs from :func:`scipy.sparse.linalg.cg` in its stopping rule,
    ``‖b − A x‖_∞ ≤ atol``: the largest entry is what the optimality conditions and the duality gap see. Stops early
    where ``A`` is numerically singular along the search direction, so that consistent singular systems get their
    minimum-norm solution (in the metric of M).

    Returns the solution and the number of products.
    """
    x = np.zeros_like(b) if guess is None else guess.copy()
    residual = b.copy() if guess is None else b - product(x)
    direction, metric = inverse(residual), residual.copy()  # metric is M times the direction
    decrease = float(np.vdot(residual, direction))
    for iteration in range(max_iter):
        if float(np.max(np.abs(residual), initial=0.0)) <= atol or decrease == 0.0:  # what is left has no curvature
            return x, iteration
        image = product(direction)
        curvature = float(np.vdot(direction, image))
        if curvature <= _EPS * float(np.vdot(direction, metric)):
            return x, iteration
        step = decrease / curvature
        x += step * direction
        residual -= step * image
        preconditioned = inverse(residual)
        previous, decrease = decrease, float(np.vdot(residual, preconditioned))
        for kept, new in ((direction, preconditioned), (metric, residual)):
            kept *= decrease / previous
            kept += new
    return x, max_iter


def solve_gram(G: Matrix, curvature: Curvature, b: Matrix, *, atol: float = 0.0, guess: Matrix | None = None) -> Matrix:
    """Solve ``(G + curvature) v = b``, with the same ``G``, which is overwritten, for all targets.

    With one target, or where these are not coupled, by :func:`solve_dense`; else by conjugate gradients.
    """
    if curvature.U is None or b.size == len(G):
        curvature.add_to(G)
        return solve_dense(G, b)

    def product(v: Matrix) -> Matrix:
        return G @ v + curvature @ v

    inverse = curvature.inverse_after(G.diagonal().copy())
    return conjugate_gradient(product, inverse, b, atol=atol, max_iter=2 * b.size + 100, guess=guess)[0]

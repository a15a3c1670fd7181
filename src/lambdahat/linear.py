"""The two ways to solve a symmetric positive system: a Cholesky factor, or preconditioned conjugate gradients."""

from collections.abc import Callable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg import lapack

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)


def solve_dense(A: Matrix, b: Vector) -> Vector:
    """Solve ``A x = b`` for symmetric positive semi-definite ``A``; the minimum-norm solution when it is singular.

    ``A`` is overwritten.
    """
    if b.size == 0:
        return np.zeros(0)
    diagonal = A.diagonal().copy()
    largest = float(diagonal.max())
    if largest <= 0.0:
        return np.zeros_like(b)
    factor, info = lapack.dpotrf(A.T, lower=0, clean=0, overwrite_a=1)
    pivots = factor.diagonal()
    if info == 0 and float(np.min(pivots * pivots / diagonal)) > 64.0 * b.size * _EPS:
        x, _ = lapack.dpotrs(factor, b, lower=0)
        return np.asarray(x)
    original = np.tril(A.T, -1)  # the triangle that LAPACK left alone
    original += original.T
    np.fill_diagonal(original, diagonal)
    values, vectors = scipy.linalg.eigh(original)
    kept = values > b.size * _EPS * values[-1]
    basis = vectors[:, kept]
    return np.asarray(basis @ ((basis.T @ b) / values[kept]))


def conjugate_gradient(
    product: Callable[[Vector], Vector],
    diagonal: Vector,
    b: Vector,
    *,
    atol: float,
    max_iter: int,
    guess: Vector | None = None,
) -> tuple[Vector, int]:
    """Solve ``A x = b`` by conjugate gradients, preconditioned by the diagonal of ``A``.

    Differs from :func:`scipy.sparse.linalg.cg` in its stopping rule, ``‖b − A x‖_∞ ≤ atol``: the largest entry is what
    the optimality conditions and the duality gap see. Stops early where ``A`` is numerically singular along the search
    direction, so that consistent singular systems get their minimum-norm solution (in the metric of the diagonal).

    Returns the solution and the number of products.
    """
    x = np.zeros_like(b) if guess is None else guess.copy()
    residual = b.copy() if guess is None else b - product(x)
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)
    direction = inverse * residual
    decrease = float(residual @ direction)
    for iteration in range(max_iter):
        if float(np.max(np.abs(residual), initial=0.0)) <= atol or decrease == 0.0:  # what is left has no curvature
            return x, iteration
        image = product(direction)
        curvature = float(direction @ image)
        if curvature <= _EPS * float(direction @ (diagonal * direction)):
            return x, iteration
        step = decrease / curvature
        x += step * direction
        residual -= step * image
        preconditioned = inverse * residual
        previous, decrease = decrease, float(residual @ preconditioned)
        direction *= decrease / previous
        direction += preconditioned
    return x, max_iter

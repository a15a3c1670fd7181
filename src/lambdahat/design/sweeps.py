"""Columns as the kernels that differentiate coordinate descent take them, and those that solve for a Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.design.storage import Columns, SparseStorage
from lambdahat.kernels import csc, dense, differentiation, differentiation_csc
from lambdahat.linear import Curvature, Matrix, Vector, solve_dense

if TYPE_CHECKING:
    from lambdahat.design.design import Design

_BETWEEN = 2  # sweeps between two iterates that are extrapolated


@dataclass(frozen=True, eq=False)
class Sweeps:
    """Some columns with their rows, and the kernels that suit their storage.

    Attributes
    ----------
    columns : array of column numbers
    means : array
        What is taken off these columns.
    variances : array
        ``Σ s_i (x_ij − means_j)²``.
    kernels : module
    arrays : tuple
        What the kernels begin with: the matrix, the target, the weights.
    """

    columns: Columns
    means: Vector
    variances: Vector
    kernels: Any
    arrays: tuple[Any, ...]

    @classmethod
    def of(cls, design: Design, columns: Columns, y: Vector, *, has_offset: bool) -> Sweeps:
        """Dense columns are gathered, centred, over the rows in use; sparse ones stay where they lie.

        With a free offset sparse columns are not centred: the offset does it, and a coefficient moves stored rows only.
        """
        means, weights, storage = design.means[columns], design.weights, design.storage
        if isinstance(storage, SparseStorage):
            means = np.zeros(columns.size) if has_offset else means
            variances = storage.variances(columns, weights, means)
            matrix = (*storage.arrays, columns, means)
            return cls(columns, means, variances, differentiation_csc, (*matrix, y, weights))
        rows = design.rows
        A = storage.gather(columns, rows, np.ones(rows.size), means)
        return cls(columns, means, (A * A) @ weights[rows], differentiation, (A, y[rows], weights[rows]))

    def forward(self, *formula: Any, w: Vector, J: Matrix) -> None:
        """One sweep with its derivatives, in place."""
        self.kernels.forward(*self.arrays, *formula, w, J)

    def backward(self, *formula: Any, before: Vector, after: Vector, adjoint: Vector, gradient: Vector) -> None:
        """The transpose of one sweep, in place."""
        self.kernels.backward(*self.arrays, *formula, before, after, adjoint, gradient)


def _root(G: Matrix) -> Matrix | None:
    """A square matrix whose rows have the products ``G`` with each other; None where ``G`` is singular."""
    try:
        return np.asarray(np.linalg.cholesky(G), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None


class LinearSweeps:
    """Coordinate descent on ``(X̃_SᵀSX̃_S + curvature) V[k] = rhs[k]``, for several right-hand sides.

    Columns should vary. Where the curvature couples coefficients (``−UUᵀ`` in each block), the coupled part is that of
    the iterate before: the splitting is of a positive system and converges. Every few sweeps the iterates are
    extrapolated (Bertrand and Massias, *Anderson acceleration of coordinate descent*, AISTATS 2021), where that lowers
    the quadratic whose minimiser is sought.
    """

    def __init__(self, design: Design, columns: Columns, curvature: Curvature, rhs: NDArray[np.float64]) -> None:
        self._curvature, self._given = curvature, rhs
        self._targets = rhs.shape[2:]  # each is a system of its own, but for the coupling
        self._rhs = self._by_system(rhs)
        self.V = np.zeros_like(self._rhs)
        storage, self._ridge = design.storage, curvature.diagonal
        self.variances = design.variances(columns)
        self._kernel: Any = csc.linear_sweep
        self._matrix: tuple[Any, ...]
        root = _root(design.support_gram(columns)) if design.has_small_gram(columns) else None
        if root is not None:
            self._kernel, self._matrix = dense.linear_sweep, (root,)
            self._residual, self._metric = np.zeros_like(self.V), np.ones(columns.size)
        elif isinstance(storage, SparseStorage):
            self._matrix = (*storage.arrays, columns, design.weights, design.means[columns])
            self._residual, self._metric = np.zeros((len(self.V), design.shape[0])), design.inverse_weights
        else:
            self._kernel, self._matrix = dense.linear_sweep, (design.gather(columns),)
            self._residual, self._metric = np.zeros((len(self.V), design.rows.size)), np.ones(design.rows.size)

    def _by_system(self, rhs: NDArray[np.float64]) -> Matrix:
        """One row for each right-hand side and target."""
        return np.ascontiguousarray(np.moveaxis(rhs, 1, -1)).reshape(-1, rhs.shape[1])

    @property
    def solutions(self) -> NDArray[np.float64]:
        """Shaped as the right-hand sides."""
        return np.moveaxis(self.V.reshape(len(self._given), *self._targets, -1), -1, 1)

    def run(self, n_sweeps: int) -> None:
        """Sweeps over all columns; ``V`` changes in place."""
        if self._curvature.U is not None:
            diagonal = Curvature(self._ridge)
            coupled = np.stack([diagonal @ V - self._curvature @ V for V in self.solutions])
            self._rhs = self._by_system(self._given + coupled)
        done, iterates, residuals = 0, [self.V.copy()], []
        while done < n_sweeps:
            now = min(_BETWEEN, n_sweeps - done)
            self._kernel(*self._matrix, self.variances, self._ridge, self._rhs, self.V, self._residual, now)
            done += now
            iterates.append(self.V.copy())
            residuals.append(self._residual.copy())
        for k in range(len(self.V)):
            self._extrapolate(k, np.stack([V[k] for V in iterates]), np.stack([R[k] for R in residuals]))

    def _extrapolate(self, k: int, iterates: Matrix, residuals: Matrix) -> None:
        moves = np.diff(iterates, axis=0) * np.sqrt(self.variances)
        shares = solve_dense(moves @ moves.T, np.ones(len(moves)))
        if shares.sum() == 0.0:
            return
        shares /= shares.sum()
        v, residual = shares @ iterates[1:], shares @ residuals
        if self._quadratic(k, v, residual) < self._quadratic(k, self.V[k], self._residual[k]):
            self.V[k], self._residual[k] = v, residual

    def _quadratic(self, k: int, v: Vector, residual: Vector) -> float:
        curvature = float(residual @ (self._metric * residual)) + float(self._ridge @ (v * v))
        return 0.5 * curvature - float(self._rhs[k] @ v)

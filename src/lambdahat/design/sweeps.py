"""Columns as the kernels that differentiate coordinate descent take them, and those that solve for a Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdahat.design.storage import Columns, SparseStorage
from lambdahat.kernels import csc, dense, differentiation, differentiation_csc
from lambdahat.linear import Matrix, Vector

if TYPE_CHECKING:
    from lambdahat.design.design import Design


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


class LinearSweeps:
    """Coordinate descent on ``(X̃_SᵀSX̃_S + diag(ridge)) V[k] = rhs[k]``, for several right-hand sides.

    Columns should vary.
    """

    def __init__(self, design: Design, columns: Columns, ridge: Vector, rhs: Matrix) -> None:
        self.V = np.zeros_like(rhs)
        storage, self._rhs, self._ridge = design.storage, rhs, ridge
        self.variances = design.variances(columns)
        self._kernel: Any = csc.linear_sweep
        if isinstance(storage, SparseStorage):
            self._matrix: tuple[Any, ...] = (*storage.arrays, columns, design.weights, design.means[columns])
            self._residual = np.zeros((len(rhs), design.shape[0]))
        else:
            self._kernel, self._matrix = dense.linear_sweep, (design.gather(columns),)
            self._residual = np.zeros((len(rhs), design.rows.size))

    def run(self, n_sweeps: int) -> None:
        """Sweeps over all columns; ``V`` changes in place."""
        self._kernel(*self._matrix, self.variances, self._ridge, self._rhs, self.V, self._residual, n_sweeps)

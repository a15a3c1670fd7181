"""X as it lies in memory, dense or CSC, and the passes over it. Nothing here centres or scales.

Both classes answer to the same calls; ``columns`` is always an int32 array of column numbers. Vectors over the rows
have shape (n,), or (n, T) for T targets, and then so have vectors over the columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from lambdahat.kernels import block, csc, dense
from lambdahat.linear import Matrix, Vector

Columns = NDArray[np.int32]

_BLOCK = 2048  # rows gathered at a time


@dataclass(frozen=True, eq=False)
class DenseStorage:
    """A dense matrix of float64 or float32, in C order (``by_row``) or F order."""

    X: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        return self.X.shape[0], self.X.shape[1]

    @property
    def nbytes(self) -> int:
        return int(self.X.nbytes)

    @property
    def n_stored(self) -> int:
        return int(self.X.size)

    @cached_property
    def largest(self) -> Vector:
        """The largest absolute value in each column."""
        return np.asarray(np.maximum(self.X.max(axis=0), -self.X.min(axis=0)), dtype=np.float64)

    @property
    def by_row(self) -> bool:
        return bool(self.X.flags.c_contiguous)

    def rmatvec(self, q: Matrix) -> Matrix:
        """``Xᵀq``."""
        if self.X.dtype == np.float64:
            return np.asarray(self.X.T @ q)
        return self.rmatvec_columns(np.arange(self.shape[1], dtype=np.int32), q)

    def rmatvec_many(self, qs: Sequence[Vector] | Matrix) -> Matrix:
        """``Xᵀq`` of k vectors, a row for each, by one pass over X."""
        if self.X.dtype == np.float64:
            return np.asarray(np.asarray(qs) @ self.X)
        return np.stack([self.rmatvec(q) for q in qs])

    def _blocks(self, columns: Columns) -> Iterator[tuple[slice, Matrix]]:
        """Some columns, in double precision, block by block of rows: for products with matrices, which BLAS does."""
        for start in range(0, self.shape[0], _BLOCK):
            block = slice(start, start + _BLOCK)
            yield block, self.X[block, columns].astype(np.float64, copy=False)

    def rmatvec_columns(self, columns: Columns, q: Matrix) -> Matrix:
        if q.ndim == 2:
            return np.asarray(sum(X.T @ q[block] for block, X in self._blocks(columns)))
        out = np.empty(columns.size)
        if self.by_row:
            dense.rmatvec_by_row(self.X, columns, q, out)
        else:
            dense.rmatvec_by_column(self.X.T, columns, q, out)
        return out

    def matvec_columns(self, columns: Columns, v: Matrix) -> Matrix:
        if v.ndim == 2:
            return np.concatenate([X @ v for _, X in self._blocks(columns)])
        out = np.zeros(self.shape[0])
        if self.by_row:
            dense.matvec_by_row(self.X, columns, v, out)
        else:
            dense.matvec_by_column(self.X.T, columns, v, out)
        return out

    def variances(self, columns: Columns, weights: Vector, means: Vector) -> Vector:
        """``Σ s_i (x_ij − mean_j)²`` for the given columns and their means."""
        out = np.empty(columns.size)
        if self.by_row:
            dense.variances_by_row(self.X, columns, weights, means, out)
        else:
            dense.variances_by_column(self.X.T, columns, weights, means, out)
        return out

    def gather(self, columns: Columns, rows: Columns, root_weights: Vector, means: Vector) -> Matrix:
        """``√s_i (x_ij − mean_j)``, transposed: shape (columns, rows), C order."""
        out = np.empty((columns.size, rows.size))
        if self.by_row:
            dense.gather_by_row(self.X, columns, rows, root_weights, means, out)
        else:
            dense.gather_by_column(self.X.T, columns, rows, root_weights, means, out)
        return out


@dataclass(frozen=True, eq=False)
class SparseStorage:
    """A sparse matrix in CSC format: float64 or float32 data, int32 indices, sorted and without duplicates."""

    data: NDArray[Any]
    indices: NDArray[np.int32]
    indptr: NDArray[np.int32]
    shape: tuple[int, int]

    @property
    def arrays(self) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int32]]:
        return self.data, self.indices, self.indptr

    @property
    def nbytes(self) -> int:
        return int(self.data.nbytes + self.indices.nbytes + self.indptr.nbytes)

    @property
    def n_stored(self) -> int:
        return int(self.data.size)

    @cached_property
    def largest(self) -> Vector:
        """The largest absolute value in each column."""
        out = np.zeros(self.shape[1])
        stored = np.flatnonzero(np.diff(self.indptr))
        starts = self.indptr[stored]
        if starts.size:
            out[stored] = np.maximum(np.maximum.reduceat(self.data, starts), -np.minimum.reduceat(self.data, starts))
        return out

    def rmatvec(self, q: Matrix) -> Matrix:
        """``Xᵀq``."""
        if q.ndim == 2 and q.flags.f_contiguous:
            return np.ascontiguousarray(self.rmatvec_many(q.T).T)
        if q.ndim == 2:
            return self.rmatvec_columns(np.arange(self.shape[1], dtype=np.int32), q)
        out = np.empty(self.shape[1])
        csc.rmatvec(*self.arrays, q, out)
        return out

    def rmatvec_many(self, qs: Sequence[Vector] | Matrix) -> Matrix:
        """``Xᵀq`` of k vectors, a row for each, four of them by one pass over X."""
        out = np.empty((len(qs), self.shape[1]))
        by_four = len(qs) // 4 * 4
        for k in range(0, by_four, 4):
            q, r, s, t = qs[k : k + 4]
            csc.rmatvec_four(*self.arrays, q, r, s, t, out[k : k + 4])
        for k in range(by_four, len(qs)):
            csc.rmatvec(*self.arrays, qs[k], out[k])
        return out

    def rmatvec_columns(self, columns: Columns, q: Matrix) -> Matrix:
        if q.ndim == 2:
            products = np.empty((columns.size, q.shape[1]))
            block.rmatvec_csc(*self.arrays, columns, np.ascontiguousarray(q), products)
            return products
        out = np.empty(columns.size)
        csc.rmatvec_columns(*self.arrays, columns, q, out)
        return out

    def matvec_columns(self, columns: Columns, v: Matrix) -> Matrix:
        if v.ndim == 2:
            products = np.zeros((self.shape[0], v.shape[1]))
            block.matvec_csc(*self.arrays, columns, np.ascontiguousarray(v), products)
            return products
        out = np.zeros(self.shape[0])
        csc.matvec_columns(*self.arrays, columns, v, out)
        return out

    def variances(self, columns: Columns, weights: Vector, means: Vector) -> Vector:
        """``Σ s_i (x_ij − mean_j)²`` for the given columns and their means."""
        out = np.empty(columns.size)
        csc.variances(*self.arrays, columns, weights, means, out)
        return out

    def gram(self, columns: Columns, weights: Vector) -> Matrix:
        """``Xᵀ diag(weights) X`` of some columns."""
        G = np.empty((columns.size, columns.size))
        csc.gram(*self.arrays, columns, weights, G)
        return G

    def chosen(self, columns: Columns) -> scipy.sparse.csc_array:
        """Some columns, of float64."""
        return scipy.sparse.csc_array(self.arrays, shape=self.shape)[:, columns].astype(np.float64)


Storage = DenseStorage | SparseStorage


def as_storage(X: Any) -> Storage:
    """Door for a validated array or sparse matrix of float32 or float64, copied only if it must be."""
    if scipy.sparse.issparse(X):
        X = X.tocsc()
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        limit = np.iinfo(np.int32).max
        if X.nnz > limit or X.shape[0] > limit:
            raise ValueError(
                f"X stores {X.nnz} values; sparse matrices of more than {limit} values are not supported, split X"
            )
        return SparseStorage(
            _read_only(X.data),
            _read_only(X.indices.astype(np.int32, copy=False)),
            _read_only(X.indptr.astype(np.int32, copy=False)),
            X.shape,
        )
    if not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = np.asfortranarray(X)
    return DenseStorage(_read_only(np.asarray(X)))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view: numba gives read-only arrays a type of their own, so the door decides once."""
    view = array.view()
    view.flags.writeable = False
    return view

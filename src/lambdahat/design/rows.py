"""X by its rows, for models whose inner problem has a coefficient a row: the storage of Xᵀ."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from lambdahat.design.storage import Columns, DenseStorage, SparseStorage, as_storage
from lambdahat.linear import Matrix, Vector

_MOST_ROWS = 2500
_ROUNDING = float(np.finfo(np.float64).eps) ** 2


@dataclass(frozen=True, eq=False)
class RowStorage:
    """A matrix whose rows are contiguous: C-ordered, or in CSR format.

    It answers what a :class:`lambdahat.design.Storage` is asked in judging predictions, so that a ``Design`` may lie
    over it.

    Attributes
    ----------
    transposed : DenseStorage or SparseStorage
        Of Xᵀ: its columns are the rows of X.
    """

    transposed: DenseStorage | SparseStorage

    @property
    def shape(self) -> tuple[int, int]:
        p, n = self.transposed.shape
        return n, p

    @property
    def n_stored(self) -> int:
        return self.transposed.n_stored

    @cached_property
    def squared_norms(self) -> Vector:
        """``‖x_i‖²``, shape (n,)."""
        n, p = self.shape
        return self.transposed.variances(np.arange(n, dtype=np.int32), np.ones(p), np.zeros(n))

    @cached_property
    def means(self) -> Vector:
        """Of the entries of each row, shape (n,)."""
        p = self.shape[1]
        return self.predict(np.full(p, 1.0 / p))

    @cached_property
    def spreads(self) -> Vector:
        """``Σ_j (x_ij − mean_i)²``, shape (n,): exactly zero where it is nothing but rounding."""
        n, p = self.shape
        out = self.transposed.variances(np.arange(n, dtype=np.int32), np.ones(p), self.means)
        return np.where(out > _ROUNDING * p * self.squared_norms, out, 0.0)

    @property
    def has_small_gram(self) -> bool:
        """Whether to keep all products of rows: they are no larger than X, and soon made."""
        n, p = self.shape
        return isinstance(self.transposed, DenseStorage) and n <= min(p, _MOST_ROWS)

    @cached_property
    def gram(self) -> Matrix:
        """``XXᵀ`` of a dense matrix."""
        assert isinstance(self.transposed, DenseStorage)
        X = np.asarray(self.transposed.X.T, dtype=np.float64)
        return np.asarray(X @ X.T)

    def products(self, rows: Columns, first: int) -> Matrix:
        """``XXᵀ`` of some rows and the first ones of these, of shape (m, first)."""
        if isinstance(self.transposed, SparseStorage):
            of_rows = self.transposed.chosen(rows)
            return np.asarray((of_rows.T @ of_rows[:, :first]).toarray())
        if self.has_small_gram:
            return self.gram[np.ix_(rows, rows[:first])]
        X = self.gather(rows, np.ones(self.shape[1], dtype=bool))
        return np.asarray(
            (X @ X.T)[:, :first] if 2 * first > rows.size else X @ X[:first].T
        )  # symmetric: half the work

    def predict(self, w: Vector) -> Vector:
        """``Xw``."""
        return self.transposed.rmatvec(w)

    def predict_rows(self, rows: Columns, w: Vector) -> Vector:
        """``x_iᵀw`` of some rows."""
        return self.transposed.rmatvec_columns(rows, w)

    def combine(self, rows: Columns, beta: Vector) -> Vector:
        """``Σ_i β_i x_i`` over some rows."""
        return self.transposed.matvec_columns(rows, beta)

    def gather(self, rows: Columns, columns: NDArray[np.bool_]) -> Matrix:
        """Some rows and columns of a dense matrix, in double precision."""
        assert isinstance(self.transposed, DenseStorage)
        X = self.transposed.X.T
        return np.asarray(X[rows] if columns.all() else X[np.ix_(rows, columns)], dtype=np.float64)

    def matvec_columns(self, columns: Columns, v: Vector) -> Vector:
        """``X[:, columns] v``."""
        w = np.zeros(self.shape[1])
        w[columns] = v
        return self.predict(w)

    def rmatvec_columns(self, columns: Columns, q: Vector) -> Vector:
        """``X[:, columns]ᵀ q``; rows where ``q`` is zero are not read."""
        rows = np.flatnonzero(q).astype(np.int32)
        return self.combine(rows, q[rows])[columns]


def as_row_storage(X: Any) -> RowStorage:
    """Door for a validated array or sparse matrix: converted, once, where rows are not contiguous."""
    if scipy.sparse.issparse(X):
        return RowStorage(as_storage(X.tocsr().T))
    rows: NDArray[Any] = np.ascontiguousarray(X)
    return RowStorage(as_storage(rows.T))

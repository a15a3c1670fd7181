"""Blocks of rows of some columns, for what is asked of each row: nothing as large as X is ever in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.design.storage import Columns, DenseStorage, Storage
from lambdahat.linear import Matrix, Vector

_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class RowBlock:
    """``X̃`` of a run of rows and some columns, of shape (m, k): dense, or sparse with means to be taken off."""

    rows: slice
    part: Any
    means: Vector

    def dense(self) -> Matrix:
        """The block as an array, in C order."""
        part = self.part if isinstance(self.part, np.ndarray) else self.part.toarray()
        return np.ascontiguousarray(part - self.means)

    def times(self, M: Matrix) -> Matrix:
        """``X̃ M``, shape (m, ·)."""
        return np.asarray(self.part @ M - self.means @ M)

    def dots(self, V: Matrix) -> Vector:
        """``Σ_j x̃_ij V_ij`` of each row, shape (m,)."""
        if isinstance(self.part, np.ndarray):
            return np.asarray(np.einsum("ij,ij->i", self.part, V) - V @ self.means)
        return np.asarray(self.part.multiply(V).sum(axis=1) - V @ self.means)


def row_blocks(storage: Storage, columns: Columns, means: Vector) -> Iterator[RowBlock]:
    """All rows, in blocks; ``means`` are those of the columns."""
    n = storage.shape[0]
    by_row = None if isinstance(storage, DenseStorage) else storage.chosen(columns).tocsr()
    for start in range(0, n, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n))
        if by_row is not None:
            yield RowBlock(rows, by_row[rows], means)
            continue
        numbers: NDArray[np.int32] = np.arange(rows.start, rows.stop, dtype=np.int32)
        assert isinstance(storage, DenseStorage)
        part = storage.gather(columns, numbers, np.ones(numbers.size), means).T
        yield RowBlock(rows, part, np.zeros(columns.size))

"""The one place that knows how X is stored, weighted, centred and scaled."""

from lambdahat.design.design import FACTORISED, Design
from lambdahat.design.forms import QuadraticForm, block_divisors
from lambdahat.design.normal import Moments, NormalEquations, has_few_columns, shared_moments
from lambdahat.design.rows import RowStorage, as_row_storage
from lambdahat.design.storage import Columns, DenseStorage, SparseStorage, Storage, as_storage
from lambdahat.design.sweeps import LinearSweeps, Sweeps

__all__ = [
    "FACTORISED",
    "Columns",
    "DenseStorage",
    "Design",
    "LinearSweeps",
    "Moments",
    "NormalEquations",
    "QuadraticForm",
    "RowStorage",
    "SparseStorage",
    "Storage",
    "Sweeps",
    "as_row_storage",
    "as_storage",
    "block_divisors",
    "has_few_columns",
    "shared_moments",
]

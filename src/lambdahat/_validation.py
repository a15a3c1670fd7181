"""What comes in at the doors: one clear sentence for everything that cannot be used."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from lambdahat.linear import Vector

# The square of a value beyond this overflows once summed, so no norm of such data is finite.
LARGEST = 1e140


def check_numeric_frame(X: Any, name: str = "X") -> None:
    """Refuse frames with columns that are not numbers, by name."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return
    wrong = [column for column, dtype in frame.schema.items() if not (dtype.is_numeric() or dtype == nw.Boolean)]
    if wrong:
        shown = ", ".join(repr(column) for column in wrong[:5]) + (" …" if len(wrong) > 5 else "")
        raise ValueError(
            f"{name} has columns that are not numbers: {shown}; encode them (for example with scikit-learn's "
            "OneHotEncoder) or drop them"
        )


def check_target(y: Any, n: int, name: str = "y", X_name: str = "X") -> Vector:
    """A finite float64 target of the right length."""
    if y is None:
        raise ValueError(f"{name} is missing: requires y to be passed, but the target y is None")
    target = column_or_1d(y, warn=True)
    if np.iscomplexobj(target):
        raise ValueError(f"{name} is complex: Complex data not supported, pass real numbers")
    try:
        target = np.asarray(target, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds values that are not numbers: pass a numeric target ({error})") from error
    if target.size != n:
        raise ValueError(
            f"{X_name} has {n} rows but {name} has {target.size} values: Found input variables with inconsistent "
            "numbers of samples, pass as many of each"
        )
    if not np.all(np.isfinite(target)):
        kind = "NaN" if np.isnan(target).any() else "infinity"
        row = int(np.flatnonzero(~np.isfinite(target))[0])
        raise ValueError(f"{name} contains {kind} (first in row {row}): impute it or drop these rows")
    if np.abs(target).max(initial=0.0) > LARGEST:
        raise ValueError(f"{name} holds values beyond {LARGEST:.0e}, whose squares overflow: rescale it")
    return target


def check_size(X: Any, name: str = "X") -> None:
    """Refuse values whose squares overflow."""
    values = X.data if scipy.sparse.issparse(X) else X
    if values.size and max(abs(float(values.max())), abs(float(values.min()))) > LARGEST:
        raise ValueError(f"{name} holds values beyond {LARGEST:.0e}, whose squares overflow: rescale its columns")


def check_sample_weight(sample_weight: Any, n: int) -> Vector:
    """Non-negative finite weights, not all zero; ones when None."""
    if sample_weight is None:
        return np.ones(n)
    if isinstance(sample_weight, numbers.Real):
        weight = np.full(n, float(sample_weight))
    else:
        try:
            weight = np.asarray(sample_weight, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"sample_weight holds values that are not numbers ({error})") from error
    if weight.ndim != 1:
        raise ValueError("sample_weight: Sample weights must be 1D array or scalar")
    if weight.size != n:
        raise ValueError(f"sample_weight has {weight.size} values but X has {n} rows: pass one weight a row")
    if not np.all(np.isfinite(weight)):
        raise ValueError("sample_weight contains NaN or infinity: weights must be finite")
    if np.any(weight < 0.0):
        raise ValueError(f"sample_weight is negative in row {int(np.argmin(weight))}: weights must be at least zero")
    if not weight.any():
        raise ValueError("sample_weight is zero in every row: give some rows a positive weight")
    return weight


def check_rows(
    X: Any, y: Any, sample_weight: Any = None, *, names: tuple[str, str] = ("X", "y")
) -> tuple[Any, Vector, Vector]:
    """Validate a data set outside an estimator; X is not copied when it is float32 or float64 already."""
    check_numeric_frame(X, names[0])
    X = check_array(
        X,
        accept_sparse=("csc", "csr", "coo"),
        dtype=[np.float64, np.float32],
        input_name=names[0],
        accept_large_sparse=True,
    )
    check_size(X, names[0])
    y = check_target(y, X.shape[0], names[1], names[0])
    check_consistent_length(X, y)
    return X, y, check_sample_weight(sample_weight, X.shape[0])


def check_real(value: Any, name: str, *, low: float = 0.0, high: float = np.inf, open_low: bool = False) -> float:
    """A real number within bounds."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"{name}={value!r} is not a number")
    number = float(value)
    inside = (low < number if open_low else low <= number) and number <= high and not np.isinf(number)
    if not inside:
        interval = f"{'(' if open_low else '['}{low:g}, {'inf)' if np.isinf(high) else f'{high:g}]'}"
        raise ValueError(f"{name}={value!r} is out of range: it must be in {interval}")
    return number


def check_factors(factors: Any, p: int, name: str = "penalty_factors") -> NDArray[np.float64] | None:
    """Penalty factors: non-negative, infinite ones allowed."""
    if factors is None:
        return None
    array = np.asarray(factors, dtype=np.float64)
    if array.shape != (p,):
        raise ValueError(f"{name} has shape {array.shape} but X has {p} columns: pass one factor a column")
    if np.any(np.isnan(array)) or np.any(array < 0.0):
        raise ValueError(f"{name} holds negative or NaN entries: 0 means unpenalised, inf excluded")
    return array


def check_name(name: Any, known: Iterable[str], what: str) -> str:
    """A known name, or a sentence with the nearest one."""
    known = list(known)
    if isinstance(name, str) and name in known:
        return name
    nearest = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(map(repr, known))}"
    raise ValueError(f"unknown {what} {name!r}: {hint}")

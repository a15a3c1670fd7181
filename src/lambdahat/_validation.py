"""What comes in at the doors: one clear sentence for everything that cannot be used."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from lambdahat.linear import Vector

# Beyond these, products of four values (squared correlations) overflow or vanish in float64.
LARGEST, SMALLEST = 1e75, 1e-75

# How scikit-learn shall read X: what it converts, and what is checked here instead.
READ = {
    "accept_sparse": ("csc", "csr", "coo"),
    "accept_large_sparse": True,
    "dtype": [np.float64, np.float32],
    "ensure_all_finite": False,
}


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Whatever is raised inside, the estimator keeps the attributes that it had before."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_container(X: Any, name: str = "X") -> Any:
    """Refuse what is no two-dimensional table of real numbers; lists become arrays, frames stay frames."""
    if X is None:
        raise ValueError(f"{name} is missing: pass an array, sparse matrix or data frame of shape (n, p)")
    frame = as_frame(X)
    if isinstance(frame, nw.LazyFrame):
        raise ValueError(f"{name} is a lazy frame, whose values are not known yet: call its collect() first")
    if isinstance(frame, nw.DataFrame):
        _check_columns(frame, name)
        X_shape = frame.shape
    else:
        if not scipy.sparse.issparse(X):
            X = _as_array(X, name)
        if X.dtype.kind == "c":
            raise ValueError(f"{name} is complex: Complex data not supported, pass its real part, or more columns")
        X_shape = X.shape
    if len(X_shape) < 2:
        raise ValueError(
            f"{name} has shape {X_shape}: Expected 2D array, got {len(X_shape)}D array instead. Reshape your data by "
            "reshape(-1, 1) where it is one feature, or by reshape(1, -1) where it is one row"
        )
    if len(X_shape) > 2:
        raise ValueError(f"{name} has shape {X_shape}: pass a table of two dimensions, a row a sample")
    for count, what in zip(X_shape, ("sample(s)", "feature(s)"), strict=True):
        if count == 0:
            raise ValueError(
                f"{name} is empty: 0 {what} (shape={X_shape}) while a minimum of 1 is required, pass at least one row "
                "and one column"
            )
    return X


def _check_columns(frame: nw.DataFrame[Any], name: str) -> None:
    wrong = [column for column, dtype in frame.schema.items() if not (dtype.is_numeric() or dtype == nw.Boolean)]
    if wrong:
        shown = ", ".join(repr(column) for column in wrong[:5]) + (" …" if len(wrong) > 5 else "")
        raise ValueError(
            f"{name} has columns that are not numbers: {shown}; encode them (for example with scikit-learn's "
            "OneHotEncoder) or drop them"
        )


def _as_array(X: Any, name: str) -> NDArray[Any]:
    """An array of numbers; objects are converted where they are numbers, text is not."""
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"{name} is no table: its rows have different lengths, pass as many values in each") from error
    if array.dtype.kind in "USMm" or any(isinstance(value, str | bytes) for value in _objects(array)):
        raise ValueError(
            f"{name} holds text or dates, which are not numbers: encode its columns (for example with scikit-learn's "
            "OneHotEncoder) or drop them"
        )
    if array.dtype.kind == "O":
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name} holds values that are not numbers: encode or drop them ({error})") from error
    return array


def _objects(array: NDArray[Any]) -> Iterable[Any]:
    return array.flat if array.dtype.kind == "O" else ()


def as_frame(X: Any) -> Any:
    """X as narwhals sees it where it is a frame (of values known, or lazy) or a series, else as it is."""
    if isinstance(X, np.ndarray) or scipy.sparse.issparse(X):  # narwhals takes a while to say so
        return X
    return nw.from_native(X, pass_through=True, allow_series=True)


def column_names(X: Any) -> list[str] | None:
    """The names of a frame's columns, or None."""
    frame = as_frame(X)
    return [str(name) for name in frame.columns] if isinstance(frame, nw.DataFrame) else None


def check_finite(X: Any, name: str = "X", columns: Sequence[str] | None = None) -> float:
    """Refuse NaN and infinity, and say where the first one is. Returns a bound of the largest absolute value."""
    values = X.data if scipy.sparse.issparse(X) else X
    if not values.size:
        return 0.0
    if values.dtype == np.float64:  # nearly always, one pass says that all is well
        flat = values.ravel(order="K")
        norm = float(np.sqrt(flat @ flat))
        if SMALLEST * np.sqrt(flat.size) < norm < LARGEST:
            return norm
    largest = max(abs(float(values.max())), abs(float(values.min())))  # NaN where there is one
    if not np.isfinite(largest):
        kind = "NaN" if np.isnan(values).any() else "infinity"
        row, column = _first(X, np.isnan if kind == "NaN" else np.isinf)
        cure = "impute it (for example with scikit-learn's SimpleImputer)" if kind == "NaN" else "clip it"
        where = f"row {row}, column {column if columns is None else repr(columns[column])}"
        raise ValueError(f"{name} contains {kind} (first in {where}): {cure} or drop these rows")
    return largest


def _first(X: Any, wrong: Any) -> tuple[int, int]:
    """Row and column of the first wrong value, row by row."""
    if scipy.sparse.issparse(X):
        X = X.tocoo()
        k = np.flatnonzero(wrong(X.data))
        return min(zip(X.row[k].tolist(), X.col[k].tolist(), strict=True))
    row, column = np.unravel_index(int(np.argmax(wrong(X))), X.shape)
    return int(row), int(column)


def check_magnitude(largest: float, name: str, what: str) -> None:
    """Refuse values whose products overflow or vanish."""
    if largest > LARGEST:
        raise ValueError(f"{name} holds values beyond {LARGEST:.0e}, whose products overflow: rescale {what}")
    if 0.0 < largest < SMALLEST:
        raise ValueError(f"{name} holds no value beyond {SMALLEST:.0e}, their products vanish: rescale {what}")


def check_target(y: Any, n: int, name: str = "y", X_name: str = "X") -> Vector:
    """A finite float64 target of the right length."""
    if y is None:
        raise ValueError(f"{name} is missing: requires y to be passed, but the target y is None")
    target = np.asarray(y)
    if target.ndim != 1 and target.shape[1:] != (1,):
        raise ValueError(f"{name} has shape {target.shape}: pass one target a row, of shape (n,)")
    if target.dtype.kind == "c":
        raise ValueError(f"{name} is complex: Complex data not supported, pass real numbers")
    try:
        target = np.asarray(column_or_1d(target, warn=True), dtype=np.float64)
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
    check_magnitude(float(np.abs(target).max(initial=0.0)), name, "it")
    return target


def check_targets(
    y: Any, n: int, name: str = "y", X_name: str = "X", n_targets: int | None = None
) -> NDArray[np.float64]:
    """Several finite float64 targets, of shape (n, T) in C order."""
    if y is None:
        raise ValueError(f"{name} is missing: requires y to be passed, but the target y is None")
    frame = as_frame(y)
    targets = _as_array(frame.to_numpy() if isinstance(frame, nw.DataFrame) else y, name)
    if targets.ndim != 2 or targets.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {targets.shape}: pass several targets, of shape (n, T); for mono-task outputs use the "
            "model for one target"
        )
    if n_targets is not None and targets.shape[1] != n_targets:
        raise ValueError(f"{name} has {targets.shape[1]} targets but y has {n_targets}: pass the same targets in both")
    if targets.dtype.kind == "c":
        raise ValueError(f"{name} is complex: Complex data not supported, pass real numbers")
    if len(targets) != n:
        raise ValueError(
            f"{X_name} has {n} rows but {name} has {len(targets)}: Found input variables with inconsistent numbers of "
            "samples, pass as many of each"
        )
    targets = np.ascontiguousarray(targets, dtype=np.float64)
    check_magnitude(check_finite(targets, name), name, "it")
    return targets


def check_groups(groups: Any, p: int) -> NDArray[np.intp]:
    """The group of each column, from 0: see :class:`lambdahat.GroupLasso` for what ``groups`` may be.

    An array with an entry a column is labels, whatever its entries; another one is sizes.
    """
    if groups is None:
        return np.arange(p)
    if isinstance(groups, numbers.Integral):
        return np.arange(p) // check_count(groups, "groups")
    if isinstance(groups, Mapping):
        return _listed_groups(list(groups.values()), list(groups), p)
    lists = isinstance(groups, Sequence) and not isinstance(groups, str) and any(map(_is_list, groups))
    if lists or np.ndim(groups) == 2:
        return _listed_groups(groups, range(len(groups)), p)
    mixed = isinstance(groups, Sequence) and len({isinstance(label, str) for label in groups}) > 1
    given = np.asarray(groups, dtype=object if mixed else None)
    if given.ndim != 1 or given.dtype.kind not in "iuUSbO":
        raise ValueError(
            f"groups has shape {given.shape} and type {given.dtype}: pass a size, p labels, sizes, or lists of columns"
        )
    if given.size == p:
        return _labelled_groups(given)
    if given.dtype.kind in "iu" and np.all(given > 0) and int(given.sum()) == p:
        return np.repeat(np.arange(given.size), given)
    raise ValueError(
        f"groups has {given.size} entries but X has {p} columns: pass one label a column, or sizes with the sum {p}"
    )


def _is_list(group: Any) -> bool:
    return isinstance(group, Set) or np.ndim(group) > 0


def _labelled_groups(labels: NDArray[Any]) -> NDArray[np.intp]:
    missing = [j for j, label in enumerate(labels.tolist()) if label is None or label != label]
    if missing:
        raise ValueError(f"groups has no label for column {missing[0]}: give it one, or a group of its own")
    try:
        return np.unique(labels, return_inverse=True)[1].astype(np.intp)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise ValueError(
            f"groups mixes labels of the types {', '.join(kinds)}, which have no order: pass numbers, or strings"
        ) from None


def _listed_groups(groups: Any, names: Sequence[Any], p: int) -> NDArray[np.intp]:
    labels = np.full(p, -1, dtype=np.intp)
    for k, (group, name) in enumerate(zip(groups, names, strict=True)):
        columns = np.atleast_1d(np.asarray(list(group) if _is_list(group) else group))
        if columns.dtype.kind in "US":
            raise ValueError(
                f"group {name!r} names {columns.tolist()[0]!r}: pass the numbers of columns, of a frame "
                "X.columns.get_indexer(names)"
            )
        if columns.size == 0 or columns.dtype.kind not in "iu" or columns.min() < 0 or columns.max() >= p:
            raise ValueError(f"group {name!r} is no list of columns of X: pass column numbers from 0 to {p - 1}")
        found, counts = np.unique(columns, return_counts=True)
        taken = found[(counts > 1) | (labels[found] >= 0)]
        if taken.size:
            raise ValueError(
                f"column {taken[0]} is in more than one place of groups: overlapping groups are not supported, repeat "
                "the column in X for each of its groups"
            )
        labels[columns] = k
    if np.any(labels < 0):
        raise ValueError(f"column {int(np.argmin(labels))} is in no group: add it to one, or a group of its own")
    return labels


def check_labels(
    y: Any, n: int, name: str = "y", X_name: str = "X", *, binary: bool = True
) -> tuple[NDArray[Any], Vector]:
    """The classes of a target in sorted order, and the target as :func:`encode_labels` has it."""
    labels = _as_labels(y, n, name, X_name)
    check_classification_targets(labels)
    classes = np.unique(labels)
    if classes.size == 1:
        what = "two classes" if binary else "at least two classes"
        raise ValueError(f"{name} holds one class only, {classes.tolist()[0]!r}: pass rows of {what}")
    if binary and classes.size > 2:
        raise ValueError(
            f"{name} holds {classes.size} classes. Only binary classification is supported. The type of the target is "
            f"{type_of_target(labels)}: fit each class against the rest, as OneVsRestLogistic does, or "
            "scikit-learn's OneVsRestClassifier around any model"
        )
    return classes, _numbered(labels, classes)


def encode_labels(y: Any, classes: NDArray[Any], n: int, name: str = "y", X_name: str = "X") -> Vector:
    """Labels of known classes: of two as −1 (the first) and +1, of more as the numbers of their classes."""
    labels = _as_labels(y, n, name, X_name)
    wrong = np.flatnonzero(~np.any([labels == label for label in classes], axis=0))
    if wrong.size:
        raise ValueError(
            f"{name} holds the label {labels[wrong].tolist()[0]!r} (first in row {wrong[0]}) but the classes are "
            f"{_listed(classes)}: drop these rows"
        )
    return _numbered(labels, classes)


def _numbered(labels: NDArray[Any], classes: NDArray[Any]) -> Vector:
    if classes.size == 2:
        return np.where(labels == classes[1], 1.0, -1.0)
    return np.searchsorted(classes, labels).astype(np.float64)


def _listed(classes: NDArray[Any]) -> str:
    *most, last = (repr(label) for label in classes.tolist())
    return f"{', '.join(most)} and {last}"


def _as_labels(y: Any, n: int, name: str, X_name: str) -> NDArray[Any]:
    if y is None:
        raise ValueError(f"{name} is missing: requires y to be passed, but the target y is None")
    labels = np.asarray(y)
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        raise ValueError(f"{name} has shape {labels.shape}: pass one label a row, of shape (n,)")
    labels = np.asarray(column_or_1d(labels, warn=True))
    if labels.size != n:
        raise ValueError(
            f"{X_name} has {n} rows but {name} has {labels.size} values: Found input variables with inconsistent "
            "numbers of samples, pass as many of each"
        )
    if labels.dtype.kind in "fc" and not np.all(np.isfinite(labels)):
        kind = "NaN" if np.isnan(labels).any() else "infinity"
        row = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise ValueError(f"{name} contains {kind} (first in row {row}): drop these rows")
    return labels


def check_class_weight(class_weight: Any, classes: NDArray[Any]) -> None:
    """None, "balanced", or a dict of label to a non-negative number."""
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                f"class_weight={class_weight!r} is unknown: pass None, 'balanced' or a dict of label to weight"
            )
        return
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"class_weight={class_weight!r} is no dict: pass None, 'balanced' or a dict of label to weight"
        )
    for label, weight in class_weight.items():
        if label not in classes.tolist():
            raise ValueError(f"class_weight names {label!r} but the classes are {_listed(classes)}")
        check_real(weight, f"class_weight of {label!r}", open_low=True)


def check_sample_weight(sample_weight: Any, n: int, name: str = "sample_weight", X_name: str = "X") -> Vector:
    """Non-negative finite weights, not all zero; ones when None."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight)
    if weight.dtype.kind == "c":
        raise ValueError(f"{name} is complex: pass real weights")
    try:
        weight = weight.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds values that are not numbers: pass one number a row ({error})") from error
    if isinstance(sample_weight, numbers.Real):
        weight = np.full(n, float(sample_weight))
    if weight.ndim != 1:
        raise ValueError(f"{name} has shape {weight.shape}: Sample weights must be 1D array or scalar")
    if weight.size != n:
        raise ValueError(f"{name} has {weight.size} values but {X_name} has {n} rows: pass one weight a row")
    if not np.all(np.isfinite(weight)):
        row = int(np.flatnonzero(~np.isfinite(weight))[0])
        raise ValueError(f"{name} contains NaN or infinity (first in row {row}): weights must be finite")
    if np.any(weight < 0.0):
        row = int(np.flatnonzero(weight < 0.0)[0])
        raise ValueError(f"{name} is negative in row {row}: weights must be at least zero")
    if not weight.any():
        raise ValueError(f"{name} is zero in every row: give some rows a positive weight")
    check_magnitude(float(weight.max()), name, "it")
    return weight


def check_rows(
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    names: tuple[str, str] = ("X", "y"),
    target: Callable[[Any, int, str, str], Vector] = check_target,
) -> tuple[Any, Vector, Vector]:
    """Validate a data set outside an estimator; X is not copied when it is float32 or float64 already."""
    columns = column_names(X)
    X = check_array(check_container(X, names[0]), input_name=names[0], **READ)
    check_magnitude(check_finite(X, names[0], columns), names[0], "its columns")
    n = X.shape[0]
    return X, target(y, n, names[1], names[0]), check_sample_weight(sample_weight, n, X_name=names[0])


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


def check_count(value: Any, name: str, *, low: int = 1) -> int:
    """A whole number, at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise ValueError(f"{name}={value!r} is out of range: it must be a whole number, at least {low}")
    return int(value)


def check_factors(
    factors: Any, p: int, name: str = "penalty_factors", what: str = "column"
) -> NDArray[np.float64] | None:
    """Penalty factors: non-negative, infinite ones allowed."""
    if factors is None:
        return None
    try:
        array = np.asarray(factors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds values that are not numbers: pass one a {what} ({error})") from error
    if array.shape != (p,):
        raise ValueError(f"{name} has shape {array.shape} but X has {p} {what}s: pass one factor a {what}")
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

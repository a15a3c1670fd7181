"""Read features, and their target, from CSV, Parquet, svmlight and npz files.

Whatever is wrong with a file becomes a :class:`DataError`, one sentence.
"""

import difflib
import zipfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from lambdahat.cli.errors import DataError, counted, listed


class Format(Enum):
    """A file format, told by the end of a file's name."""

    CSV = (".csv", ".tsv")
    PARQUET = (".parquet", ".pq")
    SVMLIGHT = (".svm", ".svmlight", ".libsvm", ".txt")
    NPZ = (".npz",)

    @property
    def has_columns(self) -> bool:
        """Whether columns have names, the target among them."""
        return self in (Format.CSV, Format.PARQUET)


@dataclass(frozen=True, eq=False)
class Table:
    """Features (a data frame, an array or a sparse matrix) with their names, and the target with its name."""

    X: Any
    feature_names: list[str]
    y: NDArray[Any]
    target: str


def format_of(path: Path) -> Format:
    """The format of a file, from the end of its name."""
    for candidate in Format:
        if path.suffix.lower() in candidate.value:
            return candidate
    known = ", ".join(suffix for candidate in Format for suffix in candidate.value)
    raise DataError(f"{path.name} is of no known format; the name should end in one of {known}.")


def read_training(path: Path, target: str | None, *, labels: bool = False) -> Table:
    """Features and target.

    ``target`` names a column; in an npz file an array (``y`` when it is None), or another file,
    ``labels.npy`` or ``labels.npz:NAME``. A svmlight file holds its own. It must be numbers, unless it is ``labels``.
    """
    kind = format_of(path)
    if kind is Format.SVMLIGHT:
        table = _read_svmlight_training(path)
    elif kind is Format.NPZ:
        table = _read_npz_training(path, target or "y", labels)
    else:
        table = _split(_read_frame(path, kind), target or "", path, labels)
    n_rows, n_features = table.X.shape
    if n_rows == 0 or n_features == 0:
        raise DataError(
            f"{path.name} holds {counted(n_rows, 'row')} of {counted(n_features, 'feature')}: nothing to fit."
        )
    if n_rows != table.y.shape[0]:
        raise DataError(f"{path.name} holds {counted(n_rows, 'row')}, but the target {counted(table.y.size, 'value')}.")
    return table


def read_features(path: Path, feature_names: list[str]) -> Any:
    """The features that a model was trained on: by name where the file has names, else by their number."""
    kind = format_of(path)
    if kind.has_columns:
        frame = _read_frame(path, kind)
        missing = [name for name in feature_names if name not in frame.columns]
        if missing:
            raise DataError(
                f"{path.name} lacks {len(missing)} of the model's {counted(len(feature_names), 'feature')}: "
                f"{listed(missing)}."
            )
        return _numeric(frame[feature_names], path)
    if kind is Format.SVMLIGHT:
        return _read_svmlight_features(path, feature_names)
    X = _features_of(_read_npz(path), path)
    if X.shape[1] != len(feature_names):
        raise DataError(
            f"{path.name} has {counted(X.shape[1], 'feature')}, but the model was trained on {len(feature_names)}."
        )
    _reject_not_finite(X, feature_names, path)
    return X


# Data frames


def _read_frame(path: Path, kind: Format) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path) if kind is Format.PARQUET else pd.read_csv(path, sep=_delimiter(path))
    except (ValueError, OSError) as error:
        raise _unreadable(path, kind, error) from error
    if frame.empty:
        raise DataError(f"{path.name} holds no rows.")
    return frame.set_axis(frame.columns.map(str), axis=1)


def _delimiter(path: Path) -> str:
    """The separator that the header shows most often, a comma when in doubt."""
    with path.open(encoding="utf-8-sig") as file:
        return max(",;\t|", key=file.readline().count)


def _split(frame: pd.DataFrame, target: str, path: Path, labels: bool) -> Table:
    if target not in frame.columns:
        near = difflib.get_close_matches(target, frame.columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {listed(list(frame.columns))}."
        raise DataError(f"{path.name} has no column {target!r}; {hint}")
    X = _numeric(frame.drop(columns=target), path)
    if labels:
        return Table(X, list(X.columns), _labels_in(frame[target], path), target)
    y = _numeric(frame[[target]], path)[target].to_numpy(dtype=np.float64)
    return Table(X, list(X.columns), y, target)


def _labels_in(column: pd.Series, path: Path) -> NDArray[Any]:
    """Labels of one kind: numbers where all are, text otherwise."""
    missing = int(column.isna().sum())
    if missing:
        raise DataError(
            f"{path.name}: column {str(column.name)!r} has missing values ({missing} in all); remove the rows."
        )
    return np.asarray(column if pd.api.types.is_numeric_dtype(column.dtype) else column.astype(str))


def _numeric(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The same frame as one block of floating-point numbers, if that is what it holds."""
    _reject_text(frame, path)
    names = list(frame.columns)
    single = len(names) > 0 and all(dtype == np.float32 for dtype in frame.dtypes)
    values = frame.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)
    _reject_not_finite(values, names, path)
    return pd.DataFrame(values, columns=names, copy=False)


def _reject_text(frame: pd.DataFrame, path: Path) -> None:
    """Refuse columns that are not numbers, showing for the first one a value that is not."""
    names = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if not names:
        return
    column = frame[names[0]]
    parsed = pd.to_numeric(column.astype("string"), errors="coerce")
    culprits = column[column.notna() & parsed.isna()]
    example = f" (such as {str(culprits.iloc[0])!r} in the first of them)" if len(culprits) else ""
    raise DataError(
        f"{path.name}: {_columns(names)} not numeric{example}; encode categories as numbers "
        "(for instance with pandas.get_dummies) and leave missing cells empty, or remove the columns."
    )


# Arrays


def _read_svmlight_training(path: Path) -> Table:
    """Features are named by the file's own numbers: ``x0, x1, …``, or ``x1, x2, …`` if it counts from one."""
    X, y = _load_svmlight(path)
    first = 0 if X.shape[1] and X[:, [0]].nnz else 1
    names = [f"x{j}" for j in range(first, X.shape[1])]
    X = X[:, first:]
    _reject_not_finite(X, names, path)
    _reject_not_finite(y[:, None], ["target"], path)
    return Table(X, names, y, "target")


def _read_svmlight_features(path: Path, feature_names: list[str]) -> Any:
    first = 0 if feature_names[0] == "x0" else 1
    width = first + len(feature_names)
    X, _ = _load_svmlight(path)
    if X.shape[1] > width:
        raise DataError(f"{path.name} has a feature number {X.shape[1] - 1}, but the model's last one is {width - 1}.")
    X.resize(X.shape[0], width)
    if first and X[:, [0]].nnz:
        raise DataError(f"{path.name} counts its features from 0, but the model was trained on features from 1 on.")
    _reject_not_finite(X[:, first:], feature_names, path)
    return X[:, first:]


def _load_svmlight(path: Path) -> tuple[Any, NDArray[np.float64]]:
    try:
        X, y = load_svmlight_file(str(path), zero_based=True)
    except (ValueError, OverflowError) as error:
        raise _unreadable(path, Format.SVMLIGHT, error) from error
    return X, y


def _read_npz_training(path: Path, target: str, labels: bool) -> Table:
    arrays = _read_npz(path)
    X = _features_of(arrays, path)
    if target not in arrays:
        arrays = {**_labels(target, path, arrays), **arrays}
    y = arrays[target]
    if y.ndim != 1 or y.dtype.kind not in ("fiubU" if labels else "fiub"):
        kind = "1-d labels" if labels else "1-d numbers"
        raise DataError(f"The target {target!r} has shape {y.shape} and type {y.dtype}; it must be {kind}.")
    names = _names(arrays.get("feature_names"), X.shape[1])
    y = y if labels else y.astype(np.float64)
    _reject_not_finite(X, names, path)
    if y.dtype.kind == "f":
        _reject_not_finite(y[:, None], [target], path)
    return Table(X, names, y, Path(target).name.rpartition(":")[2])


def _labels(target: str, path: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays of the other file that ``target`` names, the one in question under ``target`` itself."""
    file, _, name = (target, "", "y") if Path(target).is_file() else target.rpartition(":")
    if not Path(file).is_file():
        raise DataError(
            f"{path.name} has no array {target!r}; it has {listed(sorted(arrays))}: name one of them as the "
            "target, or another file, as labels.npy or labels.npz:NAME."
        )
    others = _read_npz(Path(file))
    if name not in others:
        raise DataError(f"{file} has no array {name!r}; it has {listed(sorted(others))}.")
    return {**others, target: others[name]}


def _read_npz(path: Path) -> dict[str, Any]:
    """The arrays of an npz file by name; the one of an npy file is ``y``."""
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {"y": content}
        with content:
            return {name: content[name] for name in content.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, Format.NPZ, error) from error


def _features_of(arrays: dict[str, Any], path: Path) -> Any:
    if "format" in arrays:
        return _sparse_features(path)
    if "X" not in arrays:
        raise DataError(f"{path.name} has no array 'X' and is no scipy.sparse matrix; it has {listed(sorted(arrays))}.")
    X = arrays["X"]
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise DataError(f"{path.name}: the array 'X' has shape {X.shape} and type {X.dtype}; it must be 2-d numbers.")
    return X if X.dtype.kind == "f" else X.astype(np.float64)


def _sparse_features(path: Path) -> Any:
    try:
        X = scipy.sparse.load_npz(path).tocsc()
    except ValueError as error:
        raise _unreadable(path, Format.NPZ, error) from error
    return X if X.dtype.kind == "f" else X.astype(np.float64)


def _names(given: Any, n_features: int) -> list[str]:
    if given is not None and given.shape == (n_features,):
        return [str(name) for name in given]
    return [f"x{j}" for j in range(n_features)]


# Sentences


def _reject_not_finite(X: Any, names: list[str], path: Path) -> None:
    """Refuse missing values, then infinite ones, naming the columns."""
    stored = X.data if scipy.sparse.issparse(X) else X
    if np.isfinite(stored).all():
        return
    columns = X.tocoo().col if scipy.sparse.issparse(X) else np.broadcast_to(np.arange(X.shape[1]), X.shape)
    for is_faulty, fault, remedy in (
        (np.isnan, "missing", "fill them in (for instance with the column's median)"),
        (np.isinf, "infinite", "replace them"),
    ):
        counts = np.bincount(columns[is_faulty(stored)], minlength=X.shape[1])
        if counts.any():
            faulty = _columns([names[j] for j in np.flatnonzero(counts)], "have", "has")
            raise DataError(
                f"{path.name}: {faulty} {fault} values ({counts.sum()} in all); {remedy} or remove the rows."
            )


def _columns(names: list[str], several: str = "are", one: str = "is") -> str:
    noun, verb = ("column", one) if len(names) == 1 else ("columns", several)
    return f"{noun} {listed(names)} {verb}"


def _unreadable(path: Path, kind: Format, error: BaseException) -> DataError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return DataError(f"{path.name} could not be read as {kind.name.lower()}: {reason}.")

"""The data: float64, Fortran-ordered or CSC, `y` centred; every loader has a `quick` size, for trying out."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import lfilter
from scipy.sparse import load_npz, sparray, spmatrix

ROOT = Path(__file__).resolve().parents[1]
Matrix = np.ndarray | sparray | spmatrix


class DataAbsentError(Exception):
    """A file of the data folder is not there; the message says where it was looked for."""


@dataclass(frozen=True)
class Data:
    X: Matrix
    y: np.ndarray
    X_val: Matrix | None = None
    y_val: np.ndarray | None = None
    note: str = ""

    @property
    def alpha_max(self) -> float:
        """The smallest λ whose Lasso coefficients are all zero (no intercept)."""
        return float(np.abs(self.X.T @ self.y).max() / len(self.y))


def find(name: str) -> Path:
    folder = Path(os.environ.get("LAMBDAHAT_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / name).exists():
        raise DataAbsentError(f"{name} is not in {folder}: set LAMBDAHAT_DATA to the folder that holds it.")
    return folder / name


def debian_text(
    quick: bool = False,
    dtype: type = np.float64,
    rows: tuple[int, int] | None = None,
    target: str = "log10_installed_kib",
) -> Data:
    """TF-IDF of package descriptions against log10 of the installed size: the standard split.

    `rows` keeps only so many of the rows that train and of those that validate. The other target is `is_library`, ±1,
    which is not centred.
    """
    n, n_val = rows or ((4_000, 2_000) if quick else (42_360, 21_180))
    X = load_npz(find("debian_text_X.npz")).tocsr()
    y = np.load(find("debian_text_y.npz"))[target].astype(np.float64)
    perm = np.random.default_rng(0).permutation(63_540)
    train, val = np.sort(perm[:42_360])[:n], np.sort(perm[42_360:])[:n_val]
    centre = 0.0 if target == "is_library" else y[train].mean()
    X_train, X_val = (X[rows].astype(dtype).tocsc() for rows in (train, val))
    return Data(X_train, y[train] - centre, X_val, y[val] - centre)


def debian_libraries(quick: bool = False) -> Data:
    """The same rows against whether the package is a library, as −1 and +1."""
    text = debian_text(quick)
    labels = np.load(find("debian_text_y.npz"))["is_library"].astype(np.float64)
    perm = np.random.default_rng(0).permutation(63_540)
    train, val = np.sort(perm[:42_360])[: len(text.y)], np.sort(perm[42_360:])[: len(text.y_val)]
    return Data(text.X, labels[train], text.X_val, labels[val])


def meg_left(quick: bool = False) -> Data:
    """Leadfield against one instant of the left-auditory response: the column of Y with the largest norm."""
    with np.load(find("meg_left.npz")) as file:
        X, Y, times = (file[key].astype(np.float64) for key in ("X", "Y_left_auditory", "times_s"))
    column = int(np.linalg.norm(Y, axis=0).argmax())
    note = f"Y_left_auditory, column {column} ({1e3 * times[column]:.0f} ms), the one with the largest norm"
    X = X[:, ::6] if quick else X
    return Data(np.asfortranarray(X), np.ascontiguousarray(Y[:, column]), note=note)


@dataclass(frozen=True)
class Recordings:
    """An evoked response and its leadfield, whitened: noise of about unit variance (0.7, measured on the baseline)."""

    leadfield: np.ndarray  # (n_channels, 2 · n_sources), an A·m; two tangential orientations a source
    data: np.ndarray  # (n_channels, n_times)
    positions: np.ndarray  # (n_sources, 3), metres; x right, y front, z up
    orientations: np.ndarray  # (2 · n_sources, 3), of length one
    times: np.ndarray  # seconds
    n_averages: int


def meg_response(condition: str, quick: bool = False) -> Recordings:
    """The whole response to a tone ("auditory") or a flash ("visual") on the left, scaled as its README says."""
    with np.load(find("meg_left.npz")) as file:
        nave = int(file[f"nave_left_{condition}"])
        X, Y = (np.sqrt(nave) * file[key].astype(np.float64) for key in ("X", f"Y_left_{condition}"))
        names = "positions_m", "orientations", "times_s"
        positions, orientations, times = (file[name].astype(np.float64) for name in names)
    every = 4 if quick else 1
    return Recordings(X, np.ascontiguousarray(Y[:, ::every]), positions[::2], orientations, times[::every], nave)


def autoregressive(n: int, p: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """`n` rows of unit-variance columns in which neighbours have this correlation, Fortran-ordered."""
    noise = rng.standard_normal((p, n))
    noise[1:] *= np.sqrt(1 - correlation**2)
    return lfilter([1.0], [1.0, -correlation], noise, axis=0).T


def response(X: Matrix, support: int, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Centred `Xw + noise`, with `support` random signs in `w` and `snr` the ratio of their norms."""
    w = np.zeros(X.shape[1])
    w[rng.choice(X.shape[1], support, replace=False)] = rng.choice([-1.0, 1.0], support)
    signal, noise = X @ w, rng.standard_normal(X.shape[0])
    y = signal + noise * np.linalg.norm(signal) / (snr * np.linalg.norm(noise))
    return y - y.mean()


def dense(n: int, p: int, support: int = 50) -> Data:
    """Dense columns with AR(0.6) correlation, a sparse signal, three times as large as the noise."""
    rng = np.random.default_rng(0)
    X = autoregressive(n, p, 0.6, rng)
    return Data(X, response(X, support, 3.0, rng))


def wide_500(quick: bool = False) -> Data:
    return dense(100, 2_000) if quick else dense(500, 20_000)


def wide_600(quick: bool = False) -> Data:
    return dense(120, 2_000, support=20) if quick else dense(600, 20_000)


def tall(quick: bool = False) -> Data:
    return dense(5_000, 100) if quick else dense(100_000, 300)


def diabetes(quick: bool = False) -> Data:
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return Data(np.asfortranarray(X), y - y.mean())


LOADERS = {
    "debian_text": debian_text,
    "meg_left": meg_left,
    "dense wide, 500 × 20,000": wide_500,
    "dense wide, 600 × 20,000": wide_600,
    "dense tall, 100,000 × 300": tall,
    "diabetes, 442 × 10": diabetes,
}


def present(names: Iterable[str], quick: bool) -> Iterator[tuple[str, Data]]:
    """The named data one after the other; what is absent is skipped with a sentence."""
    for name in names:
        try:
            data = LOADERS[name](quick)
        except DataAbsentError as reason:
            print(f"{name} is skipped. {reason}")
        else:
            yield name, data

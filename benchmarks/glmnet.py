"""R's glmnet through `Rscript`: arrays travel as raw binary files, only the fit is timed, inside R."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import issparse

from .data import Matrix

SCRIPT = Path(__file__).with_name("glmnet.R")


@cache
def version() -> str | None:
    """The version of R's glmnet, None where it is not installed."""
    if shutil.which("Rscript") is None:
        return None
    command = ["Rscript", "-e", 'cat(as.character(packageVersion("glmnet")))']
    answer = subprocess.run(command, capture_output=True, text=True)
    return answer.stdout if answer.returncode == 0 else None


def export(folder: Path, X: Matrix, y: np.ndarray) -> None:
    np.array(X.shape, dtype=np.int32).tofile(folder / "shape")
    y.astype(np.float64).tofile(folder / "y")
    if issparse(X):
        X.indices.astype(np.int32).tofile(folder / "indices")
        X.indptr.astype(np.int32).tofile(folder / "indptr")
    values = X.data if issparse(X) else X.ravel(order="F")
    values.astype(np.float64, copy=False).tofile(folder / "values")


def run(X: Matrix, y: np.ndarray, repeats: int = 1, **settings: float | str) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients at the last λ of `glmnet(X, y, **settings)`, and the seconds of every repeat."""
    values = {name: f'"{value}"' if isinstance(value, str) else repr(float(value)) for name, value in settings.items()}
    text = ", ".join(f"{name.replace('_', '.')} = {value}" for name, value in values.items())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(folder, X, y)
        command = ["Rscript", str(SCRIPT), name, str(repeats), f"list({text})"]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        return np.fromfile(folder / "coef"), np.fromfile(folder / "seconds")

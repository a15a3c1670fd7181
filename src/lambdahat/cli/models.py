"""A tuned model in a file, with what is needed to use it on other data."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from lambdahat.cli.errors import DataError

FORMAT = "lambdahat model"
VERSION = 1


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A fitted estimator, the names of its features and of its target."""

    estimator: Any
    feature_names: list[str]
    target: str

    def save(self, path: Path) -> None:
        """Write a dictionary of plain parts, which later versions of the package can read."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "estimator": self.estimator,
            "feature_names": self.feature_names,
            "target": self.target,
        }
        try:
            joblib.dump(content, path)
        except OSError as error:
            raise DataError(f"The model could not be written to {path}: {error.strerror}.") from error


def load(path: Path) -> SavedModel:
    """Read what :meth:`SavedModel.save` wrote. Like every pickle, it can run code: open only your own."""
    foreign = DataError(f"{path.name} is not a model saved by 'lambdahat tune --output'.")
    try:
        content = joblib.load(path)
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        ValueError,
        AttributeError,
        ImportError,
        OSError,
    ) as error:
        raise foreign from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise foreign
    if content["version"] != VERSION:
        raise DataError(
            f"{path.name} has model format {content['version']}, but this lambdahat reads {VERSION}; "
            "tune the model again."
        )
    return SavedModel(content["estimator"], content["feature_names"], content["target"])

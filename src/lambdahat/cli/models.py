"""Models by name, and a tuned model in a file, with what is needed to use it on other data."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lambdahat
from lambdahat.cli.errors import DataError
from lambdahat.report import SearchReport

FORMAT = "lambdahat model"
VERSION = 1

PENALISED: dict[str, Any] = {
    "lasso": lambdahat.Lasso,
    "enet": lambdahat.ElasticNet,
    "wlasso": lambdahat.WeightedLasso,
    "ridge": lambdahat.Ridge,
    "logistic": lambdahat.SparseLogisticRegression,
    "poisson": lambdahat.PoissonLasso,
    "gamma": lambdahat.GammaLasso,
    "huber": lambdahat.HuberLasso,
    "sqrt-lasso": lambdahat.SqrtLasso,
    "adaptive-lasso": lambdahat.AdaptiveLasso,
    "one-vs-rest": lambdahat.OneVsRestLogistic,
    "multinomial": lambdahat.MultinomialLogistic,
}
MACHINES: dict[str, Any] = {"linear-svc": lambdahat.LinearSVC, "linear-svr": lambdahat.LinearSVR}


def estimator_of(name: str, *, standardize: bool, sparse: bool) -> Any:
    """The model of this name; before a support vector machine, a step that scales, and centres if X is not sparse."""
    if name in PENALISED:
        return PENALISED[name](standardize=standardize)
    model = MACHINES[name]()
    return make_pipeline(StandardScaler(with_mean=not sparse), model) if standardize else model


def unprefixed(report: SearchReport) -> SearchReport:
    """The report with names of hyperparameters as they are without a pipeline."""

    def plain(named: Mapping[str, Any]) -> dict[str, Any]:
        return {name.rpartition("__")[2]: value for name, value in named.items()}

    return replace(report, params=plain(report.params), places=plain(report.places))


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

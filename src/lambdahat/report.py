"""What a search found, as text for a person or as plain data for a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True, eq=False)
class SearchReport:
    """The result of a fitted search, in words and plain numbers.

    Attributes
    ----------
    params : dict of str to float or ndarray
        The chosen hyperparameters.
    metric : str
        What the criterion is.
    criterion, standard_error : float
        The criterion there, and its standard error over the folds (None for a single split).
    fold_criteria : list of float
        The criterion on each fold.
    coefficients : dict of str to float
        Non-zero coefficients by feature name, the largest first; of several classes or targets by "class: feature".
        They are in the units of X, also where the model comes after a ``StandardScaler``.
    intercept : float, or list of float
    support_size : int
        Features with coefficients that are not zero.
    n_features : int
        How many features there were.
    n_evals : int
        How often the criterion was evaluated.
    seconds : float
        The time that the whole fit took.
    status : str
        The search's own sentence on how it ended.
    """

    params: dict[str, float | NDArray[np.float64]]
    metric: str
    criterion: float
    standard_error: float | None
    fold_criteria: list[float]
    coefficients: dict[str, float]
    intercept: float | list[float]
    support_size: int
    n_features: int
    n_evals: int
    seconds: float
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "params": {name: np.asarray(value, dtype=float).tolist() for name, value in self.params.items()},
            "metric": self.metric,
            "criterion": self.criterion,
            "criterion_standard_error": self.standard_error,
            "fold_criteria": self.fold_criteria,
            "support_size": self.support_size,
            "n_features": self.n_features,
            "intercept": self.intercept,
            "coefficients": self.coefficients,
            "n_evals": self.n_evals,
            "seconds": self.seconds,
            "status": self.status,
        }

    def to_text(self, n_coefficients: int = 10) -> str:
        """A summary to read, with the largest coefficients by name."""
        rows = [(name, _parameter(value)) for name, value in self.params.items()]
        rows.append(("criterion", self._criterion()))
        rows.append(("support", f"{self.support_size} of {self.n_features} features"))
        rows.append(("time", f"{self.seconds:.2f} s, {self.n_evals} evaluations"))
        rows.append(("status", self.status))
        return "\n\n".join([aligned(rows), *self._largest(n_coefficients)])

    def _criterion(self) -> str:
        mean = f"{self.criterion:.6g}"
        if self.standard_error is None:
            return f"{mean} ({self.metric} on held-out data)"
        folds = len(self.fold_criteria)
        return f"{mean} ± {self.standard_error:.3g} ({self.metric}, standard error over {folds} folds)"

    def _largest(self, n_coefficients: int) -> list[str]:
        if not self.coefficients:
            return []
        shown = [(name, f"{value:+.6g}") for name, value in list(self.coefficients.items())[:n_coefficients]]
        rest = len(self.coefficients) - len(shown)
        verb = "is" if rest == 1 else "are"
        title = "coefficients, largest first" + (f" ({rest} more {verb} not shown)" if rest else "")
        return [f"{title}\n{aligned(shown, indent=2)}"]


def summarise(search: Any, *, seconds: float | None = None, feature_names: Sequence[str] | None = None) -> SearchReport:
    """Summarise a fitted search.

    Parameters
    ----------
    search : GradientSearch
        A fitted search, with ``refit=True``.
    seconds : float, optional
        How long the fit took; by default the time until its last evaluation.
    feature_names : sequence of str, optional
        By default the names that the search saw, or ``x0, x1, …``.

    Returns
    -------
    SearchReport
        The summary.
    """
    coefs, intercepts = _in_units_of_X(search)
    K, p = coefs.shape
    coef = np.ravel(coefs)
    names = feature_names if feature_names is not None else getattr(search, "feature_names_in_", None)
    labels = [f"x{j}" for j in range(p)] if names is None else [str(name) for name in names]
    if K > 1:
        several = np.asarray(getattr(search, "classes_", np.arange(K))).tolist()
        labels = [f"{one}: {label}" for one in several for label in labels]
    order = np.argsort(-np.abs(coef), kind="stable")[: np.count_nonzero(coef)]
    folds = np.asarray(search.fold_criteria_, dtype=float)
    return SearchReport(
        params=dict(search.best_params_),
        metric=search.metric_,
        criterion=float(search.best_criterion_),
        standard_error=float(folds.std(ddof=1) / np.sqrt(folds.size)) if folds.size > 1 else None,
        fold_criteria=folds.tolist(),
        coefficients={labels[j]: float(coef[j]) for j in order},
        intercept=intercepts.tolist() if K > 1 else float(intercepts[0]),
        support_size=int(np.count_nonzero(coefs.any(axis=0))),
        n_features=p,
        n_evals=int(search.n_evals_),
        seconds=float(search.trace_.seconds[-1]) if seconds is None else seconds,
        status=search.status_,
    )


def _in_units_of_X(search: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients, a row for each class or target, and intercepts, whether or not the columns were scaled before."""
    coefs, intercepts = np.atleast_2d(search.coef_), np.ravel(search.intercept_)
    best = getattr(search, "best_estimator_", None)
    for _, step in reversed(best.steps[:-1]) if isinstance(best, Pipeline) else ():
        if isinstance(step, StandardScaler):
            coefs = coefs if step.scale_ is None else coefs / step.scale_
            intercepts = intercepts - coefs @ step.mean_ if step.with_mean else intercepts
    return coefs, intercepts


def aligned(rows: Sequence[Sequence[str]], *, indent: int = 0) -> str:
    """Rows of text in columns, the last one ragged."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    margin = " " * indent
    return "\n".join(
        margin + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )


def _parameter(value: float | NDArray[np.float64]) -> str:
    if np.ndim(value) == 0:
        return f"{float(value):.6g}"
    values = np.asarray(value)
    return f"{values.size} values from {values.min():.3g} to {values.max():.3g}, median {np.median(values):.3g}"

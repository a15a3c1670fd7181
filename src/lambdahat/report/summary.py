"""What a search found, as text for a person or as plain data for a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from lambdahat.report.remarks import remarks
from lambdahat.report.setting import Place, Setting, places


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
        None, and no coefficients, where the search was not refitted.
    support_size : int, or None
        Features with coefficients that are not zero.
    n_features : int, or None
        How many features the model saw.
    n_evals : int
        How often the criterion was evaluated.
    seconds : float
        The time that the whole fit took.
    status : str
        The search's own sentence on how it ended.
    model : str
        What was tuned, as one writes it.
    setting : Setting, or None
        The data and the folds.
    places : dict of str to Place
        Where the chosen hyperparameters lie in their bounds.
    remarks : tuple of str
        What to know before trusting the result: bounds reached, no convergence, folds that disagree.
    fit_status : str
        The final fit's own sentence on how it ended.
    labels : sequence of str
        Names of all coefficients, those of each class or target in a row.
    fold_support : float, or None
        Coefficients that are not zero, in the mean over the inner problems at the best point.
    """

    params: dict[str, float | NDArray[np.float64]]
    metric: str
    criterion: float
    standard_error: float | None
    fold_criteria: list[float]
    coefficients: dict[str, float]
    intercept: float | list[float] | None
    support_size: int | None
    n_features: int | None
    n_evals: int
    seconds: float
    status: str
    model: str = ""
    setting: Setting | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    fit_status: str = ""
    labels: Sequence[str] = ()
    fold_support: float | None = None

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
            "remarks": list(self.remarks),
        }

    def to_text(self, n_coefficients: int = 10) -> str:
        """A summary to read, with the largest coefficients by name."""
        parts = [aligned(self.rows())]
        shown, title = self.largest(n_coefficients)
        if shown:
            parts.append(f"{title}\n{aligned([(shortened(name), f'{value:+.6g}') for name, value in shown], indent=2)}")
        if self.remarks:
            parts.append("\n".join(f"! {sentence}" for sentence in self.remarks))
        return "\n\n".join(parts)

    def rows(self, *, bars: bool = True) -> list[tuple[str, str]]:
        """What was found, as pairs of a label and a text, with positions in their bounds as bars of characters."""
        rows = [("model", self.model)] if self.model else []
        if self.setting is not None:
            rows += [("data", self.setting.data()), ("folds", self.setting.folds())]
        rows += [(name, self._chosen(name, bars)) for name in self.params]
        rows.append(("criterion", self.criterion_text()))
        rows.append(("support", self.support_text()))
        rows.append(("time", f"{self.seconds:.2f} s, {self.n_evals} evaluations"))
        rows.append(("status", self.status))
        return rows + ([("final fit", self.fit_status)] if self.fit_status else [])

    def criterion_text(self) -> str:
        """The criterion, with its standard error where it has one, and what it is."""
        mean = f"{self.criterion:.6g}"
        if self.standard_error is None:
            on = "held-out data" if self.setting is None else self.setting.judged_by
            return f"{mean} ({self.metric} on {on})" if on else f"{mean} ({self.metric})"
        folds = len(self.fold_criteria)
        return f"{mean} ± {self.standard_error:.3g} ({self.metric}, standard error over {folds} folds)"

    @property
    def single(self) -> str:
        """What there is instead of several folds, in words."""
        held_out = self.setting is None or self.setting.judged_by
        return "one split" if held_out else "the rows fitted to"

    def support_text(self) -> str:
        """How many features are kept."""
        if self.support_size is not None:
            return f"{self.support_size} of {self.n_features} features"
        if self.fold_support is None:
            return "not known without a final model"
        return f"{self.fold_support:.3g} coefficients in the mean over the inner problems, no final model"

    def value_text(self, name: str) -> str:
        """A chosen hyperparameter, or how its numbers spread."""
        return _parameter(self.params[name])

    def _chosen(self, name: str, bars: bool) -> str:
        place = self.places.get(name)
        if place is None:
            return self.value_text(name)
        bar = place.bar() if bars else ""
        return f"{self.value_text(name)}  {bar}  {place}" if bar else f"{self.value_text(name)}; {place}"

    def largest(self, n_coefficients: int) -> tuple[list[tuple[str, float]], str]:
        """The largest coefficients by name, and a title that says how many more there are."""
        shown = list(self.coefficients.items())[:n_coefficients]
        rest = len(self.coefficients) - len(shown)
        verb = "is" if rest == 1 else "are"
        return shown, "coefficients, largest first" + (f" ({rest} more {verb} not shown)" if rest else "")


def summarise(search: Any, *, seconds: float | None = None, feature_names: Sequence[str] | None = None) -> SearchReport:
    """Summarise a fitted search.

    Parameters
    ----------
    search : GradientSearch
        A fitted search.
    seconds : float, optional
        How long the fit took; by default what the search says, or the time until its last evaluation.
    feature_names : sequence of str, optional
        By default the names that the search saw, or ``x0, x1, …``.

    Returns
    -------
    SearchReport
        The summary.
    """
    setting = getattr(search, "setting_", None)
    refitted = hasattr(search, "coef_")
    coefs, intercepts = _in_units_of_X(search) if refitted else (np.empty((1, 0)), np.empty(1))
    K, p = coefs.shape
    coef, labels = np.ravel(coefs), _labels(search, K, p, feature_names)
    order = np.argsort(-np.abs(coef), kind="stable")[: np.count_nonzero(coef)]
    folds = np.asarray(search.fold_criteria_, dtype=float)
    params, trace = dict(search.best_params_), search.trace_
    placed = places(setting, params, trace.hyperparam_names) if setting is not None else {}
    final = final_model(search)
    if seconds is None:
        seconds = float(trace.seconds[-1]) if setting is None else setting.seconds
    return SearchReport(
        params=params,
        metric=search.metric_,
        criterion=float(search.best_criterion_),
        standard_error=search.standard_error_,
        fold_criteria=folds.tolist(),
        coefficients={labels[j]: float(coef[j]) for j in order},
        intercept=(intercepts.tolist() if K > 1 else float(intercepts[0])) if refitted else None,
        support_size=int(np.count_nonzero(coefs.any(axis=0))) if refitted else None,
        n_features=p if refitted else None,
        n_evals=int(search.n_evals_),
        seconds=seconds,
        status=search.status_,
        model=shortened(str(search.estimator), 160) if hasattr(search, "estimator") else "",
        setting=setting,
        places=placed,
        remarks=remarks(search, coefs if refitted else None, final, placed, setting),
        fit_status=getattr(final, "status_", ""),
        labels=labels,
        fold_support=float(trace.support_sizes[search.best_index_]) if hasattr(search, "best_index_") else None,
    )


def final_model(search: Any) -> Any:
    """The refitted linear model, also where it is the last step of a pipeline; None without a refit."""
    best = getattr(search, "best_estimator_", None)
    return best.steps[-1][1] if isinstance(best, Pipeline) else best


def _labels(search: Any, K: int, p: int, names: Sequence[str] | None) -> list[str]:
    """Names of the coefficients, "class: feature" for several classes or targets, those of each class in a row."""
    if names is None or len(names) != p:
        names = _names_seen_by_the_model(search)
    labels = [str(name) for name in names] if names is not None and len(names) == p else [f"x{j}" for j in range(p)]
    if K == 1:
        return labels
    several = np.asarray(getattr(search, "classes_", np.arange(K))).tolist()
    return [f"{one}: {label}" for one in several for label in labels]


def _names_seen_by_the_model(search: Any) -> Sequence[str] | None:
    """Names of the columns, after a pipeline's transformers where these know them."""
    names: Sequence[str] | None = getattr(search, "feature_names_in_", None)
    best = getattr(search, "best_estimator_", None)
    if isinstance(best, Pipeline) and len(best.steps) > 1:
        try:
            made: Sequence[str] = best[:-1].get_feature_names_out(names)
        except (AttributeError, ValueError):  # transformers that do not name what they make
            return names
        return made
    return names


def _in_units_of_X(search: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients, a row for each class or target, and intercepts, whether or not the columns were scaled before."""
    coefs, intercepts = np.atleast_2d(search.coef_), np.ravel(search.intercept_)
    best = getattr(search, "best_estimator_", None)
    for _, step in reversed(best.steps[:-1]) if isinstance(best, Pipeline) else ():
        if step is None or isinstance(step, str):  # a step that passes on what it gets
            continue
        if not isinstance(step, StandardScaler):
            break  # other columns than those of X: what was done to them before is no matter of units
        coefs = coefs if step.scale_ is None else coefs / step.scale_
        intercepts = intercepts - coefs @ step.mean_ if step.with_mean else intercepts
    return coefs, intercepts


def shortened(text: str, most: int = 40) -> str:
    """The text on one line, with an ellipsis where it is too long."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


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

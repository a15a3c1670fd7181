"""Criteria other than the loss's own metric: scikit-learn's scorers, and functions that users bring.

Those with a slope are followed down it. Others (accuracy, areas under curves, rank correlations) have none, or it is
zero almost everywhere: there the model's own metric leads the search, and the score decides among the points visited.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import _safe_indexing

from lambdahat._validation import check_name
from lambdahat.box_problem import BoxModel
from lambdahat.criteria.base import Data, Fold, Solved, Units, Validation, as_solved
from lambdahat.criteria.slopes import SLOPES
from lambdahat.hypergradient import Judge
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Model, Solution

_RESPONSES = ("predict", "predict_proba", "decision_function")


@dataclass(frozen=True, eq=False)
class Metric:
    """A function of targets and predictions that a search minimises.

    Parameters
    ----------
    value : callable
        ``value(y_true, y_pred)`` to a number; where it has a parameter ``sample_weight`` and rows are weighted, it is
        given their weights.
    gradient : callable, optional
        ``gradient(y_true, y_pred)`` to the derivatives in ``y_pred``, shaped as it is. Without, the model's own metric
        leads the search, and ``value`` decides among the points visited.
    response : {"predict", "predict_proba", "decision_function"}, default "predict"
        What ``y_pred`` is: predictions (labels, of a classifier), the probability of the second of two classes (of
        several, a column for each), or the linear prediction.
    greater_is_better : bool, default False
        Whether ``value`` is to be maximised.
    name : str, optional
        By default that of ``value``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import GradientSearch, Lasso, Metric
    >>> X, y = load_diabetes(return_X_y=True)
    >>> asymmetric = Metric(
    ...     lambda y, z: np.mean(np.where(z < y, 2.0, 1.0) * (y - z) ** 2),
    ...     gradient=lambda y, z: 2.0 * np.where(z < y, 2.0, 1.0) * (z - y) / y.size,
    ...     name="asymmetric error",
    ... )
    >>> GradientSearch(Lasso(), criterion=asymmetric).fit(X, y).metric_
    'asymmetric error'
    """

    value: Callable[..., Any]
    gradient: Callable[..., Any] | None = None
    response: str = "predict"
    greater_is_better: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        check_name(self.response, _RESPONSES, "response")
        for role in ("value", "gradient"):
            function = getattr(self, role)
            if not callable(function) and (role == "value" or function is not None):
                raise ValueError(f"{role}={function!r} is no function: pass {role}(y_true, y_pred)")

    @property
    def sign(self) -> float:
        return -1.0 if self.greater_is_better else 1.0

    def __call__(self, estimator: Any, Z: Any, y: Any, sample_weight: Any = None) -> float:
        """A score, as scikit-learn's scorers are called: greater is better."""
        answer = getattr(estimator, self.response)(Z)
        if self.response == "predict_proba" and answer.shape[1] == 2:
            answer = answer[:, 1]
        return -self.sign * float(self.value(y, answer, **_weights_for(self.value, sample_weight)))


def is_scorer(scoring: Any) -> bool:
    """Whether it is a :class:`Metric`, or one of those that :func:`sklearn.metrics.make_scorer` makes."""
    return isinstance(scoring, Metric) or hasattr(scoring, "_score_func")


def _weights_for(function: Callable[..., Any], sample_weight: Any) -> dict[str, Any]:
    """The weights as an argument, where a function takes them."""
    if sample_weight is None:
        return {}
    try:
        takes = "sample_weight" in inspect.signature(function).parameters
    except ValueError:  # of builtins
        takes = False
    return {"sample_weight": sample_weight} if takes else {}


@dataclass(frozen=True, eq=False)
class Scoring:
    """A scorer: what it is called, how it scores, and its slope where it has one.

    Attributes
    ----------
    name : str
        Of what is minimised.
    score : callable
        ``(estimator, Z, y, sample_weight=None)`` to a number, greater is better.
    slope : callable, optional
        ``(y, z, weights)`` to the criterion and its derivatives in the linear predictions z, for weights of sum
        1; or None where the model has no such slope.
    takes_weights : bool
        Whether ``score`` does.
    shift : float
        What is added to what the slope is of.
    encoded : bool
        Whether the slope takes targets as the datafit has them, rather than as they were handed over.
    scorer : str, optional
        The name of scikit-learn's, where it decides.
    """

    name: str
    score: Callable[..., Any]
    slope: Callable[..., tuple[float, Matrix]] | None = None
    takes_weights: bool = True
    shift: float = 0.0
    encoded: bool = False
    scorer: str | None = None

    @classmethod
    def of(cls, scoring: Any, model: Model | BoxModel) -> Scoring | None:
        """Of a name, a :class:`Metric` or a scorer; None where it is the model's own metric."""
        if scoring is None:
            return None
        if isinstance(scoring, Metric):
            return cls._of_metric(scoring, model)
        if isinstance(scoring, str):
            return cls._named(scoring, model)
        if not callable(scoring):
            raise ValueError(
                f"scoring={scoring!r} is no scorer: pass the name of one of scikit-learn's, a Metric(value), or a "
                "function of (estimator, X, y)"
            )
        name = getattr(getattr(scoring, "_score_func", scoring), "__name__", type(scoring).__name__)
        weighs = is_scorer(scoring) or bool(_weights_for(scoring, 1.0))
        return cls(f"−{name}", scoring, takes_weights=weighs)

    @staticmethod
    def check(name: str, others: Sequence[str] = ()) -> None:
        """Refuse a name that is no scorer's, nor one of others."""
        names = [*others, "concordance", *get_scorer_names()]
        if name not in names:
            close = get_close_matches(name, names, n=3)
            meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise ValueError(
                f"unknown criterion {name!r}: {meant}pass 'cv', 'aic', … or a name from "
                "sklearn.metrics.get_scorer_names()"
            )

    @classmethod
    def _of_metric(cls, metric: Metric, model: Model | BoxModel) -> Scoring:
        name = metric.name or str(getattr(metric.value, "__name__", "metric"))
        title = f"−{name}" if metric.greater_is_better else name
        if metric.gradient is None:
            return cls(title, metric)
        gradient, datafit = metric.gradient, model.datafit
        if datafit.labels and metric.response == "predict":
            raise ValueError(
                f"{name} has a gradient in predicted labels, which do not move: pass response='predict_proba' or "
                "response='decision_function'"
            )

        def slope(y: Any, z: Matrix, weights: Vector) -> tuple[float, Matrix]:
            link = metric.response
            answer = expit(z) if link == "predict_proba" else z
            if link == "predict" and datafit.log_link:
                answer = np.exp(z)
            given = weights if np.ptp(weights) else None  # of sum 1
            value = float(metric.value(y, answer, **_weights_for(metric.value, given)))
            by_answer = np.asarray(gradient(y, answer, **_weights_for(gradient, given)), dtype=np.float64)
            if by_answer.shape != answer.shape:
                raise ValueError(
                    f"the gradient of {name} has shape {by_answer.shape} but y_pred has {answer.shape}: return the "
                    "derivative in each prediction"
                )
            by_z = answer * (1.0 - answer) if link == "predict_proba" else answer if datafit.log_link else 1.0
            return metric.sign * value, metric.sign * by_answer * (1.0 if link == "decision_function" else by_z)

        return cls(title, metric, slope)

    @classmethod
    def _named(cls, name: str, model: Model | BoxModel) -> Scoring | None:
        if name == "concordance":
            return cls("−concordance", lambda estimator, Z, y, sample_weight=None: estimator.score(Z, y, sample_weight))
        cls.check(name)
        scorer = get_scorer(name)
        title = name.removeprefix("neg_").replace("_", " ") if name.startswith("neg_") else f"−{name}"
        made = SLOPES.get(name)
        if made is not None:
            if model.datafit.metric == made.metric:
                return None
            if made.suits(model.datafit):
                return cls(title, scorer, made.of(model.datafit), shift=made.shift, encoded=True)
        return cls(title, scorer, scorer=name)


@dataclass(frozen=True, eq=False)
class Scored:
    """Judges solutions by a score.

    Attributes
    ----------
    own : Validating
        By the model's own metric.
    scoring : Scoring
    y : array of shape (n,)
        Targets as they were handed over, of the rows that judge.
    rows : array of row numbers
    weights : array, optional
        Of these rows, where they are weighted.
    seen : callable
        Linear predictions to an estimator that answers with them.
    """

    own: Any
    scoring: Scoring
    y: Any
    rows: Any
    weights: Vector | None
    seen: Callable[[Any], Any]

    @property
    def parts(self) -> tuple[Validation, ...]:
        parts: tuple[Validation, ...] = self.own.parts
        return parts

    def _predictions(self, problems: Sequence[Any], places: Sequence[Solved]) -> list[Matrix]:
        """Linear predictions of each problem at the rows that judge."""
        return [self._prediction(k, problem, at) for k, (problem, at) in enumerate(zip(problems, places, strict=True))]

    def _prediction(self, k: int, problem: Any, at: Solved) -> Matrix:
        return np.asarray((self.parts[k].predictions(*at) + problem.y_mean)[self.rows])

    def _encoded(self, problems: Sequence[Any]) -> Matrix:
        """The targets as the datafit has them."""
        y = [(part.y + problem.y_mean)[self.rows] for part, problem in zip(self.parts, problems, strict=True)]
        return y[0] if len(y) == 1 else np.column_stack(y)

    def verdict(self, problems: Sequence[Any], solutions: Sequence[Solution]) -> float:
        """Minus the score."""
        z = self._predictions(problems, [as_solved(*each) for each in zip(problems, solutions, strict=True)])
        Z = z[0] if len(z) == 1 else np.column_stack(z)
        name, weights = self.scoring.name, {} if self.weights is None else {"sample_weight": self.weights}
        if weights and not self.scoring.takes_weights:
            raise ValueError(f"{name} takes no sample_weight, but rows are weighted: leave the weights out")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                score = float(self.scoring.score(self.seen(Z), Z, self.y, **weights))
            except AttributeError as error:
                raise ValueError(
                    f"{name} asks the model for what it does not have ({error}): take a scorer of predictions, or a "
                    "model with probabilities such as SparseLogisticRegression"
                ) from error
            except (TypeError, ValueError) as error:
                if self.scoring.scorer is None:  # the user's own function, whose error is to be seen as it is
                    raise
                alike = [other for other in get_scorer_names() if other.startswith(f"{self.scoring.scorer}_")]
                instead = f"{', '.join(map(repr, alike))}, or another scorer" if alike else "a scorer"
                raise ValueError(
                    f"{name} cannot score this model's predictions of such targets ({error}): take {instead} that can"
                ) from error
        if math.isnan(score):
            why = f" ({caught[0].message})" if caught else ""
            raise ValueError(
                f"{name} is not defined on {len(self.rows)} of the rows that judge{why}: use larger folds, or for a "
                "classifier scikit-learn's StratifiedKFold"
            )
        return -score

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        slope = self.scoring.slope
        if slope is None:
            judges: list[Judge] = self.own.judges(problems, solved)
            return judges
        z = self._predictions(problems, solved) if len(problems) > 1 else [np.empty(0)]
        y = self._encoded(problems) if self.scoring.encoded else self.y
        weights = self.parts[0].weights[self.rows]

        def judge(k: int) -> Judge:
            def error(support: Any, w_S: Matrix, offset: Any) -> tuple[float, Matrix, Any]:
                own = self._prediction(k, problems[k], (support, w_S, offset))
                several = len(z) > 1
                Z = np.column_stack([*z[:k], own, *z[k + 1 :]]) if several else own
                value, by_z = slope(y, Z, weights)
                by_own = by_z[:, k] if several else by_z
                full = np.zeros((len(self.parts[k].y), *by_own.shape[1:]))
                full[self.rows] = by_own
                return value, *self.parts[k].pulled(support, full)

            return error

        return [judge(k) for k in range(len(problems))]


def scored(fold: Fold, scoring: Scoring | None, y: Any, sample_weight: Vector, data: Data) -> Fold:
    """A fold that is judged by a score.

    Parameters
    ----------
    fold : Fold
    scoring : Scoring or None
        None leaves the fold as it is.
    y : array of shape (n,)
        The targets of all rows of its validation, as they were handed over.
    sample_weight : array of shape (n,)
    data : Data
        That the fold was made of.
    """
    if scoring is None:
        return fold
    own: Any = fold.validation
    design = own.parts[0].design
    rows = design.rows
    weighted = np.ptp(sample_weight[rows]) > 0.0
    assert data.seen is not None
    weights = design.weights[rows] if weighted else None
    judged = Scored(own, scoring, _safe_indexing(y, rows), rows, weights, data.seen)
    verdict = None if scoring.slope else judged.verdict
    return replace(fold, validation=judged, verdict=verdict, units=Units(shift=scoring.shift))


def metric_of(scoring: Any, model: Model | BoxModel) -> str:
    """What is minimised, in words."""
    found = Scoring.of(scoring, model)
    return model.datafit.metric if found is None else found.name


def remark_of(scoring: Any, model: Model | BoxModel) -> str:
    """How the search went by it, where it has no slope."""
    led, decided = model.datafit.metric, metric_of(scoring, model)
    return f"{led} led the search, {decided}, without a slope to follow, decided among the points visited"

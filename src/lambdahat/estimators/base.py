"""What all linear models here share: validation, fitting, prediction."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from lambdahat._validation import (
    READ,
    check_class_weight,
    check_container,
    check_count,
    check_factors,
    check_finite,
    check_labels,
    check_magnitude,
    check_name,
    check_real,
    check_sample_weight,
    column_names,
    unchanged_on_error,
)
from lambdahat.box_problem import BoxProblem
from lambdahat.criteria import Data, Fold, is_constant
from lambdahat.datafits import Datafit, Quadratic
from lambdahat.design import RowStorage, Storage, as_storage
from lambdahat.linear import Matrix, Vector, rows_used
from lambdahat.penalties import Penalty
from lambdahat.problem import Model, Problem, Solution
from lambdahat.search import Space
from lambdahat.solvers import alpha_max, solve_many


def validated(
    estimator: BaseEstimator, model: LinearModel, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
) -> Data:
    """Validate training data, set ``n_features_in_`` and ``feature_names_in_``, and hand X to its storage."""
    columns = column_names(X)
    X, largest = _read(estimator, X, columns, reset=True)
    check_magnitude(largest, "X", "its columns")
    target, classes = model._read_target(y, X.shape[0])
    weight = check_sample_weight(sample_weight, X.shape[0])
    seen = partial(model._seen, classes)
    return Data(model._storage(X), target, weight, X, groups, columns, classes, y, seen)


def _read(estimator: BaseEstimator, X: Any, columns: list[str] | None, *, reset: bool) -> tuple[Any, float]:
    X = validate_data(estimator, check_container(X), reset=reset, **READ)
    return X, check_finite(X, columns=columns)


def _remark(problem: Problem | BoxProblem, solution: Solution) -> str:
    """What else there is to say of a solution, if anything."""
    if isinstance(problem, BoxProblem):
        return ""
    if not solution.w.any():
        return _why_zero(problem)
    if problem.datafit.labels and np.any(problem.penalty.free):
        z = problem.prediction(solution.support, solution.w[solution.support], problem.offset(solution))
        if np.all((problem.y * z)[problem.design.rows] > 0.0):
            return "the classes are separated: without a penalty coefficients grow for ever, penalise every feature"
    return ""


def _why_zero(problem: Problem) -> str:
    if not np.ptp(problem.y[problem.design.rows], axis=0).any():
        return "y is constant: there is nothing to fit, pass a target that varies"
    largest = 0.0 if is_constant(problem) else alpha_max(problem)
    if largest == 0.0:
        return "no column of X varies with y: there is nothing to fit, pass other features"
    return f"all coefficients are zero: penalise at least {1.0 / largest:.3g} times less to let a feature in"


def _ending(problems: Sequence[Problem | BoxProblem], solutions: Sequence[Solution]) -> str:
    """How the solver ended: of several problems, the one that is farthest from its solution, and the first remark."""
    last = int(np.argmax([_gap(solution) for solution in solutions]))
    remarks = [_remark(problem, solution) for problem, solution in zip(problems, solutions, strict=True)]
    if len(solutions) == 1:
        return "; ".join(filter(None, (solutions[0].message, remarks[0])))
    sentences = [f"{len(solutions)} problems, the last of them (number {last}) {solutions[last].message}"]
    sentences += [f"number {k}: {remark}" for k, remark in enumerate(remarks) if remark]
    return "; ".join(sentences[:2])


def _gap(solution: Solution) -> float:
    return solution.gap


def check_alone(estimator: LinearModel, y: Vector, classes: NDArray[Any] | None, who: str) -> None:
    """Refuse a ``y`` that makes several problems, where one is followed."""
    K = len(estimator._targets(y, classes))
    if K > 1:
        raise ValueError(
            f"{who} follows one problem, but y makes {K} of them: pass one target, or one class against the rest, "
            "at a time"
        )


def check_model(estimator: Any, what: str) -> LinearModel:
    """One of the models that have hyperparameters, or a sentence."""
    if not isinstance(estimator, LinearModel) or not estimator.tunable:
        name = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
        raise ValueError(
            f"{name} has {what}: pass a model of lambdahat, such as Lasso, ElasticNet or SparseLogisticRegression"
        )
    return estimator


def check_penalised(estimator: Any, what: str) -> LinearModel:
    """One of these models whose hyperparameter is the strength of a penalty on its coefficients, or a sentence."""
    model = check_model(estimator, what)
    if "C" in model.tunable:
        raise ValueError(f"{type(model).__name__} has {what}: pass a model that is penalised by alpha, such as Lasso")
    return model


def warn_unconverged(name: str, solution: Solution, stacklevel: int) -> None:
    """A warning with the gap reached and what to do."""
    warnings.warn(f"{name} {solution.message}", ConvergenceWarning, stacklevel=stacklevel + 1)


class LinearModel(BaseEstimator):
    """Base of the linear models: a subclass has parameters, a penalty, and a space for its hyperparameters."""

    fit_intercept: bool
    standardize: bool
    positive: bool
    tol: float
    max_iter: int
    warm_start: bool
    coef_: NDArray[np.float64]
    intercept_: Any
    tunable: tuple[str, ...] = ("alpha",)
    datafit: Datafit = Quadratic()

    @property
    def tuned(self) -> tuple[str, ...]:
        """What a search tunes unless it is told otherwise."""
        return self.tunable

    def _chosen(self, hyperparams: Any) -> tuple[str, ...]:
        """The names of some hyperparameters, checked, in the order of ``tunable``; by default what a search tunes."""
        if hyperparams is None:
            return self.tuned
        chosen = [hyperparams] if isinstance(hyperparams, str) else list(hyperparams)
        if not chosen:
            raise ValueError(f"hyperparams is empty: choose from {', '.join(map(repr, self.tunable))}")
        stripped = [str(name).rpartition("__")[2] for name in chosen]
        for name in stripped:
            check_name(name, self.tunable, "hyperparameter")
        return tuple(name for name in self.tunable if name in stripped)

    @property
    def _datafit(self) -> Datafit:
        """The loss at the present parameters, checked."""
        return self.datafit

    def _read_target(self, y: Any, n: int) -> tuple[Matrix, NDArray[Any] | None]:
        """The target as the datafit takes it, and its classes."""
        target = self._datafit.read(y, n)
        self._datafit.check(target, "y")
        return target, None

    def _row_factors(self, classes: NDArray[Any] | None) -> Callable[[Vector, Vector], Vector] | None:
        """Weights of training rows beside their sample weights, see :class:`lambdahat.problem.Model`."""
        return None

    def _storage(self, X: Any) -> Storage | RowStorage:
        """X, validated, as the solver reads it."""
        return as_storage(X)

    def _make_penalty(self, n_features: int, total_weight: float) -> Penalty:
        """The penalty at the present parameters, checked; θ is what :meth:`_space` of all tunable parameters yields."""
        raise NotImplementedError

    def _check_hyperparams(self, n_features: int) -> None:
        """Raise where the present hyperparameters cannot be used."""
        self._make_penalty(n_features, 1.0)

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        """The search space of some hyperparameters (default: all tunable ones)."""
        for name in names or ():
            check_name(name, self.tunable, "hyperparameter")
        return Space(names=("alpha",), scales=("log",))

    def _targets(self, y: Vector, classes: NDArray[Any] | None) -> Sequence[Vector]:
        """The targets of the problems that ``y`` makes, see :class:`lambdahat.problem.Model`."""
        return (y,)

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        """Lines (origin, direction) along which the coarse look goes, by the strength of the penalty."""
        return [(np.zeros(1), np.ones(1))]

    def _values(self, space: Space, n_features: int) -> Vector:
        """The present hyperparameters, as values of the space."""
        return np.concatenate(
            [np.atleast_1d(np.asarray(getattr(self, name), dtype=np.float64)) for name in space.names]
        )

    def _model(self, names: Sequence[str] | None = None, classes: NDArray[Any] | None = None) -> Any:
        """What makes inner problems of data: a ``Model``, or what has its ``problems``."""
        penalty = self._penalty_of(tuple(names or self.tuned))
        factors = self._row_factors(classes)
        targets = partial(self._targets, classes=classes)
        return Model(penalty, bool(self.fit_intercept), bool(self.standardize), self._datafit, factors, targets)

    def _penalty_of(self, names: tuple[str, ...]) -> Callable[[int, float], Penalty]:
        """The penalty as a function of the hyperparameters named."""
        return self._make_penalty

    def _check_params(self) -> None:
        check_real(self.tol, "tol", open_low=True)
        check_count(self.max_iter, "max_iter")

    def _factors(self, n_features: int) -> Vector | None:
        return check_factors(getattr(self, "penalty_factors", None), n_features)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
            float32 data stay float32; CSC, C- and F-ordered arrays and memory maps are used where they lie.
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
            Non-negative; their scale matters to :class:`Ridge` only.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            In one sentence, where data or parameters cannot be used.

        Warns
        -----
        ConvergenceWarning
            Where ``max_iter`` rounds do not reach ``tol``.
        """
        self._check_params()
        with unchanged_on_error(self):
            return self._fit(validated(self, self, X, y, sample_weight))

    def _fit(self, data: Data, starts: Sequence[Solution] = ()) -> Self:
        """Fit from these solutions, one a problem, or with a warm start from the present coefficients."""
        problems: Sequence[Any]
        if data.moments:
            one = self._model().problem_from_moments(data.storage, data.y, data.sample_weight, data.moments[0])
            problems = (one,)
        else:
            problems = self._model(None, data.classes).several(data.storage, data.y, [data.sample_weight])[0]
        space = self._space(None, problems[0].n_features)
        if space.index is not None:  # each problem has hyperparameters of its own
            problems = space.placed(problems, space.theta(self._values(space, problems[0].n_features)))
        before = starts or self._previous(problems)
        solutions = solve_many(problems, tol=self.tol, max_iter=self.max_iter, starts=before)
        self._keep(problems, solutions, data)
        unconverged = [solution for solution in solutions if not solution.converged]
        if unconverged:
            warn_unconverged(type(self).__name__, max(unconverged, key=_gap), stacklevel=3)
        return self

    def _seen(self, classes: NDArray[Any] | None, Z: Matrix) -> Self:
        """The model as scorers see it: fitted, and with these linear predictions for any X."""
        seen: Any = copy(self)
        seen._linear_predictor = lambda _: Z
        seen.coef_ = seen.intercept_ = np.zeros(0)
        if classes is not None:
            seen.classes_ = classes
        fitted: Self = seen
        return fitted

    def _previous(self, problems: Sequence[Any]) -> Sequence[Solution | None]:
        """The present coefficients as solutions to start from, where that is wanted and they fit."""
        if self.warm_start and hasattr(self, "coef_"):
            coef, intercept = self._coefficients()
            several = len(problems) > 1
            parts = zip(np.atleast_2d(coef.T), np.ravel(intercept), strict=True) if several else [(coef, intercept)]
            starts = [Solution(np.array(w), intercept, np.inf, 0, False, "") for w, intercept in parts]
            if [start.w.shape for start in starts] == [problem.zeros().shape for problem in problems]:
                return starts
        return [None] * len(problems)

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        """Set the attributes that say what was found: coefficients with a row a target or class."""
        self.coef_ = np.ascontiguousarray(np.column_stack([solution.w for solution in solutions]).T)
        self.intercept_ = np.hstack([solution.intercept for solution in solutions])
        gaps = np.array([solution.gap for solution in solutions])
        self.dual_gap_ = gaps if gaps.size > 1 else float(gaps[0])
        self.n_iter_ = max(1, *(solution.n_iter for solution in solutions))
        self.status_ = _ending(problems, solutions)

    def _coefficients(self) -> tuple[Matrix, Any]:
        """The coefficients as solvers have them, (p,) or (p, K), with the intercept."""
        if len(np.atleast_2d(self.coef_)) > 1:
            return self.coef_.T, self.intercept_
        return np.ravel(self.coef_), float(np.ravel(self.intercept_)[0])

    def _linear_predictor(self, X: Any) -> Matrix:
        """``Xw + intercept``, shape (n,), or (n, K) for several targets or classes."""
        check_is_fitted(self)
        X, _ = _read(self, X, column_names(X), reset=False)
        coef, intercept = self._coefficients()
        if scipy.sparse.issparse(X):
            return np.asarray(X @ coef + intercept)
        used = rows_used(coef)
        return np.asarray(as_storage(X).matvec_columns(used, coef[used]) + intercept)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = False
        return tags


class LinearRegressor(RegressorMixin, LinearModel):
    """A linear model of a number, or of several."""

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        if data.y.ndim == 1:
            self.coef_, self.intercept_ = self.coef_[0], float(self.intercept_[0])

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the target.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,), or (n, T) for T targets
        """
        z = self._linear_predictor(X)
        return np.exp(z) if self._datafit.log_link else z

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R²; for a loss with a log link D², the share of the deviance that is explained, as scikit-learn's.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional

        Returns
        -------
        float
            At most 1; a constant prediction, the mean of ``y``, scores 0.
        """
        if not self._datafit.log_link:
            return float(super().score(X, y, sample_weight))
        z = self._linear_predictor(X)
        (target, _), weight = self._read_target(y, z.size), check_sample_weight(sample_weight, z.size)
        weight = weight / weight.sum()
        deviance = self._datafit.value(target, z, weight)
        if np.ptp(target[weight > 0.0]) == 0.0:  # as R² of a constant
            return float(deviance == 0.0)
        constant = np.full_like(z, self._datafit.constant(target, weight))
        return 1.0 - deviance / self._datafit.value(target, constant, weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self._datafit.log_link
        return tags


def _balanced(y: Vector, weight: Vector) -> Vector:
    """Factors that make rows of −1 and of +1 weigh the same."""
    total, positive = float(weight.sum()), float(weight[y > 0.0].sum())
    return np.where(y > 0.0, 0.5 * total / max(positive, 1e-300), 0.5 * total / max(total - positive, 1e-300))


class BinaryClassifier(ClassifierMixin, LinearModel):
    """A linear model whose decision values are positive for the second of two classes."""

    class_weight: Any
    classes_: NDArray[Any]

    def _read_target(self, y: Any, n: int) -> tuple[Vector, NDArray[Any] | None]:
        classes, target = check_labels(y, n)
        return target, classes

    def _row_factors(self, classes: NDArray[Any] | None) -> Callable[[Vector, Vector], Vector] | None:
        if self.class_weight is None or classes is None:
            return None
        check_class_weight(self.class_weight, classes)
        if isinstance(self.class_weight, str):
            return lambda y, weight: np.squeeze([_balanced(target, weight) for target in self._targets(y, classes)])
        each = np.array([float(self.class_weight.get(label, 1.0)) for label in classes.tolist()])
        return lambda y, weight: each[(y if classes.size > 2 else y > 0.0).astype(np.intp)]

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        assert data.classes is not None
        self.classes_ = data.classes

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """What is positive for the second class: its log-odds, where the loss is that of logistic regression.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,)
        """
        return self._linear_predictor(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the class.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,)
        """
        positive = self.decision_function(X) > 0.0
        labels: NDArray[Any] = self.classes_[positive.astype(np.intp)]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class LinearClassifier(BinaryClassifier):
    """A linear model of the log-odds of the second of two classes."""

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of both classes.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n, 2)
        """
        z = self.decision_function(X)
        return np.column_stack([expit(-z), expit(z)])

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities of both classes.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n, 2)
        """
        z = self.decision_function(X)
        return np.column_stack([log_expit(-z), log_expit(z)])

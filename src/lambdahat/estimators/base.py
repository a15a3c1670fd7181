"""What all linear models here share: validation, fitting, prediction."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
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
    check_target,
    column_names,
    unchanged_on_error,
)
from lambdahat.criteria import Data, Fold, is_constant
from lambdahat.datafits import Datafit, Quadratic
from lambdahat.design import as_storage
from lambdahat.linear import Vector
from lambdahat.penalties import Separable
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
    return Data(as_storage(X), target, weight, X, groups, columns, classes)


def _read(estimator: BaseEstimator, X: Any, columns: list[str] | None, *, reset: bool) -> tuple[Any, float]:
    X = validate_data(estimator, check_container(X), reset=reset, **READ)
    return X, check_finite(X, columns=columns)


def _remark(problem: Problem, solution: Solution) -> str:
    """What else there is to say of a solution, if anything."""
    if not solution.w.any():
        return _why_zero(problem)
    if problem.datafit.labels and np.any(problem.penalty.l1 + problem.penalty.l2 == 0.0):
        z = problem.prediction(solution.support, solution.w[solution.support], problem.offset(solution))
        if np.all((problem.y * z)[problem.design.rows] > 0.0):
            return "the classes are separated: without a penalty coefficients grow for ever, penalise every feature"
    return ""


def _why_zero(problem: Problem) -> str:
    if np.ptp(problem.y[problem.design.rows]) == 0.0:
        return "y is constant: there is nothing to fit, pass a target that varies"
    largest = 0.0 if is_constant(problem) else alpha_max(problem)
    if largest == 0.0:
        return "no column of X varies with y: there is nothing to fit, pass other features"
    return f"all coefficients are zero: penalise at least {1.0 / largest:.3g} times less to let a feature in"


def _ending(problems: Sequence[Problem], solutions: Sequence[Solution]) -> str:
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
            f"{name} has {what}: pass Lasso, ElasticNet, WeightedLasso, Ridge, SparseLogisticRegression or OneVsRestLogistic of "
            "lambdahat"
        )
    return estimator


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

    def _read_target(self, y: Any, n: int) -> tuple[Vector, NDArray[Any] | None]:
        """The target as the datafit takes it, and its classes."""
        return check_target(y, n), None

    def _row_factors(self, classes: NDArray[Any] | None) -> Callable[[Vector, Vector], Vector] | None:
        """Weights of training rows beside their sample weights, see :class:`lambdahat.problem.Model`."""
        return None

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        """The penalty at the present parameters, checked; θ is what :meth:`_space` of all tunable parameters yields."""
        raise NotImplementedError

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

    def _model(self, names: Sequence[str] | None = None, classes: NDArray[Any] | None = None) -> Model:
        penalty = self._penalty_of(tuple(names or self.tuned))
        factors = self._row_factors(classes)
        targets = partial(self._targets, classes=classes)
        return Model(penalty, bool(self.fit_intercept), bool(self.standardize), self.datafit, factors, targets)

    def _penalty_of(self, names: tuple[str, ...]) -> Callable[[int, float], Separable]:
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
        problems: Sequence[Problem]
        if data.moments:
            one = self._model().problem_from_moments(data.storage, data.y, data.sample_weight, data.moments[0])
            problems = (one,)
        else:
            problems = self._model(None, data.classes).several(data.storage, data.y, [data.sample_weight])[0]
        space = self._space(None, problems[0].n_features)
        problems = space.placed(problems, space.theta(self._values(space, problems[0].n_features)))
        before = starts or self._previous(len(problems), problems[0].n_features)
        solutions = solve_many(problems, tol=self.tol, max_iter=self.max_iter, starts=before)
        self._keep(problems, solutions, data)
        unconverged = [solution for solution in solutions if not solution.converged]
        if unconverged:
            warn_unconverged(type(self).__name__, max(unconverged, key=_gap), stacklevel=3)
        return self

    def _previous(self, K: int, p: int) -> Sequence[Solution | None]:
        """The present coefficients as solutions to start from, where that is wanted and they fit."""
        if not (self.warm_start and np.size(getattr(self, "coef_", ())) == K * p):
            return [None] * K
        coefs, intercepts = np.reshape(self.coef_, (K, p)), np.ravel(self.intercept_)
        return [
            Solution(w, float(intercept), np.inf, 0, False, "") for w, intercept in zip(coefs, intercepts, strict=True)
        ]

    def _keep(self, problems: Sequence[Problem], solutions: Sequence[Solution], data: Data) -> None:
        """Set the fitted attributes: coefficients with a row a problem."""
        self.coef_ = np.stack([solution.w for solution in solutions])
        self.intercept_ = np.array([solution.intercept for solution in solutions])
        gaps = np.array([solution.gap for solution in solutions])
        self.dual_gap_ = gaps if len(solutions) > 1 else float(gaps[0])
        self.n_iter_ = max(1, *(solution.n_iter for solution in solutions))
        self.status_ = _ending(problems, solutions)

    def _linear_predictor(self, X: Any) -> Vector:
        """``Xw + intercept``, shape (n,), or (n, K) where there are several rows of coefficients."""
        check_is_fitted(self)
        X, _ = _read(self, X, column_names(X), reset=False)
        coefs, intercepts = np.atleast_2d(self.coef_), np.ravel(self.intercept_)
        if scipy.sparse.issparse(X):
            columns = [X @ w for w in coefs]
        else:
            storage = as_storage(X)
            used = [np.flatnonzero(w).astype(np.int32) for w in coefs]
            columns = [storage.matvec_columns(support, w[support]) for support, w in zip(used, coefs, strict=True)]
        z = np.stack([column + b for column, b in zip(columns, intercepts, strict=True)], axis=1)
        return z if z.shape[1] > 1 else z[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = False
        return tags


class LinearRegressor(RegressorMixin, LinearModel):
    """A linear model of a number, or of several."""

    def _keep(self, problems: Sequence[Problem], solutions: Sequence[Solution], data: Data) -> None:
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
        return self._linear_predictor(X)


def _balanced(y: Vector, weight: Vector) -> Vector:
    """Factors that make rows of −1 and of +1 weigh the same."""
    total, positive = float(weight.sum()), float(weight[y > 0.0].sum())
    return np.where(y > 0.0, 0.5 * total / max(positive, 1e-300), 0.5 * total / max(total - positive, 1e-300))


class LinearClassifier(ClassifierMixin, LinearModel):
    """A linear model of the log-odds of the second of two classes."""

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
            return lambda y, weight: np.stack([_balanced(target, weight) for target in self._targets(y, classes)])
        each = np.array([float(self.class_weight.get(label, 1.0)) for label in classes.tolist()])
        return lambda y, weight: each[(y if classes.size > 2 else y > 0.0).astype(np.intp)]

    def _keep(self, problems: Sequence[Problem], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        assert data.classes is not None
        self.classes_ = data.classes

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The log-odds of the second class.

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

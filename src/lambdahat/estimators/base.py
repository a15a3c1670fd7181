"""What all linear models here share: validation, fitting, prediction."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from lambdahat._validation import (
    READ,
    check_container,
    check_count,
    check_factors,
    check_finite,
    check_magnitude,
    check_name,
    check_real,
    check_sample_weight,
    check_target,
    column_names,
    unchanged_on_error,
)
from lambdahat.criteria import Data, is_constant
from lambdahat.design import as_storage
from lambdahat.linear import Vector
from lambdahat.penalties import Separable
from lambdahat.problem import Model, Problem, Solution
from lambdahat.search import Space
from lambdahat.solvers import alpha_max, solve


def validated(estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Data:
    """Validate training data, set ``n_features_in_`` and ``feature_names_in_``, and hand X to its storage."""
    columns = column_names(X)
    X, largest = _read(estimator, X, columns, reset=True)
    check_magnitude(largest, "X", "its columns")
    target = check_target(y, X.shape[0])
    return Data(as_storage(X), target, check_sample_weight(sample_weight, X.shape[0]), X, groups, columns)


def _read(estimator: BaseEstimator, X: Any, columns: list[str] | None, *, reset: bool) -> tuple[Any, float]:
    X = validate_data(estimator, check_container(X), reset=reset, **READ)
    return X, check_finite(X, columns=columns)


def _why_zero(problem: Problem) -> str:
    if np.ptp(problem.y[problem.design.rows]) == 0.0:
        return "y is constant: there is nothing to fit, pass a target that varies"
    largest = 0.0 if is_constant(problem) else alpha_max(problem)
    if largest == 0.0:
        return "no column of X varies with y: there is nothing to fit, pass other features"
    return f"all coefficients are zero: penalise at least {1.0 / largest:.3g} times less to let a feature in"


def check_model(estimator: Any, what: str) -> LinearModel:
    """One of the models that have hyperparameters, or a sentence."""
    if not isinstance(estimator, LinearModel) or not estimator.tunable:
        name = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
        raise ValueError(f"{name} has {what}: pass Lasso, ElasticNet, WeightedLasso or Ridge of lambdahat")
    return estimator


def warn_unconverged(name: str, solution: Solution, stacklevel: int) -> None:
    """A warning with the gap reached and what to do."""
    warnings.warn(f"{name} {solution.message}", ConvergenceWarning, stacklevel=stacklevel + 1)


class LinearModel(RegressorMixin, BaseEstimator):
    """Base of the linear models: a subclass has parameters, a penalty, and a space for its hyperparameters."""

    fit_intercept: bool
    standardize: bool
    positive: bool
    tol: float
    max_iter: int
    warm_start: bool
    tunable: tuple[str, ...] = ("alpha",)

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        """The penalty at the present parameters, checked; θ is what :meth:`_space` of all tunable parameters yields."""
        raise NotImplementedError

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        """The search space of some hyperparameters (default: all tunable ones)."""
        for name in names or ():
            check_name(name, self.tunable, "hyperparameter")
        return Space(names=("alpha",), scales=("log",))

    def _lines(self, space: Space) -> list[tuple[Vector, Vector]]:
        """Lines (origin, direction) along which the coarse look goes, by the strength of the penalty."""
        return [(np.zeros(1), np.ones(1))]

    def _values(self, space: Space, n_features: int) -> Vector:
        """The present hyperparameters, as values of the space."""
        return np.concatenate(
            [np.atleast_1d(np.asarray(getattr(self, name), dtype=np.float64)) for name in space.names]
        )

    def _model(self, names: Sequence[str] | None = None) -> Model:
        return Model(self._make_penalty, bool(self.fit_intercept), bool(self.standardize))

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
            data = validated(self, X, y, sample_weight)
            start = None
            if self.warm_start and getattr(self, "coef_", np.empty(0)).shape == (data.storage.shape[1],):
                start = Solution(self.coef_, self.intercept_, np.inf, 0, False, "")
            return self._fit(data, start)

    def _fit(self, data: Data, start: Solution | None = None) -> Self:
        if data.moments:
            problem = self._model().problem_from_moments(data.storage, data.y, data.sample_weight, data.moments[0])
        else:
            problem = self._model().problems(data.storage, data.y, [data.sample_weight])[0]
        solution = solve(problem, tol=self.tol, max_iter=self.max_iter, start=start)
        self.coef_ = solution.w
        self.intercept_ = solution.intercept
        self.dual_gap_ = solution.gap
        self.n_iter_ = max(1, solution.n_iter)
        self.status_ = solution.message if solution.w.any() else f"{solution.message}; {_why_zero(problem)}"
        if not solution.converged:
            warn_unconverged(type(self).__name__, solution, stacklevel=3)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the target.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,)
        """
        check_is_fitted(self)
        X, _ = _read(self, X, column_names(X), reset=False)
        if scipy.sparse.issparse(X):
            return np.asarray(X @ self.coef_ + self.intercept_)
        used = np.flatnonzero(self.coef_).astype(np.int32)
        return as_storage(X).matvec_columns(used, self.coef_[used]) + self.intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = False
        return tags

"""Ridge regression: one strength, one for each group of features, or one for each feature."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_factors, check_groups, check_real
from lambdahat.estimators.alpha_or_factors import AlphaOrFactors
from lambdahat.estimators.base import LinearRegressor
from lambdahat.estimators.cross_validated import CrossValidated
from lambdahat.estimators.linear_models import COMMON
from lambdahat.linear import Vector
from lambdahat.penalties import Separable, ridge, weighted_ridge


class Ridge(AlphaOrFactors, LinearRegressor):
    """``Σ s_i (y_i − b − x_iᵀw)² + alpha Σ_j factor_j w_j²``, as scikit-learn's Ridge: alpha grows with the rows.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, at least zero.
    {common}

    Notes
    -----
    A search tunes ``alpha``, or with ``hyperparams=["penalty_factors"]`` one factor a feature (automatic relevance
    determination, by the criterion instead of the evidence), or one a group where ``groups`` are given.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import GradientSearch, Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GradientSearch(Ridge(groups=[[0, 1], range(2, 10)]), hyperparams=["penalty_factors"]).fit(X, y)
    >>> search.best_params_["penalty_factors"].shape
    (2,)
    """

    factors_name = "penalty_factors"

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        groups: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-8,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _block_labels(self, n_features: int) -> NDArray[np.intp]:
        return check_groups(self.groups, n_features)

    def _block_factors(self, labels: NDArray[np.intp]) -> Vector:
        n_groups, each = int(labels.max(initial=-1)) + 1, "feature" if self.groups is None else "group"
        factors = check_factors(self.penalty_factors, n_groups, "penalty_factors", each)
        return np.ones(n_groups) if factors is None else factors

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        labels = self._block_labels(n_features)
        factors, alpha = self._block_factors(labels)[labels], check_real(self.alpha, "alpha")
        return ridge(n_features, alpha, factors, total_weight=total_weight, positive=self.positive)

    def _factors_penalty(self, n_features: int, total_weight: float) -> Separable:
        labels, alpha = self._block_labels(n_features), check_real(self.alpha, "alpha")
        factors = self._block_factors(labels)
        return weighted_ridge(labels, factors, alpha, total_weight=total_weight, positive=self.positive)


class RidgeCV(CrossValidated, LinearRegressor):
    """Ridge with its strengths chosen by cross-validation: scikit-learn's `RidgeCV`, by gradient instead of by grid.

    Parameters
    ----------
    groups : int, array, list of lists or dict, optional
        By default there is one ``alpha`` for all features. With groups, as :class:`Ridge` has them, there is one for
        each group; ``groups=1`` has one for each feature.
    cv : int, splitter or iterable, default 5
    fit_intercept, standardize, positive, tol, max_iter
        As in :class:`Ridge`.
    n_jobs : int, optional
        Folds solved at a time, in threads.
    verbose : int, default 0

    Attributes
    ----------
    alpha_ : float, or array of shape (n_groups,)
        The chosen ones.
    coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`Ridge`.
    trace_ : Trace
        What the search visited.
    status_ : str
    search_ : GradientSearch

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import RidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> RidgeCV(groups=1).fit(X, y).alpha_.shape
    (10,)
    """

    def __init__(
        self,
        *,
        groups: Any = None,
        cv: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        tol: float = 1e-8,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.groups = groups
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _estimator(self, l1_ratio: float = 0.0) -> Ridge:
        return Ridge(
            groups=self.groups, fit_intercept=self.fit_intercept, standardize=self.standardize, positive=self.positive,
            tol=self.tol, max_iter=self.max_iter,
        )  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Choose the strengths and fit.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
        groups : array of shape (n,), optional
            Of rows, for splitters that want it.

        Returns
        -------
        self
        """
        tuned = ["alpha"] if self.groups is None else ["penalty_factors"]
        self._adopt(self._search(X, y, sample_weight, groups, self._estimator(), hyperparams=tuned))
        if self.groups is not None:
            self.alpha_ = self.search_.best_params_["penalty_factors"]
        return self


_common = COMMON.replace("default 1e-4", "default 1e-8").replace(
    "    penalty_factors : ",
    """    groups : int, array, list of lists or dict, optional
        As in :class:`GroupLasso`: features that share a factor. By default every feature has its own.
    penalty_factors : """,
)
Ridge.__doc__ = (Ridge.__doc__ or "").replace("{common}", _common.strip("\n").lstrip())

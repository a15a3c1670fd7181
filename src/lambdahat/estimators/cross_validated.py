"""Drop-in classes for scikit-learn's `LassoCV`, `ElasticNetCV` and `LogisticRegressionCV`."""

from __future__ import annotations

import numbers
from typing import Any, Self

from lambdahat._validation import check_real
from lambdahat.estimators.base import LinearClassifier, LinearModel, LinearRegressor
from lambdahat.estimators.gradient_search import GradientSearch
from lambdahat.estimators.linear_models import ElasticNet, Lasso
from lambdahat.estimators.logistic import SparseLogisticRegression
from lambdahat.penalties import Penalty


class CrossValidated(LinearModel):
    """Fit by a :class:`GradientSearch` and keep the fitted attributes of the model it ends with."""

    tunable = ()
    cv: Any
    n_jobs: int | None
    verbose: int

    def _make_penalty(self, n_features: int, total_weight: float) -> Penalty:
        return self._estimator()._make_penalty(n_features, total_weight)

    def _estimator(self, l1_ratio: float = 1.0) -> LinearModel:
        """The model to be tuned."""
        raise NotImplementedError

    def _search(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, estimator: LinearModel, **kwargs: Any
    ) -> GradientSearch:
        search = GradientSearch(
            estimator, cv=5 if self.cv is None else self.cv, n_jobs=self.n_jobs, verbose=self.verbose, **kwargs
        )
        return search.fit(X, y, sample_weight=sample_weight, groups=groups)

    def _adopt(self, search: GradientSearch) -> Self:
        best = search.best_estimator_
        for name in ("coef_", "intercept_", "dual_gap_", "n_iter_"):
            setattr(self, name, getattr(best, name))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(search, name):
                setattr(self, name, getattr(search, name))
        self.alpha_ = best.alpha
        self.trace_ = search.trace_
        self.status_ = search.status_
        self.search_ = search
        return self


class LassoCV(CrossValidated, LinearRegressor):
    """Lasso with ``alpha`` chosen by cross-validation: scikit-learn's `LassoCV`, by gradient instead of by grid.

    One ``alpha`` for all targets where ``y`` has several.

    Parameters
    ----------
    cv : int, splitter or iterable, default 5
    fit_intercept, standardize, positive, penalty_factors, tol, max_iter
        As in :class:`Lasso`.
    n_jobs : int, optional
        Folds solved at a time, in threads.
    verbose : int, default 0

    Attributes
    ----------
    alpha_ : float
        The chosen one.
    coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`Lasso`.
    trace_ : Trace
        What the search visited; takes the place of ``mse_path_`` and ``alphas_``.
    status_ : str
    search_ : GradientSearch
    """

    def __init__(
        self,
        *,
        cv: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _estimator(self, l1_ratio: float = 1.0) -> Lasso:
        return Lasso(
            fit_intercept=self.fit_intercept, standardize=self.standardize, positive=self.positive,
            penalty_factors=self.penalty_factors, tol=self.tol, max_iter=self.max_iter,
        )  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Choose ``alpha`` and fit.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
        groups : array of shape (n,), optional
            For splitters that want it.

        Returns
        -------
        self
        """
        return self._adopt(self._search(X, y, sample_weight, groups, self._estimator()))


class RatioChosen(CrossValidated):
    """Choose ``alpha`` with a given ``l1_ratio``, the best of several, or one that is tuned as well."""

    l1_ratio: Any
    l1_ratio_: float

    def _choose(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> GradientSearch:
        if isinstance(self.l1_ratio, str):
            if self.l1_ratio != "auto":
                raise ValueError(f"l1_ratio={self.l1_ratio!r} is unknown: pass a number, a list of numbers, or 'auto'")
            both = ["alpha", "l1_ratio"]
            search = self._search(X, y, sample_weight, groups, self._estimator(0.5), hyperparams=both)
        else:
            ratios = [self.l1_ratio] if isinstance(self.l1_ratio, numbers.Real) else list(self.l1_ratio)
            if not ratios:
                raise ValueError("l1_ratio is empty: pass a number, a list of numbers, or 'auto'")
            searches = [
                self._search(X, y, sample_weight, groups, self._estimator(ratio), hyperparams=["alpha"])
                for ratio in [check_real(ratio, "l1_ratio", high=1.0) for ratio in ratios]
            ]
            search = min(searches, key=lambda search: search.best_criterion_)
        self.l1_ratio_ = float(search.best_estimator_.l1_ratio)
        return search


class ElasticNetCV(RatioChosen, LinearRegressor):
    """Elastic net with ``alpha``, and ``l1_ratio`` unless given, chosen by cross-validation.

    Parameters
    ----------
    l1_ratio : float, list of float, or "auto", default 0.5
        One value is kept (as scikit-learn does); of a list the best is taken; ``"auto"`` tunes it by gradient too.
    cv : int, splitter or iterable, default 5
    fit_intercept, standardize, positive, penalty_factors, tol, max_iter
        As in :class:`ElasticNet`.
    n_jobs : int, optional
        Folds solved at a time, in threads.
    verbose : int, default 0

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The chosen ones.
    coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`ElasticNet`.
    trace_ : Trace
        What the search visited; takes the place of ``mse_path_`` and ``alphas_``.
    status_ : str
    search_ : GradientSearch
    """

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        cv: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _estimator(self, l1_ratio: float = 0.5) -> ElasticNet:
        return ElasticNet(
            l1_ratio=l1_ratio, fit_intercept=self.fit_intercept, standardize=self.standardize, positive=self.positive,
            penalty_factors=self.penalty_factors, tol=self.tol, max_iter=self.max_iter,
        )  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Choose ``alpha`` (and ``l1_ratio``) and fit.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
        groups : array of shape (n,), optional
            For splitters that want it.

        Returns
        -------
        self
        """
        return self._adopt(self._choose(X, y, sample_weight, groups))


class SparseLogisticRegressionCV(RatioChosen, LinearClassifier):
    """Sparse logistic regression with ``alpha``, and ``l1_ratio`` unless given, chosen by cross-validated log-loss.

    What scikit-learn's `LogisticRegressionCV` is for, by gradient instead of by grid.

    Parameters
    ----------
    l1_ratio : float, list of float, or "auto", default 1.0
        One value is kept; of a list the best is taken; ``"auto"`` tunes it by gradient too.
    cv : int, splitter or iterable, default 5
        Folds are stratified.
    class_weight, fit_intercept, standardize, positive, penalty_factors, tol, max_iter
        As in :class:`SparseLogisticRegression`.
    n_jobs : int, optional
        Folds solved at a time, in threads.
    verbose : int, default 0

    Attributes
    ----------
    alpha_, l1_ratio_, C_ : float
        The chosen ones; ``C_`` is scikit-learn's ``C`` with the same solution.
    coef_, intercept_, classes_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in :class:`SparseLogisticRegression`.
    trace_ : Trace
        What the search visited; takes the place of ``scores_`` and ``Cs_``.
    status_ : str
    search_ : GradientSearch
    """

    datafit = SparseLogisticRegression.datafit

    def __init__(
        self,
        *,
        l1_ratio: Any = 1.0,
        cv: Any = None,
        class_weight: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _estimator(self, l1_ratio: float = 0.5) -> SparseLogisticRegression:
        return SparseLogisticRegression(
            l1_ratio=l1_ratio, class_weight=self.class_weight, fit_intercept=self.fit_intercept,
            standardize=self.standardize, positive=self.positive, penalty_factors=self.penalty_factors, tol=self.tol,
            max_iter=self.max_iter,
        )  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Choose ``alpha`` (and ``l1_ratio``) and fit.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : array of shape (n,)
            Labels of two classes.
        sample_weight : array of shape (n,), optional
        groups : array of shape (n,), optional
            For splitters that want it.

        Returns
        -------
        self
        """
        search = self._choose(X, y, sample_weight, groups)
        self.classes_ = search.classes_
        self.C_ = search.best_estimator_.C_
        return self._adopt(search)

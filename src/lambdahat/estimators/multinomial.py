"""Sparse multinomial logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from lambdahat._validation import check_class_weight, check_labels, check_name
from lambdahat.criteria import Data
from lambdahat.datafits import Logistic, Multinomial
from lambdahat.estimators.alpha_each import AlphaEach
from lambdahat.estimators.linear_models import COMMON
from lambdahat.estimators.several_classes import SeveralClasses, of_classes
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Entrywise, Penalty, entrywise_l1, l1, tied_rows
from lambdahat.problem import Model, Problem, Solution

PENALTIES = ("l1", "rows")


class MultinomialLogistic(AlphaEach, SeveralClasses):
    """``1/Σs Σ s_i (log Σ_k exp(z_ik) − z_i,y_i) + Σ_jk factor_j alpha_k |W_jk|`` with ``z_i = b + Wᵀx_i``, K classes.

    Probabilities are ``exp(z_k) / Σ_j exp(z_j)``. The objective is that of scikit-learn's ``LogisticRegression`` with
    ``C = 1/(alpha Σs)``. With ``penalty="rows"`` the penalty is ``alpha Σ_j factor_j ‖W_j‖₂`` over the rows ``W_j`` of
    a feature's coefficients: it is used for all classes or for none.

    Of two classes there is one column of coefficients, and it is :class:`SparseLogisticRegression`.

    Parameters
    ----------
    alpha : float or array of shape (K,), default 0.01
        Strength of the penalty, at least zero; an array has one for each class, in the order of ``classes_`` (of two
        classes, one value), all positive. A search tunes one for all classes where it is a number, and one for each
        where it is an array, by the log-loss.
    penalty : {"l1", "rows"}, default "l1"
        Whether coefficients vanish one by one, or features for all classes at once.
    class_weight : dict of label to weight, "balanced", or None, default None
        Multiply the weights of the rows of each class in fitting, not in judging. ``"balanced"`` makes all classes
        weigh the same.
    {common}
    classes_ : array of shape (K,)
        The labels.

    Notes
    -----
    Predictions do not change where the same number is added to all coefficients of a feature: where as many of them are
    positive as negative, and none is zero, the ℓ1 norm does not either, and solutions are not unique.

    References
    ----------
    Friedman, Hastie & Tibshirani, *Regularization paths for generalized linear models via coordinate descent*, Journal
    of Statistical Software 2010, Section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from lambdahat import GradientSearch, MultinomialLogistic
    >>> X, y = load_wine(return_X_y=True)
    >>> search = GradientSearch(MultinomialLogistic(np.full(3, 0.01), standardize=True)).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (3,)
    """

    datafit = Multinomial()
    separate = False

    def __init__(
        self,
        alpha: Any = 0.01,
        *,
        penalty: str = "l1",
        class_weight: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.penalty = penalty
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _check_params(self) -> None:
        super()._check_params()
        check_name(self.penalty, PENALTIES, "penalty")
        if self.penalty == "rows" and self.positive:
            raise ValueError("positive=True is for penalty='l1': rows of coefficients have no sign")
        if self.penalty == "rows" and self._is_each:
            raise ValueError("alpha must be one number with penalty='rows', whose rows are of all classes")
        alphas = self._alphas
        if np.any(alphas == 0.0) and np.any(alphas > 0.0):
            raise ValueError(
                f"alpha[{int(np.argmin(alphas))}] is zero and others are not: penalise all classes, or none of them"
            )

    def _read_target(self, y: Any, n: int) -> tuple[Vector, NDArray[Any] | None]:
        classes, target = check_labels(y, n, binary=False)
        K = classes.size if classes.size > 2 else 1
        self._check_alphas(K, f"y has {classes.size} classes, which have {{K}} column(s) of coefficients", one=False)
        return target, classes

    def _targets(self, y: Vector, classes: NDArray[Any] | None) -> Sequence[Vector]:
        assert classes is not None
        return (y,) if classes.size == 2 else (np.asfortranarray(y[:, None] == np.arange(classes.size), dtype=float),)

    def _model(self, names: Sequence[str] | None = None, classes: NDArray[Any] | None = None) -> Model:
        model: Model = super()._model(names, classes)
        if classes is None or classes.size > 2:
            return model
        return replace(model, datafit=Logistic(), penalty=self._binary_penalty)

    def _binary_penalty(self, n_features: int, total_weight: float) -> Penalty:
        return l1(n_features, float(self._alphas[0]), self._factors(n_features), positive=self.positive)

    def _make_penalty(self, n_features: int, total_weight: float) -> Penalty:  # type: ignore[override]
        factors = self._factors(n_features)
        if self.penalty == "rows":
            return tied_rows(n_features, float(self._alphas[0]), 1.0, factors)
        return entrywise_l1(n_features, self._alphas, factors, positive=self.positive)

    def _largest(self, problems: Sequence[Problem]) -> list[float]:
        (problem,) = problems
        penalty = problem.penalty
        assert isinstance(penalty, Entrywise)
        return [float(norm) for norm in penalty.dual_norms(problem.correlation())]

    def _row_factors(self, classes: NDArray[Any] | None) -> Callable[[Vector, Vector], Vector] | None:
        if classes is None or classes.size == 2 or not isinstance(self.class_weight, str):
            return super()._row_factors(classes)
        check_class_weight(self.class_weight, classes)
        K = classes.size

        def balanced(y: Vector, weight: Vector) -> Vector:
            of_class = np.bincount(y.astype(np.intp), weight, K)
            return np.asarray((weight.sum() / (K * np.maximum(of_class, 1e-300)))[y.astype(np.intp)])

        return balanced

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        if self.intercept_.size > 1:  # the same number added to all changes no prediction
            self.intercept_ -= self.intercept_.mean()

    def _log_probabilities(self, scores: Matrix) -> Matrix:
        return np.asarray(log_softmax(scores, axis=1))

    def _class_scores(self, X: Any) -> Matrix:
        z = self.decision_function(X)
        return z if z.ndim == 2 else np.column_stack([np.zeros_like(z), z])


_common = COMMON.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on the duality gap over the loss without coefficients.",
)
MultinomialLogistic.__doc__ = (MultinomialLogistic.__doc__ or "").replace("{common}", of_classes(_common).strip())

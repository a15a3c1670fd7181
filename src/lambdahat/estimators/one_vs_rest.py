"""Sparse logistic regression of each of several classes against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_labels
from lambdahat.datafits import Logistic, log_probabilities
from lambdahat.estimators.alpha_each import AlphaEach
from lambdahat.estimators.linear_models import COMMON
from lambdahat.estimators.several_classes import SeveralClasses, of_classes
from lambdahat.linear import Matrix, Vector


class OneVsRestLogistic(AlphaEach, SeveralClasses):
    """Sparse logistic regression of each class against the rest: K problems, solved together over shared passes.

    Problem k is that of :class:`SparseLogisticRegression` with the labels "class k" and "another class". Probabilities
    are ``p_k = σ(z_k) / Σ_j σ(z_j)``, as those of scikit-learn's `OneVsRestClassifier`. Of two classes there is one
    problem, and it is :class:`SparseLogisticRegression`.

    Parameters
    ----------
    alpha : float or array of shape (K,), default 0.01
        Strength of the penalty, at least zero; an array has one for each class, in the order of ``classes_`` (of two
        classes, one value). A search tunes one for all classes where it is a number, and one for each where it is an
        array, by the log-loss of the probabilities.
    class_weight : dict of label to weight, "balanced", or None, default None
        Multiply the weights of the rows of each class in fitting, not in judging. ``"balanced"`` makes each class weigh
        as much as the rest in its own problem.
    {common}
    classes_ : array of shape (K,)
        The labels.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from lambdahat import GradientSearch, OneVsRestLogistic
    >>> X, y = load_wine(return_X_y=True)
    >>> search = GradientSearch(OneVsRestLogistic(np.full(3, 0.01), standardize=True)).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (3,)
    """

    datafit = Logistic()

    def __init__(
        self,
        alpha: Any = 0.01,
        *,
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
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _read_target(self, y: Any, n: int) -> tuple[Vector, NDArray[Any] | None]:
        classes, target = check_labels(y, n, binary=False)
        K = classes.size if classes.size > 2 else 1
        self._check_alphas(K, f"y has {classes.size} classes, which make {{K}} problem(s)", one=False)
        return target, classes

    def _targets(self, y: Vector, classes: NDArray[Any] | None) -> Sequence[Vector]:
        assert classes is not None
        return (y,) if classes.size == 2 else [np.where(y == k, 1.0, -1.0) for k in range(classes.size)]

    def _log_probabilities(self, scores: Matrix) -> Matrix:
        return log_probabilities(scores)


_common = COMMON.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on each duality gap over the loss without coefficients.",
)
_common = of_classes(_common).replace("dual_gap_ : float", "dual_gap_ : array of shape (K,), or float")
OneVsRestLogistic.__doc__ = (OneVsRestLogistic.__doc__ or "").replace("{common}", _common.strip())

"""Sparse logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from lambdahat._validation import check_count, check_real
from lambdahat.criteria import Data
from lambdahat.datafits import Logistic
from lambdahat.estimators.base import LinearClassifier
from lambdahat.estimators.linear_models import COMMON, AlphaAndRatio
from lambdahat.problem import Problem, Solution


class SparseLogisticRegression(AlphaAndRatio, LinearClassifier):
    """``1/Σs Σ s_i log(1 + exp(−y_i (b + x_iᵀw))) + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)``, ``y_i = ±1``.

    Parameters
    ----------
    alpha : float, default 0.01
        Strength of the penalty, at least zero. scikit-learn's ``LogisticRegression(C=C)`` has the same solution with
        ``C = 1/(n alpha)``, where n is the number of rows (the sum of all weights, where there are any):
        :meth:`from_C` converts, ``C_`` is the value fitted.
    l1_ratio : float, default 1.0
        Share of the ℓ1 norm, in [0, 1]. A search leaves it alone unless it is named in ``hyperparams``.
    class_weight : dict of label to weight, "balanced", or None, default None
        Multiply the weights of the rows of each class in fitting, not in judging. ``"balanced"`` makes both classes
        weigh the same in every fit.
    {common}
    classes_ : array of shape (2,)
        The labels; the second is the one whose log-odds are modelled.
    C_ : float
        scikit-learn's strength of the data for the same solution.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from lambdahat import SparseLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = SparseLogisticRegression(alpha=0.02, standardize=True).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.97
    """

    datafit = Logistic()

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
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
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def tuned(self) -> tuple[str, ...]:
        return ("alpha",)

    def _keep(self, problems: Sequence[Problem], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        factors = self._row_factors(data.classes)
        weight = data.sample_weight if factors is None else data.sample_weight * factors(data.y, data.sample_weight)
        self.C_ = 1.0 / (self.alpha * float(weight.sum())) if self.alpha > 0.0 else np.inf

    @classmethod
    def from_C(cls, C: float, n_samples: int, **parameters: Any) -> Self:
        """The model with the solution of scikit-learn's ``LogisticRegression(C=C)`` on ``n_samples`` rows.

        Parameters
        ----------
        C : float
        n_samples : int
        **parameters
            Of this class.

        Returns
        -------
        SparseLogisticRegression
        """
        C = check_real(C, "C", open_low=True)
        return cls(1.0 / (check_count(n_samples, "n_samples") * C), **parameters)


_common = COMMON.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on the duality gap over the loss without coefficients.",
)
_common = _common.replace("coef_ : array of shape (p,)", "coef_ : array of shape (1, p)")
_common = _common.replace("intercept_ : float", "intercept_ : array of shape (1,)")
SparseLogisticRegression.__doc__ = (SparseLogisticRegression.__doc__ or "").replace("{common}", _common.strip())

"""The square-root Lasso."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from lambdahat._validation import check_real
from lambdahat.datafits import RootMeanSquare
from lambdahat.estimators.base import LinearRegressor
from lambdahat.estimators.linear_models import COMMON
from lambdahat.linear import Vector
from lambdahat.penalties import Separable, l1
from lambdahat.search import Space

_SLACK, _LEVEL = 1.1, 0.05  # c and δ of Belloni et al.


class SqrtLasso(LinearRegressor):
    """``√(Σ s_i (y_i − b − x_iᵀw)² / Σs) + alpha Σ_j factor_j |w_j|``: the best alpha does not depend on the noise.

    Without weights that is ``‖y − b − Xw‖₂/√n + alpha ‖w‖₁``. With the residuals' ``σ = ‖y − b − Xw‖₂/√n`` at the
    solution, it is the solution of :class:`Lasso` at the strength ``alpha σ``. Residuals smaller than 1e-5 of y are
    penalised by their squares, which changes the objective by 5e-6 of the size of y at most.

    Parameters
    ----------
    alpha : float or "pivotal", default "pivotal"
        Strength of the penalty, at least zero. ``"pivotal"`` is ``1.1 Φ⁻¹(1 − 0.05/(2p)) / √n``, with which, whatever
        the noise, the penalty exceeds the noise's correlation with all columns in 95 % of samples or so, where noise is
        Gaussian and columns have standard deviation 1: ``standardize=True``. A search tunes it.
    {common}

    References
    ----------
    Belloni, Chernozhukov & Wang, *Square-root lasso: pivotal recovery of sparse signals via conic programming*,
    Biometrika 2011, equation 10.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import SqrtLasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> SqrtLasso(standardize=True).fit(X, y).coef_.nonzero()[0].tolist()
    [2, 3, 8]
    """

    datafit = RootMeanSquare()

    def __init__(
        self,
        alpha: Any = "pivotal",
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        return l1(
            n_features, self._strength(n_features, total_weight), self._factors(n_features), positive=self.positive
        )

    def _strength(self, n_features: int, total_weight: float) -> float:
        if not isinstance(self.alpha, str):
            return check_real(self.alpha, "alpha")
        if self.alpha != "pivotal":
            raise ValueError(f"alpha={self.alpha!r} is unknown: pass a number, or 'pivotal'")
        return _SLACK * float(norm.isf(_LEVEL / (2.0 * n_features))) / float(np.sqrt(total_weight))

    def _values(self, space: Space, n_features: int) -> Vector:
        if isinstance(self.alpha, str):
            raise ValueError(f"alpha={self.alpha!r} depends on the rows of each fold: pass a number to begin with")
        return super()._values(space, n_features)


_common = COMMON.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on the duality gap over ``‖y‖_s`` (y centred when there is an intercept).",
)
SqrtLasso.__doc__ = (SqrtLasso.__doc__ or "").replace("{common}", _common.strip())

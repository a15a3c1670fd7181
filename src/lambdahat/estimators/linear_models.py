"""The models: names, objectives and parameters are scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_factors, check_name, check_real, check_target, check_targets
from lambdahat.criteria import Fold
from lambdahat.estimators.alpha_each import AlphaEach
from lambdahat.estimators.base import LinearModel, LinearRegressor
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Penalty, Separable, elastic_net, tied_elastic_net, weighted_l1
from lambdahat.search import Space

COMMON = """
    fit_intercept : bool, default True
    standardize : bool, default False
        Penalise as if every column had standard deviation 1; coefficients stay in the units of X, and X is not copied.
    positive : bool, default False
        Constrain coefficients to be non-negative.
    penalty_factors : array of shape (p,), optional
        Multiply the penalty of each feature; 0 leaves it unpenalised, ``inf`` excludes it. They are not rescaled.
    tol : float, default 1e-4
        Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).
    max_iter : int, default 1000
        Rounds of the solver; each looks at all columns once.
    warm_start : bool, default False
        Start from the previous ``coef_``.

    Attributes
    ----------
    coef_ : array of shape (p,)
    intercept_ : float
    dual_gap_ : float
        Relative duality gap reached.
    n_iter_ : int
    status_ : str
        How the solver ended, in a sentence.
    n_features_in_ : int
    feature_names_in_ : array of shape (p,), when X has column names
"""


class Lasso(AlphaEach, LinearRegressor):
    """``1/(2 Σs) Σ s_i (y_i − b − x_iᵀw)² + alpha Σ_j factor_j |w_j|``, as scikit-learn's Lasso.

    A ``y`` of shape (n, T) makes T such problems, which are solved together: one pass over X serves them all.

    Parameters
    ----------
    alpha : float or array of shape (T,), default 1.0
        Strength of the penalty, at least zero; an array has one for each target. A search tunes one for all targets
        where it is a number, and one for each where it is an array, then by the mean of their errors.
    {common}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> int(np.count_nonzero(Lasso(alpha=0.5).fit(X, y).coef_))
    5
    """

    def __init__(
        self,
        alpha: Any = 1.0,
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

    def _read_target(self, y: Any, n: int) -> tuple[Matrix, NDArray[Any] | None]:
        several = np.asarray(y).ndim == 2 and np.asarray(y).shape[1] > 1
        target = check_targets(y, n) if several else check_target(y, n)
        self._check_alphas(len(self._targets(target, None)), "y has {K} targets", one=target.ndim == 1)
        return target, None

    def _targets(self, y: Matrix, classes: NDArray[Any] | None) -> Sequence[Vector]:
        return (y,) if y.ndim == 1 else tuple(np.ascontiguousarray(y.T))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class AlphaAndRatio(LinearModel):
    """``alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)``, of which a search may tune one hyperparameter or both."""

    alpha: float
    l1_ratio: float
    tunable = ("alpha", "l1_ratio")

    def _make_penalty(self, n_features: int, total_weight: float) -> Penalty:
        alpha, ratio = check_real(self.alpha, "alpha"), check_real(self.l1_ratio, "l1_ratio", high=1.0)
        factors = self._factors(n_features)
        return elastic_net(n_features, alpha * ratio, alpha * (1.0 - ratio), factors, positive=self.positive)

    def _tied_penalty(self, n_features: int, total_weight: float) -> Penalty:
        alpha, ratio = check_real(self.alpha, "alpha"), check_real(self.l1_ratio, "l1_ratio", high=1.0)
        return tied_elastic_net(n_features, alpha, ratio, self._factors(n_features), positive=self.positive)

    def _penalty_of(self, names: tuple[str, ...]) -> Callable[[int, float], Penalty]:
        return self._tied_penalty if names == ("alpha",) else self._make_penalty

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        chosen = tuple(check_name(name, self.tunable, "hyperparameter") for name in names or self.tuned)
        if chosen == ("alpha",):
            return super()._space(chosen, n_features)
        if chosen == ("l1_ratio",):
            alpha = float(self.alpha)
            return Space(
                chosen,
                ("logit",),
                lambda values: alpha * np.array([values[0], 1.0 - values[0]]),
                lambda values, g: alpha * (g[:1] - g[1:]),
                lambda values: {"l1_ratio": float(values[0])},
            )
        return Space(
            ("alpha", "l1_ratio"),
            ("log", "logit"),
            lambda values: values[0] * np.array([values[1], 1.0 - values[1]]),
            lambda values, g: np.array([values[1] * g[0] + (1.0 - values[1]) * g[1], values[0] * (g[0] - g[1])]),
            lambda values: {"alpha": float(values[0]), "l1_ratio": float(values[1])},
        )

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        if space.names == ("alpha",):
            return super()._lines(space, folds)
        if space.names == ("l1_ratio",):
            return []
        ratios = np.array([0.99999, 0.5, 0.95, 0.1, 0.25, 0.75, 0.02])  # the first is the Lasso but for the name
        return [(np.array([0.0, logit]), np.array([1.0, 0.0])) for logit in np.log(ratios / (1.0 - ratios))]


class ElasticNet(AlphaAndRatio, LinearRegressor):
    """``1/(2 Σs) Σ s_i (y_i − b − x_iᵀw)² + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)``, as scikit-learn's.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, at least zero.
    l1_ratio : float, default 0.5
        Share of the ℓ1 norm, in [0, 1].
    {common}
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
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
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start


class WeightedLasso(LinearRegressor):
    """``1/(2 Σs) Σ s_i (y_i − b − x_iᵀw)² + alpha Σ_j weights_j |w_j|``: one λ per feature.

    Parameters
    ----------
    alpha : float, default 1.0
        Common factor, at least zero; it is not tuned.
    weights : array of shape (p,), optional
        One weight a feature, at least zero (0: unpenalised, ``inf``: excluded); ones by default. A search tunes these.
    {common}
    """

    tunable = ("weights",)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        weights: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _feature_weights(self, n_features: int) -> NDArray[np.float64]:
        weights = check_factors(self.weights, n_features, "weights")
        return np.ones(n_features) if weights is None else weights

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        alpha = check_real(self.alpha, "alpha")
        weights = self._feature_weights(n_features)
        excluded = np.isinf(weights)
        penalty = weighted_l1(np.where(excluded, 1.0, weights), alpha, positive=self.positive)
        penalty.l1_factors[excluded] = np.inf
        return penalty

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        for name in names or ():
            check_name(name, self.tunable, "hyperparameter")
        excluded = np.isinf(self._feature_weights(n_features))
        return Space(
            tuple(f"weights[{j}]" for j in range(n_features)),
            ("log",) * n_features,
            to_params=lambda values: {"weights": np.where(excluded, np.inf, values)},
        )

    def _values(self, space: Space, n_features: int) -> Vector:
        return self._feature_weights(n_features)

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        d = len(space.names)
        return [(np.zeros(d), np.ones(d))]


for _model in (Lasso, ElasticNet, WeightedLasso):
    common = COMMON
    if _model is Lasso:
        common = common.replace(
            "of shape (p,)\n    intercept_ : float\n",
            "of shape (p,), or (T, p)\n    intercept_ : float, or array of shape (T,)\n",
        )
        common = common.replace("dual_gap_ : float\n", "dual_gap_ : float, or array of shape (T,)\n")
    if _model is WeightedLasso:  # its weights are its factors
        start, end = common.index("    penalty_factors"), common.index("    tol :")
        common = common[:start] + common[end:]
    _model.__doc__ = (_model.__doc__ or "").replace("{common}", common.strip("\n").lstrip())

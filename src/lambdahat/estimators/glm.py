"""Sparse regression of counts, of positive numbers, and of numbers with outliers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name, check_real
from lambdahat.criteria import Fold
from lambdahat.datafits import Datafit, Gamma, Huber, Poisson, Quadratic
from lambdahat.estimators.base import LinearModel, LinearRegressor
from lambdahat.estimators.blocks import GroupLasso, SparseGroupLasso
from lambdahat.estimators.linear_models import COMMON, AlphaAndRatio, ElasticNet, Lasso, WeightedLasso
from lambdahat.linear import Vector
from lambdahat.penalties import Penalty
from lambdahat.search import Space


class PoissonLasso(AlphaAndRatio, LinearRegressor):
    """``1/(2 Σs) Σ s_i d(y_i, exp(b + x_iᵀw)) + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)`` for counts ``y_i ≥ 0``.

    ``d(y, m) = 2 (y log(y/m) − y + m)`` is the unit Poisson deviance. With ``l1_ratio=0`` the objective is that of
    scikit-learn's ``PoissonRegressor``.

    Parameters
    ----------
    alpha : float, default 0.01
        Strength of the penalty, at least zero.
    l1_ratio : float, default 1.0
        Share of the ℓ1 norm, in [0, 1]. A search leaves it alone unless it is named in ``hyperparams``.
    {common}

    Examples
    --------
    >>> from lambdahat import PoissonLasso
    >>> X = np.random.default_rng(0).normal(size=(200, 10))
    >>> y = np.random.default_rng(1).poisson(np.exp(X[:, 0]))
    >>> np.flatnonzero(PoissonLasso(alpha=0.3).fit(X, y).coef_)
    array([0])
    """

    datafit = Poisson()
    tuned = ("alpha",)

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
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


class GammaLasso(AlphaAndRatio, LinearRegressor):
    """``1/(2 Σs) Σ s_i d(y_i, exp(b + x_iᵀw)) + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)`` for ``y_i > 0``.

    ``d(y, m) = 2 (log(m/y) + y/m − 1)`` is the unit Gamma deviance, of relative errors. With ``l1_ratio=0`` the
    objective is that of scikit-learn's ``GammaRegressor``.

    Parameters
    ----------
    alpha : float, default 0.01
        Strength of the penalty, at least zero.
    l1_ratio : float, default 1.0
        Share of the ℓ1 norm, in [0, 1]. A search leaves it alone unless it is named in ``hyperparams``.
    {common}
    """

    datafit = Gamma()
    tuned = ("alpha",)

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
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


class HuberLasso(AlphaAndRatio, LinearRegressor):
    """``1/Σs Σ s_i h(y_i − b − x_iᵀw) + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)``, robust to outliers.

    Huber's ``h(r)`` is ``½ r²`` where ``|r| ≤ delta``, else ``delta |r| − ½ delta²``. scikit-learn's
    ``HuberRegressor(epsilon)`` estimates a scale σ beside the coefficients; at ``delta = epsilon σ`` and
    ``l1_ratio=0``, with ``alpha σ/n`` for its alpha, the coefficients are the same.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, at least zero.
    delta : float, default 1.35
        In the units of y, above zero: beyond it residuals count by their size, not by their square. 1.35 times the
        standard deviation of the noise loses 5 % of efficiency where there are no outliers. A search does not tune it.
    l1_ratio : float, default 1.0
        Share of the ℓ1 norm, in [0, 1]. A search leaves it alone unless it is named in ``hyperparams``.
    {common}
    """

    tuned = ("alpha",)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        delta: float = 1.35,
        l1_ratio: float = 1.0,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.delta = delta
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def _datafit(self) -> Datafit:
        return Huber(self.delta)


DATAFITS: dict[str, Datafit] = {"quadratic": Quadratic(), "poisson": Poisson(), "gamma": Gamma(), "huber": Huber()}


def as_datafit(datafit: Any) -> Datafit:
    """A loss by its name, or as it is."""
    if isinstance(datafit, str) and datafit != "logistic":
        return DATAFITS[check_name(datafit, DATAFITS, "datafit")]
    missing = [name for name in ("value", "gradient", "curvature", "conjugate") if not hasattr(datafit, name)]
    if isinstance(datafit, type) or missing or datafit.labels:
        raise ValueError(
            f"datafit={datafit!r} is no loss of a number: pass one of {', '.join(map(repr, DATAFITS))}, an object such "
            "as Huber(0.5) of lambdahat.datafits, or use SparseLogisticRegression for labels"
        )
    loss: Datafit = datafit
    return loss


class SparseGLM(LinearRegressor):
    """``1/Σs Σ s_i f(y_i, b + x_iᵀw) + g(w)``: any loss of a number with any penalty.

    Parameters
    ----------
    datafit : {"quadratic", "poisson", "gamma", "huber"} or object, default "poisson"
        The loss: half the unit deviance of :class:`Lasso`, :class:`PoissonLasso`, :class:`GammaLasso`, the loss of
        :class:`HuberLasso`, or a :class:`lambdahat.datafits.Datafit` with other parameters, or of your own.
    penalty : {"l1", "elastic_net", "weighted_l1", "ridge", "group", "sparse_group"}, default "l1"
        That of :class:`Lasso`, :class:`ElasticNet`, :class:`WeightedLasso`, of the elastic net with an ``l1_ratio`` of
        zero, of :class:`GroupLasso`, :class:`SparseGroupLasso`. A search tunes what it tunes there.
    alpha : float, default 0.01
        Strength of the penalty, at least zero.
    l1_ratio : float, default 0.5
        For ``"elastic_net"``: share of the ℓ1 norm, in [0, 1].
    weights : array of shape (p,), optional
        For ``"weighted_l1"``: one weight a feature, as in :class:`WeightedLasso`.
    groups, group_weights, tau
        For ``"group"`` and ``"sparse_group"``: as in :class:`GroupLasso` and :class:`SparseGroupLasso`.
    {common}

    Notes
    -----
    Penalties of groups take no ``penalty_factors`` and are not ``positive``.
    """

    def __init__(
        self,
        datafit: Any = "poisson",
        penalty: str = "l1",
        *,
        alpha: float = 0.01,
        l1_ratio: float = 0.5,
        weights: Any = None,
        groups: Any = None,
        group_weights: Any = None,
        tau: float = 1.0,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.datafit = datafit
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.weights = weights
        self.groups = groups
        self.group_weights = group_weights
        self.tau = tau
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def _datafit(self) -> Datafit:
        return as_datafit(self.datafit)

    def _check_params(self) -> None:
        super()._check_params()
        check_real(self.alpha, "alpha")
        if "group" in self.penalty and (self.positive or self.penalty_factors is not None):
            raise ValueError(
                f"penalty={self.penalty!r} takes no penalty_factors and no positive=True: use group_weights, or a "
                "penalty of single coefficients"
            )

    @property
    def _penalised(self) -> LinearModel:
        return PENALTIES[check_name(self.penalty, PENALTIES, "penalty")](self)

    @property
    def tunable(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("alpha",) if self.penalty == "ridge" else self._penalised.tunable

    @property
    def tuned(self) -> tuple[str, ...]:
        return self._penalised.tuned

    def _make_penalty(self, n_features: int, total_weight: float) -> Penalty:
        return self._penalised._make_penalty(n_features, total_weight)

    def _penalty_of(self, names: tuple[str, ...]) -> Callable[[int, float], Penalty]:
        return self._penalised._penalty_of(names)

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        return self._penalised._space(names, n_features)

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        return self._penalised._lines(space, folds)

    def _values(self, space: Space, n_features: int) -> NDArray[np.float64]:
        return self._penalised._values(space, n_features)


# A penalty is that of a model of the same parameters, whose hyperparameters are tuned.
PENALTIES: dict[str, Callable[[SparseGLM], LinearModel]] = {
    "l1": lambda glm: Lasso(glm.alpha, positive=glm.positive, penalty_factors=glm.penalty_factors),
    "elastic_net": lambda glm: ElasticNet(
        glm.alpha, l1_ratio=glm.l1_ratio, positive=glm.positive, penalty_factors=glm.penalty_factors
    ),
    "weighted_l1": lambda glm: WeightedLasso(glm.alpha, weights=glm.weights, positive=glm.positive),
    "ridge": lambda glm: PoissonLasso(
        glm.alpha, l1_ratio=0.0, positive=glm.positive, penalty_factors=glm.penalty_factors
    ),
    "group": lambda glm: GroupLasso(glm.groups, glm.alpha, group_weights=glm.group_weights),
    "sparse_group": lambda glm: SparseGroupLasso(glm.groups, glm.alpha, tau=glm.tau, group_weights=glm.group_weights),
}


_common = COMMON.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on the duality gap over the loss without coefficients.",
).strip()
for _model in (PoissonLasso, GammaLasso, HuberLasso, SparseGLM):
    _model.__doc__ = (_model.__doc__ or "").replace("{common}", _common)

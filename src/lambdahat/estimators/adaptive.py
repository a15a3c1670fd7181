"""The adaptive Lasso."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name, check_real
from lambdahat.criteria import Data, Fold
from lambdahat.estimators.base import LinearRegressor
from lambdahat.estimators.linear_models import COMMON
from lambdahat.linear import Vector
from lambdahat.penalties import Separable, l1, tied_elastic_net
from lambdahat.problem import Solution
from lambdahat.search import Space
from lambdahat.solvers import alpha_max
from lambdahat.two_stages import Initial, Reweighting, Stages, TwoStages, TwoStagesModel

_RATIOS = (1.0, 0.1, 0.3, 3.0)  # of both strengths, along which a search for both looks first


class AdaptiveLasso(LinearRegressor):
    """``1/(2 Σs) Σ s_i (y_i − b − x_iᵀw)² + alpha Σ_j factor_j ω_j |w_j|``, with weights ω from an initial fit w⁰.

    The weights are ``ω_j = ((1 + epsilon) / (|w⁰_j| / max_k |w⁰_k| + epsilon))^gamma``: 1 for the largest coefficient
    (of the standardised columns, with ``standardize``), more for smaller ones, and ``(1 + 1/epsilon)^gamma`` for those
    that are zero. With an initial Lasso at the same ``alpha`` all coefficients are zero from where they are in the
    Lasso, and no sooner: both have the same :func:`alpha_max`.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, at least zero. A search tunes it; its derivative goes through the initial fit too.
    initial : {"lasso", "ridge"}, default "lasso"
        The penalty of the initial fit, ``initial_alpha Σ_j factor_j |w_j|`` or ``½ initial_alpha Σ_j factor_j w_j²``,
        beside the same loss.
    initial_alpha : float, optional
        Its strength, at least zero. By default it is tied to ``alpha``: the same for the Lasso, and for ridge
        ``alpha² / ‖y‖²_s`` (y centred when there is an intercept), which has the units of a ridge penalty. A search
        with ``hyperparams=["alpha", "initial_alpha"]`` tunes both.
    gamma : float, default 1.0
        How much smaller coefficients are penalised more, at least zero; 0 is the :class:`Lasso`.
    epsilon : float, default 0.01
        At least zero; with 0 features whose initial coefficient is zero are excluded.
    {common}

    References
    ----------
    Zou, *The adaptive lasso and its oracle properties*, JASA 2006, equation 4. Its weights ``1/|w⁰_j|^gamma`` are these
    with ``epsilon=0`` but for a common factor, which makes them free of the units of X and y.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import AdaptiveLasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> AdaptiveLasso(alpha=0.2).fit(X, y).coef_.nonzero()[0].tolist()
    [2, 3, 8]
    """

    tunable = ("alpha", "initial_alpha")
    tuned = ("alpha",)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        initial: str = "lasso",
        initial_alpha: float | None = None,
        gamma: float = 1.0,
        epsilon: float = 0.01,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.initial = initial
        self.initial_alpha = initial_alpha
        self.gamma = gamma
        self.epsilon = epsilon
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _check_params(self) -> None:
        super()._check_params()
        check_name(self.initial, ("lasso", "ridge"), "initial fit")
        check_real(self.gamma, "gamma")
        check_real(self.epsilon, "epsilon")
        if self.initial_alpha is not None:
            check_real(self.initial_alpha, "initial_alpha")

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        return l1(n_features, check_real(self.alpha, "alpha"), self._factors(n_features), positive=self.positive)

    def _first_stage(self, n_features: int) -> Initial:
        lasso = self.initial == "lasso"
        factors = self._factors(n_features)
        penalty = tied_elastic_net(n_features, 1.0, 1.0 if lasso else 0.0, factors, positive=self.positive)
        if self.initial_alpha is not None:
            return Initial(penalty, float(self.initial_alpha), 0.0)
        return Initial(penalty, power=1.0 if lasso else 2.0)

    def _model(self, names: Sequence[str] | None = None, classes: NDArray[Any] | None = None) -> TwoStagesModel:
        return TwoStagesModel(
            self._make_penalty, bool(self.fit_intercept), bool(self.standardize), initial=self._first_stage,
            reweighting=Reweighting(float(self.gamma), float(self.epsilon)),
        )  # fmt: skip

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        chosen = tuple(check_name(name, self.tunable, "hyperparameter") for name in names or self.tuned)
        if chosen == ("alpha",):
            return super()._space(chosen, n_features)
        if chosen == ("initial_alpha",):
            return Space(
                chosen,
                ("log",),
                lambda values: np.array([float(self.alpha), values[0]]),
                lambda _, gradient: gradient[1:],
                lambda values: {"initial_alpha": float(values[0])},
            )
        return Space(
            chosen,
            ("log", "log"),
            to_params=lambda values: {"alpha": float(values[0]), "initial_alpha": float(values[1])},
        )

    def _values(self, space: Space, n_features: int) -> Vector:
        if "initial_alpha" in space.names and self.initial_alpha is None:
            raise ValueError("initial_alpha is tied to alpha: pass a number to begin with")
        return super()._values(space, n_features)

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        """For both strengths, several ratios of them."""
        if space.names == ("alpha",):
            return super()._lines(space, folds)
        if space.names == ("initial_alpha",):
            raise ValueError("initial_alpha is searched with alpha: pass hyperparams=['alpha', 'initial_alpha']")
        unit = 1.0
        if self.initial == "ridge":
            plain = [problem.plain for fold in folds for problem in fold.problems if isinstance(problem, TwoStages)]
            plain = [problem.with_hyperparams(np.ones(1)) for problem in plain]
            unit = max(alpha_max(problem) for problem in plain) / max(2.0 * problem.null_value for problem in plain)
        return [(np.array([0.0, np.log((unit or 1.0) * ratio)]), np.ones(2)) for ratio in _RATIOS]

    def _previous(self, problems: Sequence[Any]) -> Sequence[Solution | None]:
        starts = super()._previous(problems)
        if starts[0] is None:
            return starts
        first = replace(starts[0], w=self.initial_coef_.copy(), intercept=self.initial_intercept_)
        return [replace(starts[0], workspace=Stages(first))]

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        stages = solutions[0].workspace
        assert isinstance(stages, Stages)
        self.initial_coef_, self.initial_intercept_ = stages.first.w, stages.first.intercept
        factors = self._factors(stages.first.w.size)
        weights = problems[0].weights(stages.first.w)
        self.weights_ = weights if factors is None else weights * factors


_common = COMMON.replace(
    "    intercept_ : float\n",
    """    intercept_ : float
    weights_ : array of shape (p,)
        ``factor_j ω_j``: with these, and the same ``alpha``, a :class:`WeightedLasso` has the same coefficients.
    initial_coef_ : array of shape (p,)
    initial_intercept_ : float
""",
)
_common = _common.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on the duality gap of each fit over ``½‖y‖²_s`` (y centred when there is an intercept).",
)
_common = _common.replace("duality gap reached.", "duality gap reached, the larger one of both fits.")
_common = _common.replace("n_iter_ : int\n", "n_iter_ : int\n        Rounds of both fits.\n")
_common = _common.replace(
    "Start from the previous ``coef_``.", "Start from the previous ``coef_`` and ``initial_coef_``."
)
AdaptiveLasso.__doc__ = (AdaptiveLasso.__doc__ or "").replace("{common}", _common.strip("\n").lstrip())

"""Information criteria and generalised cross-validation: the deviance, and the price of degrees of freedom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy.special import digamma, gammaln

from lambdahat._validation import check_real
from lambdahat.box_problem import BoxModel
from lambdahat.criteria.base import Data, Fold, Units, only_changed
from lambdahat.criteria.optimism import REMARK, Formula, Probing, check_observed, observed_fold
from lambdahat.datafits import Cox, Datafit, Gamma, Logistic, Multinomial, Poisson, Quadratic, RootMeanSquare
from lambdahat.problem import Model

_LARGEST = 600.0  # whose exponential is finite


@dataclass(frozen=True, eq=False, repr=False)
class AIC:
    """Akaike's information criterion, ``−2 log L + 2 d`` with d degrees of freedom.

    {common}

    References
    ----------
    Akaike, IEEE Transactions on Automatic Control 1974. {references}
    """

    sigma: Any = None
    n_probes: int | None = None
    step: float | None = None
    random_state: Any = 0

    __repr__ = only_changed

    def __post_init__(self) -> None:
        if self.sigma is not None:
            check_real(self.sigma, "sigma", open_low=True)

    def metric(self, model: Model | BoxModel) -> str:
        return type(self).__name__

    def price(self, d: float, n: float, p: int, beside: float = 0.0) -> tuple[float, float]:
        """What d degrees of freedom cost, and its derivative in d; n observations, p coefficients to choose from.

        ``beside`` of them are no feature's: of intercepts, and of the variance.
        """
        return 2.0 * d, 2.0

    def remark(self, model: Model | BoxModel) -> str:
        return REMARK

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        name = type(self).__name__
        check_observed(name, model, data, "criterion='cv'")
        assert isinstance(model, Model)
        loss, gaussian, profiled = self._likelihood(model)
        p = data.storage.shape[1]
        n_rows = float(data.sample_weight.sum())
        columns = _columns(data)
        intercepts = float(model.fit_intercept * (columns - isinstance(loss, Multinomial)))
        if profiled and gaussian and p + model.fit_intercept >= n_rows:
            raise ValueError(
                f"{name} with unknown sigma needs more rows than features, but there are {n_rows:g} rows and {p} "
                "features: a model that fits all rows would have no variance left; pass sigma "
                "(lambdahat.estimate_noise estimates it), or use GCV() or criterion='cv'"
            )
        variance = 1.0 if self.sigma is None else float(self.sigma) ** 2
        events = float(data.sample_weight @ (data.y > 0.0)) if isinstance(model.datafit, Cox) else None

        def formula(n: float) -> Formula:
            def profile(fit: float, freedom: float) -> tuple[float, float, float]:
                # The variance has its best value, fit, and counts as a parameter; exp of the criterion over n.
                cost, slope = self.price(freedom + 1.0, n, p * columns, intercepts + 1.0)
                if cost / n > _LARGEST:
                    return math.inf, 0.0, 0.0
                factor = math.exp(cost / n)
                return fit * factor, factor, fit * factor * slope / n

            def known(fit: float, freedom: float) -> tuple[float, float, float]:
                cost, slope = self.price(freedom, n if events is None else events, p * columns, intercepts)
                if math.isinf(cost):
                    return math.inf, 0.0, 0.0
                return fit / variance + cost / n, 1.0 / variance, slope / n

            return profile if profiled else known

        def units(n: float) -> Units:
            if profiled:
                return Units(n, n * (math.log(2.0 * math.pi) + 1.0) if gaussian else n, logarithmic=True)
            return Units(n, n * math.log(2.0 * math.pi * variance) if gaussian else 0.0)

        probing = Probing(self.n_probes, self.step, self.random_state)
        return [observed_fold(model, data, probing, formula, loss=loss, units=units)]

    def _likelihood(self, model: Model) -> tuple[Datafit | None, bool, bool]:
        """The loss that is half a deviance, whether it is Gaussian, and whether its variance is to be estimated.

        None is the model's own.
        """
        datafit = model.datafit
        if isinstance(datafit, Quadratic | RootMeanSquare):
            return Quadratic(), True, self.sigma is None
        if isinstance(datafit, Gamma):
            return datafit, False, self.sigma is None
        if isinstance(datafit, Logistic | Poisson | Multinomial | Cox):
            if self.sigma is not None:
                raise ValueError("sigma is the noise of least squares or a Gamma model, not of this one: leave it out")
            return None if isinstance(datafit, Cox) else datafit, False, False
        raise ValueError(
            f"{type(self).__name__} needs a likelihood, and {datafit.metric} is not that of one: use GCV(), ALO() or "
            "criterion='cv'"
        )


def _columns(data: Data) -> int:
    """How many coefficients a feature has: one for each target, or each of several classes."""
    if data.y.ndim == 2:
        return int(data.y.shape[1])
    return 1 if data.classes is None or data.classes.size == 2 else int(data.classes.size)


class AICc(AIC):
    """Akaike's criterion corrected for small samples, ``−2 log L + 2 d n/(n − d − 1)``.

    {common}

    References
    ----------
    Hurvich & Tsai, Biometrika 1989. {references}
    """

    def price(self, d: float, n: float, p: int, beside: float = 0.0) -> tuple[float, float]:
        left = n - d - 1.0
        if left <= 0.0:
            return math.inf, math.inf
        return 2.0 * d * n / left, 2.0 * n * (n - 1.0) / left**2


class BIC(AIC):
    """The Bayesian information criterion, ``−2 log L + d log n`` with d degrees of freedom.

    {common}

    References
    ----------
    Schwarz, Annals of Statistics 1978. {references}
    """

    def price(self, d: float, n: float, p: int, beside: float = 0.0) -> tuple[float, float]:
        return math.log(n) * d, math.log(n)


@dataclass(frozen=True, eq=False, repr=False)
class EBIC(AIC):
    """The extended Bayesian information criterion, ``−2 log L + d log n + 2 γ log C(p, d)``, for many features.

    With ``C(p, d)`` models of size d, each of them is less probable: what the plain criterion takes for chance is
    chance. There d leaves out the intercept and the variance, which are in all of them.

    {common}
    gamma : float, default 1
        From 0, the plain criterion, to 1.

    References
    ----------
    Chen & Chen, Biometrika 2008. {references}
    """

    gamma: float = 1.0

    __repr__ = only_changed

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real(self.gamma, "gamma", high=1.0)

    def price(self, d: float, n: float, p: int, beside: float = 0.0) -> tuple[float, float]:
        size = min(max(d - beside, 0.0), float(p))
        models = gammaln(p + 1.0) - gammaln(size + 1.0) - gammaln(p - size + 1.0)
        slope = float(digamma(p - size + 1.0) - digamma(size + 1.0)) if size == d - beside else 0.0
        return math.log(n) * d + 2.0 * self.gamma * float(models), math.log(n) + 2.0 * self.gamma * slope


@dataclass(frozen=True, eq=False, repr=False)
class GCV:
    """Generalised cross-validation, ``D/n / (1 − d/n)²`` with the deviance D and d degrees of freedom.

    Leave-one-out cross-validation as if all rows had the same leverage. It needs no variance. With many more features
    than rows it can prefer a model that fits everything, where both factors vanish: see the trace, or pass ``bounds``.

    Parameters
    ----------
    n_probes : int, optional
    step : float, optional
    random_state : int, default 0
        As in :class:`SURE`.

    References
    ----------
    Golub, Heath & Wahba, Technometrics 1979. For deviances: O'Sullivan, Yandell & Raynor, Journal of the American
    Statistical Association 1986.
    """

    n_probes: int | None = None
    step: float | None = None
    random_state: Any = 0

    __repr__ = only_changed

    def metric(self, model: Model | BoxModel) -> str:
        return "GCV"

    def remark(self, model: Model | BoxModel) -> str:
        return REMARK

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        check_observed("GCV", model, data, "criterion='cv'")
        assert isinstance(model, Model)
        if isinstance(model.datafit, Cox):
            raise ValueError(
                "GCV divides an error by what degrees of freedom leave of it, and a partial likelihood is no error: "
                "use AIC(), ALO() or criterion='cv'"
            )
        loss = Quadratic() if isinstance(model.datafit, RootMeanSquare) else None
        probing = Probing(self.n_probes, self.step, self.random_state)
        return [observed_fold(model, data, probing, equal_leverages, loss=loss)]


def equal_leverages(n: float) -> Formula:
    """:class:`GCV` of n observations."""

    def gcv(fit: float, freedom: float) -> tuple[float, float, float]:
        left = 1.0 - freedom / n
        if left <= 0.0:
            return math.inf, 0.0, 0.0
        return fit / left**2, 1.0 / left**2, 2.0 * fit / (n * left**3)

    return gcv


_COMMON = """The degrees of freedom d are measured by finite differences and Monte Carlo, which gives a slope; among the
    points that a search visits, the exact d decides (for the Lasso the number of non-zero coefficients, and the
    intercept).

    Without ``sigma`` the variance of least squares has its best value at each model, and counts as a parameter. Other
    models have the deviance for ``−2 log L``, from which it differs by what no model changes: twice the log-loss,
    Poisson's, and Gamma's over its dispersion ``sigma²``, which has its best value where it is not given (Nelder &
    Pregibon, Biometrika 1987). Weights are repetitions: their sum is n. :class:`CoxLasso` has its partial likelihood,
    and n are the events.

    Parameters
    ----------
    sigma : float, optional
        The standard deviation of the noise: with at least as many features as rows it has to be known.
    n_probes : int, optional
    step : float, optional
    random_state : int, default 0
        As in :class:`SURE`."""
_REFERENCES = """For the Lasso: Zou, Hastie & Tibshirani, Annals of Statistics 2007. With events for rows: Volinsky &
    Raftery, *Bayesian information criterion for censored survival models*, Biometrics 2000."""
for _criterion in (AIC, AICc, BIC, EBIC):
    _text = (_criterion.__doc__ or "").replace("{common}", _COMMON.strip()).replace("{references}", _REFERENCES)
    _criterion.__doc__ = _text

__all__ = ["AIC", "BIC", "EBIC", "GCV", "AICc"]

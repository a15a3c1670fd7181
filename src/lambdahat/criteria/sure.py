"""Stein's unbiased estimate of the risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lambdahat._validation import check_name, check_real
from lambdahat.box_problem import BoxModel
from lambdahat.criteria.base import Data, Fold, Units, only_changed
from lambdahat.criteria.optimism import REMARK, Formula, Probing, check_observed, observed_fold
from lambdahat.datafits import Quadratic
from lambdahat.linear import Matrix
from lambdahat.problem import Model


@dataclass(frozen=True, eq=False, repr=False)
class SURE:
    """Stein's unbiased estimate of the mean squared error of the predictions about the *means* of the targets.

    For Gaussian noise of known standard deviation σ,

        SURE = ‖y − ẑ‖²/n − σ² + 2σ²/n · tr ∂ẑ/∂y,

    whose last factor, the degrees of freedom, is measured by finite differences and Monte Carlo (``n_probes`` more
    fits), which has a slope for any number of hyperparameters; among the points that a search visits, the exact degrees
    of freedom decide, where the model has them: the rank of ``X_S`` for the Lasso and with one weight a feature,
    the traces of the elastic net, ridge, groups and several targets. No rows are left out: all of them teach.

    Parameters
    ----------
    sigma : float, optional
        The standard deviation of the noise, in the units of y: of a row of weight w it is ``sigma/√w``.
        :func:`lambdahat.estimate_noise` estimates it.
    covariance : array of shape (T, T), optional
        Instead of ``sigma``, the covariance of the noise of T targets.
    degrees_of_freedom : {"auto", "exact", "monte_carlo"}, default "auto"
        What decides among the points visited. ``"auto"`` is exact where there is a count.
    n_probes : int, optional
        Fits by which they are measured: more of them make the slope less random, at the price of a fit each. By default
        one, and where X, times the targets, holds up to three million values, two, or ten if there is no exact count to
        decide. Searches without gradients take none where there is one.
    step : float, optional
        Size of the finite differences over σ; by default ``2/n^0.3``.
    random_state : int, default 0
        Of the probes, which stay the same in a search.

    References
    ----------
    Stein, *Estimation of the mean of a multivariate normal distribution*, Annals of Statistics 1981. Deledalle, Vaiter,
    Fadili & Peyré, SIAM Journal on Imaging Sciences 2014, equations 7 and 23. Zou, Hastie & Tibshirani, *On the
    "degrees of freedom" of the lasso*, Annals of Statistics 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import SURE, GradientSearch, Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GradientSearch(Lasso(), criterion=SURE(sigma=54.0)).fit(X, y)
    >>> search.coef_.nonzero()[0].tolist()
    [1, 2, 3, 4, 6, 8, 9]
    """

    sigma: Any = None
    covariance: Any = None
    degrees_of_freedom: str = "auto"
    n_probes: int | None = None
    step: float | None = None
    random_state: Any = 0

    __repr__ = only_changed

    def __post_init__(self) -> None:
        check_name(self.degrees_of_freedom, ("auto", "exact", "monte_carlo"), "degrees_of_freedom")
        if (self.sigma is None) == (self.covariance is None):
            raise ValueError(
                "SURE needs the noise: pass sigma, its standard deviation (lambdahat.estimate_noise estimates it), or "
                "for several targets their covariance, not both"
            )
        if self.sigma is not None:
            check_real(self.sigma, "sigma", open_low=True)

    def metric(self, model: Model | BoxModel) -> str:
        return "SURE"

    def remark(self, model: Model | BoxModel) -> str:
        return REMARK

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        check_observed("SURE", model, data, "HeldOut or criterion='cv'")
        assert isinstance(model, Model)
        if model.datafit.log_link or not model.datafit.answers_by_prediction:
            raise ValueError(
                "SURE is for Gaussian noise that adds to the target, which this model does not have: use AIC() or "
                "ALO(), which take its own deviance, or criterion='cv'"
            )
        root = self._root(data.y.shape[1] if data.y.ndim == 2 else 1)
        variance = float(np.mean(np.sum(root**2, axis=1)))

        def formula(n: float) -> Formula:
            return lambda fit, freedom: (fit + 2.0 * freedom / n, 1.0, 2.0 / n)

        fold = observed_fold(
            model, data, Probing(self.n_probes, self.step, self.random_state), formula, loss=Quadratic(), root=root,
            exact=self.degrees_of_freedom != "monte_carlo", units=lambda n: Units(shift=-variance),
        )  # fmt: skip
        if self.degrees_of_freedom == "exact" and fold.verdict is None:
            raise ValueError(
                "this model has no count of its degrees of freedom: leave degrees_of_freedom at 'auto', by which they "
                "are measured"
            )
        return [fold]

    def _root(self, n_targets: int) -> Matrix:
        """L of ``Σ = L Lᵀ``, the covariance of the noise."""
        if self.covariance is None:
            return float(self.sigma) * np.eye(n_targets)
        covariance = np.asarray(self.covariance, dtype=np.float64)
        if covariance.shape != (n_targets, n_targets):
            raise ValueError(
                f"covariance has shape {covariance.shape} but y has {n_targets} targets: pass their covariance, shape "
                f"({n_targets}, {n_targets})"
            )
        if not np.all(np.isfinite(covariance)) or not np.allclose(covariance, covariance.T, rtol=1e-8, atol=0.0):
            raise ValueError("covariance is not finite and symmetric: pass the covariance of the noise of the targets")
        values, vectors = np.linalg.eigh(covariance)
        if values[-1] <= 0.0 or values[0] < -1e-10 * values[-1]:
            raise ValueError(
                "covariance is not positive: its eigenvalues, the variances of the noise, must be at least zero"
            )
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

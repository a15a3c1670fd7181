"""Sparse proportional hazards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lambdahat._validation import check_sample_weight
from lambdahat.criteria import Data
from lambdahat.datafits import Cox, Survival
from lambdahat.estimators.base import LinearRegressor
from lambdahat.estimators.linear_models import COMMON, AlphaAndRatio
from lambdahat.linear import Vector
from lambdahat.problem import Solution


@dataclass(frozen=True, eq=False)
class StepFunction:
    """A function of time that jumps at ``times`` to ``values``, and is ``initial`` before the first.

    Attributes
    ----------
    times : array of shape (k,), increasing
    values : array of shape (k,)
    initial : float
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    initial: float = 0.0

    def __call__(self, t: Any) -> NDArray[np.float64]:
        """The values at times ``t``, of any shape: after the jump where there is one."""
        place = np.searchsorted(self.times, np.asarray(t, dtype=np.float64), side="right")
        return np.asarray(np.append(self.initial, self.values)[place])


class CoxLasso(AlphaAndRatio, LinearRegressor):
    """``−1/Σs log PL(w) + alpha (l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²)``: Cox's proportional hazards, right-censored.

    ``PL`` is the partial likelihood of the order of events, given who was at risk at each: a row is at risk until its
    time, at which either its event was seen or it was last seen without (*censored*; it still is at risk then). There
    is no intercept, the baseline hazard has its place.

    Parameters
    ----------
    alpha : float, default 0.01
        Strength of the penalty, at least zero.
    l1_ratio : float, default 1.0
        Share of the ℓ1 norm, in [0, 1]. A search leaves it alone unless it is named in ``hyperparams``.
    ties : {"breslow", "efron"}, default "breslow"
        How events at the same time count: as if each came while all of them were at risk, or in the mean of their
        possible orders, which is better where many are tied. With ``"breslow"`` a weight is a repetition; with
        ``"efron"`` it counts in all sums, but not in the number of ties, as in R's survival.
    {common}
    baseline_cumulative_hazard_ : StepFunction, or dict of stratum to StepFunction
        The expected events until a time, of a row whose features are all zero: Breslow's estimate, or Efron's. It has
        ``times`` and ``values`` and can be called with times.
    event_times_ : array of shape (k,)
        The distinct times of events, increasing.

    Notes
    -----
    **Targets.** ``y`` is a structured array, as scikit-survival's ``Surv`` makes them, or a frame, of two fields of any
    names: booleans, whether the event was seen, and times. A third, named ``stratum``, holds numbers or names of
    strata, which have a baseline hazard each: rows are compared with rows of their own stratum only. An array of
    numbers is one of times at which all events were seen.

    **Criterion.** A search minimises −1/Σs log PL of the rows left out, *among themselves*: folds of few events say
    little, and one without any counts as zero. (Verweij & van Houwelingen, Statistics in Medicine 1993, take the
    difference of the partial likelihoods of all rows and of the training rows instead.)

    **Units.** Likelihoods are relative to the largest possible one, ``Π W_k^(−W_k)`` with the weight ``W_k`` of the
    events at a time, so that objective and criterion are at least zero and do not depend on the scale of weights.
    Without weights and ties that is 1.

    References
    ----------
    Cox, *Regression models and life-tables*, JRSS B 1972; Simon, Friedman, Hastie & Tibshirani, *Regularization paths
    for Cox's proportional hazards model via coordinate descent*, J. Stat. Softw. 2011.

    Examples
    --------
    >>> from lambdahat import CoxLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> time, censored = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2.0, size=200)
    >>> y = np.empty(200, dtype=[("event", bool), ("time", float)])
    >>> y["event"], y["time"] = time <= censored, np.minimum(time, censored)
    >>> model = CoxLasso(alpha=0.1).fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([0])
    >>> model.predict_survival_function(X[:2], times=[0.5, 1.0]).shape
    (2, 2)
    """

    tuned = ("alpha",)
    # Nobody sees an offset, so that the one which solvers keep may have any value: it makes them centre columns.
    fit_intercept = True

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
        ties: str = "breslow",
        standardize: bool = False,
        positive: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.ties = ties
        self.standardize = standardize
        self.positive = positive
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def _datafit(self) -> Cox:
        return Cox(self.ties)

    def _fit(self, data: Data, starts: Sequence[Solution] = ()) -> Self:
        self._datafit.check(data.y[data.sample_weight > 0.0], "y, in its rows of positive weight,")
        return super()._fit(data, starts)

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        self.intercept_ = 0.0
        (problem,), (solution,) = problems, solutions
        S = solution.support
        # Hazards are kept at the mean row, where they are not too large or small for a number.
        self._mean_risk = float(problem.design.means[S] @ solution.w[S])
        rows, jumps = problem.datafit.cumulative_hazard(problem.design.product(S, solution.w[S]))
        survival = Survival.read(data.given, len(data.y))
        times, strata = survival.time[rows], survival.stratum[rows]
        self.event_times_ = np.unique(times)
        self._hazards = {
            label: StepFunction(times[strata == place], np.cumsum(jumps[strata == place]))
            for place, label in enumerate(survival.labels.tolist())
        }
        at_zero = {
            label: StepFunction(hazard.times, hazard.values * _exp(-self._mean_risk))
            for label, hazard in self._hazards.items()
        }
        self.baseline_cumulative_hazard_ = at_zero if len(at_zero) > 1 else next(iter(at_zero.values()))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the risk, ``Xw``: hazards are proportional to its exponential.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,)
        """
        return self._linear_predictor(X)

    def predict_cumulative_hazard_function(self, X: Any, times: Any = None, stratum: Any = None) -> Vector:
        """The expected events of each row until each time, ``exp(x_iᵀw)`` times the baseline's.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        times : array of shape (k,), optional
            By default ``event_times_``. After the last of these hazards stay what they are.
        stratum : array of shape (n,), or one of the strata, optional
            The stratum of each row, where the model has several.

        Returns
        -------
        array of shape (n, k)
        """
        z = self._linear_predictor(X)
        times = np.atleast_1d(np.asarray(self.event_times_ if times is None else times, dtype=np.float64))
        if times.ndim != 1 or np.isnan(times).any():
            raise ValueError("times are no list of times: pass numbers, of shape (k,)")
        rates, found = _exp(z - self._mean_risk), np.empty((z.size, times.size))
        for label, rows in self._rows_of_strata(stratum, z.size):
            found[rows] = np.outer(rates[rows], self._hazards[label](times))
        return found

    def predict_survival_function(self, X: Any, times: Any = None, stratum: Any = None) -> Vector:
        """The probability of each row that its event comes after each time, ``exp(−H_i(t))``.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        times : array of shape (k,), optional
            By default ``event_times_``.
        stratum : array of shape (n,), or one of the strata, optional
            The stratum of each row, where the model has several.

        Returns
        -------
        array of shape (n, k)
        """
        return np.asarray(np.exp(-self.predict_cumulative_hazard_function(X, times, stratum)))

    def _rows_of_strata(self, stratum: Any, n: int) -> list[tuple[Any, NDArray[np.intp]]]:
        labels = list(self._hazards)
        if stratum is None:
            if len(labels) > 1:
                raise ValueError(
                    f"the model has {len(labels)} strata, with a baseline hazard each: pass stratum, one for each row"
                )
            return [(labels[0], np.arange(n))]
        given = np.broadcast_to(np.asarray(stratum), n) if np.ndim(stratum) == 0 else np.asarray(stratum)
        if given.shape != (n,):
            raise ValueError(f"stratum has shape {given.shape} but X has {n} rows: pass one for each row")
        rows = [(label, np.flatnonzero(given == label)) for label in labels]
        unknown = np.setdiff1d(np.arange(n), np.concatenate([places for _, places in rows]))
        if unknown.size:
            raise ValueError(
                f"stratum holds {given[unknown].tolist()[0]!r} (first in row {unknown[0]}), which the model was not "
                "fitted with: it has no baseline hazard there"
            )
        return rows

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Harrell's concordance index: how often, of two rows, the one whose event came first has the higher risk.

        Pairs are of an event and a row of the same stratum that was at risk after it; equal risks count as half.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : structured array of shape (n,)
        sample_weight : array of shape (n,), optional
            A pair has the product of its rows' weights.

        Returns
        -------
        float
            From 0 to 1; 0.5 where risks say nothing.
        """
        check_is_fitted(self)
        z = self._linear_predictor(X)
        (codes, _), weight = self._read_target(y, z.size), check_sample_weight(sample_weight, z.size)
        concordant, comparable = self._datafit.prepared(codes, weight / weight.sum()).concordance(z)
        if comparable == 0.0:
            raise ValueError("y has no event before the time of another row: no pair can be compared, pass more rows")
        return concordant / comparable


def _exp(z: Any) -> Any:
    """The exponential, infinite beyond what a number holds."""
    with np.errstate(over="ignore"):
        return np.exp(z)


_common = COMMON.replace(
    "Bound on the duality gap over ``½‖y‖²_s`` (y centred when there is an intercept).",
    "Bound on the duality gap over the objective without coefficients.",
)
_common = _common.replace("    fit_intercept : bool, default True\n", "").replace(
    "    intercept_ : float\n", "    intercept_ : float\n        Zero.\n"
)
CoxLasso.__doc__ = (CoxLasso.__doc__ or "").replace("{common}", _common.strip())

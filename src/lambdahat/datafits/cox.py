"""Proportional hazards: the partial likelihood of Cox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name
from lambdahat.datafits.row_wise import RowWise
from lambdahat.datafits.survival import RiskSets, Survival
from lambdahat.kernels import cox
from lambdahat.linear import Vector

TIES = ("breslow", "efron")


@dataclass(frozen=True, eq=False)
class AtRisk:
    """What derivatives at a prediction are made of: see ``kernels.cox.at_risk``."""

    share: Vector
    stay: Vector
    terms: NDArray[np.float64]
    hazard: Vector


@dataclass(frozen=True, eq=False)
class Cox(RowWise):
    """Minus the logarithm of the partial likelihood, of weights s of sum 1, relative to its largest value.

    With the event times ``t_k`` of each stratum, ``W_k`` the weight of the events then, and the *risk*
    ``S_k = Σ s_j exp(z_j)`` over the rows j whose time is at least ``t_k`` (those censored then are still at risk),

        F(z) = Σ_k W_k log(S_k/W_k) − Σ_events s_i z_i

    with ``ties="breslow"`` (Breslow, Biometrics 1974). Where d events are tied, ``ties="efron"`` (Efron, JASA 1977) has
    ``W_k/d Σ_c log((S_k − c D_k)/(W_k (1 − c)))`` over ``c = 0, 1/d, …, (d − 1)/d`` in the place of the first term,
    with ``D_k`` the events' part of ``S_k`` and the mean weight of an event, as R's survival has it. Without ties and
    with equal weights the largest likelihood is 1. F is at least zero, and is zero where each event comes to the row
    of by far the highest risk.

    No sum over rows. With the cumulative hazard ``H_j = Σ_{t_k ≤ t_j} W_k/S_k``, the *expected events* are
    ``m_j = s_j exp(z_j) H_j``, and with ``p_k`` the shares of ``S_k``

        ∇F = m − s∘[event],    ∇²F = diag(m) − Σ_k W_k p_k p_kᵀ

    so that m bounds the Hessian, and Efron's alike. A shift of all predictions changes nothing: an *offset* has its
    best value wherever it is, which lets solvers centre columns under m, the better bound.

    The conjugate is that of a flow of events. An event time k has ``W_k`` of them and what is carried over, ``C_{k−1}``;
    the rows whose time is before the next one take their ``m_j``, and the rest ``C_k`` is carried on. With
    ``V_k = C_{k−1} + W_k`` and ``φ(x) = x log x``,

        F*(m − s∘[event]) = Σ_j m_j log(m_j/s_j) + Σ_k (φ(C_k) − φ(V_k) + φ(W_k))

    where ``m ≥ 0``, all ``C_k ≥ 0`` and nothing is left in the end. (The supremum over z in closed form: at it
    ``S_{k+1}/S_k = C_k/V_k``.) Efron's has, at each tied time, a scalar equation for ``D_k/S_k``.

    Parameters
    ----------
    ties : {"breslow", "efron"}, default "breslow"
    """

    ties: str = "breslow"
    at: RiskSets | None = None

    quadratic = False
    labels = False
    log_link = False
    metric = "mean negative log partial likelihood"
    metric_factor = 1.0
    largest_curvature = np.inf
    kernel = None
    reach = 4.0

    def __post_init__(self) -> None:
        check_name(self.ties, TIES, "ties")

    def read(self, y: Any, n: int, name: str = "y", X_name: str = "X") -> Vector:
        return Survival.read(y, n, name, X_name).codes

    def check(self, y: Vector, name: str) -> None:
        if not np.any(y > 0.0):
            raise ValueError(
                f"{name} holds no event: every row is censored, so that nothing is known of who comes first; pass rows "
                "with events"
            )

    def prepared(self, y: Vector, weights: Vector) -> Self:
        return replace(self, at=RiskSets.create(y, weights))

    @property
    def _sets(self) -> RiskSets:
        assert self.at is not None  # prepared
        return self.at

    @cached_property
    def _intervals(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        return self._sets.start, self._sets.deaths, self._sets.strata

    @property
    def _efron(self) -> bool:
        return self.ties == "efron"

    def _sorted(self, z: Vector) -> Vector:
        return np.asarray(z[self._sets.rows], dtype=np.float64)

    def _spread(self, values: Vector, like: Vector) -> Vector:
        """Values of the rows that matter, zero elsewhere."""
        found = np.zeros(like.shape)
        found[self._sets.rows] = values
        return found

    def _at_risk(self, z: Vector) -> AtRisk:
        at, z = self._sets, self._sorted(z)
        logs = cox.log_risk(z, at.weights, at.start, at.strata)
        return AtRisk(*cox.at_risk(z, at.weights, *self._intervals, logs, self._efron))

    def _expected(self, z: Vector) -> Vector:
        """``m_j/s_j`` of the rows that matter."""
        at, risk = self._sets, self._at_risk(z)
        return np.asarray(cox.expected(risk.share, at.start, at.deaths, risk.terms, risk.hazard) / at.weights)

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        at, z = self._sets, self._sorted(z)
        logs = cox.log_risk(z, at.weights, at.start, at.strata)
        return float(cox.loss(z, at.weights, *self._intervals, logs, self._efron))

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return self._spread(self._expected(z) - self._sets.is_event, z)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """The expected events, a bound of the Hessian."""
        return self._spread(self._expected(z), z)

    def secant(self, y: Vector, z: Vector) -> Vector:
        return self.curvature(y, z)

    def hessian(self, y: Vector, z: Vector, weights: Vector) -> Callable[[Vector], Vector]:
        rows, risk = self._sets.rows, self._at_risk(z)

        def product(d: Vector) -> Vector:
            if not rows.size:
                return np.zeros(d.shape)
            d_sorted = self._sorted(d - d[rows[0]])  # a constant is mapped to zero exactly
            image = cox.hessian(d_sorted, risk.share, *self._intervals, risk.stay, risk.terms, risk.hazard)
            return self._spread(image, d)

        return product

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        at = self._sets
        m = at.weights * (self._sorted(u) + at.is_event)
        return float(cox.conjugate(m, at.weights, *self._intervals, self._efron))

    def clip(self, y: Vector, u: Vector) -> Vector:
        at = self._sets
        m = cox.flow(at.weights * (self._sorted(u) + at.is_event), at.weights, *self._intervals)
        return self._spread(m / at.weights - at.is_event, u)

    def constant(self, y: Vector, weights: Vector) -> float:
        return 0.0

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        return 0.0

    def cumulative_hazard(self, z: Vector) -> tuple[NDArray[np.intp], Vector]:
        """A row of each event time, and by what the cumulative hazard of a row with z = 0 rises then."""
        at, z = self._sets, self._sorted(z)
        logs = cox.log_risk(z, at.weights, at.start, at.strata)
        risk = AtRisk(*cox.at_risk(z, at.weights, *self._intervals, logs, self._efron))
        return at.rows[at.start[:-1]], np.asarray(risk.terms[0] * np.exp(-logs))

    def concordance(self, z: Vector) -> tuple[float, float]:
        """Harrell's: the weights of concordant and of comparable pairs."""
        at = self._sets
        rank = np.unique(self._sorted(z), return_inverse=True)[1].astype(np.int64) + 1
        found, of = cox.concordance(rank, at.weights, *self._intervals, int(rank.max(initial=0)))
        return float(found), float(of)

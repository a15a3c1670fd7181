"""Proportional hazards: the partial likelihood of Cox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name
from lambdahat.datafits.base import Perturbed
from lambdahat.datafits.row_wise import RowWise
from lambdahat.datafits.survival import FAR, RiskSets, Rows, Survival
from lambdahat.kernels import cox
from lambdahat.linear import Matrix, Vector

TIES = ("breslow", "efron")


@dataclass(frozen=True, eq=False)
class AtRisk:
    """Rows at risk at predictions z: what value and derivatives there are made of."""

    at: RiskSets
    efron: bool
    z: Vector

    @cached_property
    def top(self) -> float:
        return float(np.max(self.z[self.at.rows], initial=-np.inf))

    @cached_property
    def below(self) -> Vector:
        """``z − top``, sorted: what a shift does not change loses no digits to one."""
        return np.asarray(self.z[self.at.rows] - self.top, dtype=np.float64)

    @cached_property
    def logs(self) -> Vector:
        """``log S_k − top``."""
        return self.at.log_risk(self.below)

    @cached_property
    def share(self) -> Vector:
        return np.asarray(self.at.weights * np.exp(self.below - self.logs[self.at.interval]))

    @cached_property
    def stay(self) -> Vector:
        logs = np.diff(self.logs, append=0.0)
        logs[self.at.strata[1:] - 1] = -np.inf
        return np.asarray(np.exp(logs))

    @cached_property
    def ties(self) -> tuple[NDArray[np.float64], float]:
        at = self.at
        terms, logarithms = cox.ties(self.share, at.start, at.deaths, at.deaths, at.masses, self.efron)
        return terms, float(logarithms)

    @cached_property
    def hazard(self) -> Vector:
        return np.asarray(cox.hazards(self.stay, self.ties[0]))

    @cached_property
    def loss(self) -> float:
        at = self.at
        risk = float(at.masses @ (self.logs - np.log(at.masses)))
        return risk - float(at.weights[at.is_event] @ self.below[at.is_event]) + (self.ties[1] if self.efron else 0.0)

    @cached_property
    def expected(self) -> Vector:
        """The expected events, weights included."""
        return np.asarray(cox.expected(self.share, self.at.start, self.at.deaths, self.ties[0], self.hazard))

    @cached_property
    def diagonal(self) -> Vector:
        at = self.at
        return np.asarray(cox.diagonal(self.share, at.start, at.deaths, self.stay, self.ties[0], self.hazard))

    def hessian(self, D: Matrix, within: float = 1.0) -> Matrix:
        """The Hessian times each row of ``D``, or ``within`` of its way from ``diag(expected)``."""
        at = self.at
        found = cox.hessian(D, within, self.share, at.start, at.deaths, self.stay, self.ties[0], self.expected)
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class WithoutRows:
    """Losses of the rows at risk but one, at predictions.

    Attributes
    ----------
    at : RiskSets
    state : tuple of arrays
        What the Hessians are made of: see ``kernels.cox``.
    gradients : array of shape (m, n)
        Weights included.
    """

    at: RiskSets
    state: tuple[Matrix, ...]
    gradients: Matrix

    @classmethod
    def create(cls, at: RiskSets, efron: bool, Z: Matrix, places: Rows) -> WithoutRows:
        below, rates = _rates(Z)
        state = cox.without_rows(below, rates, places, *_sets(at), efron, FAR)
        gradients = state[-1] - at.weights * at.is_event
        left = np.flatnonzero(places >= 0)
        gradients[left, places[left]] = 0.0
        return cls(at, state, gradients)

    def hessian(self, D: Matrix, which: Rows) -> Matrix:
        """The Hessians of the losses of such numbers, weights included, times each row of ``D``."""
        share, stay, terms, expects = self.state
        return np.asarray(
            cox.hessian_without_rows(D, which, share, stay, terms, expects, self.at.start, self.at.deaths)
        )


def _rates(Z: Matrix) -> tuple[Matrix, Matrix]:
    """Predictions less the largest of their row, and their rates, 1 at most."""
    below = Z - np.max(Z, axis=1, keepdims=True, initial=-np.inf)
    return below, np.exp(below)


def _sets(at: RiskSets) -> tuple[Vector, Rows, Rows, Rows, Vector]:
    return at.weights, at.start, at.deaths, at.strata, at.masses


def _losses(at: RiskSets, efron: bool, below: Matrix, rates: Matrix, places: Rows) -> Vector:
    losses, events, risks, near = cox.losses_without_rows(below, rates, places, *_sets(at), efron, FAR)
    np.log(risks, out=risks, where=True if near.all() else near[:, None])  # of many at once: much faster than there
    return np.asarray(losses + np.einsum("ik,ik->i", events, risks))


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

    The conjugate is that of a flow of events. Event time k has ``W_k`` of them and what is carried over, ``C_{k−1}``;
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
    n: int = 0
    latest: list[AtRisk] = field(default_factory=list, repr=False)

    quadratic = False
    row_wise = False
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
        return replace(self, at=RiskSets.create(y, weights), n=y.size, latest=[])

    @property
    def _sets(self) -> RiskSets:
        assert self.at is not None  # prepared
        return self.at

    @property
    def _efron(self) -> bool:
        return self.ties == "efron"

    def _at(self, z: Vector) -> AtRisk:
        """What is known at z, and kept until there is another: solvers ask for one thing after the other."""
        known = self.latest[-1] if self.latest else None
        if known is None or not np.array_equal(known.z, z):
            known = AtRisk(self._sets, self._efron, z.copy())
            self.latest[:] = [known]
        return known

    def _spread(self, values: Vector) -> Vector:
        """Values of the rows that matter over their weights, zero elsewhere."""
        found = np.zeros(self.n)
        found[self._sets.rows] = values / self._sets.weights
        return found

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        return self._at(z).loss

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return self._spread(self._at(z).expected - self._sets.weights * self._sets.is_event)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """The diagonal of the Hessian."""
        return self._spread(self._at(z).diagonal)

    def secant(self, y: Vector, z: Vector) -> Vector:
        """The expected events, a bound of the Hessian."""
        return self._spread(self._at(z).expected)

    def hessian(self, y: Vector, z: Vector, weights: Vector) -> Callable[[Vector], Vector]:
        rows, known = self._sets.rows, self._at(z)

        def product(d: Vector) -> Vector:
            found = np.zeros(d.shape)
            if rows.size:
                some = d[rows]
                found[rows] = known.hessian((some - some[0])[None])[0]  # a constant is mapped to zero exactly
            return found

        return product

    def images(self, y: Vector, z: Vector, share: float) -> tuple[NDArray[np.int32], Callable[[Matrix], Matrix]]:
        known = self._at(z)
        return self._sets.rows.astype(np.int32), lambda A: known.hessian(A, 1.0 - share)

    def perturbed(self, y: Vector, step: Vector) -> Perturbed:
        return Perturbed(MovedEvents(self.ties, moves=self._sets.centred(step)), y, np.ones_like(step))

    def spread(self, y: Vector, weights: Vector) -> float:
        return float(np.sqrt(weights @ (y > 0.0)))  # of counts, the mean

    answers_by_prediction = False

    def response(self, z: Vector) -> Vector:
        """The expected events."""
        return self._spread(self._at(z).expected)

    def response_vjp(self, z: Vector, v: Vector) -> Vector:
        weights = self._sets.weights
        inverse = np.zeros(self.n)
        inverse[self._sets.rows] = 1.0 / weights
        return self.hessian(v, z, v)(inverse * v)

    def without_rows(self, Z: Matrix, places: Rows) -> WithoutRows:
        """The losses of all rows but one, which are not divided by the weight that is left.

        Rows are here those of :attr:`at`, and in that order. ``places`` are of those left out, or −1, and ``Z``
        predictions, of which each has a row, or all the same one.
        """
        return WithoutRows.create(self._sets, self._efron, Z, places)

    def added_by_rows(self, Z: Matrix, places: Rows) -> Vector:
        """How much larger the loss of all rows is than that of all but one, at the same predictions."""
        at = _rates(Z)
        whole, left = (_losses(self._sets, self._efron, *at, rows) for rows in (np.full_like(places, -1), places))
        return whole - left

    def _masses(self, u: Vector) -> Vector:
        """The expected events at slopes u."""
        at = self._sets
        return np.asarray(at.weights * (u[at.rows] + at.is_event))

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        at = self._sets
        return float(cox.conjugate(self._masses(u), at.weights, at.start, at.deaths, at.strata, self._efron))

    def clip(self, y: Vector, u: Vector) -> Vector:
        at = self._sets
        m = cox.flow(self._masses(u), at.weights, at.start, at.deaths, at.strata)
        return self._spread(m - at.weights * at.is_event)

    def constant(self, y: Vector, weights: Vector) -> float:
        return 0.0

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        return 0.0

    def cumulative_hazard(self, z: Vector) -> tuple[NDArray[np.int64], Vector]:
        """A row of each event time, and by what the cumulative hazard of a row with z = 0 rises then."""
        known = self._at(z)
        return self._sets.rows[self._sets.start[:-1]], np.asarray(known.ties[0][0] * np.exp(-known.logs - known.top))

    def concordance(self, z: Vector) -> tuple[float, float]:
        """Harrell's: the weights of concordant and of comparable pairs."""
        at = self._sets
        rank = np.unique(z[at.rows], return_inverse=True)[1].astype(np.int64) + 1
        found, of = cox.concordance(rank, at.weights, at.start, at.deaths, at.strata, int(rank.max(initial=0)))
        return float(found), float(of)


@dataclass(frozen=True, eq=False)
class MovedEvents(Cox):
    """The same with ``a_i`` events more in each row: ``F(z) − Σ s_i a_i z_i``, where times stay what they are.

    By this, degrees of freedom are measured: what answers are expected events. A shift of all predictions of a stratum
    changes nothing if the ``s_i a_i`` of its rows sum to zero.
    """

    moves: Vector | None = None

    @property
    def _moves(self) -> Vector:
        assert self.moves is not None
        return self.moves

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        return super().value(y, z, weights) - float((weights * self._moves) @ z)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return super().gradient(y, z) - self._moves

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        return super().conjugate(y, u + self._moves, weights)

    def clip(self, y: Vector, u: Vector) -> Vector:
        return super().clip(y, u + self._moves) - self._moves

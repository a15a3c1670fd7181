"""`TwoStages`, a problem whose penalty weighs features by the solution of another one, and the model that makes it.

    w⁰(α₀) = argmin_w F(X̃w) + g₀(w; α₀)
    w(α)   = argmin_w F(X̃w) + α Σ_j factor_j ω_j |w_j|,     ω = ω(w⁰)

the adaptive Lasso (Zou, *The adaptive lasso and its oracle properties*, JASA 2006, equation 4). The strength α₀ of the
first stage is ``unit·α^power``: a number of its own is power 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambdahat.design import Columns, Design, NormalEquations
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Separable
from lambdahat.problem import Model, Problem, Solution, WithoutRows


@dataclass(frozen=True)
class Reweighting:
    """``ω_j = ((1 + ε) / (|u_j| / max_k |u_k| + ε))^γ``: 1 for the largest coefficient, ``(1 + 1/ε)^γ`` for zeros.

    Weights of this form do not depend on the units of u, so that one α can be the strength of both stages. They are at
    least 1, and the first coefficient to enter has weight 1: both stages become zero at the same α.

    Attributes
    ----------
    gamma : float
        γ ≥ 0.
    epsilon : float
        ε ≥ 0; with 0 features whose coefficient is zero have an infinite weight.
    """

    gamma: float = 1.0
    epsilon: float = 0.01

    def weights(self, u: Matrix) -> Matrix:
        """ω, of the last axis."""
        with np.errstate(divide="ignore"):
            return np.asarray(((1.0 + self.epsilon) / (self._shares(u) + self.epsilon)) ** self.gamma)

    def weights_vjp(self, u: Matrix, slopes: Matrix) -> Matrix:
        """``(∂ω/∂u)ᵀ slopes``, of the last axis; where ``u`` is zero the derivative, of a kink, is taken as zero."""
        shares, seen = self._shares(u), (slopes != 0.0) & (u != 0.0)
        if not seen.any():
            return np.zeros_like(u)
        by_share = np.zeros_like(u)
        by_share[seen] = -self.gamma * self.weights(u)[seen] * slopes[seen] / (shares[seen] + self.epsilon)
        out, largest = np.sign(u) * by_share, np.argmax(shares, axis=-1, keepdims=True)
        along = np.take_along_axis(u, largest, axis=-1)
        ends = np.take_along_axis(out, largest, axis=-1)
        ends -= np.sign(along) * np.sum(by_share * shares, axis=-1, keepdims=True)
        np.put_along_axis(out, largest, ends, axis=-1)
        return np.divide(out, np.abs(along), out=np.zeros_like(out), where=along != 0.0)

    @staticmethod
    def _shares(u: Matrix) -> Matrix:
        size = np.abs(u)
        largest = size.max(axis=-1, initial=0.0, keepdims=True)
        return np.asarray(size / np.where(largest > 0.0, largest, 1.0))


class Initial(NamedTuple):
    """What the first stage is.

    Attributes
    ----------
    penalty : Separable
        With one hyperparameter, α₀.
    unit, power : float
        ``α₀ = unit·α^power``, unless θ says what it is.
    """

    penalty: Separable
    unit: float = 1.0
    power: float = 1.0


@dataclass(frozen=True, eq=False)
class Stages:
    """The workspace of a solution of :class:`TwoStages`: the first stage's, and what the second can use again."""

    first: Solution
    workspace: object = None


@dataclass(frozen=True, eq=False)
class TwoStages(Problem):
    """A problem as its second stage with all weights 1; solvers and derivatives see that there is a first one.

    θ = (α,), or (α, α₀) where both strengths are hyperparameters. A :class:`lambdahat.problem.Solution` is that of the
    second stage, with :class:`Stages` as workspace.

    Attributes
    ----------
    penalty : Separable
        ``α Σ_j factor_j |w_j|``. Unpenalised features have no part in the weights, nor weights.
    initial : Initial
    reweighting : Reweighting
    """

    penalty: Separable
    initial: Initial = field(kw_only=True)
    reweighting: Reweighting = field(kw_only=True)

    @property
    def alpha(self) -> float:
        return float(self.penalty.theta[0])

    @property
    def initial_alpha(self) -> float:
        theta = self.penalty.theta
        return float(theta[1]) if theta.size == 2 else self.initial.unit * self.alpha**self.initial.power

    @property
    def plain(self) -> Problem:
        """The second stage with weights of 1."""
        return self._with(self.penalty)

    @cached_property
    def first(self) -> Problem:
        """The first stage."""
        return self._with(self.initial.penalty.with_hyperparams(np.array([self.initial_alpha])))

    def second(self, w: Vector) -> Problem:
        """The second stage after coefficients ``w`` of the first; its θ are the strengths ``α ω_j``."""
        return self._with(self.penalty.each(self.strengths(w)))

    def strengths(self, w: Matrix, columns: Columns | None = None) -> Matrix:
        """``α ω_j`` of all columns or some, the last axis; then the first stage's ``w`` are theirs, all others zero."""
        weights = self.weights(w, columns)
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(weights), np.inf, self.alpha * weights)

    def weights(self, w: Matrix, columns: Columns | None = None) -> Matrix:
        """ω alike."""
        sizes, weighed, _ = self._sizes(w, columns)
        return np.where(weighed, self.reweighting.weights(sizes), 1.0)

    def weights_vjp(self, w: Matrix, slopes: Matrix, columns: Columns | None = None) -> Matrix:
        """``(∂ω/∂w)ᵀ slopes``, shaped as ``w``."""
        sizes, weighed, scales = self._sizes(w, columns)
        return np.asarray(scales * self.reweighting.weights_vjp(sizes, np.where(weighed, slopes, 0.0)))

    def theta_vjp(self, by_alpha: float, by_initial: float) -> Vector:
        """A gradient with respect to θ, from those with respect to both strengths."""
        if self.penalty.theta.size == 2:
            return np.array([by_alpha, by_initial])
        unit, power = self.initial.unit, self.initial.power
        return np.array([by_alpha + by_initial * (power * unit * self.alpha ** (power - 1.0) if power else 0.0)])

    def _sizes(self, w: Matrix, columns: Columns | None) -> tuple[Matrix, NDArray[np.bool_], Vector]:
        """Coefficients of the standardised columns, where these are; which features are weighed; and the scales."""
        on = slice(None) if columns is None else columns
        factors, scales = self.penalty.l1_factors[on], self.design.scales[on]
        weighed = (factors > 0.0) & np.isfinite(factors)
        return np.where(weighed, scales * w, 0.0), weighed, scales

    def _with(self, penalty: Separable) -> Problem:
        return Problem(self.design, self.y, self.y_mean, penalty, self.datafit, self.normal, self.has_offset)


@dataclass(frozen=True, eq=False)
class TwoStagesLeftOut(TwoStages):
    """The same problem, judged by predictions of each row by both fits without it."""

    without_rows: WithoutRows = field(kw_only=True)

    @classmethod
    def of(cls, problem: TwoStages, without_rows: WithoutRows) -> TwoStagesLeftOut:
        return cls(**{each.name: getattr(problem, each.name) for each in fields(problem)}, without_rows=without_rows)


@dataclass(frozen=True)
class TwoStagesModel(Model):
    """A model of least squares in two stages; its ``penalty`` is that of the second with weights of 1.

    ``initial(n_features)`` is the first stage, in the units of the (standardised) columns.
    """

    initial: Callable[[int], Initial] = field(kw_only=True)
    reweighting: Reweighting = field(kw_only=True)

    def problem(self, design: Design, y: Vector, normal: NormalEquations | None = None) -> TwoStages:
        plain = super().problem(design, y, normal)
        assert isinstance(plain.penalty, Separable)
        initial = self.initial(plain.n_features)
        if self.standardize:
            initial = initial._replace(penalty=initial.penalty.rescaled(design.scales))
        if initial.power == 2.0:  # in the units of a ridge penalty
            initial = initial._replace(unit=initial.unit / (2.0 * plain.null_value or 1.0))
        return TwoStages(
            design, plain.y, plain.y_mean, plain.penalty, plain.datafit, normal, plain.has_offset,
            initial=initial, reweighting=self.reweighting,
        )  # fmt: skip

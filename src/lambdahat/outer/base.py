"""What an outer optimiser is, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lambdahat.linear import Vector


@dataclass(frozen=True, eq=False)
class Point:
    """An evaluated point: ``x`` (log or logit hyperparameters), the criterion and its gradient there."""

    x: Vector
    value: float
    gradient: Vector


class Stop(Exception):
    """Raised by an objective that will not be evaluated any more: budget, callback or interruption."""


class Objective(Protocol):
    """Criterion and gradient at ``x``, with inner problems solved to a relative gap ``tol``.

    Raises :class:`Stop` where the search has to end. Every evaluation is recorded by the objective itself, so an
    optimiser need not return the best point: it says in a sentence how it ended.
    """

    @property
    def cheap(self) -> bool:
        """Whether an evaluation costs so little that many are no matter."""

    @property
    def coarse_tol(self) -> float:
        """The loosest gap that still ranks hyperparameters that differ by a factor of two or more."""

    def __call__(self, x: Vector, tol: float) -> Point: ...


@dataclass(frozen=True, eq=False)
class Region:
    """Where to look: a box, and lines ``origin + t·direction`` for a first look, with ``t`` in ``[t_low, t_high]``.

    The lines that matter most come first. Along a line, ``t_high`` is where the model is as simple as it can be (all
    coefficients zero, or all but).
    """

    lower: Vector
    upper: Vector
    lines: tuple[Line, ...]
    start: Vector | None = None


@dataclass(frozen=True, eq=False)
class Line:
    """Points ``origin + t·direction``."""

    origin: Vector
    direction: Vector
    t_low: float
    t_high: float
    smooth: bool = False
    """Whether no coefficient comes or goes along the line, so that the criterion has no dips to look for."""

    def at(self, t: float) -> Vector:
        return self.origin + t * self.direction


class OuterOptimizer(Protocol):
    """A search."""

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        """Evaluate ``objective`` until its value is within ``tol`` (relative) of a minimum; return a sentence."""

"""What an outer optimiser is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lambdahat.linear import Vector

# Without a starting point, descents begin at this share of the strength of the simplest model.
_START = 0.01


@dataclass(frozen=True, eq=False)
class Point:
    """An evaluated point: ``x`` (log, logit or plain hyperparameters), the criterion and its gradient there.

    Where the criterion is not finite the value is infinite; the gradient is NaN there, and where it was not asked for.
    ``decisive`` is what decides between points in the end, where the criterion stands in for it.
    """

    x: Vector
    value: float
    gradient: Vector
    decisive: float | None = None


class Stop(Exception):
    """Raised by an objective that will not be evaluated any more: budget, callback or interruption."""


class Objective(Protocol):
    """Criterion and gradient at ``x``, with inner problems solved to a relative gap ``tol``.

    Raises :class:`Stop` where the search has to end. Every evaluation is recorded by the objective itself, so an
    optimiser need not return the best point: it says in a sentence how it ended. Searches that use no gradient do not
    ask for one, and do not pay for it.
    """

    @property
    def cheap(self) -> bool:
        """Whether an evaluation costs so little that many are no matter."""

    @property
    def coarse_tol(self) -> float:
        """The loosest gap that still ranks hyperparameters that differ by a factor of two or more."""

    def __call__(self, x: Vector, tol: float, gradient: bool = True) -> Point: ...


@dataclass(frozen=True, eq=False)
class Chart:
    """The logarithms behind a plain parametrisation.

    Looks over a wide range stay geometric: they go by ``u``, the logarithms (or logits), in the box ``[low, high]``.
    Its ends are those of the box of ``x``, so that what lies at the end of a geometric range is reached: 0.

    Parameters
    ----------
    values, slope, logs : callable
        ``x`` and ``∂x/∂u`` at ``u``, and ``u`` at ``x``.
    low, high : array of shape (d,)
        Bounds of ``u``.
    lower, upper : array of shape (d,)
        Bounds of ``x``.
    """

    values: Callable[[Vector], Vector]
    slope: Callable[[Vector], Vector]
    logs: Callable[[Vector], Vector]
    low: Vector
    high: Vector
    lower: Vector
    upper: Vector

    def at(self, u: Vector) -> Vector:
        return np.where(u <= self.low, self.lower, np.where(u >= self.high, self.upper, self.values(u)))


@dataclass(frozen=True, eq=False)
class Region:
    """Where to look: a box, and lines for a first look.

    The lines that matter most come first. Along a line, ``t_high`` is where the model is as simple as it can be (all
    coefficients zero, or all but). ``chart`` is given where ``x`` holds hyperparameters themselves.
    """

    lower: Vector
    upper: Vector
    lines: tuple[Line, ...]
    start: Vector | None = None
    chart: Chart | None = None

    @property
    def box(self) -> tuple[Vector, Vector]:
        """The box of the logarithms."""
        return (self.lower, self.upper) if self.chart is None else (self.chart.low, self.chart.high)

    def at(self, u: Vector) -> Vector:
        """The point whose logarithms these are."""
        return u if self.chart is None else self.chart.at(u)

    def logs(self, x: Vector) -> Vector:
        """The logarithms of a point, inside their box."""
        return np.clip(x if self.chart is None else self.chart.logs(x), *self.box)

    def clip(self, x: Vector) -> Vector:
        return np.clip(x, self.lower, self.upper)

    def unit(self, x: Vector) -> Vector:
        """What counts as a step of one: a factor of e, and in plain hyperparameters as much as they are themselves."""
        if self.chart is None:
            return np.ones(x.size)
        return np.maximum(np.abs(x), self.chart.values(0.5 * (self.chart.low + self.chart.high)))

    def first_guess(self) -> Vector:
        """Where a descent begins: ``start``, or on the first line at a hundredth of the greatest strength.

        That is where Bertrand et al. begin. Close to the simplest model there is little slope yet, and far from it fits
        are dear; where the bounds are narrow it is the middle of the line.
        """
        if self.start is not None:
            return self.clip(self.start)
        line = self.lines[0]
        return line.at(max(line.t_high + float(np.log(_START)), 0.5 * (line.t_low + line.t_high)))

    def weaker(self, x: Vector, factor: float) -> Vector:
        """The point where the penalty is so many times weaker, or as weak as it can be."""
        low, high = self.box
        return self.at(np.clip(self.logs(x) - np.log(factor) * self.lines[0].direction, low, high))


@dataclass(frozen=True, eq=False)
class Line:
    """Points ``origin + t·direction`` with ``t`` in ``[t_low, t_high]``, in logarithms where there is a chart."""

    origin: Vector
    direction: Vector
    t_low: float
    t_high: float
    smooth: bool = False
    """Whether no coefficient comes or goes along the line, so that the criterion has no dips to look for."""
    chart: Chart | None = None

    def at(self, t: float | Vector) -> Vector:
        u = self.origin + t * self.direction
        return u if self.chart is None else self.chart.at(u)

    def slope(self, t: float, gradient: Vector) -> float:
        """The derivative along the line, from the gradient at ``t``."""
        if self.chart is not None:
            gradient = gradient * self.chart.slope(self.origin + t * self.direction)
        return float(gradient @ self.direction)

    def nearest(self, x: Vector) -> float:
        """The ``t`` of the nearest point of the line."""
        moved = self.direction != 0.0
        u = (x if self.chart is None else self.chart.logs(x))[moved]
        direction = self.direction[moved]
        t = (u - self.origin[moved]) @ direction / (direction @ direction)
        return float(np.clip(t, self.t_low, self.t_high))


class OuterOptimizer(Protocol):
    """A search."""

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        """Evaluate ``objective`` until its value is within ``tol`` (relative) of a minimum; return a sentence."""

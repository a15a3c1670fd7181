"""What descents share: the best point seen, where to begin, which way is down, and the words for the end."""

from __future__ import annotations

import numpy as np

from lambdahat._validation import check_real
from lambdahat.linear import Vector
from lambdahat.outer.base import Objective, Point, Region, Stop

NO_SLOPE = "the gradient is zero at the start (as above λ_max), moved to weaker penalties; "

_WEAKER = 3.0  # factor between penalties, on the way to one that lets a feature in
_LOOK_FOR_FINITE = 8
_TIGHT = 1e-4
_WORTH_A_TRY = 0.1  # a step of ten per cent


class Recorded:
    """An objective that remembers its best point.

    Where the criterion is not finite its value is infinite and its gradient zero, so that comparisons go the right way.
    ``inner_tol`` is that of evaluations whose ``tol`` is not given; by default as tight as derivatives need.
    """

    def __init__(self, objective: Objective, inner_tol: float | None = None) -> None:
        self.objective, self.inner_tol = objective, inner_tol
        self.best: Point | None = None
        self._best_tol, self._best_sloped = np.inf, False  # to which that was solved, and whether with its slope
        self.sloped: Point | None = None  # the one whose slope promises most, for half a step in each direction
        self.remark = ""  # on what happened on the way, for the sentence at the end

    @property
    def cheap(self) -> bool:
        return self.objective.cheap

    @property
    def coarse_tol(self) -> float:
        return self.objective.coarse_tol

    def __call__(self, x: Vector, tol: float | None = None, gradient: bool = True) -> Point:
        if tol is None:
            tol = min(self.coarse_tol, _TIGHT) if self.inner_tol is None else self.inner_tol
        known = self._best_tol <= tol and (self._best_sloped or not gradient)
        if self.best is not None and known and np.array_equal(x, self.best.x):
            return self.best  # a descent begins there
        try:
            seen = self.objective(x, tol, gradient)
        except Stop as stop:
            raise Stop(f"{self.remark}{stop}") from stop
        finite = bool(np.isfinite(seen.value))
        slope = np.where(finite & np.isfinite(seen.gradient), seen.gradient, 0.0)
        point = Point(seen.x, seen.value if finite else np.inf, slope, seen.decisive)
        if self.best is None or point.value < self.best.value:
            self.best, self._best_tol, self._best_sloped = point, tol, gradient
        if point.gradient.any() and (self.sloped is None or _promise(point) < _promise(self.sloped)):
            self.sloped = point
        return point

    def ending(self, how: str, region: Region) -> str:
        """A sentence on how a search ended, and where."""
        if self.best is None or not np.isfinite(self.best.value):
            return "the criterion is not finite at any point visited"
        return f"{self.remark}{how}; {where(self.best.x, region)}"


def _promise(point: Point) -> float:
    return point.value - 0.5 * float(np.sum(np.abs(point.gradient)))


def where(x: Vector, region: Region) -> str:
    """Whether a point lies on the bounds, in words."""
    if np.any((x <= region.lower) | (x >= region.upper)):
        return "some hyperparameters lie on their bounds"
    return "all hyperparameters lie inside their bounds"


def begin(recorded: Recorded, region: Region, tol: float | None = None) -> Point:
    """A point from which there is a way down; a remark is left where it had to be looked for.

    Above λ_max no coefficient moves with the hyperparameters: then the penalty is weakened until one does.
    """
    point = recorded(region.first_guess(), tol)
    if not np.isfinite(point.value):
        recorded.remark = "the criterion is not finite at the start, moved to where it is; "
        line = region.lines[0]
        for t in np.linspace(line.t_high, line.t_low, _LOOK_FOR_FINITE):
            point = recorded(line.at(float(t)), tol)
            if np.isfinite(point.value) and point.gradient.any():
                break
    while np.isfinite(point.value) and not point.gradient.any():
        recorded.remark = NO_SLOPE
        x = region.weaker(point.x, _WEAKER)
        if np.array_equal(x, point.x):
            recorded.remark = (
                "the gradient is zero from the start to the weakest penalty, there is no slope to follow; "
            )
            break
        point = recorded(x, tol)
    return point


def slope_inside(point: Point, region: Region, unit: Vector) -> Vector:
    """The gradient per unit, zero where the way down is out of the box."""
    blocked = ((point.x <= region.lower) & (point.gradient > 0.0)) | (
        (point.x >= region.upper) & (point.gradient < 0.0)
    )
    return np.where(blocked, 0.0, point.gradient * unit)


def step_down(point: Point, region: Region, unit: Vector, slope: Vector, step: float) -> tuple[Vector, float]:
    """The point ``step`` times the slope further down, inside the box, and the decrease that the slope promises."""
    x = region.clip(point.x - step * slope * unit)
    return x, float(slope @ ((point.x - x) / unit))


def ended_small(point: Point, slope: Vector, tol: float, *, shortened: bool) -> str:
    """The words for steps that promise nothing: at a minimum, or because they were too short from the beginning."""
    if not shortened and _WORTH_A_TRY * float(np.sum(np.abs(slope))) > tol * abs(point.value):
        return f"stopped: steps this short promise no improvement above {tol:.0e}, pass a greater step_size"
    return f"converged: a step promises no improvement above {tol:.0e}"


def widest(region: Region, unit: Vector) -> float:
    """The longest step that makes sense."""
    return float(np.max((region.upper - region.lower) / unit))


def check_inner_tol(inner_tol: float | None) -> None:
    """Refuse a gap that cannot be reached."""
    if inner_tol is not None:
        check_real(inner_tol, "inner_tol", open_low=True)

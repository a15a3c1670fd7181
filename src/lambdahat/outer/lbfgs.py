"""Several hyperparameters: a coarse look along lines, then L-BFGS with bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

from lambdahat.linear import Vector
from lambdahat.outer.base import Line, Objective, Point, Region
from lambdahat.outer.descent import Recorded, begin
from lambdahat.outer.scalar import Scalar, Scan

# L-BFGS knows no curvature at first and steps by the gradient as it is: it is scaled to move a hyperparameter by a
# factor of about two, but where it is flat not further than the gradient is worth, unless it begins at a point that
# somebody has chosen, from where the way may be long.
_FIRST_STEP = 0.5
_FLAT, _FLAT_AT_START = 1e-3, 1e-6
# Of the criterion where second derivatives are known: scipy's tolerance is relative for values above 1 only.
_NEWTON_SCALE, _LEAST_BEND = 10.0, 1e-10
_AS_GOOD = 10.0
_REFINED = 1e-3  # to which lines are searched at first
_WALL = 10.0  # the value given to scipy where the criterion is not finite, in units of the best one


@dataclass(frozen=True)
class LBFGS:
    """scipy's L-BFGS-B from the best point of a look along the region's lines.

    The criterion has kinks where a coefficient comes or goes, and a line search may fail there: L-BFGS then starts anew
    from the best point, for as long as that gains something.

    Parameters
    ----------
    max_iter : int, default 100
        Bound on the iterations of each start.
    few_lines : int, default 4
        How many of the lines count where evaluations are dear.
    most_starts : int, default 20
    """

    max_iter: int = 100
    few_lines: int = 4
    most_starts: int = 20

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded, bends = Recorded(objective), None
        if region.start is None:
            bends = self._look(recorded, region.lines, tol)
            start, flat = _best(recorded), _FLAT
            if not start.gradient.any() and recorded.sloped is not None:  # no coefficient is the best of a line only
                start = recorded.sloped
        else:
            start = begin(recorded, region, objective.coarse_tol)
            flat = _FLAT_AT_START
        if not np.isfinite(start.value):
            return recorded.ending("stopped", region)
        size, newton = abs(start.value) or 1.0, bends is not None
        unit = region.unit(start.x) if bends is None else _newton_unit(bends / size, start.gradient / size)
        for _ in range(self.most_starts):
            before = _best(recorded).value
            steepest = float(np.max(np.abs(start.gradient * unit))) / size
            scale = (_NEWTON_SCALE if newton else _FIRST_STEP / max(steepest, flat)) / size
            result = self._descend(recorded, region, start, unit, scale, tol, newton)
            start, flat = _best(recorded), _FLAT
            if result is None or result.success or before - start.value <= tol * size:
                break
        return recorded.ending(_ending(result, tol), region)

    def _descend(
        self, recorded: Recorded, region: Region, start: Point, unit: Vector, scale: float, tol: float, newton: bool
    ) -> OptimizeResult | None:
        """L-BFGS on ``scale`` times the criterion, by steps in ``unit``.

        None where, with the ``newton`` units of second derivatives, a line search has come back to where it began.
        """
        size = abs(start.value) or 1.0
        wall, origin = max(start.value, 0.0) + _WALL * size, region.clip(start.x) / unit
        tried: list[Point] = []

        def value_and_gradient(z: Vector) -> tuple[float, Vector]:
            x = start.x if np.array_equal(z, origin) else region.clip(z * unit)
            if newton and _is_back(x, tried, tol * size):
                raise _NothingToGain
            point = recorded(x)
            tried.append(point)
            if not np.isfinite(point.value):  # scipy wants numbers: a wall, from which the line search turns back
                return wall * scale, (z - start.x / unit) * size * scale
            return point.value * scale, point.gradient * unit * scale

        try:
            return minimize(
                value_and_gradient,
                origin,
                jac=True,
                method="L-BFGS-B",
                bounds=Bounds(region.lower / unit, region.upper / unit),
                options={"maxiter": self.max_iter, "ftol": tol, "gtol": 0.1 * tol * size * scale, "maxls": 10},
            )
        except _NothingToGain:
            return None

    def _look(self, recorded: Recorded, lines: tuple[Line, ...], tol: float) -> Vector | None:
        """Along every line coarsely, then beside the best of them, or else along it to the end.

        No result is worse than the best of that line. Where the place beside it is good, each hyperparameter has a part
        of the criterion of its own, and what is returned is the second derivatives that the line has shown.
        """
        search = Scalar(fine_ratio=3.0, thorough=False)
        scans = [Scan(recorded, line) for line in (lines if recorded.cheap else lines[: self.few_lines])]
        for scan in scans:
            search.look(scan, scan.line)
            search.refine(scan, max(tol, _REFINED))
        best = min(scans, key=lambda scan: min(scan.value))
        if (places := best.crossings()) is not None:
            beside = recorded(best.line.at(places)).value
            if beside < min(best.value) * (1.0 - _REFINED):  # no point of the line is as good
                return best.bends(places) if best.line.chart is None else None
        search.refine(best, tol)
        return None


class _NothingToGain(Exception):
    """A line search is at its end: see :func:`_is_back`."""


def _is_back(x: Vector, tried: list[Point], least: float) -> bool:
    """Whether a line search has come back to a point as good as any, whose slope promises less than ``least`` there.

    The criterion is as exact as the inner solutions, so that the last bit of a way down may not be seen as one.
    """
    best = min((point.value for point in tried), default=np.inf)
    return any(
        point.gradient.any()
        and point.value <= best + _AS_GOOD * least
        and float(np.abs(point.gradient) @ np.abs(x - point.x)) <= least
        and np.linalg.norm(x - point.x) < np.linalg.norm(tried[-1].x - point.x)
        for point in tried[:-1]
    )


def _newton_unit(bends: Vector, gradient: Vector) -> Vector:
    """Units in which a step by the gradient is Newton's, where second derivatives are ``bends``.

    Those that are not known, or not positive, count as large, and no step moves a hyperparameter by more than a factor
    of about two.
    """
    known = np.where(bends > 0.0, bends, np.max(bends, initial=0.0))
    return 1.0 / np.sqrt(_NEWTON_SCALE * np.maximum(known, np.maximum(np.abs(gradient) / _FIRST_STEP, _LEAST_BEND)))


def _ending(result: OptimizeResult | None, tol: float) -> str:
    if result is None or result.success:
        return f"converged: L-BFGS found no relative improvement above {tol:.0e}"
    if result.status == 1:
        return f"stopped after {result.nit} iterations of L-BFGS"
    return "converged to a kink of the criterion, from where L-BFGS finds no way down"


def _best(recorded: Recorded) -> Point:
    assert recorded.best is not None  # minimize has evaluated by then
    return recorded.best

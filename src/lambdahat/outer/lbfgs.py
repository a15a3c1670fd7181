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
        recorded = Recorded(objective)
        if region.start is None:
            self._look(recorded, region.lines, tol)
            start, flat = _best(recorded), _FLAT
            if not start.gradient.any() and recorded.sloped is not None:  # no coefficient is the best of a line only
                start = recorded.sloped
        else:
            start = begin(recorded, region, objective.coarse_tol)
            flat = _FLAT_AT_START
        if not np.isfinite(start.value):
            return recorded.ending("stopped", region)
        size, unit = abs(start.value) or 1.0, region.unit(start.x)
        wall = max(start.value, 0.0) + _WALL * size

        def value_and_gradient(z: Vector) -> tuple[float, Vector]:
            point = recorded(region.clip(z * unit))
            if not np.isfinite(point.value):  # scipy wants numbers: a wall, from which the line search turns back
                return wall * scale, (z - start.x / unit) * size * scale
            return point.value * scale, point.gradient * unit * scale

        for _ in range(self.most_starts):
            before = _best(recorded).value
            steepest = float(np.max(np.abs(start.gradient * unit))) / size
            scale = _FIRST_STEP / max(steepest, flat) / size
            result = minimize(
                value_and_gradient,
                region.clip(start.x) / unit,
                jac=True,
                method="L-BFGS-B",
                bounds=Bounds(region.lower / unit, region.upper / unit),
                options={"maxiter": self.max_iter, "ftol": tol, "gtol": 0.1 * tol * size * scale, "maxls": 10},
            )
            start, flat = _best(recorded), _FLAT
            if result.success or before - start.value <= tol * size:
                break
        return recorded.ending(_ending(result, tol), region)

    def _look(self, recorded: Recorded, lines: tuple[Line, ...], tol: float) -> None:
        """Along every line coarsely, then beside the best of them, or else along it to the end.

        No result is worse than the best of that line.
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
                return
        search.refine(best, tol)


def _ending(result: OptimizeResult, tol: float) -> str:
    if result.success:
        return f"converged: L-BFGS found no relative improvement above {tol:.0e}"
    if result.status == 1:
        return f"stopped after {result.nit} iterations of L-BFGS"
    return "converged to a kink of the criterion, from where L-BFGS finds no way down"


def _best(recorded: Recorded) -> Point:
    assert recorded.best is not None  # minimize has evaluated by then
    return recorded.best

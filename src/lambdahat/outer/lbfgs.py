"""Several hyperparameters: a coarse look along lines, then L-BFGS with bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

from lambdahat.linear import Vector
from lambdahat.outer.base import Line, Objective, Point, Region
from lambdahat.outer.scalar import Scalar, Scan

# L-BFGS knows no curvature at first and steps by the gradient as it is: it is scaled to move a hyperparameter by a
# factor of about two, but where it is flat not further than the gradient is worth.
_FIRST_STEP = 0.5
_FLAT = 1e-3


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
    """

    max_iter: int = 100
    few_lines: int = 4

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded = _Recorded(objective)
        if region.start is None:
            self._look(recorded, region.lines, tol)
        else:
            recorded(region.start, objective.coarse_tol)
        unit = abs(recorded.best.value) or 1.0

        def value_and_gradient(x: Vector) -> tuple[float, Vector]:
            point = recorded(x, min(objective.coarse_tol, 1e-4))
            return point.value * scale, point.gradient * scale

        while True:
            best = recorded.best
            steepest = float(np.max(np.abs(best.gradient))) / unit
            scale = _FIRST_STEP / max(steepest, _FLAT) / unit
            result = minimize(
                value_and_gradient,
                np.clip(best.x, region.lower, region.upper),
                jac=True,
                method="L-BFGS-B",
                bounds=Bounds(region.lower, region.upper),
                options={"maxiter": self.max_iter, "ftol": tol, "gtol": 0.1 * tol * unit * scale, "maxls": 10},
            )
            if result.success or best.value - recorded.best.value <= tol * unit:
                break
        return f"{_ending(result, tol)}; {_where(recorded.best.x, region)}"

    def _look(self, recorded: _Recorded, lines: tuple[Line, ...], tol: float) -> None:
        """Along every line coarsely, along the best of them to the end: no result is worse than that line's."""
        search = Scalar(fine_ratio=3.0, thorough=False)
        scans = [Scan(recorded, line) for line in (lines if recorded.cheap else lines[: self.few_lines])]
        for scan in scans:
            search.look(scan, scan.line)
            search.refine(scan, max(tol, 1e-3))
        search.refine(min(scans, key=lambda scan: min(scan.value)), tol)


def _ending(result: OptimizeResult, tol: float) -> str:
    if result.success:
        return f"converged: L-BFGS found no relative improvement above {tol:.0e}"
    if result.status == 1:
        return f"stopped after {result.nit} iterations of L-BFGS"
    return "converged to a kink of the criterion, from where L-BFGS finds no way down"


def _where(x: Vector, region: Region) -> str:
    if np.any((x <= region.lower) | (x >= region.upper)):
        return "some hyperparameters lie on their bounds"
    return "all hyperparameters lie inside their bounds"


class _Recorded:
    """An objective that remembers its best point."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.best: Point

    @property
    def cheap(self) -> bool:
        return self.objective.cheap

    @property
    def coarse_tol(self) -> float:
        return self.objective.coarse_tol

    def __call__(self, x: Vector, tol: float) -> Point:
        point = self.objective(x, tol)
        if not hasattr(self, "best") or point.value < self.best.value or np.isnan(self.best.value):
            self.best = point
        return point

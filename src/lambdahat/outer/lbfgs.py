"""Several hyperparameters: a coarse look along lines, then L-BFGS with bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, minimize

from lambdahat.linear import Vector
from lambdahat.outer.base import Objective, Point, Region
from lambdahat.outer.scalar import Scalar, _Scan


@dataclass(frozen=True)
class LBFGS:
    """scipy's L-BFGS-B from the best point of a coarse look along the region's lines.

    Parameters
    ----------
    max_iter : int, default 100
    """

    max_iter: int = 100

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        best = self._start(objective, region)

        def value_and_gradient(x: Vector) -> tuple[float, Vector]:
            point = objective(x, min(objective.coarse_tol, 1e-4))
            return point.value / abs(best.value), point.gradient / abs(best.value)

        result = minimize(
            value_and_gradient,
            np.clip(best.x, region.lower, region.upper),
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(region.lower, region.upper),
            options={"maxiter": self.max_iter, "ftol": tol, "gtol": 0.1 * tol, "maxls": 10},
        )
        on_bound = np.any((result.x <= region.lower) | (result.x >= region.upper))
        ending = (
            "some hyperparameters lie on their bounds" if on_bound else "all hyperparameters lie inside their bounds"
        )
        if result.success:
            return f"converged: L-BFGS found no relative improvement above {tol:.0e}; {ending}"
        return f"L-BFGS ended early ({str(result.message).strip().lower()}); {ending}"

    def _start(self, objective: Objective, region: Region) -> Point:
        if region.start is not None:
            return objective(region.start, objective.coarse_tol)
        visited: list[Point] = []

        class Recorded:
            cheap = objective.cheap

            @property
            def coarse_tol(self) -> float:
                return objective.coarse_tol

            def __call__(self, x: Vector, tol: float) -> Point:
                visited.append(objective(x, tol))
                return visited[-1]

        for line in region.lines:
            scan = _Scan(Recorded(), line)
            search = Scalar(fine_ratio=3.0, thorough=False)
            search.look(scan, line)
            search.refine(scan, 1e-3)
        return min(visited, key=lambda point: point.value)

"""Gradient descent whose steps adapt to the criterion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_count, check_real
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, begin, check_inner_tol, slope_inside, step_down, widest

_SUFFICIENT = 1e-3  # share of the promised decrease that a step has to keep (Armijo)
_GROWTH = 2.0


@dataclass(frozen=True)
class LineSearch:
    """Projected gradient steps, shortened until the criterion falls enough and longer again when the first try does.

    A step that fails is shortened to where the parabola through both values and the slope is lowest, at most tenfold.

    Parameters
    ----------
    step_size : float, default 1.0
        How far the steepest hyperparameter moves in the very first try (its logarithm: 1 is a factor of e).
    max_iter : int, default 100
        Bound on the number of steps.
    inner_tol : float, optional
        Relative duality gap asked of inner problems; by default 1e-4, or less where the objective wants it.
    """

    step_size: float = 1.0
    max_iter: int = 100
    inner_tol: float | None = None

    def __post_init__(self) -> None:
        check_real(self.step_size, "step_size", open_low=True)
        check_count(self.max_iter, "max_iter")
        check_inner_tol(self.inner_tol)

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded = Recorded(objective, self.inner_tol)
        point = begin(recorded, region)
        unit, step = region.unit(point.x), np.inf
        for iteration in range(self.max_iter):
            slope = slope_inside(point, region, unit)
            steepest = float(np.max(np.abs(slope)))
            if steepest == 0.0:
                return recorded.ending("converged: the gradient inside the bounds is zero", region)
            longest = widest(region, unit) / steepest
            step = _GROWTH * step
            if iteration == 0:  # a try that promises nothing teaches nothing
                step = max(self.step_size / steepest, 2.0 * tol * abs(point.value) / float(slope @ slope))
            step = min(step, longest)
            while True:
                x, promised = step_down(point, region, unit, slope, step)
                if promised <= tol * abs(point.value):
                    return recorded.ending(f"converged: no step improves by more than {tol:.0e}", region)
                following = recorded(x)
                missing = following.value - point.value + promised  # by as much it falls short of the promise
                if missing <= (1.0 - _SUFFICIENT) * promised:
                    break
                step *= float(np.clip(0.5 * promised / missing, 0.1, 0.5))
            point = following
        return recorded.ending(f"stopped after {self.max_iter} steps", region)

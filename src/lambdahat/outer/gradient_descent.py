"""Plain gradient descent, projected onto the bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_count, check_real
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, begin, check_inner_tol, ended_small, slope_inside, step_down, widest


@dataclass(frozen=True)
class GradientDescent:
    """Steps down the gradient; a step that does not lower the criterion is taken back, and steps are halved from then.

    Parameters
    ----------
    step_size : float, default 0.5
        When ``normalised``, how far the hyperparameter with the steepest slope moves (its logarithm: 0.5 is a factor of
        1.6); otherwise the multiple of the gradient that is a step.
    normalised : bool, default True
        Whether steps have a length of their own, whatever the gradient's.
    max_iter : int, default 100
    inner_tol : float, optional
        Relative duality gap asked of inner problems; by default 1e-4, or less where the objective wants it.
    """

    step_size: float = 0.5
    normalised: bool = True
    max_iter: int = 100
    inner_tol: float | None = None

    def __post_init__(self) -> None:
        check_real(self.step_size, "step_size", open_low=True)
        check_count(self.max_iter, "max_iter")
        check_inner_tol(self.inner_tol)

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded = Recorded(objective, self.inner_tol)
        point = begin(recorded, region)
        unit = region.unit(point.x) if self.normalised else np.ones(point.x.size)
        size, shortened = float(self.step_size), False
        for _ in range(self.max_iter):
            slope = slope_inside(point, region, unit)
            steepest = float(np.max(np.abs(slope)))
            if steepest == 0.0:
                return recorded.ending("converged: the gradient inside the bounds is zero", region)
            per_step = steepest if self.normalised else 1.0
            size = min(size, widest(region, unit) * per_step / steepest)
            x, promised = step_down(point, region, unit, slope, size / per_step)
            if promised <= tol * abs(point.value):
                return recorded.ending(ended_small(point, slope, tol, shortened=shortened), region)
            following = recorded(x)
            if following.value < point.value:
                point = following
            else:
                size, shortened = 0.5 * size, True
        return recorded.ending(f"stopped after {self.max_iter} iterations", region)

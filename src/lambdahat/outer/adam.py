"""Adam: Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR 2015, Algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_count, check_real
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, begin, check_inner_tol, ended_small, slope_inside, widest

_TINY = 1e-8


@dataclass(frozen=True)
class Adam:
    """Steps by moving averages of the gradient and of its square, so that each hyperparameter has a pace of its own.

    Steps are not checked against the criterion. Where nothing better has been found in ``patience`` of them, Adam
    starts anew from the best point with a quarter of the step; with half of it, where the criterion is not finite.

    Parameters
    ----------
    step_size : float, default 0.2
        About how far each hyperparameter moves in a step (its logarithm: 0.2 is a factor of 1.2).
    decay, decay_squares : float, default 0.9 and 0.999
        Share of the averages that a step keeps.
    patience : int, default 10
    max_iter : int, default 200
    inner_tol : float, optional
        Relative duality gap asked of inner problems; by default 1e-4, or less where the objective wants it.
    """

    step_size: float = 0.2
    decay: float = 0.9
    decay_squares: float = 0.999
    patience: int = 10
    max_iter: int = 200
    inner_tol: float | None = None

    def __post_init__(self) -> None:
        check_real(self.step_size, "step_size", open_low=True)
        for name in ("decay", "decay_squares"):
            if check_real(getattr(self, name), name, high=1.0) == 1.0:
                raise ValueError(f"{name}=1 keeps all of the past: pass a share below 1")
        for name in ("patience", "max_iter"):
            check_count(getattr(self, name), name)
        check_inner_tol(self.inner_tol)

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded = Recorded(objective, self.inner_tol)
        point = begin(recorded, region)
        unit = region.unit(point.x)
        size = min(float(self.step_size), widest(region, unit))
        mean, square, age, waited, reference = np.zeros(unit.size), np.zeros(unit.size), 0, 0, point.value
        overshot = False
        for _ in range(self.max_iter):
            slope = slope_inside(point, region, unit)
            steepest = float(np.max(np.abs(slope)))
            if steepest == 0.0 and point is recorded.best:
                return recorded.ending("converged: the gradient inside the bounds is zero", region)
            if waited == self.patience or not np.isfinite(point.value):
                assert recorded.best is not None
                point, size = recorded.best, (0.5 if waited < self.patience else 0.25) * size
                mean, square, age, waited, reference = 0.0 * mean, 0.0 * square, 0, 0, point.value
                slope = slope_inside(point, region, unit)
                if size * float(np.sum(np.abs(slope))) <= tol * abs(point.value):
                    return recorded.ending(ended_small(point, slope, tol, shortened=overshot), region)
            age += 1
            mean = self.decay * mean + (1.0 - self.decay) * slope
            square = self.decay_squares * square + (1.0 - self.decay_squares) * slope**2
            corrected = mean / (1.0 - self.decay**age)
            pace = np.sqrt(square / (1.0 - self.decay_squares**age)) + _TINY * (abs(reference) or 1.0)
            point = recorded(region.clip(point.x - size * unit * corrected / pace))
            improved = point.value < reference - tol * abs(reference)
            overshot |= point.value > reference
            waited, reference = (0, point.value) if improved else (waited + 1, reference)
        return recorded.ending(f"stopped after {self.max_iter} iterations", region)

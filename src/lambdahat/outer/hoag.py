"""HOAG: Pedregosa, *Hyperparameter optimization with approximate gradient*, ICML 2016."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_count, check_name, check_real
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, begin, ended_small, slope_inside, step_down, widest

_DECREASE = {
    "quadratic": lambda k: 1.0 / k**2,
    "cubic": lambda k: 1.0 / k**3,
    "exponential": lambda k: 0.9 ** (k - 1),
}
_SLACK = 0.25  # as much of the tolerance is forgiven in comparing two inexact criteria
_TIGHTEST = 1e-10


@dataclass(frozen=True)
class HOAG:
    """Gradient steps from inexact inner solutions, whose accuracy grows with the iterations (Algorithm 1).

    The error that is tolerated in the coefficients falls as a summable sequence ε_k, from which convergence follows; a
    duality gap is quadratic in it, so inner problems are solved to a gap of ε_k². The step adapts as in Pedregosa's
    code: where the criterion falls as a quadratic with the present Lipschitz constant would, that is lowered by a
    twentieth; where it rises by more than the inexactness explains, the step is taken back, the constant doubled, and
    ε halved.

    Parameters
    ----------
    step_size : float, default 1.0
        How far the steepest hyperparameter moves in the first step (its logarithm: 1 is a factor of e).
    first_tol : float, default 0.1
        The first ε.
    decrease : {"quadratic", "cubic", "exponential"}, default "quadratic"
        How ε_k falls: as 1/k², 1/k³ or 0.9^k.
    max_iter : int, default 100
    """

    step_size: float = 1.0
    first_tol: float = 0.1
    decrease: str = "quadratic"
    max_iter: int = 100

    def __post_init__(self) -> None:
        check_real(self.step_size, "step_size", open_low=True)
        check_real(self.first_tol, "first_tol", high=1.0, open_low=True)
        check_name(self.decrease, _DECREASE, "decrease")
        check_count(self.max_iter, "max_iter")

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded = Recorded(objective)
        error, shrunk = float(self.first_tol), 1.0
        point = begin(recorded, region, self._gap(error))
        unit, lipschitz = region.unit(point.x), 0.0
        for k in range(1, self.max_iter + 1):
            slope = slope_inside(point, region, unit)
            steepest = float(np.max(np.abs(slope)))
            if steepest == 0.0 and self._gap(error) > tol:  # perhaps an inexact one only
                error = self.first_tol * shrunk * _DECREASE[self.decrease](k + 1)
                point = recorded(point.x, self._gap(error))
                continue
            if steepest == 0.0:
                return recorded.ending("converged: the gradient inside the bounds is zero", region)
            lipschitz = max(lipschitz or steepest / self.step_size, steepest / widest(region, unit))
            x, promised = step_down(point, region, unit, slope, 1.0 / lipschitz)
            if promised <= tol * abs(point.value) and self._gap(error) <= tol:
                return recorded.ending(ended_small(point, slope, tol, shortened=shrunk < 1.0), region)
            slack = _SLACK * error * abs(point.value)
            error = self.first_tol * shrunk * _DECREASE[self.decrease](k + 1)
            following = recorded(x, self._gap(error))
            if following.value > point.value + slack:
                lipschitz, shrunk = 2.0 * lipschitz, 0.5 * shrunk
                continue
            if following.value <= point.value - 0.5 * promised:
                lipschitz *= 0.95
            point = following
        return recorded.ending(f"stopped after {self.max_iter} iterations", region)

    def _gap(self, error: float) -> float:
        return max(error**2, _TIGHTEST)

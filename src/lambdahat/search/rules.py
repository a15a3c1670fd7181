"""Rules that choose another point than the one of the least criterion."""

from __future__ import annotations

import numpy as np

from lambdahat.outer import Region
from lambdahat.search.objective import CriterionObjective

_STEP, _CLOSE = 0.5, 0.02  # in the logarithm of the strength
_TIGHTER = 0.1  # than what ranks: standard errors are small beside the criterion


def one_standard_error(objective: CriterionObjective, region: Region) -> str:
    """Choose the strongest penalty whose criterion is within one standard error of the least one.

    From the best point all strengths grow by the same factor (those at their bound stay), in steps that double, until
    the criterion is beyond or the model is as simple as it can be; then the last step is halved. The criterion is taken
    to be beyond for good where it is once.
    """
    best = objective.best_index
    error = objective.standard_error
    if error is None:
        return "one fold has no standard error: the least criterion was taken"
    objective.chosen = best
    bound = objective.visited[best].decisive + error
    line, u = region.lines[0], region.logs(objective.visited[best].x)
    low, high = region.box
    moved = line.direction > 0.0
    most = float(np.max((high - u)[moved] / line.direction[moved], initial=0.0))

    def inside(t: float) -> bool:
        x = region.at(np.clip(u + t * line.direction, low, high))
        objective(x, objective.coarse_tol * _TIGHTER, gradient=False)
        if objective.visited[-1].decisive > bound:
            return False
        objective.chosen = len(objective.visited) - 1
        return True

    near, step = 0.0, _STEP
    while near < most and inside(min(near + step, most)):
        near, step = min(near + step, most), 2.0 * step
    far = min(near + step, most)
    while far - near > _CLOSE:
        middle = 0.5 * (near + far)
        near, far = (middle, far) if inside(middle) else (near, middle)
    return f"the strongest penalty within one standard error ({error:.3g}) of the least criterion was taken"

"""Problems given by their normal equations: the whole problem is one working set, and X is not looked at."""

from lambdahat.design.forms import GramForm
from lambdahat.linear import Vector
from lambdahat.problem import Problem
from lambdahat.solvers.descent import LEAST_DAMPING, Descent, Progress
from lambdahat.solvers.newton import newton_step


def solve_normal(
    problem: Problem, w: Vector, gap_target: float, max_iter: int, at_least: int
) -> tuple[Vector, float, int]:
    """Returns the coefficients, the absolute gap, and the number of rounds."""
    normal, penalty = problem.normal, problem.penalty
    assert normal is not None
    w[penalty.excluded] = 0.0
    form = GramForm(normal.G, normal.c, normal.yy, normal.c - normal.G @ w, w, penalty)
    descent = Descent(1e-3, LEAST_DAMPING)
    progress = Progress()
    if at_least and w.any():
        newton_step(form, descent.least, 0.0)
    for iteration in range(1, max_iter + 1):
        gap = descent.round(form, gap_target, 0.0)
        if gap <= gap_target or progress.stalled(gap):
            break
        if iteration % 10 == 0:
            form.h = normal.c - normal.G @ form.w  # shed rounding errors
    return form.w, min(gap, progress.gap), iteration

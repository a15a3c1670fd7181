"""Ridge and least squares: no kinks, so Newton's step is the solution, refined until nothing is left to gain."""

import numpy as np

from lambdahat.linear import Vector
from lambdahat.penalties import Separable
from lambdahat.problem import Problem


def is_smooth(penalty: Separable) -> bool:
    """Whether every feature is either excluded or free of kinks and bounds."""
    l1 = penalty.l1
    return not penalty.positive and bool(np.all((l1 == 0.0) | np.isinf(l1)))


def solve_smooth(problem: Problem, w: Vector, gap_target: float, max_iter: int) -> tuple[Vector, float, int]:
    """Returns the coefficients, the absolute gap, and the number of linear systems solved.

    The gap is Newton's decrement, half the slope times the step: for a quadratic it is what was still to gain.
    """
    included = np.flatnonzero(np.isfinite(problem.penalty.l1)).astype(np.int32)
    w[np.isinf(problem.penalty.l1)] = 0.0
    l2 = problem.penalty.l2[included]
    for iteration in range(max_iter + 1):
        slope = problem.correlation_after(included, w[included])[included] - l2 * w[included]
        step = problem.solve_support(included, slope, atol=1e-2 * float(np.abs(slope).max(initial=0.0)))
        gap = 0.5 * float(slope @ step)
        w[included] += step  # it is known, and where a loose gap would stand still it follows the hyperparameters
        if gap <= gap_target or iteration == max_iter:
            break
    return w, gap, iteration

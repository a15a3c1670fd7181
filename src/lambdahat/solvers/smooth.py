"""Ridge and least squares: no kinks, so Newton's step is the solution, refined until nothing is left to gain."""

import numpy as np

from lambdahat.linear import Matrix, by_row
from lambdahat.problem import Problem


def solve_smooth(problem: Problem, w: Matrix, gap_target: float, max_iter: int) -> tuple[Matrix, float, int]:
    """Returns the coefficients, the absolute gap, and the number of linear systems solved.

    The gap is Newton's decrement, half the slope times the step: for a quadratic it is what was still to gain. Where
    the penalty's curvature alone shows after a step that it is small enough, no system is solved for it.
    """
    excluded = problem.penalty.excluded
    included = np.flatnonzero(~excluded).astype(np.int32)
    w[excluded] = 0.0
    penalty = problem.penalty.restricted(included)
    for iteration in range(max_iter + 1):
        now = w[included]
        slope = problem.correlation_after(included, now)[included] - penalty.gradient(now)
        ridge = penalty.curvature(now).diagonal
        if iteration and np.all(ridge > 0.0):
            gap = 0.5 * float(np.vdot(slope, by_row(1.0 / ridge, slope)))  # a bound: the loss is convex
            if gap <= gap_target:
                break
        step = problem.solve_support(included, now, slope, atol=1e-2 * float(np.abs(slope).max(initial=0.0)))
        gap = 0.5 * float(np.vdot(slope, step))
        w[included] += step  # it is known, and where a loose gap would stand still it follows the hyperparameters
        if gap <= gap_target or iteration == max_iter:
            break
    return w, gap, iteration

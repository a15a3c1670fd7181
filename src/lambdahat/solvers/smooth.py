"""Ridge and least squares: no kinks, so Newton's step is the solution, refined until the gap says so."""

import numpy as np

from lambdahat.kernels import quadratic
from lambdahat.linear import Vector
from lambdahat.penalties import Separable
from lambdahat.problem import Problem


def is_smooth(penalty: Separable) -> bool:
    """Whether every feature is either excluded or free of kinks and bounds."""
    l1 = penalty.l1
    return not penalty.positive and bool(np.all((l1 == 0.0) | np.isinf(l1)))


def solve_smooth(problem: Problem, w: Vector, gap_target: float, max_iter: int) -> tuple[Vector, float, int]:
    """Returns the coefficients, the absolute gap, and the number of linear systems solved."""
    design, y = problem.design, problem.y
    included = np.flatnonzero(np.isfinite(problem.penalty.l1)).astype(np.int32)
    w[np.isinf(problem.penalty.l1)] = 0.0
    l1, l2 = np.zeros(included.size), problem.penalty.l2[included]
    gap, best_gap = np.inf, np.inf
    for iteration in range(max_iter + 1):
        q = design.weights * (y - design.product(included, w[included]))
        h = design.gradient(q)[included]
        primal, dual = quadratic.bounds(h, w[included], l1, l2, False, float(y @ q), design.squared_norm(q), 0.0)
        slope = h - l2 * w[included]
        # A Newton decrement: what is still to gain, exact for a quadratic.
        step = problem.solve_support(included, slope, atol=1e-2 * float(np.abs(slope).max(initial=0.0)))
        gap = 0.5 * float(slope @ step)
        if np.all(l2 > 0.0):
            gap = min(gap, primal - dual) if gap > 0.0 else primal - dual
        best_gap = min(best_gap, gap)
        if gap <= gap_target or iteration == max_iter:
            break
        w[included] += step
    return w, best_gap, iteration

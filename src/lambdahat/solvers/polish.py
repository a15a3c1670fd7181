"""The last digits of a solution, for those who differentiate it."""

from dataclasses import replace

import numpy as np

from lambdahat.problem import Problem, Solution

_GAIN = 1e-5  # left of the slope


def polish(problem: Problem, solution: Solution, tol: float) -> tuple[Solution, float]:
    """One undamped Newton step on the support, where it keeps every sign; other columns are not looked at.

    A duality gap is quadratic in the error of the coefficients, a hypergradient linear: a gap of 1e-8 leaves it four
    digits, and this step makes them eight. Returns the solution, and ``tol`` as it deserves now.
    """
    penalty, offset = problem.penalty, problem.offset(solution)
    S = penalty.generalized_support(solution.w)
    w_S = solution.w[S]
    slope = problem.correlation_on(S, w_S, offset) - penalty.l1[S] * np.sign(w_S) - penalty.l2[S] * w_S
    local = problem.local_on(S, w_S, offset)
    step = local.solve_support(S, local.scale * slope, atol=_GAIN * local.scale * float(np.abs(slope).max(initial=0.0)))
    polished = w_S + step
    bounded = (penalty.l1[S] > 0.0) | penalty.positive
    if not np.all(np.isfinite(step)) or np.any(bounded & (polished * w_S <= 0.0)):
        return solution, tol
    w = solution.w.copy()
    w[S] = polished
    if problem.has_offset:
        offset += float((problem.design.means - local.design.means)[S] @ step)
    return replace(solution, w=w, intercept=problem.intercept(w, offset)), _GAIN * tol

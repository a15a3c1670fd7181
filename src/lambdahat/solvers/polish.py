"""The last digits of a solution, for those who differentiate it."""

from dataclasses import replace

import numpy as np

from lambdahat.problem import Problem, Solution

_GAIN = 1e-5  # left of the slope
_NOISE = 1e-14  # a slope that is no more than rounding errors


def polish(problem: Problem, solution: Solution, tol: float) -> tuple[Solution, float]:
    """One undamped Newton step on the support, where it keeps every sign; other columns are not looked at.

    A duality gap is quadratic in the error of the coefficients, a hypergradient linear: a gap of 1e-8 leaves it four
    digits, and this step makes them eight. Returns the solution, and ``tol`` as it deserves now.
    """
    penalty, offset = problem.penalty, problem.offset(solution)
    S = penalty.generalized_support(solution.w)
    w_S = solution.w[S]
    on = penalty.restricted(S)
    slope = problem.correlation_on(S, w_S, offset) - on.gradient(w_S)
    largest = float(np.abs(slope).max(initial=0.0))
    noise = _NOISE * problem.slope_unit * float(np.sqrt(problem.design.variances(S).max(initial=0.0)))
    if largest <= noise:
        return solution, _GAIN * tol
    local = problem.local_on(S, w_S, offset)
    atol = local.scale * max(_GAIN * largest, noise)  # below, where the system is singular, steps lead nowhere
    step = local.solve_support(S, w_S, local.scale * slope, atol=atol)
    polished = w_S + step
    if not np.all(np.isfinite(step)) or on.crossing(w_S, polished) is not None:
        return solution, tol
    w = solution.w.copy()
    w[S] = polished
    if problem.has_offset:
        offset += local.offset_step(S, step, problem.design.means)
    return replace(solution, w=w, intercept=problem.intercept(w, offset)), _GAIN * tol

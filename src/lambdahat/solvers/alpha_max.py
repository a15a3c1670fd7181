"""The strength of the penalty at which a problem has its simplest solution."""

from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch

import numpy as np
from scipy.optimize import brentq

from lambdahat.linear import Matrix
from lambdahat.problem import Problem
from lambdahat.solvers.solve import solve
from lambdahat.two_stages import TwoStages

_EXACT = 1e-15
_STEP, _LEAST = 1.1, 1e-12  # of the look for a root: from each α to the next one, and where it ends


@singledispatch
def alpha_max(problem: Problem, correlation: Callable[[], Matrix] | None = None) -> float:
    """The smallest multiplier of the strengths of the penalty's kinks at which every coefficient with a kink is zero.

    Exact also with unpenalised columns, which are fitted first (by least squares, or ridge where they have an ℓ2 term).
    Excluded columns do not count. Zero when no column has a kink. ``correlation`` says what :meth:`Problem.correlation`
    would, with a pass over X less.
    """
    penalty = problem.penalty
    if penalty.is_smooth:
        return 0.0
    smooth = penalty.without_kinked()
    rest = np.flatnonzero(~smooth.excluded).astype(np.int32)
    if not rest.size:
        return penalty.dual_norm((correlation or problem.correlation)())
    fitted = solve(replace(problem, penalty=smooth), tol=_EXACT)
    return penalty.dual_norm(problem.correlation_after(rest, fitted.w[rest], problem.offset(fitted)))


@alpha_max.register
def _(problem: TwoStages, correlation: Callable[[], Matrix] | None = None) -> float:
    """The smallest multiplier of θ above which the coefficients of the second stage are zero.

    Weights are at least 1, and a first stage that is zero makes them all the same. So with a first stage that has kinks
    and the same strength it is where that becomes zero. Else it is the largest multiplier that is just what the second
    stage needs with the weights there; it is looked for downwards from where weights of 1 suffice, in steps of a tenth.
    """
    theta, tied = problem.penalty.theta, problem.penalty.theta.size == 1
    if problem.penalty.is_smooth:
        return 0.0
    if tied and problem.initial.power == 1.0 and not problem.first.penalty.is_smooth:
        return alpha_max(problem.first)

    def needed(t: float) -> float:
        there = problem.with_hyperparams(t * theta)
        assert isinstance(there, TwoStages)
        return t * alpha_max(there.second(solve(there.first, tol=_EXACT).w))

    if tied and problem.initial.power == 0.0:
        return needed(1.0)
    high = most = alpha_max(problem.plain)
    while high > _LEAST * most:
        low = high / _STEP
        if needed(low) > low:
            return float(brentq(lambda t: needed(t) - t, low, high, xtol=1e-300, rtol=4.0 * np.finfo(float).eps))
        high = low
    return high

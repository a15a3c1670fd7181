"""The strength of the penalty at which a problem has its simplest solution."""

from dataclasses import replace

import numpy as np

from lambdahat.problem import Problem
from lambdahat.solvers.solve import solve


def alpha_max(problem: Problem) -> float:
    """The smallest multiplier of the penalty's ℓ1 strengths at which every penalised coefficient is zero.

    Exact also with unpenalised columns, which are fitted first (by least squares, or ridge where they have an ℓ2 term).
    Excluded columns do not count. Zero when no column has an ℓ1 term.
    """
    penalty = problem.penalty
    strengths = penalty.l1
    penalised = (strengths > 0.0) & np.isfinite(strengths)
    if not penalised.any():
        return 0.0
    h = problem.correlation()
    free = np.flatnonzero(strengths == 0.0).astype(np.int32)
    if free.size:
        without = replace(penalty, l1_factors=np.where(strengths > 0.0, np.inf, penalty.l1_factors))
        fitted = solve(replace(problem, penalty=without), tol=1e-15)
        h = problem.correlation_after(free, fitted.w[free], problem.offset(fitted))
    size = h if penalty.positive else np.abs(h)
    return float(np.max(size[penalised] / strengths[penalised], initial=0.0))

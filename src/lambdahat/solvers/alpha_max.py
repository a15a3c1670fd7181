"""The strength of the penalty at which a problem has its simplest solution."""

from dataclasses import replace

import numpy as np

from lambdahat.problem import Problem
from lambdahat.solvers.solve import solve


def alpha_max(problem: Problem) -> float:
    """The smallest multiplier of the strengths of the penalty's kinks at which every coefficient with a kink is zero.

    Exact also with unpenalised columns, which are fitted first (by least squares, or ridge where they have an ℓ2 term).
    Excluded columns do not count. Zero when no column has a kink.
    """
    penalty = problem.penalty
    if penalty.is_smooth:
        return 0.0
    smooth = penalty.without_kinked()
    rest = np.flatnonzero(~smooth.excluded).astype(np.int32)
    if not rest.size:
        return penalty.dual_norm(problem.correlation())
    fitted = solve(replace(problem, penalty=smooth), tol=1e-15)
    return penalty.dual_norm(problem.correlation_after(rest, fitted.w[rest], problem.offset(fitted)))

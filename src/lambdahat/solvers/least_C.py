"""The strength of the loss at which a support vector machine leaves its simplest solution."""

from dataclasses import replace

import numpy as np

from lambdahat.box_problem import BoxProblem
from lambdahat.penalties import Box
from lambdahat.solvers.solve import solve

_NOTHING = 1e-12  # of pulls that cancel, what rounding leaves


def least_C(problem: BoxProblem) -> float:
    """The largest C up to which every row in error pulls with all its weight: the solution is ``w = C u``, exactly.

    ``u = Σ_i s_i sign(y_i) x_i`` over the rows with ``|y_i| > ε`` (all rows, for classification), and C is the first at
    which one of them is predicted to within ε, ``C sign(y_i) x_iᵀu = |y_i| − ε``, or one with ``|y_i| < ε`` no more.
    Rows with ``|y_i| = ε`` (zeros, for ε = 0) are undecided however small C is; their part of u is what makes it
    shortest within their boxes, since the conditions at them do not depend on C.

    On a simplex the line is ``w = 1/p + C (u − mean(u))``, y less the row's mean takes the place of y, and C is at most
    the first at which a weight is zero.

    Infinite where ``u = 0``: then w is the same at every C.
    """
    penalty, y, epsilon = problem.penalty, problem.null_residual, problem.penalty.epsilon
    start, domain = problem.null_weights, problem.domain
    pull = np.where(y > epsilon, penalty.upper_factors, np.where(y < -epsilon, penalty.lower_factors, 0.0))
    rows = np.flatnonzero(pull).astype(np.int32)
    u = problem.tangent(start, problem.combine(rows, pull[rows]))
    moving = (penalty.lower_factors < penalty.upper_factors) & (problem.curvature > 0.0)
    even = moving & (np.abs(y) == epsilon)
    if np.any(even):
        lower = np.where(even & (y <= 0.0), penalty.lower_factors, 0.0)
        upper = np.where(even & (y >= 0.0), penalty.upper_factors, 0.0)
        box = Box(np.array([1.0, 0.0]), lower, upper)
        shortest = replace(problem, y=-problem.prediction(u), penalty=box, domain=domain.directions)
        beta = solve(shortest, tol=1e-15).workspace.beta
        u = u + problem.tangent(start, problem.combine(np.flatnonzero(even).astype(np.int32), beta[even]))
    if float(u @ u) <= _NOTHING**2 * float(pull**2 @ problem.curvature):
        return np.inf
    z = problem.prediction(u)
    room = np.where(pull != 0.0, np.abs(y) - epsilon, epsilon + np.sign(z) * y)
    bound = moving & ~even & (z != 0.0) & ((pull == 0.0) | (z * y > 0.0))
    first = float(np.min(room[bound] / np.abs(z[bound])))
    falling = np.flatnonzero((u < 0.0) & (np.arange(u.size) < problem.n_features) & domain.nonnegative)
    return min(first, float(np.min(start[falling] / -u[falling], initial=np.inf)))

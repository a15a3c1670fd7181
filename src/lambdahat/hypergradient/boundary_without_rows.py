"""Predictions of each row by a support vector machine without it, and their derivatives.

Where the sets of the dual stay the same these are the predictions by the span of support vectors (Vapnik & Chapelle,
*Bounds on error expectation for support vector machines*, Neural Computation 2000). Sets do change, so that the weight
of the row is taken to zero step by step (:mod:`lambdahat.kernels.box_left_out`): this is leave-one-out itself. At the
sets where that ends the solution is linear in θ, which is the formula of :mod:`lambdahat.hypergradient.boundary`.
"""

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from lambdahat.box_problem import BoxProblem, Dual
from lambdahat.hypergradient.base import Judge
from lambdahat.hypergradient.boundary import boundary
from lambdahat.kernels import box_left_out
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Solution
from lambdahat.solvers import solve

_RIDGE = 1e-10  # over the largest curvature: rows that depend on each other have one solution then
_SLACK = 1e-9  # of coefficients in units of the box, of residuals in units of the largest
_MOST_PIVOTS = 300
_TOL = 1e-9  # of a fit without a row, where steps do not end


def boundary_without_rows(
    problem: BoxProblem, solution: Solution, judge: Judge
) -> tuple[float, Vector]:
    """A criterion of predictions of all rows without themselves, and its gradient with respect to θ = (C, ε).

    ``judge`` takes these predictions where others take coefficients.
    """
    z, by_theta = predictions_without_rows(problem, solution)
    value, slopes, _ = judge(np.arange(z.size, dtype=np.int32), z, 0.0)
    return value, slopes @ by_theta


def judged_without_rows(problem: BoxProblem, solution: Solution, judge: Judge) -> float:
    """The criterion alone."""
    return boundary_without_rows(problem, solution, judge)[0]


def predictions_without_rows(problem: BoxProblem, solution: Solution) -> tuple[Vector, Matrix]:
    """Predictions of each row by the solution without it, shape (n,), and their derivatives, shape (n, 2)."""
    assert isinstance(solution.workspace, Dual)
    beta, penalty = solution.workspace.beta, problem.penalty
    z = problem.prediction(problem.weights(solution))
    rows = np.flatnonzero((penalty.lower < penalty.upper) & (problem.curvature > 0.0)).astype(np.int32)
    kinks = [-penalty.epsilon, penalty.epsilon] if penalty.epsilon > 0.0 else [0.0]
    slopes, by_slope = np.array(kinks), np.sign(kinks)
    middle = [np.zeros(rows.size)] * (len(kinks) - 1)
    stops = np.column_stack([penalty.lower[rows], *middle, penalty.upper[rows]])
    factors = [penalty.lower_factors[rows], *middle, penalty.upper_factors[rows]]
    by_stop = np.column_stack(factors)

    places = _places(beta[rows], stops)
    free, each = places % 2 == 1, np.arange(rows.size)
    residuals = problem.y[rows] - z[rows]
    size = float(np.abs(residuals).max(initial=0.0))
    T = _tableau(problem.gram(rows), free)
    held = np.where(free, slopes[np.minimum(places // 2, slopes.size - 1)], stops[each, places // 2])
    lowest, highest = np.append(-np.inf, slopes)[places // 2], np.append(slopes, np.inf)[places // 2]
    starts = np.where(free, beta[rows], np.clip(residuals, lowest, highest))
    by_C = np.where(free, 0.0, by_stop[each, places // 2])
    by_epsilon = np.where(free, by_slope[np.minimum(places // 2, slopes.size - 1)], 0.0)
    rates = np.stack([by_C @ T, by_epsilon @ T])

    # Rows whose coefficient is zero are predicted as before, by what moves with θ.
    found = np.where(free, held, starts)
    by_theta = np.where(free, np.stack([by_C, by_epsilon]), rates).T.copy()
    removed = np.flatnonzero(beta[rows] != 0.0)
    without, slopes_without = np.empty(removed.size), np.empty((removed.size, 2))
    box_left_out.without_rows(
        T, places, starts, held, stops, slopes, by_stop, by_slope, rates, removed,
        np.array([_SLACK, _SLACK * size]), _MOST_PIVOTS, without, slopes_without,
    )  # fmt: skip
    found[removed], by_theta[removed] = without, slopes_without
    z[rows], out = problem.y[rows] - found, np.zeros((z.size, 2))
    out[rows] = -by_theta
    for i in rows[removed[~np.isfinite(without)]]:
        z[i], out[i] = _by_another_fit(problem, solution, i)
    return z, out


def _places(beta: Vector, stops: Matrix) -> np.ndarray:
    """Where coefficients are: at stop v (2v) or between it and the next (2v + 1)."""
    above = np.sum(beta[:, None] > stops, axis=1)
    return above + np.sum(beta[:, None] >= stops, axis=1) - 1


def _tableau(K: Matrix, free: np.ndarray) -> Matrix:
    """What moves, by what drives: coefficients of free rows by residuals, residuals of the others by coefficients.

    With ``A = K_FF⁻¹ K_FR`` (a principal pivot of the Gram matrix)

        [ −K_FF⁻¹      A               ]
        [ −Aᵀ          K_RF A − K_RR   ]
    """
    F, R = np.flatnonzero(free), np.flatnonzero(~free)
    T = -K
    if F.size:
        H = K[np.ix_(F, F)]
        H[np.diag_indices_from(H)] += _RIDGE * K.diagonal().max()
        factor = cho_factor(H, lower=True, overwrite_a=True, check_finite=False)
        A = cho_solve(factor, K[np.ix_(F, R)], check_finite=False)
        T[np.ix_(F, F)] = -cho_solve(factor, np.eye(F.size), check_finite=False)
        T[np.ix_(F, R)], T[np.ix_(R, F)] = A, -A.T
        T[np.ix_(R, R)] += K[np.ix_(R, F)] @ A
    T[R, R] -= _RIDGE * K.diagonal().max(initial=0.0)
    return T


def _by_another_fit(problem: BoxProblem, solution: Solution, i: int) -> tuple[float, Vector]:
    """Prediction of a row, and its derivatives, by a fit to the others."""
    lower, upper, row = problem.penalty.lower_factors.copy(), problem.penalty.upper_factors.copy(), np.array([i])
    lower[i] = upper[i] = 0.0
    left = replace(problem, penalty=replace(problem.penalty, lower_factors=lower, upper_factors=upper))

    def judge(columns: object, w: Vector, intercept: float) -> tuple[float, Vector, float]:
        full = np.append(w, intercept / problem.constant if problem.constant else 0.0)
        return float(problem.prediction_on(row, full)[0]), problem.rows.combine(row, np.ones(1)), 1.0

    return boundary(left, solve(left, tol=_TOL, start=solution), judge, tol=_TOL)

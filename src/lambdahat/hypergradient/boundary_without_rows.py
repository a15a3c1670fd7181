"""Predictions of each row by a support vector machine without it, and their derivatives.

Where the sets of the dual stay the same these are the predictions by the span of support vectors (Vapnik & Chapelle,
*Bounds on error expectation for support vector machines*, Neural Computation 2000). Sets do change, so that the weight
of a row is taken to zero from one change to the next (:mod:`lambdahat.kernels.box_left_out`): this is leave-one-out
itself. At the sets where that ends the solution is linear in θ, as in :mod:`lambdahat.hypergradient.boundary`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lambdahat.box_problem import Dual, EachLeftOut
from lambdahat.hypergradient.base import Judge
from lambdahat.hypergradient.boundary import boundary
from lambdahat.kernels import box_left_out
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Solution
from lambdahat.solvers import solve

_RIDGE = 1e-11  # over the largest curvature: rows that depend on each other have one solution then
_SLACK = 1e-9  # of coefficients in units of the box, of residuals in units of the largest
_MOST_PIVOTS = 300
_TOL = 1e-9  # of a fit without a row, where pivots do not end


def boundary_without_rows(problem: EachLeftOut, solution: Solution, judge: Judge) -> tuple[float, Vector]:
    """A criterion of predictions of all rows without themselves, and its gradient with respect to θ = (C, ε).

    ``judge`` takes these predictions where others take coefficients.
    """
    z, by_theta = predictions_without_rows(problem, solution)
    value, slopes, _ = judge(np.arange(z.size, dtype=np.int32), z, 0.0)
    return value, slopes @ by_theta


def judged_without_rows(problem: EachLeftOut, solution: Solution, judge: Judge) -> float:
    """The criterion alone."""
    return boundary_without_rows(problem, solution, judge)[0]


def predictions_without_rows(problem: EachLeftOut, solution: Solution) -> tuple[Vector, Matrix]:
    """Predictions of each row by the solution without it, shape (n,), and their derivatives, shape (n, 2)."""
    assert isinstance(solution.workspace, Dual)
    all_beta, penalty = solution.workspace.beta, problem.penalty
    z, z_by_theta = problem.prediction(problem.weights(solution)), np.zeros((all_beta.size, 2))
    is_free = np.zeros(all_beta.size, dtype=bool)
    is_free[penalty.generalized_support(all_beta)] = True
    in_use = (penalty.lower < penalty.upper) & (problem.curvature > 0.0)
    free, held = np.flatnonzero(is_free & in_use), np.flatnonzero(~is_free & in_use)
    rows = np.concatenate([free, held]).astype(np.int32)
    if rows.size == 0:
        return z, z_by_theta
    beta, residual = all_beta[rows], problem.y[rows] - z[rows]
    kinds, stretches = problem.kinds[rows], problem.stretches[rows]

    # The staircase: coefficients at stops, and residuals at slopes between these.
    zero = [np.zeros(rows.size)] if penalty.epsilon > 0.0 else []
    stops = np.column_stack([penalty.lower[rows], *zero, penalty.upper[rows]])
    slopes = np.array([-penalty.epsilon, penalty.epsilon] if zero else [0.0])
    places = np.sum(beta[:, None] > stops, axis=1) + np.sum(beta[:, None] >= stops, axis=1) - 1
    m, step = free.size, places // 2

    T = _tableau(problem.gram(rows), m)
    lowest, highest = np.append(-np.inf, slopes)[step[m:]], np.append(slopes, np.inf)[step[m:]]
    starts = np.concatenate([beta[:m], np.clip(residual[m:], lowest, highest)])
    by_kind = np.stack([np.where(kinds[m:] == kind, beta[m:], 0.0) @ T[m:] for kind in range(stretches.shape[1])])
    by_slope = slopes[step[:m]] @ T[:m]

    without, by_logs = np.empty(rows.size), np.empty((rows.size, 2))
    box_left_out.without_rows(
        T, places, starts, stops, slopes, kinds, by_kind, by_slope, stretches,
        _SLACK * np.array([1.0, np.abs(residual).max()]), _MOST_PIVOTS, without, by_logs,
    )  # fmt: skip
    z[rows] = problem.y[rows] - without
    z_by_theta[rows] = -by_logs / np.where(penalty.theta > 0.0, penalty.theta, 1.0)
    for i in rows[np.isnan(without)]:
        z[i], z_by_theta[i] = _by_another_fit(problem, solution, i)
    return z, z_by_theta


def _tableau(K: Matrix, m: int) -> Matrix:
    """What moves, by what is held: coefficients of the first m, free rows by residuals, the others the other way round.

    It is minus the Gram matrix after pivots at the free rows, F. With ``A = K_FF⁻¹ K_FR``:

        [ −K_FF⁻¹      A               ]
        [ −Aᵀ          K_RF A − K_RR   ]
    """
    K[np.diag_indices_from(K)] += _RIDGE * K.diagonal().max()
    T = -K
    if m:
        factor = cho_factor(K[:m, :m], lower=True, check_finite=False)
        T[:m, :m] = -cho_solve(factor, np.eye(m), check_finite=False)
        T[:m, m:] = cho_solve(factor, K[:m, m:], check_finite=False)
        T[m:, :m] = -T[:m, m:].T
        T[m:, m:] += K[m:, :m] @ T[:m, m:]
    return T


def _by_another_fit(problem: EachLeftOut, solution: Solution, i: int) -> tuple[float, Vector]:
    """The prediction of a row, and its derivatives, by a fit to the others."""
    penalty, factors = problem.penalty, problem.stretches[i][problem.kinds]
    factors[i] = 0.0
    box = replace(penalty, lower_factors=factors * penalty.lower_factors, upper_factors=factors * penalty.upper_factors)
    without = replace(problem, penalty=box)
    row: NDArray[np.int32] = np.array([i], dtype=np.int32)
    x = problem.rows.combine(row, np.ones(1))

    def judge(columns: Any, w: Vector, intercept: float) -> tuple[float, Vector, float]:
        return float(x @ w) + intercept, x, 1.0

    return boundary(without, solve(without, tol=_TOL, start=solution), judge, tol=_TOL)

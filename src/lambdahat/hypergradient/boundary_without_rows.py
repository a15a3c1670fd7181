"""Predictions of each row by a support vector machine without it, and their derivatives.

Where the sets of the dual stay the same these are the predictions by the span of support vectors (Vapnik & Chapelle,
*Bounds on error expectation for support vector machines*, Neural Computation 2000). Sets do change, so that the weight
of a row is taken to zero from one change to the next (:mod:`lambdahat.kernels.box_left_out`): this is leave-one-out
itself. At the sets where that ends the solution is linear in θ, as in :mod:`lambdahat.hypergradient.boundary`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lambdahat.box_problem import Dual, EachLeftOut
from lambdahat.hypergradient.boundary import boundary
from lambdahat.kernels import box_left_out
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Solution
from lambdahat.solvers import solve

_RIDGE = 1e-11  # over the largest curvature: rows that depend on each other have one solution then
_SLACK = 1e-9  # of coefficients in units of the box, of residuals in units of the largest
_MOST_PIVOTS = 300
_TOL = 1e-9  # of a fit without a row, where pivots do not end


def predictions_without_rows(problem: EachLeftOut, solution: Solution, *, derive: bool) -> tuple[Vector, Matrix]:
    """Predictions of each row by the solution without it, shape (n,), and their derivatives, shape (n, 2).

    These are computed with ``derive`` only.
    """
    z, by_theta = problem.prediction(problem.weights(solution)), np.zeros((problem.y.size, 2))
    at = _Places.at(problem, solution, z)
    rows, m, size = at.rows, at.n_free, at.n_near
    if rows.size == 0:
        return z, by_theta
    kinds, stretches = problem.kinds[rows], problem.stretches[rows]

    # What moves where something that is held does: by the Gram matrix, the free rows eliminated.
    K = problem.gram(rows, size)
    K[np.diag_indices(size)] += _RIDGE * float(problem.curvature.max())
    factor = cho_factor(K[:m, :m], lower=True, check_finite=False) if m else None

    def eliminated(images: Matrix) -> Matrix:  # not by the inverse: rows may depend on each other
        return images if factor is None else -cho_solve(factor, images.T, check_finite=False).T

    def answers(images: Matrix) -> Matrix:
        coefficients = eliminated(images[:, :m])
        others = images[:, m:] + coefficients @ K[m : images.shape[1], :m].T
        return np.hstack([coefficients, -others])

    of_held = answers(K[m:])
    T, guests = np.empty((size + 1, size + 1)), np.empty((rows.size - size, size + 1))
    T[:m, :m], T[:m, m:size], T[m:size, :size] = eliminated(np.eye(m)), -of_held[: size - m, :m].T, of_held[: size - m]
    guests[:, :size] = of_held[size - m :]
    guests[:, size] = -problem.curvature[rows[size:]] - np.sum(guests[:, :m] * K[size:, :m], axis=1)
    held = [rows[m:][kinds[m:] == kind] for kind in range(stretches.shape[1])]
    beta = solution.workspace.beta
    by_kind = answers(np.stack([problem.prediction_on(rows, problem.combine(h, beta[h])) for h in held]))
    by_slope = np.zeros(rows.size)
    if derive:
        by_slope = answers(np.append(at.slopes[at.places[:m] // 2], np.zeros(rows.size - m))[None])[0]

    without, by_logs = np.empty(rows.size), np.empty((rows.size, 2))
    slack = _SLACK * np.array([1.0, np.abs(problem.y - z).max()])
    box_left_out.without_rows(
        T, guests, m, at.places, at.starts, at.stops, at.slopes, kinds, by_kind, by_slope, stretches, slack,
        _MOST_PIVOTS, derive, without, by_logs,
    )  # fmt: skip
    theta = problem.penalty.theta
    z[rows], by_theta[rows] = problem.y[rows] - without, -by_logs / np.where(theta > 0.0, theta, 1.0)
    for i in rows[np.isnan(without)]:
        z[i], by_theta[i] = _by_another_fit(problem, solution, i)
    return z, by_theta


@dataclass(frozen=True, eq=False)
class _Places:
    """Where rows are on their staircases, see :mod:`lambdahat.kernels.box_left_out`.

    Attributes
    ----------
    rows : array of shape (n,)
        Those that can move, the free ones first, and those last which no other row can bring to another place.
    n_free, n_near : int
        How many are free, and how many may change their places.
    places, starts : array of shape (n,)
        And what moves there: coefficients of free rows, residuals of others.
    stops : array of shape (n, number of stops)
    slopes : array of shape (number of stops − 1,)
    """

    rows: NDArray[np.int32]
    n_free: int
    n_near: int
    places: NDArray[np.intp]
    starts: Vector
    stops: Matrix
    slopes: Vector

    @classmethod
    def at(cls, problem: EachLeftOut, solution: Solution, z: Vector) -> _Places:
        assert isinstance(solution.workspace, Dual)
        beta, penalty, epsilon = solution.workspace.beta, problem.penalty, problem.penalty.epsilon
        slopes = np.array([-epsilon, epsilon] if epsilon > 0.0 else [0.0])
        stops = np.column_stack([penalty.lower, *[np.zeros(beta.size)] * (slopes.size - 1), penalty.upper])
        places = np.sum(beta[:, None] > stops, axis=1) + np.sum(beta[:, None] >= stops, axis=1) - 1
        low, high = np.append(-np.inf, slopes)[places // 2], np.append(slopes, np.inf)[places // 2]
        residual = np.clip(problem.y - z, low, high)
        free = places % 2 == 1
        room = np.where(free, 0.0, np.minimum(residual - low, high - residual))
        near = room <= _reach(problem, beta) * np.sqrt(problem.curvature)
        order = np.argsort(np.where(free, 0, np.where(near, 1, 2)), kind="stable")
        rows = order[((penalty.lower < penalty.upper) & (problem.curvature > 0.0))[order]].astype(np.int32)
        starts = np.where(free, beta, residual)[rows]
        n_free, n_near = int(np.sum(free[rows])), int(np.sum((free | near)[rows]))
        return cls(rows, n_free, n_near, places[rows], starts, stops[rows], slopes)


def _reach(problem: EachLeftOut, beta: Vector) -> float:
    """How far ``w`` moves at most where a row is left out, as ``½‖w‖²`` is strongly convex.

    By no more than what subgradients of the losses at w, of which w was the sum, are then short of it.
    """
    kinds, stretches = problem.kinds, problem.stretches
    own = np.abs(stretches[np.arange(beta.size), kinds] * beta) * np.sqrt(problem.curvature)
    parts = [np.flatnonzero((kinds == kind) & (beta != 0.0)).astype(np.int32) for kind in range(stretches.shape[1])]
    sizes = np.array([np.linalg.norm(problem.combine(part, beta[part])) for part in parts])
    return float(np.max(own + np.abs(stretches - 1.0) @ sizes))


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

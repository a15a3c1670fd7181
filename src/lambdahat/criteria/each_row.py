"""Predictions of each row by a fit without it, with their exact slopes: of one target, and penalties with kinks.

Without row i the solution ``w_i`` has a support ``A_i`` of its own, and the one formula holds there,

    (∇²F_i + ∇²g)_AA ∂w_i/∂θ = −∂_θ∇g(w_i),

where F is that of the other rows. Predictions without their row are continuous in θ, as supports are solved for: where
coefficients come and go there are kinks, but no jumps. For least squares it is the slope of leave-one-out itself; for
other losses, of which second-order models are solved, it is the slope of their solutions, which follow the curvature of
the fit to all rows; where fits without a row were found anew, it is their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lambdahat.criteria.base import as_solved
from lambdahat.criteria.each_row_of_blocks import without_each_row_of_blocks
from lambdahat.criteria.influences import Fits, Influences
from lambdahat.criteria.solved_anew import Anew, is_little_work, solved_anew
from lambdahat.criteria.without_rows import interpolates, together
from lambdahat.datafits import Cox, RootMeanSquare
from lambdahat.design import Columns
from lambdahat.hypergradient import implicit
from lambdahat.linear import Matrix, Vector, solve_dense
from lambdahat.penalties import Separable
from lambdahat.problem import Problem, RowsLeftOut, Solution, WithoutRows
from lambdahat.two_stages import TwoStages

_ROUNDING, _TIGHTEST, _ALONE = 1e-9, 1e-10, 1e5  # the last: of rows that nothing else holds
_FEW = 500
_WIDE = 2  # columns that have to be looked at, for each row, where the support can be no larger than that
_MOST_WORK = 2e9  # rows times the square of the columns that may have to be looked at


def has_slopes(problem: Problem) -> bool:
    """Whether a problem is of this kind, and small enough for any θ."""
    if isinstance(problem, TwoStages) or isinstance(problem.datafit, Cox | RootMeanSquare):
        return False
    n, p, values = problem.design.rows.size, problem.n_features, math.prod(problem.y.shape[1:])
    if problem.penalty.is_smooth and p > max(_WIDE * n, _FEW):  # all are in the support: systems by rows are smaller
        return False
    q = min(p, _WIDE * n)
    return float(n) * values * q**2 * (1 if problem.datafit.quadratic else values) <= _MOST_WORK


def each_left_out(problem: Problem, *, intercept: bool, of_mean: bool = True) -> RowsLeftOut:
    """The problem, judged by predictions of each row without it."""
    if isinstance(problem.penalty, Separable):
        without = Kept(partial(without_each_row, intercept=intercept, of_mean=of_mean))
    else:
        without = Kept(partial(without_each_row_of_blocks, intercept=intercept))
    return RowsLeftOut.of(problem, without)


class Kept:
    """A function that answers once where it is asked for the same problem and solution again.

    Of several problems each is judged beside what the others predict.
    """

    def __init__(self, function: WithoutRows) -> None:
        self.function = function
        self.last: tuple[Any, ...] = ()

    def __call__(self, problem: RowsLeftOut, solution: Solution) -> Any:
        last = self.last
        if not (last and last[0] is problem and last[1] is solution):
            self.last = last = (problem, solution, self.function(problem, solution))
        return last[2]

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, (self.function,)


def without_each_row(
    problem: Problem, solution: Solution, *, intercept: bool, of_mean: bool
) -> tuple[Vector, Callable[[Vector], Vector]] | None:
    """Predictions of each row by a fit without it, and from slopes in these to slopes in θ.

    None where the fit follows nearly all targets, by a support that changes with every row.
    """
    at = as_solved(problem, solution, problem.penalty.generalized_support(solution.w))
    z = problem.prediction(*at)
    found = Influences.at(problem, *at, intercept=intercept, of_mean=of_mean)
    if interpolates(problem, float(found.each @ found.bends)):
        return None
    columns = found.columns(problem, z)
    newton = columns is None or problem.penalty.is_smooth
    around = found.around(problem, z, at[0] if columns is None else columns)
    on = problem.penalty.restricted(around.columns)
    assert isinstance(on, Separable)
    fits = found.in_one_step(around) if newton else together(found.by_descent(around))
    moved, anew = fits.moved, dict[int, Anew]()
    if is_little_work(problem, around.w.size):
        moved, anew = solved_anew(problem, z, around.w, on, fits, intercept=intercept)

    W = around.w + fits.steps
    for i, fit in anew.items():
        W[i] = around.w + fit.step
    sizes = np.abs(W) * np.sqrt(around.G.diagonal())
    W[sizes <= _ROUNDING * np.max(sizes, axis=1, keepdims=True, initial=0.0)] = 0.0  # whose signs would be anything
    active = (W != 0.0) | (on.l1 == 0.0)
    X, shares = fits.images[:, 0], 1.0 - found.shares
    U = found.responses(around, X, active)
    pushes = found.pushes(X, U)
    V = np.where(pushes < _ALONE, pushes, 0.0)[:, None] * U
    for i, fit in anew.items():
        A = np.flatnonzero(active[i])
        V[i] = 0.0
        V[i, A] = solve_dense(fit.G[np.ix_(A, A)] + np.diag(shares[i] * on.l2[A]), fit.images[0, A])
        V[i] /= found.local.scale  # G is in the units of the problem
    bends = found.weights * problem.datafit.curvature_slope(problem.y, z)

    def pull(slopes: Vector) -> Vector:
        v = ((slopes * shares)[:, None] * V)[active]
        by_theta = -around.penalty.hyperparam_vjp(np.nonzero(active)[1].astype(np.int32), W[active], v)
        if not bends.any():
            return by_theta
        of_models = slopes.copy()
        of_models[list(anew)] = 0.0
        forces = -bends * _bent(X, V, fits, pushes * of_models, of_models, intercept)

        def judge(support: Columns, w_S: Vector, offset: float) -> tuple[float, Vector, float]:
            return 0.0, problem.design.gradient_columns(support, forces), float(forces.sum())

        tol = max(solution.gap, _TIGHTEST)
        return by_theta + implicit(problem, solution, judge, tol=tol)[1]

    return z + moved[:, 0], pull


def _bent(X: Matrix, V: Matrix, fits: Fits, by_offset: Vector, slopes: Vector, intercept: bool) -> Vector:
    """What a second-order model loses of the slopes, per unit by which the curvature of a row rises.

    With ``u_ik`` by how much the prediction of row k moves without row i, and ``v_ik`` by how much it follows a unit of
    force on that, ``Σ_{i≠k} slopes_i u_ik v_ik``: for each row k a quadratic form of its image.
    """
    ones = np.full((len(X), 1), float(intercept))
    images, follows = np.hstack([X, ones]), np.hstack([slopes[:, None] * V, by_offset[:, None] * ones])
    moves = np.hstack([fits.steps, fits.moved - np.sum(X * fits.steps, axis=1)[:, None]])
    own = np.sum(images * follows, axis=1) * np.sum(images * moves, axis=1)
    return np.asarray(np.sum((images @ (follows.T @ moves)) * images, axis=1) - own)

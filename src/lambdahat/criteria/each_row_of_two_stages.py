"""Predictions of each row without it, of both fits of the adaptive Lasso, with their exact slopes.

The second fit without a row is by the weights that the first one makes without it. So are slopes, as in
``hypergradient/two_stages.py``: with ``v_i`` by how much the second fit without row i follows a force on that row, and
``λ_ij`` its strengths,

    dC/dλ_ij = −(1 − s_i) v_ij sign(w_ij),

of which the part that goes through the weights is a force on the first fit without row i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.each_row import WithoutEach, model_around, second_order_fits
from lambdahat.criteria.influences import Around, Fits, Influences, without_rounding
from lambdahat.criteria.left_out import LeftOut
from lambdahat.criteria.without_rows import interpolates, of_targets
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties.base import strength
from lambdahat.problem import Problem, Solution
from lambdahat.two_stages import Stages, TwoStages


@dataclass(frozen=True, eq=False)
class Both:
    """Both fits without each of n rows.

    Attributes
    ----------
    found, around, fits
        Of the first one.
    last : LeftOut
        The second, of q columns.
    place : array of shape (p,)
        Where among these q a column is.
    initial, strengths : arrays of shape (n, q)
        Coefficients of the first fit without each row, and what the second is penalised by then.
    Z, D : arrays of shape (n, 1, q)
        Images of rows, and steps of the second fit.
    moved : array of shape (n,)
        By how much the prediction of each row moves.
    """

    found: Influences
    around: Around
    fits: Fits
    last: LeftOut
    place: NDArray[np.intp]
    initial: Matrix
    strengths: Matrix
    Z: Matrix
    D: Matrix
    moved: Vector

    @classmethod
    def at(
        cls, problem: TwoStages, second: Problem, start: Vector, w: Vector, z: Vector, *, intercept: bool
    ) -> Both | None:
        """None where the fit follows nearly all targets, by a support that changes with every row."""
        first, on = problem.first, problem.first.penalty.generalized_support(start)
        found = Influences.at(first, on, start[on], 0.0, intercept=intercept)
        around, come_and_go = model_around(first, found, first.prediction(on, start[on]), on)
        fits = second_order_fits(found, around, come_and_go)
        support = second.penalty.generalized_support(w)
        last = of_targets(second, z, support, w[support], intercept, around.columns)
        if interpolates(second, last.freedom):
            return None
        n, S, place = len(z), last.support, np.empty(problem.n_features, np.intp)
        place[last.columns] = np.arange(last.columns.size)
        initial = np.zeros((n, last.columns.size))
        initial[:, place[around.columns]] = around.w + fits.steps
        strengths = strength(problem.penalty.l1_factors[last.columns], problem.strengths(initial, last.columns))
        finite, signs = np.isfinite(strengths), np.sign(last.w[S, 0])
        changes = np.where(finite[:, S], strengths[:, S] - last.penalty.l1[S], 0.0)
        parts = []
        for block in problem.design.row_blocks(last.columns):
            rows, Z = block.rows, block.dense()[:, None]
            D = last.newton_steps(rows, Z)[1]
            D[:, 0, S] -= (signs * changes[rows]) @ last.newton.inverse
            kept = finite[rows] & ((last.w[:, 0] + D[:, 0]) * last.w[:, 0] > 0.0)
            D[:, 0] = np.where(kept, D[:, 0], -last.w[:, 0])
            last.descend(rows, Z, D, strengths[rows])
            parts.append((Z, D, last.moved(rows, Z, D)[:, 0]))
        return cls(found, around, fits, last, place, initial, strengths, *map(np.concatenate, zip(*parts, strict=True)))


def both_at(problem: TwoStages, solution: Solution, *, intercept: bool) -> tuple[Vector, Both | None]:
    """Predictions of all rows, and both fits without each."""
    assert isinstance(solution.workspace, Stages)
    start = solution.workspace.first.w
    second = problem.second(start)
    support = second.penalty.generalized_support(solution.w)
    z = second.prediction(support, solution.w[support])
    return z, Both.at(problem, second, start, solution.w, z, intercept=intercept)


def two_stages_without_rows(problem: TwoStages, solution: Solution, *, intercept: bool) -> Vector | None:
    """Predictions of each row by fits without it."""
    z, both = both_at(problem, solution, intercept=intercept)
    return None if both is None else z + both.moved


def without_each_row_of_two_stages(
    problem: TwoStages, solution: Solution, *, intercept: bool
) -> tuple[Vector, Callable[[Vector], Vector]] | None:
    """The same, and from slopes in these to slopes in θ."""
    z, both = both_at(problem, solution, intercept=intercept)
    if both is None:
        return None
    last, around = both.last, both.around

    def pull(slopes: Vector) -> Vector:
        W = without_rounding(last.w.T + both.D, last.G)
        V, _ = last.responses(slice(0, len(z)), both.Z, W, slopes[:, None, None])
        factors = np.where(np.isfinite(both.strengths), problem.penalty.l1_factors[last.columns], 0.0)
        by_strength = -factors * (1.0 - last.shares)[:, None] * V[:, 0] * np.sign(W[:, 0])
        seen = by_strength != 0.0
        by_alpha = float(np.sum(problem.weights(both.initial, last.columns)[seen] * by_strength[seen]))
        forces = problem.weights_vjp(both.initial, problem.alpha * by_strength, last.columns)
        models = WithoutEach.at(problem.first, both.found, around, both.fits)
        by_initial = models.by_theta(models.responses(forces[:, both.place[around.columns]]))
        return problem.theta_vjp(by_alpha, float(by_initial[0]))

    return z + both.moved, pull

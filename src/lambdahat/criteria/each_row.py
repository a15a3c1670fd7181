"""Predictions of each row by a fit without it, with their exact slopes: of one target, and penalties with kinks.

Without row i the solution ``w_i`` has a support ``A_i`` of its own, and the one formula holds there,

    (∇²F_i + ∇²g)_AA ∂w_i/∂θ = −∂_θ∇g(w_i),

where F is that of the other rows. Predictions without their row are continuous in θ, as supports are solved for: where
coefficients come and go there are kinks, but no jumps. For least squares it is the slope of leave-one-out itself; for
other losses, of which second-order models are solved, it is the slope of their solutions, which follow the curvature of
the fit to all rows; where fits without a row were found anew, it is their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.base import as_solved
from lambdahat.criteria.influences import Around, Fits, Influences, without_rounding
from lambdahat.criteria.newton_steps import along_both
from lambdahat.criteria.solved_anew import Anew, is_little_work, solved_anew
from lambdahat.criteria.without_rows import interpolates
from lambdahat.design import Columns
from lambdahat.hypergradient import implicit
from lambdahat.linear import Matrix, Vector, solve_dense
from lambdahat.penalties import Separable
from lambdahat.problem import Problem, Solution

_TIGHTEST, _ALONE = 1e-10, 1e5  # the last: of rows that nothing else holds


@dataclass(frozen=True, eq=False)
class WithoutEach:
    """Second-order models of one target without each of n rows, and how their solutions follow forces.

    Attributes
    ----------
    found : Influences
    around : Around
        Over q columns.
    fits : Fits
    W : array of shape (n, q)
        Coefficients without each row.
    active : boolean array of shape (n, q)
        Around which the penalty is smooth.
    U : array of shape (n, q)
        By how much active coefficients follow a unit of force along the image of the row, if it were not left out.
    pushes : array of shape (n,)
        What such a unit becomes as it is.
    """

    found: Influences
    around: Around
    fits: Fits
    W: Matrix
    active: NDArray[np.bool_]
    U: Matrix
    pushes: Vector

    @classmethod
    def at(
        cls, problem: Problem, found: Influences, around: Around, fits: Fits, anew: dict[int, Anew] | None = None
    ) -> WithoutEach:
        """Rows of ``anew`` have been solved for elsewhere."""
        W = around.w + fits.steps
        for i, fit in (anew or {}).items():
            W[i] = around.w + fit.step
        W = without_rounding(W, around.G)
        active = (W != 0.0) | (problem.penalty.l1[around.columns] == 0.0)
        U = found.responses(around, fits.images[:, 0], active)
        return cls(found, around, fits, W, active, U, found.pushes(fits.images[:, 0], U))

    @property
    def of_rows(self) -> Matrix:
        """By how much coefficients follow a unit of force on the row that is left out."""
        return np.where(self.pushes < _ALONE, self.pushes, 0.0)[:, None] * self.U

    def responses(self, forces: Matrix) -> Matrix:
        """By how much they follow other forces, of shape (n, q)."""
        found, follow = self.found, self.found.responses(self.around, forces, self.active)
        own = found.weights * found.bends * np.sum(self.fits.images[:, 0] * follow, axis=1)
        return np.asarray(follow + own[:, None] * self.of_rows)

    def by_theta(self, V: Matrix) -> Vector:
        """``−Σ_i ∂_θ⟨∇g(w_i), v_i⟩``, of the penalty that is left without each row."""
        return -self.around.penalty.hyperparam_vjp_of_many(self.W, (1.0 - self.found.shares)[:, None] * V)


def model_around(problem: Problem, found: Influences, z: Vector, support: Columns) -> tuple[Around, bool]:
    """The model of all rows, and whether coefficients come and go: then over all columns that may matter."""
    columns = None if problem.penalty.is_smooth else found.columns(problem, z)
    return found.around(problem, z, support if columns is None else columns), columns is not None


def second_order_fits(found: Influences, around: Around, come_and_go: bool) -> Fits:
    """Its solutions without each row."""
    return Fits.of_all(found.by_descent(around)) if come_and_go else found.in_one_step(around)


def without_each_row(
    problem: Problem, solution: Solution, *, intercept: bool, of_mean: bool
) -> tuple[Vector, Callable[[Vector], Vector]] | None:
    """Predictions of each row by a fit without it, and from slopes in these to slopes in θ.

    None where the fit follows nearly all targets, by a support that changes with every row.
    """
    at = as_solved(problem, solution, problem.penalty.generalized_support(solution.w))
    z = problem.prediction(*at)
    found = Influences.at(problem, *at, intercept=intercept, of_mean=of_mean)
    around, come_and_go = model_around(problem, found, z, at[0])
    if interpolates(problem, found.freedom(around)):
        return None
    fits = second_order_fits(found, around, come_and_go)
    on = problem.penalty.restricted(around.columns)
    assert isinstance(on, Separable)
    moved, anew = fits.moved, dict[int, Anew]()
    if is_little_work(problem, around.w.size):
        moved, anew = solved_anew(problem, z, around.w, on, fits, intercept=intercept)

    bends = found.weights * problem.datafit.curvature_slope(problem.y, z)

    def pull(slopes: Vector) -> Vector:
        models = WithoutEach.at(problem, found, around, fits, anew)
        V = models.of_rows
        for i, fit in anew.items():
            A = np.flatnonzero(models.active[i])
            V[i] = 0.0
            l2 = (1.0 - found.shares[i]) * on.l2[A]
            V[i, A] = solve_dense(fit.G[np.ix_(A, A)] + np.diag(l2), fit.images[0, A])
            V[i] /= found.local.scale  # G is in the units of the problem
        by_theta = models.by_theta(slopes[:, None] * V)
        if not bends.any():
            return by_theta
        of_models = slopes.copy()
        of_models[list(anew)] = 0.0
        levels = fits.moved - np.sum(fits.images[:, 0] * fits.steps, axis=1)[:, None]
        offsets = intercept * (models.pushes * of_models)[:, None]
        along = along_both(fits.images, fits.steps, levels, of_models[:, None] * V, offsets)
        forces = -bends * along[:, 0, 0]

        def judge(support: Columns, w_S: Vector, offset: float) -> tuple[float, Vector, float]:
            return 0.0, problem.design.gradient_columns(support, forces), float(forces.sum())

        tol = max(solution.gap, _TIGHTEST)
        return by_theta + implicit(problem, solution, judge, tol=tol)[1]

    return z + moved[:, 0], pull

"""Where to begin when there is nothing to begin from."""

from dataclasses import replace

import numpy as np

from lambdahat.design import NormalEquations
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.descent import LEAST_DAMPING, Descent
from lambdahat.solvers.iterate import iterate_at
from lambdahat.solvers.normal_equations import solve_normal
from lambdahat.solvers.working_set import Steps, conclude, solve_columns

_EXCERPT_TOL, _SURE = 1e-4, 3.0  # an excerpt of the rows is solved to such a gap, and believed beyond such a z-score
_STAGE, _STAGE_TOL = 5.0, 3e-2  # continuation: about such steps of the penalty, solved to such a gap
_SHORT_STAGE, _STRAIGHT = 3.2, 0.75  # where many rows lie where the loss is straight, models do not reach as far


def solve_from_nothing(problem: Problem, tol: float, max_iter: int, at_least: int) -> Steps:
    """Tall dense data begin with the columns that matter in an excerpt of the rows, wide data with fewer columns."""
    plain = problem.datafit.quadratic and problem.penalty.labels is None
    excerpt = problem.design.excerpt(problem.y) if plain else None
    if excerpt is None:
        return (yield from _by_continuation(problem, tol, max_iter, at_least))
    start = _from_excerpt(problem, excerpt, tol)
    return (yield from solve_columns(problem, start.w, tol, max_iter, start, at_least))


def _by_continuation(problem: Problem, tol: float, max_iter: int, at_least: int) -> Steps:
    """From zero by way of a few stronger penalties, loosely solved.

    At once, a weak penalty lets far too many columns in before it finds out; where they are more than the rows, the
    restricted problems become singular, and getting rid of the excess takes most of the time.
    """
    w, penalty = problem.zeros(), problem.penalty
    if len(w) <= problem.design.rows.size:
        return (yield from solve_columns(problem, w, tol, max_iter, None, at_least))
    iterate = iterate_at(problem, w)
    h = yield iterate.q
    ratio = max(penalty.dual_norm(h), 1.0)
    n_stages = max(1, round(np.log(ratio) / np.log(_stage(problem))))
    solution, n_iter = Solution(w, problem.intercept(w, iterate.offset), np.inf, 0, False, "", None, h), 0
    for stage in range(n_stages - 1, -1, -1):
        stronger = replace(problem, penalty=penalty.strengthened(ratio ** (stage / n_stages)))
        solution = yield from solve_columns(
            stronger if stage else problem, solution.w.copy(),
            max(tol, _STAGE_TOL) if stage else tol, max(1, max_iter - n_iter), solution, 0 if stage else at_least,
        )  # fmt: skip
        n_iter += solution.n_iter
    offset = problem.offset(solution)
    return conclude(
        problem, solution.w, solution.gap, n_iter, tol, max_iter, solution.workspace, solution.gradient, offset
    )


def _stage(problem: Problem) -> float:
    """A factor between penalties: a shorter one where the loss's curvature falls short of that of its secants."""
    datafit, y, z, s = problem.datafit, problem.y, problem.null_prediction, problem.design.weights
    if datafit.quadratic or not datafit.row_wise:
        return _STAGE
    straight = float(s @ datafit.curvature(y, z)) < _STRAIGHT * float(s @ datafit.secant(y, z))
    return _SHORT_STAGE if straight else _STAGE


def _from_excerpt(problem: Problem, excerpt: NormalEquations, tol: float) -> Solution:
    """The solution on those columns that matter for sure in an excerpt of the rows: no pass over X."""
    design, penalty, y = problem.design, problem.penalty, problem.y
    w = np.zeros(problem.n_features)
    guess, *_ = solve_normal(replace(problem, normal=excerpt), w.copy(), _EXCERPT_TOL * 0.5 * excerpt.yy, 100, 0)
    variance = (excerpt.yy - (2.0 * excerpt.c - excerpt.G @ guess) @ guess) / excerpt.n_rows
    columns = np.flatnonzero(guess**2 * excerpt.G.diagonal() > _SURE**2 * variance).astype(np.int32)
    q, on = design.weights * y, penalty.restricted(columns)
    form = design.form(columns, y, q, design.gradient_columns(columns, q), w[columns], on)
    Descent(1e-3, LEAST_DAMPING).run(form, 0.3 * tol * problem.null_value, 0.0)
    w[columns] = form.w
    return Solution(w, 0.0, np.inf, 0, False, "", form)

"""Working sets: rounds on the columns that matter, the gap on all columns."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from lambdahat.design import Columns, QuadraticForm
from lambdahat.design.forms import GramForm
from lambdahat.kernels import quadratic
from lambdahat.linear import Vector
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.descent import LEAST_DAMPING, Descent, Progress

SMALLEST_WORKING_SET = 100

Steps = Generator[Vector, Vector, Solution]
"""A solver as a generator: it yields a weighted residual ``q`` where it wants ``X̃ᵀq``, and returns its solution."""


def solve_columns(
    problem: Problem, w: Vector, tol: float, max_iter: int, start: Solution | None, at_least: int
) -> Steps:
    """From coefficients ``w``, which change in place."""
    design, penalty, y = problem.design, problem.penalty, problem.y
    l1, l2, positive = penalty.l1, penalty.l2, penalty.positive
    w[np.isinf(l1)] = 0.0
    free = free_columns(problem)
    gap_target = tol * problem.null_value
    atol = 0.3 * tol * float(np.min(l1[l1 > 0.0], initial=np.inf))
    descent = Descent(1e-3 if w.any() else 0.1, max(LEAST_DAMPING, 0.1 * tol))
    form: QuadraticForm | None = None if start is None else start.workspace
    columns = form.working.columns if isinstance(form, GramForm) and form.working else _NO_COLUMNS
    support = np.flatnonzero(w).astype(np.int32)
    q = design.weighted_residual(y, support, w[support])
    if free.size:
        q = settle(problem, free, w, q)
    h = (yield q) if start is None or start.gradient is None or free.size else start.gradient
    best_dual, progress, tightening = 0.0, Progress(), 1.0  # zero is a dual point
    for iteration in range(max_iter + 1):
        slack = _bounded_slack(problem, free, h, w) if positive and free.size else 0.0
        primal, dual = quadratic.bounds(h, w, l1, l2, positive, float(y @ q), design.squared_norm(q), slack)
        best_dual = max(best_dual, dual)
        gap = primal - best_dual
        if gap <= gap_target and iteration >= at_least:
            workspace = form if isinstance(form, GramForm) else None
            return conclude(problem, w, gap / problem.null_value, iteration, tol, max_iter, workspace, h)
        if iteration == max_iter or (progress.stalled(gap) and not descent.sharpen()):
            break
        kept = columns if isinstance(form, GramForm) else np.flatnonzero(w).astype(np.int32)
        room = max(SMALLEST_WORKING_SET, int(np.count_nonzero(w)))
        columns = _working_set(penalty.subdiff_distance(w, -h), kept, room)
        form = design.form(columns, y, q, h[columns], w[columns], l1[columns], l2[columns], positive, form)
        cheap = 20 * columns.size**2 < y.size * w.size  # beside a look at all columns
        # Without new columns a round is to get on: others bound the dual point more tightly than those of the set do.
        tightening = 0.1 * tightening if columns.size == kept.size else 1.0
        inner_target = tightening * max(0.3 * gap_target, 0.0 if cheap else 0.05 * gap)
        descent.run(form, inner_target, atol)
        w[columns] = form.w
        q = form.weighted_residual()
        if free.size:
            q = settle(problem, free, w, q)
        h = yield q
    return conclude(problem, w, progress.gap / problem.null_value, iteration, tol, max_iter)


def free_columns(problem: Problem) -> Columns:
    """Unpenalised columns: they are fitted exactly, as the intercept is."""
    return np.flatnonzero((problem.penalty.l1 == 0.0) & (problem.penalty.l2 == 0.0)).astype(np.int32)


_NO_COLUMNS = np.empty(0, dtype=np.int32)


def _working_set(violation: Vector, kept: Columns, room: int) -> Columns:
    """The columns kept, first and in their order, and those that violate their optimality conditions the most."""
    violation[kept] = 0.0
    new = np.flatnonzero(violation > 0.0)
    if new.size > room:
        new = np.sort(new[np.argpartition(-violation[new], room)[:room]])
    return np.concatenate([kept, new.astype(np.int32)])


def settle(problem: Problem, free: Columns, w: Vector, q: Vector) -> Vector:
    """Fit the unpenalised columns exactly, as the intercept is: a dual point asks that their gradients vanish.

    Where they are bounded below, those off their bound are fitted, as far as they stay off it. Updates ``w`` in place
    and returns the weighted residual.
    """
    design = problem.design
    if problem.penalty.positive:
        free = free[w[free] > 0.0]
    if free.size == 0:
        return q
    h = design.gradient_columns(free, q)
    step = problem.solve_support(free, h, atol=1e-13 * float(np.abs(h).max()))
    if problem.penalty.positive and np.any(w[free] + step <= 0.0):
        falling = step < 0.0
        step *= min(1.0, 0.99 * float(np.min(w[free][falling] / -step[falling])))
    w[free] += step
    return q - design.weights * design.product(free, step)


def _bounded_slack(problem: Problem, free: Columns, h: Vector, w: Vector) -> float:
    """Infinite until unpenalised columns that are bounded below satisfy their conditions up to rounding errors."""
    active = free[(w[free] > 0.0) | (h[free] > 0.0)]
    variances = problem.design.variances(active)
    allowed = 1e-12 * np.sqrt(2.0 * problem.null_value * variances)
    return np.inf if np.any((np.abs(h[active]) > allowed) & (variances > 0.0)) else 0.0


def conclude(
    problem: Problem,
    w: Vector,
    gap: float,
    n_iter: int,
    tol: float,
    max_iter: int,
    workspace: QuadraticForm | None = None,
    gradient: Vector | None = None,
) -> Solution:
    """The solution with a sentence on how it was reached, and what to do where it was not."""
    converged = gap <= tol
    if converged:
        message = f"converged: relative duality gap {max(gap, 0.0):.1e} after {n_iter} rounds"
    else:
        advice = "raise max_iter, raise tol" if n_iter >= max_iter else "it fell no further, raise tol"
        message = (
            f"stopped after {n_iter} rounds with a relative duality gap of {gap:.1e}, above tol={tol:.1e}: "
            f"{advice}, or penalise more"
        )
    return Solution(w, problem.intercept(w), max(gap, 0.0), n_iter, converged, message, workspace, gradient)

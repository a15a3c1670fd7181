"""The solver: working sets, a few sweeps of coordinate descent on them, Newton on the support, the gap on all columns.

Coordinate descent finds the support and is slow only at the end; Newton's step on the support is exact at the end and
useless at the start. So each round does a few sweeps and, once the support has nearly settled, one damped Newton step:
the damping (relative to the diagonal, as Levenberg and Marquardt) falls with success, and keeps conjugate gradients
short and signs in place while the support is still wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lambdahat.design import Columns, Design, NormalEquations, QuadraticForm
from lambdahat.design.forms import GramForm
from lambdahat.kernels import quadratic
from lambdahat.linear import Vector
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.newton import newton_step
from lambdahat.solvers.smooth import is_smooth, solve_smooth

SMALLEST_WORKING_SET = 100
_SWEEPS, _MOST_SWEEPS = 5, 20
_SETTLED = 0.1  # Newton is worth its price when less than this share of the support changed in the last sweeps
_INNER_ROUNDS = 20
_EXCERPT_TOL, _SURE = 1e-4, 3.0  # an excerpt of the rows is solved to such a gap, and believed beyond such a z-score
_STAGE, _STAGE_TOL = 5.0, 3e-2  # continuation: about such steps of the penalty, solved to such a gap
_LEAST_DAMPING = 1e-10


class _Descent:
    """Sweeps and Newton steps on forms, with what is learnt on the way: the damping and the number of sweeps."""

    def __init__(self, damping: float, least: float) -> None:
        self.damping = damping
        self.least = least
        self.n_sweeps = _SWEEPS

    def round(self, form: QuadraticForm, gap_target: float, atol: float) -> float:
        """One round; returns the gap of the restricted problem before the Newton step, if the form knows it."""
        before = form.w != 0.0
        n_sweeps = self.n_sweeps
        if form.self_contained:  # small Gram matrices: a Newton step costs more than many sweeps
            n_sweeps = max(n_sweeps, min(100, 1000 // max(1, form.w.size)))
        gap = form.sweep(n_sweeps, gap_target)
        if gap <= gap_target:
            return gap
        after = form.w != 0.0
        if np.count_nonzero(before != after) > _SETTLED * max(1, int(np.count_nonzero(after))):
            return gap
        if newton_step(form, self.damping, atol):
            self.damping = max(0.1 * self.damping, self.least)
            self.n_sweeps = max(_SWEEPS, self.n_sweeps // 2)
        else:
            self.damping = min(3.0 * max(self.damping, 1e-6), 1.0)
            self.n_sweeps = min(_MOST_SWEEPS, 2 * self.n_sweeps)
        return gap


Steps = Generator[Vector, Vector, Solution]
"""A solver as a generator: it yields a weighted residual ``q`` where it wants ``X̃ᵀq``, and returns its solution."""


def solve(
    problem: Problem, *, tol: float, max_iter: int = 1000, start: Solution | None = None, at_least: int = 0
) -> Solution:
    """Minimise the problem until the relative duality gap is at most ``tol``.

    Parameters
    ----------
    problem : Problem
    tol : float
        Bound on ``(P − D) / (½‖y‖²_s)``.
    max_iter : int
        Rounds, each of which looks at all columns once.
    start : Solution, optional
        Warm start: its coefficients and its workspace.
    at_least : int
        Rounds to do in any case. At a loose ``tol`` the solution at nearby hyperparameters may pass for one here; one
        round, whose Newton step is the prediction by the Jacobian, makes the solution follow its hyperparameters.
    """
    return solve_many([problem], tol=tol, max_iter=max_iter, starts=[start], at_least=at_least)[0]


def solve_many(
    problems: Sequence[Problem],
    *,
    tol: float,
    max_iter: int = 1000,
    starts: Sequence[Solution | None],
    at_least: int = 0,
    run: Callable[..., Iterable[Any]] = map,
) -> list[Solution]:
    """Solve several problems over the same X in step, so that one pass over X serves them all.

    ``run`` maps a function over the problems, perhaps in threads; the solutions do not depend on it.
    """
    steps = [_steps(problem, tol, max_iter, start, at_least) for problem, start in zip(problems, starts, strict=True)]
    solutions: list[Solution | None] = [None] * len(problems)
    waiting: list[tuple[int, Vector | None]] = [(k, None) for k in range(len(problems))]

    def advance(item: tuple[int, Vector | None]) -> Solution | Vector:
        k, h = item
        try:
            return next(steps[k]) if h is None else steps[k].send(h)
        except StopIteration as end:
            solution: Solution = end.value
            return solution

    while waiting:
        answers = list(run(advance, waiting))
        asking = []
        for (k, _), answer in zip(waiting, answers, strict=True):
            if isinstance(answer, Solution):
                solutions[k] = answer
            else:
                asking.append((k, answer))
        gradients = Design.gradients([problems[k].design for k, _ in asking], [q for _, q in asking])
        waiting = [(k, h) for (k, _), h in zip(asking, gradients, strict=True)]
    return [solution for solution in solutions if solution is not None]


def _steps(problem: Problem, tol: float, max_iter: int, start: Solution | None, at_least: int) -> Steps:
    p = problem.n_features
    w = np.zeros(p) if start is None else start.w.copy()
    unit = problem.null_value
    if unit == 0.0:
        return _solution(problem, np.zeros(p), 0.0, 0, tol)
    if is_smooth(problem.penalty):
        w, gap, n_iter = solve_smooth(problem, w, tol * unit, max_iter)
        return _solution(problem, w, gap / unit, n_iter, tol)
    if problem.normal is not None:
        w, gap, n_iter = _solve_normal(problem, w, tol * unit, max_iter, at_least)
        return _solution(problem, w, gap / unit, n_iter, tol)
    if w.any():
        return (yield from _solve_columns(problem, w, tol, max_iter, start, at_least))
    excerpt = problem.design.excerpt(problem.y)
    if excerpt is None:
        return (yield from _by_continuation(problem, w, tol, max_iter, at_least))
    start = _from_excerpt(problem, excerpt, tol)
    return (yield from _solve_columns(problem, start.w, tol, max_iter, start, at_least))


def _by_continuation(problem: Problem, w: Vector, tol: float, max_iter: int, at_least: int) -> Steps:
    """From zero by way of a few stronger penalties, loosely solved.

    At once, a weak penalty lets far too many columns in before it finds out; where they are more than the rows, the
    restricted problems become singular, and getting rid of the excess takes most of the time.
    """
    l1 = problem.penalty.l1
    q = problem.design.weights * problem.y
    free = _free(problem)
    if free.size:
        q = _settle(problem, free, w, q)
    h = yield q
    size = h if problem.penalty.positive else np.abs(h)
    ratio = float(np.max(size[l1 > 0.0] / l1[l1 > 0.0], initial=1.0))
    n_stages = max(1, round(np.log(ratio) / np.log(_STAGE))) if w.size > problem.design.rows.size else 1
    solution, n_iter = Solution(w, 0.0, np.inf, 0, False, "", None, h), 0
    for stage in range(n_stages - 1, -1, -1):
        stronger = replace(problem.penalty, l1_factors=problem.penalty.l1_factors * ratio ** (stage / n_stages))
        solution = yield from _solve_columns(
            replace(problem, penalty=stronger) if stage else problem, solution.w.copy(),
            max(tol, _STAGE_TOL) if stage else tol, max_iter - n_iter, solution, 0 if stage else at_least,
        )  # fmt: skip
        n_iter += solution.n_iter
    return replace(solution, n_iter=n_iter)


def _from_excerpt(problem: Problem, excerpt: NormalEquations, tol: float) -> Solution:
    """The solution on those columns that matter for sure in an excerpt of the rows: no pass over X."""
    design, penalty, y = problem.design, problem.penalty, problem.y
    w = np.zeros(problem.n_features)
    guess, *_ = _solve_normal(replace(problem, normal=excerpt), w.copy(), _EXCERPT_TOL * 0.5 * excerpt.yy, 100, 0)
    variance = (excerpt.yy - (2.0 * excerpt.c - excerpt.G @ guess) @ guess) / excerpt.n_rows
    columns = np.flatnonzero(guess**2 * excerpt.G.diagonal() > _SURE**2 * variance).astype(np.int32)
    l1, l2, q = penalty.l1[columns], penalty.l2[columns], design.weights * y
    form = design.form(columns, y, q, design.gradient_columns(columns, q), w[columns], l1, l2, penalty.positive)
    _solve_form(form, _Descent(1e-3, _LEAST_DAMPING), 0.3 * tol * problem.null_value, 0.0)
    w[columns] = form.w
    return Solution(w, 0.0, np.inf, 0, False, "", form)


def _solve_form(form: QuadraticForm, descent: _Descent, gap_target: float, atol: float) -> None:
    """Rounds on a working set: several where it can be solved to the end without another look at X."""
    for _ in range(_INNER_ROUNDS if form.self_contained else 1):
        if descent.round(form, gap_target, atol) <= gap_target:
            break


def _solve_normal(
    problem: Problem, w: Vector, gap_target: float, max_iter: int, at_least: int
) -> tuple[Vector, float, int]:
    normal, penalty = problem.normal, problem.penalty
    assert normal is not None
    l1, l2 = penalty.l1, penalty.l2
    w[np.isinf(l1)] = 0.0
    form = GramForm(normal.G, normal.c, normal.yy, normal.c - normal.G @ w, w, l1, l2, penalty.positive)
    descent = _Descent(1e-3, _LEAST_DAMPING)
    best = np.inf
    if at_least and w.any():
        newton_step(form, descent.least, 0.0)
    for iteration in range(1, max_iter + 1):
        gap = descent.round(form, gap_target, 0.0)
        best = min(best, gap)
        if gap <= gap_target:
            return form.w, gap, iteration
        if iteration % 10 == 0:
            form.h = normal.c - normal.G @ form.w  # shed rounding errors
    return form.w, best, max_iter


def _solve_columns(
    problem: Problem, w: Vector, tol: float, max_iter: int, start: Solution | None, at_least: int
) -> Steps:
    design, penalty, y = problem.design, problem.penalty, problem.y
    l1, l2, positive = penalty.l1, penalty.l2, penalty.positive
    w[np.isinf(l1)] = 0.0
    free = _free(problem)
    gap_target = tol * problem.null_value
    atol = 0.3 * tol * float(np.min(l1[l1 > 0.0], initial=np.inf))
    descent = _Descent(1e-3 if w.any() else 0.1, max(_LEAST_DAMPING, 0.1 * tol))
    form: QuadraticForm | None = None if start is None else start.workspace
    columns = form.working.columns if isinstance(form, GramForm) and form.working else _NO_COLUMNS
    support = np.flatnonzero(w).astype(np.int32)
    q = design.weighted_residual(y, support, w[support])
    if free.size:
        q = _settle(problem, free, w, q)
    h = (yield q) if start is None or start.gradient is None or free.size else start.gradient
    best_dual, best_gap = 0.0, np.inf  # zero is a dual point
    for iteration in range(max_iter):
        slack = _bounded_slack(problem, free, h, w) if positive and free.size else 0.0
        primal, dual = quadratic.bounds(h, w, l1, l2, positive, float(y @ q), design.squared_norm(q), slack)
        best_dual = max(best_dual, dual)
        gap = primal - best_dual
        best_gap = min(best_gap, gap)
        if gap <= gap_target and iteration >= at_least:
            workspace = form if isinstance(form, GramForm) else None
            return _solution(problem, w, gap / problem.null_value, iteration, tol, workspace, h)
        kept = columns if isinstance(form, GramForm) else np.flatnonzero(w).astype(np.int32)
        room = max(SMALLEST_WORKING_SET, int(np.count_nonzero(w)))
        columns = _working_set(penalty.subdiff_distance(w, -h), kept, room)
        form = design.form(columns, y, q, h[columns], w[columns], l1[columns], l2[columns], positive, form)
        cheap = 20 * columns.size**2 < y.size * w.size  # beside a look at all columns
        inner_target = max(0.3 * gap_target, 0.0 if cheap else 0.05 * gap)
        _solve_form(form, descent, inner_target, atol)
        w[columns] = form.w
        q = form.weighted_residual()
        if free.size:
            q = _settle(problem, free, w, q)
        h = yield q
    return _solution(problem, w, best_gap / problem.null_value, max_iter, tol)


def _free(problem: Problem) -> Columns:
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


def _settle(problem: Problem, free: Columns, w: Vector, q: Vector) -> Vector:
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


def _solution(
    problem: Problem,
    w: Vector,
    gap: float,
    n_iter: int,
    tol: float,
    workspace: QuadraticForm | None = None,
    gradient: Vector | None = None,
) -> Solution:
    converged = gap <= tol
    if converged:
        message = f"converged: relative duality gap {max(gap, 0.0):.1e} after {n_iter} rounds"
    else:
        message = f"stopped after {n_iter} rounds with a relative duality gap of {gap:.1e}, above tol={tol:.1e}"
    return Solution(w, problem.intercept(w), max(gap, 0.0), n_iter, converged, message, workspace, gradient)

"""Working sets: rounds on the columns that matter, the gap on all columns."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from lambdahat.design import Columns, QuadraticForm
from lambdahat.design.forms import GramForm
from lambdahat.linear import Matrix, Vector, rows_used
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.descent import LEAST_DAMPING, MODEL_SWEEPS, SWEEPS, Descent, Progress
from lambdahat.solvers.iterate import free_columns, iterate_at
from lambdahat.solvers.newton import RTOL

SMALLEST_WORKING_SET = 100  # blocks, which are columns mostly

# Without a proof: rounds to do first, and the fall of the objective in the last one over the gap asked for.
UNPROVEN_AFTER, UNPROVEN_FALL = 3, 0.1
# New columns for one in use, with a proof and without: the support of a look at the range may be several times that of
# where it starts. And how far Newton's systems are solved.
_ROOM, _UNPROVEN_ROOM = 1, 3
_UNPROVEN_RTOL = 0.3

Steps = Generator[Matrix, Matrix, Solution]
"""A solver as a generator: it yields a weighted residual ``q`` where it wants ``X̃ᵀq``, and returns its solution."""


def solve_columns(
    problem: Problem, w: Matrix, tol: float, max_iter: int, start: Solution | None, at_least: int, proof: bool = True
) -> Steps:
    """From coefficients ``w``, which change in place."""
    penalty, unit = problem.penalty, problem.null_value
    gap_target = tol * unit
    atol = 0.3 * tol * penalty.least_strength
    n_sweeps = SWEEPS if problem.datafit.quadratic else MODEL_SWEEPS
    room, rtol = (_ROOM, RTOL) if proof else (_UNPROVEN_ROOM, _UNPROVEN_RTOL)
    descent = Descent(1e-3 if w.any() else 0.1, max(LEAST_DAMPING, 0.1 * tol), n_sweeps, rtol)
    form: QuadraticForm | None = None if start is None else start.workspace
    columns = form.working.columns if isinstance(form, GramForm) and form.working else _NO_COLUMNS
    iterate = iterate_at(problem, w, None if start is None else problem.offset(start))
    known = start.gradient if start is not None and not free_columns(problem).size else None
    h = (yield from iterate.look(None)) if known is None else known
    in_block = 1 if penalty.labels is None else len(w) // (int(penalty.labels.max()) + 1)
    least = len(w) if penalty.is_smooth else SMALLEST_WORKING_SET * in_block
    primal, best_dual, progress, tightening = np.inf, 0.0, Progress(), 1.0  # zero is a dual point
    fall = np.inf
    for iteration in range(max_iter + 1):
        before, (primal, dual) = primal, iterate.bounds(h)
        best_dual = max(best_dual, dual)
        if proof and primal - best_dual > gap_target >= before - primal and (q := iterate.model_q) is not None:
            best_dual = max(best_dual, iterate.model_bound((yield q)))  # it is the proof that is missing
        gap = primal - best_dual
        if gap <= gap_target and iteration >= at_least:
            workspace = form if isinstance(form, GramForm) else None
            return conclude(problem, w, gap / unit, iteration, tol, max_iter, workspace, h, iterate.offset)
        fall_before, fall = fall, before - primal
        settled = iteration >= UNPROVEN_AFTER and fall <= UNPROVEN_FALL * gap_target
        foretold = descent.whole and still_to_fall(fall_before, fall) <= UNPROVEN_FALL * tol * primal
        enough = not proof and (settled or foretold)
        if iteration == max_iter or enough or (progress.stalled(gap) and not descent.sharpen()):
            break
        used = rows_used(w)
        kept = columns if iterate.is_model and isinstance(form, GramForm) else penalty.whole_blocks(used)
        new = violators(penalty.subdiff_distance(w, -h), kept, max(least, room * used.size))
        columns = np.concatenate([kept, penalty.whole_blocks(new)])
        form = iterate.form(columns, h, form)
        cheap = 20 * columns.size**2 < len(problem.y) * len(w)  # beside a look at all columns
        # Without new columns a round is to get on: others bound the dual point more tightly than those of the set do.
        tightening = 0.1 * tightening if columns.size == kept.size else 1.0
        inner_target = tightening * max(0.3 * gap_target, 0.0 if cheap else 0.05 * gap)
        descent.run(form, iterate.scale * inner_target, iterate.scale * atol)
        iterate.step(columns, form)
        h = yield from iterate.look(h)
    return conclude(problem, w, progress.gap / unit, iteration, tol, max_iter, None, h, iterate.offset)


_NO_COLUMNS = np.empty(0, dtype=np.int32)


def still_to_fall(before: float, last: float) -> float:
    """By how much an objective will yet fall that goes on as in its last two rounds: the rest of a geometric series."""
    if before <= 0.0 and last <= 0.0:
        return 0.0
    return last * last / (before - last) if 0.0 < last < before < np.inf else np.inf


def violators(violation: Vector, kept: Columns, room: int) -> Columns:
    """The columns that violate their optimality conditions the most, beside those that are kept."""
    violation[kept] = 0.0
    new = np.flatnonzero(violation > 0.0)
    if new.size > room:
        new = np.sort(new[np.argpartition(-violation[new], room)[:room]])
    return new.astype(np.int32)


def conclude(
    problem: Problem,
    w: Matrix,
    gap: float,
    n_iter: int,
    tol: float,
    max_iter: int,
    workspace: QuadraticForm | None = None,
    gradient: Matrix | None = None,
    offset: float = 0.0,
) -> Solution:
    """The solution with a sentence on how it was reached, and what to do where it was not."""
    converged, message = gap <= tol, how_it_ended(gap, n_iter, tol, max_iter)
    return Solution(w, problem.intercept(w, offset), max(gap, 0.0), n_iter, converged, message, workspace, gradient)


def how_it_ended(gap: float, n_iter: int, tol: float, max_iter: int) -> str:
    """A sentence on how a solution was reached, and what to do where it was not."""
    if gap <= tol:
        return f"converged: relative duality gap {max(gap, 0.0):.1e} after {n_iter} rounds"
    advice = "raise max_iter, raise tol" if n_iter >= max_iter else "it fell no further, raise tol"
    return (
        f"stopped after {n_iter} rounds with a relative duality gap of {gap:.1e}, above tol={tol:.1e}: "
        f"{advice}, or penalise more"
    )

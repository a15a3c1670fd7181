"""Problems in two stages: one after the other, each to its own duality gap."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from lambdahat.problem import Problem, Solution
from lambdahat.solvers.polish import polish
from lambdahat.solvers.working_set import Steps, how_it_ended
from lambdahat.two_stages import Stages, TwoStages

# Of tol, the gap of the first stage, down to the least: a gap is quadratic in the error of the coefficients, and small
# ones of these make large weights.
_TIGHTER, _LEAST = 1e-2, 1e-12


class Stage(Protocol):
    """What solves a stage."""

    def __call__(self, problem: Problem, tol: float, max_iter: int, start: Solution | None) -> Steps: ...


def solve_two_stages(
    problem: TwoStages, stage: Stage, tol: float, max_iter: int, start: Solution | None
) -> Steps:  # fmt: skip
    """The second stage begins at its own coefficients of before, or at those of a sparse first stage."""
    before = None if start is None else start.workspace
    before = before if isinstance(before, Stages) else None
    first_tol = max(_TIGHTER * tol, min(tol, _LEAST))
    first = yield from stage(problem.first, first_tol, max_iter, None if before is None else before.first)
    second = problem.second(first.w)
    if start is not None:
        start = replace(start, workspace=None if before is None else before.workspace)
    elif not problem.first.penalty.is_smooth:
        start = first
    if start is not None and start.w[second.penalty.excluded].any():
        start = replace(start, gradient=None)  # the solver will set them to zero
    last = yield from stage(second, tol, max_iter, start)
    if first.gap <= tol:
        message = f"{last.message}, and {first.n_iter} of the initial fit"
    else:
        message = f"{how_it_ended(first.gap, first.n_iter, tol, max_iter)} (the initial fit)"
    return replace(
        last, gap=max(first.gap, last.gap), n_iter=first.n_iter + last.n_iter,
        converged=first.gap <= tol and last.converged, message=message, workspace=Stages(first, last.workspace),
    )  # fmt: skip


def polish_two_stages(problem: TwoStages, solution: Solution, tol: float) -> tuple[Solution, float]:
    """Both stages, see :func:`lambdahat.solvers.polish`: the second one after the polished first."""
    stages = solution.workspace
    assert isinstance(stages, Stages)
    first, first_tol = polish(problem.first, stages.first, tol)
    second, second_tol = polish(problem.second(first.w), solution, tol)
    return replace(second, workspace=replace(stages, first=first)), max(first_tol, second_tol)

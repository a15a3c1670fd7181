"""Problems in two stages: one after the other, each to its own duality gap."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from lambdahat.problem import Problem, Solution
from lambdahat.solvers.polish import polish
from lambdahat.solvers.working_set import Steps
from lambdahat.two_stages import Stages, TwoStages


class Stage(Protocol):
    """What solves a stage."""

    def __call__(self, problem: Problem, *, start: Solution | None) -> Steps: ...


def solve_two_stages(problem: TwoStages, stage: Stage, start: Solution | None) -> Steps:
    """The second stage begins at its own coefficients of before, or at those of a sparse first stage."""
    before = None if start is None else start.workspace
    before = before if isinstance(before, Stages) else None
    first = yield from stage(problem.first, start=None if before is None else before.first)
    second = problem.second(first.w)
    if start is not None:
        start = replace(start, workspace=None if before is None else before.workspace)
    elif not problem.first.penalty.is_smooth:
        start = first
    if start is not None and start.w[second.penalty.excluded].any():
        start = replace(start, gradient=None)  # the solver will set them to zero
    return _joined(first, (yield from stage(second, start=start)))


def polish_two_stages(problem: TwoStages, solution: Solution, tol: float) -> tuple[Solution, float]:
    """Both stages, see :func:`lambdahat.solvers.polish`: the second one after the polished first."""
    stages = solution.workspace
    assert isinstance(stages, Stages)
    first, first_tol = polish(problem.first, stages.first, tol)
    second, second_tol = polish(problem.second(first.w), solution, tol)
    return replace(second, workspace=replace(stages, first=first)), max(first_tol, second_tol)


def _joined(first: Solution, second: Solution) -> Solution:
    """The second stage's solution, which says how both were reached."""
    if first.converged:
        message = f"{second.message}, and {first.n_iter} of the initial fit"
    else:
        message = f"{first.message} (the initial fit)"
    return replace(
        second, gap=max(first.gap, second.gap), n_iter=first.n_iter + second.n_iter,
        converged=first.converged and second.converged, message=message, workspace=Stages(first, second.workspace),
    )  # fmt: skip

"""The door to the solvers: which one suits a problem, and several problems in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from lambdahat.box_problem import BoxProblem
from lambdahat.design import Design
from lambdahat.linear import Matrix
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.box import solve_box
from lambdahat.solvers.classes import solve_classes
from lambdahat.solvers.cold_start import solve_from_nothing
from lambdahat.solvers.normal_equations import solve_normal
from lambdahat.solvers.smooth import solve_smooth
from lambdahat.solvers.two_stages import solve_two_stages
from lambdahat.solvers.working_set import Steps, conclude, solve_columns
from lambdahat.two_stages import TwoStages


def solve(
    problem: Problem | BoxProblem, *, tol: float, max_iter: int = 1000, start: Solution | None = None, at_least: int = 0
) -> Solution:
    """Minimise the problem until the relative duality gap is at most ``tol``.

    Parameters
    ----------
    problem : Problem or BoxProblem
        Of a :class:`lambdahat.two_stages.TwoStages`, both stages, to ``tol`` each.
    tol : float
        Bound on ``(P − D) / P(0)``; ``P(0)``, the objective without coefficients, is ``½‖y‖²_s`` for least squares.
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
    problems: Sequence[Problem | BoxProblem],
    *,
    tol: float,
    max_iter: int = 1000,
    starts: Sequence[Solution | None],
    at_least: int = 0,
    proof: bool = True,
    run: Callable[..., Iterable[Any]] = map,
) -> list[Solution]:
    """Solve several problems over the same X in step, so that one pass over X serves them all.

    Without ``proof`` it is enough, after a few rounds, that the objective has all but stopped falling: a solution that
    close may take as many rounds again until a dual point shows it.

    ``run`` maps a function over the problems, perhaps in threads; the solutions do not depend on it.
    """
    steps = [
        _steps(problem, tol, max_iter, start, at_least, proof) for problem, start in zip(problems, starts, strict=True)
    ]
    solutions: list[Solution | None] = [None] * len(problems)
    waiting: list[tuple[int, Matrix | None]] = [(k, None) for k in range(len(problems))]

    def advance(item: tuple[int, Matrix | None]) -> Solution | Matrix:
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


def _steps(
    problem: Problem | BoxProblem, tol: float, max_iter: int, start: Solution | None, at_least: int, proof: bool
) -> Steps:
    if isinstance(problem, BoxProblem):
        return solve_box(problem, tol, max_iter, start)
    if isinstance(problem, TwoStages):
        stage = partial(_steps, at_least=at_least, proof=proof)
        return (yield from solve_two_stages(problem, stage, tol, max_iter, start))
    w = problem.zeros() if start is None else start.w.copy()
    unit = problem.null_value
    if unit == 0.0:
        offset = float(np.ravel(problem.null_prediction)[0])
        return conclude(problem, problem.zeros(), 0.0, 0, tol, max_iter, offset=offset)
    if problem.y.ndim == 2 and not problem.datafit.quadratic:
        return (yield from solve_classes(problem, w, tol, max_iter, start, at_least, proof))
    if problem.penalty.is_smooth and problem.datafit.quadratic:
        w, gap, n_iter = solve_smooth(problem, w, tol * unit, max_iter)
        return conclude(problem, w, gap / unit, n_iter, tol, max_iter)
    if problem.normal is not None:
        w, gap, n_iter = solve_normal(problem, w, tol * unit, max_iter, at_least)
        return conclude(problem, w, gap / unit, n_iter, tol, max_iter)
    if w.any():
        return (yield from solve_columns(problem, w, tol, max_iter, start, at_least, proof))
    return (yield from solve_from_nothing(problem, tol, max_iter, at_least))

"""What kinds of inner problems there are to differentiate, and the methods: the one place that tells them apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lambdahat.box_problem import BoxProblem, EachLeftOut
from lambdahat.hypergradient.backward import backward
from lambdahat.hypergradient.base import Differentiated, Judge, Method
from lambdahat.hypergradient.boundary import boundary
from lambdahat.hypergradient.boundary_without_rows import predictions_without_rows
from lambdahat.hypergradient.forward import forward
from lambdahat.hypergradient.implicit import implicit
from lambdahat.hypergradient.implicit_forward import implicit_forward
from lambdahat.hypergradient.two_stages import through_both
from lambdahat.linear import Matrix, Vector, rows_used
from lambdahat.problem import Problem, RowsLeftOut, Solution
from lambdahat.solvers import polish, polish_box, polish_two_stages, solve
from lambdahat.two_stages import TwoStages, TwoStagesLeftOut


def _judged(problem: Problem | BoxProblem, solution: Solution, judge: Judge) -> float:
    support = solution.support
    return judge(support, solution.w[support], problem.offset(solution))[0]


@dataclass(frozen=True)
class Kind:
    """How problems of a kind are differentiated.

    Attributes
    ----------
    implicit : callable
        ``(problem, solution, judge, *, tol, guess)`` to the criterion, its gradient, and the adjoint, the solution of
        the linear system, which a nearby evaluation takes for ``guess``: an array shaped as the coefficients, several
        of these, or None.
    polish : callable
        ``(problem, solution, tol)`` to a better solution, and its ``tol``.
    not_iterated : str, optional
        Why methods that iterate on coefficients do not suit it.
    judged : callable
        ``(problem, solution, judge)`` to the criterion alone.
    """

    implicit: Callable[..., tuple[float, Vector, Any]]
    polish: Callable[..., tuple[Solution, float]]
    not_iterated: str = ""
    judged: Callable[..., float] = _judged


def _boundary(
    problem: BoxProblem, solution: Solution, judge: Judge, *, tol: float, guess: None = None
) -> tuple[float, Vector, None]:
    return *boundary(problem, solution, judge, tol=tol), None


LeftOut = RowsLeftOut | TwoStagesLeftOut | EachLeftOut


def _without_rows(
    problem: LeftOut, solution: Solution, *, derive: bool
) -> tuple[Vector, Callable[[Vector], Vector]] | None:
    """Predictions of each row without it, and, with ``derive``, from slopes in these to slopes in θ."""
    if isinstance(problem, RowsLeftOut | TwoStagesLeftOut):
        return problem.without_rows(problem, solution)
    z, by_theta = predictions_without_rows(problem, solution, derive=derive)
    return z, lambda slopes: np.asarray(slopes @ by_theta)


def _by_predictions(
    problem: LeftOut, solution: Solution, judge: Judge, *, tol: float, guess: None = None
) -> tuple[float, Vector, None]:
    """Of predictions that the judge takes where others take coefficients."""
    found = _without_rows(problem, solution, derive=True)
    if found is None:
        return np.inf, np.zeros(problem.penalty.hyperparams.size), None
    value, slopes = _judged_rows(judge, found[0])
    return value, found[1](slopes), None


def _judged_by_predictions(problem: LeftOut, solution: Solution, judge: Judge) -> float:
    found = _without_rows(problem, solution, derive=False)
    return np.inf if found is None else _judged_rows(judge, found[0])[0]


def _judged_rows(judge: Judge, z: Matrix) -> tuple[float, Matrix]:
    return judge(np.arange(len(z), dtype=np.int32), z, 0.0)[:2]


_TWICE = "the adaptive Lasso has two fits, one after the other"
_BY_ITS_DUAL = "a support vector machine is solved by its dual"
KINDS: dict[type, Kind] = {
    Problem: Kind(implicit, polish),
    RowsLeftOut: Kind(_by_predictions, polish, "each row has a fit of its own", _judged_by_predictions),
    BoxProblem: Kind(_boundary, polish_box, _BY_ITS_DUAL),
    EachLeftOut: Kind(_by_predictions, polish_box, _BY_ITS_DUAL, _judged_by_predictions),
    TwoStages: Kind(through_both, polish_two_stages, _TWICE),
    TwoStagesLeftOut: Kind(_by_predictions, polish_two_stages, _TWICE, _judged_by_predictions),
}


def polished(problem: Problem | BoxProblem, solution: Solution, tol: float) -> Solution:
    """A better solution of a problem of any kind."""
    return KINDS[type(problem)].polish(problem, solution, tol)[0]


def judged(problem: Problem | BoxProblem, solution: Solution, judge: Judge) -> float:
    """A criterion at a solution of a problem of any kind."""
    return KINDS[type(problem)].judged(problem, solution, judge)


def differentiate(
    problem: Problem | BoxProblem, solution: Solution, judge: Judge, *, tol: float, guess: Any = None
) -> tuple[float, Vector, Any]:
    """A criterion at a solution of a problem of any kind, its gradient with respect to θ, and the adjoint, packed.

    ``guess`` is such an adjoint of a nearby evaluation.
    """
    value, gradient, adjoint = KINDS[type(problem)].implicit(
        problem, solution, judge, tol=tol, guess=_unpacked(guess, problem)
    )
    return value, gradient, _packed(adjoint)


def solve_implicit(
    problem: Problem | BoxProblem,
    judge: Judge,
    *,
    tol: float,
    max_iter: int,
    start: Solution | None = None,
    solver: str = "coordinate_descent",
    force: bool = False,
) -> Differentiated:
    """Solve to a duality gap of ``tol``, polish, and differentiate in closed form on the support.

    The cost of the derivatives, one linear system, does not grow with the number of hyperparameters. ``max_iter``
    bounds the rounds of the solver.
    """
    began = time.perf_counter()
    solution = solve(problem, tol=tol, max_iter=max_iter, start=start)
    solution, accuracy = KINDS[type(problem)].polish(problem, solution, tol)
    solved = time.perf_counter()
    value, gradient, _ = differentiate(problem, solution, judge, tol=accuracy)
    ended = time.perf_counter()
    return Differentiated(
        value, gradient, solution, solution.n_iter, solution.converged, solution.message, solved - began, ended - solved
    )


METHODS: dict[str, Method] = {
    "implicit": solve_implicit,
    "implicit_forward": implicit_forward,
    "forward": forward,
    "backward": backward,
}


def solve_and_differentiate(
    method: str,
    problem: Problem | BoxProblem,
    judge: Judge,
    *,
    tol: float,
    max_iter: int,
    start: Solution | None = None,
    solver: str = "coordinate_descent",
    force: bool = False,
) -> Differentiated:
    """One of the methods on a problem of any kind, or a sentence on why it cannot follow it: see :class:`Method`."""
    if method != "implicit":
        check_iterated(problem, f"method={method!r}", "use method='implicit'")
    found: Any = problem
    return METHODS[method](found, judge, tol=tol, max_iter=max_iter, start=start, solver=solver, force=force)


def check_iterated(problem: Problem | BoxProblem, who: str, instead: str) -> None:
    """Refuse a problem whose coefficients are not those of one iteration."""
    reason = KINDS[type(problem)].not_iterated
    if reason:
        raise ValueError(f"{who} iterates on coefficients, and {reason}: {instead}")


def _packed(adjoint: Any) -> Any:
    """Without its zeros."""
    if adjoint is None:
        return None
    if isinstance(adjoint, tuple):
        return [_packed(each) for each in adjoint]
    used = rows_used(adjoint)
    return used, adjoint[used]


def _unpacked(packed: Any, problem: Problem | BoxProblem) -> Any:
    if packed is None:
        return None
    if isinstance(packed, list):
        return tuple(_unpacked(each, problem) for each in packed)
    used, entries = packed
    adjoint = problem.zeros()
    adjoint[used] = entries
    return adjoint

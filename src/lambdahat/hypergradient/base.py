"""What the methods share: their result, when they stop, and when they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lambdahat.coupled import CoupledModel
from lambdahat.design import Columns
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Problem, Solution
from lambdahat.solvers import solve

Judge = Callable[[Columns, Matrix, Any], tuple[float, Matrix, Any]]
"""``(support, w_S, offset)`` to a criterion, its gradient with respect to ``w_S``, and its slope in each offset."""

MOST_HYPERPARAMS = 100
"""Methods that carry the Jacobian refuse more hyperparameters than these, unless forced."""

IMPLICIT_INSTEAD = "use method='implicit', whose cost does not grow with their number"


@dataclass(frozen=True, eq=False)
class Differentiated:
    """A criterion at the solution of an inner problem, and its gradient.

    Attributes
    ----------
    value : float
    gradient : array of shape (d,)
        With respect to θ.
    solution : Solution
        Where it was differentiated.
    n_iter : int
        Iterations of what was differentiated; for ``implicit``, rounds of the solver.
    converged : bool
    message : str
        A sentence.
    solve_seconds, gradient_seconds : float
        Time in the inner problem and in its derivatives; methods that do both at once call it all the latter.
    n_stored : int
        Iterates in memory at a time, at most.
    """

    value: float
    gradient: Vector
    solution: Solution
    n_iter: int
    converged: bool
    message: str
    solve_seconds: float
    gradient_seconds: float
    n_stored: int = 1


class Method(Protocol):
    """A way to differentiate a criterion through an inner problem; all have this signature."""

    def __call__(
        self, problem: Problem, judge: Judge, *, tol: float, max_iter: int, start: Solution | None = None,
        solver: str = "coordinate_descent", force: bool = False,
    ) -> Differentiated:  # fmt: skip
        """Solve the problem, from ``start``, and differentiate.

        Parameters
        ----------
        problem : Problem
        judge : callable
            The criterion.
        tol : float
            Accuracy; the methods say of what.
        max_iter : int
            Bound on the iterations.
        start : Solution, optional
            Where to begin.
        solver : {"coordinate_descent", "proximal_gradient", "accelerated"}
            The iteration that ``forward`` and ``backward`` differentiate; others ignore it.
        force : bool
            Whether methods that carry the Jacobian do so for any number of hyperparameters.
        """


class Watch:
    """Tells when a sequence that converges linearly is near its limit.

    A step says little about the distance left where steps hardly shrink. Let ``r`` be the ratio of two successive moves
    over ten iterations: what is left is about ``r / (1 − r)`` times the last move (Aitken). Near is ``tol`` times the
    largest entry. With ``every=1`` each iterate that is noted lies ten iterations after the one before.
    """

    EVERY = 10
    _ROUNDING = 1e-14

    def __init__(self, tol: float, every: int = EVERY) -> None:
        self.tol, self._every = tol, every
        self._count = 0
        self._last: NDArray[np.float64] | None = None
        self._move = np.inf

    def arrived(self, x: NDArray[np.float64]) -> bool:
        """Note an iterate, in units in which its entries can be compared."""
        self._count += 1
        if (self._count - 1) % self._every:
            return False
        before, self._last = self._last, x.copy()
        if before is None:
            return False
        size, move = float(np.abs(x).max()), float(np.abs(x - before).max())
        before_move, self._move = self._move, move
        if move <= self._ROUNDING * size:
            return True
        if not move < before_move < np.inf:
            return False
        return move * move / (before_move - move) <= self.tol * size


def on_support(
    problem: Problem, solution: Solution, judge: Judge
) -> tuple[float, Columns, Matrix, Matrix, Problem | CoupledModel]:
    """What the closed form needs at a solution: criterion, support, ``w_S``, the criterion's slopes, the local model.

    The best offset follows ``w``, by the means under the curvatures, not under the weights: slopes are those with it.
    """
    support = problem.penalty.generalized_support(solution.w)
    w_S, offset = solution.w[support], problem.offset(solution)
    value, slopes, offset_slope = judge(support, w_S, offset)
    local = problem.local_on(support, w_S, offset)
    if problem.has_offset:
        slopes = slopes + local.offset_vjp(support, offset_slope, problem.design.means)
    return value, support, w_S, slopes, local


def check_carried(problem: Problem, who: str, instead: str, force: bool) -> None:
    """Refuse to carry a Jacobian with respect to many hyperparameters, unless forced."""
    d, (n, p) = problem.penalty.hyperparams.size, problem.design.shape
    if d > MOST_HYPERPARAMS and not force:
        raise ValueError(
            f"{who} carries the Jacobian with respect to all {d} hyperparameters: {d} × |S| numbers for a support S of "
            f"at most {p} features, and {d} × {n} for its products, up to {8e-6 * d * (p + n):.3g} MB, in {d + 1} "
            f"times the time of the iterations alone; {instead}, or pass force=True"
        )


def log_units(problem: Problem) -> Matrix:
    """What rows of a Jacobian are multiplied by to be compared: θ, so that they are derivatives in log θ."""
    theta = problem.penalty.hyperparams
    return np.where(theta > 0.0, theta, 1.0)[:, None]


def sentence(converged: bool, n_iter: int, tol: float) -> str:
    """How an iteration ended."""
    if converged:
        return f"converged: coefficients and derivatives to about {tol:.1e} after {n_iter} iterations"
    return (
        f"stopped after {n_iter} iterations, before coefficients and derivatives had settled to tol={tol:.1e}: raise "
        "max_iter, raise tol, penalise more, or use method='implicit'"
    )


def iterated_solution(
    problem: Problem, w: Vector, offset: float, n_iter: int, converged: bool, message: str
) -> Solution:
    """Coefficients that an iteration ended with, and their duality gap."""
    intercept = problem.intercept(w, offset)
    gap = solve(problem, tol=np.inf, max_iter=1, start=Solution(w, intercept, np.inf, 0, True, "")).gap
    return Solution(w, intercept, gap, n_iter, converged, message)

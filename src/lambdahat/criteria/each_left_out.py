"""Problems that are judged by predictions of each row without it, with slopes: which ones can be, and how."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from lambdahat.criteria.each_row import without_each_row
from lambdahat.criteria.each_row_of_blocks import without_each_row_of_blocks
from lambdahat.criteria.each_row_of_two_stages import without_each_row_of_two_stages
from lambdahat.datafits import Cox, RootMeanSquare
from lambdahat.penalties import Separable
from lambdahat.problem import Problem, RowsLeftOut, Solution, WithoutRows
from lambdahat.two_stages import TwoStages, TwoStagesLeftOut

_FEW = 500
_WIDE = 2  # columns that have to be looked at, for each row, where the support can be no larger than that
_MOST_WORK = 2e9  # rows times the square of the coefficients that may have to be looked at


def has_slopes(problem: Problem) -> bool:
    """Whether a problem is of this kind, and small enough for any θ."""
    if isinstance(problem.datafit, Cox | RootMeanSquare):
        return False
    if isinstance(problem, TwoStages) and not has_slopes(problem.first):
        return False
    n, p, values = problem.design.rows.size, problem.n_features, math.prod(problem.y.shape[1:])
    if problem.penalty.is_smooth and p > max(_WIDE * n, _FEW):  # all are in the support: systems by rows are smaller
        return False
    q = min(p, _WIDE * n)
    return float(n) * values * q**2 * (1 if problem.datafit.quadratic else values) <= _MOST_WORK


def each_left_out(problem: Problem, *, intercept: bool, of_mean: bool = True) -> RowsLeftOut | TwoStagesLeftOut:
    """The problem, judged by predictions of each row without it."""
    if isinstance(problem, TwoStages):
        return TwoStagesLeftOut.of(problem, Kept(partial(without_each_row_of_two_stages, intercept=intercept)))
    if isinstance(problem.penalty, Separable):
        return RowsLeftOut.of(problem, Kept(partial(without_each_row, intercept=intercept, of_mean=of_mean)))
    return RowsLeftOut.of(problem, Kept(partial(without_each_row_of_blocks, intercept=intercept)))


class Kept:
    """A function that answers once where it is asked for the same problem and solution again.

    Of several problems each is judged beside what the others predict.
    """

    def __init__(self, function: WithoutRows) -> None:
        self.function = function
        self.last: tuple[Any, ...] = ()

    def __call__(self, problem: Problem, solution: Solution) -> Any:
        last = self.last
        if not (last and last[0] is problem and last[1] is solution):
            self.last = last = (problem, solution, self.function(problem, solution))
        return last[2]

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, (self.function,)

"""Problems that are judged by predictions of each row without it, with slopes: which ones can be, and how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lambdahat.box_problem import EachLeftOut
from lambdahat.criteria.base import Solved
from lambdahat.criteria.each_row import without_each_row
from lambdahat.criteria.each_row_of_blocks import without_each_row_of_blocks
from lambdahat.criteria.each_row_of_two_stages import without_each_row_of_two_stages
from lambdahat.criteria.optimism import n_values
from lambdahat.datafits import Cox, RootMeanSquare
from lambdahat.hypergradient import Judge
from lambdahat.linear import Vector, by_row
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


@dataclass(frozen=True, eq=False)
class OfPredictions:
    """Judges predictions of each row by a solution without it, given in place of coefficients."""

    problem: EachLeftOut | RowsLeftOut | TwoStagesLeftOut

    @property
    def y(self) -> Vector:
        return self.problem.y

    @property
    def weights(self) -> Vector:
        return self.problem.design.weights

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        return [self.error]

    def predictions(self, rows: Any, z: Vector, offset: float) -> Vector:
        return z

    def pulled(self, rows: Any, slopes: Vector) -> tuple[Vector, float]:
        return slopes, 0.0

    def error(self, rows: Any, z: Vector, offset: float) -> tuple[float, Vector, float]:
        """The mean of the metric, and its slopes in the predictions."""
        with np.errstate(over="ignore", invalid="ignore"):  # of a row that nothing else holds
            return *own_metric(self.problem, z), 0.0


def own_metric(problem: Any, z: Vector) -> tuple[float, Vector]:
    """The mean of a problem's metric at predictions of its rows, and its slope in these."""
    datafit, s, factor = problem.datafit, problem.design.weights, problem.datafit.metric_factor / n_values(problem)
    return factor * datafit.value(problem.y, z, s), factor * by_row(s, datafit.gradient(problem.y, z))

"""Where to search for C and ε of a support vector machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from lambdahat.box_problem import BoxProblem
from lambdahat.estimators.base import LinearModel
from lambdahat.estimators.regions import Bounds, check_bounds, plain_region, start_of
from lambdahat.outer import Line, Region
from lambdahat.search import Space

# Range of C about the unit below, and of ε about the spread of the target.
_LEAST_C, _GREATEST_C = 0.3, 1e4
_LEAST_EPSILON, _GREATEST_EPSILON = 1e-3, 2.0
_EPSILONS = (0.1, 0.5, 0.02)  # of the lines along C, in spreads


def make_box_region(
    model: LinearModel, space: Space, problems: list[BoxProblem], bounds: Any, init: Any, *, plain: bool
) -> tuple[Region, Bounds]:
    """The region of a search, and its bounds by name: see :func:`lambdahat.estimators.regions.make_region`."""
    ranges = default_ranges(problems) | check_bounds(bounds, model, space, plain)
    named = {name: ranges[name] for name in space.names}
    for name in named:
        if named[name][0] == 0.0:
            raise ValueError(f"bounds of {name} start at zero, where the model is constant: pass a low above zero")
    lower, upper = np.log([low for low, _ in named.values()]), np.log([high for _, high in named.values()])
    lines = coarse_lines(space, ranges)
    start = start_of(model, space, init, problems[0].n_features, plain)
    if plain:
        return plain_region(space, named, lower, upper, lines, start), named
    start = None if start is None else np.clip(space.x(start), lower, upper)
    return Region(lower, upper, lines, start), named


def unit_of_C(problem: BoxProblem) -> float:
    """The C at which the plainest model predicts targets right in the mean.

    Where C is small every row pulls with all its weight: ``w = C Σ_i s_i sign(y_i) x_i``. For classification that is
    the difference of the (weighted) sums of both classes, and margins are 1 in the mean. On a simplex, what pulls are
    the residuals of the mean of all columns.
    """
    penalty, residual = problem.penalty, problem.null_residual
    pull = np.where(residual > 0.0, penalty.upper_factors, np.where(residual < 0.0, penalty.lower_factors, 0.0))
    rows = np.flatnonzero(pull).astype(np.int32)
    direction = problem.tangent(problem.null_weights, problem.combine(rows, pull[rows]))
    most, size = float(residual @ pull), float(direction @ direction)
    if size > 1e-12 * float(pull**2 @ problem.curvature):
        return most / size
    curvature = float(np.abs(pull) @ problem.curvature)  # the pulls cancel: one row alone
    return float(np.abs(pull) @ np.abs(residual)) / curvature if curvature > 0.0 else 1.0


def default_ranges(problems: list[BoxProblem]) -> Bounds:
    """Bounds of C and ε that are worth a look."""
    units = [unit_of_C(problem) for problem in problems]
    spread = 0.0
    for problem in problems:
        y, weights = problem.y, problem.design.weights
        spread = max(spread, float(weights @ np.abs(y - weights @ y)))
    spread = spread or 1.0
    return {
        "C": (_LEAST_C * min(units), _GREATEST_C * max(units)),
        "epsilon": (_LEAST_EPSILON * spread, _GREATEST_EPSILON * spread),
    }


def coarse_lines(space: Space, ranges: Bounds) -> tuple[Line, ...]:
    """Lines from the simplest model on: downwards in ε, or upwards in C at several ε; within ``ranges``."""
    d = len(space.names)
    if space.names == ("epsilon",):
        low, high = np.log(ranges["epsilon"])
        return (Line(np.zeros(d), np.ones(d), float(low), float(high)),)
    low, high = np.log(ranges["C"])
    direction = np.where(np.array(space.names) == "C", -1.0, 0.0)
    origins = [np.zeros(d)]
    if d == 2:
        least, greatest = np.log(ranges["epsilon"])
        spread = np.log(ranges["epsilon"][1] / _GREATEST_EPSILON)
        origins = [np.array([0.0, np.clip(spread + np.log(share), least, greatest)]) for share in _EPSILONS]
    return tuple(Line(origin, direction, -float(high), -float(low)) for origin in origins)

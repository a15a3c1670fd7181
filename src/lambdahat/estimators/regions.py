"""Where to search: bounds from the user or from the data, lines for the coarse look, the starting point."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from lambdahat._validation import check_name
from lambdahat.criteria import Fold
from lambdahat.estimators.base import LinearModel
from lambdahat.linear import Matrix, Vector
from lambdahat.outer import Chart, Line, Region
from lambdahat.search import Space
from lambdahat.solvers import alpha_max

Bounds = dict[str, tuple[float, float]]

# Default range of the strength of a penalty below the simplest model, and of the logit of a ratio.
_RANGE = 1e-5
_RIDGE_RANGE = 1e-10
_LOGIT = 11.5  # from 1e-5 to 1 − 1e-5


def make_region(
    model: LinearModel, space: Space, folds: list[Fold], bounds: Any, init: Any, *, plain: bool = False
) -> tuple[Region, Bounds]:
    """The region of a search, and its bounds by name.

    Ranges are made in logarithms in any case; where hyperparameters are searched over as they are (``plain``), a chart
    says how these look there.
    """
    p = folds[0].problems[0].n_features
    given = check_bounds(bounds, model, space, plain)
    d = len(space.names)
    lower, upper = np.full(d, -_LOGIT), np.full(d, _LOGIT)
    bounded = np.array([name.partition("[")[0] in given for name in space.names])
    for k, name in enumerate(space.names):
        for bound, value in zip((lower, upper), given.get(name.partition("[")[0], ()), strict=False):
            values = np.full(d, 0.5)
            values[k] = value
            bound[k] = np.clip(space.x(values)[k], -700.0, 700.0)
        if plain and bounded[k] and space.scales[k] == "logit":
            lower[k], upper[k] = np.clip([lower[k], upper[k]], -_LOGIT, _LOGIT)
        elif bounded[k] and lower[k] == -700.0:  # from zero: looks over a wide range have to begin somewhere
            lower[k] = upper[k] + np.log(_RANGE)
    lines: dict[tuple[float, ...], Line] = {}
    problems: list[Any] = [problem for fold in folds for problem in fold.fitted]
    at_zero = cache(lambda k: problems[k].correlation())
    for origin, direction in model._lines(space, folds):
        moved = direction != 0.0
        origin = np.where(moved, origin, np.clip(origin, lower, upper))
        t_low, t_high = _range(space, folds, origin, at_zero)
        if bounded[moved].any():
            t_low, t_high = float((lower - origin)[moved].max()), float((upper - origin)[moved].min())
        if t_low < t_high:  # else the line is nowhere inside the bounds
            penalty = space.placed(folds[0].problems, space.theta(space.values(origin)))[0].penalty
            lines[tuple(origin)] = Line(origin, direction, t_low, t_high, penalty.is_smooth)
    if lines:
        moved = ~bounded & np.any([line.direction != 0.0 for line in lines.values()], axis=0)
        lower[moved] = np.min([line.origin + line.t_low * line.direction for line in lines.values()], axis=0)[moved]
        upper[moved] = np.max([line.origin + line.t_high * line.direction for line in lines.values()], axis=0)[moved]
    first = list(lines.values()) or [Line(np.zeros(d), np.ones(d), float(lower[0]), float(upper[0]))]
    start = start_of(model, space, init, p, plain)
    if plain:
        region = plain_region(space, given, lower, upper, tuple(first), start)
        low_values, high_values = region.lower, region.upper
    else:
        start = None if start is None else np.clip(space.x(start), lower, upper)
        region = Region(lower, upper, tuple(first), start)
        low_values, high_values = space.values(lower), space.values(upper)
    named: Bounds = {}
    for k, name in enumerate(space.names):
        named.setdefault(name.partition("[")[0], (float(low_values[k]), float(high_values[k])))
    return region, named


def plain_region(
    space: Space, given: Bounds, low: Vector, high: Vector, lines: tuple[Line, ...], start: Vector | None
) -> Region:
    """The region in the hyperparameters themselves: by default from 0, and a ratio to 1."""
    lower, upper = np.zeros(low.size), space.values(high)
    upper[[scale == "logit" for scale in space.scales]] = 1.0
    for k, name in enumerate(space.names):
        lower[k], upper[k] = given.get(name.partition("[")[0], (lower[k], upper[k]))
    chart = Chart(space.values, lambda u: space.slope(space.values(u)), space.x, low, high, lower, upper)
    charted = tuple(replace(line, chart=chart) for line in lines)
    return Region(lower, upper, charted, None if start is None else np.clip(start, lower, upper), chart)


def _range(space: Space, folds: list[Fold], origin: Vector, at_zero: Callable[[int], Matrix]) -> tuple[float, float]:
    """Logarithms of the least and the greatest strength worth a look along a line.

    ``at_zero`` are correlations of each problem, the same on all lines.
    """
    theta = space.theta(space.values(origin))
    problems = [problem for fold in folds for problem in space.placed(fold.fitted, theta)]
    highest = max(alpha_max(problem, partial(at_zero, k)) for k, problem in enumerate(problems))
    if highest > 0.0:
        return float(np.log(highest * _RANGE)), float(np.log(highest))
    # Without an ℓ1 term: from a penalty as large as the trace of the Hessian, an upper bound of its eigenvalues.
    trace = 0.0
    for problem in problems:
        l2 = problem.penalty.curvature(problem.zeros()).diagonal
        used = np.flatnonzero((l2 > 0.0) & ~problem.penalty.excluded).astype(np.int32)
        normal = problem.normal
        curvature = problem.design.variances(used) if normal is None else normal.G.diagonal()[used]
        trace = max(trace, float(np.sum(curvature / l2[used])))
    high = np.log(trace) if trace > 0.0 else 0.0
    return float(high + np.log(_RIDGE_RANGE)), float(high)


def check_bounds(bounds: Any, model: LinearModel, space: Space, plain: bool) -> Bounds:
    """Bounds by name, as given by the user."""
    if bounds is None:
        return {}
    names = tuple(dict.fromkeys(name.partition("[")[0] for name in space.names))
    if not isinstance(bounds, dict):
        if len(names) > 1:
            raise ValueError(f"bounds must be a dict of name to (low, high) for {', '.join(names)}")
        bounds = {names[0]: bounds}
    checked = {}
    for full_name, pair in bounds.items():
        name = check_name(str(full_name).rpartition("__")[2], model.tunable, "hyperparameter")
        try:
            low, high = (float(end) for end in pair)
        except (TypeError, ValueError) as error:
            raise ValueError(f"bounds of {name} must be a pair (low, high) of numbers, not {pair!r}") from error
        most = 1.0 if name == "l1_ratio" else np.inf
        positive = high > 0.0 and (low > 0.0 or (plain and low == 0.0))
        if not (positive and np.isfinite(low + high) and max(low, high) <= most):
            must = "positive and at most 1" if name == "l1_ratio" else "positive and finite"
            if low == 0.0:
                must += " (zero has no logarithm, but is within reach of parametrization='plain')"
            raise ValueError(f"bounds of {name} are out of range: ({low:g}, {high:g}); they must be {must}")
        if low >= high:
            raise ValueError(
                f"bounds of {name} are reversed or equal: ({low:g}, {high:g}); pass (low, high) with low < high"
            )
        checked[name] = (low, high)
    for name in checked:
        if name not in names:
            raise ValueError(
                f"bounds of {name} are given but it is not tuned: leave them out, or add it to hyperparams"
            )
    return checked


def start_of(model: LinearModel, space: Space, init: Any, p: int, plain: bool) -> Vector | None:
    """The hyperparameters to start from, if any."""
    names = tuple(dict.fromkeys(name.partition("[")[0] for name in space.names))
    if isinstance(init, str):
        if check_name(init, ("auto", "estimator"), "init") == "auto":
            return None
        given = {}
    elif isinstance(init, dict):
        given = {check_name(str(name).rpartition("__")[2], names, "hyperparameter"): init[name] for name in init}
    elif len(names) == 1 and isinstance(init, numbers.Real):
        given = {names[0]: np.full(p, float(init)) if names == ("weights",) else init}
    elif len(names) == 1 and isinstance(init, np.ndarray | list):
        given = {names[0]: init}
    else:
        raise ValueError(f"init={init!r} is no starting point: pass 'auto', 'estimator', or a dict of {names}")
    present = copy(model).set_params(**given)
    present._check_hyperparams(p)
    values = present._values(space, p)
    values = np.where(np.isfinite(values), values, 1.0)  # excluded features have any value
    if not plain and not np.all(values > 0.0):
        raise ValueError(
            "init must be positive: hyperparameters are searched by their logarithms, unless parametrization='plain'"
        )
    return values

"""The criterion over λ, and the way of a search on it."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lambdahat.plots.style import (
    BLUE,
    GREY,
    RED,
    axes_or_new,
    best_so_far,
    chosen_index,
    criterion_label,
    finish,
    hyperparam_label,
    points,
    trace_of,
)

Array = NDArray[np.float64]


def plot_criterion(search: Any, ax: Any = None, grid: tuple[ArrayLike, ArrayLike] | None = None) -> Any:
    """Draw the criterion over λ, with the steps of a gradient search on it and the derivative at each.

    A search over one hyperparameter is drawn over that hyperparameter, on a log scale; every step carries a
    short tangent, the hypergradient, unless the search followed another criterion. A search over several is drawn
    over its evaluations, with the best value so far.

    Parameters
    ----------
    search : GradientSearch or Trace
        A fitted search.
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure.
    grid : pair of array-like, optional
        ``(alphas, values)`` of a grid search on the same splits, drawn for comparison. Only for one
        hyperparameter.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    axes = axes_or_new(ax)
    trace = trace_of(search)
    if trace.hyperparams.shape[1] == 1:
        _draw_over_one(axes, trace, chosen_index(search), grid)
    else:
        if grid is not None:
            raise ValueError("grid must be None for a search over several hyperparameters: it is drawn over one λ.")
        _draw_over_evaluations(axes, trace)
    axes.set_ylabel(criterion_label(search))
    return finish(axes)


def _draw_over_one(axes: Any, trace: Any, best: int, grid: tuple[ArrayLike, ArrayLike] | None) -> None:
    x, values = trace.hyperparams[:, 0], trace.values
    axes.set_xscale("log")
    if grid is not None:
        alphas, heights = (np.asarray(array, dtype=float) for array in grid)
        label = f"grid, {alphas.size} points"
        axes.plot(alphas, heights, "-o", color=GREY, markersize=2.0, linewidth=0.8, label=label, zorder=1)
    label = f"gradient search, {x.size} evaluations"
    axes.scatter(x, values, s=points(1.1), color=BLUE, edgecolor="white", linewidth=0.5, label=label, zorder=3)
    if not trace.is_led:  # else the slopes are of what was followed
        _draw_tangents(axes, x, values, x * trace.gradients[:, 0])
    name = trace.hyperparam_names[0]
    label = f"chosen, {'λ' if name.endswith('alpha') else name} = {x[best]:.3g}"
    axes.scatter(
        x[best],
        values[best],
        s=points(2.6),
        marker="*",
        color=RED,
        edgecolor="white",
        linewidth=0.5,
        label=label,
        zorder=4,
    )
    axes.set_xlabel(hyperparam_label(trace.hyperparam_names[0]))


def _draw_tangents(axes: Any, x: Array, values: Array, slopes: Array) -> None:
    """Segments of one length on the screen, their slopes per unit of log λ; searches without gradients have none."""
    known = np.isfinite(slopes)
    if not known.any():
        return
    (left, right), (bottom, top) = np.log(axes.get_xlim()), axes.get_ylim()
    half = 0.06 * (right - left) / np.hypot(1.0, slopes * (right - left) / (top - bottom))
    segments = [
        [(position * np.exp(-step), value - slope * step), (position * np.exp(step), value + slope * step)]
        for position, value, slope, step in zip(x[known], values[known], slopes[known], half[known], strict=True)
    ]
    from matplotlib.collections import LineCollection

    label = "its hypergradients (slopes)"
    axes.add_collection(LineCollection(segments, colors=BLUE, linewidths=1.6, label=label, zorder=2))


def _draw_over_evaluations(axes: Any, trace: Any) -> None:
    evaluations = np.arange(1, trace.values.size + 1)
    label = f"gradient search, {trace.hyperparams.shape[1]} hyperparameters"
    axes.plot(evaluations, trace.values, "o", color=BLUE, markersize=5, label=label)
    axes.step(evaluations, best_so_far(trace.values), where="post", color=RED, label="best so far")
    axes.set_xlabel("evaluation")

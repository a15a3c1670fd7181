"""Two hyperparameters: level sets of the criterion, and the ways of searches over them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lambdahat.plots.style import (
    axes_or_new,
    best_index,
    best_so_far,
    finish,
    hyperparam_label,
    labelled,
    metric,
    styles,
    trace_of,
)

Array = NDArray[np.float64]


def plot_level_sets(
    searches: Any, surface: tuple[ArrayLike, ArrayLike, ArrayLike], ax: Any = None, *, n_levels: int = 12
) -> Any:
    """Draw the level sets of a criterion over two hyperparameters, with the ways of several searches on them.

    Axes are those of the search: logarithmic, and the logit of a ratio. Levels are closer where the criterion is low.
    Every evaluation is a point, and a line leads through those that improved on all before
    (searches without gradients, by their labels, have no line). A star marks the best
    point of each search.

    Parameters
    ----------
    searches : GradientSearch or Trace, or dict of label to one
    surface : tuple of array-like
        ``(first, second, values)``: m values of the first hyperparameter, k of the second, and the criterion at
        each pair, of shape (m, k).
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure.
    n_levels : int, default 12

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    several = labelled(searches)
    traces = {label: trace_of(search) for label, search in several.items()}
    names = _two_names(traces)
    first, second, values = (np.asarray(array, dtype=float) for array in surface)
    if values.shape != (first.size, second.size):
        raise ValueError(
            f"surface has values of shape {values.shape} for {first.size} by {second.size} hyperparameters: pass "
            "one value a pair"
        )
    axes = axes_or_new(ax)
    axes.set(xscale=_scale(names[0]), yscale=_scale(names[1]))
    _draw_levels(axes, first, second, values, n_levels, metric(next(iter(several.values()))))
    for label, (colour, marker, dashes) in styles(traces).items():
        _draw_way(axes, traces[label], label, colour, marker, dashes)
    axes.set(xlim=(first.min(), first.max()), ylim=(second.min(), second.max()))
    axes.set(xlabel=hyperparam_label(names[0]), ylabel=hyperparam_label(names[1]))
    return finish(axes)


def _draw_way(axes: Any, trace: Any, label: str, colour: str, marker: str, dashes: str) -> None:
    from matplotlib import rcParams

    x, y = trace.hyperparams.T
    bests = best_so_far(trace.values)
    better = np.flatnonzero(np.diff(bests, prepend=np.inf) < 0.0)
    size = {"markersize": 0.8 * rcParams["lines.markersize"]}
    axes.plot(x, y, marker, color=colour, alpha=0.75, label=label, zorder=2, **size)
    if dashes == "-":
        axes.plot(x[better], y[better], color=colour, linewidth=0.9, zorder=3)
    best = best_index(trace.values)
    axes.plot(x[best], y[best], "*", color=colour, markersize=9, markeredgecolor="white", zorder=4)


def _two_names(traces: dict[str, Any]) -> tuple[str, ...]:
    names = {tuple(trace.hyperparam_names) for trace in traces.values()}
    if len(names) > 1 or len(next(iter(names))) != 2:
        shown = "; ".join(", ".join(each[:3]) for each in sorted(names))
        raise ValueError(f"level sets need searches over the same two hyperparameters, not {shown}")
    return names.pop()


def _draw_levels(axes: Any, first: Array, second: Array, values: Array, n_levels: int, name: str) -> None:
    from matplotlib.colors import BoundaryNorm

    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    levels = [low, *(low + (high - low or 1.0) * np.geomspace(1e-2, 1.0, n_levels))]
    norm = BoundaryNorm(levels, ncolors=256)
    drawn = axes.contourf(first, second, values.T, levels=levels, cmap="Greys_r", norm=norm, alpha=0.6)
    axes.contour(first, second, values.T, levels=levels, colors="white", linewidths=0.5)
    bar = axes.figure.colorbar(drawn, ax=axes, format="%.4g", pad=0.02, aspect=30, ticks=levels[:: len(levels) // 4])
    bar.set_label(name)
    bar.outline.set_linewidth(0.5)


def _scale(name: str) -> str:
    return "logit" if name.endswith("l1_ratio") else "log"

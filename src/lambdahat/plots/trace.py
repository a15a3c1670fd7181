"""The criterion against what it cost."""

from typing import Any, Literal

import numpy as np

from lambdahat.plots.style import (
    axes_or_new,
    best_so_far,
    criterion_label,
    finish,
    labelled,
    over_seconds,
    styles,
    trace_of,
)


def plot_trace(
    searches: Any,
    ax: Any = None,
    *,
    against: Literal["evaluations", "seconds"] = "evaluations",
    suboptimality: bool = False,
    best: float | None = None,
) -> Any:
    """Draw the best criterion so far, against evaluations or seconds; several searches side by side.

    Markers are evaluations that improved on all before; a line ends where its search ended.

    Parameters
    ----------
    searches : GradientSearch or Trace, or dict of label to one
        Labels that are names of searches (``"lbfgs"``, ``"grid"``) have the same colour in all pictures.
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure.
    against : {"evaluations", "seconds"}, default "evaluations"
        Seconds are drawn on a log scale.
    suboptimality : bool, default False
        Draw the relative excess over ``best``, on a log scale, instead of the criterion itself. What is at ``best``
        (a relative excess below 1e-12) is drawn at the lower edge.
    best : float, optional
        The best criterion; by default the least that any of the searches saw.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    if against not in ("evaluations", "seconds"):
        raise ValueError(f"against={against!r} is not known: pass 'evaluations' or 'seconds'")
    several = labelled(searches)
    axes = axes_or_new(ax)
    traces = {label: trace_of(search) for label, search in several.items()}
    heights = {label: best_so_far(trace.values) for label, trace in traces.items()}
    if suboptimality:
        least = min(float(np.nanmin(values)) for values in heights.values()) if best is None else best
        if not least > 0.0:
            raise ValueError(f"best={least:g} has no relative excess: it must be positive")
        heights = _above(heights, least)
        axes.set_yscale("log")
    for k, (label, (colour, marker, dashes)) in enumerate(styles(traces).items()):
        y = heights[label]
        x = traces[label].seconds if against == "seconds" else np.arange(1, y.size + 1)
        better = np.flatnonzero(np.diff(y, prepend=np.inf) < 0.0).tolist()
        line = {"color": colour, "linestyle": dashes, "drawstyle": "steps-post", "marker": marker, "markevery": better}
        axes.plot(x, y, label=label, alpha=0.9, zorder=3.0 - k / len(traces), **line)  # the first lies on top
    if against == "seconds":
        over_seconds(axes)
    else:
        axes.set_xlabel("evaluations of the criterion")
    label = criterion_label(next(iter(several.values())))
    axes.set_ylabel("relative excess over the best criterion" if suboptimality else label)
    return finish(axes)


def _above(heights: dict[str, Any], least: float) -> dict[str, Any]:
    """Relative excesses; what has none is put a little below the least of the others, as zero has no logarithm."""
    excess = {label: values / least - 1.0 for label, values in heights.items()}
    positive = [values[values > 1e-12] for values in excess.values()]
    floor = min((float(values.min()) for values in positive if values.size), default=1e-12) / 3.0
    return {label: np.where(values > 1e-12, values, floor) for label, values in excess.items()}

"""Two hyperparameters: level sets of the criterion, and the ways of searches over them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lambdahat.plots.style import (
    axes_or_new,
    best_index,
    finish,
    hyperparam_label,
    labelled,
    metric,
    styles,
    trace_of,
)

Array = NDArray[np.float64]
_SCATTERED = {"grid", "random", "bayesian"}


def plot_level_sets(
    searches: Any, surface: tuple[ArrayLike, ArrayLike, ArrayLike], ax: Any = None, *, n_levels: int = 12
) -> Any:
    """Draw the level sets of a criterion over two hyperparameters, with the ways of several searches on them.

    The elastic net is drawn over the strengths of its two terms, ``λ₁ = alpha · l1_ratio`` and
    ``λ₂ = alpha · (1 − l1_ratio)``; other pairs as they are. Both axes are logarithmic. Levels are closer where the
    criterion is low. Searches that go somewhere are drawn as ways; those labelled ``"grid"``, ``"random"`` or
    ``"bayesian"`` as points. A star marks the best point of each search.

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
    axes.set_xscale("log")
    axes.set_yscale("log")
    mesh = _drawn(names, np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1))
    _draw_levels(axes, mesh, values, n_levels, metric(next(iter(several.values()))))
    for label, (colour, marker, dashes) in styles(traces).items():
        x, y = _drawn(names, traces[label].hyperparams).T
        line = "" if label in _SCATTERED else dashes
        size = 3.0 if label == "grid" else 4.0
        axes.plot(x, y, marker, linestyle=line, color=colour, markersize=size, linewidth=1.0, alpha=0.9, label=label)
        best = best_index(traces[label].values)
        axes.plot(x[best], y[best], "*", color=colour, markersize=11, markeredgecolor="white", zorder=4)
    axes.set_xlim(mesh[..., 0].min(), mesh[..., 0].max())
    axes.set_ylim(mesh[..., 1].min(), mesh[..., 1].max())
    elastic = names == ("alpha", "l1_ratio")
    labels = ("λ₁ (log scale)", "λ₂ (log scale)") if elastic else [hyperparam_label(name) for name in names]
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    finish(axes, legend=False)
    columns = min(len(several), 4)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, columnspacing=1.0)
    return axes


def _two_names(traces: dict[str, Any]) -> tuple[str, ...]:
    names = {tuple(trace.hyperparam_names) for trace in traces.values()}
    if len(names) > 1 or len(next(iter(names))) != 2:
        shown = "; ".join(", ".join(each[:3]) for each in sorted(names))
        raise ValueError(f"level sets need searches over the same two hyperparameters, not {shown}")
    return names.pop()


def _drawn(names: tuple[str, ...], hyperparams: Array) -> Array:
    """Coordinates in the picture."""
    if names != ("alpha", "l1_ratio"):
        return hyperparams
    alpha, ratio = hyperparams[..., 0], hyperparams[..., 1]
    return np.stack([alpha * ratio, alpha * (1.0 - ratio)], axis=-1)


def _draw_levels(axes: Any, mesh: Array, values: Array, n_levels: int, name: str) -> None:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    levels = low + (high - low) * np.geomspace(1e-3, 1.0, n_levels) if high > low else [low, low + 1.0]
    x, y = mesh[..., 0], mesh[..., 1]
    drawn = axes.contourf(x, y, values, levels=[low, *levels], cmap="Greys_r", norm=_even(low, levels), alpha=0.55)
    axes.contour(x, y, values, levels=levels, colors="white", linewidths=0.5)
    bar = axes.figure.colorbar(drawn, ax=axes, format="%.3g", pad=0.02, aspect=30)
    bar.set_label(name)
    bar.outline.set_linewidth(0.5)


def _even(low: float, levels: Any) -> Any:
    """One step of grey from level to level."""
    from matplotlib.colors import BoundaryNorm

    return BoundaryNorm([low, *levels], ncolors=256)

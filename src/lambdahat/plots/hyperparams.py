"""One hyperparameter a feature."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lambdahat.plots.style import BLACK, BLUE, GREY, axes_or_new, best_index, chosen_index, finish, shown, trace_of

_SPELLED = 30


def plot_hyperparams(search: Any, ax: Any = None, *, names: Sequence[str] | None = None) -> Any:
    """Draw the weights that a search chose, one a feature.

    Up to 30 features are spelled out, the least penalised on top; more are drawn in increasing order of their
    weights. A line shows the best weight that the search found for all in common. Where the search was refitted,
    features that it keeps are filled, others hollow.

    Parameters
    ----------
    search : GradientSearch or Trace
        A fitted search over several hyperparameters, as of :class:`WeightedLasso`.
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure.
    names : sequence of str, optional
        Of the features; by default the names of the hyperparameters.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    trace = trace_of(search)
    weights = trace.hyperparams[chosen_index(search)]
    common = _common(trace)
    labels = list(trace.hyperparam_names if names is None else names)
    if len(labels) != weights.size:
        raise ValueError(f"names has {len(labels)} entries for {weights.size} hyperparameters: pass one each")
    axes = axes_or_new(ax)
    coef = getattr(search, "coef_", None)
    kept = np.ones(weights.size, dtype=bool) if coef is None or coef.size != weights.size else coef != 0.0
    order = np.argsort(weights, kind="stable")
    if weights.size <= _SPELLED:
        _draw_spelled(axes, weights[order], kept[order], [labels[j] for j in order], common)
    else:
        _draw_ordered(axes, weights[order], kept[order], common)
    return finish(axes)


def _draw_spelled(axes: Any, weights: Any, kept: Any, labels: list[str], common: float | None) -> None:
    rows = np.arange(weights.size)
    axes.set_xscale("log")
    if common is not None:
        axes.hlines(rows, common, weights, color=GREY, linewidth=0.8, zorder=1)
        axes.axvline(common, color=GREY, linewidth=0.8, label=f"best common weight, {common:.3g}", zorder=2)
    for mask, face, label in _groups(kept):
        axes.plot(weights[mask], rows[mask], "o", color=BLUE, markerfacecolor=face, label=label, zorder=3)
    axes.set_yticks(rows, [shown(label) for label in labels])
    axes.invert_yaxis()
    axes.set_xlabel("weight in the penalty (log scale)")


def _draw_ordered(axes: Any, weights: Any, kept: Any, common: float | None) -> None:
    ranks = np.arange(1, weights.size + 1)
    axes.set_yscale("log")
    for mask, face, label in _groups(kept):
        colour = BLUE if face == BLUE else BLACK
        axes.plot(
            ranks[mask], weights[mask], "o" if face == BLUE else ".", color=colour, markerfacecolor=face,
            markersize=3.5, linestyle="", label=label,
        )  # fmt: skip
    if common is not None:
        axes.axhline(common, color=GREY, linewidth=0.8, label=f"best common weight, {common:.3g}", zorder=1)
    axes.set_xlabel("features, in the order of their weights")
    axes.set_ylabel("weight in the penalty (log scale)")


def _groups(kept: Any) -> list[tuple[Any, str, str]]:
    groups = [(kept, BLUE, "kept"), (~kept, "white", "dropped (coefficient zero)")]
    return [(mask, face, f"{label}, {mask.sum()}") for mask, face, label in groups if mask.any()]


def _common(trace: Any) -> float | None:
    """The best evaluation at which all weights are the same, where there is one."""
    same = np.ptp(trace.hyperparams, axis=1) <= 1e-9 * trace.hyperparams[:, 0]
    if not same.any():
        return None
    return float(trace.hyperparams[same, 0][best_index(trace.values[same])])

"""Coefficients over λ, or over C."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from lambdahat.plots.style import BLACK, PALE, STYLES, axes_or_new, best_index, chosen_index, finish, shown, trace_of


def plot_path(
    result: Any, ax: Any = None, *, chosen: Any = None, names: Sequence[str] | None = None, n_named: int = 6
) -> Any:
    """Draw coefficients over λ, or over the C of a support vector machine, and which was chosen.

    The largest coefficients at the chosen one are coloured and named, the others are grey; those that are zero all
    along are left out.

    Parameters
    ----------
    result : PathResult
        Of :func:`lambdahat.path`.
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure.
    chosen : GradientSearch, Trace or float, optional
        A search over λ (C), or λ (C) itself; by default the best of ``result.scores`` where there are any.
    names : sequence of str, optional
        Of the features; by default their numbers.
    n_named : int, default 6
        How many coefficients are coloured.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    alphas, coefs = result.alphas, result.coefs
    symbol = _symbol(result)
    if names is not None and len(names) != coefs.shape[0]:
        raise ValueError(f"names has {len(names)} entries for {coefs.shape[0]} features: pass one a feature")
    axes = axes_or_new(ax)
    alpha = _chosen(chosen, result)
    at = int(np.argmin(np.abs(np.log(alphas) - np.log(alpha)))) if alpha is not None else alphas.size - 1
    order = np.argsort(-np.abs(coefs[:, at]), kind="stable")
    named = [j for j in order[:n_named] if coefs[j, at] != 0.0]
    for j in order[::-1]:
        if j not in named and coefs[j].any():
            axes.plot(alphas, coefs[j], color=PALE, linewidth=0.7, zorder=1)
    for j, (colour, _, _) in zip(named, STYLES * (1 + len(named) // len(STYLES)), strict=False):
        label = names[j] if names is not None else f"feature {j}"
        axes.plot(alphas, coefs[j], color=colour, linewidth=1.4, label=shown(label), zorder=2)
    axes.axhline(0.0, color=BLACK, linewidth=0.5, zorder=1)
    if alpha is not None:
        label = f"chosen, {symbol} = {alpha:.3g}"
        axes.axvline(alpha, color=BLACK, linewidth=1.0, linestyle="--", label=label, zorder=1.5)
    axes.set_xscale("log")
    axes.set_xlim(alphas[0], alphas[-1])
    axes.set_xlabel(f"{symbol} (log scale, {'increasing' if alphas[0] < alphas[-1] else 'decreasing'})")
    axes.set_ylabel("coefficient (y per unit of x)")
    return finish(axes)


def _symbol(result: Any) -> str:
    return "C" if result.param == "C" else "λ"


def _chosen(chosen: Any, result: Any) -> float | None:
    if chosen is None:
        return None if result.scores is None else float(result.alphas[best_index(result.scores)])
    if isinstance(chosen, numbers.Real):
        return float(chosen)
    trace = trace_of(chosen)
    if trace.hyperparams.shape[1] != 1:
        symbol = _symbol(result)
        raise ValueError(f"chosen is a search over several hyperparameters: pass one over {symbol}, or {symbol} itself")
    return float(trace.hyperparams[chosen_index(chosen), 0])

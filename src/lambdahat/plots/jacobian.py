"""How fast a solver's iterates, and their Jacobian, converge."""

from typing import Any

import numpy as np

from lambdahat.plots.style import BLACK, BLUE, RED, axes_or_new, finish


def plot_jacobian_convergence(result: Any, ax: Any = None) -> Any:
    """Draw the errors of the coefficients and of their Jacobian over the iterations of a solver, on a log scale.

    A vertical line marks the iteration from which the support is the final one; from there on both errors shrink by
    a constant factor. The dashed guide falls by the theoretical one, the spectral radius of the iteration's Jacobian
    on the support (Bertrand et al., JMLR 2022).

    Parameters
    ----------
    result : JacobianConvergence
        Of ``lambdahat.jacobian_convergence``.
    ax : matplotlib Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    axes = axes_or_new(ax)
    coef, jacobian = (np.asarray(errors, dtype=float) for errors in (result.coef_errors, result.jacobian_errors))
    iterations = np.arange(coef.size)
    axes.set_yscale("log")
    positive = np.concatenate([coef, jacobian])
    positive = positive[positive > 0.0]
    for errors, colour, label in ((coef, BLUE, "‖wₖ − w*‖"), (jacobian, RED, "‖Jₖ − J*‖")):
        axes.plot(iterations, np.where(errors > 0.0, errors, np.nan), color=colour, label=label)
    start, rate = int(result.identified_at), result.theoretical_rate
    if 0 <= start < coef.size:
        label = f"support found ({result.support_sizes[-1]:.0f})"
        axes.axvline(start, color=BLACK, linewidth=0.8, linestyle=":", label=label)
        guide = 3.0 * jacobian[start] * rate ** (iterations[start:] - start)
        label = f"rate {rate:.4g}, measured {result.measured_rate:.4g}"
        axes.plot(iterations[start:], guide, color=BLACK, linewidth=0.9, linestyle="--", label=label)
    axes.set_ylim(positive.min() / 3.0, 10.0 * positive.max())
    axes.set_xlim(0, coef.size - 1)
    axes.set_xlabel(f"iteration of {str(result.solver).replace('_', ' ')}")
    axes.set_ylabel("distance to the limit (log scale)")
    return finish(axes, most_inside=0, ncols=2)  # two falling lines leave no corner free

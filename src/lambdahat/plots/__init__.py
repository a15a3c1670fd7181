"""Pictures of searches, drawn on axes that the caller may give. They need the ``plots`` extra."""

from lambdahat.plots.criterion import plot_criterion
from lambdahat.plots.hyperparams import plot_hyperparams
from lambdahat.plots.jacobian import plot_jacobian_convergence
from lambdahat.plots.level_sets import plot_level_sets
from lambdahat.plots.path import plot_path
from lambdahat.plots.style import paper
from lambdahat.plots.trace import plot_trace

__all__ = [
    "paper",
    "plot_criterion",
    "plot_hyperparams",
    "plot_jacobian_convergence",
    "plot_level_sets",
    "plot_path",
    "plot_trace",
]

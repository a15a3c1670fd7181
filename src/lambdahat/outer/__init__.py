"""Searches over hyperparameters: they see an objective and its gradient, never a model."""

from lambdahat.outer.adam import Adam
from lambdahat.outer.base import Chart, Line, Objective, OuterOptimizer, Point, Region, Stop
from lambdahat.outer.bayesian import Bayesian
from lambdahat.outer.gradient_descent import GradientDescent
from lambdahat.outer.grid import Grid
from lambdahat.outer.hoag import HOAG
from lambdahat.outer.lbfgs import LBFGS
from lambdahat.outer.line_search import LineSearch
from lambdahat.outer.random_search import RandomSearch
from lambdahat.outer.scalar import Scalar

__all__ = [
    "HOAG",
    "LBFGS",
    "Adam",
    "Bayesian",
    "Chart",
    "GradientDescent",
    "Grid",
    "Line",
    "LineSearch",
    "Objective",
    "OuterOptimizer",
    "Point",
    "RandomSearch",
    "Region",
    "Scalar",
    "Stop",
]

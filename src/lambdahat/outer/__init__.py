"""Searches over hyperparameters: they see an objective and its gradient, never a model."""

from lambdahat.outer.base import Objective, OuterOptimizer, Point, Region, Stop
from lambdahat.outer.lbfgs import LBFGS
from lambdahat.outer.scalar import Scalar

__all__ = ["LBFGS", "Objective", "OuterOptimizer", "Point", "Region", "Scalar", "Stop"]

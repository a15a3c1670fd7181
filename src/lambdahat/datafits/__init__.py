"""Smooth losses of the prediction."""

from lambdahat.datafits.base import Datafit
from lambdahat.datafits.logistic import Logistic
from lambdahat.datafits.quadratic import Quadratic
from lambdahat.datafits.squared_hinge import SquaredHinge

__all__ = ["Datafit", "Logistic", "Quadratic", "SquaredHinge"]

"""Smooth losses of the product ``Xw``."""

from lambdahat.datafits.base import Datafit
from lambdahat.datafits.quadratic import Quadratic

__all__ = ["Datafit", "Quadratic"]

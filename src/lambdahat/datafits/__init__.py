"""Smooth losses of the prediction."""

from lambdahat.datafits.base import Datafit
from lambdahat.datafits.logistic import Logistic
from lambdahat.datafits.one_vs_rest import log_probabilities
from lambdahat.datafits.quadratic import Quadratic

__all__ = ["Datafit", "Logistic", "Quadratic", "log_probabilities"]

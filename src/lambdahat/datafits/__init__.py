"""Smooth losses of the prediction."""

from lambdahat.datafits.base import Datafit
from lambdahat.datafits.cox import Cox
from lambdahat.datafits.gamma import Gamma
from lambdahat.datafits.huber import Huber
from lambdahat.datafits.logistic import Logistic
from lambdahat.datafits.multinomial import Multinomial
from lambdahat.datafits.one_vs_rest import log_probabilities
from lambdahat.datafits.poisson import Poisson
from lambdahat.datafits.quadratic import Quadratic
from lambdahat.datafits.root import RootMeanSquare
from lambdahat.datafits.squared_hinge import SquaredHinge
from lambdahat.datafits.survival import Survival

__all__ = [
    "Cox",
    "Datafit",
    "Gamma",
    "Huber",
    "Logistic",
    "Multinomial",
    "Poisson",
    "Quadratic",
    "RootMeanSquare",
    "SquaredHinge",
    "Survival",
    "log_probabilities",
]

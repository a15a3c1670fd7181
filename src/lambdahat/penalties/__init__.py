"""Penalties and how they depend on their hyperparameters."""

from lambdahat.penalties.base import Penalty
from lambdahat.penalties.box import Box, classification_box, regression_box
from lambdahat.penalties.separable import Separable, elastic_net, l1, ridge, tied_elastic_net, weighted_l1

__all__ = [
    "Box",
    "Penalty",
    "Separable",
    "classification_box",
    "elastic_net",
    "l1",
    "regression_box",
    "ridge",
    "tied_elastic_net",
    "weighted_l1",
]

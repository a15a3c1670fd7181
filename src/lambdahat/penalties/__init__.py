"""Penalties and how they depend on their hyperparameters."""

from lambdahat.penalties.base import Penalty
from lambdahat.penalties.separable import Separable, elastic_net, l1, ridge, tied_elastic_net, weighted_l1

__all__ = ["Penalty", "Separable", "elastic_net", "l1", "ridge", "tied_elastic_net", "weighted_l1"]

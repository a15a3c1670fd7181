"""Penalties and how they depend on their hyperparameters."""

from lambdahat.penalties.base import Penalty
from lambdahat.penalties.blockwise import Blockwise
from lambdahat.penalties.box import Box, classification_box, regression_box
from lambdahat.penalties.domain import EVERYTHING, SIMPLEX, Domain
from lambdahat.penalties.entrywise import Entrywise, entrywise_l1
from lambdahat.penalties.groups import (
    group_lasso,
    rows,
    sparse_group_lasso,
    tied_rows,
    tied_sparse_group_lasso,
    weighted_groups,
)
from lambdahat.penalties.separable import (
    Separable,
    elastic_net,
    l1,
    ridge,
    tied_elastic_net,
    weighted_l1,
    weighted_ridge,
)

__all__ = [
    "EVERYTHING",
    "SIMPLEX",
    "Blockwise",
    "Box",
    "Domain",
    "Entrywise",
    "Penalty",
    "Separable",
    "classification_box",
    "elastic_net",
    "entrywise_l1",
    "group_lasso",
    "l1",
    "regression_box",
    "ridge",
    "rows",
    "sparse_group_lasso",
    "tied_elastic_net",
    "tied_rows",
    "tied_sparse_group_lasso",
    "weighted_groups",
    "weighted_l1",
    "weighted_ridge",
]

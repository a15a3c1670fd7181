"""What is minimised over the hyperparameters."""

from lambdahat.criteria.base import Criterion, Data, Fold, Validation, check_trainable, is_constant
from lambdahat.criteria.cross_val import CrossValidation
from lambdahat.criteria.held_out import HeldOut, judged_by
from lambdahat.criteria.together import together

__all__ = [
    "Criterion",
    "CrossValidation",
    "Data",
    "Fold",
    "HeldOut",
    "Validation",
    "check_trainable",
    "is_constant",
    "judged_by",
    "together",
]

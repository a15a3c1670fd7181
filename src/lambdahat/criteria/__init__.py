"""What is minimised over the hyperparameters."""

from lambdahat.criteria.base import Criterion, Data, Fold, Units, Validation, check_trainable, described, is_constant
from lambdahat.criteria.cross_val import CrossValidation
from lambdahat.criteria.held_out import HeldOut, judged_by
from lambdahat.criteria.information import AIC, BIC, EBIC, GCV, AICc
from lambdahat.criteria.leave_one_out import ALO
from lambdahat.criteria.scoring import Metric, Scoring, is_scorer, scored
from lambdahat.criteria.sure import SURE
from lambdahat.criteria.together import together

__all__ = [
    "AIC",
    "ALO",
    "BIC",
    "EBIC",
    "GCV",
    "SURE",
    "AICc",
    "Criterion",
    "CrossValidation",
    "Data",
    "Fold",
    "HeldOut",
    "Metric",
    "Scoring",
    "Units",
    "Validation",
    "check_trainable",
    "described",
    "is_constant",
    "is_scorer",
    "judged_by",
    "scored",
    "together",
]

"""The loop that joins criterion, hypergradient and outer optimiser."""

from lambdahat.search.objective import CriterionObjective, fold_hypergradient, run
from lambdahat.search.space import Space
from lambdahat.search.trace import Evaluation, Trace

__all__ = ["CriterionObjective", "Evaluation", "Space", "Trace", "fold_hypergradient", "run"]

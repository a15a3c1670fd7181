"""The loop that joins criterion, hypergradient and outer optimiser."""

from lambdahat.search.objective import CriterionObjective, run
from lambdahat.search.rules import one_standard_error
from lambdahat.search.space import Space
from lambdahat.search.trace import Evaluation, Trace

__all__ = ["CriterionObjective", "Evaluation", "Space", "Trace", "one_standard_error", "run"]

"""scikit-learn estimators, thin."""

from lambdahat.estimators.cross_validated import ElasticNetCV, LassoCV
from lambdahat.estimators.functions import HypergradientResult, PathResult, alpha_max, hypergradient, path
from lambdahat.estimators.gradient_search import GradientSearch
from lambdahat.estimators.linear_models import ElasticNet, Lasso, Ridge, WeightedLasso

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GradientSearch",
    "HypergradientResult",
    "Lasso",
    "LassoCV",
    "PathResult",
    "Ridge",
    "WeightedLasso",
    "alpha_max",
    "hypergradient",
    "path",
]

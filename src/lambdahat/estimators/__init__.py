"""scikit-learn estimators, thin."""

from lambdahat.estimators.convergence import jacobian_convergence
from lambdahat.estimators.cross_validated import ElasticNetCV, LassoCV, SparseLogisticRegressionCV
from lambdahat.estimators.functions import HypergradientResult, PathResult, alpha_max, hypergradient, path
from lambdahat.estimators.gradient_search import GradientSearch
from lambdahat.estimators.linear_models import ElasticNet, Lasso, Ridge, WeightedLasso
from lambdahat.estimators.logistic import SparseLogisticRegression
from lambdahat.estimators.one_vs_rest import OneVsRestLogistic
from lambdahat.hypergradient import JacobianConvergence

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GradientSearch",
    "HypergradientResult",
    "JacobianConvergence",
    "Lasso",
    "LassoCV",
    "OneVsRestLogistic",
    "PathResult",
    "Ridge",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "WeightedLasso",
    "alpha_max",
    "hypergradient",
    "jacobian_convergence",
    "path",
]

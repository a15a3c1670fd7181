"""scikit-learn estimators, thin."""

from lambdahat.estimators.convergence import jacobian_convergence
from lambdahat.estimators.cross_validated import ElasticNetCV, LassoCV, SparseLogisticRegressionCV
from lambdahat.estimators.functions import HypergradientResult, PathResult, alpha_max, hypergradient, path
from lambdahat.estimators.glm import GammaLasso, HuberLasso, PoissonLasso, SparseGLM
from lambdahat.estimators.gradient_search import GradientSearch
from lambdahat.estimators.linear_models import ElasticNet, Lasso, Ridge, WeightedLasso
from lambdahat.estimators.logistic import SparseLogisticRegression
from lambdahat.hypergradient import JacobianConvergence

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GammaLasso",
    "GradientSearch",
    "HuberLasso",
    "HypergradientResult",
    "JacobianConvergence",
    "Lasso",
    "LassoCV",
    "PathResult",
    "PoissonLasso",
    "Ridge",
    "SparseGLM",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "WeightedLasso",
    "alpha_max",
    "hypergradient",
    "jacobian_convergence",
    "path",
]

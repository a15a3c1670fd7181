"""scikit-learn estimators, thin."""

from lambdahat.estimators.adaptive import AdaptiveLasso
from lambdahat.estimators.blocks import GroupLasso, MultiTaskElasticNet, MultiTaskLasso, SparseGroupLasso
from lambdahat.estimators.convergence import jacobian_convergence
from lambdahat.estimators.cox import CoxLasso
from lambdahat.estimators.cross_validated import ElasticNetCV, LassoCV, SparseLogisticRegressionCV
from lambdahat.estimators.functions import HypergradientResult, alpha_max, hypergradient
from lambdahat.estimators.glm import GammaLasso, HuberLasso, PoissonLasso, SparseGLM
from lambdahat.estimators.gradient_search import GradientSearch
from lambdahat.estimators.linear_models import ElasticNet, Lasso, WeightedLasso
from lambdahat.estimators.logistic import SparseLogisticRegression
from lambdahat.estimators.multinomial import MultinomialLogistic
from lambdahat.estimators.noise import baseline_covariance, estimate_noise
from lambdahat.estimators.one_vs_rest import OneVsRestLogistic
from lambdahat.estimators.paths import PathResult, path
from lambdahat.estimators.ridge import Ridge, RidgeCV
from lambdahat.estimators.square_root import SqrtLasso
from lambdahat.estimators.support_vectors import LinearSVC, LinearSVR, SimplexSVR
from lambdahat.estimators.theory import pivotal_alpha, simulated_alpha, theoretical_alpha
from lambdahat.hypergradient import JacobianConvergence

__all__ = [
    "AdaptiveLasso",
    "CoxLasso",
    "ElasticNet",
    "ElasticNetCV",
    "GammaLasso",
    "GradientSearch",
    "GroupLasso",
    "HuberLasso",
    "HypergradientResult",
    "JacobianConvergence",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LinearSVR",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "MultinomialLogistic",
    "OneVsRestLogistic",
    "PathResult",
    "PoissonLasso",
    "Ridge",
    "RidgeCV",
    "SimplexSVR",
    "SparseGLM",
    "SparseGroupLasso",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "SqrtLasso",
    "WeightedLasso",
    "alpha_max",
    "baseline_covariance",
    "estimate_noise",
    "hypergradient",
    "jacobian_convergence",
    "path",
    "pivotal_alpha",
    "simulated_alpha",
    "theoretical_alpha",
]

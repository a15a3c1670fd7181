"""lambdahat (λ̂): tune sparse linear models by gradient."""

from importlib.metadata import PackageNotFoundError, version

from lambdahat.criteria import CrossValidation, HeldOut
from lambdahat.estimators import (
    AdaptiveLasso,
    CoxLasso,
    ElasticNet,
    ElasticNetCV,
    GammaLasso,
    GradientSearch,
    GroupLasso,
    HuberLasso,
    Lasso,
    LassoCV,
    LinearSVC,
    LinearSVR,
    MultinomialLogistic,
    MultiTaskElasticNet,
    MultiTaskLasso,
    OneVsRestLogistic,
    PoissonLasso,
    Ridge,
    RidgeCV,
    SimplexSVR,
    SparseGLM,
    SparseGroupLasso,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SqrtLasso,
    WeightedLasso,
    alpha_max,
    hypergradient,  # the function; the folder of the same name stays importable
    jacobian_convergence,
    path,
)

try:
    __version__ = version("lambdahat")
except PackageNotFoundError:  # a source tree on sys.path
    __version__ = "0+unknown"

__all__ = [
    "AdaptiveLasso",
    "CoxLasso",
    "CrossValidation",
    "ElasticNet",
    "ElasticNetCV",
    "GammaLasso",
    "GradientSearch",
    "GroupLasso",
    "HeldOut",
    "HuberLasso",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LinearSVR",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "MultinomialLogistic",
    "OneVsRestLogistic",
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
    "__version__",
    "alpha_max",
    "hypergradient",
    "jacobian_convergence",
    "path",
]

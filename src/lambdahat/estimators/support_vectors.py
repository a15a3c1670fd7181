"""Linear support vector machines: classification with the hinge loss, regression with the ε-insensitive one.

The latter with free weights, or with weights that are shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name, check_real
from lambdahat.box_problem import BoxModel
from lambdahat.criteria import Data
from lambdahat.datafits import Quadratic, SquaredHinge
from lambdahat.design import RowStorage, as_row_storage
from lambdahat.estimators.base import BinaryClassifier, LinearModel, LinearRegressor
from lambdahat.linear import Vector
from lambdahat.penalties import EVERYTHING, SIMPLEX, Box, Domain, classification_box, regression_box
from lambdahat.problem import Solution
from lambdahat.search import Space

COMMON = """
    fit_intercept : bool, default True
        By a constant column, whose weight is penalised as every other is (liblinear's convention).
    intercept_scaling : float, default 1.0
        The value of that column: the larger it is, the less the intercept is penalised.
    tol : float, default 1e-4
        Bound on the duality gap over the objective at ``w = 0``.
    max_iter : int, default 1000
        Rounds of the solver; each looks at all rows once.

    Attributes
    ----------
    dual_coef_ : array of shape (n,)
        Of every row, with the sign of its pull: ``coef_`` is their combination of the rows; zero off the support
        vectors.
    dual_gap_ : float
        Relative duality gap reached.
    n_iter_ : int
    status_ : str
        How the solver ended, in a sentence.
    n_features_in_ : int
    feature_names_in_ : array of shape (p,), when X has column names
"""


class SupportVectorMachine(LinearModel):
    """What both have in common: C, a dual over the rows, and an intercept that is penalised."""

    C: float
    epsilon: float = 0.0
    intercept_scaling: float
    domain: Domain = EVERYTHING
    warm_start = False
    tunable: tuple[str, ...] = ("C",)
    dual_coef_: NDArray[np.float64]

    def _storage(self, X: Any) -> RowStorage:
        return as_row_storage(X)

    def _check_params(self) -> None:
        super()._check_params()
        self._check_hyperparams(0)
        check_real(self.intercept_scaling, "intercept_scaling", open_low=True)

    def _check_hyperparams(self, n_features: int) -> None:
        check_real(self.C, "C", open_low=True)
        check_real(self.epsilon, "epsilon")

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        chosen = tuple(check_name(name, self.tunable, "hyperparameter") for name in names or self.tuned)
        present = np.array([self.C, self.epsilon], dtype=np.float64)
        index = [("C", "epsilon").index(name) for name in chosen]

        def theta(values: Vector) -> Vector:
            out = present.copy()
            out[index] = values
            return out

        return Space(
            chosen,
            ("log",) * len(chosen),
            theta,
            lambda _, gradient: gradient[index],
            lambda values: {name: float(value) for name, value in zip(chosen, values, strict=True)},
        )

    def _box(self, y: Vector, weights: Vector) -> Box:
        raise NotImplementedError

    def _model(self, names: Sequence[str] | None = None, classes: NDArray[Any] | None = None) -> BoxModel:
        constant = float(self.intercept_scaling) if self.fit_intercept else 0.0
        return BoxModel(self._box, self.datafit, constant, self._row_factors(classes), self.domain)

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        self.dual_coef_ = solutions[0].workspace.beta


class LinearSVC(BinaryClassifier, SupportVectorMachine):
    """``½‖w‖² + C Σ s_i max(0, 1 − y_i (b + x_iᵀw))``, ``y_i = ±1``: scikit-learn's, with ``loss="hinge"``.

    A search minimises the squared hinge loss of rows held out: it is smooth, as the hinge loss and the accuracy are not
    (``score`` is the accuracy).

    Parameters
    ----------
    C : float, default 1.0
        Strength of the loss, above zero.
    class_weight : dict of label to weight, "balanced", or None, default None
        Multiply the weights of the rows of each class in fitting, not in judging.
    {common}
    coef_ : array of shape (1, p)
    intercept_ : array of shape (1,)
    classes_ : array of shape (2,)
        The labels; decision values are positive for the second.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from lambdahat import LinearSVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> round(LinearSVC(C=0.1).fit(scale(X), y).score(scale(X), y), 2)
    0.99
    """

    datafit = SquaredHinge()

    def __init__(
        self,
        C: float = 1.0,
        *,
        class_weight: Any = None,
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        tol: float = 1e-4,
        max_iter: int = 1000,
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.tol = tol
        self.max_iter = max_iter

    def _box(self, y: Vector, weights: Vector) -> Box:
        return classification_box(float(self.C), y, weights)


class LinearSVR(LinearRegressor, SupportVectorMachine):
    """``½‖w‖² + C Σ s_i max(0, |y_i − b − x_iᵀw| − epsilon)``: scikit-learn's, with its default loss.

    A search minimises the mean squared error of rows held out.

    Parameters
    ----------
    C : float, default 1.0
        Strength of the loss, above zero.
    epsilon : float, default 0.0
        Errors up to it cost nothing.
    {common}
    coef_ : array of shape (p,)
    intercept_ : float

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import LinearSVR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(LinearSVR(C=100.0, epsilon=5.0).fit(X, y).score(X, y), 1)
    0.5
    """

    tunable = ("C", "epsilon")
    datafit = Quadratic()

    def __init__(
        self,
        C: float = 1.0,
        *,
        epsilon: float = 0.0,
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        tol: float = 1e-4,
        max_iter: int = 1000,
    ) -> None:
        self.C = C
        self.epsilon = epsilon
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.tol = tol
        self.max_iter = max_iter

    def _box(self, y: Vector, weights: Vector) -> Box:
        return regression_box(float(self.C), float(self.epsilon), weights)


class SimplexSVR(LinearRegressor, SupportVectorMachine):
    """``½‖w‖² + C Σ s_i max(0, |y_i − x_iᵀw| − epsilon)`` with ``w_j ≥ 0`` and ``Σ_j w_j = 1``, and no intercept.

    Coefficients are shares: of the components of a mixture whose profiles are the columns of X. Many are zero, exactly.
    A search minimises the mean squared error of rows held out.

    Parameters
    ----------
    C : float, default 1.0
        Strength of the loss, above zero. Where it is small, all shares are equal.
    epsilon : float, default 0.0
        Errors up to it cost nothing.
    tol : float, default 1e-4
        Bound on the duality gap over the objective at equal shares.
    max_iter : int, default 1000
        Rounds of the solver; each looks at all rows once.

    Attributes
    ----------
    coef_ : array of shape (p,)
        Shares: at least zero, with the sum 1.
    intercept_ : float
        Zero.
    dual_coef_ : array of shape (n,)
        Of every row, with the sign of its pull: ``coef_`` is the point of the simplex that is nearest to their
        combination of the rows.
    dual_gap_ : float
        Relative duality gap reached.
    n_iter_ : int
    status_ : str
        How the solver ended, in a sentence.
    n_features_in_ : int
    feature_names_in_ : array of shape (p,), when X has column names

    References
    ----------
    Klopfenstein & Vaiter, *Linear support vector regression with linear constraints*, Machine Learning 2021. Their
    dual has multipliers for the constraints; here they are eliminated (see ``docs/design.md``).

    Examples
    --------
    >>> import numpy as np
    >>> from lambdahat import SimplexSVR
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> SimplexSVR(C=10.0).fit(X, X @ [0.75, 0.25, 0.0, 0.0]).coef_.round(2).tolist()
    [0.75, 0.25, 0.0, 0.0]
    """

    tunable = ("C", "epsilon")
    datafit = Quadratic()
    domain = SIMPLEX
    fit_intercept = False
    intercept_scaling = 1.0

    def __init__(self, C: float = 1.0, *, epsilon: float = 0.0, tol: float = 1e-4, max_iter: int = 1000) -> None:
        self.C = C
        self.epsilon = epsilon
        self.tol = tol
        self.max_iter = max_iter

    def _box(self, y: Vector, weights: Vector) -> Box:
        return regression_box(float(self.C), float(self.epsilon), weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # of a target that no mixture of columns is near
        return tags


for _model in (LinearSVC, LinearSVR):
    _model.__doc__ = (_model.__doc__ or "").replace("    {common}", COMMON.strip("\n"))

"""Models whose coefficients come and go in blocks: rows of a matrix, groups of features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_factors, check_groups, check_name, check_real, check_targets
from lambdahat.criteria import Data, Fold
from lambdahat.estimators.alpha_or_factors import AlphaOrFactors
from lambdahat.estimators.base import LinearModel, LinearRegressor
from lambdahat.estimators.linear_models import COMMON, AlphaAndRatio
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import (
    Blockwise,
    group_lasso,
    rows,
    sparse_group_lasso,
    tied_rows,
    tied_sparse_group_lasso,
    weighted_groups,
)
from lambdahat.problem import Solution
from lambdahat.search import Space


class MultiTask(LinearRegressor):
    """Several targets, whose coefficients are the columns of one matrix."""

    def _read_target(self, y: Any, n: int) -> tuple[Matrix, None]:
        return check_targets(y, n), None

    def _coefficients(self) -> tuple[Matrix, Any]:
        return self.coef_.T, self.intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


class BlockNorms(AlphaOrFactors):
    """``alpha Σ_b factor_b ‖w_b‖₂``."""

    def _make_penalty(self, n_features: int, total_weight: float) -> Blockwise:
        labels = self._block_labels(n_features)
        return group_lasso(labels, check_real(self.alpha, "alpha"), self._block_factors(labels))

    def _factors_penalty(self, n_features: int, total_weight: float) -> Blockwise:
        labels = self._block_labels(n_features)
        return weighted_groups(labels, self._block_factors(labels), check_real(self.alpha, "alpha"))


class MultiTaskLasso(BlockNorms, MultiTask):
    """``1/(2 Σs) Σ s_i ‖y_i − b − Wᵀx_i‖² + alpha Σ_j factor_j ‖W_j‖₂``, as scikit-learn's: rows ``W_j`` come and go.

    A feature is selected for all T targets or for none. The entry-wise ℓ1 norm, ``alpha Σ_jt |W_jt|``, is a Lasso for
    each target. With ``groups``, the rows of a group come and go together: ``alpha Σ_g factor_g ‖W_g‖_F``.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, at least zero. Literature that divides the loss by ``2 n T`` has the same solution with
        its strength multiplied by T.
    groups : int, array, list of lists or dict, optional
        As in :class:`GroupLasso`; by default every feature is a group of its own. ``penalty_factors`` are then one a
        group, in the order of the sorted labels, or of the list or dict, and 1 where they are not given, whatever the
        size of the group.
    {common}
    groups_ : array of shape (p,)
        The group of each feature, from 0.

    Notes
    -----
    A search tunes ``alpha``, or with ``hyperparams=["penalty_factors"]`` one factor a feature or group.

    Examples
    --------
    >>> import numpy as np
    >>> from lambdahat import MultiTaskLasso
    >>> X = np.eye(4)
    >>> Y = np.array([[2.0, 2.0], [0.1, 0.0], [-1.0, 1.0], [0.0, 0.1]])
    >>> MultiTaskLasso(alpha=0.1, fit_intercept=False).fit(X, Y).coef_.any(axis=0)
    array([ True, False,  True, False])
    """

    positive = False
    factors_name = "penalty_factors"

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        groups: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _block_labels(self, n_features: int) -> NDArray[np.intp]:
        return check_groups(self.groups, n_features)

    def _block_factors(self, labels: NDArray[np.intp]) -> Vector:
        n_groups = int(labels.max()) + 1
        what = "column" if self.groups is None else "group"
        factors = check_factors(self.penalty_factors, n_groups, "penalty_factors", what)
        return np.ones(n_groups) if factors is None else factors

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        self.groups_ = self._block_labels(len(solutions[0].w))


class MultiTaskElasticNet(AlphaAndRatio, MultiTask):
    """``1/(2 Σs) Σ s_i ‖y_i − b − Wᵀx_i‖² + alpha Σ_j (l1_ratio ‖W_j‖₂ + ½ (1 − l1_ratio) ‖W_j‖²)``, as scikit-learn's.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty, at least zero.
    l1_ratio : float, default 0.5
        Share of the norms of rows, in [0, 1].
    {common}
    """

    positive = False

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factors: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factors = penalty_factors
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _make_penalty(self, n_features: int, total_weight: float) -> Blockwise:
        alpha, ratio = check_real(self.alpha, "alpha"), check_real(self.l1_ratio, "l1_ratio", high=1.0)
        return rows(n_features, alpha * ratio, alpha * (1.0 - ratio), self._factors(n_features))

    def _tied_penalty(self, n_features: int, total_weight: float) -> Blockwise:
        alpha, ratio = check_real(self.alpha, "alpha"), check_real(self.l1_ratio, "l1_ratio", high=1.0)
        return tied_rows(n_features, alpha, ratio, self._factors(n_features))


class Grouped(LinearModel):
    """Features in groups."""

    groups: Any
    group_weights: Any

    def _block_labels(self, n_features: int) -> NDArray[np.intp]:
        return check_groups(self.groups, n_features)

    def _block_factors(self, labels: NDArray[np.intp]) -> Vector:
        sizes = np.bincount(labels)
        weights = check_factors(self.group_weights, sizes.size, "group_weights", "group")
        return np.sqrt(sizes) if weights is None else weights


class GroupLasso(Grouped, BlockNorms, LinearRegressor):
    """``1/(2 Σs) Σ s_i (y_i − b − x_iᵀw)² + alpha Σ_g weight_g ‖w_g‖₂``: groups of features come and go.

    Parameters
    ----------
    groups : int, array, list of lists or dict, optional
        By default every column is a group of its own. Groups do not overlap, and no column is left out. They are

        - a number: so many neighbouring columns are a group each (the last may be smaller);
        - p labels, numbers or strings, one a column: columns of the same label are a group;
        - sizes of neighbouring groups, numbers whose sum is p. What has p entries is labels, whatever they are: p ones
          are one group, and not p of size 1;
        - a list of lists of column numbers, or a dict of these.
    alpha : float, default 1.0
        Strength of the penalty, at least zero.
    group_weights : array of shape (n_groups,), optional
        One a group, in the order of the sorted labels, or of the list or dict; by default the square root of its size.
        0 leaves a group unpenalised, ``inf`` excludes it.
    {common}
    groups_ : array of shape (p,)
        The group of each column, from 0.

    Notes
    -----
    A search tunes ``alpha``, or with ``hyperparams=["group_weights"]`` one weight a group.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import GroupLasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> GroupLasso([[0, 1], [2], [3], range(4, 10)], alpha=0.5).fit(X, y).coef_.nonzero()[0].tolist()
    [2, 3, 4, 5, 6, 7, 8, 9]
    """

    positive = False
    factors_name = "group_weights"

    def __init__(
        self,
        groups: Any = None,
        alpha: float = 1.0,
        *,
        group_weights: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.groups = groups
        self.alpha = alpha
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        self.groups_ = self._block_labels(len(solutions[0].w))


class SparseGroupLasso(Grouped, LinearRegressor):
    """``1/(2 Σs) Σ s_i (y_i − b − x_iᵀw)² + alpha (Σ_g weight_g ‖w_g‖₂ + tau ‖w‖₁)``: sparse groups, sparse within.

    Parameters
    ----------
    groups : int, array, list of lists or dict, optional
        As in :class:`GroupLasso`.
    alpha : float, default 1.0
        Strength of the penalty, at least zero.
    tau : float, default 1.0
        Strength of the ℓ1 norm beside that of the groups, at least zero.
    group_weights : array of shape (n_groups,), optional
        As in :class:`GroupLasso`.
    {common}
    groups_ : array of shape (p,)
        The group of each column, from 0.
    """

    positive = False
    tunable = ("alpha", "tau")

    def __init__(
        self,
        groups: Any = None,
        alpha: float = 1.0,
        *,
        tau: float = 1.0,
        group_weights: Any = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.groups = groups
        self.alpha = alpha
        self.tau = tau
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _make_penalty(self, n_features: int, total_weight: float) -> Blockwise:
        alpha, tau = check_real(self.alpha, "alpha"), check_real(self.tau, "tau")
        labels = self._block_labels(n_features)
        return sparse_group_lasso(labels, alpha, alpha * tau, self._block_factors(labels))

    def _tied_penalty(self, n_features: int, total_weight: float) -> Blockwise:
        alpha, tau = check_real(self.alpha, "alpha"), check_real(self.tau, "tau")
        labels = self._block_labels(n_features)
        return tied_sparse_group_lasso(labels, alpha, tau, self._block_factors(labels))

    def _penalty_of(self, names: tuple[str, ...]) -> Callable[[int, float], Blockwise]:
        return self._tied_penalty if names == ("alpha",) else self._make_penalty

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        chosen = tuple(check_name(name, self.tunable, "hyperparameter") for name in names or self.tuned)
        if chosen == ("alpha",):
            return super()._space(chosen, n_features)
        if chosen == ("tau",):
            alpha = float(self.alpha)
            return Space(
                chosen,
                ("log",),
                lambda values: alpha * np.array([1.0, values[0]]),
                lambda values, g: alpha * g[1:],
                lambda values: {"tau": float(values[0])},
            )
        return Space(
            ("alpha", "tau"),
            ("log", "log"),
            lambda values: values[0] * np.array([1.0, values[1]]),
            lambda values, g: np.array([g[0] + values[1] * g[1], values[0] * g[1]]),
            lambda values: {"alpha": float(values[0]), "tau": float(values[1])},
        )

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        if space.names == ("alpha",):
            return super()._lines(space, folds)
        if space.names == ("tau",):
            return []
        return [(np.array([0.0, tau]), np.array([1.0, 0.0])) for tau in np.log([1.0, 0.1, 10.0, 0.01])]

    def _keep(self, problems: Sequence[Any], solutions: Sequence[Solution], data: Data) -> None:
        super()._keep(problems, solutions, data)
        self.groups_ = self._block_labels(len(solutions[0].w))


def _described(common: str, *names: str) -> str:
    """The common parameters without some of them."""
    entries = common.split("\n    ")
    kept, skipping = [], False
    for line in entries:
        if not line.startswith(" "):
            skipping = any(line.startswith(f"{name} :") for name in names)
        if not skipping:
            kept.append(line)
    return "\n    ".join(kept).strip("\n").lstrip()


for _model in (MultiTaskLasso, MultiTaskElasticNet, GroupLasso, SparseGroupLasso):
    _absent = ("positive", "penalty_factors") if issubclass(_model, Grouped) else ("positive",)
    _common = _described(COMMON, *_absent)
    if issubclass(_model, MultiTask):
        _common = _common.replace("coef_ : array of shape (p,)", "coef_ : array of shape (T, p)")
        _common = _common.replace("intercept_ : float", "intercept_ : array of shape (T,)")
    _model.__doc__ = (_model.__doc__ or "").replace("{common}", _common)

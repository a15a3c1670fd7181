"""Approximate leave-one-out cross-validation: one fit, and the influence of each row on its own prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.box_problem import BoxModel, EachLeftOut
from lambdahat.criteria.base import Data, Fold, only_changed
from lambdahat.criteria.by_leverages import fold_by_leverages
from lambdahat.criteria.each_left_out import OfPredictions, each_left_out, has_slopes
from lambdahat.criteria.optimism import Probing, check_observed, observed_problems
from lambdahat.criteria.together import judged_together
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Separable
from lambdahat.problem import Model, Problem

_MOST_ROWS = 5_000  # of a support vector machine: a matrix of 200 MB
_ACCURACY = 1e-8  # of its dual, which says where each row is
_ONE_FIT = 1e-6  # relative gap of the fit to all rows


@dataclass(frozen=True, eq=False, repr=False)
class ALO:
    """Approximate leave-one-out cross-validation, the mean of the metric at the predictions of fits without the row.

    A fit without a row is a Newton step away from the fit with it: with ``H`` the Hessian of the objective on the
    support and the leverages ``h_i = s_i f''_i x_iᵀ H⁻¹ x_i``, the prediction of row i without it is

        z_i + s_i (f'_i x_iᵀ + ∇gᵀ) H⁻¹ x_i / (1 − h_i)

    (the term with ``∇g`` since the loss is a mean over one row less). A row of several targets, or classes, has several
    predictions, on which ``A_i = (x_i ⊗ I)ᵀ H⁻¹ (x_i ⊗ I)`` acts, and ``W_i``, the Hessian of its loss:

        z_i + (I − s_i A_i W_i)⁻¹ s_i (A_i f'_i + (x_i ⊗ I)ᵀ H⁻¹ ∇g).

    Where coefficients have kinks, one by one or in blocks, the second-order model of the fit is solved without each row
    from there, over the support and what is next to it, so that they can come and go: for least squares that is
    leave-one-out itself. Other losses bend: where rows are few, those without which that model is far off are fitted
    anew, by Newton's method. The square-root Lasso is the Lasso at ``ασ``, with σ estimated anew without each row. One
    fit stands for n.

    Where rows depend on each other (:class:`CoxLasso`) a row has no error of its own. The criterion is then how much it
    adds to minus the logarithm of the partial likelihood, at a fit to the others, summed over rows: the cross-validated
    partial likelihood of Verweij and van Houwelingen. (Folds of :class:`CrossValidation` are judged by their own
    partial likelihood instead, which is nothing for one row.)

    Of the :class:`AdaptiveLasso` both fits are without the row, the second with the weights that the first one makes.

    Of :class:`LinearSVC` and :class:`LinearSVR` it is leave-one-out itself, by the squared hinge loss and the squared
    error, with its exact slope: in the dual, the weight of a row goes to zero from one change of the free and the
    bounded rows to the next, and all is linear in between. Nothing is measured; there are at most 5,000 rows.

    Where the model is one problem with one fit, predictions without a row are followed by their own slope, as the one
    formula holds at each of the n fits, on its own support: for least squares it is the slope of leave-one-out itself.
    They are continuous where coefficients come and go, and nothing is measured. Rows and columns must be few for that:
    n times the square of the coefficients that may matter 2·10⁹ at most, and for ridge regression no more than two
    features a row.

    Elsewhere leverages jump where a coefficient comes or goes. A search follows leverages that are scaled to the sum
    that Monte Carlo measures (see :class:`SURE`; the slope leaves out how their shares change). Where a row has several
    predictions or none that is its own, or a model two fits, it follows measured degrees of freedom as if all rows had
    the same leverage: least squares by :class:`GCV`, classes and the partial likelihood by the loss and degrees of
    freedom over rows, whose slopes are exact. Among the points visited the approximation itself decides. Where there
    are kinks and degrees of freedom exceed nine tenths of the observations (events, of a partial likelihood), the
    support changes with every row, and the criterion is not finite.

    Parameters
    ----------
    n_probes : int, default 1
    step : float, optional
    random_state : int, default 0
        As in :class:`SURE`.

    References
    ----------
    Rahnama Rad & Maleki, *A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
    cross-validation*, JRSS B 2020, equation 9. Wang, Zhou, Lu, Maleki & Mirrokni, *Approximate leave-one-out for fast
    parameter tuning in high dimensions*, ICML 2018. Verweij & van Houwelingen, *Cross-validation in survival analysis*,
    Statistics in Medicine 1993. Cauwenberghs & Poggio, *Incremental and decremental support vector machine learning*,
    NIPS 2000.
    """

    n_probes: int = 1
    step: float | None = None
    random_state: Any = 0

    __repr__ = only_changed

    def metric(self, model: Model | BoxModel) -> str:
        return f"leave-one-out {model.datafit.metric}"

    def remark(self, model: Model | BoxModel) -> str:
        return "leverages with a slope led the search, the exact ones decided among the points visited"

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        instead = "criterion='cv', with cv=LeaveOneOut() of scikit-learn to leave out one row at a time"
        if isinstance(model, BoxModel) and model.domain.is_everything:
            return [support_vectors_left_out(model, data, instead)]
        check_observed("ALO", model, data, instead)
        assert isinstance(model, Model)
        problems = observed_problems(model, data)
        if all(map(has_slopes, problems)):
            of_mean = is_of_mean(model, problems[0])
            left_out = [each_left_out(each, intercept=model.fit_intercept, of_mean=of_mean) for each in problems]
            judges = judged_together([OfPredictions(each) for each in left_out], labels=model.datafit.labels)
            return [Fold(tuple(left_out), judges, accuracy=_ONE_FIT)]
        probing = Probing(self.n_probes, self.step, self.random_state)
        return [fold_by_leverages(model, data, probing, problems, instead)]


def is_of_mean(model: Model, problem: Problem) -> bool:
    """Whether the penalty stands beside a mean of losses; that of ridge regression stands beside their sum."""
    if not isinstance(problem.penalty, Separable):
        return True
    total, ones = problem.design.total_weight, np.ones(problem.n_features)
    once, twice = (model.penalty(ones.size, times * total).gradient(ones) for times in (1.0, 2.0))
    return np.array_equal(once, twice)


def support_vectors_left_out(model: BoxModel, data: Data, instead: str) -> Fold:
    """All rows, each judged by the solution without it: nothing has to be measured, and the slope is exact."""
    rows = int(np.count_nonzero(data.sample_weight))
    if rows > _MOST_ROWS:
        raise ValueError(
            f"ALO does not fit support vector machines to {rows} rows: it keeps a matrix of rows by rows, of "
            f"{_MOST_ROWS} at most; use {instead}, or fewer folds"
        )
    problem = model.problems(data.storage, data.y, [data.sample_weight])[0]
    left_out = EachLeftOut.of(problem, *stretches_without_rows(model, data.y, data.sample_weight))
    return Fold((left_out,), OfPredictions(left_out), accuracy=_ACCURACY)


def stretches_without_rows(model: BoxModel, y: Vector, weight: Vector) -> tuple[NDArray[np.intp], Matrix]:
    """Kinds of rows, the classes, and by what the weights of each are multiplied where a row is left out."""
    kinds, out = np.zeros(y.size, dtype=np.intp), np.ones((y.size, 1))
    if model.row_factors is None:
        return kinds, out
    kinds, out = (y > 0.0).astype(np.intp), np.ones((y.size, 2))
    factors = model.row_factors(y, weight)
    _, firsts, alike = np.unique(np.stack([y, weight], axis=1), axis=0, return_index=True, return_inverse=True)
    for group, first in enumerate(firsts):
        others = np.where(np.arange(y.size) == first, 0.0, weight)
        ratios = model.row_factors(y, others) / factors
        for kind in range(2):
            left = (kinds == kind) & (others > 0.0)
            if np.any(left):
                out[alike == group, kind] = ratios[left][0]
    return kinds, out

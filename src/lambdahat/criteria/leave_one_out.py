"""Approximate leave-one-out cross-validation: one fit, and the influence of each row on its own prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lambdahat.box_problem import BoxModel, EachLeftOut
from lambdahat.criteria.at_risk_without_rows import cross_validated_partial_likelihood
from lambdahat.criteria.base import Data, Fold, Solved, Validating, as_solved, only_changed
from lambdahat.criteria.each_left_out import each_left_out, has_slopes
from lambdahat.criteria.each_row_of_two_stages import two_stages_without_rows
from lambdahat.criteria.influences import MOST, Influences
from lambdahat.criteria.information import equal_leverages
from lambdahat.criteria.optimism import (
    Formula,
    Optimism,
    Probing,
    check_observed,
    n_values,
    observed_fold,
    observed_problems,
)
from lambdahat.criteria.together import judged_together
from lambdahat.criteria.without_rows import interpolates, predictions_without_rows
from lambdahat.datafits import Cox, log_probabilities
from lambdahat.design import FACTORISED
from lambdahat.hypergradient import Judge
from lambdahat.linear import Matrix, Vector, by_row
from lambdahat.penalties import Separable
from lambdahat.problem import Model, Problem, RowsLeftOut, Solution
from lambdahat.two_stages import TwoStages, TwoStagesLeftOut

_MOST_ROWS = 5_000  # of a support vector machine: a matrix of 200 MB
_ACCURACY = 1e-8  # of its dual, which says where each row is
_ONE_FIT = 1e-6  # relative gap of the fit to all rows

Loss = Callable[[Vector], tuple[float, Vector]]
"""Of predictions, and its slope."""


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
        fold = observed_fold(model, data, probing, only_freedom, problems=problems)
        first, freedom, K = fold.problems[0], fold.validation, len(fold.fitted)
        assert isinstance(first, Problem)
        if isinstance(first, TwoStages) and first.first.penalty.is_smooth and first.n_features > FACTORISED:
            raise ValueError(
                f"ALO does not fit an adaptive Lasso of {first.n_features} features that begins with ridge regression: "
                f"it needs the inverse of a matrix as large; begin with initial='lasso', or use {instead}"
            )
        assert isinstance(freedom, Optimism)
        n = first.design.total_weight
        lead: Validating
        if first.y.ndim == 1 and not isinstance(first, TwoStages) and not isinstance(model.datafit, Cox):
            each = []
            for k in range(K):
                own_problems = (freedom.problems[k], *freedom.problems[K + k :: K])
                own = replace(freedom, problems=own_problems, measures=freedom.measures[k::K])
                each.append(LeaveOneOut(own, model.fit_intercept))
            lead = OneAgainstRest(each) if K > 1 and model.datafit.labels else Mean(each)
        else:
            formula = equal_leverages(n * n_values(first)) if model.datafit.quadratic else additive(n)
            lead = replace(freedom, formula=formula)
        verdict = LeftOutError(K, model.fit_intercept)
        return [Fold(fold.problems, lead, n_probes=fold.n_probes, verdict=verdict, accuracy=fold.accuracy)]


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


@dataclass(frozen=True, eq=False)
class OfPredictions:
    """Judges predictions of each row by a solution without it, given in place of coefficients."""

    problem: EachLeftOut | RowsLeftOut | TwoStagesLeftOut

    @property
    def y(self) -> Vector:
        return self.problem.y

    @property
    def weights(self) -> Vector:
        return self.problem.design.weights

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        return [self.error]

    def predictions(self, rows: Any, z: Vector, offset: float) -> Vector:
        return z

    def pulled(self, rows: Any, slopes: Vector) -> tuple[Vector, float]:
        return slopes, 0.0

    def error(self, rows: Any, z: Vector, offset: float) -> tuple[float, Vector, float]:
        """The mean of the metric, and its slopes in the predictions."""
        with np.errstate(over="ignore", invalid="ignore"):  # of a row that nothing else holds
            return *own_metric(self.problem, z), 0.0


def own_metric(problem: Any, z: Vector) -> tuple[float, Vector]:
    """The mean of a problem's metric at predictions of its rows, and its slope in these."""
    datafit, s, factor = problem.datafit, problem.design.weights, problem.datafit.metric_factor / n_values(problem)
    return factor * datafit.value(problem.y, z, s), factor * by_row(s, datafit.gradient(problem.y, z))


def only_freedom(n: float) -> Formula:
    """The degrees of freedom."""
    return lambda fit, freedom: (freedom, 0.0, 1.0)


def additive(n: float) -> Formula:
    """The loss and a degree of freedom a row: what leave-one-out is near, to first order, with a likelihood."""
    return lambda fit, freedom: (0.5 * fit + freedom / n, 0.5, 1.0 / n)


@dataclass(frozen=True)
class LeftOutError:
    """The verdict: the error of the predictions of each row without it.

    Attributes
    ----------
    n_problems : int
        Of the model, one a target or a class.
    intercept : bool
    """

    n_problems: int
    intercept: bool

    def __call__(self, problems: Sequence[Any], solutions: Sequence[Solution]) -> float:
        parts, without = problems[: self.n_problems], []
        if isinstance(parts[0].datafit, Cox):
            at = as_solved(parts[0], solutions[0], parts[0].penalty.generalized_support(solutions[0].w))
            return cross_validated_partial_likelihood(parts[0], *at[:2])
        for problem, solution in zip(parts, solutions, strict=False):
            at = as_solved(problem, solution, problem.penalty.generalized_support(solution.w))
            if isinstance(problem, TwoStages):
                z = two_stages_without_rows(problem, solution, intercept=self.intercept)
            else:
                z = predictions_without_rows(problem, *at, intercept=self.intercept)
            if z is None:
                return np.inf
            without.append(z)
        weights, datafit = parts[0].design.weights, parts[0].datafit
        if len(parts) > 1 and datafit.labels:
            of_class = np.stack([problem.y > 0.0 for problem in parts], axis=1)
            return -float(weights @ log_probabilities(np.stack(without, axis=1))[of_class])
        each = [p.datafit.value(p.y, z, p.design.weights) for p, z in zip(parts, without, strict=True)]
        return float(datafit.metric_factor * np.mean(each) / n_values(parts[0]))


@dataclass(frozen=True, eq=False)
class Mean:
    """The mean of criteria of problems that have nothing to do with each other: K of the model, and then K a probe."""

    each: Sequence[Validating]

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        K = len(self.each)
        found = [each.judges(problems[k::K], solved[k::K]) for k, each in enumerate(self.each)]
        own = [judges[0](*solved[k])[0] for k, judges in enumerate(found)]

        def mean(judge: Judge, k: int) -> Judge:
            others = sum(own[:k]) + sum(own[k + 1 :])

            def error(*at: Any) -> tuple[float, Matrix, Any]:
                value, by_w, by_offset = judge(*at)
                return (value + others) / K, by_w / K, by_offset / K

            return error

        return [mean(found[j % K][j // K], j % K) for j in range(len(problems))] if K > 1 else found[0]


@dataclass(frozen=True, eq=False)
class OneAgainstRest:
    """The log-loss of the probabilities that classes make together: see ``criteria/together.py``."""

    each: Sequence[LeaveOneOut]

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        K = len(self.each)
        Z, s = np.zeros((problems[0].y.size, K)), problems[0].design.weights
        of_class = np.stack([problem.y > 0.0 for problem in problems[:K]], axis=1)

        def keep(k: int, z: Vector) -> tuple[float, Vector]:
            Z[:, k] = z
            return 0.0, np.zeros_like(z)

        def together(k: int, z: Vector) -> tuple[float, Vector]:
            all_of_them = Z.copy()
            all_of_them[:, k] = z
            logs = log_probabilities(all_of_them)
            return -float(s @ logs[of_class]), s * (np.exp(logs[:, k]) - of_class[:, k]) * expit(-z)

        for k, each in enumerate(self.each):
            each.judges(problems[k::K], solved[k::K], partial(keep, k))[0](*solved[k])
        found = [each.judges(problems[k::K], solved[k::K], partial(together, k)) for k, each in enumerate(self.each)]
        return [found[j % K][j // K] for j in range(len(problems))]


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Leads to the verdict, by leverages that are scaled to the sum that was measured.

    Attributes
    ----------
    freedom : Optimism
        Whose criterion is the degrees of freedom.
    intercept : bool
    """

    freedom: Optimism
    intercept: bool

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved], loss: Loss | None = None) -> list[Judge]:
        """With another ``loss`` of predictions without each row than the problem's metric, where it is given."""
        problem, freedoms = problems[0], self.freedom.judges(problems, solved)
        found = Influences.at(problem, *solved[0], intercept=self.intercept)
        each, bends = found.each, found.bends
        total = float(each @ bends)
        datafit, y = problem.datafit, problem.y

        def error_at(z: Vector, freedom: float) -> tuple[float, Vector, float]:
            """The criterion, its slope in z and in the degrees of freedom."""
            if interpolates(problem, max(freedom, total)):
                return np.inf, np.zeros_like(z), 0.0
            with np.errstate(over="ignore", invalid="ignore"):  # of a row that nothing else holds
                scale = freedom / total if total > 0.0 else 1.0
                left = 1.0 - np.minimum(scale * each * bends, MOST)
                slopes = datafit.gradient(y, z)
                without = z + scale * each * slopes / left
                value, outer = loss(without) if loss else own_metric(problem, without)
                slope = outer * (1.0 + scale * each * datafit.curvature(y, z) / left)
                by_scale = float(outer @ (each * slopes / left**2))
            if not np.isfinite(value + by_scale + float(np.abs(slope).sum())):
                return np.inf, np.zeros_like(z), 0.0
            return value, slope, by_scale / total if total > 0.0 else 0.0

        at = problem.prediction(*solved[0])

        def of_model(support: Any, w_S: Vector, offset: float) -> tuple[float, Vector, Any]:
            freedom, by_w, by_offset = freedoms[0](support, w_S, offset)
            z = problem.prediction(support, w_S, offset)
            value, slope, by_freedom = error_at(z, freedom)
            slopes = problem.design.gradient_columns(support, slope) + by_freedom * by_w
            return value, slopes, float(slope.sum()) + by_freedom * by_offset

        def of_probe(judge: Judge) -> Judge:
            def error(support: Any, w_S: Vector, offset: float) -> tuple[float, Vector, Any]:
                freedom, by_w, by_offset = judge(support, w_S, offset)
                value, _, by_freedom = error_at(at, freedom)
                return value, by_freedom * by_w, by_freedom * by_offset

            return error

        return [of_model, *(of_probe(judge) for judge in freedoms[1:])]

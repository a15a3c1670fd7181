"""Approximate leave-one-out cross-validation: one fit, and the influence of each row on its own prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lambdahat.box_problem import BoxModel
from lambdahat.criteria.base import Data, Fold, Solved, as_solved, only_changed
from lambdahat.criteria.degrees_of_freedom import has_count
from lambdahat.criteria.influences import MOST, Influences
from lambdahat.criteria.optimism import Optimism, Probing, check_observed, observed_fold
from lambdahat.datafits import RootMeanSquare
from lambdahat.hypergradient import Judge
from lambdahat.linear import Vector
from lambdahat.problem import Model, Problem, Solution

_FOLLOWS = 0.9


@dataclass(frozen=True, eq=False, repr=False)
class ALO:
    """Approximate leave-one-out cross-validation, the mean of the metric at the predictions of fits without the row.

    A fit without a row is a Newton step away from the fit with it: with ``H`` the Hessian of the objective on the
    support and the leverages ``h_i = s_i f''_i x_iᵀ H⁻¹ x_i``, the prediction of row i without it is

        z_i + s_i (f'_i x_iᵀ + ∇gᵀ) H⁻¹ x_i / (1 − h_i)

    (the term with ``∇g`` since the loss is a mean over one row less). Where each coefficient has a kink, the
    least-squares model of the fit is solved without each row from there, over the support and the columns next to it,
    so that they can come and go: for least squares that is leave-one-out itself. The square-root Lasso is the Lasso at
    ``ασ``, with σ estimated anew without each row. One fit stands for n.

    h jumps where a coefficient comes or goes. A search follows leverages that are scaled to the sum that Monte Carlo
    measures (see :class:`SURE`; the slope leaves out how their shares change); among the points visited the
    approximation itself decides. Where coefficients have kinks and degrees of freedom exceed nine tenths of the rows,
    the support changes with every row, and the criterion is not finite.

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
    parameter tuning in high dimensions*, ICML 2018.
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
        check_observed("ALO", model, data, instead)
        assert isinstance(model, Model)
        probing = Probing(self.n_probes, self.step, self.random_state)
        fold = observed_fold(model, data, probing, lambda n: lambda fit, freedom: (freedom, 0.0, 1.0))
        problem = fold.problems[0]
        judged = has_count(problem) or isinstance(model.datafit, RootMeanSquare)
        if len(fold.fitted) > 1 or problem.y.ndim > 1 or not judged:
            raise ValueError(
                "ALO is for one target and a loss whose rows do not depend on each other, solved in one stage: use "
                f"{instead}"
            )
        assert isinstance(fold.validation, Optimism)
        one_out = LeaveOneOut(fold.validation, model.fit_intercept)
        return [Fold(fold.problems, one_out, n_probes=fold.n_probes, verdict=one_out.verdict, accuracy=fold.accuracy)]


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Judges a solution by its predictions without each row.

    Attributes
    ----------
    freedom : Optimism
        Whose criterion is the degrees of freedom.
    intercept : bool
    """

    freedom: Optimism
    intercept: bool

    def verdict(self, problems: Sequence[Any], solutions: Sequence[Solution]) -> float:
        """The approximation."""
        problem, solution = problems[0], solutions[0]
        at = as_solved(problem, solution, problem.penalty.generalized_support(solution.w))
        found, z = Influences.at(problem, *at, intercept=self.intercept), problem.prediction(*at)
        if self._interpolates(problem, float(found.each @ found.bends)):
            return np.inf
        without = found.without(z) if problem.penalty.is_smooth else found.without_by_descent(problem, z)
        datafit = problem.datafit
        return float(datafit.metric_factor * datafit.value(problem.y, without, problem.design.weights))

    @staticmethod
    def _interpolates(problem: Problem, freedom: float) -> bool:
        """Whether the fit follows nearly all of its targets, by a support that changes with every row."""
        return not problem.penalty.is_smooth and freedom > _FOLLOWS * problem.design.rows.size

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        problem, freedoms = problems[0], self.freedom.judges(problems, solved)
        found = Influences.at(problem, *solved[0], intercept=self.intercept)
        each, bends = found.each, found.bends
        total = float(each @ bends)
        datafit, s, y = problem.datafit, problem.design.weights, problem.y

        def error_at(z: Vector, freedom: float) -> tuple[float, Vector, float]:
            """The criterion, its slope in z and in the degrees of freedom."""
            if self._interpolates(problem, max(freedom, total)):
                return np.inf, np.zeros_like(z), 0.0
            with np.errstate(over="ignore", invalid="ignore"):  # of a row that nothing else holds
                scale = freedom / total if total > 0.0 else 1.0
                left = 1.0 - np.minimum(scale * each * bends, MOST)
                slopes = datafit.gradient(y, z)
                without = z + scale * each * slopes / left
                value = datafit.metric_factor * datafit.value(y, without, s)
                outer = datafit.metric_factor * s * datafit.gradient(y, without)
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

"""Approximate leave-one-out without a slope of its own: what leads to it is measured, and it decides between points.

Of problems that are large, of the partial likelihood, and of the square-root Lasso.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from lambdahat.criteria.at_risk_without_rows import cross_validated_partial_likelihood
from lambdahat.criteria.base import Data, Fold, Solved, Validating, as_solved
from lambdahat.criteria.each_left_out import own_metric
from lambdahat.criteria.each_row_of_two_stages import two_stages_without_rows
from lambdahat.criteria.influences import Influences
from lambdahat.criteria.information import equal_leverages
from lambdahat.criteria.newton_steps import MOST
from lambdahat.criteria.optimism import Formula, Optimism, Probing, n_values, observed_fold
from lambdahat.criteria.without_rows import interpolates, predictions_without_rows
from lambdahat.datafits import Cox, log_probabilities
from lambdahat.design import FACTORISED
from lambdahat.hypergradient import Judge
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Model, Problem, Solution
from lambdahat.two_stages import TwoStages

Loss = Callable[[Vector], tuple[float, Vector]]
"""Of predictions, and its slope."""


def fold_by_leverages(model: Model, data: Data, probing: Probing, problems: tuple[Problem, ...], instead: str) -> Fold:
    """All rows, judged by approximate leave-one-out; ``problems`` are from :func:`observed_problems`."""
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
    return Fold(fold.problems, lead, n_probes=fold.n_probes, verdict=verdict, accuracy=fold.accuracy)


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

        def log_loss(k: int, z: Vector) -> tuple[float, Vector]:
            all_of_them = Z.copy()
            all_of_them[:, k] = z
            logs = log_probabilities(all_of_them)
            return -float(s @ logs[of_class]), s * (np.exp(logs[:, k]) - of_class[:, k]) * expit(-z)

        for k, each in enumerate(self.each):
            each.judges(problems[k::K], solved[k::K], partial(keep, k))[0](*solved[k])
        found = [each.judges(problems[k::K], solved[k::K], partial(log_loss, k)) for k, each in enumerate(self.each)]
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

"""What criteria share that judge a model by the rows it was fitted to: their loss, and how far the fit followed them.

How far it followed them, the degrees of freedom, is a count for the Lasso, and jumps: it has no slope. Measured by a
second fit it has one (finite-difference Monte Carlo: Ramani, Blu & Unser, IEEE Transactions on Image Processing 2008;
Deledalle, Vaiter, Fadili & Peyré, *Stein Unbiased GrAdient estimator of the Risk*, SIAM Journal on Imaging Sciences
2014, Section 4):

    tr ∂ẑ/∂y ≈ ⟨δ, ẑ(y + εδ) − ẑ(y)⟩ / ε

with a fixed random δ of mean zero. Both fits move with the hyperparameters, by the one formula. A search follows this
smooth criterion; the exact one, where there is one, decides among the points that it has visited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lambdahat._validation import check_count, check_real
from lambdahat.box_problem import BoxModel
from lambdahat.criteria.base import Data, Fold, Solved, Units, Validation, as_solved, by_normal_equations
from lambdahat.criteria.degrees_of_freedom import degrees_of_freedom, has_count
from lambdahat.datafits import Datafit
from lambdahat.design import shared_moments
from lambdahat.hypergradient import Judge
from lambdahat.linear import Matrix, Vector, by_row
from lambdahat.problem import Model, Problem, Solution

Formula = Callable[[float, float], tuple[float, float, float]]
"""Of the mean loss (twice the datafit's, so that it is a deviance) and the degrees of freedom: a criterion, and its
derivatives in both."""

# Two fits are told apart by differences of about ε: an error of n predictions, each of the root of the gap, has to be
# small beside what a handful of degrees of freedom do. Where fits cost little they are solved well in any case.
_ACCURACY, _LOOSEST, _HANDFUL = 1e-8, 1e-5, 2.0

# Where X stores no more values than this, for all targets, so many probes are taken: few where they only lead.
_SMALL, _PROBES, _FEW_PROBES = 3_000_000, 10, 2

REMARK = "measured degrees of freedom led the search, the exact ones decided among the points visited"


@dataclass(frozen=True)
class Probing:
    """How degrees of freedom are measured.

    Attributes
    ----------
    n_probes : int, optional
        Fits beside the model's own, over which the measure is a mean; by default one, and where fits cost little two,
        or ten if no count decides.
    step : float, optional
        ε in units of the noise; by default ``2/n^0.3``, Deledalle et al.'s.
    random_state : int
        Of δ, whose entries are ±1 (of all with independent entries, they have the least variance).
    """

    n_probes: int | None = None
    step: float | None = None
    random_state: Any = 0

    def __post_init__(self) -> None:
        if self.n_probes is not None:
            check_count(self.n_probes, "n_probes")
        if self.step is not None:
            check_real(self.step, "step", open_low=True)


def n_values(problem: Problem) -> int:
    """How many observations a row is: one for each target of least squares."""
    return math.prod(problem.y.shape[1:]) if problem.datafit.quadratic else 1


@dataclass(frozen=True, eq=False)
class Optimism:
    """Judges solutions by a formula of their loss on their own rows, and of their degrees of freedom.

    Attributes
    ----------
    problems : tuple of Problem
        K of the model, one a target; then K for each probe.
    measures : tuple of arrays shaped as the targets
        For each of the latter, what its responses are multiplied with.
    loss : Datafit
    formula : callable
    """

    problems: tuple[Problem, ...]
    measures: tuple[Matrix, ...]
    loss: Datafit
    formula: Formula

    @property
    def n_targets(self) -> int:
        return len(self.problems) - len(self.measures)

    def fit(self, k: int, at: Solved) -> tuple[float, Matrix, Any]:
        """The mean loss of a target, and its slopes in the coefficients and the offset."""
        problem, factor = self.problems[k], 2.0 / self.loss.metric_factor
        value, by_w, by_offset = Validation(problem.design, problem.y, problem.normal, self.loss).error(*at)
        return factor * value, factor * by_w, factor * by_offset

    @cached_property
    def _pulls(self) -> list[Matrix] | None:
        """``X̃ᵀm`` of all measures, where predictions themselves answer: then no row is needed any more."""
        if not self.problems[0].datafit.answers_by_prediction:
            return None
        return [self.problems[0].design.gradient(measure) for measure in self.measures]

    def _answer(self, probe: int, k: int, at: Solved) -> float:
        """``⟨m, response⟩`` of a problem's solution."""
        problem, (support, w_S, offset), measure = self.problems[k], at, self.measures[probe]
        if self._pulls is not None:
            shift = np.sum(measure.sum(axis=0) * (offset + problem.y_mean))
            return float(np.vdot(self._pulls[probe][support], w_S) + shift)
        z = problem.prediction(*at) + problem.y_mean
        return float(np.vdot(measure, problem.datafit.response(z)))

    def _answer_slopes(self, probe: int, k: int, at: Solved) -> tuple[Matrix, Any]:
        problem, (support, _, _), measure = self.problems[k], at, self.measures[probe]
        if self._pulls is not None:
            return self._pulls[probe][support], measure.sum(axis=0)
        slope = problem.datafit.response_vjp(problem.prediction(*at) + problem.y_mean, measure)
        return problem.design.gradient_columns(support, slope), slope.sum(axis=0)

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        K = self.n_targets
        fits = [self.fit(k, solved[k])[0] for k in range(K)]
        before = [self._answer(probe, probe % K, solved[probe % K]) for probe in range(len(self.measures))]
        after = [self._answer(probe, K + probe, solved[K + probe]) for probe in range(len(self.measures))]
        fit, freedom = sum(fits) / K, sum(after) - sum(before)

        def of_model(k: int) -> Judge:
            probes = range(k, len(before), K)

            def error(support: Any, w_S: Matrix, offset: Any) -> tuple[float, Matrix, Any]:
                at = support, w_S, offset
                own, by_w, by_offset = self.fit(k, at)
                freedom_here = freedom - sum(self._answer(probe, k, at) - before[probe] for probe in probes)
                value, by_fit, by_freedom = self.formula(fit + (own - fits[k]) / K, freedom_here)
                by_w, by_offset = by_fit / K * by_w, by_fit / K * by_offset
                for probe in probes:
                    answer_w, answer_offset = self._answer_slopes(probe, k, at)
                    by_w, by_offset = by_w - by_freedom * answer_w, by_offset - by_freedom * answer_offset
                return value, by_w, by_offset

            return error

        def of_probe(probe: int) -> Judge:
            def error(support: Any, w_S: Matrix, offset: Any) -> tuple[float, Matrix, Any]:
                at = support, w_S, offset
                value, _, by_freedom = self.formula(fit, freedom + self._answer(probe, K + probe, at) - after[probe])
                by_w, by_offset = self._answer_slopes(probe, K + probe, at)
                return value, by_freedom * by_w, by_freedom * by_offset

            return error

        return [of_model(k) for k in range(K)] + [of_probe(probe) for probe in range(len(before))]


@dataclass(frozen=True, eq=False)
class ExactFreedom:
    """The criterion by the exact degrees of freedom: a verdict.

    Attributes
    ----------
    optimism : Optimism
    intercept : bool
    noise : array of shape (T, T), optional
        A covariance of the targets, see :func:`degrees_of_freedom`.
    """

    optimism: Optimism
    intercept: bool
    noise: Matrix | None = None

    def __call__(self, problems: Sequence[Any], solutions: Sequence[Solution]) -> float:
        K = self.optimism.n_targets
        fit = freedom = 0.0
        for k, (problem, solution) in enumerate(zip(problems[:K], solutions[:K], strict=True)):
            fit += self.optimism.fit(k, as_solved(problem, solution))[0] / K
            at = as_solved(problem, solution, problem.penalty.generalized_support(solution.w))
            freedom += degrees_of_freedom(problem, *at, intercept=self.intercept, noise=self.noise)
        return self.optimism.formula(fit, freedom)[0]


def check_observed(name: str, model: Model | BoxModel, data: Data, instead: str) -> None:
    """Refuse models whose fit to their own rows such a criterion cannot judge."""
    if isinstance(model, BoxModel) or not model.datafit.movable:
        raise ValueError(
            f"{name} does not fit this model: targets of its loss cannot be moved, and so its degrees of freedom not "
            f"be measured; use {instead}"
        )
    if model.row_factors is not None:
        raise ValueError(
            f"{name} does not fit a model with class_weight, whose loss is not that of the rows as they were observed: "
            f"leave class_weight out, or use {instead}"
        )


def observed_fold(
    model: Model, data: Data, probing: Probing, formula: Callable[[float], Formula], *, loss: Datafit | None = None,
    root: Matrix | None = None, exact: bool = True, units: Callable[[float], Units] = lambda n: Units(),
    problems: tuple[Problem, ...] | None = None,
) -> Fold:  # fmt: skip
    """All rows, judged by themselves.

    Parameters
    ----------
    model : Model
    data : Data
    probing : Probing
    formula : callable
        Of the number of observations (the sum of the weights, times the targets).
    loss : Datafit, optional
        What the fit is measured by; the model's own by default.
    root : array of shape (T, T), optional
        ``Σ = L Lᵀ`` of the noise of the targets: then the degrees of freedom that the formula takes are
        ``tr (∂ẑ/∂y)(I ⊗ Σ)``.
    exact : bool, default True
        Whether the exact degrees of freedom decide.
    units : callable
        Of the number of observations.
    problems : tuple of Problem, optional
        From :func:`observed_problems`, where these have been made.
    """
    problems = problems or observed_problems(model, data)
    first = problems[0]
    n = first.design.total_weight * n_values(first) * len(problems)
    random = np.random.default_rng(probing.random_state)
    step = 2.0 / n**0.3 if probing.step is None else float(probing.step)
    probes, measures = [], []
    roots = np.sqrt(data.sample_weight)
    small = data.storage.n_stored * n_values(first) * len(problems) <= _SMALL
    exact = exact and has_count(first)
    n_probes = probing.n_probes or ((_FEW_PROBES if exact else _PROBES) if small else 1)
    accuracy = _ACCURACY if small else float(np.clip((_HANDFUL * step) ** 2 / n, _ACCURACY, _LOOSEST))
    for _ in range(n_probes):
        for problem in problems:
            probe, measure = _probed(model, problem, random, roots, step, root)
            probes.append(probe)
            measures.append(measure / n_probes)
    optimism = Optimism((*problems, *probes), tuple(measures), loss or first.datafit, formula(n))
    noise = None if root is None else root @ root.T
    verdict = ExactFreedom(optimism, model.fit_intercept, noise) if exact else None
    return Fold(optimism.problems, optimism, n_probes=len(probes), verdict=verdict, units=units(n), accuracy=accuracy)


def observed_problems(model: Model, data: Data) -> tuple[Problem, ...]:
    """Those of all rows, by normal equations where X has few columns."""
    if by_normal_equations(model, data):
        center = model.fit_intercept or model.standardize
        rows = data.sample_weight > 0.0
        moments = shared_moments(data.storage, data.y, data.sample_weight, [rows], center=center)
        if moments is not None:
            data.moments.append(moments[0])
            return (model.problem_from_moments(data.storage, data.y, data.sample_weight, moments[0]),)
    return model.several(data.storage, data.y, [data.sample_weight])[0]


def _probed(
    model: Model, problem: Problem, random: np.random.Generator, roots: Vector, step: float, root: Matrix | None
) -> tuple[Problem, Matrix]:
    """The problem with its targets moved, and what responses to that are multiplied with.

    A row of weight w has noise of ``1/√w`` times the size.
    """
    y, datafit = problem.y + problem.y_mean, problem.datafit
    signs = random.choice((-1.0, 1.0), size=y.shape)
    inverse = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0.0)
    if root is None:
        size = step * (datafit.spread(y, problem.design.weights) or 1.0)
        move, measure = by_row(inverse, size * signs), by_row(roots, signs / size)
    else:
        noise = signs * float(root[0, 0]) if y.ndim == 1 else signs @ root.T
        move, measure = by_row(inverse, step * noise), by_row(roots, noise / step)
    moved = datafit.perturbed(y, move)
    design, normal = problem.design, problem.normal
    probe = replace(model, datafit=moved.datafit).problem(design, moved.y)
    if normal is not None:
        q = design.weights * probe.y
        probe = replace(probe, normal=replace(normal, c=design.gradient(q), yy=float(q @ probe.y)))
    return probe, measure / moved.share

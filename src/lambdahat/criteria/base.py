"""What a criterion is: a way to turn data into inner problems, each with rows to judge its solution by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_targets, encode_labels
from lambdahat.box_problem import BoxModel, BoxProblem
from lambdahat.datafits import Datafit, Quadratic
from lambdahat.design import Columns, Design, Moments, NormalEquations, has_few_columns
from lambdahat.hypergradient import Judge
from lambdahat.linear import Matrix, Vector, by_row
from lambdahat.problem import Model, Problem, RowsLeftOut, Solution
from lambdahat.two_stages import TwoStagesLeftOut

Solved = tuple[Columns, Matrix, float]
"""Support, coefficients there, and offset of a solution."""


def as_solved(problem: Any, solution: Solution, support: Columns | None = None) -> Solved:
    """A solution as judges take it, on its own support or another one."""
    support = solution.support if support is None else support
    return support, solution.w[support], problem.offset(solution)


def as_judged(problem: Any, solution: Solution) -> Solved:
    """What a judge of a solution is given: of rows that are left out, the predictions of these."""
    if not isinstance(problem, RowsLeftOut | TwoStagesLeftOut):
        return as_solved(problem, solution)
    found = problem.without_rows(problem, solution)
    z = np.full(problem.y.shape, np.nan) if found is None else found[0]
    return np.arange(len(z), dtype=np.int32), z, 0.0


@dataclass(frozen=True, eq=False)
class Data:
    """Validated training data."""

    storage: Any  # a Storage, or a RowStorage where the model reads rows
    y: Matrix
    sample_weight: Vector
    X: Any  # as validated, for splitters
    groups: Any = None
    columns: list[str] | None = None  # names, where X is a frame
    classes: NDArray[Any] | None = None  # the labels that y has as −1 and +1, or as their numbers if more than two
    given: Any = None  # y as it was handed over
    seen: Callable[[Any], Any] | None = None  # linear predictions to an estimator that answers with them, for scorers
    moments: list[Moments] = field(default_factory=list)  # of all rows, left here by a pass over X for a later fit

    def target(self, y: Any, n: int, name: str, X_name: str, *, read: Callable[..., Vector]) -> Matrix:
        """Other rows' targets, validated, as ``y`` has these; ``read`` is that of the datafit."""
        if self.y.ndim == 2:
            return check_targets(y, n, name, X_name, self.y.shape[1])
        if self.classes is None:
            return read(y, n, name, X_name)
        return encode_labels(y, self.classes, n, name, X_name)


@dataclass(frozen=True, eq=False)
class Validation:
    """Rows that judge a solution by the metric of its datafit, centred as the training rows were.

    Attributes
    ----------
    design : Design
        The rows, with weights of sum 1, seen with the means of the training rows.
    y : array of shape (n,), or (n, T) for T targets
        The target; with least squares, minus the mean of the training targets.
    normal : NormalEquations, optional
        The same rows by their normal equations.
    datafit : Datafit
    """

    design: Design
    y: Matrix
    normal: NormalEquations | None = None
    datafit: Datafit = field(default_factory=Quadratic)

    @property
    def parts(self) -> tuple[Validation, ...]:
        """One for each problem of a fold: here there is one."""
        return (self,)

    @property
    def weights(self) -> Vector:
        return self.design.weights

    def predictions(self, support: NDArray[np.int32], w_S: Matrix, offset: Any = 0.0) -> Matrix:
        """Of all rows, before any link."""
        return np.asarray(self.design.product(support, w_S) + offset)

    def pulled(self, support: NDArray[np.int32], slopes: Matrix) -> tuple[Matrix, Any]:
        """Slopes in predictions as those in ``w`` on the support, and in the offset."""
        return self.design.gradient_columns(support, slopes), slopes.sum(axis=0)

    def error(self, support: NDArray[np.int32], w_S: Matrix, offset: Any = 0.0) -> tuple[float, Matrix, Any]:
        """The weighted mean of the metric, its gradient with respect to ``w`` on the support, and to the offset."""
        if self.normal is not None:
            value = self.normal.squared_error(support, w_S)
            if value is not None:
                return value, self.normal.squared_error_slope(support, w_S), 0.0
        z, weights = self.predictions(support, w_S, offset), self.weights
        n_targets = math.prod(self.y.shape[1:]) if self.datafit.quadratic else 1  # the error is their mean
        factor = self.datafit.metric_factor / n_targets
        slope = by_row(factor * weights, self.datafit.gradient(self.y, z))
        value = factor * self.datafit.value(self.y, z, weights)
        return value, *self.pulled(support, slope)

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        """A solution on its own is judged by its error."""
        return [self.error]


class Validating(Protocol):
    """What judges the solutions of a fold's problems."""

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        """For each problem, the criterion as a function of its solution, those of the others being as given."""


@dataclass(frozen=True)
class Units:
    """A criterion as users know it, ``factor·v + shift`` or ``factor·log v + shift``, from what is minimised.

    That, ``v``, is like an error: positive, and what relative tolerances are relative to.
    """

    factor: float = 1.0
    shift: float = 0.0
    logarithmic: bool = False

    def shown(self, value: float) -> float:
        if self.logarithmic:
            value = math.log(value) if value > 0.0 else -math.inf
        return self.factor * value + self.shift

    def slope(self, value: float) -> float:
        """The derivative of :meth:`shown`."""
        return self.factor / value if self.logarithmic else self.factor


def only_changed(criterion: Any) -> str:
    """What a criterion is, as one writes it: settings that are as always are left out."""
    changed = [
        f"{setting.name}={value!r}"
        for setting in fields(criterion)
        if (value := getattr(criterion, setting.name)) is not setting.default
    ]
    return f"{type(criterion).__name__}({', '.join(changed)})"


Verdict = Callable[[Sequence[Any], Sequence[Solution]], float]
"""Problems of a fold and their solutions to what decides between evaluations in the end."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Inner problems, what judges their solutions together, and a weight in the average.

    Mostly it is one problem; several are those of the targets, or of the classes, over the same rows.

    Attributes
    ----------
    problems : tuple of Problem or BoxProblem
    validation : Validating
    weight : float
    n_probes : int
        How many of the problems, the last ones, are only there to judge the others.
    verdict : callable, optional
        Where what decides has no slope to follow (a count, a rate of errors): a search goes by the validation, and
        takes the best of the points visited by this.
    units : Units
    accuracy : float
        The loosest relative duality gap at which the validation can be believed.
    """

    problems: tuple[Problem | BoxProblem, ...]
    validation: Validating
    weight: float = 1.0
    n_probes: int = 0
    verdict: Verdict | None = None
    units: Units = field(default_factory=Units)
    accuracy: float = math.inf

    @property
    def fitted(self) -> tuple[Problem | BoxProblem, ...]:
        """The problems whose solutions are the model."""
        return self.problems[: len(self.problems) - self.n_probes]

    @property
    def problem(self) -> Any:
        """The only one: a Problem or a BoxProblem."""
        (problem,) = self.problems
        return problem

    def judges(self, problems: Sequence[Problem | BoxProblem], solutions: Sequence[Solution]) -> list[Judge]:
        """A judge for each problem, at these solutions of the others."""
        return self.validation.judges(problems, [as_judged(*each) for each in zip(problems, solutions, strict=True)])


@runtime_checkable
class Criterion(Protocol):
    """Turns data into inner problems; the criterion is the weighted mean of their validation errors."""

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        """The inner problems. Weights need not sum to one."""


def described(criterion: Criterion, model: Model | BoxModel, folds: Sequence[Fold]) -> tuple[str, str]:
    """What users call a criterion, and how a search went by it where another one decided.

    A criterion that is no mean of the loss's own metric has ``metric(model)``, and ``remark(model)`` where a verdict is
    to be explained.
    """
    named: Any = criterion
    metric = named.metric(model) if hasattr(named, "metric") else model.datafit.metric
    decided = any(fold.verdict is not None for fold in folds)
    return metric, named.remark(model) if decided and hasattr(named, "remark") else ""


def by_normal_equations(model: Model, data: Data) -> bool:
    """Whether problems are solved by their normal equations: where X has few columns, and is read once then."""
    single = model.datafit.quadratic and data.y.ndim == 1
    return single and has_few_columns(data.storage) and model.penalty(data.storage.shape[1], 1.0).labels is None


def check_trainable(folds: list[Fold], classes: NDArray[Any] | None = None) -> None:
    """Refuse folds that cannot tell one hyperparameter from another; ``classes`` are named where one is missing."""
    if not folds[0].problems[0].penalty.is_tunable:
        raise ValueError("every feature is unpenalised or excluded: there is nothing to tune, change the factors")
    for k, fold in enumerate(folds):
        for t, problem in enumerate(fold.fitted):
            n_rows = problem.design.rows.size
            where = f"the {n_rows} training rows of fold {k}" if len(folds) > 1 else f"all {n_rows} training rows"
            several = len(fold.fitted) > 1
            label = f" of class {classes.tolist()[t]!r}" if several and classes is not None else ""
            _check_learnable(problem, where, label, f"column {t} of y" if several else "y", classes)


def _check_learnable(
    problem: Problem | BoxProblem, where: str, label: str, target: str, classes: NDArray[Any] | None
) -> None:
    """Refuse training rows that have nothing to teach."""
    y = problem.y[problem.design.rows]
    problem.datafit.check(y, f"{target}, in {where},")
    constant = not np.ptp(y, axis=0).any()
    if y.ndim == 2 and not problem.datafit.quadratic and (absent := np.flatnonzero(~y.any(axis=0))).size:
        label = "" if classes is None else f" {classes.tolist()[absent[0]]!r}"
        raise ValueError(
            f"{where} hold no row of class{label}: nothing can be learnt of it there, use folds that keep the shares "
            "of the classes (scikit-learn's StratifiedKFold), fewer folds, or leave rare classes out"
        )
    if problem.datafit.labels and constant:
        what = f"hold {'no row' if y[0] < 0.0 else 'only rows'}{label}" if label else "hold one class only"
        raise ValueError(
            f"{where} {what}: a model between two cannot be fitted there, use folds that keep the "
            "shares of the classes (scikit-learn's StratifiedKFold), or fewer folds"
        )
    if isinstance(problem, BoxProblem):
        return
    learnt = not problem.has_offset and not np.any(problem.y_mean) and np.any(y[0])
    if constant and not learnt:
        raise ValueError(
            f"{target} is constant in {where}: nothing can be learnt there, use other folds (for example shuffled "
            "ones) or another target"
        )
    if is_constant(problem):
        raise ValueError(
            f"every column of X is constant in {where}: nothing can be learnt there, use other folds (for example "
            "shuffled ones) or other features"
        )


def is_constant(problem: Problem) -> bool:
    """Whether no column varies; looks at ever more columns until one does, mostly the first."""
    p, start, size = problem.n_features, 0, 1
    while start < p:
        columns = np.arange(start, min(start + size, p), dtype=np.int32)
        means = problem.design.means[columns]
        if np.any(problem.design.variances(columns) > 1e-28 * means * means):
            return False
        start, size = start + size, 4 * size
    return True

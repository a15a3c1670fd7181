"""`Problem`, one inner problem, and `Solution`, what a solver returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.coupled import CoupledModel
from lambdahat.datafits import Datafit, Quadratic
from lambdahat.design import Design, Moments, NormalEquations, Storage
from lambdahat.linear import Matrix, Vector, by_row, rows_used
from lambdahat.penalties import Penalty


@dataclass(frozen=True, eq=False)
class Problem:
    """``min_{w, b} F(X̃w + b) + g(w; θ)`` over centred columns.

    With least squares centring implies the intercept, and ``b`` is zero. With another loss ``b``, the *offset*, is a
    coefficient of its own, unless there is no intercept.

    Attributes
    ----------
    design : Design
        The rows with their weights.
    y : array of shape (n,), or (n, T) for T targets
        The target; with least squares and an intercept, minus its weighted mean.
    y_mean : float, or array of shape (T,)
        That mean, or zero.
    penalty : Penalty
        In the units of X (already rescaled when columns are standardised).
    datafit : Datafit
        The loss.
    normal : NormalEquations, optional
        Where given, the problem is solved from these and X is not touched.
    has_offset : bool
        Whether ``b`` is free.
    scale : float
        For a local model, its objective over that of its problem.
    """

    design: Design
    y: Matrix
    y_mean: Any
    penalty: Penalty
    datafit: Datafit = field(default_factory=Quadratic)
    normal: NormalEquations | None = None
    has_offset: bool = False
    scale: float = 1.0

    def with_hyperparams(self, theta: Vector) -> Problem:
        return replace(self, penalty=self.penalty.with_hyperparams(theta))

    @property
    def n_features(self) -> int:
        return self.design.shape[1]

    @cached_property
    def null_value(self) -> float:
        """The objective at ``w = 0`` (``½‖y‖²_s`` for least squares): the unit of the relative duality gap."""
        if self.normal is not None:
            return 0.5 * self.normal.yy
        return self.datafit.value(self.y, self.null_prediction, self.design.weights)

    @cached_property
    def null_prediction(self) -> Matrix:
        """The best prediction where ``w = 0``."""
        return np.full(self.y.shape, self.datafit.constant(self.y, self.design.weights) if self.has_offset else 0.0)

    @cached_property
    def slope_unit(self) -> float:
        """The size of slopes ``f'``, to which their rounding errors are relative (``‖y‖_s`` for least squares)."""
        unit = float(np.sqrt(2.0 * self.null_value))
        if self.datafit.quadratic:
            return unit
        y, z = self.y, self.null_prediction
        size = np.abs(self.datafit.gradient(y, z)) + self.datafit.curvature(y, z) * np.abs(z)
        return max(unit, float(np.max(self.design.weights @ size)))

    def zeros(self) -> Matrix:
        """Coefficients that are all zero: a row for each column where there are several targets."""
        return np.zeros((self.n_features, *self.y.shape[1:]))

    def prediction(self, support: NDArray[np.int32], w_S: Matrix, offset: float = 0.0) -> Matrix:
        """``z = X̃_S w_S + b``."""
        return self.design.product(support, w_S) + offset

    def residual(self, z: Matrix) -> Matrix:
        """``q = −s∘f'(y, z)``, the weighted residual."""
        return by_row(-self.design.weights, self.datafit.gradient(self.y, z))

    def intercept(self, w: Matrix, offset: float = 0.0) -> Any:
        """The intercept for columns that are not centred, one a target."""
        used = rows_used(w)
        return self.y_mean + offset - self.design.means[used] @ w[used]

    def offset(self, solution: Solution) -> float:
        """``b`` of a solution."""
        return solution.intercept - self.intercept(solution.w) if self.has_offset else 0.0

    def local(
        self,
        z: Vector,
        columns: NDArray[np.int32] | None = None,
        *,
        slopes: Vector | None = None,
        floor: float = 0.0,
        secant: float = 0.0,
    ) -> Problem:
        """The problem with the loss's second-order model at predictions ``z``: least squares, as a problem of its own.

        It has the weights ``s∘f''``, divided by their sum, as everything else in it; means (through which the offset is
        eliminated) are those of ``columns`` only, when given. A least-squares problem is its own model.

        Parameters
        ----------
        z : array of shape (n,)
            With an offset at its best, so that the residuals sum to zero.
        columns : array of column numbers, optional
        slopes : array of shape (n,), optional
            ``f'(y, z)``, where it is known.
        floor : float, default 0
            Bound of the curvatures from below, as a share of their mean.
        secant : float, default 0
            Bound of the curvatures from below, as a share of those of the secants (see :class:`Datafit`).
        """
        if self.datafit.quadratic:
            return self
        s, f2 = self.design.weights, self.datafit.curvature(self.y, z)
        if floor > 0.0:
            f2 = np.maximum(f2, floor * float(s @ f2))
        if secant > 0.0:
            f2 = np.maximum(f2, secant * self.datafit.secant(self.y, z))
        total = float(s @ f2) or 1.0
        weights = s * f2
        weights /= total
        slopes = self.datafit.gradient(self.y, z) if slopes is None else slopes
        design = self.design.reweighted(weights, columns, center=self.has_offset)
        with np.errstate(over="ignore"):
            response = np.divide(slopes, f2, out=np.zeros_like(z), where=weights > 0.0)
        np.subtract(z, response, out=response)
        if self.has_offset:
            response = response - float(weights @ z)
        return Problem(design, response, 0.0, self.penalty.scaled(1.0 / total), scale=1.0 / total)

    def local_on(self, support: NDArray[np.int32], w_S: Matrix, offset: Any) -> Problem | CoupledModel:
        """The local model at coefficients, for the columns of their support; no pass over X with least squares."""
        if self.datafit.quadratic:
            return self
        z = self.prediction(support, w_S, offset)
        return self.coupled(z) or self.local(z, support)

    def coupled(self, z: Matrix) -> CoupledModel | None:
        """The second-order model at predictions z of a loss whose rows depend on each other; None for other losses."""
        s = self.design.weights
        hessian = self.datafit.hessian(self.y, z, s)
        if hessian is None:
            return None
        diagonal = by_row(s, self.datafit.curvature(self.y, z))
        return CoupledModel(self.design, self.penalty, hessian, diagonal, self.has_offset)

    def offset_step(self, support: NDArray[np.int32], step: Matrix, means: Vector) -> Any:
        """By how much the best offset of the problem with these ``means``, whose model this is, follows ``step``."""
        return (means - self.design.means)[support] @ step

    def offset_vjp(self, support: NDArray[np.int32], slope: Any, means: Vector) -> Matrix:
        """The transpose of :meth:`offset_step`."""
        return np.asarray(slope * (means - self.design.means)[support])

    def solve_support(
        self, support: NDArray[np.int32], w_S: Matrix, b: Matrix, *, atol: float, guess: Matrix | None = None,
        damping: float = 0.0,
    ) -> Matrix:  # fmt: skip
        """Solve ``(∇²F_SS + ∇²g_SS) v = b`` on the support of some coefficients; minimum norm when singular.

        ``damping`` adds that share of the diagonal of ``∇²F_SS``, where the penalty is not curved more than that.
        """
        curvature = self.penalty.restricted(support).curvature(w_S)
        if damping > 0.0:
            variances = self.design.variances(support) if self.normal is None else self.normal.G.diagonal()[support]
            if curvature.U is not None or np.any(curvature.diagonal < damping * variances):
                curvature = curvature.plus(damping * variances)
        if self.normal is not None:
            return self.normal.solve_support(support, curvature, b)
        return self.design.solve_support(support, curvature, b, atol=atol, guess=guess)

    def correlation_after(self, support: NDArray[np.int32], w_S: Matrix, offset: float = 0.0) -> Matrix:
        """``X̃ᵀq`` at coefficients, minus the gradient of the loss."""
        if self.normal is not None:
            return self.normal.c - self.normal.G[:, support] @ w_S
        return self.design.gradient(self.residual(self.prediction(support, w_S, offset)))

    def correlation_on(self, support: NDArray[np.int32], w_S: Matrix, offset: float = 0.0) -> Matrix:
        """The same on the support alone, without a look at the other columns."""
        if self.normal is not None:
            return self.correlation_after(support, w_S)[support]
        return self.design.gradient_columns(support, self.residual(self.prediction(support, w_S, offset)))

    def correlation(self) -> Matrix:
        """``X̃ᵀq`` at ``w = 0``, minus the gradient of the loss."""
        if self.normal is not None:
            return self.normal.c
        return self.design.gradient(self.residual(self.null_prediction))


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients and how they were reached.

    Attributes
    ----------
    w : array of shape (p,), or (p, T) for T targets
        In the units of X.
    intercept : float, or array of shape (T,)
    gap : float
        Duality gap over the objective at ``w = 0``.
    n_iter : int
        Rounds of the solver: each looks at all columns once.
    converged : bool
    message : str
        A sentence.
    workspace : object
        What the solver can use again from here (a Gram matrix of the working set); it holds no result.
    gradient : array of shape (p,), optional
        ``X̃ᵀSr`` at ``w``, where the solver knows it: a warm start from here needs no pass over X for it.
    """

    w: Matrix
    intercept: Any
    gap: float
    n_iter: int
    converged: bool
    message: str
    workspace: Any = None
    gradient: Matrix | None = None

    @cached_property
    def support(self) -> NDArray[np.int32]:
        """Column numbers of the non-zero coefficients."""
        return rows_used(self.w)


WithoutRows = Callable[[Any, Solution], tuple[Matrix, Callable[[Matrix], Vector]] | None]
"""Predictions of each row by a solution without it, and from slopes in these to slopes in θ; or None."""


@dataclass(frozen=True, eq=False)
class RowsLeftOut(Problem):
    """The same problem, judged by predictions of each row by the solution without it."""

    without_rows: WithoutRows = field(kw_only=True)

    @classmethod
    def of(cls, problem: Problem, without_rows: WithoutRows) -> RowsLeftOut:
        return cls(**{each.name: getattr(problem, each.name) for each in fields(problem)}, without_rows=without_rows)


@dataclass(frozen=True)
class Model:
    """What makes inner problems out of data: everything but the data.

    ``penalty(n_features, total_weight)`` is in the units of the (standardised) columns. ``targets(y)`` are those of the
    problems that ``y`` makes: one, or one for each of its columns or classes. ``row_factors(y, sample_weight)`` weigh
    training rows, and these only, beside their sample weights: shape (n,), or a row for each target.
    """

    penalty: Callable[[int, float], Penalty]
    fit_intercept: bool = True
    standardize: bool = False
    datafit: Datafit = field(default_factory=Quadratic)
    row_factors: Callable[[Vector, Vector], Vector] | None = None
    targets: Callable[[Vector], Sequence[Vector]] = lambda y: (y,)

    def problems(self, storage: Storage, y: Vector, sample_weights: list[Vector]) -> list[Problem]:
        """One problem per weighting of the same rows, for a ``y`` that makes one."""
        return [problem for (problem,) in self.several(storage, y, sample_weights)]

    def several(self, storage: Storage, y: Vector, sample_weights: list[Vector]) -> list[tuple[Problem, ...]]:
        """The problems of all targets per weighting; they share a design where they weigh rows the same."""
        targets, rows = self.targets(y), sample_weights
        if self.row_factors is not None:
            rows = [row for weight in rows for row in np.atleast_2d(weight * self.row_factors(y, weight))]
        designs = Design.create_many(storage, rows, center=self.fit_intercept, standardize=self.standardize)
        each = len(rows) // len(sample_weights)  # designs a weighting
        return [
            tuple(self.problem(designs[k * each + min(t, each - 1)], target) for t, target in enumerate(targets))
            for k in range(len(sample_weights))
        ]

    def problem(self, design: Design, y: Vector, normal: NormalEquations | None = None) -> Problem:
        implied = self.fit_intercept and self.datafit.quadratic
        y_mean = design.weights @ y if implied else 0.0
        penalty = self.penalty(design.shape[1], design.total_weight)
        if self.standardize:
            penalty = penalty.rescaled(design.scales)
        target = y - y_mean if np.any(y_mean) else y
        datafit = self.datafit.prepared(target, design.weights)
        return Problem(design, target, y_mean, penalty, datafit, normal, self.fit_intercept and not implied)

    def problem_from_moments(self, storage: Storage, y: Vector, sample_weight: Vector, moments: Moments) -> Problem:
        """The problem of the rows whose moments are given, by their normal equations: no pass over X."""
        mean = moments.mean if self.fit_intercept or self.standardize else np.zeros(moments.total.size)
        scales = np.ones(mean.size - 1)
        if self.standardize:
            variances = moments.about(mean).G.diagonal()
            scales = np.sqrt(np.where(variances > 0.0, variances, 1.0))
        center = mean if self.fit_intercept else np.zeros(mean.size)
        design = Design(storage, sample_weight / moments.weight, moments.weight, center[:-1], scales)
        return self.problem(design, y, moments.about(center))

"""`BoxProblem`, the inner problem of a support vector machine in its dual, and `BoxModel`, which makes it of data.

    min_w ½‖w‖² + g*(y − Xw; θ)   =   −min_β ½‖Xᵀβ‖² − yᵀβ + g(β; θ),     w = Xᵀβ

with ``g`` a :class:`lambdahat.penalties.Box`, θ = (C, ε). A label takes the place of the target: ``β_i`` has its sign,
and ``C max(0, 1 − y_i z_i)`` is ``C max(0, ±(y_i − z_i))``. An intercept is the weight of a constant column, penalised
as every other weight is (liblinear's convention); the column is never stored. Here ``w`` has this weight as its last
entry, shape (p + 1,).

Weights may be confined to a convex set K (:class:`lambdahat.penalties.Domain`), such as the simplex. The multipliers of
its constraints are eliminated from the dual: for given β their best values make ``w`` the point of K nearest to ``v =
Xᵀβ``, and ``½‖v‖²`` becomes ``max_{w∈K} wᵀv − ½‖w‖²``, whose gradient that point is. It moves by the projection P onto
the face of K it lies on, so that rows ``P x_i`` take the place of rows in all systems.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.datafits import Datafit
from lambdahat.design import Columns, Design, RowStorage, SparseStorage
from lambdahat.linear import Matrix, Vector, conjugate_gradient, inverse_of_diagonal, solve_dense
from lambdahat.penalties import EVERYTHING, Box, Domain
from lambdahat.problem import Solution

# Up to so many unknowns a dense system is built and factorised; beyond, conjugate gradients on the rows.
_FACTORISED = 2500


@dataclass(frozen=True, eq=False)
class Dual:
    """A dual point and the C that bounds it: what a solve starts from, and what derivatives are taken at."""

    beta: Vector
    C: float


@dataclass(frozen=True, eq=False)
class BoxProblem:
    """The dual above. Its :class:`lambdahat.problem.Solution` has ``w`` (p entries) and, as workspace, a `Dual`.

    Attributes
    ----------
    design : Design
        Over a ``RowStorage``, neither centred nor scaled.
    y : array of shape (n,)
        Labels ±1, or the target.
    penalty : Box
        Factors are sample weights: a row left out has a box of one point, zero.
    datafit : Datafit
        The smooth loss that judges predictions on other rows.
    constant : float
        Value of the constant column; zero without an intercept.
    domain : Domain
        Where weights may lie, but for that of the constant column.
    """

    design: Design
    y: Vector
    penalty: Box
    datafit: Datafit
    constant: float
    domain: Domain = EVERYTHING
    y_mean: float = 0.0
    normal: None = None

    def with_hyperparams(self, theta: Vector) -> BoxProblem:
        return replace(self, penalty=self.penalty.with_hyperparams(theta))

    @property
    def n_features(self) -> int:
        return self.design.shape[1]

    @property
    def rows(self) -> RowStorage:
        assert isinstance(self.design.storage, RowStorage)
        return self.design.storage

    @cached_property
    def curvature(self) -> Vector:
        """``‖x_i‖² + constant²``, shape (n,); where the sum of weights is given, of rows less their means.

        It bounds the curvature of the dual in β_i, whatever the multipliers of the sum are.
        """
        squares = self.rows.squared_norms if self.domain.total is None else self.rows.spreads
        return np.asarray(squares + self.constant**2)

    @cached_property
    def null_weights(self) -> Vector:
        """``w`` where ``β = 0``."""
        return self.nearest(np.zeros(self.n_features + 1))

    @cached_property
    def null_residual(self) -> Vector:
        """``y − Xw`` there."""
        return self.y if self.domain.is_everything else self.y - self.prediction(self.null_weights)

    @cached_property
    def null_value(self) -> float:
        """The objective there, the unit of the relative duality gap: ``C Σ s_i`` for classification."""
        return self.penalty.conjugate(self.null_residual) + 0.5 * float(self.null_weights @ self.null_weights)

    def offset(self, solution: Solution) -> float:
        """The intercept, as the judge of a solution wants it."""
        return float(solution.intercept)

    def zeros(self) -> Vector:
        """Coefficients that are all zero."""
        return np.zeros(self.n_features)

    def prediction(self, w: Vector) -> Vector:
        """``z = Xw`` of all rows."""
        return np.asarray(self.rows.predict(w[:-1]) + self.constant * w[-1])

    def prediction_on(self, rows: Columns, w: Vector) -> Vector:
        """``z`` of some rows."""
        return np.asarray(self.rows.predict_rows(rows, w[:-1]) + self.constant * w[-1])

    def combine(self, rows: Columns, beta: Vector) -> Vector:
        """``v = Σ_i β_i x_i`` over some rows."""
        return np.append(self.rows.combine(rows, beta), self.constant * beta.sum())

    def nearest(self, v: Vector) -> Vector:
        """``w``, the point of the domain nearest to ``v = Xᵀβ``."""
        return v if self.domain.is_everything else np.append(self.domain.nearest(v[:-1]), v[-1])

    def tangent(self, w: Vector, u: Vector) -> Vector:
        """By how much ``w`` moves where ``v`` moves by ``u``; symmetric."""
        return u if self.domain.is_everything else np.append(self.domain.tangent(w[:-1], u[:-1]), u[-1])

    def weights(self, solution: Solution) -> Vector:
        """``w`` of a solution, with that of the constant column."""
        return np.append(solution.w, solution.intercept / self.constant if self.constant else 0.0)

    def bounds(self, beta: Vector, w: Vector, z: Vector) -> tuple[float, float]:
        """Primal and dual objective at ``w``, nearest to ``Xᵀβ``, and ``z = Xw``: the optimum lies between them."""
        half, residual = 0.5 * float(w @ w), self.y - z
        return half + self.penalty.conjugate(residual), half + float(residual @ beta) - self.penalty.value(beta)

    def gram(self, rows: Columns, first: int) -> Matrix:
        """``X Xᵀ`` of some rows and the first ones of these, of shape (m, first), with the constant column."""
        return self.rows.products(rows, first) + self.constant**2

    def is_factorised(self, rows: Columns) -> bool:
        """Whether the system of some rows is solved by a factorisation."""
        return not isinstance(self.rows.transposed, SparseStorage) and rows.size <= _FACTORISED

    def solve_free(
        self, rows: Columns, w: Vector, b: Vector, *, atol: float, damping: float = 0.0, max_iter: int
    ) -> Vector:
        """Solve ``(X_S P X_Sᵀ + damping·diag) v = b`` on some rows, P that of ``w``.

        It is Newton's system, and that of the hypergradient. Cholesky where X is dense and S small, else conjugate
        gradients to entries of the residual below ``atol``. Singular systems get their minimum-norm solution.
        """
        ridge = damping * self.curvature[rows]
        if self.is_factorised(rows):
            if self.domain.is_everything and self.rows.has_small_gram:
                H = self.gram(rows, rows.size)
            else:
                X_S = self.domain.flattened(self.rows.gather(rows, self.domain.face(w[:-1])))
                if damping > 0.0 and rows.size > X_S.shape[1] + 1:
                    return self._solve_by_columns(X_S, b, ridge)
                H = np.asarray(X_S @ X_S.T + self.constant**2)
            H[np.diag_indices_from(H)] += ridge
            return solve_dense(H, b)

        def product(v: Vector) -> Vector:
            return self.prediction_on(rows, self.tangent(w, self.combine(rows, v))) + ridge * v

        inverse = inverse_of_diagonal(self.curvature[rows] + ridge)
        return conjugate_gradient(product, inverse, b, atol=atol, max_iter=max_iter)[0]

    def _solve_by_columns(self, X_S: Matrix, b: Vector, ridge: Vector) -> Vector:
        """``R⁻¹b − R⁻¹X_S (I + X_SᵀR⁻¹X_S)⁻¹ X_SᵀR⁻¹b``, for more rows than columns."""
        X_S = np.column_stack([X_S, np.full(b.size, self.constant)])
        scaled = X_S / ridge[:, None]
        K = np.asarray(np.eye(X_S.shape[1]) + X_S.T @ scaled)
        return np.asarray(b / ridge - scaled @ solve_dense(K, scaled.T @ b))


@dataclass(frozen=True, eq=False)
class EachLeftOut(BoxProblem):
    """The same problem, judged by predictions of each row by the solution without it.

    Attributes
    ----------
    kinds : array of shape (n,)
        Of rows.
    stretches : array of shape (n, number of kinds)
        What boxes of rows of a kind are multiplied by where a row is left out: weights that balance classes depend on
        all rows.
    """

    kinds: NDArray[np.intp] = field(kw_only=True)
    stretches: Matrix = field(kw_only=True)

    @classmethod
    def of(cls, problem: BoxProblem, kinds: NDArray[np.intp], stretches: Matrix) -> EachLeftOut:
        own = {each.name: getattr(problem, each.name) for each in fields(BoxProblem)}
        return cls(**own, kinds=kinds, stretches=stretches)


@dataclass(frozen=True)
class BoxModel:
    """What makes inner problems out of data: everything but the data.

    ``penalty(y, weights)`` has the sample weights for factors; ``row_factors(y, weights)`` multiply them beforehand, in
    training only.
    """

    penalty: Callable[[Vector, Vector], Box]
    datafit: Datafit
    constant: float = 1.0
    row_factors: Callable[[Vector, Vector], Vector] | None = None
    domain: Domain = EVERYTHING

    def targets(self, y: Vector) -> tuple[Vector]:
        """That of the only problem."""
        return (y,)

    def several(self, storage: Any, y: Vector, sample_weights: list[Vector]) -> list[tuple[BoxProblem]]:
        """As a :class:`lambdahat.problem.Model` has them."""
        return [(problem,) for problem in self.problems(storage, y, sample_weights)]

    def problems(self, storage: Any, y: Vector, sample_weights: list[Vector]) -> list[BoxProblem]:
        """One problem per weighting of the same rows."""
        designs = Design.create_many(storage, sample_weights, center=False, standardize=False)
        problems = []
        for design, weight in zip(designs, sample_weights, strict=True):
            factors = weight if self.row_factors is None else weight * self.row_factors(y, weight)
            box = self.penalty(y, factors)
            problems.append(BoxProblem(design, y, box, self.datafit, self.constant, self.domain))
        return problems

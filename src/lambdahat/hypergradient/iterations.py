"""The iterations that can be differentiated: an affine map of the Jacobian, and its transpose, for each.

Iterates ``u`` have shape (m + 1,): the coefficients of ``columns`` and, last, the offset (zero where there is none). A
Jacobian has shape (d, m + 1), a row a hyperparameter. Bertrand et al., JMLR 2022, has the two modes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from lambdahat.design import Columns, Design, Sweeps
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Separable
from lambdahat.problem import Problem, Solution

_STRONG = 1e100


class Iteration(Protocol):
    """An iteration ``u⁺ = T(u; θ)`` whose fixed points are the solutions of a problem."""

    problem: Problem
    columns: Columns
    means: Vector
    """What the offset is relative to: the predictions are ``(X − 1 meansᵀ)w + offset``."""
    units: Vector
    """Of each entry of an iterate: times these, entries are of the size of what they change in the predictions."""

    def forward(self, u: Vector, J: Matrix) -> tuple[Vector, Matrix]:
        """``T(u)`` and ``∂_u T(u)·J + ∂_θ T(u)``; with no rows in ``J``, the iteration itself."""

    def backward(self, before: Vector, after: Vector, adjoint: Vector) -> tuple[Vector, Vector]:
        """``∂_u Tᵀ adjoint`` and ``∂_θ Tᵀ adjoint`` at ``before``, which led to ``after``."""


def _largest_curvature(problem: Problem) -> float:
    """``sup f''``, without which no step size suits all iterates."""
    bound = problem.datafit.largest_curvature
    if not np.isfinite(bound):
        raise ValueError(
            f"the second derivative of the {type(problem.datafit).__name__} loss has no bound, and iterations no step "
            "size that suits all iterates: use method='implicit' or method='implicit_forward'"
        )
    return bound


def begin(iteration: Iteration, start: Solution | None) -> Vector:
    """The first iterate: zero, or a solution."""
    u = np.zeros(iteration.columns.size + 1)
    problem = iteration.problem
    if start is not None:
        w = start.w[iteration.columns]
        u[:-1] = w
        if problem.has_offset:
            u[-1] = problem.offset(start) + float((iteration.means - problem.design.means[iteration.columns]) @ w)
    elif problem.has_offset:
        u[-1] = problem.null_prediction[0]
    return u


def coefficients(iteration: Iteration, u: Vector) -> tuple[Vector, float]:
    """All coefficients, and the offset for columns that are centred as the problem has them."""
    w = np.zeros(iteration.problem.n_features)
    w[iteration.columns] = u[:-1]
    shift = iteration.problem.design.means[iteration.columns] - iteration.means
    return w, float(u[-1] + shift @ u[:-1]) if iteration.problem.has_offset else 0.0


def pullback(iteration: Iteration, support: Columns, slopes: Vector, offset_slope: float) -> Vector:
    """A criterion's derivative with respect to an iterate, from those with respect to coefficients and offset."""
    design = iteration.problem.design
    full = np.zeros(design.shape[1])
    full[support] = slopes
    adjoint = np.append(full[iteration.columns], 0.0)
    if iteration.problem.has_offset:
        adjoint[:-1] += offset_slope * (design.means[iteration.columns] - iteration.means)
        adjoint[-1] = offset_slope
    return adjoint


class ProximalGradient:
    """``w⁺ = prox(w − X̃ᵀs∘f'(z) / L; 1/L)``, all coefficients at once, by passes over X and the penalty's prox.

    ``L`` is at least ``sup f''`` times the largest eigenvalue of ``X̃ᵀSX̃``. Centred columns are orthogonal to the
    ones of the offset, which so has a step of its own, ``1 / sup f''``.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.y.ndim == 2:
            raise ValueError(
                "forward and backward differentiation are for one target: use method='implicit' or 'implicit_forward'"
            )
        self.problem = problem
        self.columns = np.arange(problem.n_features, dtype=np.int32)
        self.means = problem.design.means
        bound = _largest_curvature(problem)
        self.step, self.offset_step = 1.0 / (bound * _largest_eigenvalue(problem)), 1.0 / bound
        self.units = np.append(np.sqrt(problem.design.all_variances), 1.0)

    def forward(self, u: Vector, J: Matrix) -> tuple[Vector, Matrix]:
        problem, penalty = self.problem, self.problem.penalty
        z = self._predict(u)
        q = problem.residual(z)
        moved = u[:-1] + self.step * problem.design.gradient(q)
        after = np.append(penalty.prox(moved, self.step), 0.0)
        J_after = np.zeros_like(J)
        if J.shape[0]:
            h = problem.design.weights * problem.datafit.curvature(problem.y, z)
            images = [h * self._predict(row) for row in J]
            gradients = np.stack(Design.gradients([problem.design] * len(images), images))
            J_after[:, :-1] = penalty.prox_jvp(moved, self.step, J[:, :-1] - self.step * gradients)
        if problem.has_offset:
            after[-1] = u[-1] + self.offset_step * q.sum()
            if J.shape[0]:
                J_after[:, -1] = J[:, -1] - self.offset_step * np.array([image.sum() for image in images])
        return after, J_after

    def backward(self, before: Vector, after: Vector, adjoint: Vector) -> tuple[Vector, Vector]:
        problem = self.problem
        z = self._predict(before)
        moved = before[:-1] + self.step * problem.design.gradient(problem.residual(z))
        pulled, gradient = problem.penalty.prox_vjp(moved, self.step, adjoint[:-1])
        offset = adjoint[-1] * self.offset_step / self.step if problem.has_offset else 0.0
        h = problem.design.weights * problem.datafit.curvature(problem.y, z)
        image = h * self._predict(np.append(pulled, offset))
        earlier = np.append(pulled - self.step * problem.design.gradient(image), 0.0)
        if problem.has_offset:
            earlier[-1] = adjoint[-1] - self.step * image.sum()
        return earlier, gradient

    def _predict(self, u: Vector) -> Vector:
        used = np.flatnonzero(u[:-1]).astype(np.int32)
        return self.problem.prediction(used, u[used], float(u[-1]))


def _largest_eigenvalue(problem: Problem) -> float:
    """A number a little above the largest eigenvalue of ``X̃ᵀSX̃``, over the columns that are not excluded."""
    design = problem.design
    pulled = problem.penalty.prox(np.full(problem.n_features, _STRONG), 1.0)  # which excluded ones do not follow
    used = np.flatnonzero(pulled).astype(np.int32)
    variances = design.variances(used)
    total = float(variances.sum())
    if np.count_nonzero(variances) < 3:
        return total or 1.0

    def product(v: Vector) -> Vector:
        return design.gradient_columns(used, design.weights * design.product(used, np.ravel(v)))

    operator = LinearOperator((used.size, used.size), matvec=product, dtype=np.float64)
    try:
        start = np.random.default_rng(0).normal(size=used.size)
        largest = eigsh(operator, k=1, tol=1e-3, v0=start, return_eigenvectors=False)[0]
    except ArpackNoConvergence:
        return total
    return min(1.01 * float(largest), total)


class CoordinateDescent:
    """One coordinate after the other, ``w_j⁺ = prox(w_j − x̃_jᵀs∘f'(z) / L_j; 1/L_j)``, by a kernel.

    ``L_j = sup f'' Σ s_i x̃_ij²``. An iteration is a sweep over the columns in play: those that are neither excluded nor
    constant, or ``columns``. The offset, where it is free, comes last.
    """

    def __init__(self, problem: Problem, columns: Columns | None = None) -> None:
        self.problem = problem
        penalty, bound = problem.penalty, _largest_curvature(problem)
        if not isinstance(penalty, Separable):
            raise ValueError(
                "solver='coordinate_descent' moves one coefficient at a time, which penalties of blocks do not allow: "
                "use solver='proximal_gradient' or 'accelerated', or method='implicit' or 'implicit_forward'"
            )
        if columns is None:
            used = ~penalty.excluded & (problem.design.all_variances > 0.0)
            columns = np.flatnonzero(used).astype(np.int32)
        self.columns = columns
        self._sweeps = Sweeps.of(problem.design, columns, problem.y, has_offset=problem.has_offset)
        self.means = self._sweeps.means
        curvature = np.append(bound * self._sweeps.variances, bound if problem.has_offset else 0.0)
        self.units = np.sqrt(curvature / bound)
        self._formula: tuple[Any, ...] = (
            *(problem.datafit.kernel or ()), curvature, penalty.l1[columns], penalty.l2[columns], penalty.positive,
            penalty.l1_factors[columns], penalty.l1_index[columns], penalty.l2_factors[columns],
            penalty.l2_index[columns],
        )  # fmt: skip

    def forward(self, u: Vector, J: Matrix) -> tuple[Vector, Matrix]:
        u, J = u.copy(), J.copy()
        self._sweeps.forward(*self._formula, w=u, J=J)
        return u, J

    def backward(self, before: Vector, after: Vector, adjoint: Vector) -> tuple[Vector, Vector]:
        adjoint, gradient = adjoint.copy(), np.zeros(self.problem.penalty.hyperparams.size)
        self._sweeps.backward(*self._formula, before=before, after=after, adjoint=adjoint, gradient=gradient)
        return adjoint, gradient


@dataclass
class Momentum:
    """Extrapolation of iterates and Jacobians alike (Beck and Teboulle, 2009), begun anew where it points uphill.

    The restart is the gradient scheme of O'Donoghue and Candès, 2015: without it the Jacobian ripples.
    """

    u: Vector
    J: Matrix
    age: float = 1.0

    def extrapolate(self, at: Vector, u: Vector, J: Matrix) -> tuple[Vector, Matrix]:
        """The next point to iterate from, after the step from ``at`` to ``u``."""
        if float((at - u) @ (u - self.u)) > 0.0:
            self.age = 1.0
        older = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * self.age**2))
        share = (self.age - 1.0) / older
        ahead = u + share * (u - self.u), J + share * (J - self.J)
        self.u, self.J, self.age = u, J, older
        return ahead


ITERATIONS: dict[str, Callable[[Problem], Iteration]] = {
    "coordinate_descent": CoordinateDescent,
    "proximal_gradient": ProximalGradient,
    "accelerated": ProximalGradient,  # with Momentum
}

"""How far a fit follows its targets: degrees of freedom, exactly, and the influence of each row.

Near a solution with support S predictions follow targets by the map of the local least-squares problem,

    ∂ẑ/∂y = X̃_S (G + C)⁻¹ X̃_Sᵀ S,     G = X̃_SᵀSX̃_S,     C = ∇²g_SS,

and the degrees of freedom are its trace: the rank of ``X_S`` for the Lasso (Tibshirani & Taylor, Annals of Statistics
2012), ``tr (G + λ₂I)⁻¹G`` for the elastic net and ridge, the formula of Vaiter et al. (2012) for groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from lambdahat.coupled import CoupledModel
from lambdahat.design import FACTORISED
from lambdahat.kernels import left_out
from lambdahat.linear import Curvature, Matrix, Vector
from lambdahat.penalties import Entrywise, Separable
from lambdahat.problem import Problem
from lambdahat.two_stages import TwoStages

# Beyond FACTORISED unknowns a trace is estimated by so many random signs, of which each costs a system.
_SIGNS = 8
_SINGULAR = 1e-10
_MOST = 1.0 - 1e-6  # leverage of a row that is fitted whatever its target
# Columns whose slope is this share of the penalty may enter where a row is left out, and so many in any case; the work
# is n times the square of the number of columns.
_NEAR, _FEW, _LITTLE_WORK, _MOST_WORK = 0.3, 20, 4e6, 2e9
_SWEEPS, _SETTLED = 100, 1e-3


def degrees_of_freedom(
    problem: Problem, support: Any, w_S: Matrix, offset: Any, *, intercept: bool, noise: Matrix | None = None
) -> float:
    """The trace of ``∂ẑ/∂y`` at a solution.

    Parameters
    ----------
    problem : Problem
    support : array of column numbers
        The solution's.
    w_S, offset
        The coefficients there, and the offset.
    intercept : bool
        Whether there is one, which counts.
    noise : array of shape (T, T), optional
        A covariance Σ of the targets: then the trace of ``(∂ẑ/∂y) (I ⊗ Σ)``.

    Returns
    -------
    float
        Of supports beyond 2,500 columns, with curvature, an estimate by eight fixed random vectors.
    """
    if isinstance(problem.penalty, Entrywise):  # of classes, whose predictions matter up to a shift
        return float(np.count_nonzero(w_S) + intercept * (w_S.shape[1] - 1))
    local = local_model(problem, support, w_S, offset)
    T = w_S.shape[1] if w_S.ndim == 2 else 1
    noise = np.eye(T) if noise is None else noise
    total = float(np.trace(noise)) if intercept else 0.0
    if support.size == 0:
        return total
    curvature = local.penalty.restricted(support).curvature(w_S)
    if support.size <= FACTORISED:
        known = local.normal
        G = local.design.support_gram(support) if known is None else known.G[np.ix_(support, support)]
        return total + trace(G, curvature, w_S, noise)
    if local.design.rows.size <= FACTORISED and curvature.U is None and np.all(curvature.diagonal > 0.0):
        return total + float(np.trace(noise)) * float(np.sum(_by_rows(local, support, curvature.diagonal)))
    if not curvature.diagonal.any():
        return total + float(np.trace(noise) * min(support.size, local.design.rows.size - intercept))
    return total + _estimated(local, support, w_S, noise)


def has_count(problem: Any) -> bool:
    """Whether the degrees of freedom are those of one least-squares problem at the solution, or a count."""
    if isinstance(problem, TwoStages) or not isinstance(problem, Problem):
        return False
    return problem.datafit.row_wise or isinstance(problem.penalty, Entrywise)


def local_model(problem: Problem, support: Any, w_S: Matrix, offset: Any) -> Problem:
    """The least-squares problem that a solution solves."""
    local = problem.local_on(support, w_S, offset)
    if isinstance(local, CoupledModel):
        raise ValueError(
            "the rows of this loss depend on each other, which leaves no count of its degrees of freedom: use "
            "cross-validation, criterion='cv'"
        )
    return local


def trace(G: Matrix, curvature: Curvature, w_S: Matrix, noise: Matrix) -> float:
    """``tr (G ⊗ I + C)⁻¹ (G ⊗ Σ)``.

    With ``C = diag(d) ⊗ I − Σ_b u_b u_bᵀ``, and ``A = G + diag(d)``, by the formula of Woodbury: an outer product for
    each block b, so that nothing is larger than the support whatever the number of targets.
    """
    plain = curvature.U is None or curvature.labels is None
    if plain and not curvature.diagonal.any():
        return float(np.trace(noise)) * _rank(G)
    A = G.copy()
    A[np.diag_indices_from(A)] += curvature.diagonal
    inverse = _inverse(A)
    hat = inverse @ G
    value = float(np.trace(noise)) * float(np.trace(hat))
    if curvature.U is None or curvature.labels is None:
        return value
    U = curvature.U.reshape(len(A), -1)
    of_block = np.zeros((curvature.labels.max() + 1, len(A)))
    of_block[curvature.labels, np.arange(len(A))] = 1.0
    bends = of_block @ (inverse * (U @ U.T)) @ of_block.T
    follows = of_block @ ((hat @ inverse) * (U @ noise @ U.T)) @ of_block.T
    rest = np.eye(len(bends)) - bends
    return value + float(np.trace(np.linalg.lstsq(rest, follows, rcond=_SINGULAR)[0]))


def _rank(A: Matrix) -> int:
    """The rank of a symmetric matrix that is at least zero."""
    A, _ = _unit_diagonal(A)
    factor, info = lapack.dpotrf(A, lower=1, clean=0)
    if info == 0 and float(np.min(factor.diagonal())) ** 2 > _SINGULAR:
        return len(A)
    values = scipy.linalg.eigvalsh(A)
    return int(np.sum(values > _SINGULAR * values[-1]))


def _inverse(A: Matrix) -> Matrix:
    """The pseudo-inverse of a symmetric matrix that is at least zero."""
    A, scale = _unit_diagonal(A)
    factor, info = lapack.dpotrf(A, lower=1, clean=0)
    if info == 0 and float(np.min(factor.diagonal())) ** 2 > _SINGULAR:
        inverse, _ = lapack.dpotri(factor, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
    else:
        values, vectors = scipy.linalg.eigh(A)
        kept = values > _SINGULAR * values[-1]
        half = vectors[:, kept] / np.sqrt(values[kept])
        inverse = half @ half.T
    return np.asarray(inverse / np.outer(scale, scale))


def _unit_diagonal(A: Matrix) -> tuple[Matrix, Vector]:
    """The matrix scaled to ones on its diagonal, but for zeros, and the scales."""
    scale = np.sqrt(np.where(A.diagonal() > 0.0, A.diagonal(), 1.0))
    return A / np.outer(scale, scale), scale


@dataclass(frozen=True, eq=False)
class Influences:
    """By how much a row's own term moves the solution, in the local model, where ``H`` is the objective's Hessian.

    Attributes
    ----------
    local : Problem
        From :func:`local_model`.
    support, w_S
        Of the solution.
    weights : array of shape (n,)
        Of the rows, in units in which the local model is the objective: ``s`` times ``local.scale``.
    slopes, bends : array of shape (n,)
        ``f'`` and ``f''`` at the solution.
    each : array of shape (n,)
        ``s_i x̃_iᵀ H⁻¹ x̃_i``, the intercept included: times ``f''_i`` it is the leverage, the share of a row's own
        target in its prediction.
    drift : array of shape (n,)
        ``s_i x̃_iᵀ H⁻¹ ∇g``: where a row is left out of a *mean* of losses, the penalty counts for less.
    step : array shaped as ``w_S``
        ``H⁻¹ ∇g`` over the unit of ``weights``.
    inverse : array of shape (|S|, |S|), optional
        ``H⁻¹`` alike, where it is known.
    """

    local: Problem
    support: Any
    w_S: Vector
    weights: Vector
    slopes: Vector
    bends: Vector
    each: Vector
    drift: Vector
    step: Vector
    inverse: Matrix | None
    intercept: bool

    @classmethod
    def at(cls, problem: Problem, support: Any, w_S: Vector, offset: float, *, intercept: bool) -> Influences:
        local, design = local_model(problem, support, w_S, offset), problem.design
        z = problem.prediction(support, w_S, offset)
        slopes, bends = problem.datafit.gradient(problem.y, z), problem.datafit.curvature(problem.y, z)
        forms, drift, inverse = np.full(design.shape[0], float(intercept)), np.zeros(design.shape[0]), None
        pull = -design.gradient_columns(support, design.weights * slopes)  # ∇g, at a solution
        step = local.solve_support(support, w_S, pull, atol=1e-8 * float(np.abs(pull).max(initial=0.0)))
        if support.size:
            curvature, rows = local.penalty.restricted(support).curvature(w_S), local.design.rows
            if np.all(curvature.diagonal > 0.0) and curvature.U is None and rows.size < support.size:
                forms[rows] += _by_rows(local, support, curvature.diagonal) / local.design.weights[rows]
            else:
                A = local.design.support_gram(support)
                curvature.add_to(A)
                inverse = _inverse(A)
                for block in local.design.row_blocks(support):
                    forms[block.rows] += block.dots(block.times(inverse))
            drift = local.design.product(support, step)
        weights = design.weights * local.scale
        return cls(
            local, support, w_S, weights, slopes, bends, weights * forms, weights * drift, step, inverse, intercept
        )

    def without(self, z: Vector) -> Vector:
        """The predictions, at first z, of each row without it: a Newton step on the support."""
        return z + (self.each * self.slopes + self.drift) / (1.0 - np.minimum(self.each * self.bends, _MOST))

    def without_by_descent(self, problem: Problem, z: Vector) -> Vector:
        """The same where coefficients come and go on the way, of a penalty that has a kink for each.

        The local model is solved without each row, by coordinate descent from the Newton step, over the support and the
        columns that are nearest to entering it. Where that would be too much work it is the Newton step.
        """
        h = problem.design.gradient(problem.residual(z))
        columns = np.concatenate([self.support, self._near(problem, h)]).astype(np.int32)
        m = self.support.size
        if float(z.size) * columns.size**2 > _MOST_WORK or not isinstance(problem.penalty, Separable):
            return self.without(z)
        local = problem.local(z, columns)
        assert isinstance(local.penalty, Separable)
        penalty, G = local.penalty.restricted(columns), local.design.support_gram(columns)
        w = np.concatenate([self.w_S, np.zeros(columns.size - m)])
        left = 1.0 - np.minimum(self.each * self.bends, _MOST)
        pushes = self.weights * (self.slopes + self.bends * (self.each * self.slopes + self.drift) / left)
        out = np.empty(z.size)
        for block in local.design.row_blocks(columns):
            rows, X = block.rows, block.dense()
            starts = np.zeros_like(X)
            if self.inverse is not None:
                moves = np.outer(pushes[rows], np.ones(m)) * (X[:, :m] @ self.inverse)
                moves += np.outer(self.weights[rows], self.step)
                starts[:, :m] = np.where((self.w_S + moves) * self.w_S < 0.0, -self.w_S, moves)
            left_out.without_rows(
                G, penalty.l1, penalty.l2, penalty.positive, w, -local.scale * h[columns], X, starts,
                (self.weights * self.slopes)[rows], (self.weights * self.bends)[rows], problem.design.weights[rows],
                self.intercept, _SWEEPS, _SETTLED, out[rows],
            )  # fmt: skip
        return z + out

    def _near(self, problem: Problem, h: Vector) -> Any:
        """Columns that are nearest to entering the support: as many again, and more where that is little work."""
        l1 = problem.penalty.l1
        kinked = (l1 > 0.0) & np.isfinite(l1)
        push = h if problem.penalty.positive else np.abs(h)
        share = np.divide(push, l1, out=np.zeros_like(h), where=kinked)
        share[self.support] = 0.0
        near = np.flatnonzero(share > _NEAR)
        size = self.support.size
        most = max(_FEW, size, int((_LITTLE_WORK / problem.design.shape[0]) ** 0.5) - size)
        return near if near.size <= most else near[np.argpartition(-share[near], most)[:most]]


def _by_rows(local: Problem, support: Any, ridge: Vector) -> Vector:
    """The diagonal of ``K(K + I)⁻¹`` with ``K = √S X̃ D⁻¹ X̃ᵀ √S``: the same where there are more columns than rows."""
    K = local.design.rows_gram(support, ridge)
    factor = scipy.linalg.cho_factor(K + np.eye(len(K)), lower=True)
    return np.asarray(1.0 - scipy.linalg.cho_solve(factor, np.eye(len(K))).diagonal())


def _estimated(local: Problem, support: Any, w_S: Matrix, noise: Matrix) -> float:
    """Hutchinson's estimate of the trace."""
    design = local.design
    random = np.random.default_rng(0)
    root = np.linalg.cholesky(noise + 1e-14 * np.trace(noise) * np.eye(len(noise)))
    total = 0.0
    for _ in range(_SIGNS):
        signs = random.choice((-1.0, 1.0), (design.shape[0], len(noise))) @ root.T
        signs = signs.reshape(design.shape[0], *w_S.shape[1:])
        roots = np.sqrt(design.weights)
        sides = design.gradient_columns(support, (roots * signs.T).T)
        atol = 1e-6 * float(np.abs(sides).max())
        total += float(np.vdot(sides, local.solve_support(support, w_S, sides, atol=atol)))
    return total / _SIGNS

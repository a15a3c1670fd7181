"""How far a fit follows its targets: degrees of freedom, exactly.

Near a solution with support S predictions follow targets by the map of the local least-squares problem,

    ∂ẑ/∂y = X̃_S (G + C)⁻¹ X̃_Sᵀ S,     G = X̃_SᵀSX̃_S,     C = ∇²g_SS,

and the degrees of freedom are its trace: the rank of ``X_S`` for the Lasso (Tibshirani & Taylor, Annals of Statistics
2012), ``tr (G + λ₂I)⁻¹G`` for the elastic net and ridge, the formula of Vaiter et al. (2012) for groups. Of the partial
likelihood, whose rows depend on each other, G is its Hessian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from lambdahat.coupled import CoupledModel
from lambdahat.criteria.newton_steps import OfTargets
from lambdahat.datafits import Cox, RootMeanSquare
from lambdahat.design import FACTORISED
from lambdahat.linear import Curvature, Matrix, Vector, pseudo_inverse
from lambdahat.penalties import Entrywise
from lambdahat.problem import Problem
from lambdahat.two_stages import TwoStages

# Beyond FACTORISED unknowns a trace is estimated by so many random signs, of which each costs a system.
_SIGNS = 8
_SINGULAR = 1e-10


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
    if isinstance(problem.datafit, Cox):
        if support.size == 0:
            return 0.0
        G = columns_at_risk(problem, support, problem.prediction(support, w_S))[1]
        return trace(G, problem.penalty.restricted(support).curvature(w_S), np.eye(1))
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
        return total + trace(G, curvature, noise)
    if local.design.rows.size <= FACTORISED and curvature.U is None and np.all(curvature.diagonal > 0.0):
        return total + float(np.trace(noise)) * float(np.sum(leverages_by_rows(local, support, curvature.diagonal)))
    if not curvature.diagonal.any():
        return total + float(np.trace(noise) * min(support.size, local.design.rows.size - intercept))
    return total + _estimated(local, support, w_S, noise)


def has_count(problem: Any) -> bool:
    """Whether the degrees of freedom are those of one least-squares problem at the solution, or a count."""
    if isinstance(problem, TwoStages) or not isinstance(problem, Problem):
        return False
    return problem.datafit.row_wise or isinstance(problem.penalty, Entrywise) or isinstance(problem.datafit, Cox)


def columns_at_risk(problem: Problem, columns: Any, z: Vector) -> tuple[Matrix, Matrix]:
    """Some columns X, of the rows at risk, and ``Xᵀ∇²F X`` of the partial likelihood at predictions z."""
    found = problem.datafit.images(problem.y, z, 0.0)
    assert found is not None
    rows, images = found
    X = np.concatenate([part.dense() for part in problem.design.row_blocks(columns)])[rows]
    A = np.ascontiguousarray(X.T)
    G = A @ images(A).T
    return X, 0.5 * (G + G.T)


def local_model(problem: Problem, support: Any, w_S: Matrix, offset: Any) -> Problem:
    """The least-squares problem that a solution solves; of the square-root Lasso, the Lasso that has the same one."""
    if isinstance(problem.datafit, RootMeanSquare):
        return problem.local(problem.prediction(support, w_S, offset), support)
    local = problem.local_on(support, w_S, offset)
    if isinstance(local, CoupledModel):
        raise ValueError(
            "the rows of this loss depend on each other, which leaves no count of its degrees of freedom: use "
            "cross-validation, criterion='cv'"
        )
    return local


def trace(G: Matrix, curvature: Curvature, noise: Matrix) -> float:
    """``tr (G ⊗ I + C)⁻¹ (G ⊗ Σ)``."""
    if curvature.U is None and not curvature.diagonal.any():
        return float(np.trace(noise)) * rank(G)
    A = G.copy()
    if curvature.U is not None:
        return OfTargets.at(A, curvature, np.zeros((len(G), curvature.U.size // len(G)))).trace(G, noise)
    A[np.diag_indices_from(A)] += curvature.diagonal
    return float(np.trace(noise)) * float(np.sum(pseudo_inverse(A) * G))


def rank(A: Matrix) -> int:
    """The rank of a symmetric matrix that is at least zero, by its columns scaled to unit length."""
    scale = np.sqrt(np.where(A.diagonal() > 0.0, A.diagonal(), 1.0))
    A = A / np.outer(scale, scale)
    factor, info = lapack.dpotrf(A, lower=1, clean=0)
    if info == 0 and float(np.min(factor.diagonal())) ** 2 > _SINGULAR:
        return len(A)
    values = scipy.linalg.eigvalsh(A)
    return int(np.sum(values > _SINGULAR * values[-1]))


def leverages_by_rows(local: Problem, support: Any, ridge: Vector) -> Vector:
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

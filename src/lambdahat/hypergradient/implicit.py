"""Implicit differentiation on the support: the whole method, and nothing in it knows a model.

Bertrand et al., *Implicit differentiation for fast hyperparameter selection in non-smooth convex learning*, JMLR 2022,
Theorem 9 and Section 4.2: at a solution, with S the generalised support,

    (∇²F_SS + ∇²g_SS) ∂w_S/∂θ = −∂_θ∇g(w_S; θ),

and ``∂w/∂θ`` vanishes off S. The system is symmetric, so one solve against the criterion's gradient serves all θ.
"""

import numpy as np
from numpy.typing import NDArray

from lambdahat.design import Columns
from lambdahat.hypergradient.base import Judge, on_support
from lambdahat.linear import Vector
from lambdahat.problem import Problem, Solution

_DAMPING = 0.3
# Residuals of the system: at most, and over the root of the gap asked for; looser where that gap was not proven, which
# is where the search only looks around.
_LOOSEST, _OVER_ROOT, _UNPROVEN_OVER_ROOT = 0.1, 0.6, 1.5
_SHORT_OF_PENALTY = 0.5


def implicit(
    problem: Problem, solution: Solution, judge: Judge, *, tol: float, guess: Vector | None = None
) -> tuple[float, Vector, Vector]:
    """A criterion ``C(w(θ))`` at a solution, and its gradient with respect to θ.

    Parameters
    ----------
    problem : Problem
    solution : Solution
        Of this problem.
    judge : callable
        The criterion.
    tol : float
        Relative duality gap of the solution. A loose one keeps columns that nearly repeat each other, along whose
        difference the system is singular: it is damped by a small multiple of ``tol``. Where it is solved by conjugate
        gradients (a Cholesky factor is exact), then to a residual of about ``√tol`` times its right-hand side: a gap is
        quadratic in the error of ``w``, and what a search loses is quadratic in the error of the gradient. Below 1e-9,
        where somebody wants the digits, the residual is in proportion to ``tol``.
    guess : array shaped as the coefficients, optional
        A solution ``v`` at a nearby θ.

    Returns
    -------
    value : float
    gradient : array of shape (d,)
    v : array shaped as the coefficients
        The solution of the linear system, to be handed back as ``guess``. Where the columns of the support are linearly
        dependent it is the minimum-norm one, and so the gradient is that of the minimum-norm Jacobian.
    """
    value, support, w_S, slopes, local = on_support(problem, solution, judge)
    v = np.zeros_like(solution.w)
    stands = _stand(problem, solution, support)
    support, w_S, slopes = support[stands], w_S[stands], slopes[stands]
    if support.size:
        over_root = _OVER_ROOT if solution.converged else _UNPROVEN_OVER_ROOT
        atol = min(_LOOSEST, over_root * tol**0.5, 1e4 * tol) * float(np.abs(slopes).max())
        start = None if guess is None else guess[support]
        v[support] = local.solve_support(support, w_S, slopes, atol=atol, guess=start, damping=_DAMPING * tol)
        return value, -local.penalty.hyperparam_vjp(support, w_S, v[support]), v
    return value, np.zeros(problem.penalty.hyperparams.size), v


def _stand(problem: Problem, solution: Solution, support: Columns) -> NDArray[np.bool_]:
    """Which columns of the support may stay in it, as far as a loose solution can tell.

    At a solution the gradient balances the penalty. Where it falls far short of that a coefficient has gone too far:
    on a rare column of a loss that saturates, there may be next to no curvature left, and the system would be singular
    by what is no property of the solution.
    """
    l1, h = problem.penalty.l1[support], solution.gradient
    if h is None or solution.w.ndim > 1 or problem.penalty.labels is not None:
        return np.ones(support.size, dtype=bool)
    return np.asarray((l1 == 0.0) | (h[support] * np.sign(solution.w[support]) > _SHORT_OF_PENALTY * l1))

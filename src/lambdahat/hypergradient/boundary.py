"""Implicit differentiation where the support's complement moves too: the dual of support vector machines.

The one formula (:mod:`lambdahat.hypergradient.implicit`) with its boundary terms. With ``H = XXᵀ``, S the rows strictly
inside the box and ``∂β_i/∂C`` the bound's factor for the others,

    H_SS v = (∂crit/∂β)_S,     dcrit/dC = Σ_{i∉S} ∂β_i/∂C (∂crit/∂β − H_{·S} v)_i,     dcrit/dε = −vᵀ sign(β_S).

It is a file of its own as criteria judge ``w = Xᵀβ``, so that nothing of the size of H is needed: with ``g = ∂crit/∂w``
the system asks for the combination ``X_Sᵀv`` of free rows that is nearest to g, and what is left of g is all that the
rows at their bounds see. What is left is unique even where free rows depend on each other (v is the one of least norm).

Where weights are confined to a simplex, ``H = X P Xᵀ`` with the projection P onto the face they lie on, and g is
projected first. It is the same formula for the dual with all multipliers, after the elimination of those in the
generalised support: those of zero weights, and that of the sum. Their bounds do not depend on θ.

Bertrand et al., JMLR 2022, have the dual of the SVM among their examples. For ``H`` and the bounds' motion the formula
is that of the optimality conditions, differentiated: ``x_iᵀw = y_i − ε sign(β_i)`` on S, ``β_i = C·factor_i`` off it.
"""

import numpy as np

from lambdahat.box_problem import BoxProblem, Dual
from lambdahat.hypergradient.base import Judge
from lambdahat.linear import Vector
from lambdahat.problem import Solution

_LOOSEST = 0.03


def boundary(problem: BoxProblem, solution: Solution, judge: Judge, *, tol: float) -> tuple[float, Vector]:
    """A criterion at a solution, and its gradient with respect to θ = (C, ε).

    Parameters
    ----------
    problem : BoxProblem
    solution : Solution
        Of this problem, with its dual point.
    judge : callable
        The criterion.
    tol : float
        Relative duality gap of the solution; conjugate gradients stop as those of ``implicit`` do.

    Returns
    -------
    value : float
    gradient : array of shape (2,)
    """
    assert isinstance(solution.workspace, Dual)
    beta, penalty = solution.workspace.beta, problem.penalty
    columns = np.arange(problem.n_features, dtype=np.int32)  # a weight of zero may be about to move
    value, slopes, intercept_slope = judge(columns, solution.w, solution.intercept)
    w = problem.weights(solution)
    left = problem.tangent(w, np.append(slopes, problem.constant * intercept_slope))
    S = penalty.generalized_support(beta)
    v = np.zeros(S.size)
    if S.size:
        b = problem.prediction_on(S, left)
        atol = min(_LOOSEST, 0.3 * tol**0.5, 1e4 * tol) * float(np.abs(b).max())
        v = problem.solve_free(S, w, b, atol=atol, max_iter=2 * S.size + 100)
        left = left - problem.tangent(w, problem.combine(S, v))
    factors = penalty.boundary(beta)
    moving = np.flatnonzero(factors).astype(np.int32)
    with_bounds = float(left @ problem.combine(moving, factors[moving]))
    return value, np.array([with_bounds, 0.0]) - penalty.hyperparam_vjp(S, beta[S], v)

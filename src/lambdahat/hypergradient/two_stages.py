"""Implicit differentiation through two stages: the one formula, twice.

With ``λ_j = α ω_j(w⁰)`` the strengths of the second stage, its implicit system yields ``dC/dλ_j`` for all features. The
direct part of the derivative is ``dC/dα = Σ_j ω_j dC/dλ_j``; the rest goes through the weights,

    ∂C/∂w⁰ = (∂ω/∂w⁰)ᵀ (α dC/dλ),

which is to the first stage what the slope of a criterion is to any problem: its own implicit system turns it into
``dC/dα₀``. Each system has the size of the support of its stage.
"""

from __future__ import annotations

from lambdahat.design import Columns
from lambdahat.hypergradient.base import Judge
from lambdahat.hypergradient.implicit import implicit
from lambdahat.linear import Vector
from lambdahat.problem import Solution
from lambdahat.two_stages import Stages, TwoStages

Adjoints = tuple[Vector | None, Vector | None]
"""The solutions of the linear systems of both stages."""


def through_both(
    problem: TwoStages, solution: Solution, judge: Judge, *, tol: float, guess: Adjoints | None = None
) -> tuple[float, Vector, Adjoints]:
    """A criterion at a solution, and its gradient with respect to θ.

    Parameters
    ----------
    problem : TwoStages
    solution : Solution
        Of this problem, with that of its first stage.
    judge : callable
        The criterion.
    tol : float
        Relative duality gap of both solutions: see :func:`lambdahat.hypergradient.implicit`.
    guess : pair of arrays shaped as the coefficients, optional
        The adjoints at a nearby θ.

    Returns
    -------
    value : float
    gradient : array of shape (d,)
    adjoints : pair of arrays shaped as the coefficients
    """
    assert isinstance(solution.workspace, Stages)
    first, (v1, v2) = solution.workspace.first, (None, None) if guess is None else guess
    second = problem.second(first.w)
    value, by_strength, v2 = implicit(second, solution, judge, tol=tol, guess=v2)
    seen = by_strength != 0.0
    by_alpha = float(problem.weights(first.w)[seen] @ by_strength[seen])
    slopes = problem.weights_vjp(first.w, problem.alpha * by_strength)

    def through_weights(support: Columns, w_S: Vector, offset: float) -> tuple[float, Vector, float]:
        return value, slopes[support], 0.0

    _, by_initial, v1 = implicit(problem.first, first, through_weights, tol=tol, guess=v1)
    return value, problem.theta_vjp(by_alpha, float(by_initial[0])), (v1, v2)

"""Predictions of each row by a fit without it, with their exact slopes: of several targets, of blocks, and of classes.

As ``criteria/each_row.py``, where the fit without row i follows a force on its predictions by

    v_i = (∇²F_i + ∇²g(w_i))_AA⁻¹ (x̃_i ⊗ I)_A c_i,

which depends on the direction ``c_i`` of the force, as a norm bends across the coefficients of a block.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lambdahat.criteria.base import as_solved
from lambdahat.criteria.descent import Descent
from lambdahat.criteria.influences import Fits, without_rounding
from lambdahat.criteria.newton_steps import along_both
from lambdahat.criteria.solved_anew import EFFORT, Anew, is_little_work, solved_anew
from lambdahat.criteria.without_rows import interpolates, of_classes, of_targets
from lambdahat.design import Columns
from lambdahat.hypergradient import implicit
from lambdahat.linear import Matrix, Vector, by_row
from lambdahat.penalties import Blockwise, Separable
from lambdahat.problem import Problem, Solution

_TIGHTEST = 1e-10


def without_each_row_of_blocks(
    problem: Problem, solution: Solution, *, intercept: bool
) -> tuple[Matrix, Callable[[Matrix], Vector]] | None:
    """Predictions of each row by a fit without it, and from slopes in these to slopes in θ.

    None where the fit follows nearly all targets, by a support that changes with every row.
    """
    at = as_solved(problem, solution, problem.penalty.generalized_support(solution.w))
    z = problem.prediction(*at)
    model = (of_targets if problem.datafit.row_wise else of_classes)(problem, z, *at[:2], intercept)
    if interpolates(problem, model.freedom):
        return None
    parts = [(Z, D, model.moved(rows, Z, D)) for rows, Z, _, D in model.each()]
    Z, D, moved = (np.concatenate(each) for each in zip(*parts, strict=True))
    anew = dict[int, Anew]()
    on = model.own_penalty
    if len(model.w.T) == 1 and is_little_work(problem, len(model.w)):
        moved, anew = solved_anew(problem, z, model.w[:, 0], on, Fits(Z, D[:, 0], moved), intercept=intercept)

    def pull(slopes: Matrix) -> Vector:
        W = model.w.T + D
        for i, fit in anew.items():
            W[i, 0], D[i] = model.w[:, 0] + fit.step, 0.0  # the model's own step may be of no use
        W = without_rounding(W, model.G)
        terms = slopes.reshape(len(W), Z.shape[1], -1)
        V, offsets = model.responses(slice(0, len(W)), Z, W, terms)
        for i, fit in anew.items():
            V[i] = _alone(fit, on, W[i : i + 1], terms[i : i + 1], model.shares[i : i + 1])[0] / model.scale
        by_theta = -model.hyperparam_vjp(W, (1.0 - model.shares)[:, None, None] * V)
        if problem.datafit.quadratic:
            return by_theta
        V[list(anew)] = offsets[list(anew)] = 0.0
        levels = moved - np.einsum("irq,iq->ir", Z, D[:, 0])
        along = along_both(Z, D[:, 0], levels, V[:, 0], offsets[:, :, 0])
        forces = -by_row(problem.design.weights * model.scale, _bent(problem, z, along))

        def judge(support: Columns, w_S: Matrix, offset: Vector) -> tuple[float, Matrix, Vector]:
            return 0.0, problem.design.gradient_columns(support, forces), forces.sum(axis=0)

        return by_theta + implicit(problem, solution, judge, tol=max(solution.gap, _TIGHTEST))[1]

    return z + moved.reshape(z.shape), pull


def _alone(fit: Anew, penalty: Separable | Blockwise, W: Matrix, terms: Matrix, shares: Vector) -> Matrix:
    """By how much a fit that was found anew follows a force on the row that it leaves out."""
    Z = fit.images[None]
    D, nothing = np.zeros_like(W), np.zeros((1, Z.shape[1], Z.shape[1]))
    Descent(fit.G, penalty, EFFORT).respond(W, Z, nothing, terms, shares, D)
    return D


def _bent(problem: Problem, z: Matrix, along: Matrix) -> Matrix:
    """The third derivative of the loss of each row, taken ``along`` two of its three directions, shape (n, r, r).

    Of classes, with ``p`` the probabilities and ``Ω = diag(p) − p pᵀ``, along ``v uᵀ`` it is
    ``p∘(v∘u) − p ⟨p, v∘u⟩ − Ω (⟨p, u⟩ v + ⟨p, v⟩ u)``.
    """
    if problem.datafit.row_wise:
        return problem.datafit.curvature_slope(problem.y, z) * along[:, 0, 0]
    p = problem.datafit.response(z)
    both = np.diagonal(along, axis1=1, axis2=2)
    mixed = ((along + along.transpose(0, 2, 1)) @ p[:, :, None])[:, :, 0]
    bent = both - mixed
    return np.asarray(p * (bent - np.sum(p * bent, axis=1, keepdims=True)))

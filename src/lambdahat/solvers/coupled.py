"""Losses whose rows depend on each other: their model on short dense columns, Newton's step on a support of others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lambdahat.coupled import CoupledModel
from lambdahat.design import Columns
from lambdahat.design.forms import MAX_PRODUCTS, GramForm
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Penalty
from lambdahat.problem import Problem


class CoupledForm(GramForm):
    """``G = X̃ᵀHX̃`` with a matrix H; ``residual`` maps a step of the coefficients to the weighted residual there.

    ``rr`` stands for the squared norm of the residual at ``w``. Rough, it makes the gap rough where a dual point has to
    be shrunk, so that it has a say in when the model counts as solved, but in nothing else.
    """

    def __init__(
        self, G: Matrix, rr: float, h: Vector, w: Vector, penalty: Penalty, residual: Callable[[Vector], Vector]
    ) -> None:
        Gw = G @ w
        super().__init__(G, h + Gw, rr + float((2.0 * h + Gw) @ w), h.copy(), w.copy(), penalty)
        self._start, self._residual = w, residual

    def weighted_residual(self) -> Vector:
        return self._residual(self.w - self._start)


def coupled_form(
    problem: Problem, z: Vector, q: Vector, columns: Columns, h: Vector, w: Vector, share: float
) -> CoupledForm | None:
    """The form of a working set, or None where the loss or the columns want that of the diagonal model.

    Parameters
    ----------
    problem : Problem
    z, q : arrays of shape (n,)
        Predictions, and the weighted residual there.
    columns : array of column numbers
    h, w : arrays
        ``X̃ᵀq`` and coefficients of these columns.
    share : float
        How far H is from ``∇²F`` towards its diagonal bound: see :meth:`lambdahat.datafits.Datafit.images`.
    """
    design, datafit, y, s = problem.design, problem.datafit, problem.y, problem.design.weights
    images = datafit.images(y, z, share) if design.is_short(columns) else None
    hessian = None if images is None else datafit.hessian(y, z, s)
    if images is None or hessian is None:
        return None
    rows, image = images
    A = design.gather_rows(columns, rows)
    diagonal = s * np.maximum(datafit.curvature(y, z), share * datafit.secant(y, z))
    rr = float(np.sum(np.divide(q**2, diagonal, out=np.zeros_like(q), where=diagonal > 0.0)))

    def residual(step: Vector) -> Vector:
        return np.asarray(q - hessian(design.product(columns, step)))

    return CoupledForm(A @ image(A).T, rr, h, w, problem.penalty.restricted(columns), residual)


def newton_target(problem: Problem, local: CoupledModel, S: Columns, w_S: Vector, q: Vector, damping: float) -> Vector:
    """Where a damped Newton step on a support leads, or the kinks that it would cross on the way.

    The diagonal model does not know how rows depend on each other: it finds the support, and is slow in the end.
    """
    on = problem.penalty.restricted(S)
    b = problem.design.gradient_columns(S, q) - on.gradient(w_S)
    atol = 0.1 * float(np.abs(b).max(initial=0.0))
    new = w_S + local.solve_support(S, w_S, b, atol=atol, damping=damping, most=MAX_PRODUCTS)
    target = on.crossing(w_S, new)
    return np.asarray(new if target is None else target)

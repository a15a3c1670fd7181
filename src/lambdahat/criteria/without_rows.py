"""Predictions of each row by a fit without it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.influences import Fits, Influences, nearest
from lambdahat.criteria.left_out import LeftOut, symmetric_pinv
from lambdahat.criteria.solved_anew import is_little_work, solved_anew
from lambdahat.design import Columns
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Blockwise, Entrywise, Separable
from lambdahat.problem import Problem

_FOLLOWS = 0.9


def predictions_without_rows(
    problem: Problem, support: Columns, w_S: Matrix, offset: Any, *, intercept: bool
) -> Matrix | None:
    """Predictions of each row by a fit without it, approximately, from a solution with all rows.

    None where the fit follows nearly all targets, by a support that changes with every row.
    """
    at = support, w_S, offset
    z = problem.prediction(*at)
    if isinstance(problem.penalty, Separable):
        found = Influences.at(problem, *at, intercept=intercept)
        if interpolates(problem, float(found.each @ found.bends)):
            return None
        columns = None if problem.penalty.is_smooth else found.columns(problem, z)
        if columns is None:
            return found.without(z)
        around = found.around(problem, z, columns, found.newton.inverse)
        on = problem.penalty.restricted(columns)
        return _predictions(problem, z, around.w, on, found.by_descent(around), intercept)
    model = (of_targets if problem.datafit.row_wise else of_classes)(problem, z, support, w_S, intercept)
    if interpolates(problem, model.freedom):
        return None
    if not model.descends or model.w.shape[1] > 1:
        return model.predictions(z)
    fits = (Fits(Z, D[:, 0], model.moved(rows, Z, D)) for rows, Z, _, D in model.each())
    return _predictions(problem, z, model.w[:, 0], model.own_penalty, fits, intercept)


def _predictions(
    problem: Problem, z: Matrix, w: Vector, penalty: Separable | Blockwise, fits: Iterable[Fits], intercept: bool
) -> Matrix:
    """From second-order models without each row, or where these are too far off and rows few, from fits."""
    if not is_little_work(problem, w.size):
        return np.asarray(z + np.concatenate([each.moved for each in fits]).reshape(z.shape))
    moved, _ = solved_anew(problem, z, w, penalty, Fits.of_all(fits), intercept=intercept)
    return np.asarray(z + moved.reshape(z.shape))


def interpolates(problem: Problem, freedom: float) -> bool:
    """Whether a fit of so many degrees of freedom follows nearly all of its targets, by a penalty with kinks."""
    each = int(np.prod(problem.y.shape[1:])) - (problem.y.ndim > 1 and not problem.datafit.quadratic)
    return not problem.penalty.is_smooth and freedom > _FOLLOWS * problem.design.rows.size * each


def of_targets(
    problem: Problem, z: Matrix, support: Columns, w_S: Matrix, intercept: bool, besides: Columns | None = None
) -> LeftOut:
    """Of a loss whose rows do not depend on each other; with several targets, of least squares.

    ``besides`` are columns that are to be there too.
    """
    penalty, h = problem.penalty, problem.design.gradient(problem.residual(z))
    slopes, bends = problem.datafit.gradient(problem.y, z), problem.datafit.curvature(problem.y, z)
    own = penalty.whole_blocks(support)
    near = nearest(problem, h, slopes, own, own.size).astype(np.int32)
    if besides is not None:
        near = np.setdiff1d(np.union1d(near, besides), own).astype(np.int32)
    columns = np.concatenate([own, penalty.whole_blocks(near)])
    local = problem.local(z, columns)
    assert isinstance(local.penalty, Blockwise | Separable)
    w, moving = np.zeros((problem.n_features, *z.shape[1:])), np.zeros(problem.n_features, dtype=bool)
    w[support], moving[support] = w_S, True
    if bends.ndim == 2:
        bends = bends[:, 0]
    weights = problem.design.weights * local.scale
    slopes = slopes.reshape(len(z), 1, -1)
    shape = columns.size, slopes.shape[2]
    on = local.penalty.restricted(columns)

    def hyperparam_vjp(W: Matrix, V: Matrix) -> Vector:
        of_columns = (n_vectors.transpose(0, 2, 1).reshape(len(W), *w[columns].shape) for n_vectors in (W, V))
        return on.hyperparam_vjp_of_many(*of_columns)

    return LeftOut(
        local.design, columns, lambda X: X[:, None], local.design.support_gram(columns),
        -local.scale * h[columns].reshape(shape), w[columns].reshape(shape),
        on, np.flatnonzero(moving[columns]).astype(np.int32), np.ones((1, 1)) if intercept else None,
        (weights * bends)[:, None, None], weights[:, None, None] * slopes, problem.design.weights,
        hyperparam_vjp, local.scale,
    )  # fmt: skip


def of_classes(problem: Problem, z: Matrix, support: Columns, w_S: Matrix, intercept: bool) -> LeftOut:
    """Of the multinomial loss, whose curvature is ``diag(p) − p pᵀ`` in each row."""
    penalty, design = problem.penalty, problem.design
    assert isinstance(penalty, Blockwise | Entrywise)
    h, w = design.gradient(problem.residual(z)), problem.zeros()
    w[support] = w_S
    moving = np.zeros(w.shape, dtype=bool)
    on = penalty.restricted(support).moving(w_S)
    moving[support] = True if on is None else on
    p, s = problem.datafit.response(z), design.weights
    slopes = problem.datafit.gradient(problem.y, z)
    used = moving.copy()
    if on is None:
        used[nearest(problem, h, slopes, support, support.size)] = True
    else:
        used.ravel()[nearest(problem, h, slopes, moving, int(moving.sum()))] = True
    columns = np.flatnonzero(used.any(axis=1)).astype(np.int32)
    on, entries = used[columns], np.nonzero(used[columns])
    G, across, B = _gram_of_classes(problem, columns, entries, p)
    shift = symmetric_pinv(B) @ across.T if intercept else np.zeros(across.T.shape)
    G -= across @ shift

    def images(X: Matrix) -> Matrix:
        Z = np.broadcast_to(-shift, (len(X), *shift.shape)).copy()
        Z[:, entries[1], np.arange(shift.shape[1])] += X[:, entries[0]]
        return Z

    def hyperparam_vjp(W: Matrix, V: Matrix) -> Vector:
        of_columns = np.zeros((2, len(W), *on.shape))
        of_columns[:, :, on] = W[:, 0], V[:, 0]
        return penalty.restricted(columns).hyperparam_vjp_of_many(*of_columns)

    bends = p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
    return LeftOut(
        design, columns, images, G, -h[columns][on][:, None], w[columns][on][:, None],
        penalty.restricted(columns).of_entries(on), np.flatnonzero(moving[columns][on]).astype(np.int32),
        B if intercept else None, s[:, None, None] * bends,
        (s[:, None] * slopes)[:, :, None], s, hyperparam_vjp,
    )  # fmt: skip


def _gram_of_classes(
    problem: Problem, columns: Columns, entries: tuple[NDArray[np.intp], ...], p: Matrix
) -> tuple[Matrix, Matrix, Matrix]:
    """``∇²F`` of some entries (column, class), of entries and offsets, and of offsets."""
    (column, of_class), s, K = entries, problem.design.weights, p.shape[1]
    G, across = np.zeros((column.size, column.size)), np.zeros((column.size, K))
    for part in problem.design.row_blocks(columns):
        X, P, weights = part.dense()[:, column], p[part.rows], s[part.rows, None]
        shared = weights * X * P[:, of_class]
        across -= shared.T @ P
        across[np.arange(column.size), of_class] += shared.sum(axis=0)
        G -= shared.T @ (X * P[:, of_class])
        for k in range(K):
            own = np.flatnonzero(of_class == k)
            G[np.ix_(own, own)] += shared[:, own].T @ X[:, own]
    return G, across, np.diag(s @ p) - (s[:, None] * p).T @ p

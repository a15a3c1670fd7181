"""Fits without a row, where a second-order model is too far from them: of few rows, by losses that bend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lambdahat.criteria.descent import Descent, Effort, sizes
from lambdahat.criteria.influences import Fits
from lambdahat.criteria.left_out import symmetric_pinv
from lambdahat.datafits import RootMeanSquare
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Blockwise, Separable
from lambdahat.problem import Problem

_LITTLE_WORK, _MOST_WORK = 1e7, 1e9
_UNSURE = 0.002  # of the criterion: what rows that are not solved anew may be off by, in all
_FAR = 10.0  # times the loss of the fit: of rows whose model is of no use
_ROUNDS, _HALVES, _SETTLED = 5, 8, 0.03
EFFORT = Effort(1e-4, 1e-3, 1_000)


def is_little_work(problem: Problem, q: int) -> bool:
    """Whether to compute all predictions without each row, of q coefficients, of a loss that is no quadratic."""
    bends = not (problem.datafit.quadratic or isinstance(problem.datafit, RootMeanSquare))
    return bends and float(problem.y.size) * len(problem.y) * max(q, 1) <= _LITTLE_WORK


def solved_anew(
    problem: Problem, z: Matrix, w: Vector, penalty: Separable | Blockwise, fits: Fits, *, intercept: bool
) -> tuple[Matrix, dict[int, Anew]]:
    """By how much the prediction of each row moves without it, shape (n, r), and the rows that were solved anew.

    It is at first that of ``fits``, of a second-order model. With ``r_ij`` what slopes of row j without row i differ by
    from the model's, and ``u_ij`` by how much its prediction moves, ``ρ_i = Σ_j r_ij u_ij / Σ_j f''_j u_ij²`` is how
    far off the model's Hessian is along the step, and ``ρ_i f'_i u_ii`` about what this makes the criterion differ by.
    Rows for which that is most are solved anew, by Newton's method with descent, until what is left is little in sum.
    ``w`` and ``penalty`` are of the coefficients.
    """
    rows = _Rows(problem, z.reshape(len(z), -1), fits.images, w, penalty, intercept)
    offsets = (fits.moved - np.einsum("irq,iq->ir", fits.images, fits.steps)) * intercept
    moved, anew = fits.moved.copy(), dict[int, Anew]()
    affordable = int(_MOST_WORK / (problem.y.size * float(w.size + 1) ** 2)) + 1
    for i in rows.suspects(fits, offsets)[:affordable].tolist():
        anew[i] = rows.without(i, fits.steps[i], offsets[i])
        moved[i] = anew[i].moved
    return moved, anew


@dataclass(frozen=True, eq=False)
class Anew:
    """A fit without a row, by Newton's method.

    Attributes
    ----------
    moved : array of shape (r,)
        By how much the predictions of the row move.
    step : array of shape (q,)
        Of the coefficients.
    G : array of shape (q, q)
        The Hessian of the loss of the other rows, the offset at its best.
    images : array of shape (r, q)
        By how much the row's predictions move with the coefficients, and the offset.
    """

    moved: Vector
    step: Vector
    G: Matrix
    images: Matrix


@dataclass(frozen=True, eq=False)
class _Rows:
    """A loss of rows whose coefficients are one vector, and predictions ``z`` of shape (n, r) at ``w``."""

    problem: Problem
    z: Matrix
    images: Matrix
    w: Vector
    penalty: Separable | Blockwise
    intercept: bool

    def _slopes(self, z: Matrix) -> Matrix:
        """``f'`` at predictions of shape (m, n, r)."""
        y = np.broadcast_to(self.problem.y, (len(z), *self.problem.y.shape))
        flat = z.reshape(-1, *self.problem.y.shape[1:])
        return self.problem.datafit.gradient(y.reshape(flat.shape), flat).reshape(z.shape)

    def _bends(self, z: Matrix) -> Matrix:
        """``f''`` of all rows, shape (n, r, r)."""
        datafit = self.problem.datafit
        if z.shape[1] == 1:
            return datafit.curvature(self.problem.y, z[:, 0])[:, None, None]
        p = datafit.response(z)
        return p[:, :, None] * (np.eye(z.shape[1]) - p[:, None])

    def _value(self, z: Matrix, weights: Vector) -> float:
        return self.problem.datafit.value(self.problem.y, z.reshape(self.problem.y.shape), weights)

    def suspects(self, fits: Fits, offsets: Matrix) -> Any:
        """The rows to be solved anew, those first that count most."""
        n, r = self.z.shape
        s, moved = self.problem.design.weights, fits.moved
        U = (fits.steps @ self.images.reshape(n * r, -1).T).reshape(n, n, r) + offsets[:, None]
        straight = (self._bends(self.z) @ U[..., None])[..., 0] if r > 1 else self._bends(self.z)[:, 0] * U
        with np.errstate(over="ignore", invalid="ignore"):
            rest = self._slopes(self.z + U) - self._slopes(self.z[None]) - straight
            others = s * ~np.eye(n, dtype=bool)
            forms = np.sum(others * np.sum(straight * U, axis=2), axis=1)
            along = np.abs(np.sum(others * np.sum(rest * U, axis=2), axis=1))
            own = s * np.abs(np.sum(self._slopes((self.z + moved)[None])[0] * moved, axis=1))
            each = own * np.divide(along, forms, out=np.ones(n), where=forms > 0.0)
            each = np.nan_to_num(each, nan=np.inf, posinf=np.inf)
            value = np.fmin(self._value(self.z + moved, s), _FAR * self._value(self.z, s))
        order = np.argsort(-each, kind="stable")
        left = np.cumsum(each[order][::-1])[::-1]  # by this and all that count less
        return order[left > _UNSURE * value]

    def without(self, i: int, d: Vector, b: Vector) -> Anew:
        """The fit without row i, by Newton's method from steps ``d`` and ``b``."""
        n, r = self.z.shape
        s = self.problem.design.weights
        flat, others, share = self.images.reshape(n * r, -1), np.where(np.arange(n) == i, 0.0, s), s[i : i + 1]
        nothing = np.zeros((1, 1, d.size)), np.zeros((1, 1, 1)), np.zeros((1, 1, 1))

        def at(d: Vector, b: Vector) -> tuple[Matrix, float]:
            z = self.z + (flat @ d).reshape(n, r) + b
            return z, self._value(z, others) + (1.0 - float(s[i])) * self.penalty.value(self.w + d)

        begins = (d, b), (np.zeros_like(d), np.zeros(r))  # where the model is of no use, at the fit with the row
        d, b = min(begins, key=lambda begin: np.nan_to_num(at(*begin)[1], nan=np.inf))
        z, value = at(d, b)
        for _ in range(_ROUNDS):
            slopes = (others[:, None] * self._slopes(z[None])[0]).reshape(n * r)
            bends = others[:, None, None] * self._bends(z)
            bent = (bends @ self.images if r > 1 else bends * self.images).reshape(n * r, -1)
            G, pull = flat.T @ bent, flat.T @ slopes
            level, shift = np.zeros(r), np.zeros((r, d.size))
            if self.intercept:
                across = bent.reshape(n, r, -1).sum(axis=0)
                inverse = symmetric_pinv(bends.sum(axis=0))
                level, shift = inverse @ slopes.reshape(n, r).sum(axis=0), inverse @ across
                G, pull = G - across.T @ shift, pull - across.T @ level
            step = d[None, None].copy()
            of_quadratic = pull[None, None].copy(), sizes(step, step @ G)
            Descent(G, self.penalty, EFFORT).without_rows(self.w[:, None], *nothing, share, step, *of_quadratic)
            new, offset = step[0, 0], b - level - shift @ (step[0, 0] - d)
            there, then = at(new, offset)
            for _ in range(_HALVES):
                if then <= value:
                    break
                new, offset = 0.5 * (d + new), 0.5 * (b + offset)
                there, then = at(new, offset)
            if not then <= value:
                break
            settled = np.linalg.norm(there - z) <= _SETTLED * np.linalg.norm(there - self.z)
            z, d, b, value = there, new, offset, then
            if settled:
                break
        return Anew(z[i] - self.z[i], d, G, self.images[i] - shift)

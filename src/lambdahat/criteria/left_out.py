"""The second-order model of a fit without each row, where rows have several predictions or penalties blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.degrees_of_freedom import rank
from lambdahat.criteria.descent import ROUGHLY, SETTLED, Descent, sizes
from lambdahat.criteria.influences import MOST_WORK
from lambdahat.criteria.newton_steps import OfOneVector, OfTargets, times
from lambdahat.design import Columns, Design
from lambdahat.linear import Curvature, Matrix, Vector
from lambdahat.penalties import Blockwise, Separable

SINGULAR = 1e-10
_LITTLE_WORK = 5e6  # rows times the square of coefficients
_SURE = 0.99  # leverage of a row beyond which a Newton step without it says nothing
_AT_ONCE = 2**17  # numbers in the images of rows that are in memory together


def symmetric_pinv(A: Matrix) -> Matrix:
    """Of a small symmetric matrix that is at least zero, which may be singular by what is the same for all classes."""
    if A.shape[-1] == 1:
        return np.divide(1.0, A, out=np.zeros_like(A), where=A > 0.0)
    return np.asarray(np.linalg.pinv(A, rcond=SINGULAR, hermitian=True))


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The second-order model of a fit, without row i.

    With a step ``D`` of shape (q, T) from the coefficients and an offset ``b``, row i has ``U = Z_i D + b``, of shape
    (r, T), and without it

        ½⟨D, G D⟩ + ⟨gradient, D⟩ + ½⟨b, B b⟩ − ½⟨U, Ω_i U⟩ − ⟨t_i, U⟩ + (1 − s_i) g(w + D)

    is minimal. Images ``Z`` are those in which the offset of all rows is eliminated. T targets have the same image; K
    classes depend on each other, and their coefficients are one vector, with r = K images.

    Attributes
    ----------
    design : Design
        Centred as the offset that is best of second-order models asks for.
    columns : array of column numbers
        Of the support, and what is nearest to entering it.
    images : callable
        From ``X̃`` of m rows and these columns to their Z, of shape (m, r, q).
    G : array of shape (q, q)
    gradient, w : arrays of shape (q, T)
    penalty : Separable or Blockwise
        Of these coefficients, in the units of G.
    support : array of numbers below q
        Where the penalty is smooth around w.
    B : array of shape (r, r), optional
        Where there is an offset.
    omegas : array of shape (n, r, r)
    terms : array of shape (n, r, T)
    shares : array of shape (n,)
        The s of a mean of losses.
    hyperparam_vjp : callable
        From coefficients of n fits and n vectors like them, both of shape (n, T, q), to ``Σ_i ∂_θ⟨∇g(w_i), v_i⟩``.
    scale : float
        The unit of G, over that of the objective.
    """

    design: Design
    columns: Columns
    images: Callable[[Matrix], Matrix]
    G: Matrix
    gradient: Matrix
    w: Matrix
    penalty: Separable | Blockwise
    support: NDArray[np.int32]
    B: Matrix | None
    omegas: Matrix
    terms: Matrix
    shares: Vector
    hyperparam_vjp: Callable[[Matrix, Matrix], Vector]
    scale: float = 1.0

    @property
    def own_penalty(self) -> Separable | Blockwise:
        """In the units of the objective."""
        return self.penalty.scaled(1.0 / self.scale)

    @cached_property
    def _curvature(self) -> Curvature:
        w_S = self.w[self.support]
        return self.penalty.restricted(self.support).curvature(w_S[:, 0] if w_S.shape[1] == 1 else w_S)

    @cached_property
    def freedom(self) -> float:
        """The degrees of freedom of the fit, the trace of all leverages."""
        S, T = self.support, self.w.shape[1]
        of_offset = 0 if self.B is None else T * rank(self.B)
        if S.size == 0:
            return float(of_offset)
        return float(of_offset) + self.newton.trace(self.G[np.ix_(S, S)])

    @property
    def followed(self) -> float:
        """The share of what rows say that the fit follows: mean leverage."""
        n_images, n_targets = self.terms.shape[1:]
        each = max(n_images - 1, 1) * n_targets  # probabilities of classes sum to one
        return float(self.freedom / (np.count_nonzero(self.shares) * each))

    def predictions(self, z: Matrix) -> Matrix:
        """Predictions of each row without it; z are those with it."""
        out = z.reshape(len(z), -1).copy()
        for rows, Z, moved, D in self.each():
            out[rows] += self.moved(rows, Z, D) if self.descends else moved
        return out.reshape(z.shape)

    @property
    def descends(self) -> bool:
        """Whether coefficients come and go, and letting them is not too much work."""
        return not self.penalty.is_smooth and self._work <= MOST_WORK

    @property
    def _work(self) -> float:
        return float(len(self.shares)) * self.w.size * len(self.w)

    @cached_property
    def _descent(self) -> Descent:
        effort = SETTLED if self._work <= _LITTLE_WORK else ROUGHLY
        return Descent(self.G, self.penalty, effort.where(self.followed))

    @cached_property
    def _rows_of_support(self) -> Matrix:
        """Of G, in the numbers of descent."""
        return self._descent.rounded[self.support]

    def each(self) -> Iterator[tuple[slice, Matrix, Matrix, Matrix]]:
        """Runs of rows, their images, by how much Newton steps move their predictions, and steps, by descent if any."""
        at_once = max(1, _AT_ONCE // max(1, self.w.size * self.omegas.shape[1]))
        for part in self.design.row_blocks(self.columns):
            X, first = part.dense(), part.rows.start
            for start in range(0, len(X), at_once):
                Z = self.images(X[start : start + at_once])
                rows = slice(first + start, first + start + len(Z))
                moved, D = self.newton_steps(rows, Z)
                if self.descends:
                    self.descend(rows, Z, D)
                yield rows, Z, moved, D

    @cached_property
    def newton(self) -> OfOneVector | OfTargets:
        """Newton's step on the support."""
        S = self.support
        kind = OfOneVector if self.w.shape[1] == 1 else OfTargets
        return kind.at(self.G[np.ix_(S, S)], self._curvature, -self.gradient[S])

    def newton_steps(self, rows: slice, Z: Matrix) -> tuple[Matrix, Matrix]:
        """By how much predictions of rows move without them, and steps of shape (m, T, q): on the support."""
        return self._newton(Z, self.omegas[rows], self.terms[rows], self.shares[rows])

    def _newton(self, Z: Matrix, omegas: Matrix, terms: Matrix, shares: Vector) -> tuple[Matrix, Matrix]:
        moved, steps = self.newton.without(Z[:, :, self.support], self._of_offset, omegas, terms, shares)
        pushes = terms + omegas @ moved.reshape(terms.shape)
        unsure = np.sum(pushes**2, axis=(1, 2)) > np.sum(terms**2, axis=(1, 2)) / (1.0 - _SURE) ** 2
        D = np.zeros((len(Z), *self.w.T.shape))
        D[:, :, self.support] = np.where(unsure[:, None, None], 0.0, steps)
        return moved, D

    def responses(self, rows: slice, Z: Matrix, W: Matrix, terms: Matrix) -> tuple[Matrix, Matrix]:
        """By how much fits without some rows, with coefficients ``W``, follow forces ``terms`` on these rows.

        That is coefficients, of shape (m, T, q), and offsets, of shape (m, r, T).
        """
        omegas = self.omegas[rows]
        D = self._newton(Z, omegas, terms, np.zeros_like(self.shares[rows]))[1]
        D[W == 0.0] = 0.0
        offsets, follows = self._offsets(rows)
        moving = np.flatnonzero(np.any(W != 0.0, axis=(0, 1)) | self.penalty.free)
        used = self.penalty.whole_blocks(moving.astype(np.int32))
        W, some, steps = (vectors[:, :, used] for vectors in (W, Z, D))
        of_rows = (some, follows @ omegas, follows @ terms, self.shares[rows])
        moved = Descent(self.G[np.ix_(used, used)], self.penalty.restricted(used), self._descent.effort)
        moved.respond(W, *of_rows, steps)
        D[:, :, used] = steps
        return D, offsets @ (omegas @ (Z @ D.transpose(0, 2, 1)) + terms)

    @cached_property
    def _of_offset(self) -> Matrix:
        """What the offset adds to the response of a row's predictions."""
        return np.zeros_like(self.omegas[0]) if self.B is None else symmetric_pinv(self.B)

    @cached_property
    def _of_offsets(self) -> Matrix:
        """The same without each row, ``(B − Ω_i)⁻¹``."""
        return np.zeros_like(self.omegas) if self.B is None else symmetric_pinv(self.B - self.omegas)

    def _offsets(self, rows: slice) -> tuple[Matrix, Matrix]:
        """``(B − Ω_i)⁻¹``, and what the terms of a row are multiplied with to have the offset at its best."""
        inverses = self._of_offsets[rows]
        return inverses, np.eye(inverses.shape[1]) + self.omegas[rows] @ inverses

    def descend(self, rows: slice, Z: Matrix, D: Matrix, l1: Matrix | None = None) -> None:
        """Solve without each of some rows, from steps D, which change in place; each may have its own ``l1``."""
        follows = self._offsets(rows)[1]
        of_rows = (Z, follows @ self.omegas[rows], follows @ self.terms[rows], self.shares[rows])
        steps, rows_of_G = D[:, :, self.support], self._rows_of_support  # at first no others move
        images = times(steps.astype(rows_of_G.dtype), rows_of_G)
        size = sizes(D, images)
        images += self.gradient.T
        self._descent.without_rows(self.w, *of_rows, D, images, size, l1)

    def moved(self, rows: slice, Z: Matrix, D: Matrix) -> Matrix:
        """By how much predictions of rows move with steps D, and the best offset."""
        U = Z @ D.transpose(0, 2, 1)
        offsets = self._offsets(rows)[0] @ (self.omegas[rows] @ U + self.terms[rows])
        return np.asarray((U + offsets).reshape(len(Z), -1))

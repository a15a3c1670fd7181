"""`CoupledModel`, the second-order model of a loss whose rows, or targets, depend on each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.design import Columns, Design
from lambdahat.linear import Matrix, Vector, conjugate_gradient
from lambdahat.penalties import Penalty

_MOST_PRODUCTS = 10_000


@dataclass(frozen=True, eq=False)
class CoupledModel:
    """What derivatives see of such a problem at a point: the place of the least-squares model that other losses have.

    The Hessian of ``F`` in the predictions is no diagonal matrix, and known by its products. The offset is eliminated
    exactly: with ``H`` this Hessian and ``1`` the predictions that an offset moves (a column for each target), a step
    ``d`` of predictions is followed by the offset ``−(1ᵀH1)⁺ 1ᵀHd``.

    Attributes
    ----------
    design : Design
        That of the problem.
    penalty : Penalty
    hessian : callable
        ``d ↦ ∇²F(z) d``, weights included; ``d`` is shaped as the predictions.
    diagonal : array shaped as the predictions
        ``s∘f''``, for the preconditioner: the diagonal of ``∇²F``, or more.
    has_offset : bool
    """

    design: Design
    penalty: Penalty
    hessian: Callable[[Matrix], Matrix]
    diagonal: Matrix
    has_offset: bool
    scale: float = 1.0

    @cached_property
    def _offsets(self) -> tuple[Matrix, Matrix]:
        """``H1``, a column an offset, and the pseudo-inverse of ``1ᵀH1``."""
        shape = self.diagonal.shape
        T = int(np.prod(shape[1:]))
        images = np.stack([self.hessian(np.broadcast_to(e, shape)) for e in np.eye(T).reshape(T, *shape[1:])], axis=-1)
        images = images.reshape(shape[0], T, T)
        return images, np.linalg.pinv(images.sum(axis=0), hermitian=True)

    def image(self, support: Columns, step: Matrix) -> Matrix:
        """How predictions follow a step, the best offset with it."""
        image = Passes(self.design, support, step != 0.0 if step.ndim > 1 else None).product(step)
        return image + self._offset_after(image) if self.has_offset else image

    def _offset_after(self, image: Matrix) -> Matrix:
        """The offsets that follow predictions, shape (1,) or (T,)."""
        image = self.hessian(image)
        return np.asarray(-self._offsets[1] @ image.reshape(len(image), -1).sum(axis=0))

    def offset_step(self, support: Columns, step: Matrix, means: Vector) -> Any:
        """By how much the best offset follows ``step``: a number, or one for each target."""
        shift = self._offset_after(self.design.product(support, step))
        return shift if self.diagonal.ndim > 1 else float(shift[0])

    def offset_vjp(self, support: Columns, slope: Any, means: Vector) -> Matrix:
        """The transpose of :meth:`offset_step`."""
        images, inverse = self._offsets
        image = images @ (inverse @ np.atleast_1d(slope))
        return -self.design.gradient_columns(support, image.reshape(self.diagonal.shape))

    def solve_support(
        self, support: Columns, w_S: Matrix, b: Matrix, *, atol: float, guess: Matrix | None = None,
        damping: float = 0.0, most: int = _MOST_PRODUCTS,
    ) -> Matrix:  # fmt: skip
        """Solve ``(∇²F_SS + ∇²g_SS) v = b``, offset eliminated, by conjugate gradients: see :class:`Problem`.

        ``most`` bounds the number of products.
        """
        on = self.penalty.restricted(support)
        variances = self._variances(support)
        curvature, moving = on.curvature(w_S), on.moving(w_S)
        if damping > 0.0:
            curvature = curvature.plus(damping * (variances if variances.ndim == 1 else variances.max(axis=1)))

        passes = Passes(self.design, support, moving)

        def product(v: Matrix) -> Matrix:
            image = self.hessian(passes.product(v))
            if self.has_offset:
                images, inverse = self._offsets
                shift = inverse @ image.reshape(len(image), -1).sum(axis=0)
                image = image - (images @ shift).reshape(image.shape)
            return passes.gradient(image) + passes.at_rest(curvature @ v)

        near = curvature.inverse_after(variances)

        def inverse(v: Matrix) -> Matrix:
            return passes.at_rest(near(v))

        guess = None if guess is None else passes.at_rest(guess)
        b = passes.at_rest(b)
        return conjugate_gradient(product, inverse, b, atol=atol, max_iter=most, guess=guess)[0]

    def _variances(self, support: Columns) -> Matrix:
        """The diagonal of ``X̃_SᵀH X̃_S``, or more: about the means under each target's own curvatures."""
        columns = []
        for h in self.diagonal.reshape(len(self.diagonal), -1).T:
            total = float(h.sum()) or 1.0
            design = self.design.reweighted(h / total, support, center=self.has_offset)
            columns.append(total * design.variances(support))
        return columns[0] if self.diagonal.ndim == 1 else np.stack(columns, axis=1)


class Passes:
    """Products with columns of a design, for entries of their coefficients: all, or those that a mask lets move."""

    def __init__(self, design: Design, columns: Columns, moving: NDArray[np.bool_] | None) -> None:
        self.design, self.columns, self.moving = design, columns, moving
        self._each = [] if moving is None else [np.flatnonzero(mask) for mask in moving.T]

    def at_rest(self, v: Matrix) -> Matrix:
        """``v`` with the others at zero."""
        return v if self.moving is None else np.where(self.moving, v, 0.0)

    def product(self, v: Matrix) -> Matrix:
        """``X̃_S v``."""
        if self.moving is None:
            return self.design.product(self.columns, v)
        images = [self.design.product(self.columns[rows], v[rows, k]) for k, rows in enumerate(self._each)]
        return np.stack(images).T

    def gradient(self, q: Matrix) -> Matrix:
        """``X̃_Sᵀ q``, on the entries that move."""
        if self.moving is None:
            return self.design.gradient_columns(self.columns, q)
        out = np.zeros(self.moving.shape)
        for k, rows in enumerate(self._each):
            out[rows, k] = self.design.gradient_columns(self.columns[rows], np.ascontiguousarray(q[:, k]))
        return out

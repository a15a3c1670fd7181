"""Where the weights of a support vector machine may lie: anywhere, or on a simplex."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Matrix, Vector


@dataclass(frozen=True)
class Domain:
    """Weights with a given sum, at least zero, both or neither.

    Attributes
    ----------
    total : float, optional
        ``Σ_j w_j``; by default it is free.
    nonnegative : bool
        Whether ``w ≥ 0``.
    """

    total: float | None = None
    nonnegative: bool = False

    @property
    def is_everything(self) -> bool:
        return self.total is None and not self.nonnegative

    @property
    def directions(self) -> Domain:
        """Those from a point with no weight at zero."""
        return replace(self, total=None if self.total is None else 0.0, nonnegative=False)

    def nearest(self, v: Vector) -> Vector:
        """The projection of ``v``, shape (p,), by sorting.

        Held, Wolfe & Crowder, *Validation of subgradient optimization*, Mathematical Programming 1974.
        """
        if self.total is None:
            return np.maximum(v, 0.0) if self.nonnegative else v
        v = v - v.max()  # which changes nothing, and keeps the digits of the weights
        if not self.nonnegative:
            return np.asarray(v + (self.total - v.sum()) / v.size)
        falling = -np.sort(-v)
        excess = (np.cumsum(falling) - self.total) / np.arange(1, v.size + 1)
        return np.asarray(np.maximum(v - excess[np.flatnonzero(falling > excess)[-1]], 0.0))

    def face(self, w: Vector) -> NDArray[np.bool_]:
        """The weights that may move either way at ``w``, shape (p,)."""
        return w > 0.0 if self.nonnegative else np.ones(w.size, dtype=bool)

    def flattened(self, U: Matrix) -> Matrix:
        """Rows ``U``, given on a face, without what would change the sum; the same shape."""
        return U if self.total is None or U.shape[-1] == 0 else U - U.mean(axis=-1, keepdims=True)

    def tangent(self, w: Vector, u: Vector) -> Vector:
        """The derivative of :meth:`nearest` where it is ``w``, times ``u``: its part along the face; shape (p,).

        It is symmetric and idempotent.
        """
        if self.is_everything:
            return u
        out, face = np.zeros(u.size), self.face(w)
        out[face] = self.flattened(u[face])
        return out


EVERYTHING = Domain()
SIMPLEX = Domain(total=1.0, nonnegative=True)

"""What a datafit is."""

from typing import Protocol

from lambdahat.linear import Vector


class Datafit(Protocol):
    """A smooth convex loss ``F(y, Xw) = Σ s_i f(y_i, (Xw)_i)`` that sees only the product ``Xw``; weights sum to 1.

    All arrays have shape (n,). Gradients and curvatures are per row, before weights.
    """

    def value(self, y: Vector, Xw: Vector, weights: Vector) -> float:
        """``Σ s_i f(y_i, (Xw)_i)``."""

    def gradient(self, y: Vector, Xw: Vector) -> Vector:
        """``f'(y_i, (Xw)_i)``."""

    def curvature(self, y: Vector, Xw: Vector) -> Vector:
        """``f''(y_i, (Xw)_i)``."""

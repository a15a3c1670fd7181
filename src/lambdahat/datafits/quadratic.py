"""Least squares."""

from dataclasses import dataclass

import numpy as np

from lambdahat.linear import Vector


@dataclass(frozen=True)
class Quadratic:
    """``f(y, z) = ½ (y − z)²``."""

    def value(self, y: Vector, Xw: Vector, weights: Vector) -> float:
        residual = y - Xw
        return 0.5 * float((weights * residual) @ residual)

    def gradient(self, y: Vector, Xw: Vector) -> Vector:
        return Xw - y

    def curvature(self, y: Vector, Xw: Vector) -> Vector:
        return np.ones_like(Xw)

"""The squared hinge loss."""

from dataclasses import dataclass

import numpy as np

from lambdahat.datafits.row_wise import RowWise
from lambdahat.linear import Vector


@dataclass(frozen=True)
class SquaredHinge(RowWise):
    """``f(y, z) = max(0, 1 − y z)²`` with labels ``y = ±1``.

    Smooth, so that it judges decision values by gradient where the hinge loss itself or the accuracy cannot.
    """

    quadratic = False
    movable = False
    labels = True
    log_link = False
    metric = "squared hinge loss"
    metric_factor = 1.0
    largest_curvature = 2.0
    kernel = None
    reach = 8.0

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        return float(weights @ np.maximum(1.0 - y * z, 0.0) ** 2)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return np.asarray(-2.0 * y * np.maximum(1.0 - y * z, 0.0))

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return np.where(y * z < 1.0, 2.0, 0.0)

    def secant(self, y: Vector, z: Vector) -> Vector:
        return self.curvature(y, z)

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        return float(weights @ (y * u + 0.25 * u * u))

    def clip(self, y: Vector, u: Vector) -> Vector:
        return np.asarray(y * np.minimum(y * u, 0.0))

    def constant(self, y: Vector, weights: Vector) -> float:
        return float(weights @ y)

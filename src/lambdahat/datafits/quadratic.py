"""Least squares."""

from dataclasses import dataclass

import numpy as np

from lambdahat.datafits.row_wise import RowWise
from lambdahat.kernels.differentiation import LEAST_SQUARES
from lambdahat.linear import Matrix, Vector, by_row


@dataclass(frozen=True)
class Quadratic(RowWise):
    """``f(y, z) = ½ (y − z)²``; with several targets, ``½ ‖y − z‖²``."""

    quadratic = True
    labels = False
    log_link = False
    metric = "mean squared error"
    metric_factor = 2.0
    largest_curvature = 1.0
    kernel = (LEAST_SQUARES, 0.0)
    reach = np.inf

    def value(self, y: Matrix, z: Matrix, weights: Vector) -> float:
        residual = y - z
        return 0.5 * float(np.vdot(by_row(weights, residual), residual))

    def gradient(self, y: Matrix, z: Matrix) -> Matrix:
        return z - y

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return np.ones_like(z)

    def secant(self, y: Vector, z: Vector) -> Vector:
        return np.ones_like(z)

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        return float((weights * u) @ (0.5 * u + y))

    def clip(self, y: Vector, u: Vector) -> Vector:
        return u

    def constant(self, y: Vector, weights: Vector) -> float:
        return float(weights @ y)

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        return float(weights @ (y - z))

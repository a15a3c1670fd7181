"""Gamma regression with a logarithmic link."""

from dataclasses import dataclass

import numpy as np
from scipy.special import exprel

from lambdahat.datafits.base import Perturbed
from lambdahat.datafits.deviance import LARGE, capped_exp, excess, excess_conjugate, log_mean_exp
from lambdahat.datafits.row_wise import RowWise
from lambdahat.linear import Vector


@dataclass(frozen=True)
class Gamma(RowWise):
    """``f(y, z) = z + y exp(−z) − (1 + log y)`` with ``y > 0``: half the unit Gamma deviance at the mean ``exp(z)``.

    The last part does not depend on z; with it the loss is zero where the fit is perfect.
    """

    quadratic = False
    labels = False
    log_link = True
    metric = "mean Gamma deviance"
    metric_factor = 2.0
    largest_curvature = np.inf
    kernel = None
    reach = 8.0

    def check(self, y: Vector, name: str) -> None:
        wrong = np.flatnonzero(y <= 0.0)
        if wrong.size:
            raise ValueError(
                f"{name} is zero or negative in {wrong.size} rows (first in row {wrong[0]}): the Gamma loss is for "
                "positive numbers, drop these rows or take another loss"
            )

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        return float(weights @ excess(np.log(y) - z))

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return 1.0 - self.curvature(y, z)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return capped_exp(np.log(y) - z)

    def curvature_slope(self, y: Vector, z: Vector) -> Vector:
        return -capped_exp(np.log(y) - z)

    def secant(self, y: Vector, z: Vector) -> Vector:
        # (e^d − 1)/d, with d = log y − z
        return np.asarray(exprel(np.minimum(np.log(y) - z, LARGE)))

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        # f*(y, u) = ψ*(−u) + u log y, for u ≤ 1.
        return float(weights @ (excess_conjugate(-u) + u * np.log(y)))

    def clip(self, y: Vector, u: Vector) -> Vector:
        return np.minimum(u, 1.0)

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        return log_mean_exp(np.log(y) - z, weights)

    def constant(self, y: Vector, weights: Vector) -> float:
        return self.shift(y, np.zeros_like(y), weights)

    def perturbed(self, y: Vector, step: Vector) -> Perturbed:
        return Perturbed(self, y * np.exp(step), np.ones_like(step))  # noise multiplies

    def spread(self, y: Vector, weights: Vector) -> float:
        return RowWise.spread(self, np.log(y), weights)

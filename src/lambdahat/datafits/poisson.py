"""Poisson regression."""

from dataclasses import dataclass

import numpy as np
from scipy.special import exprel, xlogy

from lambdahat.datafits.base import Perturbed
from lambdahat.datafits.deviance import LARGE, capped_exp, excess, excess_conjugate, log_mean_exp
from lambdahat.datafits.row_wise import RowWise
from lambdahat.linear import Vector


@dataclass(frozen=True)
class Poisson(RowWise):
    """``f(y, z) = exp(z) − yz − (y − y log y)`` with counts ``y ≥ 0`` (0 log 0 = 0): half the unit Poisson deviance.

    The last part does not depend on z; with it the loss is zero where the fit is perfect.
    """

    quadratic = False
    labels = False
    log_link = True
    metric = "mean Poisson deviance"
    metric_factor = 2.0
    largest_curvature = np.inf
    kernel = None
    reach = 8.0
    answers_by_prediction = False

    def check(self, y: Vector, name: str) -> None:
        negative = np.flatnonzero(y < 0.0)
        if negative.size:
            raise ValueError(
                f"{name} is negative in {negative.size} rows (first in row {negative[0]}): counts are at least zero, "
                "drop these rows or take a loss for numbers of any sign"
            )

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        some = y > 0.0
        distance = z - np.log(np.where(some, y, 1.0))
        return float(weights @ np.where(some, y * excess(distance), capped_exp(z)))

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return capped_exp(z) - y

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return capped_exp(z)

    def curvature_slope(self, y: Vector, z: Vector) -> Vector:
        return capped_exp(z)

    def secant(self, y: Vector, z: Vector) -> Vector:
        # y (e^d − 1)/d, with d = z − log y
        return np.asarray(y * exprel(np.minimum(z - np.log(np.where(y > 0.0, y, 1.0)), LARGE)))

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        # f*(y, u) = y ψ*(u/y) + u log y, and u log u − u where y = 0, for u ≥ −y.
        some = y > 0.0
        of_some = np.where(some, y, 1.0)
        at_zero = np.maximum(np.where(some, 0.0, u), 0.0)
        each = y * excess_conjugate(np.where(some, u, 0.0) / of_some) + u * np.log(of_some)
        return float(weights @ (each + xlogy(at_zero, at_zero) - at_zero))

    def clip(self, y: Vector, u: Vector) -> Vector:
        return np.maximum(u, -y)

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        total = float(weights @ y)
        if total <= 0.0:
            raise ValueError(
                "y is zero in every row of positive weight: the intercept would be minus infinity, pass rows with "
                "counts above zero, or fit_intercept=False"
            )
        return float(np.log(total)) - log_mean_exp(z, weights)

    def constant(self, y: Vector, weights: Vector) -> float:
        return self.shift(y, np.zeros_like(y), weights)

    def perturbed(self, y: Vector, step: Vector) -> Perturbed:
        room = np.minimum(1.0, np.divide(y, np.abs(step), out=np.ones_like(y), where=step != 0.0))
        return Perturbed(self, np.maximum(y + step, 0.0), 0.5 * (1.0 + room))

    def spread(self, y: Vector, weights: Vector) -> float:
        return float(np.sqrt(weights @ y))

    def response(self, z: Vector) -> Vector:
        return capped_exp(z)

    def response_vjp(self, z: Vector, v: Vector) -> Vector:
        return capped_exp(z) * v

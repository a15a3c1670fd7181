"""Logistic regression."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, xlogy

from lambdahat.datafits.base import Perturbed
from lambdahat.datafits.row_wise import RowWise
from lambdahat.kernels.differentiation import LOGISTIC
from lambdahat.linear import Vector

_TINY = 1e-300  # whose logarithm is finite
_LARGE = 700.0  # whose exponential is


@dataclass(frozen=True)
class Logistic(RowWise):
    """``f(y, z) = log(1 + exp(−y z))`` with labels ``y = ±1``.

    Formulas go by few arrays of their own: rows are many, and these formulas a good part of a fit on sparse data.
    """

    quadratic = False
    labels = True
    log_link = False
    metric = "log-loss"
    metric_factor = 1.0
    largest_curvature = 0.25
    kernel = (LOGISTIC, 0.0)
    reach = 8.0
    answers_by_prediction = False

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        loss = np.exp(-np.abs(z))
        loss += 1.0
        np.log(loss, out=loss)
        loss -= np.minimum(y * z, 0.0)
        return float(weights @ loss)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        odds = np.exp(np.minimum(y * z, _LARGE))
        odds += 1.0
        return np.divide(-y, odds, out=odds)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        falling = np.exp(-np.abs(z))
        total = 1.0 + falling
        total *= total
        return np.divide(falling, total, out=falling)

    def curvature_slope(self, y: Vector, z: Vector) -> Vector:
        return np.asarray(-np.tanh(0.5 * z) * self.curvature(y, z))

    def secant(self, y: Vector, z: Vector) -> Vector:
        return np.zeros_like(z)  # the best prediction of a row is infinite

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        # f*(y, u) = p log p + (1 − p) log(1 − p) with p = −yu, the probability given to the other label.
        wrong = np.maximum(np.abs(u), _TINY)
        right = np.maximum(1.0 - wrong, _TINY)
        wrong *= np.log(wrong)
        right *= np.log(right)
        wrong += right
        return float(weights @ wrong)

    def clip(self, y: Vector, u: Vector) -> Vector:
        return np.asarray(-y * np.clip(-y * u, 0.0, 1.0))

    def constant(self, y: Vector, weights: Vector) -> float:
        positive = float(weights[y > 0.0].sum())
        return float(np.log(positive) - np.log(float(weights[y < 0.0].sum())))

    def perturbed(self, y: Vector, step: Vector) -> Perturbed:
        # Labels move inwards only, by what a mean label of two rows or more can be.
        inwards = np.clip(y + step, -1.0, 1.0)
        room = np.minimum(1.0, np.divide(1.0 - np.abs(y), np.abs(step), out=np.ones_like(y), where=step != 0.0))
        return Perturbed(MeanLabel(), inwards, 0.5 * (1.0 + room))

    def spread(self, y: Vector, weights: Vector) -> float:
        mean = float(weights @ y)
        return float(np.sqrt(max(1.0 - mean * mean, 0.0)))

    def response(self, z: Vector) -> Vector:
        return np.asarray(np.tanh(0.5 * z))  # the mean label

    def response_vjp(self, z: Vector, v: Vector) -> Vector:
        return 2.0 * self.curvature(z, z) * v


@dataclass(frozen=True)
class MeanLabel(Logistic):
    """The same with ``−1 ≤ y ≤ 1``, the mean of labels: ``f(y, z) = log(1 + exp(z)) − qz`` with ``q = (1 + y)/2``."""

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        size = np.abs(z)
        return float(weights @ (np.log1p(np.exp(-size)) + 0.5 * (size - y * z)))

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return np.asarray(0.5 * ((1.0 - y) * expit(z) - (1.0 + y) * expit(-z)))

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        # f*(y, u) = p log p + (1 − p) log(1 − p) with p = q + u
        p = np.clip(0.5 * (1.0 + y) + u, 0.0, 1.0)
        rest = np.clip(0.5 * (1.0 - y) - u, 0.0, 1.0)
        return float(weights @ (xlogy(p, p) + xlogy(rest, rest)))

    def clip(self, y: Vector, u: Vector) -> Vector:
        return np.clip(u, -0.5 * (1.0 + y), 0.5 * (1.0 - y))

    def constant(self, y: Vector, weights: Vector) -> float:
        mean = float(weights @ y)
        return float(np.log1p(mean) - np.log1p(-mean))

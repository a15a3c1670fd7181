"""Logistic regression."""

from dataclasses import dataclass

import numpy as np
from scipy.special import entr, expit

from lambdahat.linear import Vector


@dataclass(frozen=True)
class Logistic:
    """``f(y, z) = log(1 + exp(−y z))`` with labels ``y = ±1``."""

    quadratic = False
    metric = "log-loss"
    metric_factor = 1.0
    largest_curvature = 0.25

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        margin = y * z
        return float(weights @ (np.log1p(np.exp(-np.abs(margin))) - np.minimum(margin, 0.0)))

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return np.asarray(-y * expit(-y * z))

    def curvature(self, y: Vector, z: Vector) -> Vector:
        falling = np.exp(-np.abs(z))
        return np.asarray(falling / (1.0 + falling) ** 2)

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        # f*(y, u) = p log p + (1 − p) log(1 − p) with p = −yu, the probability given to the other label.
        p = np.abs(u)
        return -float(weights @ (entr(p) + entr(1.0 - p)))

    def constant(self, y: Vector, weights: Vector) -> float:
        positive = float(weights[y > 0.0].sum())
        return float(np.log(positive) - np.log(float(weights[y < 0.0].sum())))

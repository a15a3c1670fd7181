"""Robust regression by Huber's loss."""

from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_real
from lambdahat.datafits.row_wise import RowWise
from lambdahat.kernels.differentiation import HUBER
from lambdahat.linear import Vector

_STEPS = 200


@dataclass(frozen=True)
class Huber(RowWise):
    """``f(y, z) = ½ r²`` where ``|r| ≤ delta``, else ``delta |r| − ½ delta²``, with ``r = y − z``.

    Parameters
    ----------
    delta : float, default 1.35
        In the units of y, above zero: residuals beyond it count by their size, not by their square.
    """

    delta: float = 1.35

    quadratic = False
    labels = False
    log_link = False
    metric = "Huber loss"
    metric_factor = 1.0
    largest_curvature = 1.0
    reach = np.inf

    def __post_init__(self) -> None:
        check_real(self.delta, "delta", open_low=True)

    @property
    def kernel(self) -> tuple[int, float]:
        return HUBER, float(self.delta)

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        distance = np.abs(y - z)
        inside = np.minimum(distance, self.delta)
        return float(weights @ (inside * (distance - 0.5 * inside)))

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return np.asarray(np.clip(z - y, -self.delta, self.delta))

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return np.asarray(np.abs(y - z) <= self.delta, dtype=np.float64)

    def secant(self, y: Vector, z: Vector) -> Vector:
        return self.delta / np.maximum(np.abs(y - z), self.delta)

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        # f*(y, u) = ½ u² + uy, for |u| ≤ delta.
        return float((weights * u) @ (0.5 * u + y))

    def clip(self, y: Vector, u: Vector) -> Vector:
        return np.asarray(np.clip(u, -self.delta, self.delta))

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float:
        """The derivative rises piecewise linearly: Newton's method within a bracket ends on the right piece."""
        distances = y - z
        used = distances[weights > 0.0]
        low, high = float(used.min()), float(used.max())
        at = min(max(0.0, low), high)
        for _ in range(_STEPS):
            residual = distances - at
            slope = -float(weights @ np.clip(residual, -self.delta, self.delta))
            if slope == 0.0:
                break
            low, high = (at, high) if slope < 0.0 else (low, at)
            inside = float(weights @ (np.abs(residual) <= self.delta))
            ahead = at - slope / inside if inside > 0.0 else np.nan
            if abs(ahead - at) <= 1e-16 * (abs(low) + abs(high)):
                return ahead
            at = ahead if low < ahead < high else 0.5 * (low + high)
        return at

    def constant(self, y: Vector, weights: Vector) -> float:
        return self.shift(y, np.zeros_like(y), weights)

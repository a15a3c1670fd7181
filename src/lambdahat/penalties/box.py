"""The box of a support vector machine's dual: a penalty whose domain, too, moves with its hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Matrix, Vector


@dataclass(frozen=True, eq=False)
class Box:
    """``g(β) = ε‖β‖₁`` where ``C·lower_factors ≤ β ≤ C·upper_factors``, infinite elsewhere; θ = (C, ε).

    Factors are at most zero below and at least zero above, so that ``β = 0`` is always allowed. The conjugate of
    ``g`` is C times the ε-insensitive loss of a residual. Coordinates off the generalised support are not at rest, as
    those of other penalties are: what lies at a bound moves with it (:meth:`boundary`).
    """

    theta: Vector
    lower_factors: Vector
    upper_factors: Vector

    is_tunable = True

    @property
    def hyperparams(self) -> Vector:
        return self.theta

    def with_hyperparams(self, theta: Vector) -> Box:
        return replace(self, theta=theta)

    @property
    def C(self) -> float:
        return float(self.theta[0])

    @property
    def epsilon(self) -> float:
        return float(self.theta[1])

    @cached_property
    def lower(self) -> Vector:
        return self.C * self.lower_factors

    @cached_property
    def upper(self) -> Vector:
        return self.C * self.upper_factors

    def value(self, beta: Vector) -> float:
        if np.any(beta < self.lower) or np.any(beta > self.upper):
            return np.inf
        return self.epsilon * float(np.abs(beta).sum())

    def conjugate(self, residual: Vector) -> float:
        """``sup_β βᵀr − g(β)``: the loss, ``C Σ_i`` of the factor times what ``|r_i|`` is beyond ε."""
        beyond = self.upper @ np.maximum(residual - self.epsilon, 0.0)
        return float(beyond - self.lower @ np.maximum(-residual - self.epsilon, 0.0))

    def prox(self, z: Vector, step: float) -> Vector:
        """``argmin_u ½‖u − z‖² + step·g(u)``."""
        shrunk = np.sign(z) * np.maximum(np.abs(z) - step * self.epsilon, 0.0)
        return np.asarray(np.clip(shrunk, self.lower, self.upper))

    def prox_jvp(self, z: Vector, step: float, dz: Matrix) -> Matrix:
        smooth, sign, by_C = self._prox_slopes(z, step)
        out = smooth * dz
        out[0] += by_C
        out[1] -= step * smooth * sign
        return out

    def prox_vjp(self, z: Vector, step: float, v: Vector) -> tuple[Vector, Vector]:
        smooth, sign, by_C = self._prox_slopes(z, step)
        return smooth * v, np.array([by_C @ v, -step * (smooth * sign) @ v])

    def _prox_slopes(self, z: Vector, step: float) -> tuple[NDArray[np.bool_], Vector, Vector]:
        """Where ``prox(z)`` is inside and off its kink, the sign there, and the derivative in C elsewhere."""
        beta = self.prox(z, step)
        smooth = self._is_smooth(beta)
        return smooth, np.sign(beta), np.where(smooth, 0.0, self.boundary(beta))

    def subdiff_distance(self, beta: Vector, gradient: Vector) -> Vector:
        """Distance, per coordinate, of minus the gradient of the rest to the subdifferential of ``g`` at ``beta``."""
        low = np.where(beta <= self.lower, -np.inf, np.where(beta <= 0.0, -self.epsilon, self.epsilon))
        high = np.where(beta >= self.upper, np.inf, np.where(beta >= 0.0, self.epsilon, -self.epsilon))
        return np.asarray(np.maximum(np.maximum(low + gradient, -gradient - high), 0.0))

    def generalized_support(self, beta: Vector) -> NDArray[np.int32]:
        return np.flatnonzero(self._is_smooth(beta)).astype(np.int32)

    def _is_smooth(self, beta: Vector) -> NDArray[np.bool_]:
        inside = (beta > self.lower) & (beta < self.upper)
        return inside & (beta != 0.0) if self.epsilon > 0.0 else inside

    def boundary(self, beta: Vector) -> Vector:
        """``∂β/∂C`` of the coordinates at their bounds, zero elsewhere; shape (n,)."""
        at_lower = np.where(beta <= self.lower, self.lower_factors, 0.0)
        return np.where(beta >= self.upper, self.upper_factors, at_lower)

    def hyperparam_vjp(self, support: NDArray[np.int32], beta_S: Vector, v: Vector) -> Vector:
        """``vᵀ ∂_θ ∇g(β_S; θ)``, shape (2,)."""
        return np.array([0.0, float(np.sign(beta_S) @ v)])


def classification_box(C: float, labels: Vector, weights: Vector) -> Box:
    """Of a support vector classifier (hinge loss): β has the sign of the label, −1 or +1."""
    return Box(np.array([C, 0.0]), np.minimum(labels, 0.0) * weights, np.maximum(labels, 0.0) * weights)


def regression_box(C: float, epsilon: float, weights: Vector) -> Box:
    """Of support vector regression (ε-insensitive loss)."""
    return Box(np.array([C, epsilon]), -weights, weights)

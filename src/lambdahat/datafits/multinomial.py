"""Multinomial logistic regression, and one class of it at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, xlogy

from lambdahat.datafits.logistic import Logistic
from lambdahat.datafits.row_wise import RowWise
from lambdahat.linear import Matrix, Vector


@dataclass(frozen=True)
class Multinomial(RowWise):
    """``f(y, z) = log Σ_k exp(z_k) − z_y`` for K classes; ``y`` has a column for each, one where a row is of that class.

    Predictions, gradients and curvatures have shape (n, K). With ``p = softmax(z)``,

        ∇f = p − y,    ∇²f = diag(p) − p pᵀ,    f*(y, u) = Σ_k q_k log q_k  with q = y + u, a distribution.

    The classes of a row depend on each other: ``curvature`` is the diagonal of the Hessian, which is at most twice that
    (it is diagonally dominant), and :meth:`bound` is a multiple of the identity that is above it.
    """

    quadratic = False
    labels = False
    log_link = False
    metric = "log-loss"
    metric_factor = 1.0
    largest_curvature = 0.5
    kernel = None
    reach = 8.0

    def value(self, y: Matrix, z: Matrix, weights: Vector) -> float:
        return float(weights @ (logsumexp(z, axis=1) - np.einsum("ik,ik->i", y, z)))

    def gradient(self, y: Matrix, z: Matrix) -> Matrix:
        return self.probabilities(z) - y

    @staticmethod
    def probabilities(z: Matrix) -> Matrix:
        """``exp(z_k) / Σ_j exp(z_j)``."""
        odds = np.exp(z - z.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        return np.asarray(odds)

    def curvature(self, y: Matrix, z: Matrix) -> Matrix:
        p = self.probabilities(z)
        return p * (1.0 - p)

    def bound(self, y: Matrix, z: Matrix) -> Vector:
        """Bounds of the eigenvalues of each row's Hessian (Gershgorin), shape (n,)."""
        return np.asarray(2.0 * self.curvature(y, z).max(axis=1))

    def secant(self, y: Matrix, z: Matrix) -> Matrix:
        return np.zeros_like(z)  # the best prediction of a row is infinite

    def hessian(self, y: Matrix, z: Matrix, weights: Vector) -> Callable[[Matrix], Matrix]:
        p = self.probabilities(z)
        weighted = weights[:, None] * p

        def product(d: Matrix) -> Matrix:
            return np.asarray(weighted * (d - np.einsum("ik,ik->i", p, d)[:, None]))

        return product

    def conjugate(self, y: Matrix, u: Matrix, weights: Vector) -> float:
        q = np.maximum(y + u, 0.0)
        return float(weights @ xlogy(q, q).sum(axis=1))

    def clip(self, y: Matrix, u: Matrix) -> Matrix:
        q = np.maximum(y + u, 0.0)
        return np.asarray(q / q.sum(axis=1, keepdims=True) - y)

    def constant(self, y: Matrix, weights: Vector) -> Vector:
        """Logarithms of the shares of the classes, of sum zero."""
        logs = np.log(weights @ y)
        return np.asarray(logs - logs.mean())

    def of_class(self, y: Matrix, z: Matrix, k: int) -> tuple[Vector, OneClass]:
        """Class ``k`` while the predictions of the others stay: labels −1 and +1, and a loss of ``z_k``."""
        others = np.delete(z, k, axis=1)
        return 2.0 * y[:, k] - 1.0, OneClass(logsumexp(others, axis=1))


@dataclass(frozen=True, eq=False)
class OneClass(Logistic):
    """The loss of one class of a multinomial model, up to a constant: logistic, with ``z − others`` for the log-odds."""

    others: Vector

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        return super().value(y, z - self.others, weights)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return super().gradient(y, z - self.others)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return super().curvature(y, z - self.others)

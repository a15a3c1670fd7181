"""Multinomial logistic regression, and one class of it at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, xlogy

from lambdahat.datafits.base import Perturbed
from lambdahat.datafits.logistic import Logistic, MeanLabel
from lambdahat.datafits.row_wise import RowWise
from lambdahat.linear import Matrix, Vector

_TINY, _LARGE = 1e-250, 500.0  # whose logarithm, and exponential, keep their digits


@dataclass(frozen=True)
class Multinomial(RowWise):
    """``f(y, z) = log Σ_k exp(z_k) − z_y`` for K classes; ``y`` is one in the column of a row's class.

    The others are zero. Predictions, gradients and curvatures have shape (n, K). With ``p = softmax(z)``,

        ∇f = p − y,    ∇²f = diag(p) − p pᵀ,    f*(y, u) = Σ_k q_k log q_k  with q = y + u, a distribution.

    The classes of a row depend on each other: ``curvature`` is the diagonal of the Hessian, which is at most twice that
    (it is diagonally dominant), and :meth:`bound` is a multiple of the identity that is above it.
    """

    quadratic = False
    row_wise = False
    labels = False
    log_link = False
    metric = "log-loss"
    metric_factor = 1.0
    largest_curvature = 0.5
    kernel = None
    reach = 8.0
    answers_by_prediction = False

    def perturbed(self, y: Matrix, step: Matrix) -> Perturbed:
        # A row gives of its class to those whose step is positive. Others, of which there are K − 1, are measured: what
        # probabilities answer sums to zero, so that nothing is left to say of the row's own class.
        own = y > 0.5
        given = np.where(own, 0.0, np.minimum(np.maximum(step, 0.0), 1.0 / y.shape[1]))
        moved = np.where(own, 1.0 - given.sum(axis=1, keepdims=True), given)
        taken = np.minimum(1.0, 1.0 / (y.shape[1] * np.maximum(np.abs(step), 1e-300)))
        return Perturbed(MeanClasses(), moved, np.where(own, np.inf, 0.5 * taken))

    def spread(self, y: Matrix, weights: Vector) -> float:
        shares = weights @ y
        return float(np.sqrt(np.mean(shares * (1.0 - shares))))

    def response(self, z: Matrix) -> Matrix:
        return self.probabilities(z)

    def response_vjp(self, z: Matrix, v: Matrix) -> Matrix:
        p = self.probabilities(z)
        return np.asarray(p * (v - (p * v).sum(axis=1, keepdims=True)))

    def value(self, y: Matrix, z: Matrix, weights: Vector) -> float:
        odds = Odds.at(z)
        return float(weights @ (np.log(odds.e.sum(axis=0)) + odds.shift - np.einsum("ik,ik->i", y, z)))

    def value_and_gradient(self, y: Matrix, z: Matrix, weights: Vector) -> tuple[float, Matrix]:
        """Both by the same exponentials, which are most of what they cost."""
        odds = Odds.at(z)
        total = odds.e.sum(axis=0)
        value = float(weights @ (np.log(total) + odds.shift - np.einsum("ik,ik->i", y, z)))
        return value, (odds.e / total).T - y

    def gradient(self, y: Matrix, z: Matrix) -> Matrix:
        return self.probabilities(z) - y

    @staticmethod
    def probabilities(z: Matrix) -> Matrix:
        """``exp(z_k) / Σ_j exp(z_j)``."""
        e = Odds.at(z).e
        return np.asarray((e / e.sum(axis=0)).T)

    def one_class(self, others: Vector) -> OneClass:
        """The loss of one class, where ``others`` are ``log Σ_{j≠k} exp(z_j)``."""
        return OneClass(others)

    def curvature(self, y: Matrix, z: Matrix) -> Matrix:
        p = self.probabilities(z)
        return p * (1.0 - p)

    def bound(self, y: Matrix, z: Matrix) -> Vector:
        """Bounds of the eigenvalues of each row's Hessian (Gershgorin), shape (n,)."""
        return np.asarray(2.0 * self.curvature(y, z).max(axis=1))

    def secant(self, y: Matrix, z: Matrix) -> Matrix:
        return np.zeros_like(z)  # the best prediction of a row is infinite

    def hessian(self, y: Matrix, z: Matrix, weights: Vector) -> Callable[[Matrix], Matrix]:
        return self.hessian_at(self.probabilities(z), weights)

    @staticmethod
    def hessian_at(p: Matrix, weights: Vector) -> Callable[[Matrix], Matrix]:
        """The same from probabilities."""
        weighted = weights[:, None] * p

        def product(d: Matrix) -> Matrix:
            return np.asarray(weighted * (d - (p * d).sum(axis=1, keepdims=True)))

        return product

    def conjugate(self, y: Matrix, u: Matrix, weights: Vector) -> float:
        q = np.maximum(y + u, 0.0)
        return float(weights @ xlogy(q, q, order="F").sum(axis=1))

    def clip(self, y: Matrix, u: Matrix) -> Matrix:
        q = np.maximum(y + u, 0.0)
        return np.asarray(q / q.sum(axis=1, keepdims=True) - y)

    def constant(self, y: Matrix, weights: Vector) -> Vector:
        """Logarithms of the shares of the classes, of sum zero."""
        logs = np.log(weights @ y)
        return np.asarray(logs - logs.mean())


@dataclass(frozen=True, eq=False)
class Odds:
    """``e_k = exp(z_k − shift)``, a row for each class (sums over classes are then sums of rows).

    Attributes
    ----------
    e : array of shape (K, n)
    shift : array of shape (n,)
        The largest prediction of each row, where these are new.
    """

    e: Matrix
    shift: Vector

    @classmethod
    def at(cls, z: Matrix) -> Odds:
        by_class = np.ascontiguousarray(z.T)
        shift = by_class.max(axis=0)
        e = by_class - shift
        return cls(np.exp(e, out=e), shift)

    def others(self, z: Matrix, k: int) -> Vector:
        """``log Σ_{j≠k} exp(z_j)``."""
        total = self.e[:k].sum(axis=0) + self.e[k + 1 :].sum(axis=0)
        vanished = np.flatnonzero(total < _TINY)  # beside class k
        out = np.log(np.maximum(total, _TINY)) + self.shift
        out[vanished] = logsumexp(np.delete(z[vanished], k, axis=1), axis=1)
        return np.asarray(out)

    def moved(self, z: Matrix, k: int) -> Odds:
        """After class ``k`` has come to ``z_k``; the others are as they were."""
        logs = z[:, k] - self.shift
        if np.any(logs > _LARGE):
            return Odds.at(z)
        np.exp(logs, out=self.e[k])
        return self


@dataclass(frozen=True)
class MeanClasses(Multinomial):
    """The same where rows are shares of classes, as the mean of several rows is."""

    def one_class(self, others: Vector) -> OneClass:
        return OneMeanClass(others)


@dataclass(frozen=True, eq=False)
class OneClass(Logistic):
    """The loss of one class of a multinomial model, up to a constant: logistic in ``z − others``."""

    others: Vector

    def constant(self, y: Vector, weights: Vector) -> float:
        return super().constant(y, weights) + float(weights @ self.others)

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        return super().value(y, z - self.others, weights)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        return super().gradient(y, z - self.others)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return super().curvature(y, z - self.others)

    def curvature_slope(self, y: Vector, z: Vector) -> Vector:
        return super().curvature_slope(y, z - self.others)


@dataclass(frozen=True, eq=False)
class OneMeanClass(OneClass, MeanLabel):
    """The same for a share of the class."""

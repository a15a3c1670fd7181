"""Plain NumPy answers to compare with: centred dense data, the objective, its dual, optimality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, xlogy


@dataclass(frozen=True)
class Dense:
    """An inner problem spelled out: ``½‖y − Xw‖² + g(w)`` on centred, weighted, standardised rows."""

    X: np.ndarray
    y: np.ndarray
    penalty: object
    mean: np.ndarray
    y_mean: float

    @classmethod
    def create(cls, X, y, weight, penalty, *, fit_intercept=True, standardize=False):
        X, y, s = np.asarray(X, dtype=float), np.asarray(y, dtype=float), weight / weight.sum()
        scales = np.sqrt(s @ (X - s @ X) ** 2) if standardize else np.ones(X.shape[1])
        scales[scales <= 1e-14 * np.abs(s @ X)] = 1.0  # constant columns
        mean, y_mean = (s @ X, s @ y) if fit_intercept else (np.zeros(X.shape[1]), 0.0)
        root = np.sqrt(s)
        return cls(root[:, None] * (X - mean), root * (y - y_mean), penalty.rescaled(scales), mean, y_mean)

    def objective(self, w):
        return 0.5 * np.sum((self.y - self.X @ w) ** 2) + self.penalty.value(w)

    def gradient(self, w):
        return self.X.T @ (self.X @ w - self.y)

    def violation(self, w):
        """The largest distance to optimality, over ``‖x_j‖ ‖y‖``: at most the square root of the suboptimality."""
        unit = np.linalg.norm(self.X, axis=0).max() * np.linalg.norm(self.y)
        return self.penalty.subdiff_distance(w, self.gradient(w)).max() / unit

    def suboptimality(self, w, near=()):
        """A bound on ``P(w) − min P`` over ``½‖y‖²``, by the best of the dual points of ``w`` and of others."""
        dual = max(self.dual(v) for v in (w, self.polished(w), *near))
        return (self.objective(w) - dual) / (0.5 * self.y @ self.y)

    def polished(self, w):
        """The exact solution for the support and signs of ``w``."""
        S = (w != 0.0) | (self.penalty.l1 == 0.0)
        if self.penalty.positive:
            S = w != 0.0
        H = self.X[:, S].T @ self.X[:, S] + np.diag(self.penalty.l2[S])
        out = np.zeros_like(w)
        out[S] = np.linalg.lstsq(H, self.X[:, S].T @ self.y - self.penalty.l1[S] * np.sign(w[S]), rcond=None)[0]
        return out

    def dual(self, w):
        """The dual objective at the residual, made feasible: projected for free columns, scaled for the others."""
        l1, l2, positive = self.penalty.l1, self.penalty.l2, self.penalty.positive
        u = self.y - self.X @ w
        free = (l1 == 0.0) & (l2 == 0.0) & ((w > 0.0) if positive else True)
        if free.any():
            u = u - self.X[:, free] @ np.linalg.lstsq(self.X[:, free], u, rcond=None)[0]
        h = self.X.T @ u
        size = h if positive else np.abs(h)
        hard = (l2 == 0.0) & ~free
        excess = size[hard] > 1e-15 * np.linalg.norm(self.y) * np.linalg.norm(self.X[:, hard], axis=0)
        a = min(1.0, np.min(l1[hard][excess] / size[hard][excess], initial=1.0))
        soft = l2 > 0.0
        conjugate = np.sum(np.maximum(a * size[soft] - l1[soft], 0.0) ** 2 / (2.0 * l2[soft]))
        return a * u @ self.y - 0.5 * a * a * u @ u - conjugate


@dataclass(frozen=True)
class Loss:
    """A loss of a row, and its two derivatives, as functions of the target and the prediction."""

    value: Callable
    slope: Callable
    curvature: Callable


def huber(delta):
    return Loss(
        lambda y, z: np.where(np.abs(y - z) <= delta, (y - z) ** 2 / 2, delta * np.abs(y - z) - delta**2 / 2),
        lambda y, z: np.where(np.abs(y - z) <= delta, z - y, delta * np.sign(z - y)),
        lambda y, z: np.where(np.abs(y - z) <= delta, 1.0, 0.0),
    )


LOSSES = {
    "quadratic": Loss(lambda y, z: (y - z) ** 2 / 2, lambda y, z: z - y, lambda y, z: np.ones_like(z)),
    "logistic": Loss(
        lambda y, z: np.logaddexp(0.0, -y * z), lambda y, z: -y * expit(-y * z), lambda y, z: expit(z) * expit(-z)
    ),
    "poisson": Loss(
        lambda y, z: np.exp(z) - y * z - y + xlogy(y, y), lambda y, z: np.exp(z) - y, lambda y, z: np.exp(z)
    ),
    "gamma": Loss(
        lambda y, z: z + y * np.exp(-z) - 1 - np.log(y), lambda y, z: 1 - y * np.exp(-z), lambda y, z: y * np.exp(-z)
    ),
    "huber": huber(0.8),
}


@dataclass(frozen=True)
class Smooth:
    """A problem with any loss on rows as they are: ``Σ s_i f(y_i, x_iᵀw + b) + g(w)``, with ``s`` of sum 1."""

    X: np.ndarray
    y: np.ndarray
    s: np.ndarray
    penalty: object
    fit_intercept: bool
    loss: Loss = LOSSES["logistic"]

    @classmethod
    def create(cls, X, y, weight, penalty, *, fit_intercept=True, standardize=False, loss="logistic"):
        X, s = np.asarray(X, dtype=float), weight / weight.sum()
        scales = np.sqrt(s @ (X - s @ X) ** 2) if standardize else np.ones(X.shape[1])
        scales[scales <= 1e-14 * np.abs(s @ X)] = 1.0  # constant columns
        return cls(X, y, s, penalty.rescaled(scales), fit_intercept, LOSSES[loss])

    def objective(self, w, b):
        return self.s @ self.loss.value(self.y, self.X @ w + b) + self.penalty.value(w)

    def violation(self, w, b):
        """The largest distance to optimality, over that of a gradient in general."""
        slope = self.s * self.loss.slope(self.y, self.X @ w + b)
        distance = self.penalty.subdiff_distance(w, self.X.T @ slope).max()
        return max(distance / max(np.abs(self.X).max(), 1e-300), abs(slope.sum()) if self.fit_intercept else 0.0)

    def polished(self, w, b, steps=30):
        """The exact solution for the support and signs of ``w``, by Newton's method on these coordinates."""
        S = (w != 0.0) if self.penalty.positive else (w != 0.0) | (self.penalty.l1 == 0.0)
        A = np.column_stack([self.X[:, S], np.ones(len(self.y))]) if self.fit_intercept else self.X[:, S]
        u = np.append(w[S], b) if self.fit_intercept else w[S].copy()
        l1, l2 = np.zeros(len(u)), np.zeros(len(u))
        l1[: S.sum()] = self.penalty.l1[S] * np.sign(w[S])
        l2[: S.sum()] = self.penalty.l2[S]
        for _ in range(steps):
            gradient = A.T @ (self.s * self.loss.slope(self.y, A @ u)) + l1 + l2 * u
            curvature = self.s * self.loss.curvature(self.y, A @ u)
            u = u - np.linalg.lstsq(A.T @ (curvature[:, None] * A) + np.diag(l2), gradient, rcond=None)[0]
        out = np.zeros_like(w)
        out[S] = u[: S.sum()]
        return out, (u[-1] if self.fit_intercept else 0.0)

"""Scores of scikit-learn that have a slope: errors of predictions, and of probabilities of two classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from lambdahat.datafits import Datafit
from lambdahat.linear import Matrix, Vector, by_row

Error = Callable[[Matrix, Matrix, Vector], tuple[float, Matrix]]
"""Targets, what answers to them, and weights of sum 1, to an error and its derivatives in the second."""


@dataclass(frozen=True)
class Sloped:
    """A score, to be minimised.

    Attributes
    ----------
    error : callable
        Of predictions, or for labels (−1 and +1) of log-odds.
    labels : bool
        Whether it is of labels.
    metric : str, optional
        The metric of the datafits that it is.
    positive : bool
        Whether predictions have to be.
    shift : float
        What is added to the error, which is positive.
    """

    error: Error
    labels: bool = False
    metric: str = ""
    positive: bool = False
    shift: float = 0.0

    def suits(self, datafit: Datafit) -> bool:
        """Whether a model has the predictions that it takes."""
        probable = datafit.metric == "log-loss"
        if self.labels or datafit.labels or probable:
            return self.labels and datafit.labels and probable
        return datafit.log_link or not self.positive

    def of(self, datafit: Datafit) -> Callable[[Matrix, Matrix, Vector], tuple[float, Matrix]]:
        """As a function of linear predictions."""

        def slope(y: Matrix, z: Matrix, weights: Vector) -> tuple[float, Matrix]:
            if not datafit.log_link:
                return self.error(y, z, weights)
            value, by_mean = self.error(y, np.exp(z), weights)
            return value, by_mean * np.exp(z)

        return slope


def squared(y: Matrix, p: Matrix, weights: Vector) -> tuple[float, Matrix]:
    """The mean squared error."""
    T = p[0].size
    return float(np.vdot(by_row(weights, p - y), p - y)) / T, by_row(2.0 / T * weights, p - y)


def root_squared(y: Matrix, p: Matrix, weights: Vector) -> tuple[float, Matrix]:
    """Its root; of several targets the mean of roots."""
    roots = np.sqrt(weights @ (p - y) ** 2)  # one a target
    inverse = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0.0)
    return float(np.mean(roots)), by_row(weights / p[0].size, (p - y) * inverse)


def absolute(y: Matrix, p: Matrix, weights: Vector) -> tuple[float, Matrix]:
    """The mean absolute error."""
    T = p[0].size
    return float(np.sum(by_row(weights, np.abs(p - y)))) / T, by_row(weights / T, np.sign(p - y))


def unexplained(y: Matrix, p: Matrix, weights: Vector) -> tuple[float, Matrix]:
    """1 − R², the mean over targets."""
    total = weights @ (y - weights @ y) ** 2
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0.0)
    shares = (weights @ (p - y) ** 2) * inverse
    return float(np.mean(shares)), by_row(2.0 / p[0].size * weights, (p - y) * inverse)


def poisson(y: Matrix, p: Matrix, weights: Vector) -> tuple[float, Matrix]:
    """The mean Poisson deviance."""
    ratio = np.where(y > 0.0, y, 1.0) / p
    return float(weights @ (2.0 * (y * np.log(ratio) - y + p))), 2.0 * weights * (1.0 - y / p)


def gamma(y: Matrix, p: Matrix, weights: Vector) -> tuple[float, Matrix]:
    """The mean Gamma deviance."""
    ratio = y / p
    return float(weights @ (2.0 * (ratio - 1.0 - np.log(ratio)))), 2.0 * weights * (1.0 - ratio) / p


def log_loss(y: Vector, z: Vector, weights: Vector) -> tuple[float, Vector]:
    """The log-loss of labels, at log-odds."""
    return -float(weights @ log_expit(y * z)), -weights * y * expit(-y * z)


def brier(y: Vector, z: Vector, weights: Vector) -> tuple[float, Vector]:
    """Brier's score of labels, at log-odds."""
    wrong = expit(-y * z)
    return float(weights @ wrong**2), -2.0 * weights * y * wrong**2 * (1.0 - wrong)


SLOPES = {
    "neg_mean_squared_error": Sloped(squared, metric="mean squared error"),
    "neg_root_mean_squared_error": Sloped(root_squared),
    "neg_mean_absolute_error": Sloped(absolute),
    "r2": Sloped(unexplained, shift=-1.0),
    "neg_mean_poisson_deviance": Sloped(poisson, metric="mean Poisson deviance", positive=True),
    "neg_mean_gamma_deviance": Sloped(gamma, metric="mean Gamma deviance", positive=True),
    "neg_log_loss": Sloped(log_loss, labels=True, metric="log-loss"),
    "neg_brier_score": Sloped(brier, labels=True),
}

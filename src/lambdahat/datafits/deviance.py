"""What the deviances of counts and of positive numbers share: ``ψ(d) = exp(d) − 1 − d`` of a logarithm's error.

Half the unit deviances are ``y ψ(z − log y)`` (Poisson) and ``ψ(log y − z)`` (Gamma), zero where ``exp(z) = y``.
"""

import numpy as np
from scipy.special import xlog1py

from lambdahat.linear import Vector

LARGE = 700.0  # whose exponential is finite
_ROUNDING = 1e-12  # of a logarithm


def capped_exp(d: Vector) -> Vector:
    """``exp(d)``, where it is finite; beyond, no step of a solver is allowed anyway."""
    return np.asarray(np.exp(np.minimum(d, LARGE)))


def excess(d: Vector) -> Vector:
    """``ψ(d)``, at least zero; zero where ``d`` is no more than rounding errors, so that a perfect fit is one."""
    return np.where(np.abs(d) <= _ROUNDING, 0.0, np.expm1(np.minimum(d, LARGE)) - d)


def excess_conjugate(slope: Vector) -> Vector:
    """``ψ*(slope) = (1 + slope) log(1 + slope) − slope`` for slopes from −1."""
    slope = np.maximum(slope, -1.0)
    return np.asarray(xlog1py(1.0 + slope, slope) - slope)


def log_mean_exp(d: Vector, weights: Vector) -> float:
    """``log Σ s_i exp(d_i)``, over rows of positive weight."""
    largest = float(np.max(d, where=weights > 0.0, initial=-np.inf))
    return float(np.log(weights @ np.exp(np.minimum(d - largest, 0.0)))) + largest

"""Hyperparameters as users, optimisers and penalties see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Vector


@dataclass(frozen=True)
class Space:
    """Hyperparameters as users name them (``values``), as optimisers see them (``x``), as the penalty takes them (θ).

    Each value is searched over by its logarithm, or by its logit where ``logit`` is set. ``theta`` maps values to θ and
    ``theta_vjp(values, g)`` pulls a gradient with respect to θ back to the values.
    """

    names: tuple[str, ...]
    logit: NDArray[np.bool_]
    theta: Callable[[Vector], Vector] = lambda values: values
    theta_vjp: Callable[[Vector, Vector], Vector] = lambda _, g: g
    to_params: Callable[[Vector], dict[str, Any]] = lambda values: {"alpha": float(values[0])}

    def values(self, x: Vector) -> Vector:
        out = np.exp(x)
        return np.where(self.logit, out / (1.0 + out), out)

    def x(self, values: Vector) -> Vector:
        with np.errstate(divide="ignore"):
            return np.log(values) - np.where(self.logit, np.log1p(-np.where(self.logit, values, 0.0)), 0.0)

    def slope(self, values: Vector) -> Vector:
        """``∂values/∂x``."""
        return np.where(self.logit, values * (1.0 - values), values)

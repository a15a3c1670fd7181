"""Hyperparameters as users, optimisers and penalties see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from lambdahat.linear import Vector


@dataclass(frozen=True)
class Space:
    """Hyperparameters as users name them (``values``), as optimisers see them (``x``), as the penalty takes them (θ).

    Each value is searched over by its logarithm, by its logit, or as it is: ``scales`` says ``"log"``, ``"logit"`` or
    ``"plain"``. ``theta`` maps values to θ and ``theta_vjp(values, g)`` pulls a gradient with respect to θ back to the
    values.

    Several problems of a fold share θ, unless ``index`` is given, of shape (K, d): then it says for each of them where
    in θ its own hyperparameters are.
    """

    names: tuple[str, ...]
    scales: tuple[str, ...]
    theta: Callable[[Vector], Vector] = lambda values: values
    theta_vjp: Callable[[Vector, Vector], Vector] = lambda _, g: g
    to_params: Callable[[Vector], dict[str, Any]] = lambda values: {"alpha": float(values[0])}
    index: NDArray[np.intp] | None = None

    def part(self, k: int) -> NDArray[np.intp] | slice:
        """Where in θ problem ``k`` of a fold has its hyperparameters: beyond the last one, those of the first again."""
        return slice(None) if self.index is None else self.index[k % len(self.index)]

    def placed(self, problems: Sequence[Any], theta: Vector) -> list[Any]:
        """The problems of a fold at θ."""
        return [problem.with_hyperparams(theta[self.part(k)]) for k, problem in enumerate(problems)]

    @cached_property
    def _log(self) -> NDArray[np.bool_]:
        return np.array([scale == "log" for scale in self.scales])

    @cached_property
    def _logit(self) -> NDArray[np.bool_]:
        return np.array([scale == "logit" for scale in self.scales])

    def plain(self) -> Space:
        """The same hyperparameters, each searched over as it is."""
        return replace(self, scales=("plain",) * len(self.names))

    def values(self, x: Vector) -> Vector:
        """Infinite where a hyperparameter overflows."""
        out = np.array(x, dtype=np.float64)
        with np.errstate(over="ignore"):
            out[self._log] = np.exp(out[self._log])
        out[self._logit] = expit(out[self._logit])
        return out

    def x(self, values: Vector) -> Vector:
        """Minus infinity where a logarithm is taken of zero."""
        out = np.array(values, dtype=np.float64)
        with np.errstate(divide="ignore"):
            out[self._log] = np.log(out[self._log])
        out[self._logit] = logit(out[self._logit])
        return out

    def slope(self, values: Vector) -> Vector:
        """``∂values/∂x``."""
        out = np.where(self._log, values, 1.0)
        return np.where(self._logit, values * (1.0 - values), out)

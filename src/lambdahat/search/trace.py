"""What a search leaves behind: its evaluations, frozen."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Vector


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation of the criterion.

    Attributes
    ----------
    index : int
    hyperparams : dict
        The estimator's parameters.
    value : float
        The criterion.
    gradient : array of shape (d,)
        With respect to the hyperparameters.
    support_size : float
        Mean number of non-zero coefficients over the inner problems.
    inner_tol : float
        Relative duality gap asked of the inner problems; loose evaluations of large fits do without its proof.
    seconds : float
        Since the search began.
    followed : float
        What the search followed: the criterion, or what stands in for one that has no slope. ``gradient`` is its.
    """

    index: int
    hyperparams: dict[str, Any]
    value: float
    gradient: Vector
    support_size: float
    inner_tol: float
    seconds: float
    followed: float


@dataclass(frozen=True, eq=False)
class Trace:
    """All evaluations of a search, in order.

    Attributes
    ----------
    hyperparam_names : tuple of str, length d
    hyperparams : array of shape (n_evals, d)
    values : array of shape (n_evals,)
    gradients : array of shape (n_evals, d)
        With respect to ``hyperparams``.
    support_sizes : array of shape (n_evals,)
        Mean over the inner problems.
    inner_tols : array of shape (n_evals,)
        Relative duality gap asked of the inner problems; loose evaluations of large fits do without its proof.
    seconds : array of shape (n_evals,)
        Since the search began.
    followed : array of shape (n_evals,)
        What the search followed: ``values``, or what stands in for a criterion that has no slope.
    """

    hyperparam_names: tuple[str, ...]
    hyperparams: NDArray[np.float64]
    values: Vector
    gradients: NDArray[np.float64]
    support_sizes: Vector
    inner_tols: Vector
    seconds: Vector
    followed: Vector

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @property
    def is_led(self) -> bool:
        """Whether the search followed something else than the criterion."""
        return not np.array_equal(self.followed, self.values, equal_nan=True)

    def to_frame(self) -> Any:
        """A pandas data frame, one row an evaluation (at most 20 hyperparameters are spelled out)."""
        import pandas as pd

        d = len(self.hyperparam_names)
        spelled = {name: self.hyperparams[:, k] for k, name in enumerate(self.hyperparam_names) if d <= 20}
        slopes = {f"d_{name}": self.gradients[:, k] for k, name in enumerate(self.hyperparam_names) if d <= 20}
        rest = {
            "value": self.values,
            "support_size": self.support_sizes,
            "inner_tol": self.inner_tols,
            "seconds": self.seconds,
        }
        if self.is_led:
            rest["followed"] = self.followed
        return pd.DataFrame({**spelled, **rest, **slopes})

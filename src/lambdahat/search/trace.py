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
        Relative duality gap asked of the inner problems; first looks at a range do without its proof.
    seconds : float
        Since the search began.
    decisive : float
        What decides between evaluations in the end: the criterion itself, unless that stands in for another one that
        has no slope.
    """

    index: int
    hyperparams: dict[str, Any]
    value: float
    gradient: Vector
    support_size: float
    inner_tol: float
    seconds: float
    decisive: float


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
        Relative duality gap asked of the inner problems; first looks at a range do without its proof.
    seconds : array of shape (n_evals,)
        Since the search began.
    decisive : array of shape (n_evals,)
        What decides between evaluations in the end: ``values``, unless these stand in for a criterion without slopes.
    """

    hyperparam_names: tuple[str, ...]
    hyperparams: NDArray[np.float64]
    values: Vector
    gradients: NDArray[np.float64]
    support_sizes: Vector
    inner_tols: Vector
    seconds: Vector
    decisive: Vector

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

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
        if not np.array_equal(self.decisive, self.values):
            rest["decisive"] = self.decisive
        return pd.DataFrame({**spelled, **rest, **slopes})

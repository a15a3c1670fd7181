"""The names of the searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from lambdahat._validation import check_name
from lambdahat.outer import (
    HOAG,
    LBFGS,
    Adam,
    Bayesian,
    GradientDescent,
    Grid,
    LineSearch,
    OuterOptimizer,
    RandomSearch,
    Scalar,
)

OPTIMIZERS: dict[str, Callable[[], OuterOptimizer]] = {
    "scalar": Scalar,
    "lbfgs": LBFGS,
    "gradient_descent": GradientDescent,
    "line_search": LineSearch,
    "adam": Adam,
    "hoag": HOAG,
    "grid": Grid,
    "random": RandomSearch,
    "bayesian": Bayesian,
}


def as_optimizer(optimizer: Any, d: int, random_state: Any = None) -> OuterOptimizer:
    """An optimizer object for ``d`` hyperparameters, from a name or an object."""
    if not isinstance(optimizer, str):
        if isinstance(optimizer, type) or not hasattr(optimizer, "minimize"):
            raise ValueError(f"optimizer={optimizer!r} is no optimizer: pass 'auto', or one with minimize()")
        given: OuterOptimizer = optimizer
        return given
    name = check_name(optimizer, ("auto", *OPTIMIZERS), "optimizer")
    if name == "auto":
        name = "scalar" if d == 1 else "lbfgs"
    if name == "scalar" and d > 1:
        raise ValueError(
            f"optimizer='scalar' tunes one hyperparameter, not {d}: use 'lbfgs' or choose one in hyperparams"
        )
    named = OPTIMIZERS[name]()
    if is_dataclass(named) and any(field.name == "random_state" for field in fields(named)):
        named = replace(named, random_state=_seed(random_state))
    return named


def _seed(random_state: Any) -> int:
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))

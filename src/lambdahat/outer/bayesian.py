"""Bayesian optimisation by optuna, for comparison."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from lambdahat._validation import check_count, check_name
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, check_inner_tol

_MOST_DIMENSIONS = 100


@dataclass(frozen=True)
class Bayesian:
    """optuna's samplers over the logarithms of the hyperparameters (the logit of a ratio), between the bounds.

    No gradients are computed. It needs the ``bayesian`` extra, and takes at most 100 hyperparameters.

    Parameters
    ----------
    sampler : {"gp", "tpe"}, default "gp"
        A Gaussian process (which needs PyTorch), or a tree-structured Parzen estimator.
    n_points : int, default 100
        ``max_evals`` bounds them too.
    random_state : int, optional
        Seed.
    inner_tol : float, optional
        Relative duality gap asked of inner problems; by default 1e-4, or less where the objective wants it.
    """

    sampler: str = "gp"
    n_points: int = 100
    random_state: int | None = None
    inner_tol: float | None = None

    def __post_init__(self) -> None:
        check_name(self.sampler, ("gp", "tpe"), "sampler")
        check_count(self.n_points, "n_points")
        check_inner_tol(self.inner_tol)

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        d = region.lower.size
        if d > _MOST_DIMENSIONS:
            raise ValueError(
                f"'bayesian' takes at most {_MOST_DIMENSIONS} hyperparameters, not {d}: use 'lbfgs' or 'random'"
            )
        optuna = _optuna(self.sampler)
        make = {"gp": optuna.samplers.GPSampler, "tpe": optuna.samplers.TPESampler}[self.sampler]
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study = optuna.create_study(sampler=make(seed=self.random_state))
            recorded = Recorded(objective, self.inner_tol)
            return self._visit(optuna, study, recorded, region)
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _visit(self, optuna: Any, study: Any, recorded: Recorded, region: Region) -> str:
        low, high = (bound.tolist() for bound in region.box)
        names = [f"x{k}" for k in range(len(low))]
        axes = {
            name: optuna.distributions.FloatDistribution(*ends) for name, *ends in zip(names, low, high, strict=True)
        }
        if region.start is not None:
            study.enqueue_trial(dict(zip(names, region.logs(region.clip(region.start)).tolist(), strict=True)))
        worst = None
        for _ in range(self.n_points):
            trial = study.ask(axes)
            x = region.at(np.array([trial.params[name] for name in names]))
            point = recorded(x, gradient=False)
            value = point.value if point.decisive is None else point.decisive  # no slope is asked for
            if np.isfinite(value):
                worst = value if worst is None else max(worst, value)
                study.tell(trial, value)
            elif worst is None:  # nothing to compare with yet
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, worst)  # a model of the criterion should stay away, and cannot fit infinity
        return recorded.ending(f"visited {self.n_points} points of optuna's {self.sampler} sampler", region)


def _optuna(sampler: str) -> Any:
    needed = {"optuna": "optimizer='bayesian'"} | ({"torch": "the sampler 'gp'"} if sampler == "gp" else {})
    for module, what in needed.items():
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"{what} needs {module}, which is not installed: pip install 'lambdahat[bayesian]'")
    return importlib.import_module("optuna")

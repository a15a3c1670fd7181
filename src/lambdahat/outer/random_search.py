"""Random search, for comparison: Bergstra and Bengio, JMLR 2012."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_count
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, check_inner_tol


@dataclass(frozen=True)
class RandomSearch:
    """Points drawn evenly in the logarithms of the hyperparameters (in the logit of a ratio), between the bounds.

    No gradients are computed.

    Parameters
    ----------
    n_points : int, default 100
        ``max_evals`` bounds them too.
    random_state : int, optional
        Seed.
    inner_tol : float, optional
        Relative duality gap asked of inner problems; by default 1e-4, or less where the objective wants it.
    """

    n_points: int = 100
    random_state: int | None = None
    inner_tol: float | None = None

    def __post_init__(self) -> None:
        check_count(self.n_points, "n_points")
        check_inner_tol(self.inner_tol)

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        recorded = Recorded(objective, self.inner_tol)
        if region.start is not None:
            recorded(region.clip(region.start), gradient=False)
        rng, (low, high) = np.random.default_rng(self.random_state), region.box
        for _ in range(self.n_points):
            recorded(region.at(rng.uniform(low, high)), gradient=False)
        return recorded.ending(f"visited {self.n_points} random points", region)

"""A grid, for comparison: every search here is a way to need fewer points than this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lambdahat._validation import check_count
from lambdahat.linear import Vector
from lambdahat.outer.base import Objective, Region
from lambdahat.outer.descent import Recorded, check_inner_tol

_MOST = 1_000_000


@dataclass(frozen=True)
class Grid:
    """An even grid in the logarithms of the hyperparameters (in the logit of a ratio), between the bounds.

    It is walked from the simplest model to the most complex one, and in several dimensions to and fro, so that each
    point is a neighbour of the one before and starts from its solution. No gradients are computed.

    Parameters
    ----------
    n_points : int, default 100
        In total: with d hyperparameters, the d-th root of it (rounded) in each, at least two. ``max_evals`` bounds
        them too.
    inner_tol : float, optional
        Relative duality gap asked of inner problems; by default 1e-4, or less where the objective wants it.
    """

    n_points: int = 100
    inner_tol: float | None = None

    def __post_init__(self) -> None:
        check_count(self.n_points, "n_points", low=2)
        check_inner_tol(self.inner_tol)

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        d = region.lower.size
        each = max(2, round(self.n_points ** (1.0 / d)))
        if d * np.log10(each) > np.log10(_MOST):
            raise ValueError(
                f"a grid over {d} hyperparameters takes at least {each}^{d} points: use 'lbfgs', or tune fewer of them"
            )
        recorded = Recorded(objective, self.inner_tol)
        if region.start is not None:
            recorded(region.clip(region.start), gradient=False)
        low, high = region.box
        axes = [np.linspace(high[k], low[k], each) for k in range(d)]
        for u in _to_and_fro(axes):
            recorded(region.at(u), gradient=False)
        return recorded.ending(f"visited all {each**d} points of the grid", region)


def _to_and_fro(axes: list[Vector]) -> Iterator[Vector]:
    """The points of a grid; each differs from the one before by one step along one axis. The first axis is slowest."""
    shape = tuple(axis.size for axis in axes)
    for index in range(int(np.prod(shape))):
        digits = np.unravel_index(index, shape)
        u, before = np.empty(len(axes)), 0
        for k, digit in enumerate(digits):  # an axis is walked backwards in every other pass over it
            u[k] = axes[k][digit if before % 2 == 0 else shape[k] - 1 - digit]
            before = before * shape[k] + int(digit)
        yield u

"""What was found: few sources, and their courses over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Matrix


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources that are active, of all those that a leadfield has.

    Attributes
    ----------
    amplitudes : array of shape (n_active, n_orient, n_times)
        In the units that the leadfield has in its denominator: ampere·metres, where it is in T/(A·m) or V/(A·m). Along
        the columns of each source, one or two or three.
    indices : array of shape (n_active,)
        Numbers of the sources, from 0, in the order of the leadfield.
    positions : array of shape (n_active, 3), or None
        In metres, where positions were given.
    explained_variance : float
        ``1 − ‖Y − GW‖² / ‖Y‖²`` of the whitened data, of the amplitudes as they are here; noise, which nothing should
        explain, is part of ``Y``.
    alpha : float
        Strength of the penalty, see :class:`lambdahat.inverse.InverseProblem`.
    alpha_max : float
        The strength from which on no source is active.
    n_sources : int
        Of the leadfield.
    search : GradientSearch or None
        The fitted search that chose ``alpha``, with its trace; None where it was given.
    status : str
        What was found and how the search ended, in a sentence.
    """

    amplitudes: NDArray[np.float64]
    indices: NDArray[np.intp]
    positions: Matrix | None
    explained_variance: float
    alpha: float
    alpha_max: float
    n_sources: int
    search: Any
    status: str

    @property
    def n_active(self) -> int:
        return int(self.indices.size)

    @property
    def magnitudes(self) -> Matrix:
        """Length of the amplitude over orientations, shape (n_active, n_times); never negative."""
        return np.asarray(np.linalg.norm(self.amplitudes, axis=1))

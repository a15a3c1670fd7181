"""Arrays of numbers at the door, with sentences for those that cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_magnitude

_SHAPES = {
    "leadfield": "(n_channels, n_columns)",
    "data": "(n_channels, n_times)",
    "trials": "(n_trials, n_channels, n_times)",
    "positions": "(n_sources, 3)",
    "noise_covariance": "(n_channels, n_channels)",
}


def check_array_of(values: Any, name: str, ndim: int) -> NDArray[np.float64]:
    """A finite array of float64 with so many dimensions, or a sentence."""
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError("complex numbers")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds what is no real number: pass an array of numbers ({error})") from error
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: pass an array of shape {_SHAPES[name]}")
    if not np.all(np.isfinite(array)):
        kind = "NaN" if np.isnan(array).any() else "infinity"
        first = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} contains {kind} (first at {first}): leave out the channel, the source or the instant")
    check_magnitude(float(np.abs(array).max()), name, "it")
    return array

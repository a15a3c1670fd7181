"""What a search was given, and where in its bounds it ended: numbers, and no reference to the data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A hyperparameter this near to an end of its range, as a share of it, lies on its bound.
_ON_BOUND = 1e-6


@dataclass(frozen=True, eq=False)
class Setting:
    """What a search was given, and where it ended.

    Attributes
    ----------
    n_rows : int
    n_features : int, or None
        Of X as it was handed over, before a pipeline's transformers; None where that is no table.
    stored_share : float or None
        The share of the entries that a sparse X stores; None where X is dense.
    weighted : bool
        Whether there were sample weights.
    fold_rows : tuple of (int, int or None)
        Rows that each fold trains on and that judge it; None where a criterion judges by the training rows themselves.
    scales : tuple of str, length d
        ``"log"``, ``"logit"`` or ``"plain"``: how each hyperparameter is searched.
    lower, upper, positions : array of shape (d,)
        The bounds of each hyperparameter, and the share of the way from the lower to the upper one, on its scale, at
        which the chosen value lies.
    seconds : float
        The time of the whole fit.
    """

    n_rows: int
    n_features: int | None
    stored_share: float | None
    weighted: bool
    fold_rows: tuple[tuple[int, int | None], ...]
    scales: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    positions: NDArray[np.float64]
    seconds: float

    @property
    def judged_by(self) -> str:
        """What the criterion is computed on, in words; empty where these are the training rows."""
        if any(judged is None for _, judged in self.fold_rows):
            return ""
        return f"{len(self.fold_rows)}-fold cross-validation" if len(self.fold_rows) > 1 else "held-out data"

    def data(self) -> str:
        """The data, in words."""
        kind = "dense" if self.stored_share is None else f"sparse, {100 * self.stored_share:.3g} % stored"
        weighted = ", sample weights" if self.weighted else ""
        features = "" if self.n_features is None else f" × {self.n_features} features, {kind}"
        return f"{self.n_rows} rows{features}{weighted}"

    def folds(self) -> str:
        """The rows of the folds, in words."""
        train = _span([rows for rows, _ in self.fold_rows])
        judged = [rows for _, rows in self.fold_rows if rows is not None]
        count = f"{len(self.fold_rows)} folds, " if len(self.fold_rows) > 1 else ""
        if len(judged) < len(self.fold_rows):
            return f"{count}judged by the {train} training rows themselves"
        return f"{count}{train} training rows, {_span(judged)} rows held out"


@dataclass(frozen=True, eq=False)
class Place:
    """Where in its bounds a hyperparameter, one number or several, was chosen.

    Attributes
    ----------
    positions, lower, upper : array of shape (k,)
        As of :class:`Setting`, for the k numbers.
    scale : str
    """

    positions: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    scale: str

    @property
    def n_lower(self) -> int:
        """How many lie on their lower bounds."""
        return int(np.sum(self.positions <= _ON_BOUND))

    @property
    def n_upper(self) -> int:
        """How many lie on their upper bounds."""
        return int(np.sum(self.positions >= 1.0 - _ON_BOUND))

    @property
    def percent(self) -> float | None:
        """The share of the way of a single number, in per cent."""
        return 100.0 * float(self.positions[0]) if self.positions.size == 1 else None

    def range(self) -> str:
        """The bounds, in words."""
        scale = "" if self.scale == "plain" else f" ({self.scale} scale)"
        return f"{self.lower.min():.3g} to {self.upper.max():.3g}{scale}"

    def __str__(self) -> str:
        if self.positions.size == 1:
            if self.n_lower or self.n_upper:
                return f"on its {'lower' if self.n_lower else 'upper'} bound, of {self.range()}"
            percent = 100.0 * float(self.positions[0])
            share = f"{percent:.0f}" if percent >= 1.0 else f"{percent:.1g}"
            return f"{share} % of the way from {self.range()}"
        inside = self.positions[(self.positions > _ON_BOUND) & (self.positions < 1.0 - _ON_BOUND)]
        parts = [
            f"{count} on the {end} bound" for count, end in ((self.n_lower, "lower"), (self.n_upper, "upper")) if count
        ]
        if inside.size:
            who = "the others" if parts else "all"
            span = _span([round(100 * position) for position in inside.tolist()])
            parts.append(f"{who} {span} % of the way from {self.range()}")
        return ", ".join(parts)

    def bar(self, width: int = 21) -> str:
        """The position of a single number as a line of characters; empty for several."""
        if self.positions.size != 1:
            return ""
        at = round(float(self.positions[0]) * (width - 1))
        return f"[{'─' * at}●{'─' * (width - 1 - at)}]"


def places(setting: Setting, params: dict[str, object], names: tuple[str, ...]) -> dict[str, Place]:
    """The place of each parameter; ``names`` are those of the trace, ``alpha[0]`` for the first number of ``alpha``."""
    found = {}
    for name in params:
        of = [k for k, full in enumerate(names) if full.partition("[")[0] == name.rpartition("__")[2]]
        if of:
            found[name] = Place(setting.positions[of], setting.lower[of], setting.upper[of], setting.scales[of[0]])
    return found


def _span(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"

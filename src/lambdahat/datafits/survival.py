"""Targets of survival analysis: how they are read, how one array of numbers holds them, and who is at risk when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import as_frame, check_target
from lambdahat.kernels.cox import event_masses, log_risk, risk
from lambdahat.linear import Vector

_STRATUM = 2.0**32  # apart, in codes: more than there are times
FAR = 600.0  # logarithms of rates whose ratio is still a number

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Survival:
    """Times of events, or of censoring.

    Attributes
    ----------
    event : array of bool of shape (n,)
        Whether the event was seen at the time; otherwise the row was last seen without it then.
    time : array of shape (n,)
    stratum : array of whole numbers of shape (n,)
        Places in ``labels``; rows are compared with rows of their own stratum only.
    labels : array
        Of the strata.
    """

    event: NDArray[np.bool_]
    time: Vector
    stratum: Rows
    labels: NDArray[Any]

    @classmethod
    def read(cls, y: Any, n: int, name: str = "y", X_name: str = "X") -> Self:
        """From a structured array or a frame (event, time, and perhaps stratum), or from times that are all events'.

        Raises
        ------
        ValueError
            In one sentence, where it is neither.
        """
        columns = _columns(y, name)
        if columns is None:
            time = check_target(y, n, name, X_name)
            return cls(np.ones(n, dtype=np.bool_), time, np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64))
        (event_name, event), (time_name, time), *rest = columns
        if event.dtype.kind != "b":
            raise ValueError(
                f"the field {event_name!r} of {name} has type {event.dtype}: its first field says whether the event "
                "was seen, pass booleans (False: censored)"
            )
        if time.dtype.kind not in "iuf":
            raise ValueError(f"the field {time_name!r} of {name} has type {time.dtype}: its second field is the time")
        time = check_target(time, n, f"the field {time_name!r} of {name}", X_name)
        if not rest:
            return cls(event, time, np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64))
        stratum_name, stratum = rest[0]
        if stratum.dtype.kind == "f" and not np.all(np.isfinite(stratum)):
            row = int(np.flatnonzero(~np.isfinite(stratum))[0])
            raise ValueError(f"the field {stratum_name!r} of {name} is not finite (first in row {row}): drop such rows")
        labels, places = np.unique(stratum, return_inverse=True)
        return cls(event, time, places.astype(np.int64), labels)

    @property
    def codes(self) -> Vector:
        """One number a row, in the order of strata and of times in these, negative where the row is censored."""
        rank = np.unique(self.time, return_inverse=True)[1]
        code = _STRATUM * self.stratum + rank + 1.0
        return np.where(self.event, code, -code)


def _columns(y: Any, name: str) -> list[tuple[str, NDArray[Any]]] | None:
    """Names and values of the two or three fields, or None where it has no fields."""
    frame = as_frame(y)
    if isinstance(frame, nw.DataFrame):
        columns = [(column, frame[column].to_numpy()) for column in frame.columns]
    elif getattr(getattr(y, "dtype", None), "names", None) and np.ndim(y) == 1:
        columns = [(field, y[field]) for field in y.dtype.names]
    else:
        return None
    fields = [column for column, _ in columns]
    if len(columns) not in (2, 3) or (len(columns) == 3 and fields[2] != "stratum"):
        raise ValueError(
            f"{name} has the fields {', '.join(map(repr, fields))}: pass two, whether the event was seen and the time, "
            "and perhaps a third named 'stratum'"
        )
    return columns


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Rows of positive weight that are at risk at some event time, in the order that ``kernels.cox`` reads.

    Attributes
    ----------
    rows : array of row numbers
    weights : array
        Of these rows.
    is_event : array of bool
        Whether their event was seen.
    interval : array of whole numbers
        Where they are.
    masses : array
        The weight of the events of each interval.
    start, deaths, strata : arrays of whole numbers
        Intervals: see ``kernels.cox``.
    """

    rows: Rows
    weights: Vector
    is_event: NDArray[np.bool_]
    interval: Rows
    masses: Vector
    start: Rows
    deaths: Rows
    strata: Rows

    @classmethod
    def create(cls, codes: Vector, weights: Vector) -> Self:
        """Of the codes of :class:`Survival`."""
        used = np.flatnonzero(weights > 0.0)
        event = codes[used] > 0.0
        order = np.argsort(2.0 * np.abs(codes[used]) + ~event)  # of those at the same time, events first
        rows, event = used[order].astype(np.int64), event[order]
        time = np.abs(codes[rows])
        stratum = np.floor(time / _STRATUM)
        first = event & (np.diff(time, prepend=-1.0) > 0.0)  # of the events at a time
        interval = np.cumsum(first) - 1
        kept = (interval >= 0) & (stratum[first][interval] == stratum) if first.any() else first
        rows, event, interval = rows[kept], event[kept], interval[kept]  # others are at risk at no event
        K = int(first.sum())
        start = np.searchsorted(interval, np.arange(K + 1))
        deaths = np.bincount(interval[event], minlength=K)
        strata = np.append(np.flatnonzero(np.diff(stratum[first], prepend=-1.0)), K)
        s = np.ascontiguousarray(weights[rows], dtype=np.float64)
        masses = event_masses(s, start, deaths)
        return cls(rows, s, event, interval, masses, *(a.astype(np.int64) for a in (start, deaths, strata)))

    def centred(self, values: Vector) -> Vector:
        """Values of all rows less their mean in each stratum; zero in rows that are at risk at no event."""
        found = np.zeros_like(values)
        stratum = np.searchsorted(self.strata, self.interval, side="right") - 1
        sums = np.bincount(stratum, self.weights * values[self.rows], self.strata.size)
        totals = np.bincount(stratum, self.weights, self.strata.size)
        found[self.rows] = values[self.rows] - (sums / np.where(totals > 0.0, totals, 1.0))[stratum]
        return found

    def log_risk(self, below: Vector) -> Vector:
        """``log S_k`` from the logarithms of the rates of these rows, the largest of which is zero."""
        if np.min(below, initial=0.0) < -FAR:
            return np.asarray(log_risk(below, self.weights, self.start, self.strata))
        return np.asarray(np.log(risk(np.exp(below), self.weights, self.start, self.strata)))

"""Loops of leave-one-out for support vector machines: the weight of a row goes to zero, and the others follow.

Each coordinate of the dual is on a *place* of a staircase, the subdifferential of its penalty: at an even one, 2k, its
coefficient is held at ``stops[k]`` and its residual moves between two slopes; at an odd one, 2k + 1, its residual is
held at ``slopes[k]`` and its coefficient moves between two stops.

As long as no place changes all of them move linearly, by a tableau: row a is what a unit of what is held at coordinate
a adds to what moves in each. Where a place changes, what moves there and what is held take turns, a principal pivot.
Cauwenberghs & Poggio, *Incremental and decremental support vector machine learning*, NIPS 2000.
"""

import numpy as np
from numba import njit, uint64


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _turn(T, j, pivots, turned, k, row):
    """Pivot at j after k others; of rows to come their entry j times ``pivots[k]`` is taken off. Returns 1 / pivot."""
    m, last = uint64(T.shape[0]), -1
    for e in range(k):
        if turned[e] == j:
            last = e
    if last < 0:
        row[:] = T[j]
    else:
        row[:] = pivots[last]
        row[j] -= 1.0
    for e in range(last + 1, k):
        factor, pivot = row[turned[e]], pivots[e]
        if factor != 0.0:
            for a in range(m):
                row[a] -= factor * pivot[a]
    inverse = 1.0 / row[j]
    for a in range(m):
        pivots[k, a] = inverse * row[a]
    pivots[k, j] = 1.0 + inverse
    turned[k] = j
    return inverse


@njit(cache=True, nogil=True)
def _follow(rates, j, old, new, pivot, inverse):
    """Rates of what moves after a pivot at j, where what was held moved by ``old``, and what is now does by ``new``."""
    change = new - rates[j]
    if change != 0.0:
        for a in range(uint64(rates.shape[0])):
            rates[a] += change * pivot[a]
    rates[j] = old + change * inverse


@njit(cache=True, nogil=True)
def _limits(place, j, stops, slopes, slack):
    """Between which values what moves at a place may be, and how much of that grows with the stops."""
    k = place // 2
    if place % 2 == 1:
        low, high = stops[j, k], stops[j, k + 1]
        beyond = slack[0] * (high - low)
        return low - beyond, high + beyond, low, high
    low = slopes[k - 1] - slack[1] if k > 0 else -np.inf
    high = slopes[k] + slack[1] if k < slopes.shape[0] else np.inf
    return low, high, 0.0, 0.0


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def without_rows(
    T, guests, n_free, places, starts, stops, slopes, kinds, by_kind, by_slope, stretches, slack, most, derive,
    out, by_logs,
):  # fmt: skip
    """Residuals of rows without themselves (``out``), NaN where it did not end.

    With ``derive`` derivatives in the logarithms of θ too (``by_logs``).

    The first m rows may change their places, and the first ``n_free`` of these are at odd ones. T is their tableau, of
    shape (m + 1, m + 1): its last row and column are for one of the ``guests``, rows that stay where they are until
    they leave; these are their rows of the tableau, of m + 1 entries.

    ``starts`` are what moves at ``places``. While the coefficient of row i goes to zero, the stops of all rows of a
    kind grow to ``stretches[i, kind]`` times what they are. Where stops of a kind grow in proportion, what moves does
    by ``by_kind``, shape (kinds, n), and where slopes do by ``by_slope``.

    Limits are passed by ``slack`` (of coefficients in units of the distance of stops, and of residuals), so that no two
    places take turns for ever; ``most`` pivots are made.
    """
    m = T.shape[0] - 1
    rows, at, held = np.arange(m + 1), np.zeros(m + 1, np.int64), np.zeros(m + 1)
    x, d, by, limits = np.zeros(m + 1), np.zeros(m + 1), np.zeros((2, m + 1)), np.zeros((4, m + 1))
    pivots, turned, row, times = np.empty((most, m + 1)), np.empty(most, np.int64), np.empty(m + 1), np.empty(m + 1)
    T[m], T[:, m] = 0.0, 0.0
    begins, holds = np.empty((4, places.shape[0])), np.zeros(places.shape[0])  # limits and what is held, at first
    for j in range(places.shape[0]):
        begins[0, j], begins[1, j], begins[2, j], begins[3, j] = _limits(places[j], j, stops, slopes, slack)
        if places[j] % 2 == 1:
            holds[j] = slopes[places[j] // 2]  # beyond a stop
    grows = np.any(stretches != 1.0)
    for i in range(places.shape[0]):
        own = min(i, m)
        if own == m:
            rows[m], T[m] = i, guests[i - m]
            for j in range(m):
                T[j, m] = -T[m, j] if j < n_free else T[m, j]
        size, left, k, growths = max(m, own + 1), 1.0, 0, stretches[i] - 1.0
        for a in range(uint64(size)):
            j = rows[a]
            at[a], x[a], held[a] = places[j], starts[j], holds[j]
            limits[0, a], limits[1, a], d[a] = begins[0, j], begins[1, j], 0.0
            if grows:
                growth = growths[kinds[j]]
                limits[2, a], limits[3, a] = growth * begins[2, j], growth * begins[3, j]
                for kind in range(growths.shape[0]):
                    d[a] += growths[kind] * by_kind[kind, j]
            if derive:
                by[0, a], by[1, a] = 0.0, by_slope[j]
                for kind in range(growths.shape[0]):
                    by[0, a] += stretches[i, kind] * by_kind[kind, j]
        limits[0, own], limits[1, own], limits[2:, own] = -np.inf, np.inf, 0.0
        if at[own] % 2 == 1:
            gone, x[own] = -x[own], held[own]
            inverse = _turn(T, own, pivots, turned, 0, row)
            _follow(d, own, 0.0, gone, pivots[0], inverse)
            if derive:
                _follow(by[0], own, 0.0, 0.0, pivots[0], inverse)
                _follow(by[1], own, held[own], 0.0, pivots[0], inverse)
            k = 1
        else:
            gone = -stretches[i, kinds[i]] * stops[i, at[own] // 2]
            for a in range(uint64(size)):
                d[a] += gone * T[own, a]
                if derive:
                    by[0, a] += gone * T[own, a]
        while True:
            for a in range(uint64(size)):  # without branches: signs are as good as random
                up, down = d[a] - limits[3, a], limits[2, a] - d[a]
                until_high = (limits[1, a] - x[a]) / up if up > 0.0 else np.inf
                times[a] = min(until_high, (x[a] - limits[0, a]) / down if down > 0.0 else np.inf)
            step, j = left, -1
            for a in range(size):
                if times[a] < step:
                    step, j = times[a], a
            step = max(step, 0.0)
            for a in range(uint64(size)):
                x[a] += step * d[a]
            if grows:
                limits[:2] += step * limits[2:]
            left -= step
            if j < 0 or k == most:
                break
            inverse, before = _turn(T, j, pivots, turned, k, row), at[j]
            at[j] += 1 if limits[1, j] - x[j] < x[j] - limits[0, j] else -1
            leaves = before % 2 == 0
            stop = stops[j, (before if leaves else at[j]) // 2]
            slope = slopes[(at[j] if leaves else before) // 2]
            growth, end = growths[kinds[j]], stretches[i, kinds[j]] * stop
            now, then = stop * (1.0 + (1.0 - left) * growth), growth * stop
            if leaves:
                x[j], held[j] = held[j] + now, x[j]
                _follow(d, j, then, 0.0, pivots[k], inverse)
            else:
                x[j], held[j] = held[j], x[j] - now
                _follow(d, j, 0.0, then, pivots[k], inverse)
            if derive:
                _follow(by[0], j, end if leaves else 0.0, 0.0 if leaves else end, pivots[k], inverse)
                _follow(by[1], j, 0.0 if leaves else slope, slope if leaves else 0.0, pivots[k], inverse)
            low, high, low_rate, high_rate = _limits(at[j], j, stops, slopes, slack)
            limits[2, j], limits[3, j] = growth * low_rate, growth * high_rate
            limits[0, j], limits[1, j] = low + (1.0 - left) * limits[2, j], high + (1.0 - left) * limits[3, j]
            k += 1
        ended = j < 0
        out[i] = x[own] if ended else np.nan
        by_logs[i, 0], by_logs[i, 1] = by[0, own] if ended else np.nan, by[1, own] if ended else np.nan

"""Loops of leave-one-out for support vector machines: the weight of a row goes to zero, and the others follow.

Each coordinate of the dual is on a *place* of a staircase, the subdifferential of its penalty: at an even one, 2k, its
coefficient is held at ``stops[k]`` and its residual moves between two slopes; at an odd one, 2k + 1, its residual is
held at ``slopes[k]`` and its coefficient moves between two stops.

As long as no place changes all of them move linearly, by a tableau: row a is what a unit of what is held at coordinate
a adds to what moves in each. Where a place changes, what moves there and what is held take turns, a principal pivot.
Cauwenberghs & Poggio, *Incremental and decremental support vector machine learning*, NIPS 2000.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _turn(T, j, pivots, turned, k, row):
    """Pivot at j after k others; of rows to come their entry j times ``pivots[k]`` is taken off. Returns 1 / pivot."""
    m, last = T.shape[0], -1
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
            for l in range(m):
                row[l] -= factor * pivot[l]
    inverse = 1.0 / row[j]
    for l in range(m):
        pivots[k, l] = inverse * row[l]
    pivots[k, j] = 1.0 + inverse
    turned[k] = j
    return inverse


@njit(cache=True, nogil=True)
def _follow(rates, j, old, new, pivot, inverse):
    """Rates of what moves after a pivot at j, where what was held moved by ``old``, and what is now does by ``new``."""
    change = new - rates[j]
    if change != 0.0:
        for l in range(rates.shape[0]):
            rates[l] += change * pivot[l]
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
    T, places, starts, stops, slopes, kinds, by_kind, by_slope, stretches, slack, most, residuals, by_logs
):
    """Residuals of rows without themselves, and their derivatives in the logarithms of θ; NaN where that did not end.

    ``starts`` are what moves at ``places``. While the coefficient of row i goes to zero, the stops of all rows of a kind
    grow to ``stretches[i, kind]`` times what they are. Where stops of a kind grow in proportion, what moves does by
    ``by_kind``, shape (kinds, m), and where slopes do by ``by_slope``.

    Limits are passed by ``slack`` (of coefficients in units of the distance of stops, and of residuals), so that no two
    places take turns for ever; ``most`` pivots are made.
    """
    m = T.shape[0]
    at, x, d, by, limits = places.copy(), np.empty(m), np.empty(m), np.empty((2, m)), np.empty((4, m))
    held = np.array([slopes[places[j] // 2] if places[j] % 2 == 1 else 0.0 for j in range(m)])  # beyond stops
    pivots, turned, row = np.empty((most, m)), np.empty(most, np.int64), np.empty(m)
    for i in range(m):
        left, k, growths = 1.0, 0, stretches[i] - 1.0
        x[:], d[:], by[0], by[1] = starts, 0.0, 0.0, by_slope
        for kind in range(growths.shape[0]):
            for j in range(m):
                d[j] += growths[kind] * by_kind[kind, j]
                by[0, j] += stretches[i, kind] * by_kind[kind, j]
        for j in range(m):
            low, high, low_rate, high_rate = _limits(at[j], j, stops, slopes, slack)
            growth = growths[kinds[j]]
            limits[0, j], limits[1, j], limits[2, j], limits[3, j] = low, high, growth * low_rate, growth * high_rate
        limits[0, i], limits[1, i], limits[2:, i] = -np.inf, np.inf, 0.0
        if at[i] % 2 == 1:
            gone, x[i] = -x[i], held[i]
            inverse = _turn(T, i, pivots, turned, 0, row)
            _follow(d, i, 0.0, gone, pivots[0], inverse)
            _follow(by[0], i, 0.0, 0.0, pivots[0], inverse)
            _follow(by[1], i, held[i], 0.0, pivots[0], inverse)
            k = 1
        else:
            gone = -stretches[i, kinds[i]] * stops[i, at[i] // 2]
            for j in range(m):
                d[j] += gone * T[i, j]
                by[0, j] += gone * T[i, j]
        while True:
            step, j, up = left, -1, 0
            for l in range(m):
                ahead, rate = limits[1, l] - x[l], d[l] - limits[3, l]
                if rate > 0.0 and ahead < step * rate:
                    step, j, up = max(ahead, 0.0) / rate, l, 1
                ahead, rate = x[l] - limits[0, l], limits[2, l] - d[l]
                if rate > 0.0 and ahead < step * rate:
                    step, j, up = max(ahead, 0.0) / rate, l, -1
            for l in range(m):
                x[l] += step * d[l]
                limits[0, l] += step * limits[2, l]
                limits[1, l] += step * limits[3, l]
            left -= step
            if j < 0 or k == most:
                break
            inverse, before = _turn(T, j, pivots, turned, k, row), at[j]
            at[j] += up
            if before % 2 == 0:
                stop, slope = stops[j, before // 2], slopes[at[j] // 2]
            else:
                stop, slope = stops[j, at[j] // 2], slopes[before // 2]
            growth = growths[kinds[j]]
            stretch, end = 1.0 + (1.0 - left) * growth, stretches[i, kinds[j]] * stop
            low, high, low_rate, high_rate = _limits(at[j], j, stops, slopes, slack)
            if before % 2 == 0:
                x[j], held[j] = held[j] + stretch * stop, x[j]
                _follow(d, j, growth * stop, 0.0, pivots[k], inverse)
                _follow(by[0], j, end, 0.0, pivots[k], inverse)
                _follow(by[1], j, 0.0, slope, pivots[k], inverse)
            else:
                x[j], held[j] = held[j], x[j] - stretch * stop
                _follow(d, j, 0.0, growth * stop, pivots[k], inverse)
                _follow(by[0], j, 0.0, end, pivots[k], inverse)
                _follow(by[1], j, slope, 0.0, pivots[k], inverse)
            elapsed = 1.0 - left
            limits[0, j], limits[1, j] = low + elapsed * growth * low_rate, high + elapsed * growth * high_rate
            limits[2, j], limits[3, j] = growth * low_rate, growth * high_rate
            k += 1
        residuals[i] = x[i] if j < 0 else np.nan
        for theta in range(2):
            by_logs[i, theta] = by[theta, i] if j < 0 else np.nan
        for e in range(k):
            j = turned[e]
            at[j], held[j] = places[j], slopes[places[j] // 2] if places[j] % 2 == 1 else 0.0

"""Loops of leave-one-out for support vector machines: the weight of a row goes to zero, and the others follow.

Each coordinate of the dual is on a *place* of a staircase, the subdifferential of its penalty: at an even one, 2v, its
coefficient is held at ``stops[v]`` and its residual moves between two slopes; at an odd one, 2h + 1, its residual is
held at ``slopes[h]`` and its coefficient moves between two stops.

As long as no place changes all of them move linearly, by a tableau: row a is what a unit of what is held at coordinate
a adds to what moves in each. Where a place changes, what moves there and what is held take turns, a principal pivot.
Cauwenberghs & Poggio, *Incremental and decremental support vector machine learning*, NIPS 2000.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _limits(place, j, last, stops, slopes, slack):
    """Between which values what moves at a place may be."""
    k = place // 2
    if place % 2 == 1:
        beyond = slack[0] * (stops[j, k + 1] - stops[j, k])
        return stops[j, k] - beyond, stops[j, k + 1] + beyond
    low = slopes[k - 1] - slack[1] if place > 0 else -np.inf
    high = slopes[k] + slack[1] if place < last else np.inf
    return low, high


@njit(cache=True, nogil=True)
def _rate(place, j, theta, by_stop, by_slope):
    """The derivative, in an entry of θ, of what is held at a place."""
    if place % 2 == 1:
        return by_slope[place // 2] if theta == 1 else 0.0
    return by_stop[j, place // 2] if theta == 0 else 0.0


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _turn(T, j, pivots, turned, k, row):
    """Row j of the tableau after k pivots, and the pivot there: rows to come lose their entry j times ``pivots[k]``."""
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


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def without_rows(
    T, places, starts, held, stops, slopes, by_stop, by_slope, rates, removed, slack, most, residuals, by_theta
):
    """Residuals of rows without themselves, and their derivatives with respect to θ; NaN where that did not end.

    At ``places``, ``starts`` move and ``held`` do not; ``rates`` are the derivatives of the former, of shape (2, m).
    ``by_stop`` and ``by_slope`` are those of stops in θ_0, and of slopes in θ_1. ``removed`` are the coordinates whose
    coefficient goes to zero, one at a time. Limits are passed by ``slack`` (of coefficients in units of the distance of
    stops, and of residuals), so that no two places take turns for ever; ``most`` pivots are made.
    """
    m, last = T.shape[0], 2 * (stops.shape[1] - 1)
    at, x, v, d, by = places.copy(), np.empty(m), held.copy(), np.empty(m), np.empty((2, m))
    low, high, row = np.empty(m), np.empty(m), np.empty(m)
    pivots, turned = np.empty((most, m)), np.empty(most, np.int64)
    for j in range(m):
        low[j], high[j] = _limits(at[j], j, last, stops, slopes, slack)
    for number in range(removed.shape[0]):
        i = removed[number]
        free = at[i] % 2 == 1
        x[:], by[:] = starts, rates
        left, ended, k = 1.0, False, 0
        low[i], high[i] = -np.inf, np.inf
        if free:
            gone = -x[i]
            x[i] = v[i]
            inverse = _turn(T, i, pivots, turned, 0, row)
            k = 1
            for j in range(m):
                d[j] = gone * pivots[0, j]
            d[i] = gone * inverse
        else:
            gone = -v[i]
            for j in range(m):
                d[j] = gone * T[i, j]
        for theta in range(2):
            rate = _rate(at[i], i, theta, by_stop, by_slope)
            if free:
                change = -by[theta, i]
                for j in range(m):
                    by[theta, j] += change * pivots[0, j]
                by[theta, i] = rate + change * inverse
            elif rate != 0.0:
                for j in range(m):
                    by[theta, j] -= rate * T[i, j]
        while True:
            step, j = left, -1
            for l in range(m):
                ahead = (high[l] if d[l] > 0.0 else low[l]) - x[l]
                if abs(ahead) < step * abs(d[l]):
                    step, j = abs(ahead / d[l]), l
            for l in range(m):
                x[l] += step * d[l]
            left -= step
            ended = j < 0
            if ended or k == most:
                break
            before = at[j]
            at[j] += 1 if d[j] > 0.0 else -1
            x[j], v[j] = v[j], x[j]
            low[j], high[j] = _limits(at[j], j, last, stops, slopes, slack)
            inverse = _turn(T, j, pivots, turned, k, row)
            change = -d[j]
            for l in range(m):
                d[l] += change * pivots[k, l]
            d[j] = change * inverse
            for theta in range(2):
                change = _rate(at[j], j, theta, by_stop, by_slope) - by[theta, j]
                if change != 0.0:
                    for l in range(m):
                        by[theta, l] += change * pivots[k, l]
                    by[theta, j] = _rate(before, j, theta, by_stop, by_slope) + change * inverse
                else:
                    by[theta, j] = _rate(before, j, theta, by_stop, by_slope)
            k += 1
        residuals[number] = x[i] if ended else np.nan
        for theta in range(2):
            by_theta[number, theta] = by[theta, i] if ended else np.nan
        low[i], high[i] = _limits(at[i], i, last, stops, slopes, slack)
        for e in range(k):
            j = turned[e]
            at[j], v[j] = places[j], held[j]
            low[j], high[j] = _limits(at[j], j, last, stops, slopes, slack)

"""Loops of leave-one-out for support vector machines: the weight of a row goes to zero, and the others follow.

Each coordinate of the dual is on a *place* of a staircase, the subdifferential of its penalty: at an even one, 2v, its
coefficient is at ``stops[v]`` and its residual moves between two slopes; at an odd one, 2h + 1, its residual is at
``slopes[h]`` and its coefficient moves between two stops. The other one of the two *drives*.

Cauwenberghs & Poggio, *Incremental and decremental support vector machine learning*, NIPS 2000: as long as no place
changes all are linear in the coefficient that goes to zero.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _solve(A, b, k):
    """Solve ``A x = b`` for the first k entries and all columns of b, in place; whether A is regular."""
    for e in range(k):
        pivot = e
        for f in range(e + 1, k):
            if abs(A[f, e]) > abs(A[pivot, e]):
                pivot = f
        if A[pivot, e] == 0.0:
            return False
        if pivot != e:
            for f in range(e, k):
                A[e, f], A[pivot, f] = A[pivot, f], A[e, f]
            for c in range(b.shape[1]):
                b[e, c], b[pivot, c] = b[pivot, c], b[e, c]
        for f in range(e + 1, k):
            if A[f, e] != 0.0:
                factor = A[f, e] / A[e, e]
                for g in range(e + 1, k):
                    A[f, g] -= factor * A[e, g]
                for c in range(b.shape[1]):
                    b[f, c] -= factor * b[e, c]
    for e in range(k - 1, -1, -1):
        for c in range(b.shape[1]):
            for f in range(e + 1, k):
                b[e, c] -= A[e, f] * b[f, c]
            b[e, c] /= A[e, e]
    return True


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
    """The derivative, in an entry of θ, of the stop or the slope of a place."""
    if place % 2 == 1:
        return by_slope[place // 2] if theta == 1 else 0.0
    return by_stop[j, place // 2] if theta == 0 else 0.0


@njit(cache=True, nogil=True)
def without_rows(
    T, places, starts, drivers, stops, slopes, by_stop, by_slope, rates, removed, slack, most, rounds, residuals, by_theta
):
    """Residuals of rows without themselves, and their derivatives with respect to θ; NaN where that did not end.

    T has, in row a, what a unit of what drives coordinate a adds to what moves in each (``starts``, at first).
    ``by_stop`` and ``by_slope`` are the derivatives of stops in θ_0 and of slopes in θ_1, and ``rates`` those of what
    moves, at the places of the start. ``removed`` are the coordinates whose coefficient goes to zero, one at a time.
    Limits are passed by ``slack`` (of coefficients in units of the distance of stops, and of residuals), so that no two
    places take turns. At most ``most`` places differ in kind, even or odd, from those of the start.
    """
    m, last = T.shape[0], 2 * (stops.shape[1] - 1)
    at, chosen, inside = places.copy(), np.empty(most, np.int64), np.zeros(m, np.bool_)
    x, v, d = np.empty(m), drivers.copy(), np.empty(m)
    low, high = np.empty(m), np.empty(m)
    touched, seen = np.empty(m, np.int64), np.zeros(m, np.bool_)
    A, c, by = np.empty((most, most)), np.empty((most, 1)), np.empty((most, 2))

    for j in range(m):
        low[j], high[j] = _limits(at[j], j, last, stops, slopes, slack)
    for e in range(removed.shape[0]):
        residuals[e], by_theta[e, :] = np.nan, np.nan
    for number in range(removed.shape[0]):
        i = removed[number]
        free = at[i] % 2 == 1
        gone = -(starts[i] if free else v[i])
        x[:] = starts
        k, n_touched, left, ended = 0, 1, 1.0, False
        touched[0], seen[i] = i, True
        low[i], high[i] = -np.inf, np.inf
        if free:
            chosen[0], inside[i], k = i, True, 1
        for _ in range(rounds):
            if free:
                d[:] = 0.0
            else:
                for j in range(m):
                    d[j] = gone * T[i, j]
            if k > 0:
                for e in range(k):
                    c[e, 0] = (gone if chosen[e] == i else 0.0) - d[chosen[e]]
                    for f in range(k):
                        A[e, f] = T[chosen[f], chosen[e]]
                if not _solve(A, c, k):
                    break
                for e in range(k):
                    amount, row = c[e, 0], T[chosen[e]]
                    for j in range(m):
                        d[j] += amount * row[j]
            step, first = left, -1
            for j in range(m):
                ahead = (high[j] if d[j] > 0.0 else low[j]) - x[j]
                if abs(ahead) < step * abs(d[j]) and not inside[j]:
                    step, first = abs(ahead / d[j]), j
            for e in range(k):
                j = chosen[e]
                ahead = (high[j] if c[e, 0] > 0.0 else low[j]) - v[j]
                if abs(ahead) < step * abs(c[e, 0]):
                    step, first = abs(ahead / c[e, 0]), j
            for j in range(m):
                x[j] += step * d[j]
            up = d[first] > 0.0
            for e in range(k):
                v[chosen[e]] += step * c[e, 0]
                if chosen[e] == first:
                    up = c[e, 0] > 0.0
            left -= step
            ended = first < 0
            if ended:
                break
            at[first] += 1 if up else -1
            low[first], high[first] = _limits(at[first], first, last, stops, slopes, slack)
            if not seen[first]:
                touched[n_touched], seen[first] = first, True
                n_touched += 1
            if inside[first]:
                inside[first] = False
                kept = 0
                for e in range(k):
                    if chosen[e] != first:
                        chosen[kept] = chosen[e]
                        kept += 1
                k = kept
            elif k == most:
                break
            else:
                chosen[k], inside[first] = first, True
                k += 1
        if ended:
            # What drives moves by the rate of its place, unless its place is of the other kind: then it is unknown.
            for theta in range(2):
                for e in range(k):
                    j = chosen[e]
                    by[e, theta] = -rates[theta, j]
                    if j != i:
                        by[e, theta] += _rate(at[j], j, theta, by_stop, by_slope)
                rate = rates[theta, i]
                for e in range(n_touched):
                    a = touched[e]
                    if inside[a]:
                        continue
                    change = -_rate(places[a], a, theta, by_stop, by_slope)
                    if a != i:
                        change += _rate(at[a], a, theta, by_stop, by_slope)
                    if change != 0.0:
                        rate += change * T[a, i]
                        for f in range(k):
                            by[f, theta] -= change * T[a, chosen[f]]
                by_theta[number, theta] = rate
            for e in range(k):
                for f in range(k):
                    A[e, f] = T[chosen[f], chosen[e]]
            if _solve(A, by, k):
                residuals[number] = v[i] if free else x[i]
                for theta in range(2):
                    if free:
                        by_theta[number, theta] = by[0, theta] + _rate(places[i], i, theta, by_stop, by_slope)
                    else:
                        for e in range(k):
                            by_theta[number, theta] += by[e, theta] * T[chosen[e], i]
        for e in range(n_touched):
            j = touched[e]
            at[j], v[j], seen[j], inside[j] = places[j], drivers[j], False, False
            low[j], high[j] = _limits(at[j], j, last, stops, slopes, slack)

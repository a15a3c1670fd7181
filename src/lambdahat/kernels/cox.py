"""Loops over the rows at risk: the partial likelihood, its derivatives, its conjugate, and concordance.

Rows are sorted by stratum and time and lie in intervals: interval k is ``[start[k], start[k + 1])``, the rows whose
time is at or after the k-th event time and before the next; its first ``deaths[k]`` rows have their event at that
time, the others are censored. Stratum l has the intervals ``[strata[l], strata[l + 1])``. At event time k are at risk
those of interval k and of all later ones of the stratum: their *risk* is ``S_k``, the sum of weights (positive) times
rates. Nothing overflows for whatever rates, since all that is kept are ratios of such sums: the ``share`` of a row in
the risk of its own interval, and ``stay = S_{k+1}/S_k``, zero in the end of a stratum.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def event_masses(s, start, deaths):
    """The weight of the events of each interval."""
    found = np.zeros(deaths.shape[0])
    for k in range(deaths.shape[0]):
        for i in range(start[k], start[k] + deaths[k]):
            found[k] += s[i]
    return found


@njit(cache=True, nogil=True)
def risk(rate, s, start, strata):
    """``S_k``, the sum of ``s∘rate`` over the rows at risk at event time k."""
    found = np.empty(start.shape[0] - 1)
    for stratum in range(strata.shape[0] - 1):
        total = 0.0
        for k in range(strata[stratum + 1] - 1, strata[stratum] - 1, -1):
            for i in range(start[k], start[k + 1]):
                total += s[i] * rate[i]
            found[k] = total
    return found


@njit(cache=True, nogil=True)
def log_risk(z, s, start, strata):
    """``log S_k`` with rates ``exp(z)`` so far apart that they overflow or vanish."""
    found = np.empty(start.shape[0] - 1)
    for stratum in range(strata.shape[0] - 1):
        top, total = -np.inf, 0.0  # the sum so far is exp(top) total
        for k in range(strata[stratum + 1] - 1, strata[stratum] - 1, -1):
            for i in range(start[k], start[k + 1]):
                if s[i] == 0.0:  # a row that is left out, which may be of by far the highest risk
                    continue
                if z[i] > top:
                    total = total * np.exp(top - z[i]) + s[i]
                    top = z[i]
                else:
                    total += s[i] * np.exp(z[i] - top)
            found[k] = top + np.log(total)
    return found


@njit(cache=True, nogil=True)
def ties(share, start, deaths, tied, masses, efron):
    """Sums over the ties of each interval: ``c = 0, 1/d, …`` for d events with Efron's, ``c = 0`` with Breslow's.

    ``tied`` are the numbers d, fewer than ``deaths`` where an event has no weight. With the share ``π`` of the events
    in the risk and the mean weight ``W`` of an event (of Breslow's one tie: the weight of all), five rows:
    ``Σ W/(1 − cπ)``, ``Σ W c/(1 − cπ)``, and ``Σ W c^r/(1 − cπ)²`` for r = 0, 1, 2; and a number,
    ``Σ W log((1 − cπ)/(1 − c))`` over all intervals.
    """
    K, logarithms = deaths.shape[0], 0.0
    terms = np.zeros((5, K))
    for k in range(K):
        if not efron or tied[k] <= 1:
            terms[0, k] = terms[2, k] = masses[k]
            continue
        part = 0.0
        for i in range(start[k], start[k] + deaths[k]):
            part += share[i]
        mean = masses[k] / tied[k]
        for tie in range(tied[k]):
            c = tie / tied[k]
            rest = 1.0 - c * part
            logarithms += mean * np.log(rest / (1.0 - c))
            terms[0, k] += mean / rest
            terms[1, k] += mean * c / rest
            terms[2, k] += mean / (rest * rest)
            terms[3, k] += mean * c / (rest * rest)
            terms[4, k] += mean * c * c / (rest * rest)
    return terms, logarithms


@njit(cache=True, nogil=True)
def hazards(stay, terms):
    """``S_k H_k``, with the cumulative hazard ``H_k`` of a row of rate 1 in interval k, from ``stay = S_{k+1}/S_k``."""
    found = np.empty(stay.shape[0])
    carried = 0.0
    for k in range(stay.shape[0]):
        found[k] = carried + terms[0, k]
        carried = stay[k] * found[k]
    return found


@njit(cache=True, nogil=True)
def expected(share, start, deaths, terms, hazard):
    """The events expected of each row, weights included."""
    found = np.empty(share.shape[0])
    for k in range(deaths.shape[0]):
        tied = start[k] + deaths[k]
        for i in range(start[k], start[k + 1]):
            found[i] = share[i] * (hazard[k] - terms[1, k] if i < tied else hazard[k])
    return found


@njit(cache=True, nogil=True)
def diagonal(share, start, deaths, stay, terms, hazard):
    """The diagonal of the Hessian of the loss, weights included."""
    found = np.empty(share.shape[0])
    carried = 0.0
    for k in range(deaths.shape[0]):
        carried += terms[2, k]
        of_events = 2.0 * terms[3, k] - terms[4, k]
        tied = start[k] + deaths[k]
        for i in range(start[k], start[k + 1]):
            first, second = hazard[k], carried
            if i < tied:
                first -= terms[1, k]
                second -= of_events
            found[i] = max(share[i] * (first - share[i] * second), 0.0)
        carried *= stay[k] * stay[k]
    return found


@njit(cache=True, nogil=True)
def hessian(D, within, share, start, deaths, stay, terms, m):
    """The Hessian of the loss times each row of ``D``, weights included, or ``within`` of its way from ``diag(m)``.

    ``m`` are the expected events.
    """
    K, found = deaths.shape[0], np.empty(D.shape)
    mean, mean_events = np.empty(K), np.empty(K)
    for a in range(D.shape[0]):
        d, image = D[a], found[a]
        carried = 0.0
        for k in range(K - 1, -1, -1):
            tied = start[k] + deaths[k]
            of_events, others = 0.0, 0.0
            for i in range(start[k], tied):
                of_events += share[i] * d[i]
            for i in range(tied, start[k + 1]):
                others += share[i] * d[i]
            mean_events[k] = of_events
            mean[k] = carried = stay[k] * carried + (of_events + others)
        carried = 0.0
        for k in range(K):
            tied = start[k] + deaths[k]
            carried += within * (terms[2, k] * mean[k] - terms[3, k] * mean_events[k])
            of_events = carried - within * (terms[3, k] * mean[k] - terms[4, k] * mean_events[k])
            for i in range(start[k], tied):
                image[i] = m[i] * d[i] - share[i] * of_events
            for i in range(tied, start[k + 1]):
                image[i] = m[i] * d[i] - share[i] * carried
            carried *= stay[k]
    return found


@njit(cache=True, nogil=True)
def _entropy(x):
    return x * np.log(x) if x > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _leave(out, own, s, start, deaths, weights, mass, tied):
    """A row of interval ``own`` loses its weight."""
    weights[out] = 0.0
    if out < start[own] + deaths[own]:
        tied[own] -= 1
        mass[own] = mass[own] - s[out] if tied[own] > 0 else 0.0


@njit(cache=True, nogil=True)
def _risks(z, rate, weights, start, strata, far, risks):
    """The ``S_k`` of predictions and their rates, or where these are too far apart logarithms; whether they are not."""
    near = True
    for i in range(z.shape[0]):
        near = near and (z[i] > -far or weights[i] == 0.0)
    risks[:] = risk(rate, weights, start, strata) if near else log_risk(z, weights, start, strata)
    return near


@njit(cache=True, nogil=True)
def _shares(z, rate, weights, risks, near, start, strata, share, stay):
    """The shares of rows in the risk of their interval, and by what factor it changes to the next one."""
    K = risks.shape[0]
    for k in range(K):
        if near:
            whole = 1.0 / risks[k] if risks[k] > 0.0 else 0.0
            for i in range(start[k], start[k + 1]):
                share[i] = weights[i] * rate[i] * whole
            stay[k] = risks[k + 1] * whole if k + 1 < K else 0.0
        else:
            for i in range(start[k], start[k + 1]):
                share[i] = weights[i] * np.exp(z[i] - risks[k]) if weights[i] > 0.0 else 0.0
            stay[k] = np.exp(risks[k + 1] - risks[k]) if k + 1 < K and risks[k] > -np.inf else 0.0
    for stratum in range(1, strata.shape[0]):
        stay[strata[stratum] - 1] = 0.0


@njit(cache=True, nogil=True)
def _intervals(start):
    found = np.empty(start[-1], np.int64)
    for k in range(start.shape[0] - 1):
        found[start[k] : start[k + 1]] = k
    return found


@njit(cache=True, nogil=True)
def without_rows(Z, rates, places, s, start, deaths, strata, masses, efron, far):
    """What derivatives of losses without rows are made of: shares, factors, sums over ties, and expected events.

    Rows stay where they are, and the one that is left out, of which ``places`` has the number (below zero: none), has
    no weight. ``Z``, with a row for each place or one for all, are logarithms of the ``rates``, which are 1 at most;
    ``far`` is by how much they differ before ratios overflow.
    """
    m, N, K = places.shape[0], Z.shape[1], deaths.shape[0]
    share, stay, risks = np.empty((m, N)), np.empty((m, K)), np.empty(K)
    terms, expects = np.empty((m, 5, K)), np.empty((m, N))
    weights, mass, tied, interval = s.copy(), masses.copy(), deaths.copy(), _intervals(start)
    for a in range(m):
        z, rate, out = Z[min(a, Z.shape[0] - 1)], rates[min(a, Z.shape[0] - 1)], places[a]
        own = interval[max(out, 0)]
        if out >= 0:
            _leave(out, own, s, start, deaths, weights, mass, tied)
        near = _risks(z, rate, weights, start, strata, far, risks)
        _shares(z, rate, weights, risks, near, start, strata, share[a], stay[a])
        terms[a], _ = ties(share[a], start, deaths, tied, mass, efron)
        expects[a] = expected(share[a], start, deaths, terms[a], hazards(stay[a], terms[a]))
        if out >= 0:
            weights[out], mass[own], tied[own] = s[out], masses[own], deaths[own]
    return share, stay, terms, expects


@njit(cache=True, nogil=True)
def losses_without_rows(Z, rates, places, s, start, deaths, strata, masses, efron, far):
    """The losses, of the arguments of :func:`without_rows`, but for ``Σ_k W_k log S_k``.

    Of these the ``W_k`` and the ``S_k`` (1 where there are no events), and which rates are near each other (else the
    ``S_k`` are logarithms).
    """
    m, N, K = places.shape[0], Z.shape[1], deaths.shape[0]
    losses, events, risks, near = np.empty(m), np.empty((m, K)), np.empty((m, K)), np.empty(m, np.bool_)
    weights, mass, tied, interval = s.copy(), masses.copy(), deaths.copy(), _intervals(start)
    share, stay = np.empty(N), np.empty(K)
    entropy = 0.0
    for k in range(K):
        entropy += _entropy(masses[k])
    for a in range(m):
        z, rate, out = Z[min(a, Z.shape[0] - 1)], rates[min(a, Z.shape[0] - 1)], places[a]
        own = interval[max(out, 0)]
        if out >= 0:
            _leave(out, own, s, start, deaths, weights, mass, tied)
        near[a] = _risks(z, rate, weights, start, strata, far, risks[a])
        loss = _entropy(masses[own]) - _entropy(mass[own]) - entropy
        if efron:
            _shares(z, rate, weights, risks[a], near[a], start, strata, share, stay)
            loss += ties(share, start, deaths, tied, mass, efron)[1]
        for k in range(K):
            for i in range(start[k], start[k] + deaths[k]):
                if weights[i] > 0.0:
                    loss -= weights[i] * z[i]
            events[a, k] = mass[k]
            if mass[k] == 0.0:
                risks[a, k] = 1.0 if near[a] else 0.0
        losses[a] = loss
        if out >= 0:
            weights[out], mass[own], tied[own] = s[out], masses[own], deaths[own]
    return losses, events, risks, near


@njit(cache=True, nogil=True)
def hessian_without_rows(D, which, share, stay, terms, expects, start, deaths):
    """The Hessians without rows: each row of ``D`` times that without the row of number ``which``."""
    found = np.empty(D.shape)
    for a in range(D.shape[0]):
        i = which[a]
        found[a] = hessian(D[a : a + 1], 1.0, share[i], start, deaths, stay[i], terms[i], expects[i])[0]
    return found


@njit(cache=True, nogil=True)
def _share_of_events(expected_events, mass, carried, ties):
    """The share ``π`` of the events in the risk, which Efron's ties expect so many events of the tied rows at.

    ``carried π + mass/d Σ_c (1 − c) π / (1 − cπ)`` is convex and increases: Newton's method from 1 does not overshoot.
    """
    share = 1.0
    for _ in range(100):
        value, slope = carried * share - expected_events, carried
        for tie in range(ties):
            c = tie / ties
            rest = 1.0 - c * share
            value += mass / ties * (1.0 - c) * share / rest
            slope += mass / ties * (1.0 - c) / (rest * rest)
        step = value / slope
        if step <= 1e-16 * share:
            break
        share = max(share - step, 0.0)
    return share


@njit(cache=True, nogil=True)
def conjugate(m, s, start, deaths, strata, efron):
    """The conjugate of the loss at the slopes ``m_i − s_i`` (events), ``m_i`` (censored rows), weights included.

    ``m`` are expected events, a *flow*: of the events of interval k and what is carried over from the one before, its
    rows take theirs and the rest is carried on. Infinite where that is not possible.
    """
    value = 0.0
    for i in range(m.shape[0]):
        if m[i] > 0.0:
            value += m[i] * np.log(m[i] / s[i])
    for stratum in range(strata.shape[0] - 1):
        carried, events = 0.0, 0.0
        for k in range(strata[stratum], strata[stratum + 1]):
            mass, at_events, after = 0.0, 0.0, 0.0
            for i in range(start[k], start[k] + deaths[k]):
                mass += s[i]
                at_events += m[i]
            for i in range(start[k] + deaths[k], start[k + 1]):
                after += m[i]
            events += mass
            whole = carried + mass
            left = whole - at_events - after
            if left < -1e-9 * events:
                return np.inf
            left = max(left, 0.0)
            value += _entropy(mass) + _entropy(left)
            if efron and deaths[k] > 1:
                share = _share_of_events(at_events, mass, carried, deaths[k])
                hazard = carried
                for tie in range(deaths[k]):
                    c = tie / deaths[k]
                    hazard += mass / deaths[k] / (1.0 - c * share)
                    value += mass / deaths[k] * np.log((1.0 - c) / (1.0 - c * share))
                value -= (left + after) * np.log(hazard)
                if at_events > 0.0:
                    value += at_events * np.log(share / at_events)
            else:
                value -= _entropy(whole)
            carried = left
        if carried > 1e-9 * events:
            return np.inf
    return value


@njit(cache=True, nogil=True)
def flow(m, s, start, deaths, strata):
    """Numbers ``m``, brought to where the conjugate is finite: see there; in place."""
    for stratum in range(strata.shape[0] - 1):
        begin, end = strata[stratum], strata[stratum + 1]
        events, total = 0.0, 0.0
        for k in range(begin, end):
            for i in range(start[k], start[k + 1]):
                m[i] = max(m[i], 0.0)
                total += m[i]
                if i < start[k] + deaths[k]:
                    events += s[i]
        scale = events / total if total > 0.0 else 0.0
        carried = 0.0
        for k in range(begin, end):
            mass, taken = 0.0, 0.0
            for i in range(start[k], start[k + 1]):
                m[i] *= scale
                taken += m[i]
                if i < start[k] + deaths[k]:
                    mass += s[i]
            carried += mass
            if taken > carried:
                for i in range(start[k], start[k + 1]):
                    m[i] *= carried / taken
                taken = carried
            carried -= taken
        if carried > 0.0:  # by the events of the last interval
            k = end - 1
            for i in range(start[k], start[k] + deaths[k]):
                m[i] += carried * s[i] / mass
    return m


@njit(cache=True, nogil=True)
def concordance(rank, s, start, deaths, strata, n_ranks):
    """Of all pairs of an event and a row at risk after it: those in which the event has the higher rank, ties as half.

    Returns the weights (products of the two rows') of these and of all pairs. ``rank`` is from 1 to ``n_ranks``. Sums
    by rank are those of a binary indexed tree (Fenwick 1994).
    """
    tree = np.zeros(n_ranks + 1)
    concordant, comparable = 0.0, 0.0
    for stratum in range(strata.shape[0] - 1):
        total = 0.0
        for k in range(strata[stratum + 1] - 1, strata[stratum] - 1, -1):
            tied = start[k] + deaths[k]
            for i in range(tied, start[k + 1]):
                total += s[i]
                _add(tree, rank[i], s[i])
            for i in range(start[k], tied):
                comparable += s[i] * total
                concordant += 0.5 * s[i] * (_sum_to(tree, rank[i]) + _sum_to(tree, rank[i] - 1))
            for i in range(start[k], tied):
                total += s[i]
                _add(tree, rank[i], s[i])
        for i in range(start[strata[stratum]], start[strata[stratum + 1]]):  # leave it empty
            j = rank[i]
            while j < tree.shape[0]:
                tree[j] = 0.0
                j += j & -j
    return concordant, comparable


@njit(cache=True, nogil=True)
def _add(tree, j, weight):
    while j < tree.shape[0]:
        tree[j] += weight
        j += j & -j


@njit(cache=True, nogil=True)
def _sum_to(tree, j):
    total = 0.0
    while j > 0:
        total += tree[j]
        j -= j & -j
    return total

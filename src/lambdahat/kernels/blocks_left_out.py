"""Loops of approximate leave-one-out: rows of several predictions, and penalties of blocks."""

import numpy as np
from numba import njit, uint64

_EARLY, _SLOW, _SLOWEST = 2, 0.3, 0.95  # later sweeps that shrink by such a factor are a series worth its sum
_LESS = 0.25  # of the energy of the sweep when steps last went on
_FUSED = {"contract", "nsz"}  # sums in their order: no loop here is long enough to be cut into lanes


@njit(nogil=True, fastmath=_FUSED, inline="always")
def _move(G, first, m, new, z, omega, d, s, pull):
    """Move a block of m coefficients, and what follows: slopes s, and what the row that is left out pulls with."""
    q, r = uint64(G.shape[0]), uint64(z.shape[0])
    for t in range(uint64(d.shape[0])):
        for e in range(r):
            moved = 0.0
            for c in range(m):
                moved += z[e, first + c] * new[c, t]
            for a in range(r):
                pull[a, t] += omega[a, e] * moved
        for c in range(m):
            d[t, first + c] += new[c, t]
        fours = m // uint64(4)
        for four in range(fours):  # columns at once, as slopes are read and written for each
            i = uint64(4) * four
            j = first + i
            one, two, three, last = new[i, t], new[i + uint64(1), t], new[i + uint64(2), t], new[i + uint64(3), t]
            for k in range(q):
                s[t, k] += (
                    G[j, k] * one + G[j + uint64(1), k] * two + G[j + uint64(2), k] * three + G[j + uint64(3), k] * last
                )
        for c in range(uint64(4) * fours, m):
            j, step = first + c, new[c, t]
            if step != 0.0:
                for k in range(q):
                    s[t, k] += G[j, k] * step


@njit(cache=True, nogil=True, fastmath=_FUSED)
def _pull(z, omega, term, d, pull):
    """``t + Ω u``, with ``u = z d``."""
    pull[:] = term
    for j in range(d.shape[1]):
        for t in range(d.shape[0]):
            if d[t, j] != 0.0:
                for a in range(z.shape[0]):
                    for c in range(z.shape[0]):
                        pull[a, t] += omega[a, c] * z[c, j] * d[t, j]


@njit(cache=True, nogil=True, fastmath=_FUSED)
def _go_on(state, before, last, energy, least):
    """Steps, slopes and pulls go on as if the last two sweeps were terms of a geometric series (Aitken).

    ``state`` are these after a sweep, and ``before`` ahead of it, ``last`` the step of the sweep before, which becomes
    this one's, and ``energy`` that step's ``⟨step, G step⟩``; ``least`` is that of the sweep when they last went on.
    Returns both anew, the energy as zero after they went on. They do only where sweeps have become much smaller since:
    sweeps that turn as they shrink would grow otherwise.
    """
    (d, s, pull), (d_before, s_before, pull_before) = state, before
    own, both = 0.0, 0.0
    for t in range(uint64(d.shape[0])):
        for k in range(uint64(d.shape[1])):
            step, bent = d[t, k] - d_before[t, k], s[t, k] - s_before[t, k]
            own += step * bent
            both += last[t, k] * bent
            last[t, k] = step
    if not (_SLOW * energy < both < _SLOWEST * energy and own < _LESS * least):
        return own, least
    more = both / (energy - both)
    for t in range(uint64(d.shape[0])):
        for k in range(uint64(d.shape[1])):
            d[t, k] += more * last[t, k]
            s[t, k] += more * (s[t, k] - s_before[t, k])
    pull += more * (pull - pull_before)
    return 0.0, own


@njit(cache=True, nogil=True, fastmath=_FUSED)
def _curvatures(starts, divisors, l2, z, omega, left, out):
    """Of each block without a row, ``divisors`` where it is wider than one; zero where there is none but rounding."""
    for b in range(divisors.shape[0]):
        divisor = divisors[b]
        if starts[b + 1] - starts[b] == 1:
            for a in range(z.shape[0]):
                for c in range(z.shape[0]):
                    divisor -= z[a, starts[b]] * omega[a, c] * z[c, starts[b]]
        out[b] = divisor + left * l2[b]
        if divisor <= 1e-12 * divisors[b] and out[b] <= 1e-12 * divisors[b]:
            out[b] = 0.0


@njit(cache=True)
def _widest(starts):
    widest = 1
    for b in range(starts.shape[0] - 1):
        widest = max(widest, starts[b + 1] - starts[b])
    return widest


@njit(cache=True, nogil=True, fastmath=_FUSED)
def without_rows(
    G, starts, divisors, norms, l2, l1, positive, W, Z, omegas, terms, shares, D, slopes, sizes, most_sweeps, tol
):
    """Solutions without each row, of the least-squares model of a fit: from the steps ``D[i]`` on, which change.

    With a step d of shape (q, T) from the coefficients W, and ``u = Z_i d`` of shape (r, T) minimises

        ½⟨d, Gd⟩ + ⟨gradient_i, d⟩ − ½⟨u, Ω_i u⟩ − ⟨t_i, u⟩ + (1 − s_i) g(W + d)

    where ``g = Σ_b norm_b ‖·_b‖ + ½ l2_b ‖·_b‖² + Σ_j l1_j |·_j|``, and ``W + d ≥ 0`` with ``positive``. Blocks are
    runs of the q rows, ``starts[b]`` to ``starts[b + 1]``; a step on one is a proximal step, over ``divisors[b]``, and
    exact where the block is one row. ``slopes`` are ``G D[i] + gradient_i`` (they are overwritten); ``l1`` has one row,
    or one for each i. W, D and slopes have a row for each target, not for each coefficient: the innermost loops run
    over coefficients. These, G and Z may be of single precision.

    Stops where no step in a sweep exceeds ``tol`` times ``sizes[i]``, the size of the step from W to the start (where
    that is none, the largest step of the first sweep); steps much smaller than that are not taken. Blocks that are zero
    are looked at in the first sweep, and where the others have settled. Where sweeps shrink by a factor that is not
    small, steps go on by what is to come at that rate.
    """
    n, T, B = Z.shape[0], uint64(W.shape[0]), norms.shape[0]
    r = uint64(Z.shape[1])
    new, pull = np.empty((_widest(starts), W.shape[0]), G.dtype), np.empty((Z.shape[1], W.shape[0]))
    goal = np.empty_like(new)
    before, last = (np.empty_like(W), np.empty_like(W), np.empty_like(pull)), np.empty_like(W)
    curvatures, alive = np.empty(B), np.empty(B, np.bool_)
    for i in range(n):
        z, omega, d, s, left, size = Z[i], omegas[i], D[i], slopes[i], 1.0 - shares[i], sizes[i]
        strengths = l1[min(i, l1.shape[0] - 1)]
        _pull(z, omega, terms[i], d, pull)
        _curvatures(starts, divisors, l2, z, omega, left, curvatures)
        for b in range(B):
            alive[b] = False
            for j in range(starts[b], starts[b + 1]):
                for t in range(T):
                    alive[b] = alive[b] or W[t, j] + d[t, j] != 0.0
        of_alive, of_zero, energy, least = True, True, 0.0, np.inf
        for sweep in range(most_sweeps):
            largest, watched = 0.0, of_alive and _EARLY <= sweep < most_sweeps - 1
            if watched:
                before[0][:], before[1][:], before[2][:] = d, s, pull
            for b in range(B):
                curvature = curvatures[b]
                if curvature == 0.0 or not (of_alive if alive[b] else of_zero):
                    continue
                first, m = uint64(starts[b]), uint64(starts[b + 1] - starts[b])
                square = 0.0
                for c in range(m):
                    j = first + c
                    threshold = left * strengths[j]
                    for t in range(T):
                        old = W[t, j] + d[t, j]
                        target = (curvature - left * l2[b]) * old - s[t, j]
                        for a in range(r):
                            target += z[a, j] * pull[a, t]
                        above, below = target - threshold, -target - threshold
                        target = (above if above > 0.0 else 0.0) - (below if below > 0.0 and not positive else 0.0)
                        new[c, t] = target
                        square += target * target
                short = left * norms[b]
                stays = square > short * short
                if not (stays or alive[b]):
                    continue
                kept = (1.0 - short / np.sqrt(square)) / curvature if stays else 0.0
                distance, vanishes = 0.0, False
                for c in range(m):
                    for t in range(T):
                        goal[c, t] = kept * new[c, t]
                        step = goal[c, t] - W[t, first + c] - d[t, first + c]
                        vanishes = vanishes or (step != 0.0 and goal[c, t] == 0.0)
                        new[c, t] = step
                        distance += step * step
                distance = np.sqrt(curvature * distance)
                if distance <= 0.1 * tol * size and not vanishes:
                    continue
                watched = watched and alive[b] and not vanishes  # what is zero stays zero
                largest, alive[b] = max(largest, distance), stays
                _move(G, first, m, new, z, omega, d, s, pull)
                if vanishes:  # but for rounding
                    for c in range(m):
                        for t in range(T):
                            if goal[c, t] == 0.0:
                                d[t, first + c] = -W[t, first + c]
            if size == 0.0:
                size = largest
            settled = largest <= tol * size
            if settled and of_zero:
                break
            if watched and not settled:
                energy, least = _go_on((d, s, pull), before, last, energy, least)
            else:
                energy = 0.0
            of_alive, of_zero = not settled, settled


@njit(cache=True, nogil=True, fastmath=_FUSED)
def respond(
    G, starts, divisors, norms, l2, l1, positive, W, Z, omegas, terms, shares, D, slopes, sizes, most_sweeps, tol
):
    """By how much the solutions of :func:`without_rows` follow a force ``terms`` on the row that is left out.

    Here ``W[i]``, of shape (T, q), are the coefficients without row i, around which the penalty is smooth in those that
    move: the ones that are not zero, and beside these what has no kink of its own. With ``H_i`` the Hessian there,
    minimises ``½⟨d, H_i d⟩ − ⟨t_i, Z_i d⟩`` in the same way, from ``D[i]`` on, which is zero where nothing moves;
    ``slopes`` are ``G D[i]``.
    """
    n, T, q, B = W.shape[0], uint64(W.shape[1]), W.shape[2], norms.shape[0]
    r = uint64(Z.shape[1])
    new, pull = np.empty((_widest(starts), W.shape[1]), G.dtype), np.empty((Z.shape[1], W.shape[1]))
    moves, units = np.empty((W.shape[1], q), np.bool_), np.empty((W.shape[1], q), G.dtype)
    curvatures, bends = np.empty(B), np.empty(B)
    before, last = (np.empty_like(units), np.empty_like(units), np.empty_like(pull)), np.empty_like(units)
    for i in range(n):
        z, omega, w, d, s, left, size = Z[i], omegas[i], W[i], D[i], slopes[i], 1.0 - shares[i], sizes[i]
        strengths = l1[min(i, l1.shape[0] - 1)]
        _pull(z, omega, terms[i], d, pull)
        _curvatures(starts, divisors, l2, z, omega, left, curvatures)
        for b in range(B):
            square = 0.0
            for j in range(starts[b], starts[b + 1]):
                for t in range(T):
                    square += w[t, j] * w[t, j]
            size_of_block, alive = np.sqrt(square), square > 0.0 or norms[b] == 0.0
            bends[b] = left * norms[b] / size_of_block if square > 0.0 else 0.0
            if not alive:
                curvatures[b] = 0.0
            for j in range(starts[b], starts[b + 1]):
                for t in range(T):
                    units[t, j] = w[t, j] / size_of_block if square > 0.0 else 0.0
                    moves[t, j] = w[t, j] != 0.0 or (alive and strengths[j] == 0.0 and not positive)
        energy, least = 0.0, np.inf
        for sweep in range(most_sweeps):
            largest, watched = 0.0, _EARLY <= sweep < most_sweeps - 1
            if watched:
                before[0][:], before[1][:], before[2][:] = d, s, pull
            for b in range(B):
                straight, bend = curvatures[b], bends[b]  # along the block; across it the norm bends too
                if straight == 0.0:
                    continue
                first, m = uint64(starts[b]), uint64(starts[b + 1] - starts[b])
                along, forward = 0.0, 0.0  # where it is, and where it is pulled
                for c in range(m):
                    for t in range(T):
                        along += units[t, first + c] * d[t, first + c]
                for c in range(m):
                    j = first + c
                    for t in range(T):
                        pulled = -s[t, j] - left * l2[b] * d[t, j]
                        for a in range(r):
                            pulled += z[a, j] * pull[a, t]
                        new[c, t] = pulled if moves[t, j] else 0.0
                        forward += units[t, j] * new[c, t]
                distance = 0.0
                for c in range(m):
                    for t in range(T):
                        unit = units[t, first + c]
                        across = new[c, t] - forward * unit - bend * (d[t, first + c] - along * unit)
                        new[c, t] = forward / straight * unit + across / (straight + bend)
                        distance += new[c, t] * new[c, t]
                distance = np.sqrt((straight + bend) * distance)
                if distance <= 0.1 * tol * size:
                    continue
                largest = max(largest, distance)
                _move(G, first, m, new, z, omega, d, s, pull)
            if size == 0.0:
                size = largest
            if largest <= tol * size:
                break
            if watched:
                energy, least = _go_on((d, s, pull), before, last, energy, least)

"""Loops of approximate leave-one-out: the least-squares model of a fit, solved anew without each row in turn."""

import numpy as np
from numba import njit, uint64


@njit(cache=True, nogil=True)
def _eliminate(A, c, k, scales, chosen):
    """Solve the first ``k`` equations ``A x = c`` in place; False where they are singular beside ``scales``."""
    for e in range(k):  # symmetric parts are positive definite: no pivots
        if A[e, e] <= 1e-10 * scales[chosen[e]]:
            return False
        for f in range(e + 1, k):
            if A[f, e] != 0.0:
                factor = A[f, e] / A[e, e]
                for g in range(e + 1, k):
                    A[f, g] -= factor * A[e, g]
                c[f] -= factor * c[e]
    for e in range(k - 1, -1, -1):
        for f in range(e + 1, k):
            c[e] -= A[e, f] * c[f]
        c[e] /= A[e, e]
    return True


@njit(cache=True, nogil=True)
def exchange(T, scales, pushes, rises, bounds, w, positive, thresholds, states, ended, most, rounds):
    """Let coefficients come and go where a row is left out, by few unknowns: an active-set method for each row.

    Entries of a state are steps of the coefficients that are not zero (``w``), and of the others slopes. T has, in row
    a, what a unit of force on a coefficient that is not zero, or of displacement of one that is, adds to a state; the
    first ``w.shape[0]`` are not zero; ``scales`` are what its diagonal is where columns do not depend on each other, or
    above it. The row that is left out answers: ``rises[i] y_i ŷ_iᵀ`` is added to T, with ``y_i`` in ``pushes`` and
    ``ŷ_i`` the same, of the opposite sign where coefficients are zero.

    The unknowns are forces that hold coefficients at zero, and displacements of those that enter. All whose signs are
    wrong change at once (block pivoting), and after a third of the ``rounds``, where that goes in circles, one by one;
    ``most`` are unknown at most. ``states`` become steps of all: the solution, but for a quadratic penalty that counts
    less, or where this is not ``ended`` the Newton step, without coefficients whose sign it changes.
    """
    m, size = states.shape[1], w.shape[0]
    chosen, state = np.empty(most, np.int64), np.empty(m)
    inside, side = np.zeros(m, np.bool_), np.zeros(m)
    A, c = np.empty((most, most)), np.zeros(most)
    for i in range(states.shape[0]):
        base, y, left = states[i], pushes[i], thresholds[i]
        state[:] = base
        k, ended[i] = 0, False
        for turn in range(rounds):
            changes, kept = m if turn < rounds // 3 else 1, 0
            before = changes
            for e in range(k):
                j = chosen[e]
                if side[j] * c[e] < 0.0 and changes > 0:
                    inside[j] = False
                    changes -= 1
                else:
                    chosen[kept] = j
                    kept += 1
            k = kept
            for j in range(m):
                if inside[j] or k == most or changes == 0:
                    continue
                if j < size:
                    out = w[j] * (w[j] + state[j]) < 0.0
                    sign = w[j]
                else:
                    out = state[j] < -left * bounds[j] or (state[j] > left * bounds[j] and not positive)
                    sign = -state[j]
                if out and not (j < size and bounds[j] == 0.0):
                    inside[j], side[j] = True, 1.0 if sign > 0.0 else -1.0
                    changes -= 1
                    chosen[k] = j
                    k += 1
            ended[i] = changes == before
            if ended[i] or k == most:
                break
            for e in range(k):
                j = chosen[e]
                c[e] = (-w[j] if j < size else -side[j] * left * bounds[j]) - base[j]
                for f in range(k):
                    a = chosen[f]
                    A[e, f] = T[a, j] + rises[i] * y[j] * (y[a] if a < size else -y[a])
            if not _eliminate(A, c, k, scales, chosen):
                break
            push = 0.0
            for e in range(k):
                a = chosen[e]
                push += c[e] * (y[a] if a < size else -y[a])
            push *= rises[i]
            for j in range(m):
                state[j] = base[j] + push * y[j]
            for e in range(k):
                row, amount = T[chosen[e]], c[e]
                for j in range(m):
                    state[j] += amount * row[j]
        for j in range(m):
            value = state[j] if ended[i] else base[j]
            base[j] = 0.0 if j >= size else (value if w[j] * (w[j] + value) >= 0.0 else -w[j])
        for e in range(k):
            j = chosen[e]
            inside[j] = False
            if ended[i]:
                base[j] = -w[j] if j < size else c[e]


@njit(cache=True, nogil=True)
def respond(T, scales, images, active, size, most, out, ended):
    """By how much the coefficients of each row's support follow a unit of force along its image.

    ``T``, ``scales`` and ``images``, what the force does where just the first ``size`` coefficients move, are those of
    :func:`exchange`; ``active`` says which ones move where the row is left out. ``ended`` is False for rows of more
    than ``most`` changes, or a singular support.
    """
    m = images.shape[1]
    chosen, A, c = np.empty(most, np.int64), np.empty((most, most)), np.zeros(most)
    for i in range(images.shape[0]):
        y, k = images[i], 0
        ended[i] = True
        for j in range(m):
            if active[i, j] != (j < size):
                if k == most:
                    ended[i] = False
                    break
                chosen[k] = j
                k += 1
        if not ended[i]:
            continue
        for e in range(k):
            c[e] = -y[chosen[e]]
            for f in range(k):
                A[e, f] = T[chosen[f], chosen[e]]
        ended[i] = _eliminate(A, c, k, scales, chosen)
        if not ended[i]:
            continue
        for j in range(size):
            out[i, j] = y[j]
        for e in range(k):
            row, amount = T[chosen[e]], c[e]
            for j in range(size):
                out[i, j] += amount * row[j]
        for e in range(k):
            out[i, chosen[e]] = 0.0 if chosen[e] < size else c[e]


@njit(cache=True, nogil=True, fastmath=True)
def without_rows(
    G, l1, l2, positive, w, gradient, X, starts, slopes, terms, curvatures, shares, intercept, most_sweeps, tol, out
):
    """By how much the prediction of each row moves where the row is left out.

    With a step d from the coefficients w, and ``x`` a row of ``X``, minimises

        ½ dᵀGd + gradientᵀd − (t + ½ ω u)u + (1 − s) g(w + d),    u = xᵀd + b

    over d and, with ``intercept``, b, where ``t``, ``ω`` and ``s`` are the row's entries of ``terms``, ``curvatures``
    and ``shares``, and ``½b²`` is added: columns are centred. ``g = Σ l1|·| + ½ l2(·)²``, and positive where that is
    asked for. Coordinate descent from ``starts``, at which ``slopes`` are ``Gd + gradient`` (both are overwritten),
    until no step in a sweep exceeds ``tol`` times the step from w to the start (where that is none, times the largest
    step of the first sweep); steps much smaller than that are not taken.
    """
    m = uint64(G.shape[0])
    for i in range(X.shape[0]):
        x, d, Gd = X[i], starts[i], slopes[i]
        t, omega, left = terms[i], curvatures[i], 1.0 - shares[i]
        kappa = 1.0 / (1.0 - omega) if intercept else 1.0
        u, size = 0.0, 0.0
        for j in range(m):
            u += x[j] * d[j]
            size += d[j] * (Gd[j] - gradient[j])
        size = np.sqrt(size) if size > 0.0 else 0.0
        for _ in range(most_sweeps):
            largest = 0.0
            for j in range(m):
                curvature = G[j, j] - kappa * omega * x[j] * x[j] + left * l2[j]
                if curvature <= 1e-12 * G[j, j] or curvature <= 0.0:
                    continue
                old = w[j] + d[j]
                slope = Gd[j] - kappa * x[j] * (omega * u + t) + left * l2[j] * old
                target = old - slope / curvature
                threshold = left * l1[j] / curvature
                if target > threshold:
                    new = target - threshold
                elif target < -threshold and not positive:
                    new = target + threshold
                else:
                    new = 0.0
                step = new - old
                moved = abs(step) * np.sqrt(curvature)
                if moved > 0.1 * tol * size or (step != 0.0 and new == 0.0):
                    d[j] += step
                    u += x[j] * step
                    for k in range(m):
                        Gd[k] += G[j, k] * step
                    largest = max(largest, moved)
            if size == 0.0:
                size = largest
            if largest <= tol * size:
                break
        out[i] = u + kappa * (t + omega * u) if intercept else u


@njit(cache=True, nogil=True, fastmath=True)
def _move(G, j, t, step, z, omega, d, s, pull):
    """Move coefficient j of target t, and what follows it: slopes s, and what the row that is left out pulls with."""
    d[t, j] += step
    for a in range(z.shape[0]):
        for e in range(z.shape[0]):
            pull[a, t] += omega[a, e] * z[e, j] * step
    for k in range(uint64(G.shape[0])):
        s[t, k] += G[j, k] * step


@njit(cache=True, nogil=True, fastmath=True)
def _pull(z, omega, term, d, pull):
    """``t + Ω u``, with ``u = z d``."""
    pull[:] = term
    for j in range(d.shape[1]):
        for t in range(d.shape[0]):
            if d[t, j] != 0.0:
                for a in range(z.shape[0]):
                    for c in range(z.shape[0]):
                        pull[a, t] += omega[a, c] * z[c, j] * d[t, j]


@njit(cache=True, nogil=True, fastmath=True)
def without_rows_of_blocks(
    G, starts, bounds, norms, l2, l1, positive, W, Z, omegas, terms, shares, D, slopes, sizes, most_sweeps, tol
):
    """The same for rows of several predictions, and penalties of blocks: from the steps ``D[i]`` on, which change.

    With a step d of shape (q, T) from the coefficients W, and ``u = Z_i d`` of shape (r, T) minimises

        ½⟨d, Gd⟩ + ⟨gradient_i, d⟩ − ½⟨u, Ω_i u⟩ − ⟨t_i, u⟩ + (1 − s_i) g(W + d)

    where ``g = Σ_b norm_b ‖·_b‖ + ½ l2_b ‖·_b‖² + Σ_j l1_j |·_j|``, and ``W + d ≥ 0`` with ``positive``. Blocks are
    runs of the q rows, ``starts[b]`` to ``starts[b + 1]``; a step on one is a proximal step by ``bounds[b]``, the
    largest eigenvalue of its part of G, and exact where the block is one row. ``slopes`` are ``G D[i] + gradient_i``
    (they are overwritten); ``l1`` has one row, or one for each i. W, D and slopes have a row for each target, not for
    each coefficient: the innermost loops run over coefficients.

    Stops where no step in a sweep exceeds ``tol`` times ``sizes[i]``, the size of the step from W to the start (where
    that is none, the largest step of the first sweep); steps much smaller than that are not taken.
    """
    n, r, T = Z.shape[0], Z.shape[1], W.shape[0]
    widest = 1
    for b in range(norms.shape[0]):
        widest = max(widest, starts[b + 1] - starts[b])
    new, pull = np.empty((widest, T)), np.empty((r, T))
    for i in range(n):
        z, omega, d, s, left, size = Z[i], omegas[i], D[i], slopes[i], 1.0 - shares[i], sizes[i]
        strengths = l1[min(i, l1.shape[0] - 1)]
        _pull(z, omega, terms[i], d, pull)
        for _ in range(most_sweeps):
            largest = 0.0
            for b in range(norms.shape[0]):
                first, m, bound = uint64(starts[b]), uint64(starts[b + 1] - starts[b]), bounds[b]
                if m == 1:
                    for a in range(r):
                        for c in range(r):
                            bound -= z[a, first] * omega[a, c] * z[c, first]
                curvature = bound + left * l2[b]
                if bound <= 1e-12 * bounds[b] and curvature <= 1e-12 * bounds[b]:
                    continue
                square = 0.0
                for c in range(m):
                    j = first + uint64(c)
                    threshold = left * strengths[j] / curvature
                    for t in range(T):
                        old = W[t, j] + d[t, j]
                        slope = s[t, j] + left * l2[b] * old
                        for a in range(r):
                            slope -= z[a, j] * pull[a, t]
                        target = old - slope / curvature
                        if target > threshold:
                            new[c, t] = target - threshold
                        elif target < -threshold and not positive:
                            new[c, t] = target + threshold
                        else:
                            new[c, t] = 0.0
                        square += new[c, t] * new[c, t]
                kept = 1.0
                if norms[b] > 0.0:
                    short = left * norms[b] / curvature
                    norm = np.sqrt(square)
                    kept = 1.0 - short / norm if norm > short else 0.0
                distance, vanishes = 0.0, False
                for c in range(m):
                    for t in range(T):
                        target = kept * new[c, t]
                        step = target - W[t, first + uint64(c)] - d[t, first + uint64(c)]
                        vanishes = vanishes or (step != 0.0 and target == 0.0)
                        new[c, t] = step
                        distance += step * step
                distance = np.sqrt(curvature * distance)
                if distance <= 0.1 * tol * size and not vanishes:
                    continue
                largest = max(largest, distance)
                for c in range(m):
                    j = first + uint64(c)
                    for t in range(T):
                        if new[c, t] != 0.0:
                            _move(G, j, t, new[c, t], z, omega, d, s, pull)
            if size == 0.0:
                size = largest
            if largest <= tol * size:
                break


@njit(cache=True, nogil=True, fastmath=True)
def respond_of_blocks(
    G, starts, bounds, norms, l2, l1, positive, W, Z, omegas, terms, shares, D, slopes, sizes, most_sweeps, tol
):
    """By how much the solutions of :func:`without_rows_of_blocks` follow a force ``terms`` on the row that is left out.

    Here ``W[i]``, of shape (T, q), are the coefficients without row i, around which the penalty is smooth in those that
    move: the ones that are not zero, and beside these what has no kink of its own. With ``H_i`` the Hessian there,
    minimises ``½⟨d, H_i d⟩ − ⟨t_i, Z_i d⟩`` in the same way, from ``D[i]`` on, which is zero where nothing moves;
    ``slopes`` are ``G D[i]``.
    """
    n, T, q = W.shape
    r = Z.shape[1]
    widest = 1
    for b in range(norms.shape[0]):
        widest = max(widest, starts[b + 1] - starts[b])
    new, pull, moves = np.empty((widest, T)), np.empty((r, T)), np.empty((T, q), np.bool_)
    bends = np.empty(norms.shape[0])
    for i in range(n):
        z, omega, w, d, s, left, size = Z[i], omegas[i], W[i], D[i], slopes[i], 1.0 - shares[i], sizes[i]
        strengths = l1[min(i, l1.shape[0] - 1)]
        _pull(z, omega, terms[i], d, pull)
        for b in range(norms.shape[0]):
            square = 0.0
            for j in range(starts[b], starts[b + 1]):
                for t in range(T):
                    square += w[t, j] * w[t, j]
            alive = square > 0.0 or norms[b] == 0.0
            bends[b] = left * norms[b] / np.sqrt(square) if square > 0.0 else (0.0 if alive else -1.0)
            for j in range(starts[b], starts[b + 1]):
                for t in range(T):
                    moves[t, j] = w[t, j] != 0.0 or (alive and strengths[j] == 0.0 and not positive)
        for _ in range(most_sweeps):
            largest = 0.0
            for b in range(norms.shape[0]):
                if bends[b] < 0.0:
                    continue
                first, m, bound, bend = uint64(starts[b]), uint64(starts[b + 1] - starts[b]), bounds[b], bends[b]
                if m == 1:
                    for a in range(r):
                        for c in range(r):
                            bound -= z[a, first] * omega[a, c] * z[c, first]
                straight = bound + left * l2[b]  # along the block; across it the norm bends too
                if straight <= 1e-12 * bounds[b]:
                    continue
                along, square = 0.0, 0.0
                for c in range(m):
                    j = first + uint64(c)
                    for t in range(T):
                        along += w[t, j] * d[t, j]
                        square += w[t, j] * w[t, j]
                along = along / square if square > 0.0 else 0.0
                across = 0.0
                for c in range(m):
                    j = first + uint64(c)
                    for t in range(T):
                        slope = s[t, j] + left * l2[b] * d[t, j] + bend * (d[t, j] - along * w[t, j])
                        for a in range(r):
                            slope -= z[a, j] * pull[a, t]
                        new[c, t] = -slope if moves[t, j] else 0.0
                        across += w[t, j] * new[c, t]
                across = across / square * bend / straight if square > 0.0 else 0.0
                distance = 0.0
                for c in range(m):
                    j = first + uint64(c)
                    for t in range(T):
                        new[c, t] = (new[c, t] + across * w[t, j]) / (straight + bend)
                        distance += new[c, t] * new[c, t]
                distance = np.sqrt((straight + bend) * distance)
                if distance <= 0.1 * tol * size:
                    continue
                largest = max(largest, distance)
                for c in range(m):
                    for t in range(T):
                        if new[c, t] != 0.0:
                            _move(G, first + uint64(c), t, new[c, t], z, omega, d, s, pull)
            if size == 0.0:
                size = largest
            if largest <= tol * size:
                break

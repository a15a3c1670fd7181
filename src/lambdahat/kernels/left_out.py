"""Loops of approximate leave-one-out: the least-squares model of a fit, solved anew without each row in turn."""

import numpy as np
from numba import njit, uint64


@njit(cache=True, nogil=True)
def _eliminate(A, c, k, scales, chosen, size):
    """Solve the first ``k`` equations ``A x = c`` in place; False where they are singular beside ``scales``.

    Equation e is about coefficient ``chosen[e]``. A is symmetric, but for the sign of what is between coefficients
    below ``size`` and others: what is above its diagonal says all.
    """
    for e in range(k):  # symmetric parts are positive definite: no pivots
        if A[e, e] <= 1e-10 * scales[chosen[e]]:
            return False
        for f in range(e + 1, k):
            if A[e, f] != 0.0:
                factor = A[e, f] / A[e, e]
                if (chosen[e] < size) != (chosen[f] < size):
                    factor = -factor
                for g in range(f, k):
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
                for f in range(e, k):
                    a = chosen[f]
                    A[e, f] = T[a, j] + rises[i] * y[j] * (y[a] if a < size else -y[a])
            if not _eliminate(A, c, k, scales, chosen, size):
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
            for f in range(e, k):
                A[e, f] = T[chosen[f], chosen[e]]
        ended[i] = _eliminate(A, c, k, scales, chosen, size)
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

"""Loops of approximate leave-one-out: the least-squares model of a fit, solved anew without each row in turn."""

import numpy as np
from numba import njit, uint64


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
    T, q = W.shape
    n, r = Z.shape[0], Z.shape[1]
    widest = 1
    for b in range(norms.shape[0]):
        widest = max(widest, starts[b + 1] - starts[b])
    new, pull = np.empty((widest, T)), np.empty((r, T))
    for i in range(n):
        z, omega, d, s, left, size = Z[i], omegas[i], D[i], slopes[i], 1.0 - shares[i], sizes[i]
        strengths = l1[min(i, l1.shape[0] - 1)]
        pull[:] = terms[i]  # t + Ω u
        for j in range(q):
            for t in range(T):
                if d[t, j] != 0.0:
                    for a in range(r):
                        for c in range(r):
                            pull[a, t] += omega[a, c] * z[c, j] * d[t, j]
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
                        step = new[c, t]
                        if step != 0.0:
                            d[t, j] += step
                            for a in range(r):
                                for e in range(r):
                                    pull[a, t] += omega[a, e] * z[e, j] * step
                            for k in range(uint64(q)):
                                s[t, k] += G[j, k] * step
            if size == 0.0:
                size = largest
            if largest <= tol * size:
                break

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

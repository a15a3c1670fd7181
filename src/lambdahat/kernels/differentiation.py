"""Coordinate descent on a dense matrix with its derivatives: forward mode and reverse mode, a sweep at a time.

Conventions, shared with ``differentiation_csc``: ``A`` is ``X̃ᵀ`` in C order, a row for each of the m columns in play;
``y`` and ``weights`` are those of its rows. ``w`` has shape (m + 1,), the offset last; ``J`` has shape (d, m + 1), a
row a hyperparameter. ``curvature`` bounds the second derivative along a coordinate (``sup f'' Σ s_i x̃_ij²``), its last
entry that along the offset, and is positive but for an offset that is not free (zero). ``loss`` is one of the numbers
below, ``delta`` the parameter of Huber's. The strengths are ``l1_j = l1_factors_j θ[l1_index_j]``, and so for ``l2``.
A coordinate moves by

    w_j ← prox(w_j − x̃_jᵀ s∘f'(z) / L_j),    prox(u) = sign(u) (|u| L_j − l1_j)₊ / (L_j + l2_j),    z = X̃w + b,

and is differentiated, in w and in θ, as in Bertrand et al., JMLR 2022.
"""

import numpy as np
from numba import njit

LEAST_SQUARES, LOGISTIC, HUBER = 0, 1, 2


@njit(cache=True, nogil=True, fastmath=True)
def _slopes(y, z, weights, loss, delta, g, h):
    """Write ``s∘f'(y, z)`` into ``g`` and ``s∘f''(y, z)`` into ``h``."""
    for i in range(z.shape[0]):
        if loss == LOGISTIC:
            falling = np.exp(-abs(z[i]))
            wrong = (falling if y[i] * z[i] > 0.0 else 1.0) / (1.0 + falling)
            g[i] = -weights[i] * y[i] * wrong
            h[i] = weights[i] * falling / ((1.0 + falling) * (1.0 + falling))
        else:
            g[i] = weights[i] * (z[i] - y[i])
            h[i] = weights[i]
            if loss == HUBER and abs(z[i] - y[i]) > delta:
                g[i] = weights[i] * delta * np.sign(z[i] - y[i])
                h[i] = 0.0


@njit(cache=True, nogil=True, fastmath=True)
def forward(
    A, y, weights, loss, delta, curvature, l1, l2, positive, l1_factors, l1_index, l2_factors, l2_index, w, J
):  # fmt: skip
    """One sweep; ``w`` and ``J`` change in place."""
    m, n, d = A.shape[0], A.shape[1], J.shape[0]
    z, dz = np.full(n, w[m]), np.empty((d, n))
    g, h = np.empty(n), np.empty(n)
    for j in range(m):
        if w[j] != 0.0:
            for i in range(n):
                z[i] += w[j] * A[j, i]
    for k in range(d):
        dz[k] = J[k, m]
        for j in range(m):
            if J[k, j] != 0.0:
                for i in range(n):
                    dz[k, i] += J[k, j] * A[j, i]
    _slopes(y, z, weights, loss, delta, g, h)
    for j in range(m):
        column = A[j]
        L, slope = curvature[j], 0.0
        for i in range(n):
            slope += column[i] * g[i]
        u = w[j] * L - slope
        if u > l1[j]:
            new = (u - l1[j]) / (L + l2[j])
        elif u < -l1[j] and not positive:
            new = (u + l1[j]) / (L + l2[j])
        else:
            new = 0.0
        smooth = new != 0.0 or (l1[j] == 0.0 and not positive)
        for k in range(d):
            value = 0.0
            if smooth:
                slope = 0.0
                for i in range(n):
                    slope += column[i] * h[i] * dz[k, i]
                value = J[k, j] * L - slope
                if k == l1_index[j]:
                    value -= l1_factors[j] * np.sign(new)
                if k == l2_index[j]:
                    value -= l2_factors[j] * new
                value /= L + l2[j]
            step = value - J[k, j]
            if step != 0.0:
                J[k, j] = value
                for i in range(n):
                    dz[k, i] += step * column[i]
        step = new - w[j]
        if step != 0.0:
            w[j] = new
            for i in range(n):
                z[i] += step * column[i]
            if loss != LEAST_SQUARES:
                _slopes(y, z, weights, loss, delta, g, h)
            else:
                for i in range(n):
                    g[i] += step * column[i] * weights[i]
    if curvature[m] > 0.0:
        for k in range(d):
            slope = 0.0
            for i in range(n):
                slope += h[i] * dz[k, i]
            J[k, m] -= slope / curvature[m]
        slope = 0.0
        for i in range(n):
            slope += g[i]
        w[m] -= slope / curvature[m]


@njit(cache=True, nogil=True, fastmath=True)
def backward(
    A, y, weights, loss, delta, curvature, l1, l2, positive, l1_factors, l1_index, l2_factors, l2_index,
    before, after, adjoint, gradient,
):  # fmt: skip
    """The transpose of one sweep that led from ``before`` to ``after``.

    ``adjoint``, a derivative with respect to the coefficients after the sweep, becomes that with respect to those
    before it, and what the sweep itself owes to θ is added to ``gradient``. What a coordinate owes to the others goes
    through the predictions: ``e`` collects it, and the adjoint of coordinate j is ``adjoint_j + x̃_jᵀe`` at any time.
    """
    m, n = A.shape[0], A.shape[1]
    z, e = np.full(n, after[m]), np.zeros(n)
    g, h = np.empty(n), np.empty(n)
    for j in range(m):
        if after[j] != 0.0:
            for i in range(n):
                z[i] += after[j] * A[j, i]
    for i in range(n):
        z[i] += before[m] - after[m]
    _slopes(y, z, weights, loss, delta, g, h)
    if curvature[m] > 0.0:
        for i in range(n):
            e[i] = -adjoint[m] / curvature[m] * h[i]
    for j in range(m - 1, -1, -1):
        column = A[j]
        new = after[j]
        step = new - before[j]
        if step != 0.0 and loss != LEAST_SQUARES:
            for i in range(n):
                z[i] -= step * column[i]
            _slopes(y, z, weights, loss, delta, g, h)
        pull, kept = 0.0, 0.0
        for i in range(n):
            pull += column[i] * e[i]
        if new != 0.0 or (l1[j] == 0.0 and not positive):
            unit = (adjoint[j] + pull) / (curvature[j] + l2[j])
            gradient[l1_index[j]] -= unit * l1_factors[j] * np.sign(new)
            gradient[l2_index[j]] -= unit * l2_factors[j] * new
            kept = unit * curvature[j]
            for i in range(n):
                e[i] -= unit * h[i] * column[i]
        adjoint[j] = kept - pull
    for j in range(m):
        for i in range(n):
            adjoint[j] += A[j, i] * e[i]
    if curvature[m] > 0.0:
        for i in range(n):
            adjoint[m] += e[i]

"""Coordinate descent on a sparse matrix with its derivatives: forward mode and reverse mode, a sweep at a time.

Conventions are those of ``differentiation``, with ``data``, ``indices``, ``indptr``, ``columns``, ``means`` in place of
``A``. Columns are never densified, and a changed coefficient touches the rows that its column stores:

- least squares: with weights of sum 1 and centred columns, the residuals sum to zero and ``Σ s_i x_ij = mean_j``, so
  that the part of ``z`` that is the same for all rows is one number, ``shift``;
- other losses: the curvature of every row would change with such a shift, so the caller passes ``means`` of zero and
  leaves the centring to a free offset.
"""

import numpy as np
from numba import njit, uint32, uint64

LEAST_SQUARES, LOGISTIC, HUBER = 0, 1, 2  # as in ``differentiation``: kernels' files do not see each other


@njit(cache=True, nogil=True, fastmath=True)
def _slopes_of(y, z, weight, loss, delta):
    """``s f'(y, z)`` and ``s f''(y, z)`` of one row."""
    if loss == HUBER and abs(z - y) > delta:
        return weight * delta * np.sign(z - y), 0.0
    if loss != LOGISTIC:
        return weight * (z - y), weight
    falling = np.exp(-abs(z))
    wrong = (falling if y * z > 0.0 else 1.0) / (1.0 + falling)
    return -weight * y * wrong, weight * falling / ((1.0 + falling) * (1.0 + falling))


@njit(cache=True, nogil=True, fastmath=True)
def _predict(data, indices, indptr, columns, w, z):
    """Write ``X[:, columns] w + offset`` into ``z``, columns as they are stored."""
    m = uint64(columns.shape[0])
    z[:] = w[m]
    for j in range(m):
        value = w[j]
        if value != 0.0:
            c = uint64(columns[j])
            for t in range(uint64(indptr[c]), uint64(indptr[c + uint64(1)])):
                z[uint32(indices[t])] += value * data[t]


@njit(cache=True, nogil=True, fastmath=True)
def forward(
    data, indices, indptr, columns, means, y, weights, loss, delta, curvature, l1, l2, positive,
    l1_factors, l1_index, l2_factors, l2_index, w, J,
):  # fmt: skip
    """One sweep; ``w`` and ``J`` change in place."""
    m, n, d = uint64(columns.shape[0]), uint64(y.shape[0]), uint64(J.shape[0])
    z, dz = np.empty(n), np.empty((d, n))
    g, h = np.empty(n), np.empty(n)
    shift, dshift = 0.0, np.zeros(d)
    _predict(data, indices, indptr, columns, w, z)
    for k in range(d):
        _predict(data, indices, indptr, columns, J[k], dz[k])
    for j in range(m):
        shift -= means[j] * w[j]
        for k in range(d):
            dshift[k] -= means[j] * J[k, j]
    for i in range(n):
        g[i], h[i] = _slopes_of(y[i], z[i], weights[i], loss, delta)
    for j in range(m):
        c = uint64(columns[j])
        start, end = uint64(indptr[c]), uint64(indptr[c + uint64(1)])
        L, slope = curvature[j], shift * means[j]
        for t in range(start, end):
            slope += data[t] * g[uint32(indices[t])]
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
                slope = dshift[k] * means[j]
                for t in range(start, end):
                    i = uint32(indices[t])
                    slope += data[t] * h[i] * dz[k, i]
                value = J[k, j] * L - slope
                if k == uint64(l1_index[j]):
                    value -= l1_factors[j] * np.sign(new)
                if k == uint64(l2_index[j]):
                    value -= l2_factors[j] * new
                value /= L + l2[j]
            step = value - J[k, j]
            if step != 0.0:
                J[k, j] = value
                dshift[k] -= step * means[j]
                for t in range(start, end):
                    dz[k, uint32(indices[t])] += step * data[t]
        step = new - w[j]
        if step != 0.0:
            w[j] = new
            shift -= step * means[j]
            for t in range(start, end):
                i = uint32(indices[t])
                z[i] += step * data[t]
                g[i], h[i] = _slopes_of(y[i], z[i], weights[i], loss, delta)
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
    data, indices, indptr, columns, means, y, weights, loss, delta, curvature, l1, l2, positive,
    l1_factors, l1_index, l2_factors, l2_index, before, after, adjoint, gradient,
):  # fmt: skip
    """The transpose of one sweep that led from ``before`` to ``after``; see ``differentiation.backward``.

    A multiple of the weights in ``e`` would not be seen by centred columns, and is left out.
    """
    m, n = uint64(columns.shape[0]), uint64(y.shape[0])
    z, e, h = np.empty(n), np.zeros(n), np.empty(n)
    e_sum = 0.0
    _predict(data, indices, indptr, columns, after, z)
    for i in range(n):
        z[i] += before[m] - after[m]
        _, h[i] = _slopes_of(y[i], z[i], weights[i], loss, delta)
    if curvature[m] > 0.0:
        for i in range(n):
            e[i] = -adjoint[m] / curvature[m] * h[i]
            e_sum += e[i]
    for r in range(m):
        j = m - uint64(1) - r
        c = uint64(columns[j])
        start, end = uint64(indptr[c]), uint64(indptr[c + uint64(1)])
        new = after[j]
        step = new - before[j]
        if step != 0.0 and loss != LEAST_SQUARES:
            for t in range(start, end):
                i = uint32(indices[t])
                z[i] -= step * data[t]
                _, h[i] = _slopes_of(y[i], z[i], weights[i], loss, delta)
        pull, kept = -means[j] * e_sum, 0.0
        for t in range(start, end):
            pull += data[t] * e[uint32(indices[t])]
        if new != 0.0 or (l1[j] == 0.0 and not positive):
            unit = (adjoint[j] + pull) / (curvature[j] + l2[j])
            gradient[l1_index[j]] -= unit * l1_factors[j] * np.sign(new)
            gradient[l2_index[j]] -= unit * l2_factors[j] * new
            kept = unit * curvature[j]
            for t in range(start, end):
                i = uint32(indices[t])
                move = unit * h[i] * data[t]
                e[i] -= move
                e_sum -= move
        adjoint[j] = kept - pull
    for j in range(m):
        c = uint64(columns[j])
        adjoint[j] -= means[j] * e_sum
        for t in range(uint64(indptr[c]), uint64(indptr[c + uint64(1)])):
            adjoint[j] += data[t] * e[uint32(indices[t])]
    if curvature[m] > 0.0:
        adjoint[m] += e_sum

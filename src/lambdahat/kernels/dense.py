"""Loops over columns of a dense matrix, for what BLAS does not do: some columns only, float32 summed in float64.

``XT`` is ``Xᵀ`` in C order (so ``X`` is in F order: a column is contiguous); ``X`` is in C order. Results are float64.
"""

from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def rmatvec_by_column(XT, columns, q, out):
    """Write ``X[:, columns]ᵀ q`` into ``out``."""
    for m in range(columns.shape[0]):
        column = XT[columns[m]]
        total = 0.0
        for i in range(q.shape[0]):
            total += column[i] * q[i]
        out[m] = total


@njit(cache=True, nogil=True, fastmath=True)
def rmatvec_by_row(X, columns, q, out):
    """Write ``X[:, columns]ᵀ q`` into ``out``."""
    out[:] = 0.0
    for i in range(X.shape[0]):
        value = q[i]
        if value != 0.0:
            row = X[i]
            for m in range(columns.shape[0]):
                out[m] += value * row[columns[m]]


@njit(cache=True, nogil=True, fastmath=True)
def matvec_by_column(XT, columns, v, out):
    """Add ``X[:, columns] v`` to ``out``."""
    for m in range(columns.shape[0]):
        value = v[m]
        if value != 0.0:
            column = XT[columns[m]]
            for i in range(out.shape[0]):
                out[i] += value * column[i]


@njit(cache=True, nogil=True, fastmath=True)
def matvec_by_row(X, columns, v, out):
    """Add ``X[:, columns] v`` to ``out``."""
    for i in range(X.shape[0]):
        row = X[i]
        total = 0.0
        for m in range(columns.shape[0]):
            total += v[m] * row[columns[m]]
        out[i] += total


@njit(cache=True, nogil=True, fastmath=True)
def gather_by_column(XT, columns, rows, root_weights, means, out):
    """Write ``√s_i (x_ij − mean_j)`` for ``j`` in ``columns`` and ``i`` in ``rows`` into ``out[column, row]``.

    ``rows`` ascend; where none is left out, which is a third of the time.
    """
    n = rows.shape[0]
    first = rows[0] if n > 0 else 0
    gapless = n > 0 and rows[n - 1] - first == n - 1
    for m in range(columns.shape[0]):
        column = XT[columns[m]]
        if gapless:
            part = column[first : first + n]
            for i in range(n):
                out[m, i] = (part[i] - means[m]) * root_weights[i]
        else:
            for i in range(n):
                out[m, i] = (column[rows[i]] - means[m]) * root_weights[i]


@njit(cache=True, nogil=True, fastmath=True)
def gather_by_row(X, columns, rows, root_weights, means, out):
    """Write ``√s_i (x_ij − mean_j)`` for ``j`` in ``columns`` and ``i`` in ``rows`` into ``out[column, row]``."""
    for i in range(rows.shape[0]):
        row = X[rows[i]]
        for m in range(columns.shape[0]):
            out[m, i] = (row[columns[m]] - means[m]) * root_weights[i]


@njit(cache=True, nogil=True, fastmath=True)
def variances_by_column(XT, columns, weights, means, out):
    """Write ``Σ s_i (x_ij − mean_j)²`` for ``j`` in ``columns`` into ``out``; zero where ``x_j`` is constant."""
    for m in range(columns.shape[0]):
        column = XT[columns[m]]
        total = 0.0
        for i in range(weights.shape[0]):
            total += weights[i] * (column[i] - means[m]) * (column[i] - means[m])
        out[m] = total if total > 1e-28 * means[m] * means[m] else 0.0


@njit(cache=True, nogil=True, fastmath=True)
def variances_by_row(X, columns, weights, means, out):
    """Write ``Σ s_i (x_ij − mean_j)²`` for ``j`` in ``columns`` into ``out``."""
    out[:] = 0.0
    for i in range(X.shape[0]):
        s = weights[i]
        if s != 0.0:
            row = X[i]
            for m in range(columns.shape[0]):
                deviation = row[columns[m]] - means[m]
                out[m] += s * deviation * deviation
    for m in range(columns.shape[0]):
        if out[m] <= 1e-28 * means[m] * means[m]:
            out[m] = 0.0


@njit(cache=True, nogil=True, fastmath=True)
def sweep(A, curvature, l1, l2, positive, w, r, n_sweeps):
    """Cyclic coordinate descent on the gathered columns ``A[m]``; ``w`` and the residual ``r`` change in place."""
    for _ in range(n_sweeps):
        for m in range(A.shape[0]):
            if curvature[m] == 0.0:
                continue
            column = A[m]
            old = w[m]
            z = old * curvature[m]
            for i in range(r.shape[0]):
                z += column[i] * r[i]
            if z > l1[m]:
                new = (z - l1[m]) / (curvature[m] + l2[m])
            elif z < -l1[m] and not positive:
                new = (z + l1[m]) / (curvature[m] + l2[m])
            else:
                new = 0.0
            step = new - old
            if step != 0.0:
                w[m] = new
                for i in range(r.shape[0]):
                    r[i] -= step * column[i]


@njit(cache=True, nogil=True, fastmath=True)
def linear_sweep(A, curvature, ridge, rhs, V, R, n_sweeps):
    """Cyclic coordinate descent on ``(AAᵀ + diag(ridge)) V[k] = rhs[k]``; ``R[k] = −V[k]A``, both change in place."""
    for k in range(V.shape[0]):
        v, r, b = V[k], R[k], rhs[k]
        for _ in range(n_sweeps):
            for m in range(A.shape[0]):
                column = A[m]
                slope = b[m]
                for i in range(r.shape[0]):
                    slope += column[i] * r[i]
                step = (v[m] * curvature[m] + slope) / (curvature[m] + ridge[m]) - v[m]
                v[m] += step
                for i in range(r.shape[0]):
                    r[i] -= step * column[i]

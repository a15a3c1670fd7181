"""Loops over blocks of columns with coefficients for T targets: descent, and passes over a sparse X.

The problem throughout is ``½‖Y − XW‖²_s + Σ_b norm_b ‖W_b‖ + ½ l2_b ‖W_b‖² + Σ_j l1_j |W_j|``. A block is a run of
columns, ``starts[b]`` to ``starts[b + 1]``; coefficients ``W`` have shape (p, T), residuals (n, T), both in C order, so
that the innermost loops run over the targets of a row. A step on a block is a proximal gradient step of its own length,
one over ``divisors[b]`` (see :func:`divisors_of`); where the block is one column the step minimises exactly.
"""

import numpy as np
from numba import njit, uint32, uint64

_MUCH_SMALLER = 0.2  # than the largest eigenvalue of a block


@njit(cache=True, nogil=True, fastmath=True)
def _prox(new, m, step, norm, l1, first):
    """The proximal operator of a block, whose coefficients are the first ``m`` rows of ``new``, in place."""
    square = 0.0
    for c in range(m):
        threshold = step * l1[first + c]
        for t in range(new.shape[1]):
            z = new[c, t]
            size = max(abs(z) - threshold, 0.0)
            new[c, t] = size if z > 0.0 else -size
            square += size * size
    size = np.sqrt(square)
    left = 1.0 - step * norm / size if size > step * norm else 0.0
    for c in range(m):
        for t in range(new.shape[1]):
            new[c, t] *= left


@njit(cache=True, nogil=True, fastmath=True)
def _multiple(H, W, start, end, norm, l2, l1, multiple):
    """The largest multiple, up to ``multiple``, of a block's gradients (with its ridge's) that is feasible."""
    total = 0.0
    for j in range(start, end):
        for t in range(W.shape[1]):
            beyond = max(multiple * abs(H[j, t] - l2 * W[j, t]) - l1[j], 0.0)
            total += beyond * beyond
    if total <= norm * norm:
        return multiple
    low, high = 0.0, multiple
    for _ in range(40):
        middle = 0.5 * (low + high)
        total = 0.0
        for j in range(start, end):
            for t in range(W.shape[1]):
                beyond = max(middle * abs(H[j, t] - l2 * W[j, t]) - l1[j], 0.0)
                total += beyond * beyond
        if total <= norm * norm:
            low = middle
        else:
            high = middle
    return low


@njit(cache=True, nogil=True, fastmath=True)
def _gap(C, yy, starts, norms, l2, l1, W, H, best_dual):
    """Primal value and the best dual value; unpenalised blocks are taken to be settled."""
    cw = hw = penalty = ridge = 0.0
    multiple = 1.0
    for b in range(norms.shape[0]):
        square = 0.0
        kinked = norms[b] > 0.0
        for j in range(starts[b], starts[b + 1]):
            kinked = kinked or l1[j] > 0.0
            for t in range(W.shape[1]):
                cw += C[j, t] * W[j, t]
                hw += H[j, t] * W[j, t]
                square += W[j, t] * W[j, t]
                penalty += l1[j] * abs(W[j, t])
        penalty += norms[b] * np.sqrt(square)
        ridge += l2[b] * square
        if kinked:
            multiple = _multiple(H, W, starts[b], starts[b + 1], norms[b], l2[b], l1, multiple)
    yr = yy - cw
    rr = max(yr - hw, 0.0) + ridge
    a = min(multiple, max(yr, 0.0) / rr) if rr > 0.0 else 0.0
    return 0.5 * rr + penalty, max(best_dual, a * yr - 0.5 * a * a * rr)


@njit(cache=True, nogil=True, fastmath=True)
def descend(G, C, yy, starts, divisors, norms, l2, l1, W, H, max_sweeps, gap_target):
    """Descent with the Gram matrix ``G``, until the gap is small; ``W`` and ``H = C − GW`` change in place.

    Returns the gap (``max_sweeps`` sweeps may not reach the target) and the number of sweeps done.
    """
    p, T = W.shape
    widest = 0
    for b in range(norms.shape[0]):
        widest = max(widest, starts[b + 1] - starts[b])
    new = np.empty((widest, T))
    best_dual = 0.0  # of the dual point zero
    gap = np.inf
    for sweep in range(max_sweeps + 1):
        primal, best_dual = _gap(C, yy, starts, norms, l2, l1, W, H, best_dual)
        gap = primal - best_dual
        if gap <= gap_target or sweep == max_sweeps:
            return gap, sweep
        for b in range(norms.shape[0]):
            if divisors[b] <= 0.0:
                continue
            first, m = starts[b], starts[b + 1] - starts[b]
            step = 1.0 / (divisors[b] + l2[b])
            for c in range(m):
                for t in range(T):
                    old = W[first + c, t]
                    new[c, t] = old + step * (H[first + c, t] - l2[b] * old)
            _prox(new, m, step, norms[b], l1, first)
            for c in range(m):
                j = first + c
                moved = False
                for t in range(T):
                    delta = new[c, t] - W[j, t]
                    W[j, t] = new[c, t]
                    new[c, t] = delta
                    moved = moved or delta != 0.0
                if not moved:
                    continue
                row = G[j]
                if T == 1:
                    delta = new[c, 0]
                    for k in range(p):
                        H[k, 0] -= row[k] * delta
                else:
                    for k in range(p):
                        factor = row[k]
                        for t in range(T):
                            H[k, t] -= factor * new[c, t]
    return gap, max_sweeps


@njit(cache=True, nogil=True, fastmath=True)
def sweep_dense(A, starts, divisors, norms, l2, l1, W, R, n_sweeps):
    """The same by the columns ``A``, (p, n) in C order, of √s-weighted rows; ``W`` and the residual ``R`` change."""
    T, n = W.shape[1], A.shape[1]
    widest = 0
    for b in range(norms.shape[0]):
        widest = max(widest, starts[b + 1] - starts[b])
    new = np.empty((widest, T))
    for _ in range(n_sweeps):
        for b in range(norms.shape[0]):
            if divisors[b] <= 0.0:
                continue
            first, m = starts[b], starts[b + 1] - starts[b]
            step = 1.0 / (divisors[b] + l2[b])
            for c in range(m):
                column = A[first + c]
                new[c] = 0.0
                if T == 1:
                    total = 0.0
                    for i in range(n):
                        total += column[i] * R[i, 0]
                    new[c, 0] = total
                else:
                    for i in range(n):
                        for t in range(T):
                            new[c, t] += column[i] * R[i, t]
                for t in range(T):
                    old = W[first + c, t]
                    new[c, t] = old + step * (new[c, t] - l2[b] * old)
            _prox(new, m, step, norms[b], l1, first)
            for c in range(m):
                column = A[first + c]
                moved = False
                for t in range(T):
                    delta = new[c, t] - W[first + c, t]
                    W[first + c, t] = new[c, t]
                    new[c, t] = delta
                    moved = moved or delta != 0.0
                if moved and T == 1:
                    delta = new[c, 0]
                    for i in range(n):
                        R[i, 0] -= column[i] * delta
                elif moved:
                    for i in range(n):
                        for t in range(T):
                            R[i, t] -= column[i] * new[c, t]


@njit(cache=True, nogil=True, fastmath=True)
def sweep_csc(data, indices, indptr, columns, weights, means, starts, divisors, norms, l2, l1, W, Q, n_sweeps):
    """The same by columns of a sparse matrix; the state is ``Q = s∘R`` and its sums, as in ``kernels.csc``."""
    T = W.shape[1]
    widest = 0
    for b in range(norms.shape[0]):
        widest = max(widest, starts[b + 1] - starts[b])
    new = np.empty((widest, T))
    sums = np.zeros(T)
    for _ in range(n_sweeps):
        for b in range(norms.shape[0]):
            if divisors[b] <= 0.0:
                continue
            first, m = starts[b], starts[b + 1] - starts[b]
            step = 1.0 / (divisors[b] + l2[b])
            for c in range(m):
                j = uint64(columns[first + c])
                for t in range(T):
                    new[c, t] = -means[first + c] * sums[t]
                for k in range(uint64(indptr[j]), uint64(indptr[j + uint64(1)])):
                    i, value = uint32(indices[k]), data[k]
                    for t in range(T):
                        new[c, t] += value * Q[i, t]
                for t in range(T):
                    old = W[first + c, t]
                    new[c, t] = old + step * (new[c, t] - l2[b] * old)
            _prox(new, m, step, norms[b], l1, first)
            for c in range(m):
                moved = False
                for t in range(T):
                    delta = new[c, t] - W[first + c, t]
                    W[first + c, t] = new[c, t]
                    new[c, t] = delta
                    moved = moved or delta != 0.0
                if moved:
                    j = uint64(columns[first + c])
                    for k in range(uint64(indptr[j]), uint64(indptr[j + uint64(1)])):
                        i = uint32(indices[k])
                        factor = data[k] * weights[i]
                        for t in range(T):
                            Q[i, t] -= factor * new[c, t]
                    for t in range(T):
                        sums[t] -= means[first + c] * new[c, t]
    for t in range(T):
        if sums[t] != 0.0:
            for i in range(Q.shape[0]):
                Q[i, t] -= sums[t] * weights[i]


@njit(cache=True, nogil=True, fastmath=True)
def rmatvec_csc(data, indices, indptr, columns, Q, out):
    """Write ``X[:, columns]ᵀ Q`` into ``out``."""
    T = Q.shape[1]
    for m in range(columns.shape[0]):
        j = uint64(columns[m])
        for t in range(T):
            out[m, t] = 0.0
        for k in range(uint64(indptr[j]), uint64(indptr[j + uint64(1)])):
            i, value = uint32(indices[k]), data[k]
            for t in range(T):
                out[m, t] += value * Q[i, t]


@njit(cache=True, nogil=True, fastmath=True)
def matvec_csc(data, indices, indptr, columns, V, out):
    """Add ``X[:, columns] V`` to ``out``."""
    T = V.shape[1]
    for m in range(columns.shape[0]):
        j = uint64(columns[m])
        for k in range(uint64(indptr[j]), uint64(indptr[j + uint64(1)])):
            i, value = uint32(indices[k]), data[k]
            for t in range(T):
                out[i, t] += value * V[m, t]


@njit(cache=True, nogil=True)
def _divisor(spectrum):
    largest = least = spectrum[-1]
    for value in spectrum:
        if value > _MUCH_SMALLER * largest:
            least = min(least, value)
    return 0.5 * (largest + least)


@njit(cache=True, nogil=True)
def divisors_of(spectra):
    """What steps on k blocks are divided by, from the eigenvalues of their Gram matrices, in ascending order.

    Half of the sum of the largest one and the smallest of those that are not much smaller: a proximal gradient step
    shrinks what is left along all of these by the same factor, the smallest that there is (Nesterov, *Introductory
    Lectures on Convex Optimization*, 2004, theorem 2.1.15). This is more than half of the largest: the objective falls.
    """
    out = np.empty(spectra.shape[0])
    for b in range(spectra.shape[0]):
        out[b] = _divisor(spectra[b])
    return out


@njit(cache=True, nogil=True, fastmath=True)
def divisors_csc(data, indices, indptr, columns, weights, means, starts, variances, out):
    """Write what steps on each block are divided by into ``out``."""
    column = np.zeros(weights.shape[0])
    for b in range(out.shape[0]):
        first, m = starts[b], starts[b + 1] - starts[b]
        if m == 1:
            out[b] = variances[first]
            continue
        G = np.empty((m, m))
        for c in range(m):
            j = uint64(columns[first + c])
            for k in range(uint64(indptr[j]), uint64(indptr[j + uint64(1)])):
                column[uint32(indices[k])] = data[k] * weights[uint32(indices[k])]
            G[c, c] = variances[first + c]
            for d in range(c):
                other = uint64(columns[first + d])
                total = -means[first + c] * means[first + d]
                for k in range(uint64(indptr[other]), uint64(indptr[other + uint64(1)])):
                    total += data[k] * column[uint32(indices[k])]
                G[c, d] = total
                G[d, c] = total
            for k in range(uint64(indptr[j]), uint64(indptr[j + uint64(1)])):
                column[uint32(indices[k])] = 0.0
        out[b] = _divisor(np.linalg.eigvalsh(G))

"""Loops of coordinate descent on a box: the dual of support vector machines, row by row.

    min_β  ½‖Xᵀβ‖² − yᵀβ + ε‖β‖₁,   lower_i ≤ β_i ≤ upper_i

The state is ``w = Xᵀβ``, kept beside β, so that a gradient entry is one gather, ``x_iᵀw − y_i``. One more column is not
stored in X, but given as ``column`` (zeros for none): the last entry of ``w`` is its weight. With ``sign`` 1 it counts
as other columns do, as the constant behind an intercept; with −1 its products are taken off: where it is ``√p`` times
the means of rows, rows act as if these were subtracted. Sparse rows are ``data``, ``indices`` (int32), ``indptr``
(int32); dense ones the rows of a C-ordered ``X``. ``active`` (int32) are the rows that are swept;
``curvature`` is ``‖x_i‖² + sign·column_i²``, positive on these.

Rows are visited in an order drawn anew for every sweep, by a generator whose state is handed in and out: the same seed
gives the same result. Hsieh et al., *A dual coordinate descent method for large-scale linear SVM*, ICML 2008, has the
method and the rule for setting rows aside: those at a bound (or at the kink, zero) that are pushed against it more
strongly than the largest violation of the sweep before.
"""

from numba import njit, uint32, uint64


@njit(cache=True, nogil=True, fastmath=True)
def sweep_sparse(
    data, indices, indptr, active, y, epsilon, lower, upper, curvature, column, sign, beta, w, limit, work, goal, state
):
    """Sweep until rows of ``work`` stored values have been visited, or the largest violation is at most ``goal``.

    ``beta`` and ``w`` are updated in place. ``limit`` is the push beyond which rows are set aside in the first sweep.
    Rows set aside move to the end of ``active``. Returns the largest violation of the last sweep (a step times its
    curvature: in units of the gradient) and the state of the generator.
    """
    last = uint64(w.shape[0] - 1)
    n_active = uint64(active.shape[0])
    done = uint64(0)
    while True:
        violation = 0.0
        for first in range(n_active - uint64(1)):
            state = state * uint64(6364136223846793005) + uint64(1442695040888963407)
            other = first + (state >> uint64(33)) % (n_active - first)
            active[first], active[other] = active[other], active[first]
        m = uint64(0)
        while m < n_active:
            i = uint64(uint32(active[m]))
            start, end = uint64(indptr[i]), uint64(indptr[i + uint64(1)])
            tail = start + (end - start) // uint64(4) * uint64(4)
            a = b = c = d = 0.0
            k = start
            while k < tail:
                a += data[k] * w[uint32(indices[k])]
                b += data[k + uint64(1)] * w[uint32(indices[k + uint64(1)])]
                c += data[k + uint64(2)] * w[uint32(indices[k + uint64(2)])]
                d += data[k + uint64(3)] * w[uint32(indices[k + uint64(3)])]
                k += uint64(4)
            while k < end:
                a += data[k] * w[uint32(indices[k])]
                k += uint64(1)
            done += end - start + uint64(1)
            slope = ((a + b) + (c + d)) + column[i] * w[last] - y[i]
            old, bend = beta[i], curvature[i]
            target = old * bend - slope
            if target > epsilon:
                free = (target - epsilon) / bend
            elif target < -epsilon:
                free = (target + epsilon) / bend
            else:
                free = 0.0
            new = min(max(free, lower[i]), upper[i])
            step = new - old
            if step != 0.0:
                beta[i] = new
                for k in range(start, end):
                    w[uint32(indices[k])] += step * data[k]
                w[last] += sign * step * column[i]
                violation = max(violation, abs(step) * bend)
            else:
                push = abs(free - new) * bend
                if new == 0.0:
                    push = max(push, epsilon - abs(target))
                if push > limit:
                    n_active -= uint64(1)
                    active[m], active[n_active] = active[n_active], active[m]
                    continue
            m += uint64(1)
        limit = violation
        if violation <= goal or done >= work or n_active == uint64(0):
            return violation, state


@njit(cache=True, nogil=True, fastmath=True)
def sweep_dense(X, active, y, epsilon, lower, upper, curvature, column, sign, beta, w, limit, work, goal, state):
    """The same for a dense matrix in C order."""
    p = uint64(X.shape[1])
    tail = p // uint64(4) * uint64(4)
    n_active = uint64(active.shape[0])
    done = uint64(0)
    while True:
        violation = 0.0
        for first in range(n_active - uint64(1)):
            state = state * uint64(6364136223846793005) + uint64(1442695040888963407)
            other = first + (state >> uint64(33)) % (n_active - first)
            active[first], active[other] = active[other], active[first]
        m = uint64(0)
        while m < n_active:
            i = uint64(uint32(active[m]))
            a = b = c = d = 0.0
            j = uint64(0)
            while j < tail:
                a += X[i, j] * w[j]
                b += X[i, j + uint64(1)] * w[j + uint64(1)]
                c += X[i, j + uint64(2)] * w[j + uint64(2)]
                d += X[i, j + uint64(3)] * w[j + uint64(3)]
                j += uint64(4)
            while j < p:
                a += X[i, j] * w[j]
                j += uint64(1)
            done += p + uint64(1)
            slope = ((a + b) + (c + d)) + column[i] * w[p] - y[i]
            old, bend = beta[i], curvature[i]
            target = old * bend - slope
            if target > epsilon:
                free = (target - epsilon) / bend
            elif target < -epsilon:
                free = (target + epsilon) / bend
            else:
                free = 0.0
            new = min(max(free, lower[i]), upper[i])
            step = new - old
            if step != 0.0:
                beta[i] = new
                for k in range(p):
                    w[k] += step * X[i, k]
                w[p] += sign * step * column[i]
                violation = max(violation, abs(step) * bend)
            else:
                push = abs(free - new) * bend
                if new == 0.0:
                    push = max(push, epsilon - abs(target))
                if push > limit:
                    n_active -= uint64(1)
                    active[m], active[n_active] = active[n_active], active[m]
                    continue
            m += uint64(1)
        limit = violation
        if violation <= goal or done >= work or n_active == uint64(0):
            return violation, state

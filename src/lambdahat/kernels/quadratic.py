"""Loops on a quadratic given by its Gram matrix, the duality gap, and the exact search along a segment.

The problem throughout is ``½‖y − Xw‖²_s + Σ_j l1_j |w_j| + ½ l2_j w_j²``, with ``w ≥ 0`` when ``positive``;
``h = Xᵀ s∘(y − Xw)`` is minus the gradient of the data term, ``yy = ‖y‖²_s``, ``yr = yᵀ s∘r``, ``rr = ‖r‖²_s``.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def feasible(h, w, l1, l2, positive):
    """Penalty terms, and the largest multiples of the residual that are dual points.

    Returns ``Σ l1_j |w_j|``, ``Σ l2_j w_j²``, and two multiples, of two kinds of dual points. The first treats
    ``½ l2_j w_j²`` as extra rows of the data (residual ``−√l2_j w_j``) and shrinks the residual until
    ``|h_j − l2_j w_j| ≤ l1_j`` (it is −1 where that is not possible); the second shrinks only for columns with
    ``l2_j = 0`` and pays ``(|h_j| − l1_j)₊² / (2 l2_j)`` for the others, the conjugate of the elastic net. No dual
    point is feasible unless unpenalised columns (``l1_j = l2_j = 0``) satisfy ``h_j = 0``, which the caller sees to.
    """
    l1_term = 0.0
    l2_term = 0.0
    by_rows = 1e300
    by_columns = 1e300
    rows_possible = True
    for j in range(h.shape[0]):
        if w[j] != 0.0:
            l1_term += l1[j] * abs(w[j])
            l2_term += l2[j] * w[j] * w[j]
        correlation = h[j] if positive else abs(h[j])
        if l1[j] > 0.0:
            if correlation * by_columns > l1[j] and l2[j] == 0.0:
                by_columns = l1[j] / correlation
            residual = h[j] - l2[j] * w[j] if positive else abs(h[j] - l2[j] * w[j])
            if residual * by_rows > l1[j]:
                by_rows = l1[j] / residual
        elif l2[j] > 0.0:
            rows_possible = False
    return l1_term, l2_term, by_rows if rows_possible else -1.0, by_columns


@njit(cache=True, nogil=True)
def excess(h, l1, l2, positive, a):
    """``Σ_j (a|h_j| − l1_j)₊² / (2 l2_j)``: what a dual point of the second kind pays."""
    total = 0.0
    for j in range(h.shape[0]):
        if l2[j] > 0.0:
            beyond = a * (h[j] if positive else abs(h[j])) - l1[j]
            if beyond > 0.0:
                total += 0.5 * beyond * beyond / l2[j]
    return total


@njit(cache=True, nogil=True)
def _bounds(h, w, l1, l2, positive, yr, rr):
    """Primal value and a dual value (a lower bound of the optimum), the better one of two dual points."""
    l1_term, l2_term, by_rows, by_columns = feasible(h, w, l1, l2, positive)
    primal = 0.5 * rr + l1_term + 0.5 * l2_term
    dual = -1e300
    if by_rows >= 0.0:
        norm = rr + l2_term
        a = min(by_rows, max(yr, 0.0) / norm) if norm > 0.0 else 0.0
        dual = a * yr - 0.5 * a * a * norm
    a = min(by_columns, 1.0)
    return primal, max(dual, a * yr - 0.5 * a * a * rr - excess(h, l1, l2, positive, a))


@njit(cache=True, nogil=True)
def descend(G, c, yy, l1, l2, positive, free, free_inverse, w, h, max_sweeps, gap_target):
    """Coordinate descent with the Gram matrix ``G``, until the gap is small; ``w`` and ``h`` change in place.

    Unpenalised columns ``free`` are fitted exactly before each look at the gap, by the inverse of their block of ``G``;
    with ``positive`` there is no such shortcut, and no dual value until they satisfy their conditions up to rounding.

    Returns the gap (``max_sweeps`` sweeps may not reach the target) and the number of sweeps done.
    """
    p = w.shape[0]
    steps = np.empty(free.shape[0])
    best_dual = 0.0  # of the dual point zero
    gap = np.inf
    for sweep in range(max_sweeps + 1):
        slack = 0.0
        if positive:
            for j in free:
                if (w[j] > 0.0 or h[j] > 0.0) and abs(h[j]) > 1e-12 * np.sqrt(yy * G[j, j]):
                    slack = np.inf
        else:
            for a in range(free.shape[0]):
                step = 0.0
                for b in range(free.shape[0]):
                    step += free_inverse[a, b] * h[free[b]]
                steps[a] = step
            for a in range(free.shape[0]):
                j = free[a]
                w[j] += steps[a]
                for k in range(p):
                    h[k] -= steps[a] * G[j, k]
        cw = 0.0
        hw = 0.0
        for j in range(p):
            cw += c[j] * w[j]
            hw += h[j] * w[j]
        yr = yy - cw
        primal, dual = _bounds(h, w, l1, l2, positive, yr, max(yr - hw, 0.0))
        best_dual = max(best_dual, dual - slack)
        gap = primal - best_dual
        if gap <= gap_target or sweep == max_sweeps:
            return gap, sweep
        for j in range(p):
            curvature = G[j, j]
            if curvature <= 0.0:
                continue
            old = w[j]
            z = old * curvature + h[j]
            if z > l1[j]:
                new = (z - l1[j]) / (curvature + l2[j])
            elif z < -l1[j] and not positive:
                new = (z + l1[j]) / (curvature + l2[j])
            else:
                new = 0.0
            step = new - old
            if step != 0.0:
                w[j] = new
                row = G[j]
                for k in range(p):
                    h[k] -= step * row[k]
    return gap, max_sweeps


@njit(cache=True, nogil=True)
def submatrix(G, subset):
    """``G[subset, subset]``."""
    m = subset.shape[0]
    H = np.empty((m, m))
    for a in range(m):
        row = G[subset[a]]
        for b in range(m):
            H[a, b] = row[subset[b]]
    return H


@njit(cache=True, nogil=True)
def segment(w, d, l1, slope, curvature):
    """Minimiser over ``t ≥ 0`` of ``slope·t + ½ curvature·t² + Σ_j l1_j |w_j + t d_j|``.

    ``w_j ≠ 0`` where ``l1_j > 0``.

    The function is piecewise quadratic with breakpoints where a coefficient crosses zero. Returns ``t`` and the index
    of the coefficient that is exactly zero there (−1 when there is none).
    """
    crossing = np.empty(w.shape[0])
    n_crossings = 0
    derivative = slope
    for j in range(w.shape[0]):
        crossing[j] = np.inf
        if l1[j] > 0.0:
            derivative += l1[j] * d[j] * np.sign(w[j])
            if w[j] * d[j] < 0.0:
                crossing[j] = -w[j] / d[j]
                n_crossings += 1
    order = np.argsort(crossing)
    for k in range(n_crossings):
        j = order[k]
        if derivative + curvature * crossing[j] >= 0.0:
            break
        derivative += 2.0 * l1[j] * abs(d[j])
        if derivative + curvature * crossing[j] >= 0.0:
            return crossing[j], j
    return (-derivative / curvature if curvature > 0.0 else 0.0), -1

"""Newton's step on the support of a restricted problem, damped, with an exact search along the step."""

import numpy as np

from lambdahat.design import QuadraticForm
from lambdahat.kernels.quadratic import segment
from lambdahat.linear import Vector


def newton_step(form: QuadraticForm, damping: float, atol: float) -> bool:
    """Move ``form`` by one damped Newton step for the current signs; False when it had to stop well short of it.

    Signs that would flip are first set to zero (the step projected onto the orthant); where that does not decrease the
    objective, the step is searched exactly: the objective along it is piecewise quadratic.
    ``damping`` is relative to the diagonal of the Hessian. The linear system is solved until its largest residual is a
    tenth of what it was, or ``atol``.
    """
    smooth = form.w != 0.0 if form.positive else (form.w != 0.0) | (form.l1 == 0.0)
    S = np.flatnonzero(smooth & (form.curvature > 0.0))
    if S.size == 0:
        return True
    w, l1, l2, h = form.w[S], form.l1[S], form.l2[S], form.gradient(S)
    b = h - l2 * w - l1 * np.sign(w)
    accuracy = max(atol, 0.1 * float(np.abs(b).max()))
    d = form.solve(S, b, l2 + damping * form.curvature[S], accuracy)
    if not np.all(np.isfinite(d)):
        return False
    target = w + d
    flips = target <= 0.0 if form.positive else (l1 > 0.0) & (target * w <= 0.0)
    if np.any(flips):
        target[flips] = 0.0
        shift = target - w
        image, curvature = form.image(S, shift)
        if _change(w, target, l1, l2) - h @ shift + 0.5 * curvature < 0.0:
            form.move(S, target, 1.0, image)
            return True
    image, curvature = form.image(S, d)
    slope = float((l2 * w - h) @ d)
    t, zero = segment(w, d, l1, slope, curvature + float(l2 @ (d * d)))
    if form.positive:
        t, zero = _stay_positive(w, d, t, zero)
    target = w + t * d
    if zero >= 0:
        target[zero] = 0.0
    form.move(S, target, t, image)
    return bool(t > 0.5)


def _change(w: Vector, target: Vector, l1: Vector, l2: Vector) -> float:
    """The penalty at ``target`` minus the penalty at ``w``."""
    return float(l1 @ (np.abs(target) - np.abs(w)) + 0.5 * l2 @ (target * target - w * w))


def _stay_positive(w: Vector, d: Vector, t: float, zero: int) -> tuple[float, int]:
    falling = np.flatnonzero(d < 0.0)
    if falling.size:
        limits = -w[falling] / d[falling]
        first = int(np.argmin(limits))
        if limits[first] <= t:
            return float(limits[first]), int(falling[first])
    return t, zero

"""Newton's step on the support of a restricted problem, damped, with an exact search along the step."""

import numpy as np

from lambdahat.design import QuadraticForm

RTOL = 0.1


def newton_step(form: QuadraticForm, damping: float, atol: float, rtol: float = RTOL) -> bool:
    """Move ``form`` by one damped Newton step for the current signs; False when it had to stop well short of it.

    Coefficients that would cross a kink are first stopped there (the step projected onto the orthant); where that does
    not decrease the objective, the step is searched exactly.
    ``damping`` is relative to the diagonal of the Hessian. The linear system is solved until its largest residual is
    ``rtol`` of what it was, or ``atol``.
    """
    S = form.penalty.generalized_support(form.w)
    S = S[form.curvature[S] > 0.0]
    if S.size == 0:
        return True
    penalty, w, h = form.penalty.restricted(S), form.w[S], form.gradient(S)
    b = h - penalty.gradient(w)
    accuracy = max(atol, rtol * float(np.abs(b).max()))
    d = form.solve(S, b, penalty.curvature(w).plus(damping * form.curvature[S]), accuracy)
    if not np.all(np.isfinite(d)):
        return False
    target = penalty.crossing(w, w + d)
    if target is not None:
        shift = target - w
        image, curvature = form.image(S, shift)
        if penalty.value(target) - penalty.value(w) - float(np.vdot(h, shift)) + 0.5 * curvature < 0.0:
            form.move(S, target, 1.0, image)
            return True
    image, curvature = form.image(S, d)
    t, target = penalty.search(w, d, -float(np.vdot(h, d)), curvature)
    form.move(S, target, t, image)
    return bool(t > 0.5)

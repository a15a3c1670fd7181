"""Rounds on a working set: a few sweeps of coordinate descent, then Newton's step on the support.

Coordinate descent finds the support and is slow only at the end; Newton's step on the support is exact at the end and
useless at the start. So each round does a few sweeps and, once the support has nearly settled, one damped Newton step:
the damping (relative to the diagonal, as Levenberg and Marquardt) falls with success, and keeps conjugate gradients
short and signs in place while the support is still wrong.
"""

import numpy as np

from lambdahat.design import Columns, QuadraticForm
from lambdahat.linear import rows_used
from lambdahat.solvers.newton import RTOL, newton_step

LEAST_DAMPING = 1e-10
SWEEPS, MODEL_SWEEPS = 5, 4  # at first, of least squares and of a model that holds for one round
_FEWEST_SWEEPS, _MOST_SWEEPS = 3, 20
_SETTLED = 0.1  # Newton is worth its price when less than this share of the support changed in the last sweeps
_INNER_ROUNDS = 20
_PATIENCE = 30


class Descent:
    """Sweeps and Newton steps on forms, with what is learnt on the way: the damping and the number of sweeps."""

    def __init__(self, damping: float, least: float, n_sweeps: int = SWEEPS, rtol: float = RTOL) -> None:
        self.damping = damping
        self.least = least
        self.n_sweeps = n_sweeps
        self.rtol = rtol
        self.whole = False  # whether the last round has ended in a whole step of Newton's

    def run(self, form: QuadraticForm, gap_target: float, atol: float) -> None:
        """Rounds on one form: several where it can be solved to the end without another look at X."""
        for _ in range(_INNER_ROUNDS if form.self_contained else 1):
            if self.round(form, gap_target, atol) <= gap_target:
                break

    def sharpen(self) -> bool:
        """Allow the least damping of all, for columns that nearly repeat each other; False where it is allowed."""
        sharper, self.least = self.least > LEAST_DAMPING, LEAST_DAMPING
        return sharper

    def round(self, form: QuadraticForm, gap_target: float, atol: float) -> float:
        """One round; returns the gap of the restricted problem before the Newton step, if the form knows it."""
        before = rows_used(form.w)
        self.whole = False
        n_sweeps = self.n_sweeps
        if form.self_contained:  # small Gram matrices: a Newton step costs more than many sweeps
            n_sweeps = max(n_sweeps, min(100, 1000 // max(1, form.w.size)))
        gap = form.sweep(n_sweeps, gap_target)
        if gap <= gap_target:
            return gap
        after = rows_used(form.w)
        if not settled(before, after):
            return gap
        self.whole = newton_step(form, self.damping, atol, self.rtol)
        if self.whole:
            self.damping = max(0.1 * self.damping, self.least)
            self.n_sweeps = max(_FEWEST_SWEEPS, self.n_sweeps // 2)
        else:
            self.damping = min(3.0 * max(self.damping, 1e-6), 1.0)
            self.n_sweeps = min(_MOST_SWEEPS, 2 * self.n_sweeps)
        return gap


def settled(before: Columns, after: Columns) -> bool:
    """Whether next to nothing has changed between two supports."""
    return np.setxor1d(before, after, assume_unique=True).size <= _SETTLED * max(1, after.size)


class Progress:
    """Tells when rounds lead nowhere: rounding errors bound the gap from below, and a tolerance may ask for less."""

    def __init__(self) -> None:
        self.gap = np.inf
        self._reference, self._since = np.inf, 0

    def stalled(self, gap: float) -> bool:
        """Note a gap; True when it has not fallen by a tenth for long."""
        self.gap = min(self.gap, gap)
        if gap < 0.9 * self._reference:
            self._reference, self._since = gap, 0
            return False
        self._since += 1
        return self._since % _PATIENCE == 0

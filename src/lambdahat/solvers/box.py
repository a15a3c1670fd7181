"""Support vector machines: dual coordinate descent over the rows, and Newton steps on those that are free.

A round looks at all rows once, which gives the duality gap and says which rows are worth sweeping: not those at a bound
that are pushed against it. Sweeps follow, as many as cost a look twice, and then, on the rows strictly inside the box, a
damped Newton step that is clipped to it. Descent finds the rows at their bounds and is slow at the end; Newton is exact
there. Hsieh et al., ICML 2008, for the descent; Bertsekas, *Projected Newton methods*, 1982, for the step.
"""

from __future__ import annotations

import numpy as np

from lambdahat.box_problem import BoxProblem, Dual
from lambdahat.kernels import box as kernels
from lambdahat.linear import Vector
from lambdahat.problem import Solution
from lambdahat.design import SparseStorage

_WORK = 2  # looks that the sweeps of a round may cost
_LEAST_WORK = 50_000  # stored values; less than that costs no more than the call
_PATIENCE = 30  # rounds without a lower gap
_DAMPING = 1e-3  # of the first Newton step, relative to the diagonal
_LEAST_DAMPING = 1e-13
_SLOW = 0.7  # what is left of the gap after a round of sweeps that asks for a Newton step
_CG_STEPS, _MOST_CG_STEPS = 30, 2000
_HALVINGS = 5


def solve_box(problem: BoxProblem, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Minimise until the duality gap over the objective at ``w = 0`` is at most ``tol``.

    ``start`` may bring a dual point of another C: rows at their bounds move with them.
    """
    unit, descent = problem.null_value, _Descent(problem, None if start is None else start.workspace)
    if unit == 0.0:  # C is zero, or every target within ε
        return _conclude(problem, np.zeros(problem.y.size), np.zeros(problem.n_features + 1), 0.0, 0, tol, max_iter)
    best, since = np.inf, 0
    for n_iter in range(1, max_iter + 1):
        z = descent.refresh()
        gap = problem.gap(descent.beta, descent.w, z) / unit
        slow = gap > _SLOW * best
        since = 0 if gap < best else since + 1
        if gap < best:
            best, beta, w = gap, descent.beta.copy(), descent.w.copy()
        if best <= tol or since == _PATIENCE:
            break
        descent.sweep(z, goal=0.1 * tol)
        if slow:
            descent.newton()
    return _conclude(problem, beta, w, best, n_iter, tol, max_iter)


class _Descent:
    """A dual point, ``w`` beside it, and what the sweeps remember."""

    def __init__(self, problem: BoxProblem, start: object) -> None:
        self.problem, penalty = problem, problem.penalty
        self.sparse = isinstance(problem.rows.transposed, SparseStorage)
        self.beta = np.zeros(problem.y.size)
        if isinstance(start, Dual) and start.beta.size == self.beta.size:
            before = penalty.with_hyperparams(np.array([start.C, penalty.epsilon]))
            inside = (start.beta > before.lower) & (start.beta < before.upper)
            moved = np.where(inside, start.beta, penalty.C * before.boundary(start.beta))
            self.beta = np.clip(moved, penalty.lower, penalty.upper)
        # Rows of zeros do not enter w: they are where their own term is least.
        self.idle = problem.curvature == 0.0
        pull = np.where(np.abs(problem.y) > penalty.epsilon, np.sign(problem.y), 0.0)
        ends = np.where(pull > 0.0, penalty.upper, np.where(pull < 0.0, penalty.lower, 0.0))
        self.beta[self.idle] = ends[self.idle]
        self.fixed = self.idle | (penalty.lower == penalty.upper)
        self.work = max(_WORK * problem.rows.n_stored, _LEAST_WORK)
        self.limit, self.state = np.inf, np.uint64(0)
        self.damping, self.cg_steps = _DAMPING, _CG_STEPS
        self.w = np.zeros(problem.n_features + 1)

    def refresh(self) -> Vector:
        """``w`` from β without the rounding of the sweeps, and the predictions of all rows."""
        rows = np.flatnonzero(self.beta).astype(np.int32)
        self.w = self.problem.weights_of(rows, self.beta[rows])
        return self.problem.prediction(self.w)

    def sweep(self, z: Vector, goal: float) -> None:
        """Sweep over the rows that are not held at a bound, or at the kink."""
        problem, penalty = self.problem, self.problem.penalty
        bend = np.where(self.idle, 1.0, problem.curvature)
        target = self.beta - (z - problem.y) / bend
        shrunk = np.sign(target) * np.maximum(np.abs(target) - penalty.epsilon / bend, 0.0)
        new = np.clip(shrunk, penalty.lower, penalty.upper)
        push = bend * np.abs(shrunk - new)
        push = np.where(new == 0.0, np.maximum(push, penalty.epsilon - bend * np.abs(target)), push)
        worth = ((push <= self.limit) | (new != self.beta)) & ~self.fixed
        active = np.flatnonzero(worth).astype(np.int32)
        if active.size == 0:
            return
        common = (
            active, problem.y, penalty.epsilon, penalty.lower, penalty.upper, problem.curvature, problem.constant,
            self.beta, self.w, self.limit, np.uint64(self.work), goal, np.uint64(self.state),
        )  # fmt: skip
        if self.sparse:
            _, self.limit, self.state = kernels.sweep_sparse(*problem.rows.transposed.arrays, *common)
        else:
            _, self.limit, self.state = kernels.sweep_dense(problem.rows.transposed.X.T, *common)

    def newton(self) -> None:
        """A step to the minimum on the free rows, clipped to the box and to the signs, where that decreases."""
        problem, penalty = self.problem, self.problem.penalty
        S = penalty.generalized_support(self.beta)
        S = S[~self.idle[S]]
        if S.size == 0:
            return
        old, lower, upper = self.beta[S], penalty.lower[S], penalty.upper[S]
        slope = problem.prediction_on(S, self.w) - problem.y[S] + penalty.epsilon * np.sign(old)
        if penalty.epsilon > 0.0:
            lower, upper = np.where(old > 0.0, 0.0, lower), np.where(old < 0.0, 0.0, upper)
        atol = 1e-3 * float(np.abs(slope).max())
        step = problem.solve_free(S, -slope, atol=atol, damping=self.damping, max_iter=self.cg_steps)
        self.cg_steps = min(2 * self.cg_steps, _MOST_CG_STEPS)
        for halving in range(_HALVINGS):
            new = np.clip(old + 0.5**halving * step, lower, upper)
            change = problem.weights_of(S, new - old)
            if slope @ (new - old) + 0.5 * change @ change < 0.0:
                self.beta[S] = new
                self.w += change
                self.damping = max(self.damping * (0.1 if halving == 0 else 1.0), _LEAST_DAMPING)
                return
        self.damping = min(10.0 * self.damping, 1.0)


def _conclude(
    problem: BoxProblem, beta: Vector, w: Vector, gap: float, n_iter: int, tol: float, max_iter: int
) -> Solution:
    converged = gap <= tol
    if converged:
        message = f"converged: relative duality gap {max(gap, 0.0):.1e} after {n_iter} rounds"
    else:
        advice = "raise max_iter, raise tol" if n_iter >= max_iter else "it fell no further, raise tol"
        message = (
            f"stopped after {n_iter} rounds with a relative duality gap of {gap:.1e}, above tol={tol:.1e}: "
            f"{advice}, scale the columns, or lower C"
        )
    dual = Dual(beta, problem.penalty.C)
    return Solution(w[:-1], problem.constant * w[-1], max(gap, 0.0), n_iter, converged, message, dual)

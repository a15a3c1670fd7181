"""Support vector machines: dual coordinate descent over the rows, and Newton steps on those that are free.

A round looks at all rows once, which gives the duality gap and says which rows are worth sweeping: not those at a bound
that are pushed against it. Sweeps follow, as many as cost a few looks, and where they have become slow, damped Newton
steps on the rows strictly inside the box, until one ends there. Descent finds the rows at their bounds; Newton is exact
once they are found.

Hsieh et al., *A dual coordinate descent method for large-scale linear SVM*, ICML 2008, for the descent; Bertsekas,
*Projected Newton methods for optimization problems with simple constraints*, 1982, for the steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from lambdahat.box_problem import BoxProblem, Dual
from lambdahat.design import Columns, DenseStorage, RowStorage
from lambdahat.kernels import box as kernels
from lambdahat.linear import Vector
from lambdahat.problem import Solution

_WORK = 3  # stored values that the sweeps of a round may visit, over those of X
_LEAST_WORK = 50_000  # at least so many, which cost no more than the call
_PATIENCE = 30  # rounds in which the dual objective gains no more than a share of what is asked
_NOTHING = 1e-3  # that share
_DAMPING = 1e-3  # of the first Newton step, relative to the diagonal
_LEAST_DAMPING = 1e-13
_SLOW = 0.9  # what is left of the gap after a round of sweeps that asks for a Newton step
_LEAST_CG_STEPS, _MOST_CG_STEPS = 30, 2000
_BLAS = 8.0  # operations of a factorisation in the time of one stored value
_SHARES = (1.0, 0.25, 0.06)  # of a Newton step that are tried where it leaves the box
_GAIN = 1e-5  # left of the slope by polishing, at best
_POLISH_CG_STEPS = 500


def solve_box(problem: BoxProblem, tol: float, max_iter: int, start: Solution | None = None) -> Solution:
    """Minimise until the duality gap over the objective at ``w = 0`` is at most ``tol``.

    ``start`` may bring a dual point of another C: rows at their bounds move with them.
    """
    unit, descent = problem.null_value, _Descent(problem, None if start is None else start.workspace)
    if unit == 0.0:  # C is zero, or every target within ε
        return _conclude(problem, np.zeros(problem.y.size), np.zeros(problem.n_features + 1), 0.0, 0, tol, max_iter)
    best, highest, since, n_iter = np.inf, -np.inf, 0, 0
    beta, w = descent.beta, descent.w
    while True:
        n_iter += 1
        z = descent.refresh()
        primal, dual = problem.bounds(descent.beta, descent.w, z)
        gap = (primal - dual) / unit
        slow = gap > _SLOW * best
        if gap < best:
            best, beta, w = gap, descent.beta.copy(), descent.w.copy()
        since = 0 if dual > highest + _NOTHING * tol * unit else since + 1
        highest = max(highest, dual)
        stuck = since >= _PATIENCE and descent.credit > 0.0
        if best <= tol or stuck or n_iter == max_iter:
            break
        descent.sweep(z, goal=0.1 * tol)
        if slow:
            descent.newton()
    return _conclude(problem, beta, w, best, n_iter, tol, max_iter)


class _Descent:
    """A dual point, ``w`` beside it, and what the sweeps remember."""

    def __init__(self, problem: BoxProblem, start: object) -> None:
        self.problem, penalty = problem, problem.penalty
        self.beta = np.zeros(problem.y.size)
        if isinstance(start, Dual) and start.beta.size == self.beta.size:
            before = penalty.with_hyperparams(np.array([start.C, penalty.epsilon]))
            inside = (start.beta > before.lower) & (start.beta < before.upper)
            moved = np.where(inside, start.beta, penalty.C * before.boundary(start.beta))
            self.beta = np.clip(moved, penalty.lower, penalty.upper)
        # Rows of zeros (constant rows, where the sum is given) do not move w: they are where their own term is least.
        self.idle, residual = problem.curvature == 0.0, problem.null_residual
        pull = np.where(np.abs(residual) > penalty.epsilon, np.sign(residual), 0.0)
        ends = np.where(pull > 0.0, penalty.upper, np.where(pull < 0.0, penalty.lower, 0.0))
        self.beta[self.idle] = ends[self.idle]
        self.fixed = self.idle | (penalty.lower == penalty.upper)
        self.work = max(_WORK * problem.rows.n_stored, _LEAST_WORK)
        self.limit, self.state = np.inf, np.uint64(0)
        self.damping = _DAMPING
        self.credit = 0.0  # what sweeps have cost beyond Newton steps, which shall not take the larger share
        self.v = self.w = problem.null_weights
        self.column, self.sign = _beside(problem)

    def refresh(self) -> Vector:
        """``v = Xᵀβ`` and ``w`` from β without the rounding of the sweeps, and the predictions of all rows."""
        rows = np.flatnonzero(self.beta).astype(np.int32)
        self.v = self.problem.combine(rows, self.beta[rows])
        self.w = self.problem.nearest(self.v)
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
        sweep, X = _kernel(problem.rows)
        sign = self.sign
        # The multipliers of a domain are brought to their best after each sweep, else only sweeps are counted.
        at_once = self.work if problem.domain.is_everything else 0
        visits = active.size * problem.rows.n_stored // problem.y.size + active.size
        for _ in range(1 if at_once else 1 + self.work // visits):
            moved = self.w.copy()
            self.limit, self.state = sweep(
                *X, active, problem.y, penalty.epsilon, penalty.lower, penalty.upper, problem.curvature, self.column,
                sign, self.beta, moved, self.limit, np.uint64(at_once), goal, np.uint64(self.state),
            )  # fmt: skip
            if sign < 0.0:
                moved[-1] = 0.0
            self.v = self.v + (moved - self.w)
            self.w = problem.nearest(self.v)
            if self.limit <= goal:
                break
        self.credit += self.work

    def _affordable(self, S: Columns, begun: bool) -> int:
        """Steps of conjugate gradients that there is credit for (one, for a factorisation), or zero; they are paid.

        Factorisations that have begun go on to the end of the face, on debt: a sweep in between would free rows again.
        """
        if self.problem.is_factorised(S):
            if self.credit <= 0.0 and not begun:
                return 0
            p = int(np.count_nonzero(self.problem.domain.face(self.w[:-1])))
            few = min(S.size, p + 1)
            self.credit -= few * few * (max(S.size, p) + few / 3.0) / _BLAS
            return 1
        price = 2.0 * self.problem.rows.n_stored * S.size / self.beta.size + 1.0
        steps = int(min(max(self.credit, 0.0) // price, _MOST_CG_STEPS))
        if steps < _LEAST_CG_STEPS:
            return 0
        self.credit -= steps * price
        return steps

    def _inside(self, S: Columns, step: Vector, slope: float, end: float) -> float:
        """The best share of a step up to ``end``; in a domain, ``w`` bends where it meets or leaves a face."""
        if self.problem.domain.is_everything:
            return end
        d = self.problem.combine(S, step)

        def along(share: float) -> float:
            return slope + float((self.problem.nearest(self.v + share * d) - self.w) @ d)

        if along(end) <= 0.0 or slope >= 0.0:
            return end
        return float(brentq(along, 0.0, end, xtol=1e-12 * end, rtol=1e-9))

    def newton(self) -> None:
        """Steps towards the minimum on the free rows, as long as they end at bounds and there is credit.

        Of a step's points, clipped to the box and to the signs, the best is taken; one is where the first row meets its
        bound. Where free rows depend on each other a step may go far along ``w = const``: only that point is of use.
        """
        problem, penalty = self.problem, self.problem.penalty
        begun = False
        for _ in range(self.beta.size):
            S = penalty.generalized_support(self.beta)
            S = S[~self.idle[S]]
            steps = self._affordable(S, begun) if S.size else 0
            if steps == 0:
                return
            old, lower, upper = self.beta[S], penalty.lower[S], penalty.upper[S]
            slope = problem.prediction_on(S, self.w) - problem.y[S] + penalty.epsilon * np.sign(old)
            if penalty.epsilon > 0.0:
                lower, upper = np.where(old > 0.0, 0.0, lower), np.where(old < 0.0, 0.0, upper)
            atol = 1e-3 * float(np.abs(slope).max())
            step = problem.solve_free(S, self.w, -slope, atol=atol, damping=self.damping, max_iter=steps)
            end = np.where(step > 0.0, upper, lower)
            room = np.divide(end - old, step, out=np.full(S.size, np.inf), where=step != 0.0)
            first = int(np.argmin(room))
            lowest, best = 0.0, old
            for share in (self._inside(S, step, float(slope @ step), min(room[first], 1.0)), *_SHARES):
                new = np.clip(old + share * step, lower, upper)
                if share == room[first]:
                    new[first] = end[first]
                v = self.v + problem.combine(S, new - old)
                w = problem.nearest(v)
                move = w - self.w
                change = float(slope @ (new - old) + move @ (v - self.w - 0.5 * move))
                if change < lowest:
                    lowest, best, best_v, best_w = change, new, v, w
                    if room[first] >= 1.0:
                        break
            if lowest == 0.0:
                self.damping = min(10.0 * self.damping, 1.0)
                return
            same_face = np.array_equal(problem.domain.face(self.w[:-1]), problem.domain.face(best_w[:-1]))
            self.beta[S], self.v, self.w = best, best_v, best_w
            begun = room[first] < 1.0 or not same_face
            if not begun:
                self.damping = max(0.1 * self.damping, _LEAST_DAMPING)
                return


def _kernel(rows: RowStorage) -> tuple[Any, tuple[Any, ...]]:
    if isinstance(rows.transposed, DenseStorage):
        return kernels.sweep_dense, (rows.transposed.X.T,)
    return kernels.sweep_sparse, rows.transposed.arrays


def _beside(problem: BoxProblem) -> tuple[Vector, float]:
    """The column beside X in sweeps, and its sign; a given sum takes the means off the rows."""
    if problem.domain.total is None:
        return np.full(problem.y.size, problem.constant), 1.0
    return problem.rows.means * problem.n_features**0.5, -1.0


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


def polish_box(problem: BoxProblem, solution: Solution, tol: float) -> tuple[Solution, float]:
    """One undamped Newton step on the free rows, where none of them leaves: see :func:`lambdahat.solvers.polish`.

    Returns the solution, and ``tol`` as it deserves now.
    """
    penalty, beta = problem.penalty, solution.workspace.beta.copy()
    S = penalty.generalized_support(beta)
    if S.size == 0:
        return solution, tol
    w = problem.weights(solution)
    slope = problem.prediction_on(S, w) - problem.y[S] + penalty.epsilon * np.sign(beta[S])
    size = float(np.abs(slope).max())
    new = beta[S] + problem.solve_free(S, w, -slope, atol=_GAIN * size, max_iter=_POLISH_CG_STEPS)
    inside = (new > penalty.lower[S]) & (new < penalty.upper[S])
    if not np.all(inside) or (penalty.epsilon > 0.0 and np.any(new * beta[S] <= 0.0)):
        return solution, tol
    beta[S] = new
    rows = np.flatnonzero(beta).astype(np.int32)
    face, w = problem.domain.face(solution.w), problem.nearest(problem.combine(rows, beta[rows]))
    if not np.array_equal(problem.domain.face(w[:-1]), face):
        return solution, tol
    left = problem.prediction_on(S, w) - problem.y[S] + penalty.epsilon * np.sign(new)
    gain = max(float(np.abs(left).max()) / size, _GAIN) if size > 0.0 else 1.0
    polished = replace(solution, w=w[:-1], intercept=problem.constant * w[-1], workspace=Dual(beta, penalty.C))
    return polished, min(gain, 1.0) * tol

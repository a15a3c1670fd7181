"""Several classes whose predictions depend on each other: the multinomial model.

Class after class, each by a step of proximal Newton while the others stay (a sparse logistic regression with offsets),
then a Newton step of all of them together on the support: the first finds the support and is slow only at the end,
where the coupling of the classes counts; the second is exact there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lambdahat.datafits.multinomial import Odds, OneClass
from lambdahat.design import Columns
from lambdahat.linear import Matrix, rows_used
from lambdahat.penalties import Entrywise
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.descent import LEAST_DAMPING, Descent, Progress
from lambdahat.solvers.iterate import ProxNewton, free_columns, predictions_at, rounding
from lambdahat.solvers.working_set import SMALLEST_WORKING_SET, Steps, conclude

_SUFFICIENT, _ROUNDING, _HALVINGS = 1e-4, 1e-14, 30
_NEWTON_STEPS, _MOST_PRODUCTS = 50, 100
_SETTLED = 0.1  # Newton is worth its price when less than this share of the support changed in the last sweeps


def solve_classes(
    problem: Problem, w: Matrix, tol: float, max_iter: int, start: Solution | None, at_least: int, proof: bool = True
) -> Steps:
    """From coefficients ``w``, which change in place."""
    unit = problem.null_value
    gap_target = tol * unit
    iterate = Classes(problem, w, None if start is None else problem.offset(start))
    h = (yield iterate.q) if start is None or start.gradient is None else start.gradient
    primal, best_dual, progress = np.inf, 0.0, Progress()
    sweeps = [Descent(1e-3 if w.any() else 0.1, max(LEAST_DAMPING, 0.1 * tol)) for _ in range(w.shape[1])]
    damping = 1e-3
    for iteration in range(max_iter + 1):
        before, (primal, dual) = primal, iterate.bounds(h)
        best_dual = max(best_dual, dual)
        gap = primal - best_dual
        if gap <= gap_target and iteration >= at_least:
            return conclude(problem, w, gap / unit, iteration, tol, max_iter, None, h, iterate.offset)
        settled = iteration >= 4 and before - primal <= 0.1 * gap_target
        if iteration == max_iter or (settled and not proof) or progress.stalled(gap):
            break
        support = w != 0.0
        inner_target = max(0.3 * gap_target, 0.05 * gap) / w.shape[1]
        for k, descent in enumerate(sweeps):
            iterate.descend(k, h[:, k], descent, inner_target)
        changed = np.count_nonzero(support != (w != 0.0))
        if changed <= _SETTLED * max(1, np.count_nonzero(w)):
            whole = iterate.newton(damping, 0.3 * tol * problem.penalty.least_strength)
            damping = max(0.1 * damping, LEAST_DAMPING) if whole else min(3.0 * max(damping, 1e-6), 1.0)
        iterate.settle()
        h = yield iterate.q
    return conclude(problem, w, progress.gap / unit, iteration, tol, max_iter, offset=iterate.offset)


class Classes:
    """Coefficients of all classes, of shape (p, K) and updated in place, with predictions and residual."""

    def __init__(self, problem: Problem, w: Matrix, offset: Any) -> None:
        self.problem, self.w = problem, w
        w[problem.penalty.excluded] = 0.0
        self.free = free_columns(problem)
        self.z = np.asfortranarray(predictions_at(problem, w, offset))
        self.loss = self._loss(self.z)
        self.settle()

    @property
    def offset(self) -> Any:
        return self.problem.design.weights @ self.z if self.problem.has_offset else 0.0

    def _loss(self, z: Matrix) -> float:
        return self.problem.datafit.value(self.problem.y, z, self.problem.design.weights)

    def bounds(self, h: Matrix) -> tuple[float, float]:
        """The objective, and a lower bound of its minimum by a multiple of the residual."""
        problem, penalty = self.problem, self.problem.penalty
        kinks, _, _, multiple = penalty.feasible(h, self.w)
        a = min(multiple, 1.0)
        dual = -problem.datafit.conjugate(problem.y, a * self.slopes, problem.design.weights) - penalty.excess(h, a)
        if self.free.size and np.any(np.abs(h[self.free]).max(axis=1) > rounding(problem, self.free)):
            dual = -np.inf
        return self.loss + kinks, dual

    def descend(self, k: int, h: Matrix, descent: Descent, target: float) -> None:
        """Sweeps of class ``k``, on its support and the columns that violate its conditions most at ``h``."""
        problem, penalty = self.problem, self.problem.penalty.column(k)
        violation = penalty.subdiff_distance(self.w[:, k], -h)
        used = rows_used(self.w[:, k])
        violation[used] = 0.0
        new, room = np.flatnonzero(violation > 0.0), max(SMALLEST_WORKING_SET, used.size)
        if new.size > room:
            new = np.sort(new[np.argpartition(-violation[new], room)[:room]])
        columns = np.concatenate([used, new.astype(np.int32)])
        self.odds = self.odds or Odds.at(self.z)
        alone = replace(
            problem, y=2.0 * problem.y[:, k] - 1.0, penalty=penalty, datafit=OneClass(self.odds.others(self.z, k))
        )
        w = self.w[:, k].copy()
        iterate = ProxNewton(alone, w, None, self.z[:, k])
        now = np.zeros_like(h)
        now[columns] = problem.design.gradient_columns(columns, iterate.q)
        form = iterate.form(columns, now, None)
        descent.run(form, iterate.scale * target, 0.1 * iterate.scale * target)
        iterate.step(columns, form)
        self.w[:, k], self.z[:, k] = w, iterate.z
        self.odds = self.odds.moved(self.z, k)

    def newton(self, damping: float, atol: float) -> bool:
        """One damped Newton step of all classes on the support; whether the whole of it was good."""
        problem = self.problem
        S = problem.penalty.generalized_support(self.w)
        if not S.size:
            return True
        on, w = problem.penalty.restricted(S), self.w[S]
        self._residual()
        b = problem.design.gradient_columns(S, self.q) - on.gradient(w)
        if (moving := on.moving(w)) is not None:
            b[~moving] = 0.0
        model = problem.coupled(self.z)
        atol = max(atol, 0.1 * float(np.abs(b).max()))
        d = model.solve_support(S, w, b, atol=atol, damping=damping, most_products=_MOST_PRODUCTS)
        target = on.crossing(w, w + d)
        import os
        if target is not None:
            h = problem.design.gradient_columns(S, self.q)
            shift = target - w
            def curv(x):
                im = problem.design.product(S, x)
                if problem.has_offset: im = im + model.offset_step(S, x, problem.design.means)
                return float(np.vdot(im, model.hessian(im)))
            gain = on.value(target) - on.value(w) - float(np.vdot(h, shift)) + .5*curv(shift)
            nc = (target != w + d).sum()
            if gain < 0:
                r = self._move(S, shift, h - on.gradient(w)); print("       cross", nc, gain, r); return r
            t, target = on.search(w, d, -float(np.vdot(h, d)), curv(d))
            r = self._move(S, target - w, b); print("       cross", nc, "search", t, r)
            return r and t > .5
        return self._move(S, d, b)

    def _move(self, columns: Columns, shift: Matrix, b: Matrix) -> bool:
        """Step along ``shift``, halved until the objective falls enough, offsets following; True for the whole of it.

        ``b`` is minus the gradient of the objective.
        """
        problem, on = self.problem, self.problem.penalty.restricted(columns)
        old = self.w[columns]
        g, promised = on.value(old), -float(np.vdot(b, shift))
        image, t = problem.design.product(columns, shift), 1.0
        if problem.has_offset:
            image = image + problem.coupled(self.z).offset_step(columns, shift, problem.design.means)
        for _ in range(_HALVINGS):
            new, z = old + t * shift, self.z + t * image
            loss = self._loss(z)
            if loss - self.loss + on.value(new) - g <= _SUFFICIENT * t * min(promised, 0.0) + _ROUNDING * self.loss:
                self.w[columns], self.z, self.loss = new, np.asfortranarray(z), loss
                return t == 1.0
            t *= 0.5
        return False

    def _residual(self) -> None:
        problem = self.problem
        self.slopes = problem.datafit.gradient(problem.y, self.z)
        self.q = -problem.design.weights[:, None] * self.slopes

    def settle(self) -> None:
        """Fit offsets and unpenalised columns exactly, by Newton's method: a dual point asks for it."""
        problem, self.odds = self.problem, None
        self.loss = self._loss(self.z)
        for _ in range(_NEWTON_STEPS):
            if problem.has_offset:
                self._settle_offsets()
            self._residual()
            if not self.free.size:
                return
            b = problem.design.gradient_columns(self.free, self.q)
            if np.all(np.abs(b).max(axis=1) <= rounding(problem, self.free)):
                return
            on = replace(problem, penalty=problem.penalty.without_kinked())
            shift = on.coupled(self.z).solve_support(
                self.free, self.w[self.free], b, atol=1e-3 * float(np.abs(b).max())
            )
            before = self.loss
            self._move(self.free, shift, b)
            if self.loss >= before:
                self._residual()
                return

    def _settle_offsets(self) -> None:
        datafit, y, s = self.problem.datafit, self.problem.y, self.problem.design.weights
        for _ in range(_NEWTON_STEPS):
            p = datafit.probabilities(self.z)
            slope = s @ (p - y)
            if np.abs(slope).max() <= 1e-15:
                return
            hessian = np.diag(s @ p) - (s[:, None] * p).T @ p
            shift = np.clip(-np.linalg.pinv(hessian, hermitian=True) @ slope, -datafit.reach, datafit.reach)
            while (loss := self._loss(self.z + shift)) > self.loss + _ROUNDING * self.loss and np.abs(shift).max() > 1e-3:
                shift *= 0.5
            self.z, self.loss = self.z + shift, loss
            if np.abs(shift).max() <= 1e-9:  # the next one is its square
                return

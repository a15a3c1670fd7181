"""Several classes whose predictions depend on each other: the multinomial model.

Rounds of two parts. Entries that vanish one by one are found class after class, each by a step of proximal Newton while
the others stay (a sparse logistic regression with offsets); rows that vanish as a whole by sweeps of a model that
bounds the loss from above. Then a Newton step of all classes together on the support: the first part is slow only at
the end, where the coupling of the classes counts; the second is exact there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lambdahat.coupled import CoupledModel, Passes
from lambdahat.datafits import Multinomial
from lambdahat.datafits.multinomial import Odds
from lambdahat.design import Columns
from lambdahat.linear import Matrix, Vector, by_row, rows_used
from lambdahat.penalties import Entrywise
from lambdahat.problem import Problem, Solution
from lambdahat.solvers.descent import LEAST_DAMPING, Descent, Progress
from lambdahat.solvers.iterate import ROUNDING, ProxNewton, free_columns, predictions_at, rounding
from lambdahat.solvers.working_set import UNPROVEN_AFTER, UNPROVEN_FALL, Steps, conclude, violators

_SMALLEST_WORKING_SET = 20  # of a class
# A class whose zeros stand, and whose other entries violate their conditions by no more than this share of the penalty,
# is left to Newton's step of all.
_NEAR = 0.2
_SETTLED = 0.2  # Newton is worth its price when less than this share of the support changed in the last sweeps
_ACCURACY, _MOST_PRODUCTS = 0.05, 100  # of Newton's systems
_SUFFICIENT, _HALVINGS = 1e-4, 10
_SETTLING_STEPS = 50


def solve_classes(
    problem: Problem, w: Matrix, tol: float, max_iter: int, start: Solution | None, at_least: int, proof: bool = True
) -> Steps:
    """From coefficients ``w``, which change in place."""
    unit = problem.null_value
    gap_target = tol * unit
    atol = 0.3 * tol * problem.penalty.least_strength
    damping, least = 1e-3, max(LEAST_DAMPING, 0.1 * tol)
    by_class = problem.penalty.labels is None
    sweeps = [Descent(1e-3 if w.any() else 0.1, least) for _ in range(w.shape[1] if by_class else 1)]
    iterate = Classes(problem, w, None if start is None else problem.offset(start))
    known = None if start is None or iterate.free.size else start.gradient
    h = (yield iterate.q) if known is None else known
    primal, best_dual, progress, whole, failed = np.inf, -np.inf, Progress(), False, False
    for iteration in range(max_iter + 1):
        before, (primal, dual) = primal, iterate.bounds(h)
        best_dual = max(best_dual, dual)
        gap = primal - best_dual
        if gap <= gap_target and iteration >= at_least:
            return conclude(problem, w, gap / unit, iteration, tol, max_iter, None, h, iterate.offset)
        settled = iteration >= UNPROVEN_AFTER and before - primal <= UNPROVEN_FALL * gap_target
        if iteration == max_iter or (settled and not proof) or progress.stalled(gap):
            break
        support = w != 0.0
        inner_target = max(0.3 * gap_target, 0.05 * gap) / len(sweeps)
        if whole and iterate.is_settled(h):
            pass  # Newton's method is at home
        elif by_class:
            for k, descent in enumerate(sweeps):
                iterate.descend_class(k, h[:, k], descent, inner_target, 0.0 if failed else _NEAR)
        else:
            iterate.descend_rows(h, sweeps[0], inner_target)
        whole = False
        if np.count_nonzero(support != (w != 0.0)) <= _SETTLED * max(1, int(np.count_nonzero(w))):
            whole = iterate.newton(damping, atol)
            failed = not whole
            damping = max(0.1 * damping, least) if whole else min(3.0 * max(damping, 1e-6), 1.0)
        iterate.settle()
        h = yield iterate.q
    return conclude(problem, w, progress.gap / unit, iteration, tol, max_iter, None, h, iterate.offset)


class Classes:
    """Coefficients of all classes, of shape (p, K) and updated in place, with predictions and residual."""

    def __init__(self, problem: Problem, w: Matrix, offset: Any) -> None:
        assert isinstance(problem.datafit, Multinomial)
        self.problem, self.datafit, self.w = problem, problem.datafit, w
        w[problem.penalty.excluded] = 0.0
        self.free = free_columns(problem)
        self.z = np.asfortranarray(predictions_at(problem, w, offset))
        self._odds: Odds | None = None  # at the present predictions, while classes move one by one
        self.settle()

    @property
    def offset(self) -> Any:
        return self.problem.design.weights @ self.z if self.problem.has_offset else 0.0

    def _loss(self, z: Matrix) -> float:
        return self.problem.datafit.value(self.problem.y, z, self.problem.design.weights)

    def _look_around(self) -> None:
        """Loss, slopes and residual at the present predictions."""
        problem = self.problem
        self.loss, self.slopes = self.datafit.value_and_gradient(problem.y, self.z, problem.design.weights)
        self.q = by_row(-problem.design.weights, self.slopes)

    def bounds(self, h: Matrix) -> tuple[float, float]:
        """The objective, and a lower bound of its minimum by a multiple of the residual."""
        problem, penalty, free = self.problem, self.problem.penalty, self.free
        kinks, l2_term, _, multiple = penalty.feasible(h, self.w)
        a = min(multiple, 1.0)
        dual = -problem.datafit.conjugate(problem.y, a * self.slopes, problem.design.weights) - penalty.excess(h, a)
        if free.size and np.any(np.abs(h[free]).max(axis=1) > rounding(problem, free)):
            dual = -np.inf
        return self.loss + kinks + 0.5 * l2_term, dual

    def is_settled(self, h: Matrix) -> bool:
        """Whether nothing that is zero violates its conditions."""
        penalty = self.problem.penalty
        if isinstance(penalty, Entrywise):
            return not np.any(penalty.distances(self.w, -h)[self.w == 0.0])
        return not np.any(penalty.subdiff_distance(self.w, -h)[~self.w.any(axis=1)])

    def descend_class(self, k: int, h: Vector, descent: Descent, target: float, near: float) -> None:
        """Sweeps of class ``k``, on its support and the columns that violate its conditions most at ``h``.

        None where only its support does, by no more than the share ``near`` of the penalty.
        """
        assert isinstance(self.problem.penalty, Entrywise)
        problem, penalty = self.problem, self.problem.penalty.column(k)
        w = self.w[:, k].copy()
        used, violation = rows_used(w), penalty.subdiff_distance(w, -h)
        stands = np.all(violation[used] <= near * penalty.l1[used])
        new = violators(violation, used, max(_SMALLEST_WORKING_SET, used.size))
        columns = np.concatenate([used, new])
        if stands and not new.size:
            return
        self._odds = self._odds or Odds.at(self.z)
        alone = self.datafit.one_class(self._odds.others(self.z, k))
        problem = replace(problem, y=2.0 * problem.y[:, k] - 1.0, penalty=penalty, datafit=alone)
        iterate = ProxNewton(problem, w, None, self.z[:, k])
        now = np.zeros_like(h)
        now[columns] = problem.design.gradient_columns(columns, iterate.q)
        form = iterate.form(columns, now, None)
        descent.run(form, iterate.scale * target, 0.1 * iterate.scale * target)
        iterate.step(columns, form)
        self.w[:, k], self.z[:, k] = w, iterate.z
        self._odds = self._odds.moved(self.z, k)

    def descend_rows(self, h: Matrix, descent: Descent, target: float) -> None:
        """Sweeps of rows: least squares with one curvature a row of X for all classes, an upper bound of theirs."""
        problem, penalty, w = self.problem, self.problem.penalty, self.w
        used = rows_used(w)
        new = violators(penalty.subdiff_distance(w, -h), used, max(_SMALLEST_WORKING_SET, used.size))
        columns = np.concatenate([used, new])
        bound = self.datafit.bound(problem.y, self.z)
        total = float(problem.design.weights @ bound)
        weights = problem.design.weights * bound / total
        design = problem.design.reweighted(weights, columns, center=problem.has_offset)
        response = self.z - by_row(1.0 / np.maximum(bound, _TINY), self.slopes)
        if problem.has_offset:
            response = response - weights @ self.z
        model = penalty.scaled(1.0 / total).restricted(columns)
        form = design.form(
            columns, np.ascontiguousarray(response), self.q / total, h[columns] / total, w[columns], model
        )
        descent.run(form, target / total, 0.1 * target / total)
        shift, on = form.w - w[columns], penalty.restricted(columns)
        promised = on.value(form.w) - on.value(w[columns]) - float(np.vdot(h[columns], shift))
        self._move(columns, shift, promised, self._model())

    def newton(self, damping: float, atol: float) -> bool:
        """One damped Newton step of all classes on the support; whether the whole of it was good."""
        problem = self.problem
        S = problem.penalty.generalized_support(self.w)
        if not S.size:
            return True
        self._look_around()
        on, w, model = problem.penalty.restricted(S), self.w[S], self._model()
        h = Passes(problem.design, S, on.moving(w)).gradient(self.q)
        b = h - on.gradient(w)
        accuracy = max(atol, _ACCURACY * float(np.abs(b).max()))
        d = model.solve_support(S, w, b, atol=accuracy, damping=damping, most=_MOST_PRODUCTS)
        target = on.crossing(w, w + d)
        if target is None:
            return self._move(S, d, -float(np.vdot(b, d)), model)
        for shift in (target - w, d):
            image = model.image(S, shift)
            curvature, slope = float(np.vdot(image, model.hessian(image))), -float(np.vdot(h, shift))
            if shift is d:
                t, target = on.search(w, d, slope, curvature)
                return self._move(S, target - w, -t * float(np.vdot(b, d)), model) and t > 0.5
            if on.value(target) - on.value(w) + slope + 0.5 * curvature < 0.0:
                break
        return self._move(S, shift, -float(np.vdot(b, shift)), model)

    def _model(self) -> CoupledModel:
        """The model at the present predictions; slopes are those there, and say what the probabilities are."""
        problem, s = self.problem, self.problem.design.weights
        p = self.slopes + problem.y
        hessian, diagonal = self.datafit.hessian_at(p, s), by_row(s, p * (1.0 - p))
        return CoupledModel(problem.design, problem.penalty, hessian, diagonal, problem.has_offset)

    def _move(self, columns: Columns, shift: Matrix, promised: float, model: CoupledModel) -> bool:
        """Step along ``shift``, halved until the objective falls enough, offsets following; True if it was not."""
        on = self.problem.penalty.restricted(columns)
        old, image, t = self.w[columns], model.image(columns, shift), 1.0
        g, noise = on.value(old), ROUNDING * self.problem.null_value
        for _ in range(_HALVINGS):
            new, z = old + t * shift, self.z + t * image
            loss = self._loss(z)
            if loss - self.loss + on.value(new) - g <= _SUFFICIENT * t * min(promised, 0.0) + noise:
                self.w[columns], self.z, self.loss = new, np.asfortranarray(z), loss
                return t == 1.0
            t *= 0.5
        return False

    def settle(self) -> None:
        """Fit offsets and unpenalised columns exactly, by Newton's method: a dual point asks for it."""
        problem, free = self.problem, self.free
        self._odds = None
        for _ in range(_SETTLING_STEPS):
            if problem.has_offset:
                self._settle_offsets()
            self._look_around()
            if not free.size:
                return
            b = problem.design.gradient_columns(free, self.q)
            if np.all(np.abs(b).max(axis=1) <= rounding(problem, free)):
                return
            model = replace(self._model(), penalty=problem.penalty.without_kinked())
            shift = model.solve_support(free, self.w[free], b, atol=1e-3 * float(np.abs(b).max()))
            if not self._move(free, shift, -float(np.vdot(b, shift)), model):
                return

    def _settle_offsets(self) -> None:
        datafit, y, s = self.problem.datafit, self.problem.y, self.problem.design.weights
        loss, noise = self._loss(self.z), ROUNDING * self.problem.null_value
        for _ in range(_SETTLING_STEPS):
            p = datafit.gradient(y, self.z) + y
            slope = s @ (p - y)
            if np.abs(slope).max() <= 1e-15:
                return
            hessian = np.diag(s @ p) - by_row(s, p).T @ p
            shift = np.clip(-np.linalg.pinv(hessian, hermitian=True) @ slope, -datafit.reach, datafit.reach)
            while (after := self._loss(self.z + shift)) > loss + noise and np.abs(shift).max() > 1e-3:
                shift *= 0.5
            self.z, loss = np.asfortranarray(self.z + shift), after
            if np.abs(shift).max() <= 1e-9:  # the next one is its square
                return


_TINY = 1e-300

"""Where a solver is: coefficients with their residual, bounds of the objective there, and how to take a step.

A working-set solver sees least squares and every other loss through the same four calls. Least squares is its own
second-order model; another loss is modelled anew in each round (a proximal Newton method, Lee, Sun & Saunders, SIAM J.
Optim. 2014), and a step of the model is shortened until the objective falls.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

import numpy as np

from lambdahat.coupled import CoupledModel
from lambdahat.design import Columns, QuadraticForm
from lambdahat.linear import Matrix, Vector, by_row, rows_used
from lambdahat.problem import Problem
from lambdahat.solvers.coupled import CoupledForm, coupled_form, newton_target
from lambdahat.solvers.descent import LEAST_DAMPING, settled

# Rows whose curvature is below this share of the mean count with it in the model: they are saturated.
_FLOOR = 1e-8
_SUFFICIENT = 1e-4  # of the decrease that the model promises
ROUNDING = 1e-14  # of the loss without coefficients: a small loss is a difference of larger numbers
_HALVINGS = 40
_NEWTON_STEPS = 50
_DAMPING = 1e-3  # of a coupled loss's Newton steps, at first
# The share of the secants' curvature in a model: at first, at least (rows without curvature of their own have values of
# its inverse in the model, which costs digits; a coupled model has none), and by what it falls or rises where a whole
# step does or does not do.
_SECANT, _LEAST_SECANT, _LEAST_SHARE, _EASE, _TIGHTEN = 1.0, 1e-3, 1e-6, 0.3, 3.0


class Iterate(Protocol):
    """Coefficients ``w`` (updated in place), unpenalised columns settled."""

    w: Matrix
    q: Matrix  # the weighted residual
    is_model: bool  # the loss is its own model, so that Gram matrices are worth keeping from round to round

    @property
    def model_q(self) -> Vector | None:
        """The residual of the last model: a dual point nearer to feasible than ``q``, as the model has been solved."""

    @property
    def offset(self) -> float: ...

    @property
    def scale(self) -> float:
        """The model's objective over the problem's."""

    def look(self, h: Matrix | None) -> Generator[Matrix, Matrix, Matrix]:
        """``X̃ᵀq`` of all columns, by a pass over X; ``h`` is that of the last look."""

    def bounds(self, h: Matrix) -> tuple[float, float]:
        """The objective, and a lower bound of its minimum, from ``h = X̃ᵀq``."""

    def model_bound(self, h: Vector) -> float:
        """A lower bound of the minimum from ``X̃ᵀ model_q``."""

    def form(self, columns: Columns, h: Matrix, previous: QuadraticForm | None) -> QuadraticForm:
        """The model on a working set."""

    def step(self, columns: Columns, form: QuadraticForm) -> None:
        """Go where the solver of the model went."""


def iterate_at(problem: Problem, w: Matrix, offset: float | None = None) -> Iterate:
    """The iterate at coefficients ``w``, which change in place; the offset is a guess."""
    w[problem.penalty.excluded] = 0.0
    return LeastSquares(problem, w) if problem.datafit.quadratic else ProxNewton(problem, w, offset)


def predictions_at(problem: Problem, w: Matrix, offset: Any) -> Matrix:
    """Predictions of coefficients; without a guess of the offset, with that of no coefficients."""
    support = rows_used(w)
    if offset is not None:
        return problem.prediction(support, w[support], offset)
    z = problem.null_prediction
    return z + problem.prediction(support, w[support]) if support.size else z


def free_columns(problem: Problem) -> Columns:
    """Unpenalised columns that vary: they are fitted exactly, as the intercept is."""
    free = np.flatnonzero(problem.penalty.free).astype(np.int32)
    return free[problem.design.variances(free) > 0.0] if free.size else free


class LeastSquares:
    """The loss is its own model, and forms may be kept from round to round."""

    offset = 0.0
    scale = 1.0
    is_model = True
    model_q = None

    def __init__(self, problem: Problem, w: Matrix) -> None:
        self.problem, self.w = problem, w
        self.free = free_columns(problem)
        support = rows_used(w)
        self.q = problem.design.weighted_residual(problem.y, support, w[support])
        self._settle()
        self._moved, self._before = support, w[support]

    def look(self, h: Matrix | None) -> Generator[Matrix, Matrix, Matrix]:
        """Where few rows of many numbers have moved, by the Gram matrix of all columns and these."""
        shift = self.w[self._moved] - self._before
        some = rows_used(shift)
        moved, design = self._moved[some], self.problem.design
        if h is None or self.q.ndim == 1 or 2 * moved.size * (len(self.q) + h[0].size) > self.q.size:
            return (yield self.q)
        G = yield by_row(design.weights, design.product(moved, np.eye(moved.size)))
        change = G @ shift[some]
        return np.subtract(h, change, out=change)

    def bounds(self, h: Matrix) -> tuple[float, float]:
        """The better one of two dual points, multiples of the residual: see ``kernels.quadratic.feasible``."""
        problem, penalty, q = self.problem, self.problem.penalty, self.q
        yr, rr = float(np.vdot(problem.y, q)), problem.design.squared_norm(q)
        kinks, l2_term, by_rows, by_columns = penalty.feasible(h, self.w)
        dual = -np.inf
        if by_rows >= 0.0:
            norm = rr + l2_term
            a = min(by_rows, max(yr, 0.0) / norm) if norm > 0.0 else 0.0
            dual = a * yr - 0.5 * a * a * norm
        a = min(by_columns, 1.0)
        dual = max(dual, a * yr - 0.5 * a * a * rr - penalty.excess(h, a))
        return 0.5 * rr + kinks + 0.5 * l2_term, dual - _slack(problem, self.free, h, self.w)

    def model_bound(self, h: Vector) -> float:
        return -np.inf  # the model's residual is the residual

    def form(self, columns: Columns, h: Matrix, previous: QuadraticForm | None) -> QuadraticForm:
        problem, penalty = self.problem, self.problem.penalty.restricted(columns)
        return problem.design.form(columns, problem.y, self.q, h[columns], self.w[columns], penalty, previous)

    def step(self, columns: Columns, form: QuadraticForm) -> None:
        self._moved = np.union1d(columns, self.free).astype(np.int32) if self.free.size else columns
        self._before = self.w[self._moved]
        self.w[columns] = form.w
        self.q = form.weighted_residual()
        self._settle()

    def _settle(self) -> None:
        """Fit the unpenalised columns exactly: a dual point asks that their gradients vanish.

        Where they are bounded below, those off their bound are fitted, as far as they stay off it.
        """
        problem, free = self.problem, _off_bound(self.problem, self.free, self.w)
        if free.size == 0:
            return
        h = problem.design.gradient_columns(free, self.q)
        shift = problem.solve_support(free, self.w[free], h, atol=1e-13 * float(np.abs(h).max()))
        shift *= _room(problem, self.w[free], shift)
        self.w[free] += shift
        self.q = self.q - by_row(problem.design.weights, problem.design.product(free, shift))


class ProxNewton:
    """Another loss: a model around the present predictions ``z``, and a step that makes the objective fall."""

    is_model = False

    def __init__(self, problem: Problem, w: Vector, offset: float | None, z: Vector | None = None) -> None:
        self.problem, self.w = problem, w
        self.free = free_columns(problem)
        self.z = predictions_at(problem, w, offset) if z is None else z
        self.loss = self._loss(self.z)
        self._form: QuadraticForm | None = None
        self._secant = _SECANT
        self._damping = _DAMPING
        self._settle()

    def look(self, h: Matrix | None) -> Generator[Matrix, Matrix, Matrix]:
        return (yield self.q)

    @property
    def model_q(self) -> Vector | None:
        if self._form is None:
            return None
        self._model_slopes = self._within_domain(self._form.weighted_residual() / (-self._scale))
        return -self.problem.design.weights * self._model_slopes

    @property
    def offset(self) -> float:
        return float(self.problem.design.weights @ self.z) if self.problem.has_offset else 0.0

    @property
    def scale(self) -> float:
        return self._scale

    def _loss(self, z: Vector) -> float:
        return self.problem.datafit.value(self.problem.y, z, self.problem.design.weights)

    def bounds(self, h: Vector) -> tuple[float, float]:
        """Dual points are multiples of the residual: see ``kernels.quadratic.feasible``."""
        problem, penalty, s = self.problem, self.problem.penalty, self.problem.design.weights
        kinks, l2_term, by_rows, by_columns = penalty.feasible(h, self.w)
        dual = self._dual(h, self.slopes, by_columns)
        if l2_term > 0.0 and by_rows > 0.0:
            a = min(by_rows, 1.0)
            value = -problem.datafit.conjugate(problem.y, a * self.slopes, s) - 0.5 * a * a * l2_term
            dual = max(dual, value - _slack(problem, self.free, h, self.w))
        return self.loss + kinks + 0.5 * l2_term, dual

    def model_bound(self, h: Vector) -> float:
        *_, by_columns = self.problem.penalty.feasible(h, self.w)
        return self._dual(h, self._model_slopes, by_columns)

    def _dual(self, h: Vector, slopes: Vector, by_columns: float) -> float:
        problem, penalty, a = self.problem, self.problem.penalty, min(by_columns, 1.0)
        conjugate = problem.datafit.conjugate(problem.y, a * slopes, problem.design.weights)
        return float(-conjugate - penalty.excess(h, a) - _slack(problem, self.free, h, self.w))

    def form(self, columns: Columns, h: Vector, previous: QuadraticForm | None) -> QuadraticForm:
        problem, w, self._h = self.problem, self.w[columns], h[columns]
        if (coupled := coupled_form(problem, self.z, self.q, columns, self._h, w, self._secant)) is not None:
            self._local, self._scale = problem, 1.0
            return coupled
        self._local = local = problem.local(self.z, columns, slopes=self.slopes, floor=_FLOOR, secant=self._secant)
        self._scale = scale = local.scale
        penalty = local.penalty.restricted(columns)
        return local.design.form(columns, local.y, scale * self.q, scale * self._h, w, penalty)

    def step(self, columns: Columns, form: QuadraticForm) -> None:
        if form.self_contained:  # its gap is quadratic in an error of h, and lost in rounding before that of the loss
            form.sweep(1, -np.inf)
        moved = np.flatnonzero(form.w != self.w[columns])
        columns, h = columns[moved], self._h[moved]
        self._form = form
        before = self.w.copy() if not self.problem.datafit.row_wise else None
        self._move(columns, form.w[moved] - self.w[columns], h, self._local)
        self._settle()
        if before is None or isinstance(form, CoupledForm):
            return
        local = self.problem.coupled(self.z)
        if local is not None and settled(rows_used(before), rows_used(self.w)):
            self._newton(local)

    def _newton(self, local: CoupledModel) -> None:
        S = self.problem.penalty.generalized_support(self.w)
        new = newton_target(self.problem, local, S, self.w[S], self.q, self._damping)
        on, z = self.problem.penalty.restricted(S), self.z + self.problem.design.product(S, new - self.w[S])
        loss = self._loss(z)
        if loss + on.value(new) < self.loss + on.value(self.w[S]):
            self.w[S], self.z, self.loss = new, z, loss
            self._damping = max(0.1 * self._damping, LEAST_DAMPING)
            self._settle()
        else:
            self._damping = min(3.0 * max(self._damping, 1e-6), 1.0)

    def _within_domain(self, q: Vector) -> Vector:
        """Slopes of a model, from ``s`` times them, brought to where the conjugate is finite."""
        problem, s = self.problem, self.problem.design.weights
        slopes = problem.datafit.clip(problem.y, np.divide(q, s, out=np.zeros_like(q), where=s > 0.0))
        if problem.has_offset:  # they have to sum to zero
            up, down = float(s @ np.maximum(slopes, 0.0)), float(s @ np.maximum(-slopes, 0.0))
            least = min(up, down)
            slopes = np.where(slopes > 0.0, slopes * (least / max(up, 1e-300)), slopes * (least / max(down, 1e-300)))
        return slopes

    def _move(self, columns: Columns, shift: Vector, h: Vector, local: Problem | CoupledModel) -> bool:
        """Step along ``shift``, shortened until the objective falls enough; False where it falls nowhere.

        Coefficients of rare columns may go far too far, where the few rows concerned are sure of their class: first of
        all, then, no coefficient may move a prediction by more than a few units. After that the whole step is halved.
        """
        w, on = self.w, self.problem.penalty.restricted(columns)
        old, g, t = w[columns], on.value(w[columns]), 1.0
        noise = ROUNDING * self.problem.null_value
        for attempt in range(_HALVINGS):
            if attempt == 1:
                reach = self.problem.datafit.reach / np.maximum(self.problem.design.storage.largest[columns], 1e-300)
                clipped = np.clip(shift, -reach, reach)
                if on.value(old + clipped) - g < float(h @ clipped):  # it still leads downhill
                    shift = clipped
            if attempt < 2:
                image = local.design.product(columns, shift)
                promised = min(on.value(old + shift) - g - float(h @ shift), 0.0)
            new, z = old + t * shift, self.z + t * image
            loss = self._loss(z)
            if loss - self.loss + on.value(new) - g <= _SUFFICIENT * t * promised + noise:
                w[columns], self.z, self.loss = new, z, loss
                self._share(_EASE if attempt == 0 else _TIGHTEN)
                return True
            t = 1.0 if attempt == 0 else 0.5 * t
        self._share(_TIGHTEN)
        return False

    def _share(self, change: float) -> None:
        least = _LEAST_SHARE if isinstance(self._form, CoupledForm) else _LEAST_SECANT
        self._secant = min(max(change * self._secant, least), _SECANT)

    def _settle(self) -> None:
        """Fit the offset and the unpenalised columns exactly, by Newton's method."""
        problem = self.problem
        for _ in range(_NEWTON_STEPS):
            if problem.has_offset:
                self._settle_offset()
            self.slopes = problem.datafit.gradient(problem.y, self.z)
            self.q = -problem.design.weights * self.slopes
            free = _off_bound(problem, self.free, self.w)
            if free.size == 0:
                return
            h = problem.design.gradient_columns(free, self.q)
            if np.all(np.abs(h) <= rounding(problem, free)):
                return
            local = problem.coupled(self.z) or problem.local(
                self.z, free, slopes=self.slopes, floor=_FLOOR, secant=self._secant
            )
            shift = local.solve_support(
                free, self.w[free], local.scale * h, atol=1e-3 * local.scale * float(np.abs(h).max())
            )
            shift *= _room(problem, self.w[free], shift)
            if not self._move(free, shift, h, local):
                return

    def _settle_offset(self) -> None:
        datafit, y, s = self.problem.datafit, self.problem.y, self.problem.design.weights
        if (exact := datafit.shift(y, self.z, s)) is not None:
            if exact != 0.0:
                self.z = self.z + exact
                self.loss = self._loss(self.z)
            return
        reach, noise = datafit.reach, ROUNDING * self.problem.null_value
        for _ in range(_NEWTON_STEPS):
            slope = float(s @ datafit.gradient(y, self.z))
            if abs(slope) <= 1e-15:
                return
            curvature = float(s @ datafit.curvature(y, self.z))
            shift = float(np.clip(-slope / max(curvature, 1e-300), -reach, reach))
            reach *= 2.0  # from where all rows are saturated it may be far
            while (loss := self._loss(self.z + shift)) > self.loss + noise and abs(shift) > 1e-3:
                shift *= 0.5
            self.z, self.loss = self.z + shift, loss
            if abs(shift) <= 1e-9:  # the next one is its square
                return


def _off_bound(problem: Problem, free: Columns, w: Vector) -> Columns:
    return free[w[free] > 0.0] if problem.penalty.positive else free


def _room(problem: Problem, w: Vector, shift: Vector) -> float:
    """The share of a step that leaves bounded coefficients off their bound."""
    if not problem.penalty.positive or np.all(w + shift > 0.0):
        return 1.0
    falling = shift < 0.0
    return min(1.0, 0.99 * float(np.min(w[falling] / -shift[falling])))


def rounding(problem: Problem, columns: Columns) -> Vector:
    """Gradients of some columns that are no more than rounding errors."""
    return np.asarray(1e-12 * problem.slope_unit * np.sqrt(problem.design.variances(columns)))


def _slack(problem: Problem, free: Columns, h: Vector, w: Vector) -> float:
    """Infinite until unpenalised columns satisfy their conditions up to rounding errors: no dual point before."""
    if free.size == 0 or (problem.datafit.quadratic and not problem.penalty.positive):
        return 0.0  # least squares settles them to rounding
    active = free[(w[free] > 0.0) | (h[free] > 0.0)] if problem.penalty.positive else free
    return np.inf if np.any(np.abs(h[active]) > rounding(problem, active)) else 0.0

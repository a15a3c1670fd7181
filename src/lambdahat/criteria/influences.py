"""By how much each row moves the fit, and what its prediction is without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.degrees_of_freedom import leverages_by_rows, local_model
from lambdahat.criteria.newton_steps import MOST
from lambdahat.datafits import RootMeanSquare
from lambdahat.design import Columns, Design
from lambdahat.kernels import left_out
from lambdahat.linear import Curvature, Matrix, Vector, pseudo_inverse, solve_dense
from lambdahat.penalties import Separable
from lambdahat.problem import Problem

# The work is n times the square of the number of columns.
_DEVIATIONS, _MOST_SHARE, _FEW, _LITTLE_WORK, MOST_WORK = 4.0, 0.9, 20, 4e6, 2e9
_SWEEPS, _SETTLED = 100, 1e-4
_CHANGES, _ROUNDS = 64, 30
_REGULAR, _ROUNDING = 1e-6, 1e-9
_DEPENDENT = 1e-10  # of the variance of a column
_SURE = 0.99  # leverage of a row beyond which a Newton step without it says nothing
_TIMES = 3  # that the size of residuals without a row is computed anew


@dataclass(frozen=True, eq=False)
class Fits:
    """Fits without each of m rows.

    Attributes
    ----------
    images : array of shape (m, r, q)
        Of the rows, ``Z``: with a step d of the coefficients and b of the offset, predictions move by ``Z_i d + b``.
    steps : array of shape (m, q)
    moved : array of shape (m, r)
        By how much the prediction of each row moves.
    """

    images: Matrix
    steps: Matrix
    moved: Matrix

    @classmethod
    def of_all(cls, runs: Iterable[Fits]) -> Fits:
        """Those of several runs of rows, one after the other."""
        parts = ((each.images, each.steps, each.moved) for each in runs)
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def without_rounding(W: Matrix, G: Matrix) -> Matrix:
    """Coefficients of n fits, shape (n, …, q), without those that are rounding, whose signs would be anything."""
    sizes = np.abs(W) * np.sqrt(G.diagonal())
    largest = np.max(sizes, axis=tuple(range(1, W.ndim)), keepdims=True, initial=0.0)
    return np.where(sizes <= _ROUNDING * largest, 0.0, W)


@dataclass(frozen=True, eq=False)
class Around:
    """The local model over q columns, those of the support first.

    Attributes
    ----------
    design : Design
    columns : array of column numbers
    G : array of shape (q, q)
    penalty : Separable
        Of these columns, in the units of G.
    w, gradient : array of shape (q,)
    n_used : int
        How many of them are the support.
    less : float
        What is left of the penalty where a row is left out, on average.
    known : array of shape (n_used, n_used), optional
        ``H⁻¹`` of all rows.
    """

    design: Design
    columns: Columns
    G: Matrix
    penalty: Separable
    w: Vector
    gradient: Vector
    n_used: int
    less: float
    known: Matrix | None

    @cached_property
    def l2(self) -> Vector:
        return np.asarray(self.less * self.penalty.l2)

    @cached_property
    def inverse(self) -> Matrix:
        """``H⁻¹`` on the support, with as much of the penalty as is left."""
        m = self.n_used
        if self.known is not None and not self.l2[:m].any():
            return self.known
        return pseudo_inverse(self.G[:m, :m] + np.diag(self.l2[:m]))

    @cached_property
    def is_regular(self) -> bool:
        """Whether the support is independent columns; else :attr:`inverse` is a pseudo-inverse."""
        m = self.n_used
        force = np.cos(np.arange(1.0, m + 1.0) ** 2) * np.sqrt(self.G.diagonal()[:m])  # in no direction of its own
        step = self.inverse @ force
        rest = self.G[:m, :m] @ step + self.l2[:m] * step - force
        return bool(np.linalg.norm(rest) <= _REGULAR * np.linalg.norm(force))

    @cached_property
    def tableau(self) -> Matrix:
        """What forces on the support, and displacements of other coefficients, do to all.

        Whatever else moves does so beside a support that follows (Schur's complement).
        """
        G, m = self.G, self.n_used
        across = self.inverse @ G[:m, m:]
        rest = G[m:, m:] - G[m:, :m] @ across
        rest[np.diag_indices_from(rest)] += self.l2[m:]
        dependent = rest.diagonal() <= _DEPENDENT * G.diagonal()[m:]  # on the support: what is left is rounding
        rest[dependent] = rest[:, dependent] = 0.0
        return np.block([[self.inverse, across], [-across.T, rest]])

    @cached_property
    def scales(self) -> Vector:
        """What pivots of the tableau are small against."""
        return np.concatenate([self.inverse.diagonal(), self.G.diagonal()[self.n_used :]])

    def images(self, X: Matrix) -> Matrix:
        """What a force along each row of X does: steps of the support, and slopes of other coefficients."""
        m = self.n_used
        images = X[:, :m] @ self.inverse
        return np.hstack([images, images @ self.G[:m, m:] - X[:, m:]])


@dataclass(frozen=True, eq=False)
class NewtonStep:
    """What all rows say of the local model of a fit; computed where it is asked for.

    Attributes
    ----------
    local : Problem
        From :func:`local_model`.
    support, w_S
        Of the solution.
    pull : array shaped as ``w_S``
        ``∇g``, at a solution.
    """

    local: Problem
    support: Any
    w_S: Vector
    pull: Vector

    @cached_property
    def inverse(self) -> Matrix | None:
        """``H⁻¹``, unless systems by rows are smaller."""
        curvature = self._curvature
        by_rows = curvature.U is None and self.local.design.rows.size < self.support.size
        if not self.support.size or (by_rows and np.all(curvature.diagonal > 0.0)):
            return None
        A = self.local.design.support_gram(self.support)
        curvature.add_to(A)
        return pseudo_inverse(A)

    @property
    def _curvature(self) -> Curvature:
        return self.local.penalty.restricted(self.support).curvature(self.w_S)

    @cached_property
    def forms(self) -> Vector:
        """``x̃_iᵀ H⁻¹ x̃_i``."""
        design = self.local.design
        found = np.zeros(design.shape[0])
        if self.inverse is not None:
            for block in design.row_blocks(self.support):
                found[block.rows] += block.dots(block.times(self.inverse))
        elif self.support.size:
            found[design.rows] += leverages_by_rows(self.local, self.support, self._curvature.diagonal)
            found[design.rows] /= design.weights[design.rows]
        return found

    @cached_property
    def step(self) -> Vector:
        """``H⁻¹ ∇g``."""
        if self.inverse is not None:
            return np.asarray(self.inverse @ self.pull)
        if not self.support.size:
            return np.zeros_like(self.w_S)
        atol = 1e-8 * float(np.abs(self.pull).max())
        return np.asarray(self.local.solve_support(self.support, self.w_S, self.pull, atol=atol))

    @cached_property
    def drift(self) -> Vector:
        """What predictions follow of it."""
        return np.asarray(self.local.design.product(self.support, self.step))


@dataclass(frozen=True, eq=False)
class Influences:
    """By how much a row's own term moves the solution, in the local model, where ``H`` is the objective's Hessian.

    Attributes
    ----------
    weights : array of shape (n,)
        Of the rows, in units in which the local model is the objective: ``s`` times ``local.scale``.
    slopes, bends : array of shape (n,)
        ``f'`` and ``f''`` at the solution.
    shares : array of shape (n,)
        By how much less the penalty counts where a row is left out: ``s_i`` of a *mean* of losses. The square-root
        Lasso is the Lasso at ``ασ``, and σ changes too.
    newton : NewtonStep
    """

    weights: Vector
    slopes: Vector
    bends: Vector
    shares: Vector
    newton: NewtonStep
    intercept: bool

    @classmethod
    def at(
        cls, problem: Problem, support: Any, w_S: Vector, offset: float, *, intercept: bool, of_mean: bool = True
    ) -> Influences:
        """``of_mean`` says that the penalty stands beside a mean of losses, not beside their sum."""
        local, design = local_model(problem, support, w_S, offset), problem.design
        z = problem.prediction(support, w_S, offset)
        slopes, bends = problem.datafit.gradient(problem.y, z), problem.datafit.curvature(problem.y, z)
        pull = -design.gradient_columns(support, design.weights * slopes)
        shares = design.weights if of_mean else np.zeros_like(design.weights)
        newton = NewtonStep(local, support, w_S, pull)
        found = cls(design.weights * local.scale, slopes, bends, shares, newton, intercept)
        if isinstance(problem.datafit, RootMeanSquare):
            for _ in range(_TIMES):
                found = replace(found, shares=found._shares_of_root(problem, z))
        return found

    @property
    def local(self) -> Problem:
        return self.newton.local

    @property
    def support(self) -> Any:
        return self.newton.support

    @property
    def each(self) -> Vector:
        """``s_i x̃_iᵀ H⁻¹ x̃_i``, the intercept included.

        Times ``f''_i`` it is the leverage, the share of a row's own target in its prediction.
        """
        return self.weights * (self.newton.forms + float(self.intercept))

    def freedom(self, around: Around) -> float:
        """The sum of leverages, where that is to be computed around the solution."""
        m = around.n_used
        of_offset = self.intercept * float(self.weights @ self.bends)
        return of_offset + float(np.sum(around.inverse * around.G[:m, :m]))

    def _shares_of_root(self, problem: Problem, z: Vector) -> Vector:
        """By how much less the penalty counts beside ``α‖y − z‖_s`` of all rows, after the Newton step."""
        s, residual = problem.design.weights, problem.y - z
        moved, pushes = self._step()
        kept = float(s @ residual**2) - s * (residual - moved) ** 2 + self.intercept * pushes**2
        inverse = self.newton.inverse
        if inverse is not None:
            G = self.local.design.support_gram(self.support)
            slopes = problem.design.gradient_columns(self.support, s * residual)
            for block in self.local.design.row_blocks(self.support):
                moves = self._moves(block.rows, block.times(inverse), pushes)
                kept[block.rows] += np.sum((moves @ G - 2.0 * slopes) * moves, axis=1)
        size = float(s @ residual**2) or 1.0
        return np.asarray(1.0 - np.sqrt((1.0 - s) * np.maximum(kept, 0.0) / size))

    def _step(self) -> tuple[Vector, Vector]:
        """By how much predictions of rows move without them, and what pushes the solution beside the penalty."""
        each, drift = self.each, self.local.scale * self.shares * self.newton.drift
        moved = (each * self.slopes + drift) / (1.0 - np.minimum(each * self.bends, MOST))
        return moved, self.weights * (self.slopes + self.bends * moved)

    def _moves(self, rows: Any, images: Matrix, pushes: Vector) -> Matrix:
        """The Newton steps of coefficients without each of some rows, whose ``H⁻¹ x̃`` are given."""
        return pushes[rows, None] * images + np.outer(self.local.scale * self.shares[rows], self.newton.step)

    def without(self, z: Vector) -> Vector:
        """The predictions, at first z, of each row without it: a Newton step on the support."""
        return z + self._step()[0]

    def columns(self, problem: Problem, z: Vector) -> Columns | None:
        """Of the support, and what is nearest to entering it; none where descent would be too much work."""
        h = problem.design.gradient(problem.residual(z))
        near = nearest(problem, h, self.slopes, self.support, self.support.size)
        columns = np.concatenate([self.support, near]).astype(np.int32)
        return columns if float(z.size) * columns.size**2 <= MOST_WORK else None

    def around(self, problem: Problem, z: Vector, columns: Columns, known: Matrix | None = None) -> Around:
        """The local model over the support and other columns; ``H⁻¹`` may be ``known``."""
        local, m = problem.local(z, columns), self.support.size
        assert isinstance(local.penalty, Separable)
        w = np.concatenate([self.newton.w_S, np.zeros(columns.size - m)])
        gradient = -local.scale * problem.design.gradient_columns(columns, problem.residual(z))
        G = local.design.support_gram(columns)
        less = 1.0 - float(self.shares[self.weights > 0.0].mean())
        on = local.penalty.restricted(columns)
        return Around(local.design, columns, G, on, w, gradient, m, less, known)

    def by_descent(self, around: Around) -> Iterator[Fits]:
        """The same where coefficients come and go on the way, of a penalty that has a kink for each.

        The local model is solved without each row, by coordinate descent from the Newton step.
        """
        G, penalty, gradient = around.G, around.penalty, around.gradient
        starts_of = self._starts(around)
        for block in around.design.row_blocks(around.columns):
            rows, X = block.rows, block.dense()
            steps, moved = starts_of(rows, X), np.empty(len(X))
            left_out.without_rows(
                G, penalty.l1, penalty.l2, penalty.positive, around.w, gradient, X, steps, steps @ G + gradient,
                (self.weights * self.slopes)[rows], (self.weights * self.bends)[rows], self.shares[rows],
                self.intercept, _SWEEPS, _SETTLED, moved,
            )  # fmt: skip
            yield Fits(X[:, None], steps, moved[:, None])

    def in_one_step(self, around: Around) -> Fits:
        """The same without any coming and going, for which there is a formula."""
        X = np.concatenate([block.dense() for block in around.design.row_blocks(around.columns)])
        U = self.responses(around, X, np.ones(X.shape, dtype=bool))
        drift = around.inverse @ (-around.gradient - around.less * around.penalty.gradient(around.w))
        omegas, terms = self.weights * self.bends, self.weights * self.slopes
        pushes = self.pushes(X, U) * (terms + omegas * (X @ drift))
        steps = drift + pushes[:, None] * U
        moved = np.sum(X * steps, axis=1) + self.intercept * pushes
        return Fits(X[:, None], steps, moved[:, None])

    def pushes(self, X: Matrix, responses: Matrix, rows: Any = slice(None)) -> Vector:
        """What a unit of force along the image of each row, and on its offset, becomes where the row is left out."""
        omegas = (self.weights * self.bends)[rows]
        kept = 1.0 - omegas * self.intercept
        leverages = np.minimum(omegas * np.sum(X * responses, axis=1) / kept, MOST)
        return np.asarray(1.0 / (kept * (1.0 - leverages)))

    def responses(self, around: Around, X: Matrix, active: NDArray[np.bool_]) -> Matrix:
        """``(G_AA + ∇²g_AA)⁻¹ x_A`` of each row of X, for the coefficients A that are active without it; zero off it.

        The penalty counts as much less as it does on average.
        """
        G, l2, U, ended = around.G, around.l2, np.zeros_like(X), np.empty(len(X), dtype=bool)
        changes = _CHANGES if around.is_regular else 0  # else what is held at zero says nothing of its like
        left_out.respond(around.tableau, around.scales, around.images(X), active, around.n_used, changes, U, ended)
        for i in np.flatnonzero(~ended):
            A = np.flatnonzero(active[i])
            U[i] = 0.0
            U[i, A] = solve_dense(G[np.ix_(A, A)] + np.diag(l2[A]), X[i, A])
        return U

    def _starts(self, around: Around) -> Callable[[Any, Matrix], Matrix]:
        """Of rows and their values, steps from which descent begins: Newton's, with coefficients that come and go."""
        m, penalty, gradient = around.n_used, around.penalty, around.gradient
        pull = penalty.restricted(np.arange(m, dtype=np.int32)).gradient(around.w[:m])

        def state(force: Vector) -> Vector:
            step = around.inverse @ force
            return np.concatenate([step, around.G[m:, :m] @ step])

        drift, rest = state(pull), state(-gradient[:m] - pull)  # what the fit is short of its conditions, too
        slopes = np.concatenate([np.zeros(m), gradient[m:]]) + rest

        def starts(rows: Any, X: Matrix) -> Matrix:
            images, shares, own = around.images(X), self.shares[rows], X[:, :m]
            terms, omegas = (self.weights * self.slopes)[rows], (self.weights * self.bends)[rows]
            factors = self.pushes(own, images[:, :m], rows)
            pushes = factors * (terms + omegas * (shares * (own @ drift[:m]) + own @ rest[:m]))
            states = pushes[:, None] * images + np.outer(shares, drift) + slopes
            ended = np.empty(len(X), dtype=bool)
            left_out.exchange(
                around.tableau, around.scales, images, omegas * factors, penalty.l1, self.newton.w_S, penalty.positive,
                1.0 - shares, states, ended, _CHANGES, _ROUNDS,
            )  # fmt: skip
            states[~ended & (omegas * factors * np.sum(own * images[:, :m], axis=1) > _SURE / (1.0 - _SURE))] = 0.0
            return np.asarray(states)

        return starts


def nearest(problem: Problem, h: Matrix, slopes: Matrix, used: Any, size: int) -> Any:
    """Of zero coefficients, flat, those which a row that is left out may move: ``used`` are the others.

    A row takes ``s_i f'_i x_ij`` from slopes h, and more by its leverage: some deviations of that have to make up for
    what h is short of a kink. At most as many again as the ``size`` of the support, and more where that is little work.
    """
    design, n = problem.design, len(slopes)
    pulls = design.weights * np.linalg.norm(slopes.reshape(n, -1), axis=1)
    reach = _DEVIATIONS * float(pulls.max()) / (1.0 - min(size / (n * h[0].size), _MOST_SHARE))
    deviations = np.sqrt(design.all_variances).reshape(-1, *np.ones(h.ndim - 1, dtype=int))
    shares, reaches = problem.penalty.nearness(h), problem.penalty.nearness(reach * deviations + np.zeros_like(h))
    shares[used] = -np.inf
    near = np.flatnonzero((reaches > 0.0) & (shares + reaches > 1.0))
    most = max(_FEW, size, int((_LITTLE_WORK / n) ** 0.5) - size)
    shares = shares.ravel()
    return near if near.size <= most else near[np.argpartition(-shares[near], most)[:most]]

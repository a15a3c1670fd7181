"""Leave-one-out of the partial likelihood, whose rows depend on each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lambdahat.criteria.degrees_of_freedom import columns_at_risk
from lambdahat.criteria.descent import ROUGHLY, Descent
from lambdahat.criteria.influences import nearest
from lambdahat.datafits.cox import Cox, WithoutRows
from lambdahat.datafits.survival import RiskSets, Rows
from lambdahat.design import Columns
from lambdahat.linear import Curvature, Matrix, Vector, pseudo_inverse
from lambdahat.penalties import Blockwise, Separable
from lambdahat.problem import Problem

_ROUNDS, _SETTLED, _PRODUCTS, _SOLVED = 4, 0.02, 30, 1e-2
_AT_ONCE = 2**14  # predictions that are in memory together
_FOLLOWS, _FLAT = 0.9, 1e-15


def cross_validated_partial_likelihood(problem: Problem, support: Columns, w_S: Vector) -> float:
    """``Σ_i F(z₍₋ᵢ₎) − F₍₋ᵢ₎(z₍₋ᵢ₎)``, infinite where the fit follows nearly all events.

    F is minus the logarithm of the partial likelihood, as :class:`lambdahat.datafits.Cox` has it, ``F₍₋ᵢ₎`` that of the
    rows but i, and ``z₍₋ᵢ₎`` predictions of all rows by a fit to these. A row on its own has no partial likelihood:
    this is how much it adds to that of the others (Verweij & van Houwelingen, *Cross-validation in survival analysis*,
    Statistics in Medicine 1993, over the sum of the weights and with the opposite sign).

    From the fit, ``F₍₋ᵢ₎`` and the penalty that is left take a Newton step on the support, exact but for few conjugate
    gradients. Then coefficients come and go by descent, with the Hessian of all rows, corrected to have the image that
    it has without the row along that step (the formula of Broyden, Fletcher, Goldfarb & Shanno); and again, at slopes
    computed anew, where that moved the fit.
    """
    model = AtRisk.at(problem, support, w_S)
    if not problem.penalty.is_smooth and model.followed > _FOLLOWS:
        return np.inf
    assert isinstance(problem.datafit, Cox)
    n = model.z.size
    at_once = max(1, _AT_ONCE // max(1, n))
    places = np.arange(n)
    return sum((model.left_out(places[start : start + at_once]) for start in range(0, n, at_once)), 0.0)


@dataclass(frozen=True, eq=False)
class AtRisk:
    """The second-order model of a fit.

    Attributes
    ----------
    datafit : Cox
    sets : RiskSets
        The n rows that are at risk at some event, in the order of what follows.
    z : array of shape (n,)
        Predictions.
    X : array of shape (n, q)
        Of the support, and then of what is nearest to entering it.
    G : array of shape (q, q)
        ``Xᵀ∇²F X``.
    w : array of shape (q,)
    penalty : Separable or Blockwise
        Of these columns.
    support : array of numbers below q
    root : array of shape (|S|, r)
        ``C`` with ``CCᵀ = H⁻¹``, of the objective.
    curvature : Curvature
        ``∇²g`` on the support.
    n_events : int
    """

    datafit: Cox
    sets: RiskSets
    z: Vector
    X: Matrix
    G: Matrix
    w: Vector
    penalty: Separable | Blockwise
    support: Columns
    root: Matrix
    curvature: Curvature
    n_events: int

    @classmethod
    def at(cls, problem: Problem, support: Columns, w_S: Vector) -> AtRisk:
        penalty, design, y = problem.penalty, problem.design, problem.y
        z = problem.prediction(support, w_S)
        slopes = problem.datafit.gradient(y, z)
        own = penalty.whole_blocks(support)
        near = nearest(problem, design.gradient(-design.weights * slopes), slopes, own, own.size)
        columns = np.concatenate([own, penalty.whole_blocks(near.astype(np.int32))])
        datafit = problem.datafit
        assert isinstance(datafit, Cox)
        assert datafit.at is not None
        X, G = columns_at_risk(problem, columns, z)
        w = np.zeros(problem.n_features)
        w[support] = w_S
        on, S = penalty.restricted(columns), np.flatnonzero(np.isin(columns, support)).astype(np.int32)
        assert isinstance(on, Separable | Blockwise)
        curvature = on.restricted(S).curvature(w[columns][S])
        H = G[np.ix_(S, S)]
        curvature.add_to(H)
        values, vectors = np.linalg.eigh(pseudo_inverse(H))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        n_events = int(np.count_nonzero(y > 0.0))
        return cls(datafit, datafit.at, z[datafit.at.rows], X, G, w[columns], on, S, root, curvature, n_events)

    @cached_property
    def followed(self) -> float:
        """Degrees of freedom, as a share of events."""
        freedom = float(np.sum(self.root * (self.G[np.ix_(self.support, self.support)] @ self.root)))
        return freedom / max(self.n_events, 1)

    def left_out(self, places: Rows) -> float:
        """The part of some rows in the criterion."""
        smooth, shares = self.penalty.is_smooth, self.sets.weights[places]
        numbers = np.arange(places.size)
        left = self.datafit.without_rows(self.z[None], places)
        slopes = left.gradients @ self.X
        D, images = self._newton(left, numbers, shares, np.zeros_like(slopes), slopes)
        Z = np.stack([D @ self.G, images], axis=1)
        curvatures = np.sum(Z * D[:, None], axis=2)
        positive = curvatures.min(axis=1) > 0.0
        omegas = np.zeros((places.size, 2, 2))
        omegas[positive, 0, 0], omegas[positive, 1, 1] = 1.0 / curvatures[positive].T * np.array([[1.0], [-1.0]])
        slopes += Z[:, 0]
        moving = numbers  # those without which the fit has not settled
        for turn in range(_ROUNDS):
            before = D[moving]
            if not smooth:
                now = before[:, None].copy()
                of_rows = (Z[moving], omegas[moving], np.zeros((moving.size, 2, 1)), shares[moving])
                at = slopes[moving][:, None], self._sizes(before)
                self._descent.without_rows(self.w[:, None], *of_rows, now, *at)
                D[moving] = now[:, 0]
            if turn > 0:
                moving = moving[self._sizes(D[moving] - before) > _SETTLED * self._sizes(D[moving])]
            if moving.size == 0 or turn == _ROUNDS - 1:
                break
            steps = D[moving]
            slopes[moving] = self.datafit.without_rows(self.z + steps @ self.X.T, places[moving]).gradients @ self.X
            if smooth:
                D[moving] += self._newton(left, moving, shares[moving], steps, slopes[moving])[0]
            else:
                slopes[moving] += _corrected(Z[moving], omegas[moving], steps)
        return float(np.sum(self.datafit.added_by_rows(self.z + D @ self.X.T, places)))

    @cached_property
    def _descent(self) -> Descent:
        return Descent(self.G, self.penalty, ROUGHLY.where(self.followed))

    def _sizes(self, D: Matrix) -> Vector:
        return np.asarray(np.sqrt(np.maximum(np.sum(D * (D @ self.G), axis=1), 0.0)))

    @cached_property
    def _across(self) -> tuple[Matrix, Matrix]:
        """``CᵀX_Sᵀ`` and ``Cᵀ∇²g C``."""
        return self.root.T @ self.X[:, self.support].T, self.root.T @ (self.curvature @ self.root)

    def _newton(
        self, left: WithoutRows, which: Rows, shares: Vector, D: Matrix, slopes: Matrix
    ) -> tuple[Matrix, Matrix]:
        """Newton steps on the support from ``w + d``, and their images under the Hessians of ``F₍₋ᵢ₎``."""
        S, rest, (X, C) = self.support, 1.0 - shares[:, None], self._across

        def product(V: Matrix, on: Rows) -> Matrix:
            return np.asarray(left.hessian(V @ X, which[on]) @ X.T + rest[on] * (V @ C))

        on = self.penalty.restricted(S)
        there = D[:, S] if D.any() else D[:1, S]  # at first they are all at the fit
        pulls = slopes[:, S] + rest * np.stack([on.gradient(self.w[S] + d) for d in there])
        found = _conjugate_gradients(product, -pulls @ self.root)
        steps = np.zeros_like(D)
        steps[:, S] = found @ self.root.T
        return steps, left.hessian(found @ X, which) @ self.X


def _corrected(Z: Matrix, omegas: Matrix, D: Matrix) -> Matrix:
    """What the correction of the Hessian of each row adds to slopes: ``ZᵀΩZd``."""
    along = omegas @ (Z @ D[:, :, None])
    return np.asarray((along.transpose(0, 2, 1) @ Z)[:, 0])


def _conjugate_gradients(product: Callable[[Matrix, Rows], Matrix], B: Matrix) -> Matrix:
    """Solve for each row of ``B`` by a matrix of its own, near the identity; ``product`` is of rows of such numbers."""
    found, residuals, directions = np.zeros_like(B), B.copy(), B.copy()
    atol = _SOLVED * np.max(np.abs(B), axis=1, initial=0.0)
    on = np.flatnonzero(atol > 0.0)
    for _ in range(_PRODUCTS):
        if on.size == 0:
            break
        P, R = directions[on], residuals[on]
        images = product(P, on)
        decrease, curvature = np.sum(R**2, axis=1), np.sum(P * images, axis=1)
        bent = curvature > _FLAT * np.sum(P**2, axis=1)
        on, P, R, images, decrease = on[bent], P[bent], R[bent], images[bent], decrease[bent]
        steps = (decrease / curvature[bent])[:, None]
        found[on] += steps * P
        residuals[on] = R = R - steps * images
        directions[on] = R + (np.sum(R**2, axis=1) / decrease)[:, None] * P
        on = on[np.max(np.abs(R), axis=1) > atol[on]]
    return found

"""Leave-one-out of the partial likelihood, whose rows depend on each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.degrees_of_freedom import columns_at_risk, pseudo_inverse
from lambdahat.criteria.influences import nearest
from lambdahat.criteria.left_out import descend
from lambdahat.datafits.cox import Cox
from lambdahat.design import Columns
from lambdahat.linear import Curvature, Matrix, Vector, conjugate_gradient, inverse_of_diagonal
from lambdahat.penalties import Blockwise, Separable
from lambdahat.problem import Problem

_AT_ONCE, _ROUNDS, _SETTLED, _PRODUCTS, _SOLVED = 256, 4, 0.02, 30, 1e-2
_FOLLOWS = 0.9


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
    if not problem.penalty.is_smooth and model.freedom > _FOLLOWS * np.count_nonzero(problem.y > 0.0):
        return np.inf
    assert isinstance(problem.datafit, Cox)
    numbers = problem.datafit.rows_at_risk
    parts = [numbers[start : start + _AT_ONCE] for start in range(0, numbers.size, _AT_ONCE)]
    return sum((model.left_out(part) for part in parts), 0.0)


@dataclass(frozen=True, eq=False)
class AtRisk:
    """The second-order model of a fit.

    Attributes
    ----------
    problem : Problem
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
    """

    problem: Problem
    z: Vector
    X: Matrix
    G: Matrix
    w: Vector
    penalty: Separable | Blockwise
    support: Columns
    root: Matrix
    curvature: Curvature

    @classmethod
    def at(cls, problem: Problem, support: Columns, w_S: Vector) -> AtRisk:
        penalty, design, y = problem.penalty, problem.design, problem.y
        z = problem.prediction(support, w_S)
        slopes = problem.datafit.gradient(y, z)
        own = penalty.whole_blocks(support)
        near = nearest(problem, design.gradient(-design.weights * slopes), slopes, own, own.size)
        columns = np.concatenate([own, penalty.whole_blocks(near.astype(np.int32))])
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
        return cls(problem, z, X, G, w[columns], on, S, root, curvature)

    @property
    def freedom(self) -> float:
        """The degrees of freedom."""
        return float(np.sum(self.root * (self.G[np.ix_(self.support, self.support)] @ self.root)))

    def left_out(self, rows: NDArray[np.int64]) -> float:
        """The part of some rows in the criterion."""
        datafit, y, s = self.problem.datafit, self.problem.y, self.problem.design.weights
        smooth = self.penalty.is_smooth
        assert isinstance(datafit, Cox)
        q, shares = self.w.size, s[rows]
        D, slopes, Z, omegas = (np.zeros((rows.size, *shape)) for shape in ((q,), (q,), (2, q), (2, 2)))
        left = [datafit.without(y, s, int(i)) for i in rows]
        for k, loss in enumerate(left):
            slopes[k] = self._slopes(loss, self.z)
            D[k], image = self._newton(loss, shares[k], D[k], slopes[k])
            Z[k] = self.G @ D[k], image
            with_row, without = Z[k] @ D[k]
            if min(with_row, without) > 0.0:
                omegas[k] = np.diag([1.0 / with_row, -1.0 / without])
        slopes += D @ self.G
        moving = np.arange(rows.size)  # those without which the fit has not settled
        for turn in range(_ROUNDS):
            before = D[moving]
            if not smooth:
                now = before[:, None].copy()
                of_rows = (Z[moving], omegas[moving], np.zeros((moving.size, 2, 1)), shares[moving])
                descend(self.G, self.w[:, None], self.penalty, *of_rows, now, slopes[moving][:, None])
                D[moving] = now[:, 0]
            if turn > 0:
                moving = moving[self._sizes(D[moving] - before) > _SETTLED * self._sizes(D[moving])]
            if moving.size == 0 or turn == _ROUNDS - 1:
                break
            for k in moving.tolist():
                slopes[k] = self._slopes(left[k], self.z + self.X @ D[k])
                if smooth:
                    D[k] += self._newton(left[k], shares[k], D[k], slopes[k])[0]
                else:
                    slopes[k] += Z[k].T @ (omegas[k] @ (Z[k] @ D[k]))
        after = [self.z + self.X @ d for d in D]
        return float(sum(datafit.value(y, z, s) - loss.value(y, z, s) for loss, z in zip(left, after, strict=True)))

    def _sizes(self, D: Matrix) -> Vector:
        return np.asarray(np.sqrt(np.maximum(np.sum(D * (D @ self.G), axis=1), 0.0)))

    def _slopes(self, loss: Cox, z: Vector) -> Vector:
        """``Xᵀ∇F₍₋ᵢ₎`` at predictions."""
        return np.asarray(self.X.T @ (self.problem.design.weights * loss.gradient(self.problem.y, z)))

    def _newton(self, loss: Cox, share: float, d: Vector, slopes: Vector) -> tuple[Vector, Vector]:
        """The Newton step on the support from ``w + d``, and its image under the Hessian of ``F₍₋ᵢ₎``."""
        S, root, left = self.support, self.root, 1.0 - share
        image = loss.hessian(self.problem.y, self.z, self.problem.design.weights)
        X = self.X[:, S]

        def product(v: Vector) -> Vector:
            step = root @ v
            return np.asarray(root.T @ (X.T @ image(X @ step) + left * (self.curvature @ step)))

        pull = slopes[S] + left * self.penalty.restricted(S).gradient(self.w[S] + d[S])
        b = -root.T @ pull
        atol = _SOLVED * float(np.abs(b).max(initial=0.0))
        found = conjugate_gradient(product, inverse_of_diagonal(np.ones(b.size)), b, atol=atol, max_iter=_PRODUCTS)[0]
        step = np.zeros_like(d)
        step[S] = root @ found
        return step, self.X.T @ image(self.X @ step)

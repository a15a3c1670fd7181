"""Newton steps from a fit to those without each row, where rows have several predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat.criteria.degrees_of_freedom import pseudo_inverse
from lambdahat.criteria.influences import MOST
from lambdahat.linear import Curvature, Matrix, Vector


def moves(forms: Matrix, omegas: Matrix, terms: Matrix, drift: Matrix) -> tuple[Matrix, Matrix]:
    """By how much the v predictions of m rows move without them, and what pushes the coefficients then.

        (I − Q_i Ω_i)⁻¹ (Q_i t_i + drift_i)

    with ``Q_i`` of ``forms``, of shape (m, v, v), ``Ω_i`` of the same shape, or (m, 1, 1) where it is a multiple of the
    identity, ``t_i`` of shape (m, v).
    """
    scalar = omegas.shape[1] == 1
    leverages = forms * omegas if scalar else forms @ omegas
    left = np.eye(forms.shape[1]) - MOST * leverages
    moved = np.linalg.solve(left, forms @ terms[:, :, None] + drift[:, :, None])[:, :, 0]
    pushes = terms + (omegas[:, 0] * moved if scalar else (omegas @ moved[:, :, None])[:, :, 0])
    return np.asarray(moved), np.asarray(pushes)


def times(D: Matrix, A: Matrix) -> Matrix:
    """``D[i] A`` of all i: one product, not one for each."""
    rows = D.reshape(D.shape[0] * D.shape[1], len(A))
    return (rows @ A).reshape(*D.shape[:2], A.shape[1])


def along_both(Z: Matrix, steps: Matrix, levels: Matrix, follows: Matrix, offsets: Matrix) -> Matrix:
    """``Σ_{i≠k} v_ik u_ikᵀ`` of each of n rows, shape (n, r, r): what a third derivative is to be taken along.

    With ``u_ik = Z_k steps_i + levels_i`` by how much the r predictions of row k move without row i, and ``v_ik`` the
    same of ``follows`` and ``offsets``, by how much they follow a force on row i. The images ``Z``, of shape (n, r, q),
    are applied to a sum over all rows.
    """
    n, r = Z.shape[:2]
    images = np.concatenate([Z, np.broadcast_to(np.eye(r), (n, r, r))], axis=2)
    moves, follow = np.hstack([steps, levels]), np.hstack([follows, offsets])
    each = times(images, follow.T @ moves) @ images.transpose(0, 2, 1)
    own_moves, own_follow = (np.einsum("irq,iq->ir", images, vectors) for vectors in (moves, follow))
    return np.asarray(each - own_follow[:, :, None] * own_moves[:, None])


@dataclass(frozen=True, eq=False)
class OfOneVector:
    """Of coefficients that are one vector, with r predictions a row.

    Attributes
    ----------
    inverse : array of shape (|S|, |S|)
        ``H⁻¹``, of the objective.
    step : array of shape (|S|,)
        ``H⁻¹ ∇g``.
    """

    inverse: Matrix
    step: Vector

    @classmethod
    def at(cls, G: Matrix, curvature: Curvature, pull: Matrix) -> OfOneVector:
        """From ``∇²F``, which is overwritten, ``∇²g`` and ``∇g``, of shape (|S|, 1), on the support."""
        curvature.add_to(G)
        inverse = pseudo_inverse(G)
        return cls(inverse, inverse @ pull[:, 0])

    def without(
        self, Z: Matrix, offset: Matrix, omegas: Matrix, terms: Matrix, shares: Vector
    ) -> tuple[Matrix, Matrix]:
        """By how much predictions of m rows move without them, and the steps of the coefficients.

        ``Z``, of shape (m, r, |S|), are their images; ``offset``, of shape (r, r), what the offset adds to ``Q``.
        """
        V = times(Z, self.inverse)
        drift = shares[:, None] * (Z @ self.step)
        moved, pushes = moves(V @ Z.transpose(0, 2, 1) + offset, omegas, terms[:, :, 0], drift)
        steps = (pushes[:, None] @ V)[:, 0] + np.outer(shares, self.step)
        return moved, np.asarray(steps[:, :, None])


@dataclass(frozen=True, eq=False)
class OfTargets:
    """Of T targets with the same image of each row, and a Hessian ``A ⊗ I − Σ_b u_b u_bᵀ``, by Woodbury's formula.

    Nothing is larger than the support, whatever the number of targets.

    Attributes
    ----------
    inverse : array of shape (|S|, |S|)
        ``A⁻¹``.
    U : array of shape (|S|, T)
        ``u_b`` in the rows of block b.
    of_block : array of shape (blocks, |S|)
        1 where a row is of the block.
    bend : array of shape (blocks, blocks)
        ``(I − Uᵀ(A⁻¹ ⊗ I)U)⁻¹``.
    step : array of shape (|S|, T)
        ``H⁻¹ ∇g``.
    """

    inverse: Matrix
    U: Matrix
    of_block: Matrix
    bend: Matrix
    step: Matrix

    @classmethod
    def at(cls, G: Matrix, curvature: Curvature, pull: Matrix) -> OfTargets:
        """From ``∇²F = G ⊗ I``, which is overwritten, ``∇²g`` and ``∇g`` on the support."""
        assert curvature.U is not None
        assert curvature.labels is not None
        G[np.diag_indices_from(G)] += curvature.diagonal
        inverse, U = pseudo_inverse(G), curvature.U
        of_block = np.zeros((curvature.labels.max(initial=-1) + 1, len(G)))
        of_block[curvature.labels, np.arange(len(G))] = 1.0
        rest = np.eye(len(of_block)) - of_block @ (inverse * (U @ U.T)) @ of_block.T
        bend = np.asarray(np.linalg.pinv(rest, hermitian=True), dtype=np.float64)
        found = cls(inverse, U, of_block, bend, np.zeros_like(pull))
        straight = inverse @ pull
        return cls(inverse, U, of_block, bend, straight + found._bent(bend @ (of_block @ np.sum(U * straight, axis=1))))

    def _bent(self, along: Vector) -> Matrix:
        """``(A⁻¹ ⊗ I) U along``, of one vector or several."""
        return np.asarray(self.inverse @ ((along @ self.of_block)[..., None] * self.U))

    def without(
        self, Z: Matrix, offset: Matrix, omegas: Matrix, terms: Matrix, shares: Vector
    ) -> tuple[Matrix, Matrix]:
        """As that of :class:`OfOneVector`, with ``Z`` of shape (m, 1, |S|)."""
        X = Z[:, 0]
        V = X @ self.inverse
        along = self.of_block @ (V[:, :, None] * self.U)  # (m, blocks, T)
        forms = along.transpose(0, 2, 1) @ (self.bend @ along)
        forms += (np.sum(V * X, axis=1)[:, None, None] + offset) * np.eye(self.U.shape[1])
        drift = shares[:, None] * (X @ self.step)
        moved, pushes = moves(forms, omegas, terms[:, 0], drift)
        bent = self._bent((along @ pushes[:, :, None])[:, :, 0] @ self.bend)
        return moved, V[:, :, None] * pushes[:, None] + bent + shares[:, None, None] * self.step

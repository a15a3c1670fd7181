"""Newton steps from a fit to those without each row, where rows have several predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lambdahat.linear import Curvature, Matrix, Vector, pseudo_inverse

MOST = 1.0 - 1e-6  # leverage of a row that is fitted whatever its target


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
        """By how much predictions of m rows move without them, and steps of the coefficients, of shape (m, T, |S|).

        ``Z``, of shape (m, r, |S|), are their images; ``offset``, of shape (r, r), what the offset adds to ``Q``.
        """
        V = times(Z, self.inverse)
        drift = shares[:, None] * (Z @ self.step)
        moved, pushes = moves(V @ Z.transpose(0, 2, 1) + offset, omegas, terms[:, :, 0], drift)
        return moved, np.asarray(pushes[:, None] @ V + shares[:, None, None] * self.step)

    def trace(self, G: Matrix) -> float:
        """``tr H⁻¹ G``."""
        return float(np.sum(self.inverse * G))


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
        inverse, U = pseudo_inverse(G), curvature.U.reshape(pull.shape)
        of_block = np.zeros((curvature.labels.max(initial=-1) + 1, len(G)))
        of_block[curvature.labels, np.arange(len(G))] = 1.0
        rest = np.eye(len(of_block)) - of_block @ (inverse * (U @ U.T)) @ of_block.T
        bend = pseudo_inverse(rest)  # at least zero, as H is
        found = cls(inverse, U, of_block, bend, np.zeros_like(pull))
        straight = inverse @ pull
        along = bend @ (of_block @ np.sum(U * straight, axis=1))
        return cls(inverse, U, of_block, bend, straight + found._bent(along[None, None])[0].T)

    def _bent(self, along: Matrix) -> Matrix:
        """``(A⁻¹ ⊗ I) U along`` of each ``along``, shape (m, 1, blocks); of shape (m, T, |S|)."""
        of_rows = along if self._single else times(along, self.of_block)
        return times(of_rows * self.U.T, self.inverse)

    @property
    def _single(self) -> bool:
        """Whether each row is a block: most are."""
        return len(self.of_block) == len(self.inverse)

    def without(
        self, Z: Matrix, offset: Matrix, omegas: Matrix, terms: Matrix, shares: Vector
    ) -> tuple[Matrix, Matrix]:
        """As that of :class:`OfOneVector`, with ``Z`` of shape (m, 1, |S|)."""
        V = times(Z, self.inverse)
        along = V * self.U.T
        if not self._single:
            along = times(along, self.of_block.T)  # (m, T, blocks)
        bent = times(along, self.bend)
        forms = bent @ along.transpose(0, 2, 1)
        forms += (np.sum(V * Z, axis=2)[:, :, None] + offset) * np.eye(self.U.shape[1])
        drift = shares[:, None] * (Z[:, 0] @ self.step)
        moved, pushes = moves(forms, omegas, terms[:, 0], drift)
        steps = self._bent(pushes[:, None] @ bent)
        return moved, steps + pushes[:, :, None] * V + shares[:, None, None] * self.step.T

    def trace(self, G: Matrix, noise: Matrix | None = None) -> float:
        """``tr H⁻¹ (G ⊗ Σ)`` with the ``noise`` Σ of shape (T, T), by default the identity."""
        noise = np.eye(self.U.shape[1]) if noise is None else noise
        hat = self.inverse @ G
        follows = self.of_block @ ((hat @ self.inverse) * (self.U @ noise @ self.U.T)) @ self.of_block.T
        return float(np.trace(noise) * np.trace(hat) + np.sum(self.bend * follows))

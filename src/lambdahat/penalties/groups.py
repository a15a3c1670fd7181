"""The penalties of groups and of rows, as functions that make them."""

from __future__ import annotations

import numpy as np

from lambdahat.linear import Vector
from lambdahat.penalties.blockwise import Blockwise, Index


def _blocks(n: int, factors: Vector | None) -> tuple[Vector, Vector, Index]:
    """Factors of norms, the same with zeros for infinite ones, and an index of zeros."""
    each = np.ones(n) if factors is None else np.asarray(factors, dtype=np.float64)
    return each, np.where(np.isinf(each), 0.0, each), np.zeros(n, dtype=np.intp)


def group_lasso(labels: Index, alpha: float, factors: Vector | None = None) -> Blockwise:
    """``alpha Σ_g factor_g ‖w_g‖₂``; θ = (alpha,). Factors are ``√|g|`` by convention."""
    each, _, zero = _blocks(int(labels.max()) + 1, factors)
    nothing, index = np.zeros(labels.size), np.zeros(labels.size, dtype=np.intp)
    return Blockwise(np.array([alpha]), labels, each, zero, np.zeros(zero.size), zero, nothing, index)


def sparse_group_lasso(labels: Index, group: float, l1: float, factors: Vector | None = None) -> Blockwise:
    """``Σ_g group factor_g ‖w_g‖₂ + l1 ‖w‖₁``; θ = (group, l1). An excluded group is excluded."""
    each, _, zero = _blocks(int(labels.max()) + 1, factors)
    ones, index = np.ones(labels.size), np.ones(labels.size, dtype=np.intp)
    return Blockwise(np.array([group, l1]), labels, each, zero, np.zeros(zero.size), zero, ones, index)


def tied_sparse_group_lasso(labels: Index, alpha: float, tau: float, factors: Vector | None = None) -> Blockwise:
    """``alpha (Σ_g factor_g ‖w_g‖₂ + tau ‖w‖₁)``; θ = (alpha,)."""
    each, _, zero = _blocks(int(labels.max()) + 1, factors)
    nothing, index = np.zeros(zero.size), np.zeros(labels.size, dtype=np.intp)
    return Blockwise(np.array([alpha]), labels, each, zero, nothing, zero, np.full(labels.size, tau), index)


def weighted_groups(labels: Index, weights: Vector, alpha: float = 1.0) -> Blockwise:
    """``alpha Σ_g weights_g ‖w_g‖₂``; θ = weights, one hyperparameter a block."""
    n, p = weights.size, labels.size
    each, none = np.arange(n, dtype=np.intp), np.zeros(p, dtype=np.intp)
    return Blockwise(
        np.asarray(weights, dtype=np.float64), labels, np.full(n, alpha), each, np.zeros(n), each, np.zeros(p), none
    )


def rows(p: int, norm: float, l2: float, factors: Vector | None = None) -> Blockwise:
    """``Σ_j factor_j (norm ‖W_j‖₂ + ½ l2 ‖W_j‖²)`` over rows; θ = (norm, l2)."""
    each, finite, zero = _blocks(p, factors)
    return Blockwise(np.array([norm, l2]), np.arange(p), each, zero, finite, zero + 1, np.zeros(p), zero)


def tied_rows(p: int, alpha: float, ratio: float, factors: Vector | None = None) -> Blockwise:
    """``alpha Σ_j factor_j (ratio ‖W_j‖₂ + ½ (1 − ratio) ‖W_j‖²)`` over rows; θ = (alpha,)."""
    each, finite, zero = _blocks(p, factors)
    strengths = np.where(np.isinf(each), np.inf, ratio * finite)
    return Blockwise(np.array([alpha]), np.arange(p), strengths, zero, (1.0 - ratio) * finite, zero, np.zeros(p), zero)

"""`Design`: rows of X with weights, columns centred and scaled without touching X."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lambdahat.design.forms import DenseForm, Gathered, GramForm, QuadraticForm, SparseForm
from lambdahat.design.storage import Columns, DenseStorage, SparseStorage, Storage
from lambdahat.linear import Matrix, Vector, conjugate_gradient, solve_dense

# Up to so many unknowns a dense system is built and factorised; beyond, conjugate gradients on the columns.
FACTORISED = 2500


@dataclass(frozen=True, eq=False)
class Design:
    """X with normalised sample weights and centred columns, ``X̃ = X − 1 meansᵀ``, as an operator.

    A fold is a design over the same storage with weight zero on the rows left out: no row of X is ever copied for it.
    Scaling never enters the passes: coefficients stay in the units of X, and standardisation rescales the penalty
    instead (see ``Problem``).

    Attributes
    ----------
    storage : Storage
        X itself, shared between folds.
    weights : array of shape (n,)
        Sample weights divided by their sum; zero for rows that are left out.
    total_weight : float
        The sum of the sample weights before normalisation.
    means : array of shape (p,)
        Weighted column means, or zeros when there is no intercept.
    scales : array of shape (p,)
        Weighted standard deviations (1 for constant columns), or ones when columns are not standardised.
    """

    storage: Storage
    weights: Vector
    total_weight: float
    means: Vector
    scales: Vector

    @classmethod
    def create(cls, storage: Storage, sample_weight: Vector, *, center: bool, standardize: bool) -> Design:
        return cls.create_many(storage, [sample_weight], center=center, standardize=standardize)[0]

    @classmethod
    def create_many(
        cls, storage: Storage, sample_weights: list[Vector], *, center: bool, standardize: bool
    ) -> list[Design]:
        """Designs over the same storage for several weightings; their means come from one pass over X."""
        p = storage.shape[1]
        totals = [float(weight.sum()) for weight in sample_weights]
        weights = [weight / total for weight, total in zip(sample_weights, totals, strict=True)]
        means = np.zeros((len(weights), p))
        if center or standardize:
            means = storage.rmatvec_many(np.stack(weights))
        designs = []
        for k, (weight, total) in enumerate(zip(weights, totals, strict=True)):
            mean = means[k]
            scales = np.ones(p)
            if standardize:
                variances = storage.variances(np.arange(p, dtype=np.int32), weight, mean)
                scales = np.sqrt(np.where(variances > 0.0, variances, 1.0))
            designs.append(cls(storage, weight, total, mean if center else np.zeros(p), scales))
        return designs

    def elsewhere(self, storage: Storage, weights: Vector) -> Design:
        """Other rows (with weights of sum 1) seen with this design's means and scales, as a validation set is."""
        return replace(self, storage=storage, weights=weights)

    @property
    def shape(self) -> tuple[int, int]:
        return self.storage.shape

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """The rows of positive weight."""
        return np.flatnonzero(self.weights).astype(np.int32)

    @cached_property
    def root_weights(self) -> Vector:
        """``√s`` of the rows of positive weight."""
        return np.asarray(np.sqrt(self.weights[self.rows]))

    @cached_property
    def inverse_weights(self) -> Vector:
        return np.divide(1.0, self.weights, out=np.zeros_like(self.weights), where=self.weights > 0.0)

    def squared_norm(self, q: Vector) -> float:
        """``‖r‖²_s`` of a residual given as ``q = s∘r``."""
        return float((q * self.inverse_weights) @ q)

    def gradient(self, q: Vector) -> Vector:
        """``X̃ᵀq`` for all columns: one pass over X."""
        return np.asarray(self.storage.rmatvec(q) - self.means * q.sum())

    @staticmethod
    def gradients(designs: Sequence[Design], qs: Sequence[Vector]) -> list[Vector]:
        """``X̃ᵀq`` for several designs, by one pass over X where they share it."""
        if len(designs) < 2 or any(design.storage is not designs[0].storage for design in designs):
            return [design.gradient(q) for design, q in zip(designs, qs, strict=True)]
        products = designs[0].storage.rmatvec_many(np.stack(qs))
        return [product - design.means * q.sum() for design, product, q in zip(designs, products, qs, strict=True)]

    def gradient_columns(self, columns: Columns, q: Vector) -> Vector:
        """``X̃ᵀq`` for some columns."""
        return self.storage.rmatvec_columns(columns, q) - self.means[columns] * float(q.sum())

    def product(self, columns: Columns, v: Vector) -> Vector:
        """``X̃[:, columns] v``, for all rows, those of weight zero too."""
        return self.storage.matvec_columns(columns, v) - self.means[columns] @ v

    def variances(self, columns: Columns) -> Vector:
        """``Σ s_i x̃_ij²`` of some columns."""
        return self.storage.variances(columns, self.weights, self.means[columns])

    @cached_property
    def all_variances(self) -> Vector:
        """``Σ s_i x̃_ij²`` of all columns."""
        return self.variances(np.arange(self.shape[1], dtype=np.int32))

    def gather(self, columns: Columns) -> Matrix:
        """``(√s X̃[:, columns])ᵀ`` over the rows of positive weight, in C order; constant columns become 0."""
        assert isinstance(self.storage, DenseStorage)
        A = self.storage.gather(columns, self.rows, self.root_weights, self.means[columns])
        norms = np.einsum("ij,ij->i", A, A)
        A[norms <= 1e-28 * self.means[columns] ** 2] = 0.0
        return A

    def form(
        self, columns: Columns, y: Vector, q: Vector, w: Vector, l1: Vector, l2: Vector, positive: bool,
        previous: QuadraticForm | None = None,
    ) -> QuadraticForm:  # fmt: skip
        """The objective restricted to a working set, in the shape that suits the storage.

        ``w``, ``l1``, ``l2`` are those of the working set, ``q`` the weighted residual at ``w``; ``previous`` is a form
        over the first of these columns, whose Gram matrix is extended rather than made anew.
        """
        if isinstance(self.storage, SparseStorage):
            return SparseForm(self.storage, self, columns, q, w, l1, l2, positive)
        target = self.root_weights * y[self.rows]
        if columns.size > FACTORISED:
            return DenseForm(Gathered(self, columns, self.gather(columns), target), w, l1, l2, positive)
        A, G = self._extended_gram(columns, previous)
        gathered = Gathered(self, columns, A, target)
        return GramForm(G, A @ target, float(target @ target), w, l1, l2, positive, gathered)

    def _extended_gram(self, columns: Columns, previous: QuadraticForm | None) -> tuple[Matrix, Matrix]:
        if not isinstance(previous, GramForm) or previous.gathered is None:
            A = self.gather(columns)
            return A, A @ A.T
        known = previous.gathered.columns.size
        if known == columns.size:
            return previous.gathered.A, previous.G
        added = self.gather(columns[known:])
        A = np.concatenate([previous.gathered.A, added])
        G = np.empty((columns.size, columns.size))
        G[:known, :known] = previous.G
        G[known:] = added @ A.T
        G[:known, known:] = G[known:, :known].T
        return A, G

    def solve_support(
        self, support: Columns, ridge: Vector, b: Vector, *, atol: float, guess: Vector | None = None
    ) -> Vector:
        """Solve ``(X̃_SᵀSX̃_S + diag(ridge)) v = b``: the system of Newton's step and of the hypergradient.

        Cholesky when the support is small, the dual system of the rows (Woodbury) when it is larger than the number of
        rows, preconditioned conjugate gradients with entries of the residual below ``atol`` otherwise. Singular
        systems get their minimum-norm solution.
        """
        dense = isinstance(self.storage, DenseStorage)
        if dense and support.size <= min(FACTORISED, 4 * self.rows.size):
            A = self.gather(support)
            G = A @ A.T
            G[np.diag_indices_from(G)] += ridge
            return solve_dense(G, b)
        if dense and self.rows.size <= FACTORISED and bool(np.all(ridge > 0.0)):
            return self._solve_by_rows(support, ridge, b)

        def product(v: Vector) -> Vector:
            return self.gradient_columns(support, self.weights * self.product(support, v)) + ridge * v

        diagonal = self.variances(support) + ridge
        return conjugate_gradient(product, diagonal, b, atol=atol, max_iter=2 * support.size + 100, guess=guess)[0]

    def _solve_by_rows(self, support: Columns, ridge: Vector, b: Vector) -> Vector:
        """``R⁻¹b − R⁻¹A(I + AᵀR⁻¹A)⁻¹AᵀR⁻¹b`` with ``A = (√s X̃_S)ᵀ`` gathered block by block."""
        K = np.eye(self.rows.size)
        scaled = b / ridge
        rhs = np.zeros(self.rows.size)
        blocks = [slice(start, start + 1024) for start in range(0, support.size, 1024)]
        for block in blocks:
            A = self.gather(support[block])
            rhs += scaled[block] @ A
            A /= np.sqrt(ridge[block])[:, None]
            K += A.T @ A
        correction = solve_dense(K, rhs)
        q = np.zeros(self.shape[0])
        q[self.rows] = self.root_weights * correction
        return scaled - self.gradient_columns(support, q) / ridge

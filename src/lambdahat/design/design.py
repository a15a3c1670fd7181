"""`Design`: rows of X with weights, columns centred and scaled without touching X."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from lambdahat.design.forms import DenseForm, GramForm, QuadraticForm, SparseForm, Terms, Working
from lambdahat.design.normal import NormalEquations
from lambdahat.design.row_blocks import RowBlock, row_blocks
from lambdahat.design.storage import Columns, DenseStorage, SparseStorage, Storage
from lambdahat.linear import Curvature, Matrix, Vector, by_row, conjugate_gradient, rows_used, solve_dense, solve_gram

# Up to so many unknowns a dense system is built and factorised; beyond, conjugate gradients on the columns.
FACTORISED = 2500
_ROUNDING = 2e-15
# With a ridge so many times smaller than the columns' squares the dual system loses as many of its digits.
_CANCELS = 1e6
_BLOCK = 2048  # rows gathered at a time
# Of sparse columns a Gram matrix is made where they are few, with so many values stored a row at most, and the squares
# of their means no larger beside their variances; of a working set, where this share of it is in use.
_SMALL, _SPARSE, _CENTRED, _USED = 500, 30, 1e3, 0.6
_EXCERPT, _RUN = 4096, 128  # rows in an excerpt, at least, and in each of its runs


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
    columns : array of column numbers, optional
        Those that a reweighted design is good for.
    """

    storage: Storage
    weights: Vector
    total_weight: float
    means: Vector
    scales: Vector
    columns: Columns | None = None

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
            means = storage.rmatvec_many(weights)
        none, ones = np.zeros(p), np.ones(p)
        designs = []
        for weight, total, mean in zip(weights, totals, means, strict=True):
            scales = ones
            if standardize:
                variances = storage.variances(np.arange(p, dtype=np.int32), weight, mean)
                scales = np.sqrt(np.where(variances > 0.0, variances, 1.0))
            designs.append(cls(storage, weight, total, mean if center else none, scales))
        return designs

    def elsewhere(self, storage: Storage, weights: Vector) -> Design:
        """Other rows (with weights of sum 1) seen with this design's means and scales, as a validation set is."""
        return replace(self, storage=storage, weights=weights)

    def reweighted(self, weights: Vector, columns: Columns | None = None, *, center: bool) -> Design:
        """The same rows with other weights (of sum 1), and the means that go with them.

        Means are those of ``columns`` only, when given; others are NaN, not to be used by mistake.
        """
        means = np.zeros(self.shape[1])
        if center and columns is None:
            means = self.storage.rmatvec(weights)
        elif center and columns is not None:
            means.fill(np.nan)
            means[columns] = self.storage.rmatvec_columns(columns, weights)
        return replace(self, weights=weights, means=means, columns=columns)

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

    def squared_norm(self, q: Matrix) -> float:
        """``‖r‖²_s`` of a residual given as ``q = s∘r``."""
        return float(np.vdot(by_row(self.inverse_weights, q), q))

    def gradient(self, q: Matrix) -> Matrix:
        """``X̃ᵀq`` for all columns: one pass over X."""
        return self._centred(self.storage.rmatvec(q), q)

    def _centred(self, product: Matrix, q: Matrix) -> Matrix:
        """``X̃ᵀq`` from ``Xᵀq``; zero where it is no more than rounding errors, as for constant columns."""
        if not self.means.any():
            return product
        h: Matrix = product - np.multiply.outer(self.means, q.sum(axis=0))
        h[np.abs(h) <= np.multiply.outer(np.abs(self.means), _ROUNDING * np.abs(q).sum(axis=0))] = 0.0
        return h

    @staticmethod
    def gradients(designs: Sequence[Design], qs: Sequence[Matrix]) -> list[Matrix]:
        """``X̃ᵀq`` for several designs, by one pass over X where they share it."""
        alone = len(designs) < 2 or any(design.storage is not designs[0].storage for design in designs)
        if alone or qs[0].ndim == 2:
            return [design.gradient(q) for design, q in zip(designs, qs, strict=True)]
        products = designs[0].storage.rmatvec_many(qs)
        return [design._centred(product, q) for design, product, q in zip(designs, products, qs, strict=True)]

    def gradient_columns(self, columns: Columns, q: Matrix) -> Matrix:
        """``X̃ᵀq`` for some columns."""
        product = self.storage.rmatvec_columns(columns, q)
        return np.asarray(product - np.multiply.outer(self.means[columns], q.sum(axis=0)))

    def product(self, columns: Columns, v: Matrix) -> Matrix:
        """``X̃[:, columns] v``, for all rows, those of weight zero too."""
        return self.storage.matvec_columns(columns, v) - self.means[columns] @ v

    def variances(self, columns: Columns) -> Vector:
        """``Σ s_i x̃_ij²`` of some columns."""
        return self.storage.variances(columns, self.weights, self.means[columns])

    @cached_property
    def all_variances(self) -> Vector:
        """``Σ s_i x̃_ij²`` of all columns."""
        return self.variances(np.arange(self.shape[1], dtype=np.int32))

    def weighted_residual(self, y: Matrix, columns: Columns, v: Matrix) -> Matrix:
        """``q = s∘(y − X̃[:, columns] v)``."""
        return by_row(self.weights, y - self.product(columns, v))

    def gather(self, columns: Columns, block: slice = slice(None)) -> Matrix:
        """``(√s X̃[:, columns])ᵀ`` over the rows of positive weight, or a block of these, in C order."""
        assert isinstance(self.storage, DenseStorage)
        return self.storage.gather(columns, self.rows[block], self.root_weights[block], self.means[columns])

    def is_short(self, columns: Columns) -> bool:
        """Whether these columns are dense, and few and short enough that all their rows may be gathered at once."""
        dense = isinstance(self.storage, DenseStorage)
        return dense and columns.size <= FACTORISED and self.rows.size <= _BLOCK

    def gather_rows(self, columns: Columns, rows: NDArray[np.int32]) -> Matrix:
        """Some rows of ``X̃[:, columns]``, transposed, in C order."""
        assert isinstance(self.storage, DenseStorage)
        return self.storage.gather(columns, rows, np.ones(rows.size), self.means[columns])

    def gram(self, columns: Columns, known: Matrix | None = None, A: Matrix | None = None) -> Matrix:
        """``X̃_SᵀSX̃_S`` of some columns of a dense X, zero where they are constant.

        ``known`` is the Gram matrix of the first of these columns, ``A`` what :meth:`gather` says of all of them; where
        it is not given, rows are gathered block by block: nothing as large as X is ever in memory.
        """
        k, m = 0 if known is None else len(known), columns.size
        G = np.zeros((m, m))
        if known is not None:
            G[:k, :k] = known
        n_rows = self.rows.size if A is None else 1
        for start in range(0, n_rows if m > k else 0, _BLOCK):
            part = self.gather(columns, slice(start, start + _BLOCK)) if A is None else A
            if start == 0:
                np.matmul(part[k:], part.T, out=G[k:])
            else:
                G[k:] += part[k:] @ part.T
        G[:k, k:] = G[k:, :k].T
        constant = G.diagonal() <= 1e-28 * self.means[columns] ** 2
        G[constant] = 0.0
        G[:, constant] = 0.0
        return G

    def support_gram(self, columns: Columns) -> Matrix:
        """``X̃_SᵀSX̃_S`` of columns however they are stored."""
        if isinstance(self.storage, DenseStorage):
            return self.gram(columns)
        G, means = self.storage.gram(columns, self.weights), self.means[columns]
        if not means.any():
            return G
        sums = self.storage.rmatvec_columns(columns, self.weights)
        half = np.outer(sums - 0.5 * means * self.weights.sum(), means)
        return np.asarray(G - half - half.T)

    def row_blocks(self, columns: Columns) -> Iterator[RowBlock]:
        """``X̃[:, columns]`` in blocks of rows."""
        return row_blocks(self.storage, columns, self.means[columns])

    def rows_gram(self, columns: Columns, ridge: Vector) -> Matrix:
        """``√S X̃ R⁻¹ X̃ᵀ √S`` of the rows of positive weight, by some columns and the diagonal R."""
        if isinstance(self.storage, DenseStorage):
            return self._gram_of_rows(columns, ridge)
        X, means = self.storage.chosen(columns).tocsr()[self.rows], self.means[columns]
        scaled = X @ scipy.sparse.diags_array(1.0 / ridge)
        across = scaled @ means
        K = (scaled @ X.T).toarray() - across[:, None] - across + float(means @ (means / ridge))
        return np.asarray(self.root_weights[:, None] * K * self.root_weights)

    def excerpt(self, y: Vector) -> NormalEquations | None:
        """Normal equations of some of the rows, or None unless X is dense and so tall that they cost little beside it.

        They are of a few runs of rows spread over all of them: a guess that costs a fraction of a pass over X.
        """
        p, size = self.shape[1], max(_EXCERPT, 8 * self.shape[1])
        if isinstance(self.storage, SparseStorage) or self.rows.size < 8 * size:
            return None
        starts = np.linspace(0, self.rows.size - _RUN, size // _RUN).astype(np.intp)
        chosen = (starts[:, None] + np.arange(_RUN)).ravel()
        root_weights = self.root_weights[chosen] / np.linalg.norm(self.root_weights[chosen])
        A = self.storage.gather(np.arange(p, dtype=np.int32), self.rows[chosen], root_weights, self.means)
        target = root_weights * y[self.rows[chosen]]
        return NormalEquations(A @ A.T, A @ target, float(target @ target), chosen.size)

    def form(
        self, columns: Columns, y: Matrix, q: Matrix, h: Matrix, w: Matrix, penalty: Terms,
        previous: QuadraticForm | None = None,
    ) -> QuadraticForm:  # fmt: skip
        """The objective restricted to a working set, in the shape that suits the storage.

        ``h``, ``w`` and ``penalty`` are those of the working set, ``q`` the weighted residual at ``w`` and ``h = X̃ᵀq``;
        ``previous`` is a form over the first of these columns, whose Gram matrix is extended rather than made anew.
        """
        if isinstance(self.storage, SparseStorage):
            if self._needs_newton(columns, w) and self.has_small_gram(columns):
                return self._gram_form(self.support_gram(columns), Working(self, columns, y), h, w, penalty)
            variances = self.all_variances[columns] if self.columns is None else self.variances(columns)
            return SparseForm(self.storage, self, columns, q, variances, w, penalty)
        # A sweep over blocks by the Gram matrix costs columns for every row that a sweep by columns costs.
        most = FACTORISED if penalty.labels is None else min(FACTORISED, self.rows.size)
        if columns.size > most:
            return DenseForm(Working(self, columns, y), self.gather(columns), w, penalty)
        known: Matrix | None = None
        A: Matrix | None = None
        if isinstance(previous, GramForm) and previous.working is not None:
            known, A = previous.G, previous.working.A
        if self.rows.size <= _BLOCK:
            added = self.gather(columns if A is None else columns[len(A) :])
            A = added if A is None else np.concatenate([A, added])
        return self._gram_form(self.gram(columns, known, A), Working(self, columns, y, A), h, w, penalty)

    def _gram_form(self, G: Matrix, working: Working, h: Matrix, w: Matrix, penalty: Terms) -> GramForm:
        yy = float(np.vdot(by_row(self.weights, working.y), working.y))
        return GramForm(G, h + G @ w, yy, h, w, penalty, working)

    def _needs_newton(self, columns: Columns, w: Matrix) -> bool:
        """Whether these are columns of a model, most of them in use, so that Newton's step is due."""
        return self.columns is not None and rows_used(w).size >= _USED * columns.size

    def has_small_gram(self, columns: Columns) -> bool:
        """Whether the Gram matrix of sparse columns costs less than passes over them, and keeps its digits."""
        if columns.size > _SMALL or not isinstance(self.storage, SparseStorage):
            return False
        if np.sum(np.diff(self.storage.indptr)[columns]) > _SPARSE * len(self.weights):
            return False
        squares = self.means[columns] ** 2
        return not squares.any() or bool(np.all(squares <= _CENTRED * self.variances(columns)))

    def solve_support(
        self, support: Columns, curvature: Curvature, b: Matrix, *, atol: float, guess: Matrix | None = None
    ) -> Matrix:
        """Solve ``(X̃_SᵀSX̃_S + curvature) v = b``: the system of Newton's step and of the hypergradient.

        Cholesky when the support is small (a few hundred where columns are sparse), the dual system of the rows
        (Woodbury) when it is larger than the number of rows, preconditioned conjugate gradients with entries of the
        residual below ``atol`` otherwise. Singular systems get their minimum-norm solution.
        """
        if isinstance(self.storage, DenseStorage):
            if self._is_solved_by_rows(support, curvature):
                return self._solve_by_rows(support, curvature.diagonal, b)
            if support.size <= min(FACTORISED, 4 * self.rows.size):
                return solve_gram(self.gram(support), curvature, b, atol=atol, guess=guess)
        elif self.has_small_gram(support):
            return solve_gram(self.support_gram(support), curvature, b, atol=atol, guess=guess)

        def product(v: Matrix) -> Matrix:
            return self.gradient_columns(support, by_row(self.weights, self.product(support, v))) + curvature @ v

        inverse = curvature.inverse_after(self.variances(support))
        return conjugate_gradient(product, inverse, b, atol=atol, max_iter=2 * b.size + 100, guess=guess)[0]

    def _is_solved_by_rows(self, support: Columns, curvature: Curvature) -> bool:
        """Whether the dual system is the smaller one, and keeps its digits (or is the only one small enough)."""
        n_rows, ridge = self.rows.size, curvature.diagonal
        smaller = n_rows <= FACTORISED and n_rows < support.size
        if not smaller or curvature.U is not None or not np.all(ridge > 0.0):
            return False
        return support.size > 4 * n_rows or float(np.sum(self.variances(support) / ridge)) < _CANCELS

    def _solve_by_rows(self, support: Columns, ridge: Vector, b: Matrix) -> Matrix:
        """``R⁻¹b − R⁻¹A(I + AᵀR⁻¹A)⁻¹AᵀR⁻¹b`` with ``A = (√s X̃_S)ᵀ``."""
        same = support.size == self.shape[1] and bool(np.all(ridge == ridge[0]))
        K = self._rows_by_all / ridge[0] if same else self._gram_of_rows(support, ridge)
        K[np.diag_indices_from(K)] += 1.0
        scaled = by_row(1.0 / ridge, b)
        correction = solve_dense(K, by_row(self.root_weights, self.product(support, scaled)[self.rows]))
        q = np.zeros((self.shape[0], *b.shape[1:]))
        q[self.rows] = by_row(self.root_weights, correction)
        return scaled - by_row(1.0 / ridge, self.gradient_columns(support, q))

    def _gram_of_rows(self, columns: Columns, ridge: Vector) -> Matrix:
        """``AᵀR⁻¹A`` with ``A = (√s X̃)ᵀ`` of some columns of a dense X, gathered block by block."""
        K = np.zeros((self.rows.size, self.rows.size))
        for start in range(0, columns.size, 1024):
            block = slice(start, start + 1024)
            A = self.gather(columns[block]) / np.sqrt(ridge[block])[:, None]
            K += A.T @ A
        return K

    @cached_property
    def _rows_by_all(self) -> Matrix:
        """:meth:`_gram_of_rows` by all columns: the same for any strength that all of them share."""
        p = self.shape[1]
        return self._gram_of_rows(np.arange(p, dtype=np.int32), np.ones(p))

"""Descent on blocks of one quadratic without each of many rows: what these have in common, and of what numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambdahat.criteria.newton_steps import times
from lambdahat.design import block_divisors
from lambdahat.kernels import blocks_left_out
from lambdahat.linear import Matrix, Vector
from lambdahat.penalties import Blockwise, Separable

_INFINITE = 1e100
_LEAST = 0.1  # of targets are not followed: fits that follow more are not judged
_SMALL, _LARGE = 1e-10, 1e10  # between these products of three numbers do not vanish in single precision, nor overflow


class Effort(NamedTuple):
    """Tolerances of solutions and of responses, how many sweeps there are for each at most, and of what numbers."""

    solutions: float
    responses: float
    sweeps: int
    numbers: type = np.float64

    def where(self, followed: float) -> Effort:
        """Of a fit that follows such a share of its targets.

        The more it does, the slower do sweeps shrink, and the more do predictions of rows depend on what these leave.
        With tolerances by the third power of what it does not follow, that is much the same for all: 0.03 to 0.14 % of
        leave-one-out with rough sweeps, for shares from 0.18 to 0.82 (by a power less, or more, it differs more).
        """
        less = max(1.0 - followed, _LEAST) ** 3
        return self._replace(solutions=less * self.solutions, responses=less * self.responses)


SETTLED = Effort(5e-4, 2e-3, 1_000)  # where work is little
ROUGHLY = Effort(1.6e-2, 2e-2, 1_000, np.float32)  # where it is not: of half as much memory


@dataclass(frozen=True, eq=False)
class Descent:
    """What fits without each of m rows have in common, in the kernels' terms.

    Attributes
    ----------
    G : array of shape (q, q)
    penalty : Separable or Blockwise
        Of q coefficients.
    effort : Effort
    """

    G: Matrix
    penalty: Separable | Blockwise
    effort: Effort

    @cached_property
    def rounded(self) -> Matrix:
        """``G`` in the numbers of the effort, or in double precision where these are not for numbers of its size."""
        return np.ascontiguousarray(self.G, dtype=self._numbers_for(self.G.diagonal()))

    def without_rows(
        self, w: Matrix, Z: Matrix, omegas: Matrix, terms: Matrix, shares: Vector, D: Matrix, slopes: Matrix,
        size: Vector, l1: Matrix | None = None,
    ) -> None:  # fmt: skip
        """Solve without each of m rows, by descent from steps ``D`` of shape (m, T, q), which change in place.

        ``slopes`` are those of the quadratic at D, before the terms of rows (they are overwritten), ``size`` what steps
        are little against, and ``l1``, of shape (m, q), strengths in the place of the penalty's. See
        :func:`lambdahat.kernels.blocks_left_out.without_rows`.
        """
        W = w.T
        G, rounded, images, steps, following = self._of_one_kind(W, Z, D, slopes)
        of_rows = (rounded, images, omegas, terms, shares, steps, following, size)
        arguments = (G, *self._kinds(l1), *of_rows, self.effort.sweeps, self.effort.solutions)
        blocks_left_out.without_rows(*arguments)
        D[:] = np.where(steps == -rounded, -W, steps)

    def respond(self, W: Matrix, Z: Matrix, omegas: Matrix, terms: Matrix, shares: Vector, D: Matrix) -> None:
        """By how much coefficients ``W`` without each of m rows, (m, T, q), follow a force ``terms`` on that row.

        By descent from ``D``, which changes in place. See :func:`lambdahat.kernels.blocks_left_out.respond`.
        """
        slopes = times(D, self.G)
        G, rounded, images, steps, following = self._of_one_kind(W, Z, D, slopes)
        of_rows = (rounded, images, omegas, terms, shares, steps, following, sizes(D, slopes))
        arguments = (G, *self._kinds(), *of_rows, self.effort.sweeps, self.effort.responses)
        blocks_left_out.respond(*arguments)
        D[:] = steps

    def _of_one_kind(self, *parts: Matrix) -> Iterator[Matrix]:
        """``G`` and these, in C order and of the same numbers; themselves where they are so already."""
        G = self.rounded
        if G.dtype != np.float64:
            largest = np.array([max(part.max(initial=0.0), -part.min(initial=0.0)) for part in parts])
            G = G if self._numbers_for(largest) is G.dtype.type else np.ascontiguousarray(self.G)
        return (np.ascontiguousarray(part, dtype=G.dtype) for part in (G, *parts))

    def _numbers_for(self, sizes: Vector) -> type:
        """Double precision where products of such numbers would overflow in single, or vanish."""
        found = sizes[sizes > 0.0]
        return self.effort.numbers if np.all((found > _SMALL) & (found < _LARGE)) else np.float64

    @cached_property
    def _blocks(self) -> tuple[NDArray[np.intp], Vector, Vector]:
        """Where they start, what steps on each are divided by, and what their norms are penalised by."""
        if isinstance(self.penalty, Blockwise):
            return *block_divisors(self.G, self.penalty.labels), self.penalty.norms
        return np.arange(len(self.G) + 1), self.G.diagonal().copy(), np.zeros(len(self.G))

    def _kinds(self, l1: Matrix | None = None) -> tuple[Any, ...]:
        """What kernels are told of the penalty."""
        l1 = self.penalty.l1[None] if l1 is None else l1
        return *self._blocks, self.penalty.l2, np.minimum(l1, _INFINITE), self.penalty.positive


def sizes(D: Matrix, images: Matrix) -> Vector:
    """``√⟨D, G D⟩`` of m steps, from their images ``G D``, of shape (m, T, q)."""
    return np.asarray(np.sqrt(np.maximum(np.einsum("itq,itq->i", D, images), 0.0)))

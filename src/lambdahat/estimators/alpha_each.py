"""Models whose ``alpha`` is one number for all the problems that y makes, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name, check_real
from lambdahat.criteria import Fold
from lambdahat.estimators.base import LinearModel
from lambdahat.linear import Vector
from lambdahat.penalties import Separable, l1
from lambdahat.problem import Problem
from lambdahat.search import Space
from lambdahat.solvers import alpha_max


class AlphaEach(LinearModel):
    """``alpha ‖w‖₁`` for each of several targets or classes over the same X, with an ``alpha`` for all or for each."""

    alpha: Any
    separate = True  # each has a problem of its own

    @property
    def _is_each(self) -> bool:
        return isinstance(self.alpha, np.ndarray | list | tuple)

    @property
    def _alphas(self) -> Vector:
        """The present ones, checked: one, or one for each problem."""
        if not self._is_each:
            return np.array([check_real(self.alpha, "alpha")])
        if np.ndim(self.alpha) != 1 or not len(self.alpha):
            raise ValueError(
                f"alpha has shape {np.shape(self.alpha)}: pass one number, or one for each target or class"
            )
        each = self.alpha.tolist() if isinstance(self.alpha, np.ndarray) else self.alpha
        return np.array([check_real(value, f"alpha[{k}]") for k, value in enumerate(each)])

    def _check_alphas(self, K: int, what: str, *, one: bool) -> None:
        """Refuse any other number of alphas than that of the problems; ``what`` is said of these."""
        if one:
            check_real(self.alpha, "alpha")
        if self._is_each and self._alphas.size != K:
            raise ValueError(
                f"alpha has {self._alphas.size} values but {what.format(K=K)}: pass one number, or {K} of them"
            )

    def _make_penalty(self, n_features: int, total_weight: float) -> Separable:
        # At the first alpha: each problem gets its own by ``Space.placed``.
        return l1(n_features, float(self._alphas[0]), self._factors(n_features), positive=self.positive)

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        for name in names or ():
            check_name(name, self.tunable, "hyperparameter")
        if not self._is_each:
            return super()._space(names, n_features)
        each: NDArray[np.intp] = np.arange(self._alphas.size)
        return Space(
            tuple(f"alpha[{k}]" for k in each),
            ("log",) * each.size,
            to_params=lambda values: {"alpha": values.copy()},
            index=each[:, None] if self.separate else None,
        )

    def _values(self, space: Space, n_features: int) -> Vector:
        if space.names == ("alpha",):
            return np.array([check_real(self.alpha, "alpha")])
        self._check_alphas(len(space.names), "{K} are tuned", one=False)
        return np.broadcast_to(self._alphas, len(space.names)).copy()

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        """In proportion to the strengths at which each problem has its simplest solution."""
        d = len(space.names)
        if space.names == ("alpha",):
            return [(np.zeros(d), np.ones(d))]
        unit = [space.placed(fold.problems, np.ones(d)) for fold in folds]
        largest = np.max([self._largest(problems) for problems in unit], axis=0)
        return [(np.log(np.where(largest > 0.0, largest, 1.0)), np.ones(d))]

    def _largest(self, problems: Sequence[Problem]) -> list[float]:
        """The strengths at which each has its simplest solution, where the penalties have unit strength."""
        return [alpha_max(problem) for problem in problems]

"""Models of a strength ``alpha``, or of one factor a feature or a group, of which a search tunes one or the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name
from lambdahat.criteria import Fold
from lambdahat.estimators.base import LinearModel
from lambdahat.linear import Vector
from lambdahat.penalties import Penalty
from lambdahat.search import Space


class AlphaOrFactors(LinearModel):
    """A strength ``alpha``, or one factor a block, of which a search tunes one or the other."""

    alpha: float
    factors_name: str

    @property
    def tunable(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("alpha", self.factors_name)

    @property
    def tuned(self) -> tuple[str, ...]:
        return ("alpha",)

    def _block_labels(self, n_features: int) -> NDArray[np.intp]:
        """The block of each column."""
        raise NotImplementedError

    def _block_factors(self, labels: NDArray[np.intp]) -> Vector:
        """The present factors."""
        raise NotImplementedError

    def _factors_penalty(self, n_features: int, total_weight: float) -> Penalty:
        """The penalty whose hyperparameters are the factors."""
        raise NotImplementedError

    def _penalty_of(self, names: tuple[str, ...]) -> Callable[[int, float], Penalty]:
        return self._factors_penalty if names == (self.factors_name,) else self._make_penalty

    def _space(self, names: Sequence[str] | None, n_features: int) -> Space:
        chosen = tuple(check_name(name, self.tunable, "hyperparameter") for name in names or self.tuned)
        if len(chosen) > 1:
            raise ValueError(f"alpha multiplies {self.factors_name}: tune one or the other, not both")
        if chosen == ("alpha",):
            return super()._space(chosen, n_features)
        name, excluded = self.factors_name, np.isinf(self._block_factors(self._block_labels(n_features)))
        return Space(
            tuple(f"{name}[{k}]" for k in range(excluded.size)),
            ("log",) * excluded.size,
            to_params=lambda values: {name: np.where(excluded, np.inf, values)},
        )

    def _values(self, space: Space, n_features: int) -> Vector:
        if space.names == ("alpha",):
            return super()._values(space, n_features)
        return self._block_factors(self._block_labels(n_features))

    def _lines(self, space: Space, folds: list[Fold]) -> list[tuple[Vector, Vector]]:
        d = len(space.names)
        return [(np.zeros(d), np.ones(d))]

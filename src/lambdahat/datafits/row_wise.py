"""What losses have in common of which no row depends on another."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_target
from lambdahat.linear import Matrix, Vector


class RowWise:
    """Nothing to prepare, a diagonal Hessian, any targets, no formula for the best shift: a loss may say otherwise."""

    def prepared(self, y: Vector, weights: Vector) -> Self:
        return self

    def hessian(self, y: Vector, z: Vector, weights: Vector) -> Callable[[Matrix], Matrix] | None:
        return None

    def read(self, y: Any, n: int, name: str = "y", X_name: str = "X") -> Vector:
        return check_target(y, n, name, X_name)

    def images(self, y: Vector, z: Vector, share: float) -> tuple[NDArray[np.int32], Callable[[Matrix], Matrix]] | None:
        return None

    def check(self, y: Vector, name: str) -> None:
        """Any targets will do; labels are checked where they are read."""

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float | None:
        return None

"""What losses have in common of which no row depends on another."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_target
from lambdahat.datafits.base import Perturbed
from lambdahat.linear import Matrix, Vector


class RowWise:
    """What most losses have: nothing to prepare, a diagonal Hessian, any targets, and noise that adds to them."""

    row_wise = True
    movable = True
    answers_by_prediction = True

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

    def perturbed(self, y: Matrix, step: Matrix) -> Perturbed:
        return Perturbed(self, y + step, np.ones_like(step))

    def curvature_slope(self, y: Matrix, z: Matrix) -> Matrix:
        return np.zeros_like(z)  # of losses made of parabolas and lines

    def spread(self, y: Matrix, weights: Vector) -> float:
        centred = y - weights @ y
        return 0.5 * float(np.sqrt(np.mean(weights @ centred**2)))  # as if three quarters of y were signal

    def response(self, z: Matrix) -> Matrix:
        return z

    def response_vjp(self, z: Matrix, v: Matrix) -> Matrix:
        return v

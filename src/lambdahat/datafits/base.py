"""What a datafit is."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lambdahat.linear import Matrix, Vector


class Perturbed(NamedTuple):
    """Targets that were moved, as far as they can be.

    Attributes
    ----------
    datafit : Datafit
        The loss for them.
    y : array of shape (n,)
    share : array of shape (n,)
        What part of a step of random sign is taken in the mean: ½ where targets can move to one side only.
    """

    datafit: Any
    y: Matrix
    share: Matrix


class Datafit(Protocol):
    """A smooth convex loss ``F(y, z) = Σ s_i f(y_i, z_i)`` that sees only the predictions ``z``; weights sum to 1.

    Predictions are those of the linear model, ``z = Xw + intercept``, before any link. All arrays have shape (n,).
    Gradients and curvatures are per row, before weights.
    """

    @property
    def quadratic(self) -> bool:
        """Whether the loss is its own second-order model everywhere: least squares."""

    @property
    def row_wise(self) -> bool:
        """Whether no row, or target, depends on another."""

    @property
    def labels(self) -> bool:
        """Whether targets are labels, −1 and +1."""

    @property
    def log_link(self) -> bool:
        """Whether the mean is ``exp(z)``, rather than ``z``."""

    @property
    def metric(self) -> str:
        """What users call the loss when it judges a model."""

    @property
    def metric_factor(self) -> float:
        """The metric over the loss: a mean squared error has no ½."""

    @property
    def largest_curvature(self) -> float:
        """``sup f''``, which may be infinite."""

    @property
    def kernel(self) -> tuple[int, float] | None:
        """Its number and parameter in ``kernels.differentiation``; None where ``sup f''`` is infinite."""

    @property
    def reach(self) -> float:
        """By how much a step that proved too long may move a prediction at most, in the units of ``z``."""

    def prepared(self, y: Vector, weights: Vector) -> Self:
        """The loss for these rows: what is the same at all predictions (a sorting, say) is done once."""

    def hessian(self, y: Vector, z: Vector, weights: Vector) -> Callable[[Matrix], Matrix] | None:
        """``d ↦ ∇²F(z) d``, or None where that is ``s∘f''∘d``: where no row depends on another."""

    def images(self, y: Vector, z: Vector, share: float) -> tuple[NDArray[np.int32], Callable[[Matrix], Matrix]] | None:
        """A model between ``∇²F(z)`` and ``diag(s∘secant)``, which bounds it: that share of the way from the first.

        Returns the rows that it concerns, and the map of the rows of a matrix, each of them predictions of these rows,
        to their images; or None where solvers shall take the diagonal ``s∘f''`` for ``∇²F``.
        """

    def read(self, y: Any, n: int, name: str = "y", X_name: str = "X") -> Vector:
        """What a user hands over as targets of n rows, as one number a row; labels are read elsewhere."""

    def check(self, y: Vector, name: str) -> None:
        """Refuse targets that the loss is not for, in a sentence."""

    def value(self, y: Vector, z: Vector, weights: Vector) -> float:
        """``Σ s_i f(y_i, z_i)``."""

    def gradient(self, y: Vector, z: Vector) -> Vector:
        """``f'(y_i, z_i)``."""

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """``f''(y_i, z_i)``."""

    def curvature_slope(self, y: Vector, z: Vector) -> Vector:
        """The derivative of ``f''`` in ``z``."""

    def secant(self, y: Vector, z: Vector) -> Vector:
        """``f'(y_i, z_i) / (z_i − m_i)``, where ``m_i`` minimises ``f(y_i, ·)``: the mean curvature on the way there.

        Far from ``m_i`` the curvature itself may say nothing of the way. Zero where ``m_i`` is infinite.
        """

    def conjugate(self, y: Vector, u: Vector, weights: Vector) -> float:
        """``Σ s_i f*(y_i, u_i)``, where ``u`` is a gradient ``f'(y, z)`` times a number from 0 to 1."""

    def clip(self, y: Vector, u: Vector) -> Vector:
        """``u``, brought into the domain of the conjugate."""

    def constant(self, y: Vector, weights: Vector) -> Any:
        """The best prediction that is the same for all rows: a number, or one for each class."""

    def shift(self, y: Vector, z: Vector, weights: Vector) -> float | None:
        """The best shift of all predictions by the same number, or None: a solver then finds it."""

    # How a fit answers to its targets, which is what degrees of freedom are. Small moves of the targets by ``a`` change
    # the slopes ``f'`` by ``−m∘a`` and the responses by ``(f''/m)∘Δz``, whatever m is: their product is that of the
    # moves with ``f''∘Δz``.

    @property
    def movable(self) -> bool:
        """Whether targets can be moved: those of which noise is a part."""

    def perturbed(self, y: Matrix, step: Matrix) -> Perturbed:
        """The targets moved by a step, in whatever scale they have noise in."""

    def spread(self, y: Matrix, weights: Vector) -> float:
        """About the standard deviation of the noise, in that scale: a guess for the size of steps."""

    @property
    def answers_by_prediction(self) -> bool:
        """Whether what answers to such steps is the prediction itself."""

    def response(self, z: Matrix) -> Matrix:
        """What answers: the prediction, or the mean."""

    def response_vjp(self, z: Matrix, v: Matrix) -> Matrix:
        """The transpose of its derivative, times v."""

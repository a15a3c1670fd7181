"""Functions whose minima are known, and regions to search them in."""

from dataclasses import dataclass, field

import numpy as np

from lambdahat.outer import Line, Point, Region, Stop


@dataclass
class Function:
    """A smooth function and its derivative, with what was asked of it."""

    value: object
    slope: object
    cheap: bool = True
    coarse_tol: float = 1e-2
    budget: int = 500
    points: list = field(default_factory=list)
    tols: list = field(default_factory=list)
    gradients: list = field(default_factory=list)
    decisive: object = None

    def __call__(self, x, tol, gradient=True):
        if len(self.points) == self.budget:
            raise Stop("no more")
        self.tols.append(tol)
        self.gradients.append(gradient)
        slope = np.atleast_1d(self.slope(x)).astype(float) if gradient else np.full(np.size(x), np.nan)
        value = float(self.value(x))
        decisive = None if self.decisive is None else float(self.decisive(x))
        if decisive is not None and not gradient:  # what leads is not asked for
            value, decisive = decisive, None
        self.points.append(Point(np.array(x), value, slope, decisive))
        return self.points[-1]

    @property
    def best(self):
        return min(self.points, key=lambda point: point.value)


def line(low=-11.0, high=0.0):
    return Region(np.array([low]), np.array([high]), (Line(np.zeros(1), np.ones(1), low, high),))


def well(center, width=2.0):
    return Function(
        lambda x: 5.0 + (1.0 - np.exp(-(((x[0] - center) / width) ** 2))),
        lambda x: 2.0 * (x - center) / width**2 * np.exp(-(((x[0] - center) / width) ** 2)),
    )


def bowl(center):
    A = np.array([[2.0, 0.7], [0.7, 1.0]])
    return Function(lambda x: 1.0 + (x - center) @ A @ (x - center) / 2.0, lambda x: A @ (x - center))


def plane(start=None):
    lines = tuple(Line(np.array([0.0, y]), np.array([1.0, 0.0]), -8.0, 0.0) for y in (-2.0, 0.0, 2.0))
    return Region(np.array([-8.0, -3.0]), np.array([0.0, 3.0]), lines, start)


def ripples(height):
    """A bowl with kinks along x₀, as a support that changes makes them."""
    smooth = bowl(np.array([-3.0, 1.0]))
    return Function(
        lambda x: smooth.value(x) + height * np.abs(np.sin(6.0 * x[0])),
        lambda x: smooth.slope(x) + np.array([6.0 * height * np.cos(6.0 * x[0]) * np.sign(np.sin(6.0 * x[0])), 0.0]),
    )

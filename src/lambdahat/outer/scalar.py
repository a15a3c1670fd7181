"""One hyperparameter: a coarse look over the whole range, then safeguarded steps in the best basin.

Values and derivatives at the points visited define a piecewise cubic (Hermite) model of the criterion. The search
evaluates where the model promises the lowest value, in whatever interval that is, and ends when no interval promises an
improvement that counts. Near a minimum that is a safeguarded secant iteration on the derivative, with a bracket; far
from it, it is what keeps a first shallow minimum from ending the search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from lambdahat.linear import Vector
from lambdahat.outer.base import Line, Objective, Region
from lambdahat.outer.descent import NO_SLOPE, Recorded

_WIDE = 4.0  # a factor of about 50
_NEAR, _NARROW = 0.5, 0.2
_OFF_ENDS = 1e-4
_CLOSE = 0.02
_ASIDE = 1.5  # a factor of 4.5
_APART = 0.3  # of points whose slopes say how these change
_PLACES, _KAPPA, _WORTH = 401, 2.0, 5e-4
_DEEP, _CLEAR = 0.5, 0.1  # of the criterion of the simplest model, and of the fall from it
_FAR = 3.0  # times the greater one of these two: beyond it nothing is to be expected
_SECANT = 0.9  # of the way to where the slope's secant vanishes: beyond the optimum it mostly falls faster
# Gaps that refinements are solved to: over the square of the step, and at least over the improvement that counts.
_STEP_TOL, _ENOUGH = 0.03, 3.0
_LOOSER = 10.0  # beyond two points that rise, where fits are large and only have to show that there is no valley


@dataclass(frozen=True)
class Scalar:
    """Search along the region's first line.

    Parameters
    ----------
    ratio : float, default 3
        Factor between neighbours of the coarse look.
    fine_ratio : float, default 1.7
        The same where evaluations are cheap, and a look at every valley costs nothing.
    smooth_ratio : float, default 10
        The same along smooth lines (ridge).
    most_steps : int, default 40
        Bound on the number of refinements.
    thorough : bool, default True
        Where evaluations are cheap, look between neighbours near the best point too.
    most_looks : int, default 10
        Evaluations in the end by what decides, where the criterion only leads; fewer where no more is to be gained.
    """

    ratio: float = 3.0
    fine_ratio: float = 1.7
    smooth_ratio: float = 10.0
    most_steps: int = 40
    thorough: bool = True
    most_looks: int = 10

    def minimize(self, objective: Objective, region: Region, *, tol: float) -> str:
        line, recorded = region.lines[0], Recorded(objective)
        scan = Scan(recorded, line)
        if region.start is None:
            self.look(scan, line)
        else:
            self.descend(scan, line, line.nearest(region.start))
        ending = self.refine(scan, tol)
        self.settle(scan)
        return recorded.remark + ending

    def settle(self, scan: Scan) -> None:
        """Look where what decides may be better, where the criterion has only led the way there; without slopes."""
        for _ in range(self.most_looks):
            t = scan.most_promising_to_decide()
            if t is None:
                return
            scan.evaluate(t, 0.1 * scan.objective.coarse_tol, gradient=False)

    def look(self, scan: Scan, line: Line) -> None:
        """Evaluate from the simple end towards the complex one, until nothing better is to be expected."""
        ratio = self.fine_ratio if scan.objective.cheap else self.ratio
        step = float(np.log(self.smooth_ratio if line.smooth else ratio))
        t = line.t_high
        scan.evaluate(t, scan.objective.coarse_tol)
        while t > line.t_low:
            beyond = int(np.argmin(scan.value))  # so many points lie beyond the best one: the steps may grow
            t = max(t - 2.0 ** max(0, beyond - 1) * self._step(scan, step), line.t_low)
            scan.evaluate(t, scan.objective.coarse_tol * (_LOOSER if beyond > 1 else 1.0))
            if scan.has_risen(step):
                return

    def _looks_between(self, scan: Scan) -> bool:
        return self.thorough and scan.objective.cheap and not scan.line.smooth

    def _step(self, scan: Scan, step: float) -> float:
        """Shorter steps where the derivative flattens: not beyond where its secant vanishes."""
        if len(scan.t) < 3:
            return step
        t0, t1, g0, g1 = scan.t[1], scan.t[0], scan.slope[1], scan.slope[0]
        if g1 > 0.0 and g0 > g1 and scan.value[0] == min(scan.value):
            return float(np.clip(_SECANT * g1 * (t0 - t1) / (g0 - g1), 0.25 * step, step))
        return step

    def descend(self, scan: Scan, line: Line, t: float) -> None:
        """From a given point, step downhill with growing steps until the derivative changes sign."""
        slope = scan.evaluate(t, scan.objective.coarse_tol)
        while slope == 0.0 and t > line.t_low:  # nothing is selected there: go where something is
            scan.objective.remark = NO_SLOPE
            t = max(t - float(np.log(self.ratio)), line.t_low)
            slope = scan.evaluate(t, scan.objective.coarse_tol)
        step = -np.sign(slope) * np.log(self.ratio) / 2.0
        while slope * step < 0.0:
            following = float(np.clip(t + step, line.t_low, line.t_high))
            if following == t:
                return
            t, step = following, 2.0 * step
            slope = scan.evaluate(t, scan.objective.coarse_tol)

    def refine(self, scan: Scan, tol: float) -> str:
        """Evaluate where the model promises most, until it promises nothing that counts."""
        for _ in range(self.most_steps):
            t, promised, width = scan.most_promising()
            best = min(scan.value)
            if t is None or best - promised <= tol * abs(best):
                t, width = scan.unexplored() if self._looks_between(scan) else (None, 0.0)
                if t is None:
                    return scan.ending(tol)
            accuracy = max(_STEP_TOL * width**2, _ENOUGH * tol)
            scan.evaluate(t, min(scan.objective.coarse_tol, accuracy))
        return f"stopped after {self.most_steps} refinements"


class Scan:
    """The points visited along a line, sorted by ``t``."""

    def __init__(self, objective: Recorded, line: Line) -> None:
        self.objective, self.line = objective, line
        self.t: list[float] = []
        self.value: list[float] = []
        self.slope: list[float] = []
        self.gradient: list[Vector] = []
        self.decisive: list[float] = []
        self.led: list[bool] = []

    def evaluate(self, t: float, tol: float, gradient: bool = True) -> float:
        point = self.objective(self.line.at(t), tol, gradient)
        slope = self.line.slope(t, point.gradient)
        k = int(np.searchsorted(self.t, t))
        self.t.insert(k, t)
        self.value.insert(k, point.value)
        self.slope.insert(k, slope)
        self.gradient.insert(k, point.gradient)
        self.decisive.insert(k, point.value if point.decisive is None else point.decisive)
        self.led.insert(k, gradient and bool(np.isfinite(point.value)))
        return slope

    @property
    def is_led(self) -> bool:
        """Whether something else than the criterion decides."""
        return self.decisive != self.value

    def most_promising_to_decide(self) -> float | None:
        """Where what decides may be lowest: what leads, as modelled, and by how much they differ.

        The difference is taken for a random walk that is known at the points visited (Kushner, *A new method of
        locating the maximum point of an arbitrary multipeak curve in the presence of noise*, Journal of Basic
        Engineering 1964): in between it is about ``√(rate·(t − a)(b − t)/(b − a))`` away from a straight line. None
        where nothing better than the best point is to be expected.
        """
        t, value, slope = (np.array(of)[self.led] for of in (self.t, self.value, self.slope))
        if t.size < 2 or not np.isfinite(self.decisive).all() or not self.is_led:
            return None
        leads, visited, best = CubicHermiteSpline(t, value, slope), np.array(self.t), min(self.decisive)
        difference = np.array(self.decisive) - leads(visited)
        rate = float(np.mean(np.diff(difference) ** 2 / np.diff(visited)))
        places = np.linspace(visited[0], visited[-1], _PLACES)
        right = np.clip(np.searchsorted(visited, places), 1, visited.size - 1)
        before, after = places - visited[right - 1], visited[right] - places
        off = np.sqrt(rate * np.maximum(before * after, 0.0) / (before + after))
        lowest = leads(places) + np.interp(places, visited, difference) - _KAPPA * off
        lowest[np.minimum(before, after) < 0.5 * _CLOSE] = np.inf
        found = int(np.argmin(lowest))
        return float(places[found]) if lowest[found] < best - _WORTH * abs(best) else None

    def crossings(self) -> Vector | None:
        """For each hyperparameter a ``t``: where its derivative along the line turns from falling to rising.

        All together are the optimum where each acts on a part of the criterion of its own, as those of the targets of a
        Lasso do. Of several turns the one nearest to the best ``t`` counts, and without any the derivative says whither
        to go a limited way. None where the line moves one hyperparameter only.
        """
        t, best = np.array(self.t), self.t[int(np.argmin(self.value))]
        slopes = np.array(self.gradient) * self.line.direction
        if np.count_nonzero(self.line.direction) < 2:
            return None
        places = np.full(slopes.shape[1], best)
        for k, slope in enumerate(slopes.T):
            some = np.isfinite(slope) & (slope != 0.0)
            at, g = t[some], slope[some]
            turns = np.flatnonzero((g[:-1] < 0.0) & (g[1:] > 0.0))
            if turns.size:
                found = at[turns] - g[turns] * (at[turns + 1] - at[turns]) / (g[turns + 1] - g[turns])
                places[k] = found[np.argmin(np.abs(found - best))]
            elif g.size:
                places[k] = at[0] if g[0] > 0.0 else at[-1]
        return np.asarray(np.clip(places, best - _ASIDE, best + _ASIDE))

    def bends(self, places: Vector) -> Vector:
        """For each hyperparameter by how much its derivative rises along the line, per unit of its own, at a ``t``.

        They are its second derivatives where each acts on a part of the criterion of its own; zero where nothing is
        known. Of points close to each other one counts: looks are loosely solved, and slopes as exact as that.
        """
        apart = [0]
        for k in range(1, len(self.t)):
            if self.t[k] - self.t[apart[-1]] >= _APART:
                apart.append(k)
        t, gradients, direction = np.array(self.t)[apart], np.nan_to_num(self.gradient)[apart], self.line.direction
        if t.size < 2:
            return np.zeros(direction.size)
        right = np.clip(np.searchsorted(t, places), 1, t.size - 1)
        each = np.arange(direction.size)
        risen = gradients[right, each] - gradients[right - 1, each]
        along = direction * (t[right] - t[right - 1])
        return np.asarray(np.divide(risen, along, out=np.zeros_like(risen), where=along != 0.0))

    def has_risen(self, step: float) -> bool:
        """Whether going on, to the left by steps of ``step``, is hopeless.

        The first valley may be a shallow one before a deep one, so the criterion has to stay above its best over a wide
        range, unless the valley is a deep one and the rise from it clear, or the rise leads far above the simplest
        model. Where evaluations are dear, a clear rise is enough, or a slope that foretells it: the shallower the fall
        (beside the value of the simplest model), the clearer it has to be.
        """
        best = int(np.argmin(self.value))
        fall = self.value[-1] - self.value[best]
        rise, size = self.value[0] - self.value[best], abs(self.value[-1])
        if (fall > _DEEP * size and rise > _CLEAR * fall) or np.inf > rise > _FAR * max(fall, size) > 0.0:
            return True
        if fall > 0.0 and not self.objective.cheap:
            bend = max((self.slope[1] - self.slope[0]) / (self.t[1] - self.t[0]), 0.0)
            ahead = self.value[0] - step * self.slope[0] + 0.5 * step**2 * bend if self.slope[0] < 0.0 else 0.0
            if self.is_led and -step * self.slope[0] < 0.01 * fall:  # a fit to the same rows has kinks: a flat place
                ahead = 0.0
            rise = max(self.value[0], ahead) - self.value[best]
            if rise > min(0.03 * fall * max(1.0, 0.2 * size / fall) ** 4, max(3.0 * fall, 0.1 * size)):
                return True
        latest = [value for t, value in zip(self.t, self.value, strict=True) if t < self.t[0] + 0.5 * _WIDE]
        margin = 0.001 * abs(self.value[best])
        return self.t[best] - self.t[0] > _WIDE and min(latest) > self.value[best] + margin

    def most_promising(self) -> tuple[float | None, float, float]:
        """Where the model is lowest inside an interval: place, value, distance to the nearest point visited."""
        found: tuple[float | None, float, float] = (None, np.inf, 0.0)
        for k in range(len(self.t) - 1):
            minimum = _hermite_minimum if np.isfinite(self.value[k] + self.value[k + 1]) else _towards_the_unknown
            t, value = minimum(self.t[k : k + 2], self.value[k : k + 2], self.slope[k : k + 2])
            if t is not None and value < found[1]:
                found = (t, value, min(t - self.t[k], self.t[k + 1] - t))
        return found

    def unexplored(self) -> tuple[float | None, float]:
        """The middle of the widest interval near the best point: the curves have dips no cubic foresees."""
        if len(self.t) < 2:
            return None, 0.0
        t = np.array(self.t)
        width, middle = np.diff(t), 0.5 * (t[1:] + t[:-1])
        width[np.abs(middle - t[int(np.argmin(self.value))]) > _NEAR] = 0.0
        widest = int(np.argmax(width))
        if width[widest] <= _NARROW:
            return None, 0.0
        return float(middle[widest]), float(0.5 * width[widest])

    def ending(self, tol: float) -> str:
        best = int(np.argmin(self.value))
        if not np.isfinite(self.value[best]):
            return "the criterion is not finite at any point visited"
        if len(self.value) > 1 and max(self.value) == self.value[best]:
            return "converged: the criterion is flat, it is the same at all points visited"
        if best == 0 and self.slope[0] > 0.0:
            return "the optimum lies on the lower bound"
        if best == len(self.t) - 1 and self.slope[-1] <= 0.0:
            return "the optimum lies on the upper bound: the simplest model is the best"
        return f"converged: no point promises a relative improvement above {tol:.0e}"


def _hermite_minimum(t: list[float], value: list[float], slope: list[float]) -> tuple[float | None, float]:
    """Place and value of the interior minimum, if there is one, of the cubic through two points with given slopes."""
    width = t[1] - t[0]
    if width <= 1e-10:
        return None, np.inf
    a, b = value
    da, db = slope[0] * width, slope[1] * width
    quadratic, cubic = 3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db
    discriminant = quadratic * quadratic - 3.0 * cubic * da
    if discriminant < 0.0:
        return None, np.inf
    denominator = quadratic + np.sqrt(discriminant)
    if denominator <= 0.0:
        return None, np.inf
    u = -da / denominator  # of the two stationary points, the one that bends upwards
    if not 0.0 < u < 1.0:
        return None, np.inf
    u = float(np.clip(u, _OFF_ENDS, 1.0 - _OFF_ENDS))
    return t[0] + width * u, a + u * (da + u * (quadratic + u * cubic))


def _towards_the_unknown(t: list[float], value: list[float], slope: list[float]) -> tuple[float | None, float]:
    """Between a point with a value and one without: half-way, where the slope leads there, unless they are close."""
    width = t[1] - t[0]
    step = 0.5 * width if np.isfinite(value[0]) else -0.5 * width
    end = 0 if np.isfinite(value[0]) else 1
    if width < _CLOSE or not np.isfinite(value[end]) or slope[end] * step >= 0.0:
        return None, np.inf
    return t[end] + step, value[end] + slope[end] * step

"""Outer optimisers on functions whose minima are known; nothing here is a model."""

import numpy as np
import pytest

from functions import Function, bowl, line, plane, ripples, well
from lambdahat.outer import LBFGS, Line, Region, Scalar, Stop


@pytest.mark.parametrize("cheap", [True, False])
@pytest.mark.parametrize("center", [-1.0, -3.3, -5.0, -9.0])
@pytest.mark.parametrize("tol", [1e-3, 1e-8])
def test_scalar_finds_a_minimum(center, tol, cheap):
    function = well(center)
    function.cheap = cheap
    message = Scalar().minimize(function, line(), tol=tol)
    assert message.startswith("converged")
    assert function.best.value <= 5.0 * (1.0 + 10.0 * tol)


@pytest.mark.parametrize("cheap", [True, False])
def test_scalar_is_not_trapped_by_a_first_shallow_minimum(cheap):
    shallow, deep = well(-1.5, 1.0), well(-6.0, 1.5)
    function = Function(
        lambda x: shallow.value(x) + 2.0 * deep.value(x), lambda x: shallow.slope(x) + 2.0 * deep.slope(x), cheap=cheap
    )
    Scalar().minimize(function, line(), tol=1e-6)
    assert function.best.x[0] == pytest.approx(-6.0, abs=0.1)


@pytest.mark.parametrize(("sign", "end"), [(1.0, "lower"), (-1.0, "upper")])
def test_scalar_reports_a_minimum_on_a_bound(sign, end):
    function = Function(lambda x: 3.0 + sign * np.tanh(x[0] / 5.0), lambda x: sign / np.cosh(x / 5.0) ** 2 / 5.0)
    assert f"{end} bound" in Scalar().minimize(function, line(), tol=1e-6)
    assert function.best.x[0] == (-11.0 if end == "lower" else 0.0)


@pytest.mark.parametrize("start", [-10.0, -4.0, -0.5, 3.0, -20.0])
def test_scalar_descends_from_a_start(start):
    function = well(-4.0, 5.0)
    region = Region(np.array([-11.0]), np.array([0.0]), line().lines, np.clip([start], -11.0, 0.0))
    Scalar().minimize(function, region, tol=1e-8)
    assert function.points[0].x[0] == np.clip(start, -11.0, 0.0)
    assert function.best.value <= 5.0 * (1.0 + 1e-7)


def test_scalar_asks_for_more_accuracy_as_it_closes_in():
    function = well(-4.0)
    Scalar().minimize(function, line(), tol=1e-8)
    assert function.tols[0] == function.coarse_tol
    assert min(function.tols) < 0.1 * function.coarse_tol


@pytest.mark.parametrize("cheap", [True, False])
def test_a_look_ends_where_the_criterion_is_far_above_that_of_the_simplest_model(cheap):
    """A shallow valley, and then a rise without bound: fits there are the dearest."""

    def value(x):
        return 1.0 - 0.3 * np.exp(-((x[0] + 2.0) ** 2)) + np.exp(-4.0 * (x[0] + 3.5))

    def slope(x):
        return 0.6 * (x + 2.0) * np.exp(-((x + 2.0) ** 2)) - 4.0 * np.exp(-4.0 * (x + 3.5))

    function = Function(value, slope, cheap)
    Scalar().minimize(function, line(), tol=1e-8)
    far = [point.x[0] for point in function.points if point.value > 4.0]
    assert not far or min(far) == far[0]  # none beyond the first of them
    assert function.best.value == pytest.approx(min(value([x]) for x in np.linspace(-3.0, -1.0, 2001)), rel=1e-6)


@pytest.mark.parametrize("optimizer", [Scalar(), LBFGS()])
def test_a_spent_budget_is_passed_on(optimizer):
    function = well(-4.0)
    function.budget = 3
    with pytest.raises(Stop, match="no more"):
        optimizer.minimize(function, line(), tol=1e-10)
    assert len(function.points) == 3


@pytest.mark.parametrize("start", [None, np.array([-7.0, 2.0])])
@pytest.mark.parametrize("center", [np.array([-2.0, 1.0]), np.array([-6.0, -2.5])])
def test_lbfgs_finds_a_minimum(center, start):
    function = bowl(center)
    message = LBFGS().minimize(function, plane(start), tol=1e-10)
    assert "inside their bounds" in message
    np.testing.assert_allclose(function.best.x, center, atol=1e-3)


def test_lbfgs_stays_inside_the_bounds_and_says_when_it_ends_there():
    function = bowl(np.array([1.0, 4.0]))
    message = LBFGS().minimize(function, plane(), tol=1e-10)
    assert "bounds" in message
    assert "inside" not in message
    for point in function.points:
        assert np.all((point.x >= [-8.0, -3.0]) & (point.x <= [0.0, 3.0]))
    np.testing.assert_allclose(function.best.x, [0.0, 3.0], atol=1e-6)


@pytest.mark.parametrize("height", [0.003, 0.03, 0.3])
def test_lbfgs_on_a_criterion_with_kinks_is_never_worse_than_its_lines(height):
    function, by_line = ripples(height), []
    message = LBFGS().minimize(function, plane(), tol=1e-6)
    for one in plane().lines:
        alone = ripples(height)
        Scalar(fine_ratio=3.0, thorough=False).minimize(alone, Region(None, None, (one,)), tol=1e-6)
        by_line.append(alone.best.value)
    assert function.best.value <= min(by_line)
    assert function.best.value <= 1.0 + 2.0 * height
    assert message.startswith("converged")


def parts(curvatures, noise=0.0):
    """A part of its own for each hyperparameter, nearly quadratic; values are known to ``noise`` only."""
    center = np.linspace(-6.0, -4.0, curvatures.size)
    rng = np.random.default_rng(0)
    return Function(
        lambda x: 1.0 + curvatures @ (np.cosh(x - center) - 1.0) + noise * rng.uniform(),
        lambda x: curvatures * np.sinh(x - center),
        cheap=False,
    )


def diagonal(d):
    return Region(np.full(d, -11.0), np.zeros(d), (Line(np.zeros(d), np.ones(d), -11.0, 0.0),))


def test_lbfgs_begins_with_the_second_derivatives_that_its_line_has_shown():
    function, line_alone = parts(np.geomspace(1e-4, 1e-1, 12)), parts(np.geomspace(1e-4, 1e-1, 12))
    LBFGS().minimize(function, diagonal(12), tol=1e-7)
    Scalar(fine_ratio=3.0, thorough=False).minimize(line_alone, diagonal(12), tol=1e-3)
    assert function.best.value == pytest.approx(1.0, abs=1e-6)
    assert len(function.points) <= len(line_alone.points) + 8


def test_lbfgs_evaluates_no_point_twice_in_a_row_and_gives_up_what_is_lost_in_noise():
    function = parts(np.geomspace(1e-4, 1e-1, 12), noise=3e-5)
    message = LBFGS().minimize(function, diagonal(12), tol=1e-6)
    assert message.startswith("converged")
    assert function.best.value <= 1.0 + 1e-4
    assert len(function.points) <= 40
    for before, after in zip(function.points, function.points[1:], strict=False):
        assert not np.array_equal(before.x, after.x)


def test_where_evaluations_are_dear_fewer_lines_are_looked_along():
    counts = []
    for cheap in (True, False):
        function = bowl(np.array([-2.0, 1.0]))
        function.cheap = cheap
        LBFGS(few_lines=1).minimize(function, plane(), tol=1e-8)
        counts.append(len({point.x[1] for point in function.points} & {-2.0, 0.0, 2.0}))
        assert function.best.value <= 1.0 + 1e-6
    assert counts == [3, 1]


def test_where_evaluations_are_dear_a_clear_rise_ends_the_look():
    lowest = []
    for cheap in (True, False):
        function = well(-2.0)
        function.cheap = cheap
        Scalar().minimize(function, line(), tol=1e-4)
        lowest.append(min(point.x[0] for point in function.points))
    assert lowest[0] < -6.0 < lowest[1]


def decided_by(difference):
    """A well that leads, and what decides, so much beside it."""
    function = well(-4.0)
    leads = function.value
    function.decisive = lambda x: leads(x) + difference(float(np.ravel(x)[0]))
    return function


@pytest.mark.parametrize("seed", range(20))
def test_looks_in_the_end_go_where_what_decides_may_be_lower(seed):
    """Not far above the least of a fine grid, where a random walk is added to what leads."""
    random = np.random.default_rng(seed)
    places = np.linspace(-11.0, 0.0, 2001)
    walk = np.cumsum(random.normal(size=places.size)) * np.sqrt(places[1] - places[0]) * 0.05
    function = decided_by(lambda t: np.interp(t, places, walk))
    Scalar().minimize(function, line(), tol=1e-4)
    looked = [point.value for point, led in zip(function.points, function.gradients, strict=True) if not led]
    assert 0 < len(looked) <= Scalar().most_looks
    least = min(function.decisive(np.array([t])) for t in places)
    led = min(point.decisive for point, led in zip(function.points, function.gradients, strict=True) if led)
    found = min(led, *looked)
    assert found <= led
    assert found - least < 0.05


def test_no_looks_where_what_decides_runs_beside_what_leads():
    function = decided_by(lambda t: 0.5 + 1e-4 * t)
    Scalar().minimize(function, line(), tol=1e-6)
    assert all(function.gradients)
    assert function.best.x[0] == pytest.approx(-4.0, abs=0.01)


@pytest.mark.parametrize("fall", [0.03, 0.05])
def test_where_evaluations_are_dear_a_rise_far_above_a_shallow_fall_ends_the_look(fall):
    """A fall of 3 or 5 %, then a rise that is soon beyond three times the fall and a tenth of the criterion."""
    function = Function(
        lambda x: 1.0 - fall + fall * (x[0] + 1.5) ** 2 / 2.25, lambda x: 2.0 * fall * (x + 1.5) / 2.25, cheap=False
    )
    Scalar().minimize(function, line(), tol=1e-4)
    lowest = min(point.x[0] for point in function.points)
    assert lowest > -5.0


@pytest.mark.parametrize("center", [-3.3, -5.0, -7.7])
@pytest.mark.parametrize("tol", [1e-3, 1e-5])
def test_near_points_are_solved_as_well_as_they_are_near(center, tol):
    """A criterion differs by the square of the step: a gap beside it has to be small to tell which is better."""
    function = well(center)
    Scalar().minimize(function, line(), tol=tol)
    visited, asked = [point.x[0] for point in function.points], function.tols
    step = [min((abs(x - other) for other in visited[:k]), default=np.inf) for k, x in enumerate(visited)]
    refined = [k for k in range(len(visited)) if asked[k] < function.coarse_tol]  # the others are looks at the range
    assert len(refined) > 2
    for k in refined:
        assert asked[k] <= max(0.04 * step[k] ** 2, 4.0 * tol)

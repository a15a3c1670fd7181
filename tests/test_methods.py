"""Every search on functions whose minima are known: wells, bowls, kinks, cliffs, and nothing at all."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions import Function, bowl, line, plane, ripples, well
from lambdahat.outer import (
    HOAG,
    LBFGS,
    Adam,
    Bayesian,
    Chart,
    GradientDescent,
    Grid,
    Line,
    LineSearch,
    RandomSearch,
    Region,
    Scalar,
    Stop,
)

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the Gaussian process needs PyTorch")

DESCENTS = {
    "gradient_descent": GradientDescent(),
    "fixed": GradientDescent(10.0, normalised=False, max_iter=300),
    "line_search": LineSearch(),
    "adam": Adam(),
    "hoag": HOAG(),
    "hoag cubic": HOAG(decrease="cubic"),
    "hoag exponential": HOAG(decrease="exponential", max_iter=150),
    "lbfgs": LBFGS(),
}
SAMPLERS = {
    "grid": Grid(64),
    "random": RandomSearch(64, random_state=0),
    "tpe": Bayesian("tpe", n_points=64, random_state=0),
    "gp": Bayesian("gp", n_points=12, random_state=0),
}
ON_A_LINE = {**DESCENTS, **SAMPLERS, "scalar": Scalar()}
IN_A_PLANE = {**DESCENTS, **SAMPLERS}


def named(methods):
    marks = {"gp": [needs_torch]}
    return [pytest.param(method, id=name, marks=marks.get(name, ())) for name, method in methods.items()]


on_a_line = pytest.mark.parametrize("method", named(ON_A_LINE))
in_a_plane = pytest.mark.parametrize("method", named(IN_A_PLANE))
descents = pytest.mark.parametrize("method", named(DESCENTS))
samplers = pytest.mark.parametrize("method", named(SAMPLERS))


def starting(region, *start):
    return replace(region, start=np.array(start))


def steep():
    """A bowl a hundred times steeper along one axis than along the other."""
    H = np.diag([10.0, 0.1])
    return Function(lambda x: 1.0 + (x - [-3.0, 1.0]) @ H @ (x - [-3.0, 1.0]) / 2.0, lambda x: H @ (x - [-3.0, 1.0]))


# --- they find minima ------------------------------------------------------------------------------------------------


@descents
@pytest.mark.parametrize("start", [None, -8.0, -1.0])
@pytest.mark.parametrize("center", [-3.0, -6.0])
def test_descents_find_a_minimum(method, center, start):
    function = well(center, 5.0)
    method.minimize(function, line() if start is None else starting(line(), start), tol=1e-8)
    assert function.best.value <= 5.0 * (1.0 + 1e-6)


@descents
@pytest.mark.parametrize("start", [None, (-7.0, 2.0)])
def test_descents_find_a_minimum_in_the_plane(method, start):
    function = bowl(np.array([-2.0, 1.0]))
    message = method.minimize(function, plane() if start is None else starting(plane(), *start), tol=1e-7)
    assert function.best.value <= 1.0 + 1e-5
    assert "inside their bounds" in message


@pytest.mark.parametrize("method", [LBFGS(), LineSearch(max_iter=300), Adam(max_iter=400)])
def test_an_ill_conditioned_bowl(method):
    function = steep()
    method.minimize(function, starting(plane(), -7.0, -2.5), tol=1e-9)
    assert function.best.value <= 1.0 + 1e-3
    assert function.points[0].value > 50.0


@descents
def test_descents_end_on_a_bound_and_say_so(method):
    function = bowl(np.array([1.0, 4.0]))
    message = method.minimize(function, plane(), tol=1e-8)
    assert "some hyperparameters lie on their bounds" in message
    np.testing.assert_allclose(function.best.x, [0.0, 3.0], atol=1e-3)


@in_a_plane
def test_no_point_lies_outside_the_bounds(method):
    function = bowl(np.array([1.0, 4.0]))
    method.minimize(function, plane(), tol=1e-6)
    for point in function.points:
        assert np.all((point.x >= [-8.0, -3.0]) & (point.x <= [0.0, 3.0]))


@descents
@pytest.mark.parametrize("height", [0.003, 0.03])
def test_kinks_do_not_stop_a_descent_far_from_the_bottom(method, height):
    function = ripples(height)
    method.minimize(function, starting(plane(), -7.0, -2.5), tol=1e-7)
    assert function.best.value <= 1.0 + 0.3 * (function.points[0].value - 1.0)


def test_step_sizes_mean_what_they_say():
    function = Function(lambda x: 3.0 + 0.1 * x[0], lambda x: np.array([0.1]))
    GradientDescent(0.7, max_iter=1).minimize(function, line(), tol=1e-9)
    GradientDescent(0.7, normalised=False, max_iter=1).minimize(function, line(), tol=1e-9)
    first, second, third, fourth = (point.x[0] for point in function.points)
    assert first - second == pytest.approx(0.7)
    assert third - fourth == pytest.approx(0.07)


def test_by_default_descents_begin_at_a_hundredth_of_the_greatest_strength():
    for method in (GradientDescent(), LineSearch(), Adam(), HOAG()):
        function = well(-3.0)
        method.minimize(function, line(), tol=1e-3)
        assert function.points[0].x[0] == pytest.approx(-np.log(100.0))
    narrow = well(-3.0)
    GradientDescent().minimize(narrow, line(-2.0, 0.0), tol=1e-3)
    assert narrow.points[0].x[0] == -1.0


def test_hoag_asks_for_ever_more_accuracy():
    for decrease, second in (("quadratic", 0.1 / 4), ("cubic", 0.1 / 8), ("exponential", 0.09)):
        function = well(-3.0)
        HOAG(decrease=decrease).minimize(function, line(), tol=1e-8)
        np.testing.assert_allclose(function.tols[:2], [0.1**2, second**2])
        assert np.all(np.diff(function.tols) <= 0.0)
        assert min(function.tols) < 1e-4


def test_hoag_halves_its_error_where_a_step_is_taken_back():
    function = Function(lambda x: 2.0 + (x[0] + 4.0) ** 2, lambda x: 2.0 * (x + 4.0))
    HOAG(step_size=8.0).minimize(function, starting(line(), -1.0), tol=1e-8)
    assert function.points[1].value > function.points[0].value
    np.testing.assert_allclose(function.tols[2], (0.5 * 0.1 / 9) ** 2)
    assert function.best.value <= 2.0 + 1e-6


# --- without gradients -----------------------------------------------------------------------------------------------


@samplers
def test_samplers_ask_for_no_gradient_and_start_where_they_are_told(method):
    function = bowl(np.array([-2.0, 1.0]))
    method.minimize(function, starting(plane(), -7.0, 2.0), tol=1e-6)
    assert not any(function.gradients)
    np.testing.assert_allclose(function.points[0].x, [-7.0, 2.0])
    assert function.best.value < 0.1 * function.points[0].value


@samplers
def test_samplers_look_at_as_many_points_as_they_say(method):
    function = bowl(np.array([-2.0, 1.0]))
    message = method.minimize(function, plane(), tol=1e-6)
    assert len(function.points) == method.n_points
    assert str(method.n_points) in message


def test_a_grid_is_even_and_walked_from_simple_to_complex():
    function = well(-3.0)
    Grid(12).minimize(function, line(), tol=1e-6)
    np.testing.assert_allclose([point.x[0] for point in function.points], np.linspace(0.0, -11.0, 12))


@pytest.mark.parametrize(("d", "n_points", "each"), [(2, 100, 10), (3, 60, 4), (4, 5, 2)])
def test_a_grid_goes_to_and_fro(d, n_points, each):
    function = Function(lambda x: x @ x, lambda x: 2.0 * x)
    Grid(n_points).minimize(function, box(d), tol=1e-6)
    x = np.array([point.x for point in function.points])
    assert len(x) == len(np.unique(x, axis=0)) == each**d
    moved = np.abs(np.diff(x, axis=0))
    np.testing.assert_array_equal(np.count_nonzero(moved, axis=1), 1)
    np.testing.assert_allclose(moved.max(axis=1), 1.0 / (each - 1))
    np.testing.assert_array_equal(x[0], np.ones(d))


def box(d):
    return Region(np.zeros(d), np.ones(d), (Line(np.zeros(d), np.ones(d), 0.0, 1.0),))


def test_a_grid_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match=r"over 25 hyperparameters takes at least 2\^25 points: use 'lbfgs', or tune"):
        Grid().minimize(bowl(np.zeros(25)), box(25), tol=1e-6)


def test_bayesian_search_in_too_many_dimensions_is_refused():
    with pytest.raises(ValueError, match="at most 100 hyperparameters, not 101: use 'lbfgs' or 'random'"):
        Bayesian().minimize(bowl(np.zeros(101)), box(101), tol=1e-6)


def test_what_is_not_installed_is_named(monkeypatch):
    for missing, sentence in (("optuna", "optimizer='bayesian' needs optuna"), ("torch", "sampler 'gp' needs torch")):
        present = {"optuna", "torch"} - {missing}
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, present=present: name in present or None)
        with pytest.raises(ImportError, match=rf"{sentence}, which is not installed: pip install 'lambdahat\[bayesian"):
            Bayesian("gp").minimize(well(-3.0), line(), tol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [pytest.param("gp", marks=needs_torch), "tpe"])
def test_bayesian_search_is_silent_and_leaves_optuna_as_it_was(name, caplog, capfd):
    optuna = pytest.importorskip("optuna")
    before = optuna.logging.get_verbosity()
    Bayesian(name, n_points=12, random_state=0).minimize(well(-3.0), line(), tol=1e-6)
    assert optuna.logging.get_verbosity() == before
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_bayesian_search_goes_by_what_decides():
    """A score without a slope, where another criterion leads descents."""
    pytest.importorskip("optuna")
    leading, score, visited = well(-8.0), well(-3.0), []

    def objective(x, tol, gradient=True):
        visited.append(x[0])
        return replace(leading(x, tol, gradient), decisive=score(x, tol, gradient).value)

    objective.cheap, objective.coarse_tol = True, 1e-4
    Bayesian("tpe", n_points=64, random_state=0).minimize(objective, line(), tol=1e-6)
    late = np.array(visited[32:])
    assert np.mean(np.abs(late + 3.0) < np.abs(late + 8.0)) > 0.75


@needs_torch
def test_a_gaussian_process_needs_fewer_points_than_chance():
    model, chance = well(-3.3, 1.0), well(-3.3, 1.0)
    Bayesian("gp", n_points=18, random_state=0).minimize(model, line(), tol=1e-6)
    RandomSearch(18, random_state=0).minimize(chance, line(), tol=1e-6)
    assert model.best.value < min(chance.best.value, 5.001)


@pytest.mark.parametrize("name", ["random", "tpe", pytest.param("gp", marks=needs_torch)])
def test_a_seed_decides_everything(name):
    visited = {}
    for seed in (0, 0, 1):
        function = bowl(np.array([-2.0, 1.0]))
        replace(SAMPLERS[name], random_state=seed).minimize(function, plane(), tol=1e-6)
        visited.setdefault(seed, []).append(np.array([point.x for point in function.points]))
    np.testing.assert_array_equal(*visited[0])
    assert not np.array_equal(visited[0][0], visited[1][0])


# --- what can go wrong -----------------------------------------------------------------------------------------------


@in_a_plane
@pytest.mark.parametrize("budget", [1, 2, 7])
def test_a_spent_budget_is_passed_on(method, budget):
    function = bowl(np.array([-2.0, 1.0]))
    function.budget = budget
    with pytest.raises(Stop):
        method.minimize(function, starting(plane(), -7.0, 2.0), tol=1e-12)
    assert len(function.points) == budget


@on_a_line
def test_a_flat_criterion(method):
    function = Function(lambda x: 2.0, lambda x: np.zeros(1))
    message = method.minimize(function, line(), tol=1e-6)
    assert len(function.points) <= 64
    assert any(word in message for word in ("flat", "no slope", "no relative improvement", "visited"))


@descents
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_straight_line_leads_to_a_bound(method, sign):
    function = Function(lambda x: 30.0 + sign * x[0], lambda x: np.array([sign]))
    assert "on their bounds" in method.minimize(function, line(), tol=1e-6)
    assert function.best.x[0] == (-11.0 if sign > 0.0 else 0.0)


def cliff(bad, where=-3.0):
    """A slope that leads to where the criterion is not finite, with the minimum just before."""
    return Function(
        lambda x: 2.0 + (x[0] - where - 1.0) ** 2 if x[0] > where else bad,
        lambda x: 2.0 * (x - where - 1.0) if x[0] > where else np.full(1, bad),
    )


@pytest.mark.filterwarnings("error")
@on_a_line
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_descents_turn_back_from_where_the_criterion_is_not_finite(method, bad):
    function = cliff(bad)
    message = method.minimize(function, starting(line(), -0.1), tol=1e-8)
    finite = [point.value for point in function.points if np.isfinite(point.value)]
    assert min(finite) <= 2.0 + (0.5 if method in SAMPLERS.values() else 1e-5)
    assert "not finite" not in message


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", named({**DESCENTS, "scalar": Scalar()}))
def test_a_start_where_the_criterion_is_not_finite(method):
    function = cliff(np.nan)
    method.minimize(function, starting(line(), -6.0), tol=1e-8)
    if not isinstance(method, Scalar):  # which looks from there downwards only
        assert min(point.value for point in function.points if np.isfinite(point.value)) <= 2.0 + 1e-5


@pytest.mark.filterwarnings("error")
@on_a_line
@pytest.mark.parametrize("start", [None, -2.0])
def test_a_criterion_that_is_finite_nowhere(method, start):
    function = Function(lambda x: np.nan, lambda x: np.full(1, np.nan))
    message = method.minimize(function, line() if start is None else starting(line(), start), tol=1e-6)
    assert "not finite at any point" in message
    assert len(function.points) <= 100


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", named(DESCENTS))
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_single_probes_that_fail(method, bad):
    function = bowl(np.array([-2.0, 1.0]))
    smooth = function.value
    function.value = lambda x: bad if len(function.points) in (3, 4) else smooth(x)
    method.minimize(function, starting(plane(), -7.0, 2.0), tol=1e-7)
    finite = [point.value for point in function.points if np.isfinite(point.value)]
    assert min(finite) < 1.0 + 0.2 * (finite[0] - 1.0)


@pytest.mark.parametrize("method", named({**DESCENTS, "scalar": Scalar()}))
def test_a_start_without_slope_is_left_downwards(method):
    """As above λ_max, where no coefficient moves."""
    function = Function(
        lambda x: 3.0 + min(x[0] + 2.0, 0.0) * (x[0] + 8.0) / 9.0,
        lambda x: (2.0 * x + 10.0) / 9.0 * (x < -2.0),
    )
    message = method.minimize(function, starting(line(), -0.5), tol=1e-8)
    assert "the gradient is zero at the start (as above λ_max), moved to weaker penalties" in message
    assert function.points[1].x[0] == pytest.approx(-0.5 - np.log(3.0))
    assert function.best.value <= 2.0 * (1.0 + 1e-5)


def test_lbfgs_is_not_content_with_the_simplest_model_where_that_is_the_best_of_its_lines():
    """Beyond x₀ = −1 nothing moves; the minimum lies off the line, along which the criterion only rises."""
    inside = lambda x: x[0] < -1.0  # noqa: E731
    function = Function(
        lambda x: 3.0 + (-1.0 - x[0]) * (0.5 - 3.0 * x[1]) if inside(x) else 3.0,
        lambda x: np.array([3.0 * x[1] - 0.5, 3.0 * (x[0] + 1.0)]) if inside(x) else np.zeros(2),
    )
    alone = replace(plane(), lines=plane().lines[1:2])
    LBFGS().minimize(function, alone, tol=1e-8)
    assert function.best.value == pytest.approx(3.0 - 7.0 * 8.5)


@pytest.mark.parametrize("size", [1e10, 1e300])
@pytest.mark.parametrize(
    "make", [GradientDescent, lambda size: GradientDescent(size, normalised=False), LineSearch, Adam, HOAG]
)
def test_enormous_steps_are_shortened(make, size):
    function = well(-4.0, 5.0)
    make(size).minimize(function, line(), tol=1e-7)
    assert function.best.value <= 5.0 * (1.0 + 1e-4)


@pytest.mark.parametrize("make", [GradientDescent, Adam, HOAG])
def test_steps_too_short_to_matter_are_no_convergence(make):
    message = make(1e-12).minimize(well(-4.0, 1.0), starting(line(), -3.5), tol=1e-6)
    assert "stopped: steps this short promise no improvement above 1e-06, pass a greater step_size" in message


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GradientDescent(0.0), r"step_size=0.0 is out of range: it must be in \(0, inf\)"),
        (lambda: GradientDescent(-1.0), "step_size=-1.0 is out of range"),
        (lambda: GradientDescent(np.nan), "step_size=nan is out of range"),
        (lambda: GradientDescent(max_iter=0), "max_iter=0 is out of range: it must be a whole number, at least 1"),
        (lambda: LineSearch(np.inf), "step_size=inf is out of range"),
        (lambda: LineSearch("1"), "step_size='1' is not a number"),
        (lambda: Adam(0), r"step_size=0 is out of range: it must be in \(0, inf\)"),
        (lambda: Adam(decay=1.0), "decay=1 keeps all of the past: pass a share below 1"),
        (lambda: Adam(patience=0), "patience=0 is out of range"),
        (lambda: HOAG(0.0), r"step_size=0.0 is out of range: it must be in \(0, inf\)"),
        (lambda: HOAG(decrease="quadratc"), "unknown decrease 'quadratc': did you mean 'quadratic'?"),
        (lambda: HOAG(first_tol=2.0), r"first_tol=2.0 is out of range: it must be in \(0, 1\]"),
        (lambda: Grid(1), "n_points=1 is out of range: it must be a whole number, at least 2"),
        (lambda: RandomSearch(0), "n_points=0 is out of range"),
        (lambda: RandomSearch(inner_tol=0.0), r"inner_tol=0.0 is out of range: it must be in \(0, inf\)"),
        (lambda: Bayesian("gpp"), "unknown sampler 'gpp': did you mean 'gp'?"),
    ],
)
def test_settings_that_make_no_sense(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_the_inner_precision_can_be_chosen():
    for make in (GradientDescent, LineSearch, Adam, Grid, RandomSearch, lambda **kw: Bayesian("tpe", **kw)):
        function = well(-3.0)
        make(inner_tol=3e-7).minimize(function, line(), tol=1e-6)
        assert set(function.tols) == {3e-7}


# --- plain hyperparameters -------------------------------------------------------------------------------------------


def plainly(upper=1.0):
    """The half-line λ ≥ 0, whose looks go by log λ."""
    low, high = np.log([1e-5 * upper]), np.log([upper])
    chart = Chart(np.exp, np.exp, lambda x: np.log(np.maximum(x, 1e-300)), low, high, np.zeros(1), np.array([upper]))
    return Region(
        np.zeros(1), np.array([upper]), (Line(np.zeros(1), np.ones(1), low[0], high[0], chart=chart),), None, chart
    )


@on_a_line
@pytest.mark.parametrize("start", [None, 0.5])
def test_plain_hyperparameters_can_become_zero(method, start):
    function = Function(lambda x: 1.0 + x[0] + x[0] ** 2, lambda x: 1.0 + 2.0 * x)
    region = plainly() if start is None else starting(plainly(), start)
    method.minimize(function, region, tol=1e-9)
    at_most = 0.05 if isinstance(method, RandomSearch | Bayesian) else 0.0
    assert 0.0 <= function.best.x[0] <= at_most


@descents
@pytest.mark.parametrize("minimum", [0.3, 0.02])
def test_plain_hyperparameters_inside(method, minimum):
    function = Function(lambda x: 1.0 + (x[0] - minimum) ** 2, lambda x: 2.0 * (x - minimum))
    method.minimize(function, starting(plainly(), 0.1), tol=1e-9)
    assert function.best.value <= 1.0 + 1e-5


def test_a_charted_line_knows_its_derivative():
    region = plainly(3.0)
    t, step = -1.3, 1e-6
    f = lambda x: np.sin(x[0])  # noqa: E731
    one = region.lines[0]
    difference = (f(one.at(t + step)) - f(one.at(t - step))) / (2.0 * step)
    assert one.slope(t, np.cos(one.at(t))) == pytest.approx(difference, rel=1e-8)
    assert one.nearest(one.at(t)) == pytest.approx(t)
    assert one.at(one.t_low)[0] == 0.0
    assert one.at(one.t_high)[0] == 3.0


# --- never worse than the best seen ----------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    name=st.sampled_from([name for name in IN_A_PLANE if name != "gp"]),
    seed=st.integers(0, 10_000),
    start=st.none() | st.tuples(st.floats(-8.0, 0.0), st.floats(-3.0, 3.0)),
    share=st.sampled_from([0.0, 0.2, 0.9]),
)
def test_whatever_the_criterion_a_search_ends_and_says_how(name, seed, start, share):
    """Rough criteria with holes: nothing is raised, no point leaves the box, and the best seen is known."""
    rng = np.random.default_rng(seed)
    waves, phases, heights = rng.normal(size=(5, 2)), rng.uniform(0, 6, 5), rng.normal(size=5)
    bad = rng.choice([np.inf, np.nan])

    def value(x):
        hole = share > 0.0 and np.sin(7.0 * x[0] + 3.0 * x[1] + seed) < 2.0 * share - 1.0
        return bad if hole else float(heights @ np.sin(waves @ x + phases))

    function = Function(value, lambda x: (heights * np.cos(waves @ x + phases)) @ waves, budget=2000)
    message = IN_A_PLANE[name].minimize(function, plane() if start is None else starting(plane(), *start), tol=1e-6)
    values = np.array([point.value for point in function.points])
    points = np.array([point.x for point in function.points])
    assert np.all((points >= [-8.0, -3.0]) & (points <= [0.0, 3.0]))
    assert ("not finite at any point" in message) == (not np.isfinite(values).any())
    if np.isfinite(values).any():
        best = points[np.nanargmin(np.where(np.isfinite(values), values, np.inf))]
        on_bounds = np.any((best <= [-8.0, -3.0]) | (best >= [0.0, 3.0]))
        assert ("on their bounds" in message) == on_bounds  # it speaks of the best point, not of the last one

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from zoo import DATAFITS, TARGETS

N = 7


@pytest.fixture(params=DATAFITS)
def datafit(request):
    return DATAFITS[request.param]


@pytest.fixture(params=range(3))
def rows(request, datafit):
    """Targets, predictions, weights."""
    rng = np.random.default_rng(request.param)
    target = TARGETS[next(name for name, other in DATAFITS.items() if other is datafit)]
    return target(2.0 * rng.normal(size=N)), 2.0 * rng.normal(size=N), rng.dirichlet(np.ones(N))


def test_gradient_and_curvature_against_differences(datafit, rows):
    (y, z, s), h = rows, 1e-5
    unit = np.eye(N)
    gradient = [(datafit.value(y, z + h * e, s) - datafit.value(y, z - h * e, s)) / (2 * h) for e in unit]
    np.testing.assert_allclose(s * datafit.gradient(y, z), gradient, atol=1e-9)
    curvature = (datafit.gradient(y, z + h) - datafit.gradient(y, z - h)) / (2 * h)
    np.testing.assert_allclose(datafit.curvature(y, z), curvature, atol=1e-9)
    slope = (datafit.curvature(y, z + h) - datafit.curvature(y, z - h)) / (2 * h)
    np.testing.assert_allclose(datafit.curvature_slope(y, z), slope, atol=1e-8)
    assert np.all(datafit.curvature(y, z) >= 0.0)
    assert np.all(datafit.curvature(y, z) <= datafit.largest_curvature)


def test_secants_lead_to_the_rows_own_minimum(datafit, rows):
    y, z, _ = rows
    secant = datafit.secant(y, z)
    for i in np.flatnonzero(secant):
        row = y[i : i + 1]
        slope = datafit.gradient(row, z[i : i + 1])
        there = z[i] - slope / secant[i]
        np.testing.assert_allclose(datafit.gradient(row, there), 0.0, atol=1e-12)


def test_the_best_shift(datafit, rows):
    y, z, s = rows
    shift = datafit.shift(y, z, s)
    if shift is not None:
        assert s @ datafit.gradient(y, z + shift) == pytest.approx(0.0, abs=1e-14)
        nearby = [datafit.value(y, z + shift + d, s) for d in (-0.1, 0.0, 0.1)]
        assert nearby[1] == min(nearby)


def test_residuals_of_a_model_are_clipped_to_the_domain(datafit, rows):
    y, z, s = rows
    for size in (1.0, 1e3):
        u = datafit.clip(y, size * z)
        assert np.isfinite(datafit.conjugate(y, u, s))
        np.testing.assert_array_equal(datafit.clip(y, u), u)
        if size == 1.0:
            inside = datafit.gradient(y, z)
            np.testing.assert_array_equal(datafit.clip(y, inside), inside)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_conjugate_against_a_generic_maximiser(datafit, rows, share):
    """``f*(u) = max_z uz − f(z)``; equality of Fenchel and Young where ``u`` is a gradient."""
    y, z, s = rows
    u = share * datafit.gradient(y, z)
    expected = 0.0
    for i in range(N):
        row, weight = y[i : i + 1], np.ones(1)
        found = minimize_scalar(
            lambda t, i=i, row=row, weight=weight: datafit.value(row, np.array([t]), weight) - u[i] * t,
            bounds=(-60.0, 60.0), method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        expected -= s[i] * found.fun
    assert datafit.conjugate(y, u, s) == pytest.approx(expected, abs=1e-9)
    if share == 1.0:
        assert datafit.value(y, z, s) + datafit.conjugate(y, u, s) == pytest.approx(s @ (u * z), abs=1e-12)


def test_the_best_constant(datafit, rows):
    y, _, s = rows
    assert s @ datafit.gradient(y, np.full(N, datafit.constant(y, s))) == pytest.approx(0.0, abs=1e-15)


def test_extreme_predictions_overflow_nowhere(datafit, rows):
    y, _, s = rows
    with np.errstate(all="raise", under="ignore"):
        for big in (1e3 * y, -1e3 * y):
            assert np.isfinite(datafit.value(y, big, s))
            assert np.all(np.isfinite(datafit.gradient(y, big)))
            assert np.all(np.isfinite(datafit.curvature(y, big)))
            assert np.isfinite(datafit.conjugate(y, datafit.gradient(y, big), s))

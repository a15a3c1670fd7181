"""Every penalty of the zoo against brute force: nothing here knows a formula."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from zoo import FACTORS, PENALTIES

P = len(FACTORS)
SEEDS = range(5)


@pytest.fixture(params=PENALTIES)
def penalty(request):
    return PENALTIES[request.param](P)


def along(penalty, w, j):
    """The penalty as a function of one coefficient."""

    def value(u):
        moved = w.copy()
        moved[j] = u
        return penalty.value(moved)

    return value


def feasible(penalty, rng):
    """Coefficients with zeros at which the penalty is finite."""
    w = np.where(rng.random(P) < 0.6, rng.normal(size=P), 0.0)
    w = np.abs(w) if penalty.positive else w
    return np.where(np.isinf(penalty.l1), 0.0, w)


def one_sided(penalty, w, j, h=1e-7):
    """Left and right derivative in one coefficient; infinite at the end of the domain."""
    value = along(penalty, w, j)
    at = value(w[j])
    return (at - value(w[j] - h)) / h, (value(w[j] + h) - at) / h


@pytest.mark.parametrize("seed", SEEDS)
def test_prox_is_the_minimiser(penalty, seed):
    rng = np.random.default_rng(seed)
    z, step = 2.0 * rng.normal(size=P), rng.uniform(0.1, 5.0)
    u = penalty.prox(z, step)
    excluded = np.isinf(penalty.l1)
    assert not u[excluded].any()
    for j in np.flatnonzero(~excluded):
        value = along(penalty, np.zeros(P), j)

        def objective(t, j=j, value=value):
            return 0.5 * (t - z[j]) ** 2 + step * value(t)

        low = 0.0 if penalty.positive else -10.0
        found = minimize_scalar(objective, bounds=(low, 10.0), method="bounded", options={"xatol": 1e-12})
        best = min(found.fun, objective(0.0))
        assert objective(u[j]) <= best + 1e-14 * abs(best)
        np.testing.assert_allclose(u[j], found.x, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_derivatives_of_the_prox_against_differences(penalty, seed):
    rng, h = np.random.default_rng(seed), 1e-6
    z, step, theta = 2.0 * rng.normal(size=P), rng.uniform(0.1, 5.0), penalty.hyperparams
    dz = rng.normal(size=(theta.size, P))

    def at(theta, z):
        return penalty.with_hyperparams(theta).prox(z, step)

    expected = [
        (at(theta + e, z + h * row) - at(theta - e, z - h * row)) / (2.0 * h)
        for row, e in zip(dz, h * np.eye(theta.size), strict=True)
    ]
    jvp = penalty.prox_jvp(z, step, dz)
    np.testing.assert_allclose(jvp, expected, atol=1e-7)
    v = rng.normal(size=P)
    by_z, by_theta = penalty.prox_vjp(z, step, v)
    np.testing.assert_allclose(jvp @ v, dz @ by_z + by_theta, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_subdiff_distance_against_one_sided_derivatives(penalty, seed):
    rng = np.random.default_rng(seed)
    w, gradient = feasible(penalty, rng), 0.2 * rng.normal(size=P)
    distance = penalty.subdiff_distance(w, gradient)
    for j in range(P):
        left, right = one_sided(penalty, w, j)
        expected = max(0.0, -gradient[j] - right, left + gradient[j])
        np.testing.assert_allclose(distance[j], expected, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_subdiff_distance_vanishes_at_fixed_points_of_the_prox(penalty, seed):
    rng = np.random.default_rng(seed)
    z, step = rng.normal(size=P), rng.uniform(0.1, 5.0)
    w = penalty.prox(z, step)
    np.testing.assert_allclose(penalty.subdiff_distance(w, (w - z) / step), 0.0, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_generalized_support_is_where_the_penalty_is_smooth(penalty, seed):
    w = feasible(penalty, np.random.default_rng(seed))
    sides = [one_sided(penalty, w, j) for j in range(P)]
    smooth = [j for j, (left, right) in enumerate(sides) if abs(right - left) < 1e-6]
    np.testing.assert_array_equal(penalty.generalized_support(w), smooth)


@pytest.mark.parametrize("seed", SEEDS)
def test_curvature_and_vjp_against_differences(penalty, seed):
    rng = np.random.default_rng(seed)
    w = feasible(penalty, rng)
    support = np.flatnonzero(w).astype(np.int32)
    v, t = rng.normal(size=support.size), 1e-3 * np.abs(w[support]).min(initial=1.0)

    def slope(penalty, v):
        """Derivative of the penalty along v."""
        ahead, behind = w.copy(), w.copy()
        ahead[support] += t * v
        behind[support] -= t * v
        return (penalty.value(ahead) - penalty.value(behind)) / (2.0 * t)

    theta = penalty.hyperparams
    steps = 1e-2 * theta
    expected = [
        (slope(penalty.with_hyperparams(theta + e), v) - slope(penalty.with_hyperparams(theta - e), v)) / (2.0 * h)
        for h, e in zip(steps, np.diag(steps), strict=True)
    ]
    np.testing.assert_allclose(penalty.hyperparam_vjp(support, w[support], v), expected, rtol=1e-8, atol=1e-8)

    for k, j in enumerate(support):
        value = along(penalty, w, j)
        h = 1e-3 * abs(w[j])
        second = (value(w[j] + h) - 2.0 * value(w[j]) + value(w[j] - h)) / h**2
        np.testing.assert_allclose(penalty.restricted(support).curvature(w[support]).diagonal[k], second, atol=1e-5)


def test_rescaled_is_the_penalty_of_scaled_coefficients(penalty):
    rng = np.random.default_rng(0)
    w, scales = feasible(penalty, rng), rng.uniform(0.1, 10.0, size=P)
    np.testing.assert_allclose(penalty.rescaled(scales).value(w), penalty.value(scales * w), rtol=1e-13)


def test_positive_penalties_are_infinite_below_zero(penalty):
    w = np.zeros(P)
    w[1] = -1.0
    assert np.isinf(penalty.value(w)) == penalty.positive


def test_hyperparams_round_trip(penalty):
    theta = 2.0 * penalty.hyperparams
    np.testing.assert_array_equal(penalty.with_hyperparams(theta).hyperparams, theta)
    assert penalty.hyperparams.ndim == 1

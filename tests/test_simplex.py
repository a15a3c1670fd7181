"""Support vector regression on the simplex: its domain, its solver by gap and brute force, its gradients."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp, minimize
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import GradientSearch, HeldOut, SimplexSVR, hypergradient, path
from lambdahat.penalties import EVERYTHING, SIMPLEX, Domain
from zoo import STORAGES

STEP = 1e-5


@parametrize_with_checks([SimplexSVR(tol=1e-10), GradientSearch(SimplexSVR(tol=1e-10), max_evals=5)])
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def mixture(n=60, p=8, *, seed=0, noise=0.1):
    """Profiles of components with zeros, and a mixture of a few of them."""
    rng = np.random.default_rng(seed)
    X = np.abs(rng.normal(size=(n, p)))
    X[rng.random((n, p)) > 0.8] = 0.0
    X = np.round(X * 2**10) / 2**10
    shares = rng.dirichlet(np.full(p, 0.3))
    return X, X @ shares + noise * rng.normal(size=n)


def objective(w, X, y, C, epsilon, weight):
    return 0.5 * w @ w + C * weight @ np.maximum(np.abs(y - X @ w) - epsilon, 0.0)


# --- the domain ------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(1, 12), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_nearest_point(seed, p, scale):
    v = scale * np.random.default_rng(seed).normal(size=p)
    w = SIMPLEX.nearest(v)
    assert w.min() >= 0.0
    assert w.sum() == pytest.approx(1.0)
    # w is nearest where v − w is largest, and the same, wherever w is positive
    gap = v - w
    assert gap.max() - gap[w > 0.0].min() <= 1e-9 * (1.0 + scale)
    np.testing.assert_allclose(Domain(total=2.0).nearest(v).sum(), 2.0, atol=1e-9 * (1.0 + scale))
    np.testing.assert_array_equal(Domain(nonnegative=True).nearest(v), np.maximum(v, 0.0))
    np.testing.assert_array_equal(EVERYTHING.nearest(v), v)


@pytest.mark.parametrize("domain", [SIMPLEX, Domain(total=2.0), Domain(nonnegative=True), EVERYTHING], ids=str)
def test_the_derivative_of_the_nearest_point(domain):
    rng = np.random.default_rng(0)
    v, u = rng.normal(size=9), rng.normal(size=9)
    ends = [domain.nearest(v + sign * 1e-6 * u) for sign in (1.0, -1.0)]
    np.testing.assert_allclose(domain.tangent(domain.nearest(v), u), (ends[0] - ends[1]) / 2e-6, atol=1e-8)


# --- the solver ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", sorted(STORAGES))
@pytest.mark.parametrize("C", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_it_agrees_with_a_generic_solver(C, epsilon, storage):
    X, y = mixture(40, 6)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=40)
    weight[3] = 0.0
    model = SimplexSVR(C, epsilon=epsilon, tol=1e-12).fit(STORAGES[storage](X), y, weight)
    assert model.dual_gap_ <= 1e-12
    assert model.coef_.min() >= 0.0
    assert model.coef_.sum() == pytest.approx(1.0)
    assert model.intercept_ == 0.0
    # weights, and an excess for each row that is at least both of its one-sided errors
    n, p = X.shape
    errors = [
        {"type": "ineq", "fun": lambda x, s=s: x[p:] + epsilon - s * (y - X @ x[:p]), "jac": lambda x, s=s: s_jac(s)}
        for s in (1.0, -1.0)
    ]

    def s_jac(s):
        return np.hstack([s * X, np.eye(n)])

    total = {"type": "eq", "fun": lambda x: x[:p].sum() - 1.0, "jac": lambda x: np.repeat([1.0, 0.0], [p, n])}
    start = np.full(p, 1.0 / p)
    start = np.append(start, np.maximum(np.abs(y - X @ start) - epsilon, 0.0))
    found = minimize(
        lambda x: 0.5 * x[:p] @ x[:p] + C * weight @ x[p:],
        start,
        jac=lambda x: np.append(x[:p], C * weight),
        bounds=[(0.0, None)] * (p + n),
        constraints=[*errors, total],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 2000},
    )
    ours, theirs = (objective(w, X, y, C, epsilon, weight) for w in (model.coef_, found.x[:p]))
    assert ours <= theirs * (1 + 1e-9)
    np.testing.assert_allclose(model.coef_, found.x[:p], atol=1e-5)


def test_a_large_C_is_a_linear_programme():
    X, y = mixture(40, 6)
    n, p = X.shape
    model = SimplexSVR(1e4, epsilon=0.05, tol=1e-10).fit(X, y)
    cost = np.repeat([0.0, 1.0], [p, n])
    rows = [np.hstack([s * X, np.eye(n)]) for s in (1.0, -1.0)]
    limits = [LinearConstraint(rows[0], y - 0.05), LinearConstraint(rows[1], -y - 0.05)]
    limits.append(LinearConstraint(np.repeat([1.0, 0.0], [p, n]), 1.0, 1.0))
    least = milp(cost, constraints=limits, bounds=Bounds(0.0)).fun
    excess = np.maximum(np.abs(y - X @ model.coef_) - 0.05, 0.0).sum()
    assert excess == pytest.approx(least, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(1, 50), p=st.integers(1, 30), log_C=st.floats(-3.0, 1.5),
    epsilon=st.sampled_from([0.0, 0.1]), storage=st.sampled_from(sorted(STORAGES)),
)  # fmt: skip
def test_any_data(seed, n, p, log_C, epsilon, storage):
    X, y = mixture(n, p, seed=seed)
    rng = np.random.default_rng(seed)
    X[:, rng.integers(p)] = 0.5  # a constant column
    X[rng.integers(n)] = 0.25  # and a constant row
    C = 10.0**log_C
    model = SimplexSVR(C, epsilon=epsilon, tol=1e-8).fit(STORAGES[storage](X), y)
    assert model.dual_gap_ <= 1e-8
    assert model.coef_.min() >= 0.0
    assert model.coef_.sum() == pytest.approx(1.0)
    assert np.all(np.abs(model.dual_coef_) <= C * (1 + 1e-12))
    np.testing.assert_allclose(model.coef_, SIMPLEX.nearest(X.T @ model.dual_coef_), atol=1e-6)
    value, weight = objective(model.coef_, X, y, C, epsilon, np.ones(n)), np.ones(n)
    for _ in range(20):
        other = rng.dirichlet(np.ones(p))
        t = 10.0 ** rng.uniform(-4, 0)
        assert value <= objective((1 - t) * model.coef_ + t * other, X, y, C, epsilon, weight) * (1 + 1e-7)


# --- tuning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csr"])
@pytest.mark.parametrize("criterion", ["cv", "held-out"])
@pytest.mark.parametrize(("C", "epsilon"), [(0.05, 0.05), (0.3, 0.1), (2.0, 0.02), (0.02, 0.2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_hypergradient_against_central_differences(weighted, C, epsilon, criterion, storage):
    X, y = mixture(80, 8, noise=0.2)
    X_val, y_val = mixture(50, 8, seed=1)
    judge = "cv" if criterion == "cv" else HeldOut(X_val, y_val)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=80) if weighted else None

    def at(C, epsilon):
        model = SimplexSVR(C, epsilon=epsilon)
        return hypergradient(model, STORAGES[storage](X), y, criterion=judge, cv=3, tol=1e-13, sample_weight=weight)

    found = at(C, epsilon).log_gradient
    up, down = np.exp(STEP), np.exp(-STEP)
    by_C = (at(C * up, epsilon).value - at(C * down, epsilon).value) / (2.0 * STEP)
    by_epsilon = (at(C, epsilon * up).value - at(C, epsilon * down).value) / (2.0 * STEP)
    np.testing.assert_allclose(found, [by_C, by_epsilon], rtol=1e-5, atol=1e-8)


def test_a_search_finds_shares():
    X, y = mixture(200, 10, noise=0.05)
    one = GradientSearch(SimplexSVR(epsilon=0.02), cv=3, hyperparams="C").fit(X, y)
    grid = [
        hypergradient(SimplexSVR(C, epsilon=0.02), X, y, cv=3, hyperparams="C", tol=1e-6).value
        for C in np.geomspace(1e-3, 1e3, 25)
    ]
    assert one.best_criterion_ <= min(grid) * (1 + 1e-3)
    both = GradientSearch(SimplexSVR(), cv=3).fit(X, y)
    assert both.best_criterion_ <= one.best_criterion_ * (1 + 5e-3)
    assert both.coef_.sum() == pytest.approx(1.0)
    assert both.score(X, y) > 0.8


def test_a_path_begins_at_equal_shares():
    X, y = mixture()
    found = path(SimplexSVR(epsilon=0.05, tol=1e-10), X, y, n_alphas=6)
    assert found.param == "C"
    np.testing.assert_allclose(found.coefs.sum(axis=0), 1.0)
    for k in (0, 3, 5):
        single = SimplexSVR(found.alphas[k], epsilon=0.05, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(found.coefs[:, k], single.coef_, atol=1e-4)
    tiny = SimplexSVR(1e-9, tol=1e-12).fit(X, y).coef_
    np.testing.assert_allclose(tiny, np.full(8, 1.0 / 8), atol=1e-6)


def test_bad_input_gets_a_sentence():
    X, y = mixture()
    for model, message in (
        (SimplexSVR(0.0), "C=0.0 is out of range"),
        (SimplexSVR(epsilon=-1.0), "epsilon=-1.0 is out of range"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        SimplexSVR().fit(X, np.where(np.arange(60) == 3, np.nan, y))
    with pytest.raises(ValueError, match="implicit"):
        hypergradient(SimplexSVR(), X, y, method="forward")

"""The square-root Lasso: against the Lasso at the strength it amounts to, basis pursuit, and differences."""

import numpy as np
import pytest
import scipy.sparse
from scipy.optimize import linprog, minimize
from scipy.stats import norm
from sklearn.linear_model import Lasso as ScikitLasso
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import GradientSearch, HeldOut, SqrtLasso, alpha_max, hypergradient, path
from lambdahat.datafits import RootMeanSquare
from zoo import STORAGES, sample


@parametrize_with_checks(
    [SqrtLasso(), SqrtLasso(0.1, tol=1e-12), GradientSearch(SqrtLasso(tol=1e-13), bounds=(0.1, 1.0))]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def sigma(model, s):
    residual = s.y - s.X @ model.coef_ - model.intercept_
    return float(np.sqrt(s.weight @ residual**2 / s.weight.sum()))


# --- the loss --------------------------------------------------------------------------------------------------------


def loss_and_point(seed=0, n=9):
    rng = np.random.default_rng(seed)
    y, z, d = rng.normal(size=(3, n))
    weights = rng.uniform(0.0, 1.0, size=n)
    weights[2] = 0.0
    weights /= weights.sum()
    return RootMeanSquare().prepared(y, weights), y, z, d, weights


@pytest.mark.parametrize("near", [False, True], ids=["", "small residuals"])
def test_slopes_and_hessian_are_derivatives(near):
    loss, y, z, d, weights = loss_and_point()
    step = 1e-5
    if near:
        z, d, step = y + 1e-7 * z, 1e-7 * d, 1.0  # where it is quadratic
    expected = (loss.value(y, z + step * d, weights) - loss.value(y, z - step * d, weights)) / (2.0 * step)
    assert weights @ (loss.gradient(y, z) * d) == pytest.approx(expected, rel=1e-6)
    change = loss.gradient(y, z + step * d) - loss.gradient(y, z - step * d)
    product = loss.hessian(y, z, weights)(d)
    np.testing.assert_allclose(product, weights * change / (2.0 * step), atol=1e-7 * np.abs(product).max())
    assert d @ product <= weights @ (loss.curvature(y, z) * d * d) * (1.0 + 1e-12)  # a bound of it


@pytest.mark.parametrize("near", [False, True], ids=["", "small residuals"])
def test_the_conjugate(near):
    loss, y, z, d, weights = loss_and_point()
    z = y + 1e-7 * z if near else z
    u = loss.gradient(y, z)
    assert loss.value(y, z, weights) + loss.conjugate(y, u, weights) == pytest.approx(weights @ (u * z), abs=1e-12)
    for share in (0.0, 0.3, 0.9):  # Fenchel's inequality
        bound = weights @ (share * u * d) - loss.conjugate(y, share * u, weights)
        assert loss.value(y, d, weights) >= bound - 1e-12
    far = loss.clip(y, 7.0 * d)
    assert np.sqrt(weights @ far**2) == pytest.approx(1.0)


# --- solutions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}])
@pytest.mark.parametrize(("shape", "alpha"), [((60, 12), 0.1), ((60, 12), 0.4), ((40, 100), 0.3)])
def test_it_is_the_lasso_at_alpha_sigma(shape, alpha, options, storage):
    s = sample(*shape, noise=2.0)
    model = SqrtLasso(alpha, tol=1e-11, **options).fit(STORAGES[storage](s.X), s.y, s.weight)
    assert model.dual_gap_ <= 1e-11
    theirs = ScikitLasso(alpha * sigma(model, s), tol=1e-12, max_iter=1_000_000, **options).fit(s.X, s.y, s.weight)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, atol=1e-4)


@pytest.mark.parametrize("tol", [1e-2, 1e-5])
def test_the_gap_is_a_bound(tol):
    s = sample(50, 120, noise=2.0)

    def objective(model):
        return sigma(model, s) + 0.3 * np.abs(model.coef_).sum()

    loose, tight = (SqrtLasso(0.3, tol=t).fit(s.X, s.y, s.weight) for t in (tol, 1e-11))
    size = np.sqrt(np.average((s.y - np.average(s.y, weights=s.weight)) ** 2, weights=s.weight))
    assert objective(loose) - objective(tight) <= loose.dual_gap_ * size + 1e-12
    assert loose.dual_gap_ <= tol


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("standardize", [False, True])
def test_alpha_max_is_exact(standardize, storage):
    s = sample(60, 12, noise=2.0)
    X = STORAGES[storage](s.X)
    largest = alpha_max(X, s.y, loss=RootMeanSquare(), standardize=standardize, sample_weight=s.weight)
    for scale, some in ((1.001, False), (0.98, True)):
        model = SqrtLasso(scale * largest, standardize=standardize, tol=1e-12).fit(X, s.y, s.weight)
        assert model.coef_.any() == some


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.001])
def test_small_residuals_end_at_basis_pursuit(alpha):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 90)), rng.normal(size=30)
    model = SqrtLasso(alpha, fit_intercept=False, tol=1e-6, max_iter=10_000).fit(X, y)
    assert model.dual_gap_ <= 1e-6
    pursuit = linprog(np.ones(180), A_eq=np.hstack([X, -X]), b_eq=y)
    smallest = pursuit.x.sum()
    if alpha <= 0.01:  # it interpolates
        assert np.linalg.norm(y - X @ model.coef_) <= 1e-4 * np.linalg.norm(y)
    size = np.linalg.norm(y) / np.sqrt(30)
    least = alpha * smallest
    found = alpha * np.abs(model.coef_).sum() + np.linalg.norm(y - X @ model.coef_) / np.sqrt(30)
    assert found <= least + (1e-6 + 1e-5) * size


def test_a_perfect_fit_without_penalty():
    s = sample(60, 5)
    y = s.X @ np.arange(5.0) + 3.0
    model = SqrtLasso(0.0, tol=1e-8).fit(s.X, y)
    np.testing.assert_allclose(model.coef_, np.arange(5.0), atol=1e-4)
    flat = SqrtLasso(0.1).fit(s.X, np.full(60, 2.0))
    assert not flat.coef_.any()
    assert flat.intercept_ == pytest.approx(2.0)
    assert "y is constant" in flat.status_


def test_weights_are_repetitions():
    s = sample(60, 12, noise=2.0)
    times = np.random.default_rng(0).integers(0, 4, size=60)
    for alpha in (0.1, "pivotal"):
        weighted = SqrtLasso(alpha, tol=1e-12).fit(s.X, s.y, times)
        repeated = SqrtLasso(alpha, tol=1e-12).fit(np.repeat(s.X, times, axis=0), np.repeat(s.y, times))
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)


# --- the pivotal strength --------------------------------------------------------------------------------------------


def test_the_pivotal_strength_knows_no_noise():
    s = sample(100, 40, noise=2.0)
    model = SqrtLasso(standardize=True, tol=1e-12).fit(s.X, s.y)
    given = SqrtLasso(1.1 * norm.ppf(1.0 - 0.05 / 80.0) / 10.0, standardize=True, tol=1e-12).fit(s.X, s.y)
    np.testing.assert_allclose(model.coef_, given.coef_, atol=1e-9)
    louder = SqrtLasso(standardize=True, tol=1e-12).fit(s.X, 100.0 * s.y - 7.0)
    np.testing.assert_allclose(louder.coef_, 100.0 * model.coef_, atol=1e-5)


def test_the_pivotal_strength_selects_nothing_from_noise():
    rng = np.random.default_rng(0)
    selected = [
        SqrtLasso(standardize=True).fit(rng.normal(size=(80, 200)), 5.0 * rng.normal(size=80)).coef_.any()
        for _ in range(60)
    ]
    assert np.mean(selected) <= 0.05


# --- tuning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", ["cv", "held-out"])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize(
    "options", [{}, {"fit_intercept": False}, {"standardize": True}, {"penalty_factors": np.arange(12.0) % 3}]
)
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_hypergradient_against_differences(alpha, options, storage, criterion):
    s = sample(60, 12, noise=3.0)
    X, judge = STORAGES[storage](s.X), HeldOut(s.X_val, s.y_val) if criterion == "held-out" else "cv"

    def at(t):
        model = SqrtLasso(alpha * np.exp(t), **options)
        return hypergradient(model, X, s.y, criterion=judge, cv=3, sample_weight=s.weight, tol=1e-13)

    expected = (at(1e-4).value - at(-1e-4).value) / 2e-4
    assert at(0.0).log_gradient[0] == pytest.approx(expected, rel=1e-5, abs=1e-8 * at(0.0).value)


def test_a_search_minimises_the_error_of_rows_held_out():
    s = sample(80, 40, noise=3.0)
    cv = KFold(4)
    search = GradientSearch(SqrtLasso(), cv=cv).fit(s.X, s.y)
    assert search.metric_ == "root mean squared error"

    def error(alpha):
        predicted = cross_val_predict(SqrtLasso(alpha, tol=1e-10), s.X, s.y, cv=cv)
        return np.mean([np.sqrt(mean_squared_error(s.y[test], predicted[test])) for _, test in cv.split(s.X)])

    assert search.best_criterion_ == pytest.approx(error(search.best_params_["alpha"]), rel=1e-5)
    around = minimize(
        lambda t: error(float(np.exp(t[0]))), [np.log(search.best_params_["alpha"])], method="Nelder-Mead"
    )
    assert search.best_criterion_ <= around.fun * (1.0 + 1e-4)


def test_path():
    s = sample(60, 12, noise=2.0)
    found = path(SqrtLasso(tol=1e-10), scipy.sparse.csc_array(s.X), s.y, n_alphas=6, eps=0.05)
    assert found.support_sizes[0] == 0
    model = SqrtLasso(found.alphas[3], tol=1e-10).fit(s.X, s.y)
    np.testing.assert_allclose(found.coefs[:, 3], model.coef_, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SqrtLasso("best"), "alpha='best' is unknown: pass a number, or 'pivotal'"),
        (SqrtLasso(-1.0), "alpha=-1.0 is out of range"),
        (GradientSearch(SqrtLasso(), init="estimator"), "depends on the rows of each fold"),
    ],
)
def test_bad_input_gets_a_sentence(model, message):
    s = sample(40, 6)
    with pytest.raises(ValueError, match=message):
        model.fit(s.X, s.y)


@pytest.mark.parametrize("method", ["implicit_forward", "forward", "backward"])
def test_methods_that_iterate_say_that_they_cannot(method):
    s = sample(40, 6)
    with pytest.raises(ValueError, match="use method='implicit'"):
        hypergradient(SqrtLasso(0.1), s.X, s.y, method=method)

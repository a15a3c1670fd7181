"""The adaptive Lasso: against its two fits made by hand, scikit-learn, and differences through both."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso as ScikitLasso
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import (
    AdaptiveLasso,
    ElasticNet,
    GradientSearch,
    HeldOut,
    Lasso,
    WeightedLasso,
    alpha_max,
    hypergradient,
    jacobian_convergence,
    path,
)
from lambdahat.design import as_storage
from lambdahat.solvers import alpha_max as strength_at_zero
from lambdahat.solvers import solve
from lambdahat.two_stages import Reweighting, Stages
from test_properties import SETTINGS, datasets
from zoo import STORAGES, sample

INITIAL = ("lasso", "ridge")
OPTIONS = [
    {},
    {"fit_intercept": False},
    {"standardize": True},
    {"positive": True},
    {"penalty_factors": np.array([0.0, 1.0, 0.5, np.inf, 2.0, 1.0] * 2)},
    {"gamma": 2.0, "epsilon": 0.1},
    {"epsilon": 0.0},
    {"initial_alpha": 0.2},
]
CASES = {" ".join(map(str, option)) or "plain": option for option in OPTIONS}


@parametrize_with_checks(
    [
        AdaptiveLasso(0.1, tol=1e-14),
        AdaptiveLasso(0.1, initial="ridge", tol=1e-14),
        GradientSearch(AdaptiveLasso(tol=1e-14), max_evals=8),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# --- the fits --------------------------------------------------------------------------------------------------------


def weights_by_hand(w, scales, factors, gamma=1.0, epsilon=0.01):
    """The weights as the class says them, times the factors."""
    factors = np.ones(w.size) if factors is None else factors
    weighed = (factors > 0.0) & np.isfinite(factors)
    size = np.where(weighed, np.abs(scales * w), 0.0)
    with np.errstate(divide="ignore"):
        weights = ((1.0 + epsilon) / (size / max(size.max(), 1e-300) + epsilon)) ** gamma
    return np.where(weighed, weights, 1.0) * factors


def by_hand(alpha, s, *, initial="lasso", initial_alpha=None, gamma=1.0, epsilon=0.01, penalty_factors=None, **options):
    """Both fits, by other estimators."""
    fit_intercept = options.get("fit_intercept", True)
    mean = np.average(s.X, axis=0, weights=s.weight)
    scales = np.sqrt(np.average((s.X - mean) ** 2, axis=0, weights=s.weight)) if options.get("standardize") else 1.0
    centred = s.y - np.average(s.y, weights=s.weight) if fit_intercept else s.y
    tied = alpha if initial == "lasso" else alpha**2 / np.average(centred**2, weights=s.weight)
    strength = tied if initial_alpha is None else initial_alpha
    ratio = 1.0 if initial == "lasso" else 0.0
    more = {"tol": 1e-15, "penalty_factors": penalty_factors, **options}
    first = ElasticNet(strength, l1_ratio=ratio, **more).fit(s.X, s.y, s.weight)
    weights = weights_by_hand(first.coef_, scales, penalty_factors, gamma, epsilon)
    return first, WeightedLasso(alpha, weights=weights, tol=1e-15, **options).fit(s.X, s.y, s.weight)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("initial", INITIAL)
def test_it_is_two_fits(initial, options, storage):
    s = sample(60, 12, noise=2.0)
    first, second = by_hand(0.1, s, initial=initial, **options)
    model = AdaptiveLasso(0.1, initial=initial, tol=1e-15, **options).fit(STORAGES[storage](s.X), s.y, s.weight)
    scale = np.abs(second.coef_).max()
    np.testing.assert_allclose(model.initial_coef_, first.coef_, atol=1e-8 * scale)
    np.testing.assert_allclose(model.initial_intercept_, first.intercept_, atol=1e-8 * scale)
    np.testing.assert_allclose(model.weights_, second.weights, rtol=1e-5)
    np.testing.assert_allclose(model.coef_, second.coef_, atol=1e-8 * scale)
    np.testing.assert_allclose(model.intercept_, second.intercept_, atol=1e-8 * scale)
    assert model.dual_gap_ <= 1e-15


@pytest.mark.parametrize("shape", [(60, 12), (40, 100)])
def test_against_scikit_learn_on_rescaled_columns(shape):
    s = sample(*shape, noise=1.0)
    alpha, more = 0.3, {"tol": 1e-13, "max_iter": 1_000_000}
    first = ScikitLasso(alpha, **more).fit(s.X, s.y, s.weight)
    weights = weights_by_hand(first.coef_, 1.0, None)
    second = ScikitLasso(alpha, **more).fit(s.X / weights, s.y, s.weight)
    model = AdaptiveLasso(alpha, tol=1e-14).fit(s.X, s.y, s.weight)
    np.testing.assert_allclose(model.coef_, second.coef_ / weights, atol=1e-6)
    np.testing.assert_allclose(model.predict(s.X), second.predict(s.X / weights), atol=1e-6)
    assert 0 < np.count_nonzero(model.coef_) < np.count_nonzero(first.coef_)


def test_gamma_zero_is_the_lasso():
    s = sample(60, 12)
    model = AdaptiveLasso(0.1, gamma=0.0, tol=1e-14).fit(s.X, s.y)
    np.testing.assert_allclose(model.coef_, Lasso(0.1, tol=1e-14).fit(s.X, s.y).coef_, atol=1e-8)


def test_without_epsilon_what_is_zero_at_first_stays_zero():
    s = sample(60, 40, noise=2.0)
    model = AdaptiveLasso(0.2, epsilon=0.0).fit(s.X, s.y)
    out = model.initial_coef_ == 0.0
    assert out.any()
    assert np.all(np.isinf(model.weights_[out]))
    assert not model.coef_[out].any()
    again = AdaptiveLasso(0.2, epsilon=0.0, warm_start=True).fit(s.X, s.y)
    again.set_params(alpha=2.0).fit(s.X, s.y)  # from coefficients that are excluded now
    np.testing.assert_allclose(again.coef_, AdaptiveLasso(2.0, epsilon=0.0).fit(s.X, s.y).coef_, atol=1e-2)
    assert again.dual_gap_ <= 1e-4


def test_a_warm_start_has_nothing_left_to_do():
    s = sample(60, 12, noise=2.0)
    model = AdaptiveLasso(0.1, tol=1e-8, warm_start=True).fit(s.X, s.y)
    cold = model.n_iter_
    model.fit(s.X, s.y)
    assert model.n_iter_ <= 1 < cold


def test_it_says_which_fit_fell_short():
    s = sample(60, 100, noise=2.0)
    with pytest.warns(ConvergenceWarning, match=r"AdaptiveLasso stopped after .*tol=1.0e-12.*\(the initial fit\)"):
        AdaptiveLasso(0.05, tol=1e-12, max_iter=1).fit(s.X, s.y)
    model = AdaptiveLasso(0.2).fit(s.X, s.y)
    assert re.fullmatch(
        r"converged: relative duality gap \S+ after \d+ rounds, and \d+ of the initial fit", model.status_
    )


@SETTINGS
@given(
    data=datasets(),
    initial=st.sampled_from(INITIAL),
    storage=st.sampled_from(sorted(STORAGES)),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
    positive=st.booleans(),
    share=st.floats(0.01, 1.1),
    unit=st.sampled_from([1e-3, 8.0, 1e5]),
)
def test_any_data(data, initial, storage, fit_intercept, standardize, positive, share, unit):
    """It is the weighted Lasso with its weights, to its gap; units of y do not matter; at alpha_max nothing is left."""
    X, y, weight = data
    X = STORAGES[storage](X)
    options = {"fit_intercept": fit_intercept, "standardize": standardize, "positive": positive}
    largest = alpha_max(X, y, sample_weight=weight, **options)
    alpha = share * (largest or 1.0)
    tol = 1e-13
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = AdaptiveLasso(alpha, initial=initial, tol=tol, **options).fit(X, y, weight)
        other = WeightedLasso(alpha, weights=model.weights_, tol=tol, **options).fit(X, y, weight)
        scaled = AdaptiveLasso(alpha * unit, initial=initial, tol=tol, **options).fit(X, y * unit, weight)
    assert np.all(model.weights_ >= 1.0)
    assert np.all(model.weights_ <= 101.0 * (1.0 + 1e-12))
    s = weight / weight.sum()
    centre = s @ y if fit_intercept else 0.0
    size = float(s @ (y - centre) ** 2)
    dense = np.asarray(X.toarray() if scipy.sparse.issparse(X) else X, dtype=float)
    scales = np.sqrt(s @ (dense - s @ dense) ** 2) if standardize else np.ones(dense.shape[1])
    scales[scales <= 1e-14 * np.abs(s @ dense)] = 1.0

    def objective(coef, intercept):
        return 0.5 * s @ (y - dense @ coef - intercept) ** 2 + alpha * (model.weights_ * scales) @ np.abs(coef)

    found = [objective(model.coef_, model.intercept_), objective(other.coef_, other.intercept_)]
    reached = max(model.dual_gap_, other.dual_gap_, scaled.dual_gap_)
    assert abs(found[0] - found[1]) <= (reached + 1e-12) * size
    if share >= 1.0:
        assert not model.coef_.any()
    difference = dense @ (model.coef_ - scaled.coef_ / unit)
    assert s @ (difference - s @ difference * fit_intercept) ** 2 <= 1e-8 * size or reached > tol


# --- the strength at which all is zero -------------------------------------------------------------------------------


def problem_of(model, s, storage="C"):
    X = STORAGES[storage](s.X)
    return model._model().problems(as_storage(X), s.y, [s.weight])[0]


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("initial", INITIAL)
def test_alpha_max_is_exact(initial, options, storage):
    s = sample(60, 12, noise=2.0)
    largest = strength_at_zero(problem_of(AdaptiveLasso(1.0, initial=initial, **options), s, storage))
    kinked = np.ones(12, dtype=bool) if "penalty_factors" not in options else options["penalty_factors"] > 0.0
    for factor, some in ((1.5, False), (1.0 + 1e-8, False), (1.0 - 1e-4, True)):
        model = AdaptiveLasso(factor * largest, initial=initial, tol=1e-13, **options)
        assert model.fit(STORAGES[storage](s.X), s.y, s.weight).coef_[kinked].any() == some
    if initial == "lasso" and "initial_alpha" not in options:
        of_lasso = {name: options[name] for name in options if name not in ("gamma", "epsilon")}
        assert largest == pytest.approx(alpha_max(s.X, s.y, sample_weight=s.weight, **of_lasso), rel=1e-10)


def test_just_below_alpha_max_coefficients_are_small():
    s = sample(60, 12, noise=2.0)
    largest = alpha_max(s.X, s.y)
    near = AdaptiveLasso((1.0 - 1e-3) * largest, tol=1e-14).fit(s.X, s.y).coef_
    nearer = AdaptiveLasso((1.0 - 1e-4) * largest, tol=1e-14).fit(s.X, s.y).coef_
    np.testing.assert_allclose(nearer, 0.1 * near, rtol=1e-4)


# --- derivatives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0.01, 0.5])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_derivatives_of_the_weights(gamma, epsilon):
    rng = np.random.default_rng(0)
    reweighting = Reweighting(gamma, epsilon)
    u, slopes = rng.normal(size=(2, 7))
    assert reweighting.weights(u).min() == 1.0
    np.testing.assert_allclose(reweighting.weights(np.zeros(3)), (1.0 + 1.0 / epsilon) ** gamma)
    step = 1e-6
    expected = [
        slopes @ (reweighting.weights(u + h) - reweighting.weights(u - h)) / (2.0 * step) for h in step * np.eye(7)
    ]
    np.testing.assert_allclose(reweighting.weights_vjp(u, slopes), expected, rtol=1e-6, atol=1e-8)
    assert not reweighting.weights_vjp(np.zeros(7), slopes).any()


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("criterion", ["held-out", "cv"])
@pytest.mark.parametrize("storage", ["C", "csc", "F float32"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("initial", INITIAL)
def test_hypergradient_against_differences(initial, options, storage, criterion, weighted):
    s = sample(60, 12, noise=2.0)
    X, judge = STORAGES[storage](s.X), HeldOut(s.X_val, s.y_val) if criterion == "held-out" else "cv"
    weight = s.weight if weighted else None

    def at(t):
        model = AdaptiveLasso(0.1 * np.exp(t), initial=initial, **options)
        return hypergradient(model, X, s.y, criterion=judge, cv=3, sample_weight=weight, tol=1e-15)

    assert_slopes(at(0.0).log_gradient[0], lambda t: at(t).value)


def assert_slopes(found, value):
    """Central differences, extrapolated."""
    wide, narrow = ((value(h) - value(-h)) / (2.0 * h) for h in (2e-4, 1e-4))
    assert found == pytest.approx((4.0 * narrow - wide) / 3.0, rel=1e-6)


@pytest.mark.parametrize("criterion", ["held-out", "cv"])
@pytest.mark.parametrize("initial", INITIAL)
def test_the_derivatives_of_both_strengths(initial, criterion):
    s = sample(60, 30, noise=2.0)
    judge = HeldOut(s.X_val, s.y_val) if criterion == "held-out" else "cv"
    names = ["alpha", "initial_alpha"]

    def at(*t, hyperparams=names):
        strengths = dict(zip(names, np.array([0.1, 0.07]) * np.exp(t), strict=True))
        model = AdaptiveLasso(initial=initial, standardize=True, **strengths)
        return hypergradient(model, s.X, s.y, criterion=judge, cv=3, hyperparams=hyperparams, tol=1e-15)

    here = at(0.0, 0.0)
    assert list(here.hyperparams) == names
    assert_slopes(here.log_gradient[0], lambda t: at(t, 0.0).value)
    assert_slopes(here.log_gradient[1], lambda t: at(0.0, t).value)
    for k, name in enumerate(names):
        assert at(0.0, 0.0, hyperparams=name).gradient[0] == pytest.approx(here.gradient[k], rel=1e-9)


def test_more_columns_than_rows():
    s = sample(40, 150, noise=1.0)
    for initial in INITIAL:

        def value(t, initial=initial):
            model = AdaptiveLasso(0.3 * np.exp(t), initial=initial)
            return hypergradient(model, s.X, s.y, cv=3, tol=1e-15)

        assert_slopes(value(0.0).log_gradient[0], lambda t: value(t).value)


def test_nothing_depends_on_alpha_where_all_is_zero():
    s = sample(40, 8)
    for initial in INITIAL:
        found = hypergradient(AdaptiveLasso(1e3, initial=initial), s.X, s.y)
        np.testing.assert_array_equal(found.gradient, 0.0)
        assert not found.coef.any()


# --- searches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("initial", INITIAL)
def test_a_search_finds_what_a_fine_grid_finds(initial, storage):
    s = sample(80, 40, noise=3.0)
    X, cv = STORAGES[storage](s.X), KFold(4)
    search = GradientSearch(AdaptiveLasso(initial=initial), cv=cv).fit(X, s.y)
    low, high = search.bounds_["alpha"]
    grid = [hypergradient(AdaptiveLasso(a, initial=initial), X, s.y, cv=cv).value for a in np.geomspace(high, low, 300)]
    assert search.best_criterion_ <= min(grid) * (1.0 + 1e-3)
    there = AdaptiveLasso(search.best_params_["alpha"], initial=initial, tol=1e-12)
    scores = cross_val_score(there, X, s.y, cv=cv, scoring="neg_mean_squared_error")
    assert search.best_criterion_ == pytest.approx(-scores.mean(), rel=1e-4)
    np.testing.assert_allclose(search.coef_, there.fit(X, s.y).coef_, atol=0.02 * np.abs(search.coef_).max())


@pytest.mark.parametrize("start", [0.02, 1.0])
def test_a_search_is_no_worse_than_its_start(start):
    s = sample(80, 40, noise=3.0)
    init = hypergradient(AdaptiveLasso(start), s.X, s.y).value
    search = GradientSearch(AdaptiveLasso(start), init="estimator").fit(s.X, s.y)
    assert search.best_criterion_ < init * (1.0 - 1e-3)


@pytest.mark.parametrize("initial", INITIAL)
def test_both_strengths_are_tuned(initial):
    s = sample(100, 40, noise=3.0)
    model = AdaptiveLasso(initial=initial)
    both = GradientSearch(model, hyperparams=["alpha", "initial_alpha"]).fit(s.X, s.y)
    one = GradientSearch(model).fit(s.X, s.y)
    assert both.best_criterion_ <= one.best_criterion_ * (1.0 + 5e-3)
    assert set(both.best_params_) == {"alpha", "initial_alpha"}
    again = hypergradient(AdaptiveLasso(initial=initial, **both.best_params_), s.X, s.y)
    assert both.best_criterion_ == pytest.approx(again.value, rel=1e-4)


def test_a_pipeline():
    s = sample(80, 20, noise=2.0)
    search = GradientSearch(make_pipeline(StandardScaler(), AdaptiveLasso())).fit(s.X, s.y)
    assert search.best_criterion_ < np.var(s.y)
    assert "adaptivelasso__alpha" in search.best_params_


@pytest.mark.parametrize("initial", INITIAL)
def test_warm_starts_end_where_cold_ones_do(initial):
    s = sample(80, 60, noise=2.0)
    problem, solution = problem_of(AdaptiveLasso(1.0, initial=initial), s), None
    for alpha in (0.5, 0.3, 0.1, 0.2, 0.6):
        there = problem.with_hyperparams(np.array([alpha]))
        solution = solve(there, tol=1e-14, start=solution)
        cold = solve(there, tol=1e-14)
        assert isinstance(solution.workspace, Stages)
        np.testing.assert_allclose(solution.w, cold.w, atol=1e-6)
        assert solution.converged


def test_path():
    s = sample(60, 12, noise=2.0)
    for initial in INITIAL:
        found = path(
            AdaptiveLasso(initial=initial, tol=1e-12), scipy.sparse.csc_array(s.X), s.y, n_alphas=6, eps=0.05,
            X_val=s.X_val, y_val=s.y_val,
        )  # fmt: skip
        assert found.support_sizes[0] == 0
        model = AdaptiveLasso(found.alphas[3], initial=initial, tol=1e-12).fit(s.X, s.y)
        np.testing.assert_allclose(found.coefs[:, 3], model.coef_, atol=1e-6)
        assert found.scores[3] == pytest.approx(np.mean((s.y_val - model.predict(s.X_val)) ** 2), rel=1e-6)


# --- what it does not do ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (AdaptiveLasso(-1.0), "alpha=-1.0 is out of range"),
        (AdaptiveLasso(initial="ols"), "unknown initial fit 'ols': known are 'lasso', 'ridge'"),
        (AdaptiveLasso(gamma=-1.0), "gamma=-1.0 is out of range"),
        (AdaptiveLasso(epsilon=-0.1), "epsilon=-0.1 is out of range"),
        (AdaptiveLasso(initial_alpha=-0.1), "initial_alpha=-0.1 is out of range"),
        (AdaptiveLasso(penalty_factors=[1.0]), "pass one factor a column"),
        (GradientSearch(AdaptiveLasso(), hyperparams="gamma"), "unknown hyperparameter 'gamma'"),
        (
            GradientSearch(AdaptiveLasso(), hyperparams="initial_alpha"),
            "initial_alpha is searched with alpha: pass hyperparams=",
        ),
        (
            GradientSearch(AdaptiveLasso(), hyperparams=["alpha", "initial_alpha"], init="estimator"),
            "initial_alpha is tied to alpha: pass a number",
        ),
    ],
)
def test_bad_input_gets_a_sentence(model, message):
    s = sample(40, 6)
    with pytest.raises(ValueError, match=message):
        model.fit(s.X, s.y)


@pytest.mark.parametrize("method", ["implicit_forward", "forward", "backward"])
def test_methods_that_iterate_say_that_they_cannot(method):
    s = sample(40, 6)
    with pytest.raises(ValueError, match="two fits, one after the other: use method='implicit'"):
        hypergradient(AdaptiveLasso(0.1), s.X, s.y, method=method)
    with pytest.raises(ValueError, match="two fits, one after the other: pass a model of one fit"):
        jacobian_convergence(AdaptiveLasso(0.1), s.X, s.y)

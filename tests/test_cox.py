"""Proportional hazards: the loss against its formula, its conjugate, the solver, targets, hazards, and differences."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import CoxLasso, GradientSearch, HeldOut, SparseGLM, alpha_max, hypergradient, path
from lambdahat.datafits import Cox
from lambdahat.datafits.survival import RiskSets
from zoo import STORAGES, sample

TIES = ["breslow", "efron"]
SEVERAL = settings(max_examples=60, deadline=None, derandomize=True)


@parametrize_with_checks([CoxLasso(tol=1e-15), GradientSearch(CoxLasso(tol=1e-15), bounds=(0.01, 1.0))])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def survival(z, seed=0, *, decimals=None, strata=1, censored=0.4):
    """Times of log risk z, some of them censored; rounded, they are tied."""
    rng = np.random.default_rng(seed)
    time = rng.exponential(np.exp(-np.clip(z, -8.0, 8.0)))
    event = rng.random(z.size) > censored
    time = np.where(event, time, time * rng.random(z.size))
    fields = [("seen", bool), ("days", float)] + [("stratum", "U1")] * (strata > 1)
    y = np.empty(z.size, dtype=fields)
    y["seen"], y["days"] = event, time if decimals is None else np.round(time, decimals)
    if strata > 1:
        y["stratum"] = np.array(list("cab"))[rng.integers(strata, size=z.size)]
    return y


def people(n=60, p=12, *, seed=0, noise=0.0, **options):
    """Rows of the zoo with times, weights (one of them zero), and a validation part."""
    s = sample(n, p, seed=seed, noise=noise)
    z = np.concatenate([s.y, s.y_val])
    y = survival(0.5 * (z - z.mean()), seed, **options)
    return s.X, y[:n], s.weight, s.X_val, y[n:]


def loss(z, y, s, ties="breslow"):
    """By its formula, with s of sum 1."""
    event, time = y["seen"] & (s > 0.0), y["days"]
    stratum = y["stratum"] if "stratum" in y.dtype.names else np.zeros(len(y))
    total = 0.0
    for label in np.unique(stratum):
        for t in np.unique(time[event & (stratum == label)]):
            tied = event & (stratum == label) & (time == t)
            d, weight = tied.sum(), s[tied].sum()
            risk = s @ (np.exp(z) * ((stratum == label) & (time >= t)))
            for c in np.arange(d) / d if ties == "efron" else [0.0]:
                part = weight / d if ties == "efron" else weight
                total += part * np.log((risk - c * (s @ (np.exp(z) * tied))) / (weight * (1.0 - c)))
            total -= s[tied] @ z[tied]
    return total


@st.composite
def points(draw):
    """A prepared loss, its weights, targets, and two predictions."""
    n, strata = draw(st.integers(1, 14)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = survival(rng.normal(size=n), int(rng.integers(1000)), decimals=draw(st.sampled_from([None, 0])), strata=strata)
    s = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 3.0, size=n))
    s[0] = 1.0
    s /= s.sum()
    scale = draw(st.sampled_from([0.1, 1.0, 5.0]))
    datafit = Cox(draw(st.sampled_from(TIES)))
    codes = datafit.read(y, n)
    return datafit.prepared(codes, s), s, y, codes, scale * rng.normal(size=(2, n))


# --- the loss --------------------------------------------------------------------------------------------------------


@SEVERAL
@given(points())
def test_the_loss_and_its_derivatives(point):
    datafit, s, y, codes, (z, d) = point
    n, h = len(y), 1e-5
    assert datafit.value(codes, z, s) == pytest.approx(loss(z, y, s, datafit.ties), abs=1e-12)
    assert datafit.value(codes, z + 3.0, s) == pytest.approx(datafit.value(codes, z, s), abs=1e-12)
    differences = [
        (loss(z + h * e, y, s, datafit.ties) - loss(z - h * e, y, s, datafit.ties)) / (2 * h) for e in np.eye(n)
    ]
    slopes = s * datafit.gradient(codes, z)
    np.testing.assert_allclose(slopes, differences, atol=1e-9)
    product = datafit.hessian(codes, z, s)
    H = np.array([product(e) for e in np.eye(n)])
    there, back = (s * datafit.gradient(codes, z + step * d) for step in (h, -h))
    np.testing.assert_allclose(product(d), (there - back) / (2 * h), atol=1e-7 * max(1.0, np.abs(d).max() ** 2))
    np.testing.assert_allclose(H, H.T, atol=1e-14)
    np.testing.assert_array_equal(product(np.full(n, 0.3)), 0.0)
    np.testing.assert_allclose(s * datafit.curvature(codes, z), H.diagonal(), atol=1e-14)
    bound = np.diag(s * datafit.secant(codes, z))
    assert np.linalg.eigvalsh(bound - H).min() >= -1e-14
    assert np.linalg.eigvalsh(H).min() >= -1e-14
    rows, image = datafit.images(codes, z, 0.25)
    expected = (0.75 * H + 0.25 * bound)[rows][:, rows]
    np.testing.assert_allclose(image(np.eye(rows.size)), expected, atol=1e-14)


@SEVERAL
@given(points(), st.floats(0.0, 1.0))
def test_the_conjugate_is_one(point, share):
    """Equality of Fenchel and Young at a gradient; inequality at its multiples, and at whatever has been clipped."""
    datafit, s, _, codes, (z, other) = point
    u = datafit.gradient(codes, z)
    equal = datafit.value(codes, z, s) + datafit.conjugate(codes, u, s) - s @ (u * z)
    assert equal == pytest.approx(0.0, abs=1e-12 * (1.0 + np.abs(z).max()))
    clipped = datafit.clip(codes, 2.0 * other)
    for v in (share * u, clipped, datafit.clip(codes, u + 1e-3 * other)):
        assert np.isfinite(datafit.conjugate(codes, v, s))
        gap = datafit.value(codes, other, s) + datafit.conjugate(codes, v, s) - s @ (v * other)
        assert gap >= -1e-12 * (1.0 + np.abs(other).max())
    np.testing.assert_allclose(datafit.clip(codes, u), u, atol=1e-13)
    np.testing.assert_allclose(datafit.clip(codes, clipped), clipped, atol=1e-13)
    assert datafit.conjugate(codes, 0.0 * u, s) == pytest.approx(0.0, abs=1e-14)  # no loss is below zero


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_the_conjugate_is_the_supremum(share, ties):
    y = survival(np.zeros(10), 4, decimals=0, censored=0.3)
    s = np.linspace(0.5, 1.5, 10) / 10.0
    datafit = Cox(ties)
    codes = datafit.read(y, 10)
    datafit = datafit.prepared(codes, s)
    u = share * datafit.gradient(codes, np.random.default_rng(1).normal(size=10))
    found = minimize(
        lambda z: datafit.value(codes, z, s) - s @ (u * z), np.zeros(10),
        jac=lambda z: s * (datafit.gradient(codes, z) - u), options={"gtol": 1e-12, "maxiter": 10_000},
    )  # fmt: skip
    assert datafit.conjugate(codes, u, s) == pytest.approx(-found.fun, abs=1e-9)


@pytest.mark.parametrize("ties", TIES)
def test_what_is_no_gradient_has_no_conjugate(ties):
    y = survival(np.zeros(10), 4, decimals=0, censored=0.3)
    datafit, s = Cox(ties), np.full(10, 0.1)
    codes = datafit.read(y, 10)
    datafit = datafit.prepared(codes, s)
    late = np.argmax(y["days"])
    for u in (np.ones(10), -0.5 * (np.arange(10) == late), 0.5 * (np.arange(10) == np.argmin(y["days"]))):
        assert datafit.conjugate(codes, u, s) == np.inf


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("strata", [1, 3])
def test_extreme_predictions_overflow_nowhere(strata, ties):
    y = survival(np.zeros(30), decimals=1, strata=strata)
    datafit, s = Cox(ties), np.full(30, 1.0 / 30.0)
    codes = datafit.read(y, 30)
    datafit = datafit.prepared(codes, s)
    d = np.random.default_rng(0).normal(size=30)
    with np.errstate(all="raise", under="ignore"):
        for z in (1e3 * d, -1e3 * d, 1e5 + d, 300.0 * d):
            u = datafit.gradient(codes, z)
            assert np.isfinite(datafit.value(codes, z, s))
            assert np.all(np.isfinite(u))
            assert np.all(np.isfinite(datafit.hessian(codes, z, s)(d)))
            assert datafit.value(codes, z, s) + datafit.conjugate(codes, u, s) == pytest.approx(
                s @ (u * z), rel=1e-10, abs=1e-10
            )


def test_rows_of_no_weight_and_rows_before_the_first_event_do_not_count():
    y = np.array([(False, 1.0), (True, 2.0), (False, 2.0), (True, 0.5), (True, 3.0), (False, 4.0)],
                 dtype=[("seen", bool), ("days", float)])  # fmt: skip
    weights = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    at = RiskSets.create(Cox().read(y, 6), weights)
    assert at.rows.tolist() == [1, 2, 4, 5]  # one censored when another has its event still is at risk
    assert at.deaths.tolist() == [1, 1]
    assert at.start.tolist() == [0, 2, 4]


# --- solutions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("strata", [1, 3])
@pytest.mark.parametrize("spread", [1.0, 1000.0])
def test_losses_without_a_row(spread, strata, ties):
    """As if it had no weight, whatever the others' risk: events and censored rows, tied, or alone at a time."""
    y = people(40, 3, seed=3, decimals=1, strata=strata)[1]
    rng = np.random.default_rng(0)
    s = rng.uniform(0.5, 1.5, size=40)
    codes = Cox(ties).read(y, 40)
    datafit = Cox(ties).prepared(codes, s)
    rows = datafit.at.rows
    places = np.arange(-1, rows.size)
    Z, D = spread * rng.normal(size=(places.size, 40)), rng.normal(size=(places.size, 40))
    Z[5, rows[4]] = 3000.0  # the row that is left out hides the others
    found = datafit.without_rows(Z[:, rows], places)
    images, added = found.hessian(D[:, rows], np.arange(places.size)), datafit.added_by_rows(Z[:, rows], places)
    for place, z, d, value, slopes, image in zip(places, Z, D, added, found.gradients, images, strict=True):
        without = np.where((place >= 0) & (np.arange(40) == rows[place]), 0.0, s)
        left = Cox(ties).prepared(codes, without)
        whole = datafit.value(codes, z, s)
        assert value == pytest.approx(whole - left.value(codes, z, without), rel=1e-9, abs=1e-9 * whole)
        assert slopes == pytest.approx((without * left.gradient(codes, z))[rows], abs=1e-9)
        assert image == pytest.approx(left.hessian(codes, z, without)(d)[rows], abs=1e-9)


@pytest.mark.parametrize("ties", TIES)
def test_losses_without_a_row_at_one_prediction(ties):
    y = people(40, 3, seed=3, decimals=1)[1]
    codes = Cox(ties).read(y, 40)
    datafit = Cox(ties).prepared(codes, np.full(40, 1.0 / 40.0))
    places = np.arange(datafit.at.rows.size)
    z = np.random.default_rng(0).normal(size=(1, places.size))
    one, each = (datafit.without_rows(Z, places) for Z in (z, np.repeat(z, places.size, axis=0)))
    np.testing.assert_array_equal(one.gradients, each.gradients)
    D = np.random.default_rng(1).normal(size=(places.size, places.size))
    np.testing.assert_array_equal(one.hessian(D, places), each.hessian(D, places))


def violation(model, X, y, weight, strengths):
    """The largest distance to optimality, by differences of the formula."""
    s, h = weight / weight.sum(), 1e-6
    z = X @ model.coef_
    unit = np.eye(len(z))
    slopes = np.array([(loss(z + h * e, y, s, model.ties) - loss(z - h * e, y, s, model.ties)) / (2 * h) for e in unit])
    g = X.T @ slopes
    l1, l2 = strengths
    at_zero = np.maximum(-g - l1, 0.0) if model.positive else np.maximum(np.abs(g) - l1, 0.0)
    return np.where(model.coef_ != 0.0, np.abs(g + l2 * model.coef_ + l1 * np.sign(model.coef_)), at_zero).max()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("strata", [1, 3])
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize(
    "options",
    [{}, {"positive": True}, {"l1_ratio": 0.5}, {"l1_ratio": 0.0}, {"penalty_factors": np.arange(12.0) % 3}],
    ids=["l1", "positive", "elastic net", "ridge", "factors"],
)
def test_optimal(options, ties, strata, storage):
    X, y, weight, *_ = people(decimals=1, strata=strata)
    alpha, ratio = 0.03, options.get("l1_ratio", 1.0)
    factors = options.get("penalty_factors", np.ones(12))
    model = CoxLasso(alpha, ties=ties, tol=1e-12, **options).fit(STORAGES[storage](X), y, weight)
    assert model.status_.startswith("converged")
    assert model.dual_gap_ <= 1e-12
    assert model.intercept_ == 0.0
    assert violation(model, X, y, weight, (alpha * ratio * factors, alpha * (1.0 - ratio) * factors)) <= 1e-6
    assert model.coef_.any()


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("shape", [(60, 12), (50, 120)])
@pytest.mark.parametrize("alpha", [0.1, 0.02, 0.004])
def test_the_gap_is_a_bound(alpha, shape, ties, storage):
    X, y, weight, *_ = people(*shape, decimals=1)
    s = weight / weight.sum()

    def objective(model):
        return loss(X @ model.coef_, y, s, ties) + alpha * np.abs(model.coef_).sum()

    X = np.asarray(X)
    fits = [CoxLasso(alpha, ties=ties, tol=tol, max_iter=5000) for tol in (1e-2, 1e-4, 1e-7, 1e-12)]
    *loose, tight = (model.fit(STORAGES[storage](X), y, weight) for model in fits)
    assert tight.dual_gap_ <= 1e-12
    for model in loose:
        assert model.dual_gap_ <= model.tol
        assert objective(model) - objective(tight) <= model.dual_gap_ * loss(np.zeros(len(y)), y, s, ties) + 1e-13


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("divisor", [3.0, 100.0])
@pytest.mark.parametrize(
    "case", ["separated", "all at once", "one enormous column", "few events", "far from zero", "many columns"]
)
def test_hard_data(case, divisor, storage):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 30))
    y = survival(X[:, 0], decimals=2)
    if case == "separated":
        y["days"], y["seen"] = -X[:, 0], True
    elif case == "all at once":
        y["days"] = np.where(y["seen"], 1.0, 1.0 + y["days"])
    elif case == "one enormous column":
        X[:, 1] *= 1e6
    elif case == "few events":
        y["seen"] = np.arange(80) < 2
    elif case == "far from zero":
        X += 1e3
    elif case == "many columns":
        X = np.hstack([X, rng.normal(size=(80, 500))])
    X = STORAGES[storage](X)
    for ties in TIES:
        alpha = alpha_max(X, y, loss=Cox(ties)) / divisor
        model = CoxLasso(alpha, ties=ties, tol=1e-6).fit(X, y)
        assert model.status_.startswith("converged")
        assert model.coef_.any()


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize(
    "options", [{}, {"standardize": True}, {"positive": True}, {"penalty_factors": np.arange(12.0) % 3}]
)
@pytest.mark.parametrize("ties", TIES)
def test_alpha_max_is_exact(ties, options, storage):
    X, y, weight, *_ = people(decimals=1, strata=3)
    X = STORAGES[storage](X)
    largest = alpha_max(X, y, loss=Cox(ties), sample_weight=weight, **options)
    penalised = options.get("penalty_factors", np.ones(12)) > 0.0
    for scale, some in ((1.001, False), (0.98, True)):
        model = CoxLasso(scale * largest, ties=ties, tol=1e-12, **options).fit(X, y, weight)
        assert model.coef_[penalised].any() == some


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_weights_are_repetitions(storage):
    X, y, *_ = people(decimals=1, strata=3)
    times = np.random.default_rng(0).integers(0, 4, size=60)
    weighted = CoxLasso(0.03, tol=1e-13).fit(STORAGES[storage](X), y, times)
    repeated = CoxLasso(0.03, tol=1e-13).fit(STORAGES[storage](np.repeat(X, times, axis=0)), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
    for label, hazard in weighted.baseline_cumulative_hazard_.items():
        np.testing.assert_allclose(hazard.values, repeated.baseline_cumulative_hazard_[label].values, rtol=1e-6)
    scaled = CoxLasso(0.03, ties="efron", tol=1e-13).fit(X, y, 7.0 * times)
    np.testing.assert_allclose(scaled.coef_, CoxLasso(0.03, ties="efron", tol=1e-13).fit(X, y, times).coef_, atol=1e-9)
    assert weighted.score(X, y, times) == pytest.approx(
        repeated.score(np.repeat(X, times, axis=0), np.repeat(y, times))
    )


def test_without_ties_efrons_is_breslows():
    X, y, weight, *_ = people()
    models = [CoxLasso(0.03, ties=ties, tol=1e-13).fit(X, y, weight) for ties in TIES]
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, atol=1e-10)
    assert alpha_max(X, y, loss=Cox()) == alpha_max(X, y, loss=Cox("efron"))


def test_the_order_of_times_is_all_that_matters():
    X, y, weight, *_ = people(decimals=1)
    model = CoxLasso(0.03, tol=1e-12).fit(X, y, weight)
    later, order = y.copy(), np.random.default_rng(0).permutation(60)
    later["days"] = np.sqrt(y["days"]) - 5.0
    np.testing.assert_allclose(CoxLasso(0.03, tol=1e-12).fit(X, later, weight).coef_, model.coef_, atol=1e-12)
    shuffled = CoxLasso(0.03, tol=1e-12).fit(X[order], y[order], weight[order])
    np.testing.assert_allclose(shuffled.coef_, model.coef_, atol=1e-8)


def test_one_event():
    X, y, *_ = people(20, 5)
    y["seen"] = np.arange(20) == np.argsort(y["days"])[8]
    model = CoxLasso(0.003, tol=1e-10).fit(X, y)
    assert model.coef_.any()
    assert model.event_times_.tolist() == y["days"][y["seen"]].tolist()
    y["seen"] = np.arange(20) == np.argmax(y["days"])  # nobody else is at risk then
    model = CoxLasso(0.003).fit(X, y)
    assert not model.coef_.any()
    assert model.baseline_cumulative_hazard_.values == pytest.approx([1.0])


def test_without_a_penalty_every_column_is_settled():
    X, y, weight, *_ = people(200, 5, decimals=1)
    for ties in TIES:
        model = CoxLasso(0.0, ties=ties, tol=1e-10).fit(X, y, weight)
        assert model.dual_gap_ <= 1e-10
        assert violation(model, X, y, weight, (0.0, 0.0)) <= 1e-7


def test_long_dense_columns_have_the_diagonal_model():
    X, y, weight, *_ = people(2500, 6)
    dense, sparse = (CoxLasso(0.02, tol=1e-13).fit(make(X), y, weight) for make in (np.asarray, scipy.sparse.csc_array))
    np.testing.assert_allclose(dense.coef_, sparse.coef_, atol=1e-6)
    few = CoxLasso(0.02, tol=1e-13).fit(X[:2000], y[:2000], weight[:2000])
    same = CoxLasso(0.02, tol=1e-13).fit(scipy.sparse.csc_array(X[:2000]), y[:2000], weight[:2000])
    np.testing.assert_allclose(few.coef_, same.coef_, atol=1e-6)


def test_any_penalty():
    X, y, *_ = people()
    known = CoxLasso(0.03, tol=1e-12).fit(X, y)
    for storage in ("C", "csc"):
        generic = SparseGLM(Cox(), "l1", alpha=0.03, tol=1e-12).fit(STORAGES[storage](X), y)
        np.testing.assert_allclose(generic.coef_, known.coef_, atol=1e-9)
        grouped = SparseGLM(Cox(), "group", groups=3, alpha=0.15, tol=1e-10).fit(STORAGES[storage](X), y)
        sizes = np.count_nonzero(grouped.coef_.reshape(4, 3), axis=1)
        assert set(sizes.tolist()) == {0, 3}
        assert grouped.dual_gap_ <= 1e-10


def test_a_warm_start_at_the_solution_stays_there():
    X, y, weight, *_ = people()
    model = CoxLasso(0.03, tol=1e-10, warm_start=True).fit(X + 5.0, y, weight)
    before = model.coef_.copy()
    model.set_params(tol=1e-8).fit(X + 5.0, y, weight)
    assert "after 0 rounds" in model.status_
    np.testing.assert_allclose(model.coef_, before, atol=1e-12)


# --- targets ---------------------------------------------------------------------------------------------------------


def test_targets_of_any_kind():
    X, y, *_ = people(strata=3)
    expected = CoxLasso(0.03).fit(X, y)
    numbers = np.array([(e, t, "abc".index(c)) for e, t, c in y], dtype=[("a", bool), ("b", "f4"), ("stratum", int)])
    numbers["b"] = np.unique(y["days"], return_inverse=True)[1]
    for other in (pd.DataFrame(y), pl.DataFrame({name: y[name] for name in y.dtype.names}), numbers):
        np.testing.assert_allclose(CoxLasso(0.03).fit(X, other).coef_, expected.coef_, atol=1e-14)
    times = y["days"]
    all_seen = np.array([(True, t) for t in times], dtype=[("event", bool), ("time", float)])
    for other in (times, times.tolist(), pd.Series(times), times[:, None]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataConversionWarning)  # of a column
            np.testing.assert_array_equal(CoxLasso(0.03).fit(X, other).coef_, CoxLasso(0.03).fit(X, all_seen).coef_)


def test_strata_are_apart():
    """One stratum a row knows nothing; two that are far apart in time are no one's rivals."""
    X, y, *_ = people(60, 6, strata=2)
    model = CoxLasso(0.02, tol=1e-12).fit(X, y)
    assert sorted(model.baseline_cumulative_hazard_) == ["a", "c"]
    s = np.full(60, 1.0 / 60.0)
    first = y["stratum"] == "a"
    halves = [Cox().read(y[rows][["seen", "days"]], rows.sum()) for rows in (first, ~first)]
    z = X @ model.coef_
    apart = sum(
        Cox().prepared(codes, s[rows]).value(codes, z[rows], s[rows])
        for rows, codes in zip((first, ~first), halves, strict=True)
    )
    assert loss(z, y, s) == pytest.approx(apart, abs=1e-12)
    alone = np.array([(True, 1.0, k) for k in range(60)], dtype=[("seen", bool), ("days", float), ("stratum", int)])
    assert not CoxLasso(0.0).fit(X, alone).coef_.any()


def changed(field, value, rows=slice(None)):
    def change(y):
        y[field][rows] = value
        return y

    return change


BAD = {
    "all censored": (changed("seen", False), "y holds no event: every row is censored"),
    "NaN": (changed("days", np.nan, 7), "the field 'days' of y contains NaN .first in row 7."),
    "infinite": (changed("days", np.inf, 7), "the field 'days' of y contains infinity .first in row 7."),
    "event of numbers": (
        lambda y: y.astype([("seen", float), ("days", float)]), "the field 'seen' of y has type float64.*pass booleans",
    ),
    "the other way round": (lambda y: y[["days", "seen"]], "the field 'days' of y has type float64.*pass booleans"),
    "time of names": (
        lambda y: y.astype([("seen", bool), ("days", "U5")]), "the field 'days' of y has type <U5: its second field",
    ),
    "one field": (lambda y: y[["seen"]], "y has the fields 'seen': pass two"),
    "another third": (
        lambda y: pd.DataFrame(y).assign(site=1), "y has the fields 'seen', 'days', 'site': pass two.*named 'stratum'",
    ),
    "too short": (lambda y: y[:-1], "X has 60 rows but the field 'days' of y has 59 values"),
    "missing": (lambda y: None, "y is missing: requires y to be passed"),
    "pairs": (lambda y: np.column_stack([y["seen"], y["days"]]), "y has shape .60, 2.: pass one target a row"),
    "stratum of NaN": (
        lambda y: pd.DataFrame(y).assign(stratum=np.where(np.arange(60) == 3, np.nan, 1.0)),
        "the field 'stratum' of y is not finite .first in row 3.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_targets_get_a_sentence(case):
    X, y, *_ = people()
    change, message = BAD[case]
    for model in (CoxLasso(0.03), GradientSearch(CoxLasso(), cv=3)):
        with pytest.raises(ValueError, match=message):
            model.fit(X, change(y.copy()))


def test_other_bad_input_gets_a_sentence():
    X, y, _, X_val, y_val = people()
    with pytest.raises(ValueError, match="unknown ties 'efrom': did you mean 'efron'"):
        CoxLasso(0.03, ties="efrom").fit(X, y)
    with pytest.raises(ValueError, match="y, in its rows of positive weight, holds no event"):
        CoxLasso(0.03).fit(X, y, ~y["seen"])
    y_val["seen"] = False
    with pytest.raises(ValueError, match="y_val holds no event"):
        GradientSearch(CoxLasso(), criterion=HeldOut(X_val, y_val)).fit(X, y)
    early = np.argsort(y["seen"], kind="stable")  # events last
    sure = [(early[:20], early[20:]), (early[30:], early[:30])]
    with pytest.raises(ValueError, match="y, in the 20 training rows of fold 0, holds no event"):
        GradientSearch(CoxLasso(), cv=sure).fit(X, y)
    with pytest.raises(ValueError, match="no pair can be compared"):
        CoxLasso(0.03).fit(X, y).score(X[:1], y[y["seen"]][:1])
    with pytest.raises(ValueError, match="use method='implicit'"):
        hypergradient(CoxLasso(0.03), X, y, method="forward")


# --- hazards and concordance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("strata", [1, 3])
def test_the_baseline_hazard(strata, ties):
    X, y, weight, X_val, y_val = people(decimals=1, strata=strata)
    model = CoxLasso(0.03, ties=ties).fit(X, y, weight)
    rates, baseline = weight * np.exp(X @ model.coef_), model.baseline_cumulative_hazard_
    stratum = y["stratum"] if strata > 1 else np.zeros(60)
    for label in np.unique(stratum):
        mine, total = stratum == label, 0.0
        hazard = baseline[label] if strata > 1 else baseline
        for k, t in enumerate(np.unique(y["days"][mine & y["seen"] & (weight > 0.0)])):
            tied = mine & y["seen"] & (y["days"] == t) & (weight > 0.0)
            risk, part = rates[mine & (y["days"] >= t)].sum(), rates[tied].sum()
            shares = np.arange(tied.sum()) / tied.sum() if ties == "efron" else [0.0]
            total += sum(weight[tied].sum() / len(shares) / (risk - c * part) for c in shares)
            assert hazard.times[k] == t
            assert hazard.values[k] == pytest.approx(total, rel=1e-10)
            assert hazard(t) == pytest.approx(total)
            assert hazard(np.nextafter(t, -1.0)) == (hazard.values[k - 1] if k else 0.0)
    given = {"stratum": y_val["stratum"]} if strata > 1 else {}
    times = [0.0, 0.5, 1e9]
    found = model.predict_cumulative_hazard_function(X_val, times, **given)
    assert found.shape == (60, 3)
    for i in range(60):
        hazard = baseline[y_val["stratum"][i]] if strata > 1 else baseline
        np.testing.assert_allclose(found[i], np.exp(model.predict(X_val[i : i + 1])) * hazard(times), rtol=1e-12)
    survived = model.predict_survival_function(X_val, **given)
    assert survived.shape == (60, model.event_times_.size)
    assert np.all(np.diff(survived, axis=1) <= 0.0)
    np.testing.assert_allclose(model.predict_survival_function(X_val, times, **given), np.exp(-found))


def test_hazards_of_strata_want_to_know_which():
    X, y, *_ = people(strata=3)
    model = CoxLasso(0.03).fit(X, y)
    np.testing.assert_array_equal(
        model.predict_survival_function(X, stratum="a"), model.predict_survival_function(X, stratum=["a"] * 60)
    )
    with pytest.raises(ValueError, match=r"the model has 3 strata.*pass stratum"):
        model.predict_survival_function(X)
    with pytest.raises(ValueError, match=r"stratum has shape \(2,\) but X has 60 rows"):
        model.predict_survival_function(X, stratum=["a", "b"])
    with pytest.raises(ValueError, match=r"stratum holds 'd' .first in row 0."):
        model.predict_survival_function(X, stratum="d")
    with pytest.raises(ValueError, match="times are no list of times"):
        model.predict_survival_function(X, [0.0, np.nan], stratum="a")


def test_hazards_far_from_zero_are_numbers():
    X, y, *_ = people()
    X[:, 0] += 2e4  # a year, say: exp(Xw) overflows, or vanishes
    for sign in (1.0, -1.0):
        model = CoxLasso(0.01).fit(sign * X, y)
        assert abs(model.predict(sign * X)).min() > 710.0
        survived = model.predict_survival_function(sign * X)
        np.testing.assert_allclose(np.median(survived[:, -1]), 0.4, atol=0.4)


def concordance(risk, y, weight):
    found = of = 0.0
    for i in np.flatnonzero(y["seen"]):
        later = (y["days"] > y["days"][i]) | ((y["days"] == y["days"][i]) & ~y["seen"])
        if "stratum" in y.dtype.names:
            later &= y["stratum"] == y["stratum"][i]
        of += weight[i] * weight[later].sum()
        found += weight[i] * weight[later] @ ((risk[i] > risk[later]) + 0.5 * (risk[i] == risk[later]))
    return found / of


@SEVERAL
@given(st.integers(0, 10_000), st.integers(1, 3), st.booleans())
def test_the_score_is_the_concordance(seed, strata, weighted):
    X, y, weight, *_ = people(40, 4, seed=seed, decimals=1, strata=strata)
    model = CoxLasso(0.05).fit(X, y)
    weight = weight if weighted else np.ones(40)
    model.coef_ = np.round(model.coef_)  # some risks are equal
    model.coef_[1:] = 0.0
    assert model.score(X, y, weight) == pytest.approx(concordance(X @ model.coef_, y, weight), rel=1e-12)


# --- tuning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", ["cv", "held-out"])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("strata", [1, 3])
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize(
    "options",
    [
        {}, {"standardize": True}, {"penalty_factors": np.arange(12.0) % 3}, {"l1_ratio": 0.6},
        {"l1_ratio": 0.6, "hyperparams": ["alpha", "l1_ratio"]},
    ],
    ids=["", "standardized", "factors", "elastic net", "both"],
)  # fmt: skip
@pytest.mark.parametrize("alpha", [0.02, 0.06])
def test_hypergradient_against_differences(alpha, options, ties, strata, storage, criterion):
    X, y, weight, X_val, y_val = people(decimals=1, strata=strata)
    X = STORAGES[storage](X)
    judge = HeldOut(X_val, y_val, np.linspace(0.1, 1.0, 60)) if criterion == "held-out" else "cv"
    options = dict(options)
    names = options.pop("hyperparams", ["alpha"])

    def at(name="alpha", t=0.0):
        model = CoxLasso(alpha, ties=ties, **options)
        model.set_params(**{name: getattr(model, name) * np.exp(t)})
        return hypergradient(
            model, X, y, criterion=judge, cv=3, sample_weight=weight, hyperparams=names, tol=1e-13
        )  # fmt: skip

    here = at()
    for k, name in enumerate(names):
        wide, narrow = ((at(name, h).value - at(name, -h).value) / (2.0 * h) for h in (2e-4, 1e-4))
        expected = (4.0 * narrow - wide) / 3.0  # Richardson
        assert here.log_gradient[k] == pytest.approx(expected, rel=1e-6, abs=1e-9 * here.value)


@pytest.mark.parametrize("ties", TIES)
def test_a_search_minimises_the_partial_likelihood_of_rows_held_out(ties):
    X, y, *_ = people(120, 30, decimals=1)
    cv = KFold(4)
    search = GradientSearch(CoxLasso(ties=ties), cv=cv).fit(X, y)
    assert search.metric_ == "mean negative log partial likelihood"

    def error(alpha):
        values = []
        for train, test in cv.split(X):
            w = CoxLasso(alpha, ties=ties, tol=1e-10).fit(X[train], y[train]).coef_
            values.append(loss(X[test] @ w, y[test], np.full(test.size, 1.0 / test.size), ties))
        return np.mean(values)

    best = search.best_params_["alpha"]
    assert search.best_criterion_ == pytest.approx(error(best), rel=1e-5)
    around = minimize(lambda t: error(float(np.exp(t[0]))), [np.log(best)], method="Nelder-Mead")
    assert search.best_criterion_ <= around.fun * (1.0 + 1e-4)
    np.testing.assert_allclose(search.predict(X), search.best_estimator_.predict(X))
    assert search.score(X, y) > 0.6
    assert search.best_estimator_.predict_survival_function(X).shape == (120, search.best_estimator_.event_times_.size)


def test_a_fold_without_events_counts_as_zero():
    X, y, *_ = people(60, 6)
    order = np.argsort(y["seen"], kind="stable")
    test = [order[:10], order[10:35], order[35:]]
    assert not y["seen"][test[0]].any()
    folds = [(np.setdiff1d(np.arange(60), rows), rows) for rows in test]
    search = GradientSearch(CoxLasso(), cv=folds).fit(X, y)
    assert search.fold_criteria_[0] == 0.0
    assert search.fold_criteria_[2] > 0.0
    piped = GradientSearch(make_pipeline(StandardScaler(), CoxLasso()), cv=folds).fit(X, y)
    assert piped.fold_criteria_[0] == 0.0


@pytest.mark.parametrize("kind", ["structured", "frame"])
def test_pipelines_and_validation_by_scikit_learn(kind):
    X, y, *_ = people(120, 8)
    target = pd.DataFrame(y) if kind == "frame" else y
    folds = list(StratifiedKFold(4).split(X, y["seen"]))
    search = GradientSearch(make_pipeline(StandardScaler(), CoxLasso()), cv=folds).fit(X, target)
    alpha = search.best_params_["coxlasso__alpha"]
    values = []
    for train, test in folds:
        scaler = StandardScaler().fit(X[train])
        w = CoxLasso(alpha, tol=1e-10).fit(scaler.transform(X[train]), y[train]).coef_
        values.append(loss(scaler.transform(X[test]) @ w, y[test], np.full(test.size, 1.0 / test.size)))
    assert search.best_criterion_ == pytest.approx(np.mean(values), rel=1e-5)
    scores = cross_val_score(clone(search).set_params(cv=3), X, target, cv=3)
    assert np.all(scores > 0.5)


def test_path():
    X, y, weight, X_val, y_val = people(60, 12)
    found = path(
        CoxLasso(tol=1e-10), scipy.sparse.csc_array(X), y, n_alphas=6, eps=0.05, X_val=X_val, y_val=y_val,
        sample_weight=weight,
    )  # fmt: skip
    assert found.support_sizes[0] == 0
    model = CoxLasso(found.alphas[3], tol=1e-10).fit(X, y, weight)
    np.testing.assert_allclose(found.coefs[:, 3], model.coef_, atol=1e-6)
    assert found.scores[3] == pytest.approx(loss(X_val @ model.coef_, y_val, np.full(60, 1.0 / 60.0)), rel=1e-6)

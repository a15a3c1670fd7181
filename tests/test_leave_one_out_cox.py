"""Approximate leave-one-out of the partial likelihood against n fits, and what leads a search to its minimum."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from lambdahat import ALO, CoxLasso, GradientSearch, SparseGLM, hypergradient
from lambdahat.datafits import Cox
from lambdahat.datafits.cox import MovedEvents

TIGHT = {"tol": 1e-10, "max_iter": 10_000}


def people(n, p, seed, *, strata=1, decimals=None):
    """Five features that matter; about four rows in ten are censored."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    event, censored = rng.exponential(np.exp(-0.6 * X[:, :5].sum(axis=1))), rng.exponential(1.5, size=n)
    y = np.zeros(n, dtype=[("event", bool), ("time", float), ("stratum", int)])
    time = np.minimum(event, censored)
    y["event"], y["time"] = event <= censored, time if decimals is None else np.round(time, decimals)
    y["stratum"] = np.arange(n) % strata
    return X, y


def alpha_max(X, y, ties="breslow"):
    datafit, s = Cox(ties), np.full(len(X), 1.0 / len(X))
    codes = datafit.read(y, len(X))
    return float(np.abs(X.T @ (s * datafit.prepared(codes, s).gradient(codes, np.zeros(len(X))))).max())


def by_n_fits(model, X, y, weight=None):
    """Σ_i ℓ₍₋ᵢ₎(w₍₋ᵢ₎) − ℓ(w₍₋ᵢ₎), over the sum of the weights."""
    n, datafit, total = len(X), Cox(getattr(model, "ties", "breslow")), 0.0
    s = np.ones(n) if weight is None else weight
    codes = datafit.read(y, n)
    for i in np.flatnonzero(s):
        without = np.where(np.arange(n) == i, 0.0, s)
        z = X @ clone(model).fit(X, y, sample_weight=without).coef_
        total += datafit.prepared(codes, s).value(codes, z, s)
        total -= datafit.prepared(codes, without).value(codes, z, without)
    return total / s.sum()


def at(model, X, y, criterion=None, **options):
    criterion = ALO(n_probes=1) if criterion is None else criterion
    search = GradientSearch(model, criterion=criterion, init="estimator", optimizer="gradient_descent", max_evals=1)
    return search.fit(X, y, **options).trace_


@pytest.mark.parametrize(("ties", "strata", "decimals"), [("breslow", 1, None), ("breslow", 1, 1), ("efron", 2, 1)])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("n", "p", "shares"), [(100, 12, [0.33, 0.1, 0.03]), (80, 50, [0.33, 0.15])])
def test_the_partial_likelihood(n, p, shares, seed, ties, strata, decimals):
    X, y = people(n, p, seed, strata=strata, decimals=decimals)
    for share in shares:
        model = CoxLasso(share * alpha_max(X, y, ties), ties=ties, **TIGHT)
        assert at(model, X, y).values[0] == pytest.approx(by_n_fits(model, X, y), rel=0.01)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_a_quadratic_penalty(l1_ratio):
    X, y = people(70, 20, 2)
    model = CoxLasso(0.2, l1_ratio=l1_ratio, **TIGHT)
    assert at(model, X, y).values[0] == pytest.approx(by_n_fits(model, X, y), rel=1e-3)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_weights(ties):
    X, y = people(70, 10, 3, decimals=1)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=70)
    weight[[4, 9]] = 0.0
    model = CoxLasso(0.03, ties=ties, **TIGHT)
    expected = by_n_fits(model, X, y, weight)
    assert at(model, X, y, sample_weight=weight).values[0] == pytest.approx(expected, rel=1e-3)


def test_sparse_columns():
    X, y = people(70, 20, 4)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0.0
    model = CoxLasso(0.02, **TIGHT)
    dense, sparse = at(model, X, y).values, at(model, scipy.sparse.csc_array(X), y).values
    assert sparse == pytest.approx(dense, rel=1e-6)


def test_fits_that_follow_all_events_are_not_judged():
    X, y = people(40, 100, 5)
    search = GradientSearch(CoxLasso(), criterion="alo").fit(X, y)
    judged = np.isfinite(search.trace_.values)
    assert not judged.all()
    assert search.trace_.support_sizes[judged].max() <= 0.9 * y["event"].sum()


@pytest.mark.parametrize(("ties", "strata"), [("breslow", 1), ("efron", 2)])
def test_moved_events(ties, strata):
    """Slopes are those of differences; a shift of a stratum changes nothing; the conjugate is one where it is met."""
    rng = np.random.default_rng(6)
    _, y = people(30, 2, 6, strata=strata, decimals=1)
    s = rng.uniform(0.5, 1.5, size=30)
    s /= s.sum()
    codes = Cox().read(y, 30)
    moved = Cox(ties).prepared(codes, s).perturbed(codes, 0.01 * rng.choice([-1.0, 1.0], size=30))
    assert isinstance(moved.datafit, MovedEvents)
    datafit, z, v = moved.datafit.prepared(codes, s), rng.normal(size=30), rng.normal(size=30)
    gradient, h = datafit.gradient(codes, z), 1e-6
    slope = (datafit.value(codes, z + h * v, s) - datafit.value(codes, z - h * v, s)) / (2.0 * h)
    assert s @ (gradient * v) == pytest.approx(slope, rel=1e-7)
    assert datafit.value(codes, z + 3.0 * (y["stratum"] == 0), s) == pytest.approx(datafit.value(codes, z, s))
    assert datafit.conjugate(codes, gradient, s) == pytest.approx(s @ (gradient * z) - datafit.value(codes, z, s))
    follows = (datafit.response(z + h * v) - datafit.response(z - h * v)) / (2.0 * h)
    u = rng.normal(size=30)
    assert datafit.response_vjp(z, u) @ v == pytest.approx(u @ follows, rel=1e-6)


def test_degrees_of_freedom_are_measured():
    """In the mean, the number of coefficients."""
    X, y = people(80, 12, 7)
    model = CoxLasso(0.05, **TIGHT).fit(X, y)
    n_probes, size = 300, np.count_nonzero(model.coef_)
    s = np.full(80, 1.0 / 80)
    codes = Cox().read(y, 80)
    fit = Cox().prepared(codes, s).value(codes, X @ model.coef_, s)
    freedom = 80 * (at(model, X, y, ALO(n_probes=n_probes, step=1e-3)).followed[0] - fit)
    assert freedom == pytest.approx(size, abs=4.0 * np.sqrt(2.0 * size / n_probes))


@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.5, "ties": "efron"}])
def test_the_slope_that_leads_is_that_of_differences(options):
    X, y = people(50, 10, 8, strata=2, decimals=1)
    alpha, step = 0.05, 5e-8

    def lead(alpha):
        return hypergradient(CoxLasso(alpha, **options, **TIGHT), X, y, criterion=ALO(n_probes=2), tol=1e-13)

    slope = (lead(alpha + step).value - lead(alpha - step).value) / (2.0 * step)
    assert lead(alpha).gradient[0] == pytest.approx(slope, rel=2e-4)


def test_a_search():
    X, y = people(80, 20, 9)
    search = GradientSearch(CoxLasso(), criterion="alo").fit(X, y)
    assert search.metric_ == "leave-one-out mean negative log partial likelihood"
    assert search.best_criterion_ == search.trace_.values.min()
    found = [by_n_fits(CoxLasso(f * search.best_params_["alpha"], **TIGHT), X, y) for f in (0.3, 1.0, 3.0)]
    assert min(found) == found[1] == pytest.approx(search.best_criterion_, rel=0.01)


def test_groups_of_features():
    X, y = people(60, 12, 10)
    model = SparseGLM(Cox(), "group", groups=3, alpha=0.05, **TIGHT)
    assert at(model, X, y).values[0] == pytest.approx(by_n_fits(model, X, y), rel=1e-3)

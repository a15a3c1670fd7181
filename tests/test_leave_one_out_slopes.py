"""Slopes of leave-one-out for one target: those of n fits, or of differences."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.model_selection import LeaveOneOut

import lambdahat as lh
from lambdahat import ALO, CrossValidation, GradientSearch, hypergradient
from lambdahat.criteria import each_row, influences

SIZES = [(60, 12), (40, 70)]
LEAST_SQUARES = {
    "lasso": lambda a, p: lh.Lasso(a),
    "without intercept": lambda a, p: lh.Lasso(a, fit_intercept=False),
    "positive": lambda a, p: lh.Lasso(a, positive=True),
    "factors": lambda a, p: lh.Lasso(a, penalty_factors=np.resize([0.0, 1.0, 2.0, np.inf, 0.5, 1.0, 1.0, 3.0], p)),
    "one strength a feature": lambda a, p: lh.WeightedLasso(weights=a * np.resize([0.6, 1.0, 1.5], p)),
    "elastic net": lambda a, p: lh.ElasticNet(a, l1_ratio=0.7),
    "ridge": lambda a, p: lh.Ridge(30.0 * a),
    "ridge, factors": lambda a, p: lh.Ridge(30.0 * a, penalty_factors=np.resize([0.6, 1.0, 1.5], p)),
}
BENT = {
    "logistic": (lh.SparseLogisticRegression, "logistic"),
    "logistic elastic net": (partial(lh.SparseLogisticRegression, l1_ratio=0.5), "logistic"),
    "logistic without intercept": (partial(lh.SparseLogisticRegression, fit_intercept=False), "logistic"),
    "poisson": (lh.PoissonLasso, "poisson"),
    "gamma": (lh.GammaLasso, "gamma"),
}


def data(n, p, loss="quadratic", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    z = X[:, :5].sum(axis=1)
    if loss == "logistic":
        return X, (z + rng.logistic(size=n) > 0.0).astype(int)
    if loss == "poisson":
        return X, rng.poisson(np.exp(0.3 * np.clip(z, -6.0, 6.0))).astype(float)
    if loss == "gamma":
        return X, rng.gamma(2.0, np.exp(0.3 * np.clip(z, -6.0, 6.0)) / 2.0)
    return X, z + 1.0 + 2.0 * rng.normal(size=n)


@pytest.fixture
def settled(monkeypatch):
    """Models without a row solved to the end."""
    monkeypatch.setattr(influences, "_SETTLED", 1e-11)
    monkeypatch.setattr(influences, "_SWEEPS", 10_000)


@pytest.mark.parametrize("changes", [64, 1])
@pytest.mark.parametrize("share", [0.4, 0.15, 0.06])
@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("name", LEAST_SQUARES)
def test_of_least_squares_they_are_those_of_n_fits(name, n, p, share, changes, settled, monkeypatch):
    monkeypatch.setattr(influences, "_CHANGES", changes)
    X, y = data(n, p)
    model = LEAST_SQUARES[name](share * lh.alpha_max(X, y), p)
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    n_fits = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-12)
    if found.value == np.inf:
        assert p > n
        return
    assert found.value == pytest.approx(n_fits.value, rel=1e-6)
    np.testing.assert_allclose(found.gradient, n_fits.gradient, rtol=1e-5, atol=1e-6 * np.abs(n_fits.gradient).max())


def test_some_sizes_are_judged(settled):
    """The test before would pass if nothing were finite."""
    for n, p in SIZES:
        X, y = data(n, p)
        assert np.isfinite(hypergradient(lh.Lasso(0.15 * lh.alpha_max(X, y)), X, y, criterion=ALO()).value)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "p"), [(40, 8), (30, 50)])
def test_columns_that_repeat_each_other(n, p, seed, settled):
    """Coefficients are not unique, predictions are; what holds one column at zero lets its like move."""
    X, y = data(n, p, seed=seed)
    X[:, 1] = X[:, 0]
    model = lh.Lasso(0.2 * lh.alpha_max(X, y))
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    n_fits = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-12)
    assert found.value == pytest.approx(n_fits.value, rel=1e-6)
    np.testing.assert_allclose(found.gradient, n_fits.gradient, rtol=1e-5)


def test_rows_that_nothing_else_holds(settled):
    """Without such a row the model changes altogether: Newton steps would be 10⁹ times too large."""
    rng = np.random.default_rng(147)
    X = rng.normal(size=(10, 16))
    X[1] = X[0]
    y = X[:, :4].sum(axis=1) + rng.normal(size=10)
    model = lh.Lasso(0.1 * lh.alpha_max(X, y))
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    n_fits = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-12)
    assert found.value == pytest.approx(n_fits.value, rel=0.1)
    assert abs(found.gradient - n_fits.gradient)[0] < n_fits.value / model.alpha


@pytest.mark.parametrize("name", ["lasso", "factors", "ridge"])
def test_weighted_rows_and_sparse_columns(name, settled):
    """A row of weight zero is none; of the ridge and others with unequal weights the penalty counts less on average."""
    X, y = data(60, 12)
    X[np.random.default_rng(1).random(X.shape) < 0.5] = 0.0
    weight = np.random.default_rng(2).uniform(0.5, 2.0, size=60)
    weight[3] = 0.0
    model = LEAST_SQUARES[name](0.2 * lh.alpha_max(X, y), 12)
    kept = weight > 0.0
    search = GradientSearch(model, criterion="alo", init="estimator", optimizer="gradient_descent", max_evals=1)
    found = search.fit(scipy.sparse.csc_array(X), y, sample_weight=weight)

    def error(alpha):
        errors = []
        for i in np.flatnonzero(kept):
            left = weight.copy()
            left[i] = 0.0
            fit = clone(model).set_params(tol=1e-12, **{key: alpha}).fit(X, y, sample_weight=left)
            errors.append((y[i] - fit.predict(X[[i]])[0]) ** 2)
        return weight[kept] @ errors / weight.sum()

    key = "alpha" if "alpha" in model.get_params() else "alphas"
    alpha = model.get_params()[key]
    slope = (error(alpha * 1.0001) - error(alpha * 0.9999)) / (0.0002 * alpha)
    assert found.best_criterion_ == pytest.approx(error(alpha), rel=1e-4)
    assert float(found.trace_.gradients[0, 0]) == pytest.approx(slope, rel=2e-3)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.15])
@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("name", BENT)
def test_of_bent_losses_they_are_those_of_differences(name, n, p, share, anew, settled, monkeypatch):
    """Of second-order models exactly; of fits anew, which Newton's method ends early, and of n fits nearly."""
    kind, loss = BENT[name]
    monkeypatch.setattr(each_row, "is_little_work", lambda *of: anew)
    X, y = data(n, p, loss)
    alpha = share * lh.alpha_max(X, y, loss=loss)

    def at(alpha, criterion):
        return hypergradient(kind(alpha=alpha), X, y, criterion=criterion, tol=1e-12)

    found = at(alpha, ALO())
    if anew:
        n_fits = at(alpha, CrossValidation(LeaveOneOut()))
        assert found.value == pytest.approx(n_fits.value, rel=0.02)
        unit = found.value / alpha  # a slope of one for one
        np.testing.assert_allclose(found.gradient / unit, n_fits.gradient / unit, rtol=0.15, atol=0.02)
    else:
        step = 1e-6 * alpha
        slope = (at(alpha + step, ALO()).value - at(alpha - step, ALO()).value) / (2.0 * step)
        assert found.gradient[0] == pytest.approx(slope, rel=1e-3)


def test_searches_follow_what_decides():
    X, y = data(80, 30)
    search = GradientSearch(lh.Lasso(), criterion="alo").fit(X, y)
    assert search.best_criterion_ == search.trace_.values.min()
    assert "leverages" not in search.status_
    grid = [
        hypergradient(lh.Lasso(alpha), X, y, criterion=CrossValidation(LeaveOneOut())).value
        for alpha in search.best_params_["alpha"] * np.exp(np.linspace(-1.0, 1.0, 21))
    ]
    assert search.best_criterion_ <= min(grid) * (1.0 + 1e-3)


def test_what_is_too_large_follows_measured_leverages(monkeypatch):
    X, y = data(80, 30)
    small = GradientSearch(lh.Lasso(), criterion="alo").fit(X, y)
    monkeypatch.setattr(each_row, "_MOST_WORK", 0.0)
    large = GradientSearch(lh.Lasso(), criterion="alo").fit(X, y)
    assert "leverages" in large.status_
    assert large.best_criterion_ == pytest.approx(small.best_criterion_, rel=5e-3)

"""Slopes of leave-one-out: those of n fits, or of differences."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.model_selection import LeaveOneOut

import lambdahat as lh
from lambdahat import ALO, CrossValidation, GradientSearch, hypergradient
from lambdahat.criteria import descent, each_left_out, each_row, each_row_of_blocks, influences, left_out

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


uneven = [[0, 4], [1, 2, 3, 5, 6], [7]]  # and each other column alone
TARGETS = {
    "targets": lambda a, p: lh.MultiTaskLasso(a),
    "targets without intercept": lambda a, p: lh.MultiTaskLasso(a, fit_intercept=False),
    "targets, factors": lambda a, p: lh.MultiTaskLasso(a, penalty_factors=np.resize([0.0, 1.0, 2.0, np.inf, 0.5], p)),
    "targets, elastic net": lambda a, p: lh.MultiTaskElasticNet(a, l1_ratio=0.7),
}
BLOCKS = {
    "groups": lambda a, p: lh.GroupLasso(2, alpha=a),
    "groups of several sizes": lambda a, p: lh.GroupLasso(uneven + [[j] for j in range(8, p)], alpha=a),
    "sparse groups": lambda a, p: lh.SparseGroupLasso(2, alpha=a),
}
TWO_STAGES = {
    "adaptive": lambda a, p: lh.AdaptiveLasso(a),
    "without intercept": lambda a, p: lh.AdaptiveLasso(a, fit_intercept=False),
    "zeros never come back": lambda a, p: lh.AdaptiveLasso(a, epsilon=0.0),
    "a strength of its own": lambda a, p: lh.AdaptiveLasso(a, initial_alpha=0.3),
    "factors": lambda a, p: lh.AdaptiveLasso(a, gamma=0.5, penalty_factors=np.resize([1.0, 0.5, 2.0, 0.0, np.inf], p)),
    "ridge first": lambda a, p: lh.AdaptiveLasso(a, initial="ridge"),
}
OF_GROUPS = {
    "gamma groups": (partial(lh.SparseGLM, "gamma", "group", groups=2), "gamma"),
    "poisson groups": (partial(lh.SparseGLM, "poisson", "group", groups=2), "poisson"),
}
OF_CLASSES = {
    "classes": lh.MultinomialLogistic,
    "classes without intercept": partial(lh.MultinomialLogistic, fit_intercept=False),
    "rows of classes": partial(lh.MultinomialLogistic, penalty="rows"),
    "classes, positive": partial(lh.MultinomialLogistic, positive=True),
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
    for effort in ("SETTLED", "ROUGHLY"):
        monkeypatch.setattr(left_out, effort, descent.Effort(1e-11, 1e-11, 10_000))


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


def of_several(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(n, p)), np.zeros((p, 3))
    W[:5] = rng.normal(size=(5, 3))
    return X, X @ W + 1.0 + rng.normal(size=(n, 3))


@pytest.mark.parametrize("share", [0.4, 0.15, 0.06])
@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("name", [*TARGETS, *BLOCKS])
def test_of_blocks_and_targets_they_are_those_of_n_fits(name, n, p, share, settled):
    X, Y = of_several(n, p)
    y = Y if name in TARGETS else Y[:, 0]
    model = (TARGETS | BLOCKS)[name](share * np.abs(X.T @ (Y - Y.mean(axis=0))).max() / n, p)
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    n_fits = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-12)
    assert found.value == pytest.approx(n_fits.value, rel=1e-6)
    np.testing.assert_allclose(found.gradient, n_fits.gradient, rtol=1e-4, atol=1e-5 * np.abs(n_fits.gradient).max())


@pytest.mark.parametrize("share", [0.2, 0.06])
@pytest.mark.parametrize("name", [*TARGETS, *BLOCKS])
def test_single_precision_loses_nothing_that_counts(name, share, settled, monkeypatch):
    X, Y = of_several(40, 30)
    y = Y if name in TARGETS else Y[:, 0]
    model = (TARGETS | BLOCKS)[name](share * np.abs(X.T @ (Y - Y.mean(axis=0))).max() / 40, 30)
    double = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    monkeypatch.setattr(left_out, "SETTLED", descent.Effort(1e-6, 1e-6, 10_000, np.float32))
    single = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    assert single.value != double.value
    assert single.value == pytest.approx(double.value, rel=1e-6)
    np.testing.assert_allclose(single.gradient, double.gradient, rtol=1e-3)


@pytest.mark.parametrize("share", [0.2, 0.05])
@pytest.mark.parametrize("name", ["targets", "groups"])
def test_rough_sweeps_leave_little_however_much_the_fit_follows(name, share, monkeypatch):
    """With one tolerance for all, 1e-3, they left 1 % of the criterion of targets at 0.05 of λmax."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 300))
    y = X[:, :10].sum(axis=1) + rng.normal(size=60)
    Y = np.stack([y, X[:, 5:15].sum(axis=1) + rng.normal(size=60), rng.normal(size=60)], axis=1)
    target, make = {"targets": (Y, lh.MultiTaskLasso), "groups": (y, lambda a: lh.GroupLasso(5, alpha=a))}[name]
    pull = X.T @ (target - target.mean(axis=0))
    norms = np.linalg.norm(pull, axis=1) if name == "targets" else np.linalg.norm(pull.reshape(-1, 5), axis=1) / 5**0.5
    model, found = make(share * norms.max() / 60), []
    for effort in (descent.ROUGHLY, descent.Effort(1e-7, 1e-7, 20_000)):
        for of in ("SETTLED", "ROUGHLY"):
            monkeypatch.setattr(left_out, of, effort)
        found.append(hypergradient(model, X, target, criterion=ALO(), tol=1e-8))
    rough, tight = found
    assert rough.value != tight.value
    assert rough.value == pytest.approx(tight.value, rel=3e-3)
    np.testing.assert_allclose(rough.gradient, tight.gradient, rtol=0.1)


@pytest.mark.parametrize(("of_columns", "of_targets"), [(1e25, 1.0), (1e-25, 1.0), (1.0, 1e25), (1e20, 1e-20)])
@pytest.mark.parametrize("name", ["targets", "groups"])
def test_single_precision_is_for_numbers_that_it_has(name, of_columns, of_targets, monkeypatch):
    monkeypatch.setattr(left_out, "SETTLED", descent.Effort(1e-4, 1e-3, 1_000, np.float32))
    X, Y = of_several(60, 30)
    y = Y if name in TARGETS else Y[:, 0]

    def judged(of_columns, of_targets):
        model = (TARGETS | BLOCKS)[name](0.1 * of_columns * of_targets, 30)
        found = hypergradient(model, of_columns * X, of_targets * y, criterion=ALO())
        return np.array([found.value, *found.log_gradient]) / of_targets**2

    np.testing.assert_allclose(judged(of_columns, of_targets), judged(1.0, 1.0), rtol=1e-4)


@pytest.mark.parametrize("share", [0.4, 0.1])
@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("name", TWO_STAGES)
def test_of_two_stages_they_are_those_of_n_fits(name, n, p, share, settled):
    """A ridge penalty is in units of the targets, which a row that is left out changes a little."""
    X, y = data(n, p)
    model = TWO_STAGES[name](share * lh.alpha_max(X, y), p)
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    n_fits = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-12)
    accurate = {"rel": 2e-3} if name == "ridge first" else {"rel": 1e-6}
    assert found.value == pytest.approx(n_fits.value, **accurate)
    unit = accurate["rel"] * found.value / model.alpha
    np.testing.assert_allclose(found.gradient, n_fits.gradient, rtol=10.0 * accurate["rel"], atol=unit)


@pytest.mark.parametrize("kind", ["columns", "rows", "constants", "whole numbers"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["targets", "groups of several sizes", "sparse groups"])
def test_of_blocks_that_depend_on_each_other(name, seed, kind, settled):
    X, Y = of_several(40, 16, seed)
    if kind == "columns":
        X[:, 1] = X[:, 0]
    elif kind == "rows":
        X[1] = X[0]
    elif kind == "constants":
        X[:, 1:3] = 3.0, 0.0
    else:
        X = np.round(X)
    y = Y if name in TARGETS else Y[:, 0]
    model = (TARGETS | BLOCKS)[name](0.1 * np.abs(X.T @ (Y - Y.mean(axis=0))).max() / 40, 16)
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-12)
    n_fits = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-12)
    assert found.value == pytest.approx(n_fits.value, rel=1e-5)
    unit = 0.01 * found.value / model.alpha
    np.testing.assert_allclose(found.gradient, n_fits.gradient, rtol=1e-3, atol=unit)


@pytest.mark.parametrize("share", [0.4, 0.1])
@pytest.mark.parametrize("name", [*TARGETS, *BLOCKS, *OF_CLASSES])
def test_as_far_as_they_are_solved(name, share):
    """Solutions and responses end before all their digits are there."""
    X, Y = of_several(40, 24, 1)
    y = Y if name in TARGETS else Y[:, 0] if name in BLOCKS else Y.argmax(axis=1)
    alpha = share * np.abs(X.T @ (Y - Y.mean(axis=0))).max() / 40
    make = (TARGETS | BLOCKS).get(name, lambda a, p: OF_CLASSES[name](alpha=0.3 * a))
    found = hypergradient(make(alpha, 24), X, y, criterion=ALO())
    n_fits = hypergradient(make(alpha, 24), X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-10)
    assert found.value == pytest.approx(n_fits.value, rel=5e-3)
    np.testing.assert_allclose(found.gradient, n_fits.gradient, rtol=0.1, atol=0.03 * found.value / alpha)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.15])
@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("name", [*OF_GROUPS, *OF_CLASSES])
def test_of_bent_losses_of_blocks_and_classes(name, n, p, share, anew, settled, monkeypatch):
    """As those of one target: see below."""
    monkeypatch.setattr(each_row_of_blocks, "is_little_work", lambda *of: anew)
    if name in OF_GROUPS:
        kind, loss = OF_GROUPS[name]
        X, y = data(n, p, loss)
        alpha = 0.7 * share * lh.alpha_max(X, y, loss=loss)
    else:
        kind, (X, Y) = OF_CLASSES[name], of_several(n, p)
        y = (Y + np.random.default_rng(1).gumbel(size=Y.shape)).argmax(axis=1)
        alpha = share * np.abs(X.T @ ((y[:, None] == np.arange(3)) - np.bincount(y) / n)).max() / n
    are_those(kind, X, y, alpha, anew)


def are_those(kind, X, y, alpha, anew):
    """Slopes at ``alpha`` are those of n fits, nearly, or exactly those of differences of the approximation."""

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
    are_those(kind, X, y, alpha, anew)


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
    monkeypatch.setattr(each_left_out, "_MOST_WORK", 0.0)
    large = GradientSearch(lh.Lasso(), criterion="alo").fit(X, y)
    assert "leverages" in large.status_
    assert large.best_criterion_ == pytest.approx(small.best_criterion_, rel=5e-3)


@pytest.mark.parametrize("seed", [15, 21, 46, 55])
def test_sweeps_that_turn_as_they_shrink_are_not_gone_on_with_for_ever(seed):
    """Going on at a rate that is not theirs makes these grow without end."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(7, 40))
    X[1] = X[0]
    Y = X[:, :3] + rng.normal(size=(7, 3))
    model = lh.MultiTaskElasticNet(0.1, l1_ratio=0.6)
    found = hypergradient(model, X, Y, criterion=ALO(), tol=1e-10)
    n_fits = hypergradient(model, X, Y, criterion=CrossValidation(LeaveOneOut()), tol=1e-10)
    assert found.value == pytest.approx(n_fits.value, rel=2e-3)
    np.testing.assert_allclose(found.gradient, n_fits.gradient, atol=0.1 * np.linalg.norm(n_fits.gradient))

"""Leave-one-out of support vector machines from one fit, against n fits: values, slopes, searches."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.model_selection import LeaveOneOut

import lambdahat as lh
from lambdahat import ALO, CrossValidation, GradientSearch, hypergradient
from lambdahat.criteria import leave_one_out
from lambdahat.estimators.base import validated
from lambdahat.estimators.box_regions import unit_of_C
from lambdahat.hypergradient import boundary_without_rows

TIGHT = {"max_iter": 20_000}
MODELS = {
    "classifier": lambda C: lh.LinearSVC(C, **TIGHT),
    "classifier without intercept": lambda C: lh.LinearSVC(C, fit_intercept=False, **TIGHT),
    "classifier, far intercept": lambda C: lh.LinearSVC(C, intercept_scaling=10.0, **TIGHT),
    "classifier, weights": lambda C: lh.LinearSVC(C, class_weight={"no": 1.0, "yes": 3.0}, **TIGHT),
    "classifier, balanced": lambda C: lh.LinearSVC(C, class_weight="balanced", **TIGHT),
    "regressor": lambda C: lh.LinearSVR(C, epsilon=1.0, **TIGHT),
    "regressor, absolute errors": lambda C: lh.LinearSVR(C, epsilon=0.0, **TIGHT),
}
SHAPES = [(40, 8), (30, 50), (90, 20)]


def rows(n, p, seed, model):
    """Three in ten of the labels are "yes"."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = X[:, :5].sum(axis=1) + 2.0 * rng.normal(size=n)
    return X, y if isinstance(model, lh.LinearSVR) else np.where(y > np.quantile(y, 0.7), "yes", "no")


def at(name, units, X, y):
    """A model whose C is in units of that of the simplest one."""
    model = MODELS[name](1.0)
    data = validated(clone(model), model, X, y, None)
    (problem,) = model._model(None, data.classes).problems(data.storage, data.y, [data.sample_weight])
    return MODELS[name](units * unit_of_C(problem))


def both(model, X, y):
    """By one fit, and by n of them."""
    names = ["C", "epsilon"] if getattr(model, "epsilon", 0.0) > 0.0 else ["C"]
    given = {"hyperparams": names, "tol": 1e-10}
    return (hypergradient(model, X, y, criterion=c, **given) for c in (ALO(), CrossValidation(LeaveOneOut())))


def is_the_same(one, other):
    assert one.value == pytest.approx(other.value, rel=1e-5, abs=1e-10)
    np.testing.assert_allclose(one.log_gradient, other.log_gradient, rtol=1e-3, atol=1e-4 * other.value)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("name", MODELS)
def test_is_leave_one_out(name, n, p, seed):
    """Not approximately: rows go to their bounds and come from there as in a fit without the row."""
    X, y = rows(n, p, seed, MODELS[name](1.0))
    for units in (0.3, 1.0, 10.0, 100.0):
        is_the_same(*both(at(name, units, X, y), X, y))


@pytest.mark.parametrize("name", ["classifier", "regressor", "regressor, absolute errors"])
def test_slopes_are_those_of_differences(name):
    X, y = rows(40, 8, 3, MODELS[name](1.0))
    model = at(name, 3.0, X, y)

    def value(**changes):
        return hypergradient(clone(model).set_params(**changes), X, y, criterion=ALO(), tol=1e-11).value

    for parameter in ["C", "epsilon"] if name == "regressor" else ["C"]:
        found = hypergradient(model, X, y, criterion=ALO(), hyperparams=parameter, tol=1e-11).gradient[0]
        here = getattr(model, parameter)
        high, low = (value(**{parameter: here * (1.0 + h)}) for h in (1e-5, -1e-5))
        assert found == pytest.approx((high - low) / (2e-5 * here), rel=1e-3)


@pytest.mark.parametrize("name", ["classifier", "classifier, balanced", "regressor"])
def test_weighted_rows(name):
    """A row is left out with all of its weight, which is also how much its error counts; weight zero is no row."""
    X, y = rows(40, 8, 4, MODELS[name](1.0))
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=40)
    weight[7] = 0.0
    model, errors = at(name, 3.0, X, y), np.zeros(40)
    for i in np.flatnonzero(weight):
        fit = clone(model).set_params(tol=1e-10).fit(X, y, sample_weight=np.where(np.arange(40) == i, 0.0, weight))
        if name == "regressor":
            errors[i] = (y[i] - fit.predict(X[[i]])[0]) ** 2
        else:
            margin = fit.decision_function(X[[i]])[0] * (1.0 if y[i] == "yes" else -1.0)
            errors[i] = max(0.0, 1.0 - margin) ** 2
    found = hypergradient(model, X, y, criterion=ALO(), sample_weight=weight, tol=1e-10)
    assert found.value == pytest.approx(weight @ errors / weight.sum(), rel=1e-5)
    without = np.arange(40) != 7
    fewer = hypergradient(model, X[without], y[without], criterion=ALO(), sample_weight=weight[without], tol=1e-10)
    assert found.value == pytest.approx(fewer.value, rel=1e-5)
    assert found.gradient == pytest.approx(fewer.gradient, rel=1e-3)


@pytest.mark.parametrize("name", ["classifier", "regressor"])
@pytest.mark.parametrize("kind", ["sparse", "single", "columns first"])
def test_storages(name, kind):
    X, y = rows(40, 60, 5, MODELS[name](1.0))
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.5, 0.0, X).astype(np.float32)
    X[3] = 0.0
    other = {"sparse": scipy.sparse.csr_array, "single": np.asarray, "columns first": np.asfortranarray}[kind](X)
    model = at(name, 3.0, X, y)
    one, n_fits = both(model, other, y)
    is_the_same(one, n_fits)
    is_the_same(one, hypergradient(model, X.astype(np.float64), y, criterion=ALO(), tol=1e-10))


@pytest.mark.parametrize("name", ["classifier", "regressor", "regressor, absolute errors"])
@pytest.mark.parametrize("kind", ["repeated", "whole numbers"])
def test_rows_that_repeat_or_meet(name, kind):
    """Free rows depend on each other, and several change their places at once: then a slope is one of several."""
    X, y = rows(40, 12, 6, MODELS[name](1.0))
    if kind == "repeated":
        X[20:], y[20:] = X[:20], y[:20]
    else:
        X, y = np.round(X), np.round(y) if name.startswith("reg") else y
    for units in (1.0, 10.0, 100.0):
        one, other = both(at(name, units, X, y), X, y)
        assert one.value == pytest.approx(other.value, rel=1e-4)


def test_rows_whose_path_does_not_end_are_fitted(monkeypatch):
    X, y = rows(40, 8, 7, MODELS["classifier"](1.0))
    model = at("classifier, balanced", 10.0, X, y)
    found = hypergradient(model, X, y, criterion=ALO(), tol=1e-10)
    monkeypatch.setattr(boundary_without_rows, "_MOST_PIVOTS", 3)
    fitted = hypergradient(model, X, y, criterion=ALO(), tol=1e-10)
    is_the_same(found, fitted)
    assert fitted.value != found.value


@pytest.mark.parametrize("name", ["classifier", "classifier, balanced", "regressor"])
def test_searches(name):
    """The criterion leads and decides, and is at the end what n fits say."""
    X, y = rows(60, 12, 8, MODELS[name](1.0))
    search = GradientSearch(MODELS[name](1.0), criterion="alo").fit(X, y)
    assert search.best_criterion_ == search.trace_.values.min()
    np.testing.assert_array_equal(search.trace_.values, search.trace_.followed)
    exact = hypergradient(search.best_estimator_, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-10)
    assert search.best_criterion_ == pytest.approx(exact.value, rel=1e-3)
    slow = GradientSearch(MODELS[name](1.0), criterion=CrossValidation(LeaveOneOut())).fit(X, y)
    assert search.best_criterion_ <= 1.01 * slow.best_criterion_


def test_searches_without_a_slope():
    X, y = rows(60, 12, 8, MODELS["classifier"](1.0))
    search = GradientSearch(lh.LinearSVC(), criterion="alo", optimizer="random", max_evals=5).fit(X, y)
    one = hypergradient(search.best_estimator_, X, y, criterion=ALO())
    assert search.best_criterion_ == pytest.approx(one.value, rel=1e-4)


def test_targets_within_epsilon():
    X = np.random.default_rng(0).normal(size=(20, 3))
    found = hypergradient(lh.LinearSVR(epsilon=1.0), X, np.linspace(-0.5, 0.5, 20), criterion=ALO())
    assert found.value == pytest.approx(np.mean(np.linspace(-0.5, 0.5, 20) ** 2))
    assert found.gradient[0] == 0.0


def test_what_does_not_fit(monkeypatch):
    X, y = rows(20, 5, 9, lh.LinearSVR())
    with pytest.raises(ValueError, match=r"ALO does not fit .*LeaveOneOut"):
        GradientSearch(lh.SimplexSVR(), criterion="alo").fit(X, y)
    monkeypatch.setattr(leave_one_out, "_MOST_ROWS", 10)
    with pytest.raises(ValueError, match=r"to 20 rows.*10 at most.*criterion='cv'"):
        GradientSearch(lh.LinearSVR(), criterion="alo").fit(X, y)

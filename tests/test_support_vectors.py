"""Support vector machines: the box against brute force, the solver by its gap and peers, gradients by differences."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn import svm
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import (
    CrossValidation,
    GradientSearch,
    HeldOut,
    LinearSVC,
    LinearSVR,
    hypergradient,
    jacobian_convergence,
    path,
)
from lambdahat.box_problem import BoxModel
from lambdahat.datafits import Quadratic, SquaredHinge
from lambdahat.design import as_row_storage
from lambdahat.penalties import Box, classification_box, regression_box
from lambdahat.solvers import solve
from zoo import STORAGES, sample

TIGHT = 1e-14
MODELS = {"SVC": LinearSVC(C=0.05, tol=TIGHT), "SVR": LinearSVR(C=0.1, epsilon=0.4, tol=TIGHT)}
SIGNED = {"SVC": lambda y: np.where(y > np.median(y), 1.0, -1.0), "SVR": lambda y: y}


@parametrize_with_checks(
    [LinearSVC(tol=1e-12), LinearSVR(tol=1e-12), *(GradientSearch(m(tol=1e-12)) for m in (LinearSVC, LinearSVR))]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# --- the box ---------------------------------------------------------------------------------------------------------

BOXES = {
    "classification": classification_box(0.7, np.array([1.0, -1.0, 1.0, -1.0, 1.0]), np.array([1, 2, 0.5, 1, 0])),
    "regression": regression_box(0.7, 0.3, np.array([1, 2, 0.5, 1, 0])),
    "without a kink": regression_box(0.7, 0.0, np.array([1, 2, 0.5, 1, 0])),
}


@pytest.fixture(params=BOXES)
def box(request):
    return BOXES[request.param]


def single(box, i):
    return Box(box.theta, box.lower_factors[i : i + 1], box.upper_factors[i : i + 1])


@pytest.mark.parametrize("seed", range(5))
def test_prox_and_conjugate_are_what_they_say(box, seed):
    rng = np.random.default_rng(seed)
    z, step = 2.0 * rng.normal(size=5), rng.uniform(0.1, 3.0)
    u, conjugates = box.prox(z, step), 0.0
    for i in range(5):
        one, grid = single(box, i), np.append(np.linspace(box.lower[i], box.upper[i], 20_001), 0.0)
        g = box.epsilon * np.abs(grid)
        assert u[i] == pytest.approx(grid[np.argmin(0.5 * (grid - z[i]) ** 2 + step * g)], abs=2e-4)
        assert np.isfinite(one.value(u[i : i + 1]))
        conjugates += np.max(grid * z[i] - g)
    assert box.conjugate(z) == pytest.approx(conjugates, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_derivatives_of_the_prox_against_differences(box, seed):
    rng, h = np.random.default_rng(seed), 1e-6
    z, step, dz, v = 2.0 * rng.normal(size=5), rng.uniform(0.1, 3.0), rng.normal(size=(2, 5)), rng.normal(size=5)
    h_theta = h * np.diag([1.0, float(box.epsilon > 0.0)])  # at zero, ε has one side only

    def at(theta, z):
        return box.with_hyperparams(theta).prox(z, step)

    expected = [
        (at(box.theta + e, z + h * row) - at(box.theta - e, z - h * row)) / (2.0 * h)
        for row, e in zip(dz, h_theta, strict=True)
    ]
    jvp = box.prox_jvp(z, step, dz)
    rows = slice(None) if box.epsilon > 0.0 else slice(1)
    np.testing.assert_allclose(jvp[rows], expected[rows], atol=1e-7)
    by_z, by_theta = box.prox_vjp(z, step, v)
    np.testing.assert_allclose(jvp @ v, dz @ by_z + by_theta, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_what_minimises_violates_nothing(box, seed):
    """``prox(z)`` minimises ``½‖u − z‖² + g(u)``, and only it does."""
    rng = np.random.default_rng(seed)
    z = 2.0 * rng.normal(size=5)
    u = box.prox(z, 1.0)
    np.testing.assert_allclose(box.subdiff_distance(u, u - z), 0.0, atol=1e-14)
    other = np.clip(u + 0.1, box.lower, box.upper)
    moved = other != u
    assert np.all(box.subdiff_distance(other, other - z)[moved] > 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_squared_hinge_loss_and_its_derivatives(seed):
    rng, h, loss = np.random.default_rng(seed), 1e-6, SquaredHinge()
    y, z, s = np.sign(rng.normal(size=6)), 2.0 * rng.normal(size=6), rng.uniform(0.1, 1.0, size=6)
    s /= s.sum()
    value = [loss.value(y, z + e, s) - loss.value(y, z - e, s) for e in h * np.eye(6)]
    np.testing.assert_allclose(s * loss.gradient(y, z), np.divide(value, 2.0 * h), atol=1e-8)
    slopes = (loss.gradient(y, z + h) - loss.gradient(y, z - h)) / (2.0 * h)
    np.testing.assert_allclose(loss.curvature(y, z), slopes, atol=1e-6)
    u = loss.gradient(y, z)
    np.testing.assert_array_equal(loss.clip(y, u), u)
    assert loss.conjugate(y, u, s) == pytest.approx(s @ (u * z) - loss.value(y, z, s))  # Fenchel's equality
    best = minimize_scalar(lambda c: loss.value(y, np.full(6, c), s), bounds=(-1, 1), method="bounded")
    assert loss.constant(y, s) == pytest.approx(best.x, abs=1e-4)


# --- the solver ------------------------------------------------------------------------------------------------------


def objective(model, X, y, coef, intercept, weight):
    z = X @ np.ravel(coef) + float(np.ravel(intercept)[0])
    if isinstance(model, LinearSVC):
        loss = np.maximum(1.0 - y * z, 0.0)
    else:
        loss = np.maximum(np.abs(y - z) - model.epsilon, 0.0)
    b = float(np.ravel(intercept)[0]) / model.intercept_scaling if model.fit_intercept else 0.0
    return 0.5 * np.sum(np.ravel(coef) ** 2) + 0.5 * b**2 + model.C * weight @ loss


def peer(model):
    options = {"C": model.C, "fit_intercept": model.fit_intercept, "intercept_scaling": model.intercept_scaling}
    options |= {"tol": 1e-10, "max_iter": 10_000_000, "random_state": 0}
    if isinstance(model, LinearSVC):
        return svm.LinearSVC(loss="hinge", dual=True, **options)
    return svm.LinearSVR(epsilon=model.epsilon, dual=True, **options)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(60, 8), (20, 40)])
def test_it_agrees_with_liblinear(shape, name, fit_intercept, storage):
    s = sample(*shape)
    y = SIGNED[name](s.y)
    model = type(MODELS[name])(**MODELS[name].get_params()).set_params(
        fit_intercept=fit_intercept, intercept_scaling=2.0
    )
    model.fit(STORAGES[storage](s.X), y, s.weight)
    theirs = peer(model).fit(s.X, y, s.weight)
    np.testing.assert_allclose(np.ravel(model.coef_), np.ravel(theirs.coef_), atol=1e-4)
    np.testing.assert_allclose(model.intercept_, np.ravel(theirs.intercept_)[0] if fit_intercept else 0.0, atol=1e-4)
    ours = objective(model, s.X, y, model.coef_, model.intercept_, s.weight)
    best = objective(model, s.X, y, theirs.coef_, theirs.intercept_, s.weight)
    assert ours <= best * (1.0 + 1e-12)
    assert ours == pytest.approx(best, rel=1e-5)
    assert model.dual_gap_ <= model.tol
    np.testing.assert_allclose(np.ravel(model.coef_), s.X.T @ model.dual_coef_, atol=1e-12)
    expected = s.X @ np.ravel(model.coef_) + float(np.ravel(model.intercept_)[0])
    decide = model.decision_function if name == "SVC" else model.predict
    np.testing.assert_allclose(decide(STORAGES[storage](s.X)), expected, atol=1e-12)


def test_it_agrees_with_libsvm_where_no_intercept_helps():
    s = sample(40, 6)
    X, y = np.vstack([s.X, -s.X]), np.concatenate([SIGNED["SVC"](s.y), -SIGNED["SVC"](s.y)])
    theirs = svm.SVC(kernel="linear", C=0.1, tol=1e-10).fit(X, y)
    ours = LinearSVC(C=0.1, tol=TIGHT, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(theirs.intercept_, 0.0, atol=1e-8)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 15), st.sampled_from(sorted(MODELS)),
    st.floats(-3.0, 2.0), st.booleans(), st.booleans(),
)  # fmt: skip
def test_properties_of_a_solution(seed, n, p, name, log_C, fit_intercept, sparse):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.6)
    y = X @ rng.normal(size=p) + rng.normal(size=n)
    y = np.where(y > np.median(y), 1.0, -1.0) if name == "SVC" else y
    weight = rng.integers(0, 3, size=n).astype(float)
    weight[[np.argmin(y), np.argmax(y)]] = 1.0
    as_X = scipy.sparse.csr_array if sparse else np.asarray
    model = type(MODELS[name])(C=10.0**log_C, tol=1e-11, fit_intercept=fit_intercept, max_iter=10_000)
    model.fit(as_X(X), y, weight)
    assert model.dual_gap_ <= model.tol
    bound = model.C * weight
    assert np.all(np.abs(model.dual_coef_) <= bound)
    assert name == "SVR" or np.all(model.dual_coef_ * y >= 0.0)

    unit = objective(model, X, y, np.zeros(p), 0.0, weight)
    within = np.sqrt(4.0 * model.tol * unit)  # the objective is strongly convex in all weights
    rows = np.repeat(np.arange(n), weight.astype(int))
    order = rng.permutation(rows.size)
    repeated = type(model)(**model.get_params()).fit(as_X(X[rows[order]]), y[rows[order]])
    assert np.linalg.norm(np.ravel(repeated.coef_ - model.coef_)) <= within + 1e-12
    np.testing.assert_allclose(repeated.intercept_, model.intercept_, atol=within + 1e-12)


@pytest.mark.parametrize("storage", ["C", "csr"])
@pytest.mark.parametrize("name", MODELS)
def test_rows_of_zeros_and_rows_twice(name, storage):
    s = sample(30, 5)
    X, y = np.vstack([s.X, s.X[:10], np.zeros((2, 5))]), np.append(np.append(s.y, s.y[:10]), [-3.0, 3.0])
    y = SIGNED[name](y)
    model = type(MODELS[name])(**MODELS[name].get_params()).set_params(fit_intercept=False)
    model.fit(STORAGES[storage](X), y)
    assert model.dual_gap_ <= TIGHT
    weight = np.append(np.full(10, 2.0), np.ones(20))
    once = type(model)(**model.get_params()).fit(s.X, y[:30], weight)
    np.testing.assert_allclose(model.coef_, once.coef_, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_start_at_another_C_ends_at_the_same_solution(name):
    s = sample(60, 8)
    y, weight = SIGNED[name](s.y), s.weight
    make = {"SVC": lambda y, w: classification_box(1.0, y, w), "SVR": lambda y, w: regression_box(1.0, 0.3, w)}[name]
    problem = BoxModel(make, Quadratic()).problems(as_row_storage(s.X), y, [weight])[0]
    for C, C_start in ((0.05, 1.0), (1.0, 0.05)):
        there = problem.with_hyperparams(np.array([C, 0.3]))
        start = solve(problem.with_hyperparams(np.array([C_start, 0.3])), tol=1e-6)
        warm, cold = solve(there, tol=TIGHT, start=start), solve(there, tol=TIGHT)
        assert warm.converged
        np.testing.assert_allclose(warm.w, cold.w, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", range(5))
def test_tall_data_far_from_their_scale(seed, name):
    """Rows by the hundred, columns of means and scales of ten, C a thousand times what is useful."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(150, 300)), int(rng.integers(5, 50))
    X = rng.normal(size=(n, p)) * rng.uniform(0.1, 10.0, size=p) + 10.0
    y = SIGNED[name](X @ rng.normal(size=p) / np.sqrt(p) + 3.0 * rng.normal(size=n))
    model = type(MODELS[name])(C=200.0, tol=1e-7).fit(X, y)
    assert model.dual_gap_ <= 1e-7


def test_too_few_rounds_are_told():
    s = sample(60, 8)
    with pytest.warns(ConvergenceWarning, match="above tol=1.0e-14: raise max_iter, raise tol, scale"):
        model = LinearSVR(C=10.0, tol=TIGHT, max_iter=1).fit(s.X, s.y)
    assert model.dual_gap_ > TIGHT
    assert model.n_iter_ == 1


def test_errors_below_epsilon_need_no_weights():
    s = sample(20, 3)
    model = LinearSVR(epsilon=1e3).fit(s.X, s.y)
    assert not model.coef_.any()
    assert "converged" in model.status_


# --- the hypergradient -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", ["C", "F", "csr", "csc", "C float32"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(60, 8), (30, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("criterion", ["held-out", "cv"])
def test_the_hypergradient_against_central_differences(criterion, shape, name, storage, fit_intercept, weighted):
    s = sample(*shape, seed=1)
    y = SIGNED[name](np.append(s.y, s.y_val))
    n, X = len(s.y), STORAGES[storage](s.X)
    judge = (
        HeldOut(s.X_val, y[n:]) if criterion == "held-out" else CrossValidation(KFold(3, shuffle=True, random_state=0))
    )
    model = type(MODELS[name])(**MODELS[name].get_params()).set_params(
        fit_intercept=fit_intercept, C=0.02, intercept_scaling=1.5
    )
    options = {"criterion": judge, "tol": TIGHT, "sample_weight": s.weight if weighted else None}
    found = hypergradient(model, X, y[:n], **options)
    assert found.converged
    for k, parameter in enumerate(model.tunable):
        value = getattr(model, parameter)

        def at(u, parameter=parameter):
            changed = type(model)(**{**model.get_params(), parameter: u})
            return hypergradient(changed, X, y[:n], **options).value

        h = 1e-4 * value
        wide, narrow = (at(value + h) - at(value - h)) / (2 * h), (at(value + h / 2) - at(value - h / 2)) / h
        expected = (4.0 * narrow - wide) / 3.0
        np.testing.assert_allclose(found.gradient[k], expected, rtol=1e-6, atol=1e-6 * found.value / value)


@pytest.mark.parametrize("storage", ["C", "csr"])
@pytest.mark.parametrize("name", MODELS)
def test_free_rows_that_depend_on_each_other(name, storage):
    """Every row twice: the system of the free rows is singular, the derivative is not."""
    s = sample(40, 12, seed=2)
    y = SIGNED[name](np.append(s.y, s.y_val))
    judge, C = HeldOut(s.X_val, y[40:]), 0.02
    model = type(MODELS[name])(**MODELS[name].get_params()).set_params(C=C)
    once = hypergradient(model, s.X, y[:40], criterion=judge, tol=TIGHT)
    X = STORAGES[storage](np.vstack([s.X, s.X]))
    twice = hypergradient(model.set_params(C=0.5 * C), X, np.tile(y[:40], 2), criterion=judge, tol=TIGHT)
    assert twice.value == pytest.approx(once.value, rel=1e-8)
    np.testing.assert_allclose(twice.gradient * np.resize([0.5, 1.0], twice.gradient.size), once.gradient, rtol=1e-6)


# --- searches --------------------------------------------------------------------------------------------------------


def scored(model, s, y, **params):
    fitted = type(model)(**{**model.get_params(), **params}).fit(s.X, y[: len(s.y)])
    if isinstance(model, LinearSVC):
        return np.mean(np.maximum(1.0 - y[len(s.y) :] * fitted.decision_function(s.X_val), 0.0) ** 2)
    return np.mean((y[len(s.y) :] - fitted.predict(s.X_val)) ** 2)


@pytest.mark.parametrize("parametrization", ["log", "plain"])
@pytest.mark.parametrize("name", MODELS)
def test_a_search_for_C_is_as_good_as_a_fine_grid(name, parametrization):
    s = sample(60, 8, noise=2.0)
    y = SIGNED[name](np.append(s.y, s.y_val))
    model = type(MODELS[name])(**MODELS[name].get_params()).set_params(tol=1e-12)
    judge = HeldOut(s.X_val, y[60:])
    search = GradientSearch(model, criterion=judge, hyperparams=["C"], parametrization=parametrization)
    search.fit(s.X, y[:60])
    low, high = search.bounds_["C"]
    grid = [scored(model, s, y, C=C) for C in np.geomspace(low, high, 60)]
    assert search.best_criterion_ <= min(grid) * (1.0 + 1e-3)
    assert search.best_criterion_ == pytest.approx(scored(model, s, y, **search.best_params_), rel=1e-2)
    np.testing.assert_allclose(search.coef_, search.best_estimator_.fit(s.X, y[:60]).coef_, atol=1e-6)


def test_a_search_for_both_is_no_worse_than_one_for_C():
    s = sample(60, 8, noise=2.0)
    model, judge = LinearSVR(epsilon=0.1), HeldOut(s.X_val, s.y_val)
    one = GradientSearch(model, criterion=judge, hyperparams=["C"]).fit(s.X, s.y)
    both = GradientSearch(model, criterion=judge).fit(s.X, s.y)
    assert set(both.best_params_) == {"C", "epsilon"}
    assert both.best_criterion_ <= one.best_criterion_ * (1.0 + 1e-4)
    assert both.metric_ == "mean squared error"
    only = GradientSearch(LinearSVR(), criterion=judge, hyperparams="epsilon", bounds={"epsilon": (0.01, 3.0)}).fit(
        s.X, s.y
    )
    assert 0.01 <= only.best_params_["epsilon"] <= 3.0


def test_labels_class_weights_and_a_pipeline():
    s = sample(60, 8)
    labels = np.where(s.y > np.median(s.y) + 1.0, "yes", "no")
    pipeline = make_pipeline(StandardScaler(), LinearSVC(class_weight="balanced"))
    search = GradientSearch(pipeline, cv=3).fit(s.X, labels)
    assert search.score(s.X, labels) > 0.8
    assert search.metric_ == "squared hinge loss"
    assert list(search.classes_) == ["no", "yes"]
    assert "linearsvc__C" in search.best_params_
    assert not hasattr(search, "predict_proba")
    y = np.where(labels == "yes", 1.0, -1.0)
    balanced = LinearSVC(tol=TIGHT, class_weight="balanced").fit(s.X, labels)
    weight = np.where(y > 0.0, 30.0 / (y > 0.0).sum(), 30.0 / (y < 0.0).sum())
    np.testing.assert_allclose(balanced.coef_, LinearSVC(tol=TIGHT).fit(s.X, labels, weight).coef_, atol=1e-8)


def test_folds_are_independent_of_threads():
    s = sample(60, 8)
    y = SIGNED["SVC"](s.y)
    values = [GradientSearch(LinearSVC(), n_jobs=k).fit(s.X, y).best_criterion_ for k in (1, 2)]
    assert values[0] == values[1]


def test_the_data_are_left_alone():
    s = sample(30, 6)
    for make in STORAGES.values():
        X = make(s.X)
        before = X.copy()
        LinearSVR().fit(X, s.y)
        assert abs(X - before).max() == 0.0


# --- the path --------------------------------------------------------------------------------------------------------

PATHS = {
    "SVC": (LinearSVC(tol=1e-12), SIGNED["SVC"]),
    "SVR": (LinearSVR(epsilon=0.4, tol=1e-12), SIGNED["SVR"]),
    "SVR, no tube": (LinearSVR(tol=1e-12), SIGNED["SVR"]),
    "SVR, ties at zero": (LinearSVR(tol=1e-12), lambda y: np.where(np.abs(y) < 1.0, 0.0, y)),
    "SVR, ties at the tube": (LinearSVR(epsilon=0.5, tol=1e-12), lambda y: np.clip(y, -0.5, 2.0)),
    "SVR, ties at both ends": (LinearSVR(epsilon=0.5, tol=1e-12), lambda y: np.round(y) / 2.0),
}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", ["C", "csr"])
@pytest.mark.parametrize("name", PATHS)
def test_a_path_over_C_begins_where_the_solution_stops_to_be_a_line(name, storage, fit_intercept):
    s, (model, target) = sample(60, 8), PATHS[name]
    X, y, model = STORAGES[storage](s.X), target(s.y), type(model)(**model.get_params())
    model.set_params(fit_intercept=fit_intercept)
    first = path(model, X, y, n_alphas=1, sample_weight=s.weight)
    C = first.alphas[0]

    def along(share):
        fitted = type(model)(**{**model.get_params(), "C": share * C}).fit(X, y, s.weight)
        return np.ravel(fitted.coef_) / (share * C), fitted.dual_coef_ / (share * C)

    (low, duals), (end, _), (beyond, _) = along(1e-3), along(1.0 - 1e-9), along(1.05)
    np.testing.assert_allclose(first.coefs[:, 0] / C, low, atol=1e-4 * np.abs(low).max())
    np.testing.assert_allclose(end, low, atol=1e-4 * np.abs(low).max())
    assert np.abs(beyond - low).max() > 1e-3 * np.abs(low).max()
    pulling = np.abs(y) > model.epsilon
    np.testing.assert_allclose(np.abs(duals[pulling]), s.weight[pulling], rtol=1e-12)


@pytest.mark.parametrize("name", ["SVC", "SVR"])
def test_a_path_over_C_holds_what_single_fits_find(name):
    s = sample(60, 8)
    y = SIGNED[name](np.append(s.y, s.y_val))
    model = type(MODELS[name])(**MODELS[name].get_params()).set_params(tol=1e-10)
    found = path(model, s.X, y[:60], n_alphas=6, X_val=s.X_val, y_val=y[60:])
    assert found.param == "C"
    assert found.coefs.shape == (8, 6)
    np.testing.assert_allclose(found.alphas, np.geomspace(found.alphas[0], 1e3 * found.alphas[0], 6))
    assert np.all(found.gaps <= 1e-10)
    for k in (0, 3, 5):
        C = found.alphas[k]
        single = type(model)(**{**model.get_params(), "C": C}).fit(s.X, y[:60])
        np.testing.assert_allclose(found.coefs[:, k], np.ravel(single.coef_), atol=1e-4)
        np.testing.assert_allclose(found.intercepts[k], single.intercept_, atol=1e-4)
        assert found.scores[k] == pytest.approx(scored(model, s, y, C=C), rel=1e-4)
    given = path(model, s.X, y[:60], alphas=found.alphas[[4, 2]])
    np.testing.assert_array_equal(given.alphas, found.alphas[[2, 4]])
    np.testing.assert_allclose(given.coefs, found.coefs[:, [2, 4]], atol=1e-4)
    assert given.scores is None


# --- what cannot be used ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LinearSVC(C=0.0), "C=0.0 is out of range"),
        (LinearSVC(C="much"), "C='much' is not a number"),
        (LinearSVR(epsilon=-1.0), "epsilon=-1.0 is out of range"),
        (LinearSVC(intercept_scaling=0.0), "intercept_scaling=0.0 is out of range"),
        (LinearSVC(class_weight={2.0: 1.0}), "class_weight names 2.0"),
    ],
)
def test_parameters_that_cannot_be_used(model, message):
    s = sample(20, 3)
    with pytest.raises(ValueError, match=message):
        model.fit(s.X, SIGNED["SVC"](s.y))


def test_labels_that_cannot_be_used():
    s = sample(30, 3)
    with pytest.raises(ValueError, match="one class only"):
        LinearSVC().fit(s.X, np.ones(30))
    three = np.arange(30) % 3
    with pytest.raises(ValueError, match="OneVsRestClassifier"):
        LinearSVC().fit(s.X, three)
    assert OneVsRestClassifier(LinearSVC()).fit(s.X, three).predict(s.X).shape == (30,)


def test_what_has_no_meaning_is_refused():
    s = sample(30, 3)
    y = SIGNED["SVC"](s.y)
    with pytest.raises(ValueError, match="solved by its dual: use method='implicit'"):
        hypergradient(LinearSVC(), s.X, y, method="forward")
    with pytest.raises(ValueError, match=r"C=0\.0 is out of range"):
        path(LinearSVC(), s.X, y, alphas=[1.0, 0.0])
    with pytest.raises(ValueError, match="values of C, must be given where w is zero at every C"):
        path(LinearSVR(epsilon=1e3), s.X, s.y)
    with pytest.raises(ValueError, match="LinearSVR has no Jacobian here"):
        jacobian_convergence(LinearSVR(), s.X, s.y)
    with pytest.raises(ValueError, match="bounds of C start at zero"):
        GradientSearch(LinearSVC(), bounds={"C": (0.0, 1.0)}, parametrization="plain").fit(s.X, y)
    with pytest.raises(ValueError, match="bounds of epsilon are given but it is not tuned"):
        GradientSearch(LinearSVR(), bounds={"epsilon": (0.1, 1.0)}, hyperparams=["C"]).fit(s.X, s.y)
    with pytest.raises(ValueError, match="hold one class only"):
        GradientSearch(LinearSVC(), cv=KFold(2)).fit(s.X, np.repeat([1.0, -1.0], 15))

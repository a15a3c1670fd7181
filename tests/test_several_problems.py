"""Several problems over the same X: each class against the rest, each target of a Lasso; an alpha for all or each."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import Lasso as ScikitLasso
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import (
    ElasticNet,
    GradientSearch,
    HeldOut,
    Lasso,
    LassoCV,
    OneVsRestLogistic,
    SparseGLM,
    SparseLogisticRegression,
    alpha_max,
    hypergradient,
    jacobian_convergence,
    path,
)
from zoo import STORAGES, sample

STEP = 1e-4  # in log α


@parametrize_with_checks([OneVsRestLogistic(tol=1e-13), GradientSearch(OneVsRestLogistic(tol=1e-13), max_evals=5)])
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return StandardScaler().fit_transform(X)[order], y[order]


def targets(n=60, p=12, T=3, **kwargs):
    """A sample with several targets, of which each needs other columns."""
    s = sample(n, p, **kwargs)
    rng = np.random.default_rng(1)
    W = np.where(rng.random((p, T)) < 0.4, rng.normal(size=(p, T)), 0.0)
    W *= np.linspace(0.5, 3.0, T)
    noise = rng.normal(size=(2 * n, T))
    return s, s.X @ W + noise[:n] + 1.0, s.X_val @ W + noise[n:] + 1.0


ALPHAS = np.array([0.02, 0.05, 0.01])

# --- each class against the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "F", "csc", "csr", "csc float32"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 2: 0.5}])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_each_class_has_the_problem_it_has_alone(wine, storage, class_weight, fit_intercept):
    X, y = wine
    rows = STORAGES[storage](X)
    model = OneVsRestLogistic(ALPHAS, class_weight=class_weight, fit_intercept=fit_intercept, tol=1e-10).fit(rows, y)
    for k, alpha in enumerate(ALPHAS):
        weight = np.ones(len(y))
        if isinstance(class_weight, dict):
            weight = np.array([class_weight.get(label, 1.0) for label in y])
        alone = SparseLogisticRegression(
            alpha,
            fit_intercept=fit_intercept,
            tol=1e-10,
            class_weight="balanced" if class_weight == "balanced" else None,
        )
        alone.fit(rows, y == k, weight)
        np.testing.assert_allclose(model.coef_[k], alone.coef_[0], atol=1e-4)
        np.testing.assert_allclose(model.intercept_[k], alone.intercept_[0], atol=1e-4)
    assert model.dual_gap_.shape == (3,)
    assert np.all(model.dual_gap_ <= 1e-10)


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_it_agrees_with_scikit_learn(wine, storage):
    X, y = wine
    labels = np.array(["red", "white", "rosé"])[y]
    C = 0.5
    ours = OneVsRestLogistic(1.0 / (C * len(y)), tol=1e-12).fit(STORAGES[storage](X), labels)
    saga = LogisticRegression(C=C, solver="saga", l1_ratio=1.0, tol=1e-10, max_iter=100_000)
    theirs = OneVsRestClassifier(saga).fit(X, labels)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_allclose(ours.coef_, np.vstack([one.coef_ for one in theirs.estimators_]), atol=2e-5)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(STORAGES[storage](X)), theirs.predict(X))
    assert ours.score(X, labels) > 0.98


def test_two_classes_are_one_problem(wine):
    X, y = wine[0], wine[1] == 1
    one, both = SparseLogisticRegression(0.02).fit(X, y), OneVsRestLogistic(0.02).fit(X, y)
    for name in ("coef_", "intercept_", "dual_gap_", "classes_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(both, name))
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(getattr(one, method)(X), getattr(both, method)(X), rtol=1e-12)
    np.testing.assert_array_equal(OneVsRestLogistic([0.02]).fit(X, y).coef_, one.coef_)
    search = GradientSearch(OneVsRestLogistic(), cv=3).fit(X, y)
    assert search.best_criterion_ == pytest.approx(
        GradientSearch(SparseLogisticRegression(), cv=3).fit(X, y).best_criterion_, rel=1e-9
    )


def test_probabilities_of_rows_that_no_class_wants_keep_their_digits():
    X = np.array([[1.0], [-1.0], [0.0]] * 4)
    model = OneVsRestLogistic(0.1).fit(X, np.arange(12) % 3)
    model.coef_, model.intercept_ = np.array([[-900.0], [-901.0], [-1500.0]]), np.zeros(3)
    np.testing.assert_allclose(model.predict_proba([[1.0]])[0, :2], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    np.testing.assert_allclose(model.predict_log_proba([[1.0]])[0, 2], -600.0 - np.log1p(np.exp(-1.0)))


def test_weights_are_repetitions(wine):
    X, y = wine
    times = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted = OneVsRestLogistic(ALPHAS, tol=1e-12).fit(X, y, sample_weight=times)
    repeated = OneVsRestLogistic(ALPHAS, tol=1e-12).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-5)


# --- targets of a Lasso ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("alpha", [0.1, [0.3, 0.03, 0.1]])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"standardize": True}, {"positive": True}])
def test_each_target_has_the_problem_it_has_alone(storage, alpha, options):
    s, Y, _ = targets()
    X = STORAGES[storage](s.X)
    model = Lasso(alpha, tol=1e-12, **options).fit(X, Y, s.weight)
    assert model.coef_.shape == (3, 12)
    for k, each in enumerate(np.broadcast_to(alpha, 3).tolist()):
        alone = Lasso(each, tol=1e-12, **options).fit(X, Y[:, k], s.weight)
        np.testing.assert_allclose(model.coef_[k], alone.coef_, atol=1e-6)
        np.testing.assert_allclose(model.intercept_[k], alone.intercept_, atol=1e-5)
    np.testing.assert_allclose(model.predict(X), s.X @ model.coef_.T + model.intercept_, atol=1e-5)


@pytest.mark.parametrize("shape", [(60, 12), (30, 80)])
def test_several_targets_agree_with_scikit_learn(shape):
    s, Y, _ = targets(*shape)
    ours, theirs = Lasso(0.1, tol=1e-12).fit(s.X, Y), ScikitLasso(0.1, tol=1e-12, max_iter=100_000).fit(s.X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert ours.score(s.X, Y) == pytest.approx(theirs.score(s.X, Y), abs=1e-7)


def test_frames_and_columns_of_targets():
    s, Y, _ = targets()
    model = Lasso([0.3, 0.03, 0.1]).fit(s.X, Y)
    frame = Lasso([0.3, 0.03, 0.1]).fit(s.X, pd.DataFrame(Y))
    np.testing.assert_array_equal(model.coef_, frame.coef_)
    with pytest.warns(UserWarning, match="column-vector"):  # scikit-learn's: one column is one target
        assert Lasso(0.1).fit(s.X, Y[:, :1]).coef_.shape == (12,)


@pytest.mark.parametrize("model", [Lasso(0.1), Lasso([0.1, 0.2, 0.05]), OneVsRestLogistic(ALPHAS)])
def test_warm_start(model):
    s, Y, _ = targets()
    y = np.argmax(Y, axis=1) if isinstance(model, OneVsRestLogistic) else Y
    model = model.set_params(warm_start=True, tol=1e-10).fit(s.X, y)
    before, cold = model.coef_.copy(), model.n_iter_
    model.fit(s.X, y)
    assert model.n_iter_ < cold
    np.testing.assert_allclose(model.coef_, before, atol=1e-6)
    other = y[:, 0] if y.ndim == 2 else (y > 0)  # the coefficients do not fit: a cold start
    if np.ndim(model.alpha) == 0:
        assert model.fit(s.X, other).coef_.shape == (12,)


# --- tuning ----------------------------------------------------------------------------------------------------------


def cases():
    found = []
    s, Y, Y_val = targets(noise=2.0)
    classes, classes_val = np.argmax(Y, axis=1), np.argmax(Y_val, axis=1)
    for alpha in (0.03, [0.01, 0.05, 0.02]):
        kind = "one" if np.ndim(alpha) == 0 else "each"
        for name, model, y, y_val in (
            ("classes", OneVsRestLogistic(alpha), classes, classes_val),
            ("targets", Lasso(5.0 * np.asarray(alpha) if kind == "each" else 5.0 * alpha), Y, Y_val),
        ):
            found.append(pytest.param(s, model, y, y_val, id=f"{name}, {kind}"))
    return found


@pytest.mark.parametrize("method", ["implicit", "implicit_forward", "forward", "backward"])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("criterion", ["cv", "held-out"])
@pytest.mark.parametrize(("s", "model", "y", "y_val"), cases())
def test_hypergradient_against_differences(s, model, y, y_val, criterion, storage, method):
    alpha = np.array(model.alpha, dtype=float)
    judge = HeldOut(s.X_val, y_val) if criterion == "held-out" else "cv"
    X = STORAGES[storage](s.X)

    def value(logarithms):
        there = alpha * np.exp(logarithms)
        there = float(there) if there.ndim == 0 else there
        at = type(model)(alpha=there)
        return hypergradient(at, X, y, criterion=judge, cv=KFold(3), sample_weight=s.weight, tol=1e-13).value

    result = hypergradient(
        model, X, y, criterion=judge, cv=KFold(3), sample_weight=s.weight, method=method, tol=1e-12, force=True
    )
    expected = np.empty(alpha.size)
    for k in range(alpha.size):
        e = np.reshape(np.where(np.arange(alpha.size) == k, STEP, 0.0), alpha.shape)
        wide, narrow = (value(e) - value(-e)) / (2.0 * STEP), (value(e / 2) - value(-e / 2)) / STEP
        expected[k] = (4.0 * narrow - wide) / 3.0
    np.testing.assert_allclose(result.log_gradient, expected, atol=2e-6 * np.abs(expected).max())
    folds = (3, 3, 12) if criterion == "cv" else (3, 12)
    assert result.coef.shape == folds
    assert len(result.support) == np.prod(folds[:-1])


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_the_criterion_is_the_log_loss_of_the_probabilities(wine, storage):
    X, y = wine
    cv = StratifiedKFold(4)
    search = GradientSearch(OneVsRestLogistic(ALPHAS), cv=cv).fit(STORAGES[storage](X), y)
    best = search.best_params_["alpha"]
    assert best.shape == (3,)
    proba = cross_val_predict(OneVsRestLogistic(best, tol=1e-10), X, y, cv=cv, method="predict_proba")
    losses = [log_loss(y[test], proba[test]) for _, test in cv.split(X, y)]
    assert search.best_criterion_ == pytest.approx(np.mean(losses), rel=1e-4)
    np.testing.assert_allclose(search.fold_criteria_, losses, rtol=1e-3)
    assert search.metric_ == "log-loss"
    shared = GradientSearch(OneVsRestLogistic(), cv=cv).fit(X, y)
    assert search.best_criterion_ < shared.best_criterion_
    gradient = hypergradient(search.best_estimator_, X, y, cv=cv).log_gradient
    assert np.abs(gradient).max() < 0.02 * search.best_criterion_


def test_the_criterion_is_the_mean_error_of_the_targets():
    s, Y, _ = targets()
    cv = KFold(4)
    search = GradientSearch(Lasso(np.ones(3)), cv=cv).fit(s.X, Y)
    predicted = cross_val_predict(Lasso(search.best_params_["alpha"], tol=1e-10), s.X, Y, cv=cv)
    errors = [mean_squared_error(Y[test], predicted[test]) for _, test in cv.split(s.X)]
    assert search.best_criterion_ == pytest.approx(np.mean(errors), rel=1e-4)
    alone = [GradientSearch(Lasso(), cv=cv).fit(s.X, Y[:, k]) for k in range(3)]
    assert search.best_criterion_ == pytest.approx(np.mean([one.best_criterion_ for one in alone]), rel=1e-3)
    assert search.predict(s.X).shape == (60, 3)
    assert search.score(s.X, Y) > 0.5
    shared = GradientSearch(Lasso(), cv=cv).fit(s.X, Y)
    assert isinstance(shared.best_params_["alpha"], float)
    assert search.best_criterion_ < shared.best_criterion_


def test_the_drop_in_class_tunes_one_alpha_for_all_targets():
    s, Y, _ = targets()
    model, search = LassoCV(cv=4).fit(s.X, Y), GradientSearch(Lasso(), cv=4).fit(s.X, Y)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_array_equal(model.coef_, search.coef_)
    np.testing.assert_array_equal(model.predict(s.X), search.predict(s.X))


def test_threads_change_no_bit(wine):
    X, y = wine
    one, two = (GradientSearch(OneVsRestLogistic(ALPHAS), cv=3, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.trace_.values, two.trace_.values)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_in_a_pipeline(wine):
    X, y = wine
    labels = np.array(["c", "a", "b"])[y]
    pipeline = make_pipeline(StandardScaler(), OneVsRestLogistic(ALPHAS))
    search = GradientSearch(pipeline, cv=StratifiedKFold(3)).fit(X, labels)
    assert search.best_params_["onevsrestlogistic__alpha"].shape == (3,)
    assert search.score(X, labels) > 0.97
    s, Y, _ = targets()
    fitted = GradientSearch(make_pipeline(StandardScaler(), Lasso(np.ones(3))), cv=3).fit(s.X, Y)
    assert fitted.predict(s.X).shape == Y.shape


@pytest.mark.parametrize("optimizer", ["grid", "lbfgs", "line_search"])
def test_other_searches_bounds_and_starts(wine, optimizer):
    X, y = wine
    search = GradientSearch(
        OneVsRestLogistic(ALPHAS), cv=3, optimizer=optimizer, bounds=(1e-3, 0.1), init={"alpha": ALPHAS}, max_evals=40
    ).fit(X, y)
    assert np.all((search.trace_.hyperparams >= 1e-3 * (1 - 1e-9)) & (search.trace_.hyperparams <= 0.1 * (1 + 1e-9)))


def test_path_of_several_problems(wine):
    X, y = wine
    found = path(OneVsRestLogistic(tol=1e-10), X, y, n_alphas=5, X_val=X[::2], y_val=y[::2])
    assert found.coefs.shape == (13, 3, 5)
    assert not found.coefs[:, :, 0].any()
    model = OneVsRestLogistic(found.alphas[3], tol=1e-10).fit(X, y)
    np.testing.assert_allclose(found.coefs[:, :, 3], model.coef_.T, atol=1e-4)
    np.testing.assert_allclose(found.scores[3], log_loss(y[::2], model.predict_proba(X[::2])), rtol=1e-4)
    s, Y, _ = targets()
    lassos = path(Lasso(tol=1e-10), s.X, Y, n_alphas=4)
    largest = max(alpha_max(s.X, Y[:, k]) for k in range(3))
    assert lassos.alphas[0] == pytest.approx(largest)
    np.testing.assert_allclose(lassos.coefs[:, :, 2], Lasso(lassos.alphas[2], tol=1e-10).fit(s.X, Y).coef_.T, atol=1e-6)


# --- what cannot be done ---------------------------------------------------------------------------------------------


def test_bad_input_gets_a_sentence():
    X, y = load_iris(return_X_y=True)
    s, Y, Y_val = targets()
    for model, X_, y_, message in (
        (OneVsRestLogistic([0.1, 0.2]), X, y, "alpha has 2 values but y has 3 classes"),
        (OneVsRestLogistic([0.1, -0.2, 0.1]), X, y, r"alpha\[1\]=-0.2 is out of range"),
        (OneVsRestLogistic(np.ones((3, 1))), X, y, "alpha has shape"),
        (OneVsRestLogistic([]), X, y, "alpha has shape"),
        (OneVsRestLogistic(), X, np.ones(150), "one class only"),
        (OneVsRestLogistic(class_weight={9: 1.0}), X, y, "class_weight names 9 but the classes are 0, 1 and 2"),
        (Lasso([0.1, 0.2]), s.X, Y, "alpha has 2 values but y has 3 targets"),
        (Lasso([0.1, 0.2]), s.X, Y[:, 0], "alpha"),
        (Lasso(), s.X, np.where(np.arange(3) == 1, np.nan, Y), "y contains NaN"),
        (SparseGLM("quadratic", alpha=[0.1, 0.2]), s.X, Y[:, 0], "alpha"),
        (ElasticNet(), s.X, Y, r"y has shape \(60, 3\): pass one target"),
        (SparseGLM("quadratic"), s.X, Y, r"y has shape \(60, 3\): pass one target"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X_, y_)
    with pytest.raises(ValueError, match=r"the 100 training rows of fold 0 hold no row of class 0"):
        GradientSearch(OneVsRestLogistic(), cv=KFold(3)).fit(X, y)
    with pytest.raises(ValueError, match="y_val holds the label 7"):
        GradientSearch(OneVsRestLogistic(), criterion=HeldOut(X, np.full(150, 7))).fit(X, y)
    with pytest.raises(ValueError, match="column 2 of y is constant"):
        GradientSearch(Lasso(), cv=3).fit(s.X, np.where(np.arange(3) == 2, 1.0, Y))
    with pytest.raises(ValueError, match="y_val has 2 targets but y has 3"):
        GradientSearch(Lasso(), criterion=HeldOut(s.X_val, Y_val[:, :2])).fit(s.X, Y)
    with pytest.raises(ValueError, match="jacobian_convergence follows one problem, but y makes 3"):
        jacobian_convergence(Lasso(), s.X, Y)
    with pytest.raises(ValueError, match="alpha has 2 values but y has 3 classes"):
        GradientSearch(OneVsRestLogistic([0.1, 0.1]), cv=3).fit(X, y)


def test_a_fit_says_which_problem_ended_how(wine):
    X, y = wine
    status = OneVsRestLogistic([10.0, 0.01, 0.01]).fit(X, y).status_
    assert "3 problems" in status
    assert "number 0: all coefficients are zero" in status
    with pytest.warns(UserWarning, match="OneVsRestLogistic") as caught:
        OneVsRestLogistic(1e-4, tol=1e-14, max_iter=1).fit(X, y)
    assert len(caught) == 1

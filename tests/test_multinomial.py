"""Multinomial logistic regression: its loss, its penalties, its solver, its hypergradients, its estimator."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import (
    GradientSearch,
    HeldOut,
    MultinomialLogistic,
    SparseLogisticRegression,
    hypergradient,
    path,
)
from lambdahat.datafits import Multinomial
from lambdahat.datafits.multinomial import Odds
from lambdahat.penalties import entrywise_l1
from zoo import STORAGES, factors

ALPHAS = np.array([0.02, 0.035, 0.011])  # no sum of some equals that of the others: solutions are unique
STEP = 1e-5


@parametrize_with_checks(
    [
        MultinomialLogistic(tol=1e-12),
        MultinomialLogistic(penalty="rows", tol=1e-12),
        GradientSearch(MultinomialLogistic(tol=1e-12), max_evals=5),
    ]
)
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def classes(n=120, p=12, K=3, *, seed=0, scale=1.0):
    """Columns with zeros and unequal means and scales; labels drawn from a sparse multinomial model."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 0.3) * rng.uniform(0.5, 2.0, size=p)
    X[rng.random((n, p)) > 0.7] = 0.0
    X = np.round(X * 2**10) / 2**10
    W = np.where(rng.random((p, K)) < 0.4, rng.normal(size=(p, K)), 0.0)
    P = Multinomial.probabilities(scale * X @ W)
    y = np.array([rng.choice(K, p=row) for row in P])
    y[:K] = np.arange(K)
    return X, y


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return StandardScaler().fit_transform(X)[order], y[order]


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_derivatives_of_the_loss(scale):
    rng = np.random.default_rng(0)
    y, z, s = np.eye(4)[rng.integers(0, 4, size=7)], scale * rng.normal(size=(7, 4)), rng.dirichlet(np.ones(7))
    loss = Multinomial()
    value = lambda v: loss.value(y, v.reshape(7, 4), s)  # noqa: E731
    slope = lambda v: (s[:, None] * loss.gradient(y, v.reshape(7, 4))).ravel()  # noqa: E731
    assert check_grad(value, slope, z.ravel()) < 1e-6
    d = rng.normal(size=(7, 4))
    along = (slope((z + 1e-6 * d).ravel()) - slope((z - 1e-6 * d).ravel())).reshape(7, 4) / 2e-6
    np.testing.assert_allclose(loss.hessian(y, z, s)(d), along, atol=1e-7)
    for row in range(7):
        p = loss.probabilities(z[row : row + 1])[0]
        exact = np.diag(p) - np.outer(p, p)
        np.testing.assert_allclose(loss.curvature(y, z)[row], np.diag(exact), atol=1e-15)
        assert np.linalg.eigvalsh(exact)[-1] <= loss.bound(y, z)[row] + 1e-15


def test_fenchel_and_young():
    rng = np.random.default_rng(0)
    y, s = np.eye(3)[rng.integers(0, 3, size=50)], rng.dirichlet(np.ones(50))
    loss = Multinomial()
    for scale in (0.1, 1.0, 50.0):
        z, other = scale * rng.normal(size=(50, 3)), scale * rng.normal(size=(50, 3))
        u = loss.gradient(y, z)
        pairing = lambda v, u=u: float(np.vdot(s[:, None] * u, v))  # noqa: E731
        np.testing.assert_allclose(loss.value(y, z, s) + loss.conjugate(y, u, s), pairing(z), atol=1e-12 * (1 + scale))
        assert loss.value(y, other, s) + loss.conjugate(y, u, s) >= pairing(other) - 1e-12
        assert loss.value(y, other, s) + loss.conjugate(y, 0.4 * u, s) >= 0.4 * pairing(other) - 1e-12
        np.testing.assert_allclose(loss.clip(y, u), u, atol=1e-15)


def test_one_class_is_the_loss_while_the_others_stay():
    rng = np.random.default_rng(0)
    y, z, s = np.eye(4)[rng.integers(0, 4, size=30)], rng.normal(size=(30, 4)), rng.dirichlet(np.ones(30))
    z[0], z[1] = [900.0, 0.0, 1.0, 2.0], [-900.0, 0.0, -2000.0, 1.0]
    loss, odds = Multinomial(), Odds.at(z)
    from lambdahat.datafits.multinomial import OneClass

    for k in range(4):
        label, one = 2.0 * y[:, k] - 1.0, OneClass(odds.others(z, k))
        np.testing.assert_allclose(one.gradient(label, z[:, k]), loss.gradient(y, z)[:, k], atol=1e-12)
        np.testing.assert_allclose(one.curvature(label, z[:, k]), loss.curvature(y, z)[:, k], atol=1e-12)
        moved = z.copy()
        moved[:, k] += rng.normal(size=30)
        change = loss.value(y, moved, s) - loss.value(y, z, s)
        assert one.value(label, moved[:, k], s) - one.value(label, z[:, k], s) == pytest.approx(change, abs=1e-10)
        odds = odds.moved(moved, k)
        z = moved
        np.testing.assert_allclose(odds.others(z, (k + 1) % 4), Odds.at(z).others(z, (k + 1) % 4), rtol=1e-12)


# --- the penalty -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [np.array([0.3]), np.array([0.3, 0.1, 0.7])])
@pytest.mark.parametrize("positive", [False, True])
def test_the_entrywise_penalty(theta, positive):
    p, K, step = 8, 3, 0.7
    rng = np.random.default_rng(0)
    penalty = entrywise_l1(p, theta, factors(p), positive=positive)
    z = rng.normal(size=(p, K))
    w = penalty.prox(z, step)
    for k in range(K):
        column = penalty.column(k)
        np.testing.assert_allclose(w[:, k], column.prox(z[:, k], step))
        np.testing.assert_allclose(penalty.distances(w, z)[:, k], column.subdiff_distance(w[:, k], z[:, k]), atol=1e-15)
        kinked = np.delete(np.arange(p), [0, 3, 6])  # neither unpenalised nor excluded
        assert penalty.dual_norms(z)[k] == pytest.approx(column.restricted(kinked).dual_norm(z[kinked, k]))
    assert penalty.value(w) == pytest.approx(sum(penalty.column(k).value(w[:, k]) for k in range(K)))
    assert np.isinf(penalty.value(z)) or not positive
    assert penalty.excluded.tolist() == np.isinf(factors(p)).tolist()
    assert penalty.free.tolist() == (factors(p) == 0.0).tolist()
    S = penalty.generalized_support(w)
    assert set(S) >= set(np.flatnonzero(w.any(axis=1)))
    v = rng.normal(size=(S.size, K))
    jacobian = penalty.hyperparam_jacobian(S, w[S])
    np.testing.assert_allclose(penalty.hyperparam_vjp(S, w[S], v), np.tensordot(jacobian, v, 2))
    dz = np.zeros((theta.size, p, K))
    slopes = penalty.prox_jvp(z, step, dz)
    for k in range(theta.size):
        moved = [penalty.with_hyperparams(theta + s * 1e-7 * np.eye(theta.size)[k]).prox(z, step) for s in (1, -1)]
        np.testing.assert_allclose(slopes[k], (moved[0] - moved[1]) / 2e-7, atol=1e-6)
    back, by_theta = penalty.prox_vjp(z, step, z)
    np.testing.assert_allclose(by_theta, np.tensordot(slopes, z, 2))
    np.testing.assert_allclose(back, np.where(penalty.moving(w), z, 0.0))
    d = rng.normal(size=(p, K)) * (w != 0.0)
    t, target = penalty.search(w, d, -1.0, 2.0)
    along = [-s + s * s + penalty.value(w + s * d) for s in np.linspace(0.0, 2.0, 401)]
    assert -t + t * t + penalty.value(target) <= min(along) + 1e-9


# --- the solver ------------------------------------------------------------------------------------------------------


def violation(model, X, y, weight, alphas, each=None):
    """The largest violation of the optimality conditions, by plain NumPy."""
    s = weight / weight.sum()
    Z = X @ model.coef_.T + model.intercept_
    R = s[:, None] * (Multinomial.probabilities(Z) - np.eye(Z.shape[1])[y])
    G, W, c = X.T @ R, model.coef_.T, np.ones(X.shape[1]) if each is None else each
    worst = np.abs(R.sum(axis=0)).max() if model.fit_intercept else 0.0
    kept = np.isfinite(c)
    assert not W[~kept].any()
    G, W, c = G[kept], W[kept], c[kept]
    if model.penalty == "rows":
        norms = np.linalg.norm(W, axis=1)
        unit = W / np.where(norms > 0.0, norms, 1.0)[:, None]
        used = np.linalg.norm(G + alphas * c[:, None] * unit, axis=1)
        return max(worst, np.where(norms > 0.0, used, np.maximum(np.linalg.norm(G, axis=1) - alphas * c, 0.0)).max())
    strength = np.broadcast_to(np.outer(c, alphas), W.shape)
    size = -G if model.positive else np.abs(G)
    return max(worst, np.where(W != 0.0, np.abs(G + strength * np.sign(W)), np.maximum(size - strength, 0.0)).max())


@pytest.mark.parametrize("storage", sorted(STORAGES))
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 0.02},
        {"alpha": ALPHAS},
        {"alpha": ALPHAS, "positive": True},
        {"alpha": ALPHAS, "penalty_factors": True},
        {"alpha": 0.03, "penalty": "rows"},
        {"alpha": 0.02, "penalty": "rows", "penalty_factors": True},
    ],
    ids=str,
)
def test_solutions_are_optimal(settings, fit_intercept, storage):
    X, y = classes()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(y))
    weight[5] = 0.0
    each = factors(12) if settings.get("penalty_factors") else None
    settings = {**settings, "penalty_factors": each}
    model = MultinomialLogistic(**settings, fit_intercept=fit_intercept, tol=1e-13).fit(STORAGES[storage](X), y, weight)
    assert model.dual_gap_ <= 1e-13
    assert violation(model, X, y, weight, model.alpha, each) < 1e-7


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", ["l1", "rows"])
@pytest.mark.parametrize("scale", [0.3, 5.0])
def test_wide_and_nearly_separable_data(penalty, scale, storage):
    X, y = classes(60, 300, 5, scale=scale)
    model = MultinomialLogistic(1e-3, penalty=penalty, tol=1e-9).fit(STORAGES[storage](X), y)
    assert model.dual_gap_ <= 1e-9
    assert violation(model, X, y, np.ones(len(y)), 1e-3) < 1e-6


@settings(max_examples=40, deadline=None)
@example(
    n=29, p=10, K=6, seed=32, alpha=0.29701511728903646, penalty="rows", storage="C", fit_intercept=False,
    standardize=False,
)  # fmt: skip
@example(n=12, p=10, K=4, seed=0, alpha=0.001, penalty="rows", storage="C", fit_intercept=False, standardize=False)
@example(n=23, p=14, K=3, seed=14, alpha=0.001, penalty="rows", storage="csc", fit_intercept=True, standardize=True)
@given(
    n=st.integers(12, 60), p=st.integers(1, 40), K=st.integers(3, 6), seed=st.integers(0, 10_000),
    alpha=st.floats(1e-3, 0.3), penalty=st.sampled_from(["l1", "rows"]), storage=st.sampled_from(sorted(STORAGES)),
    fit_intercept=st.booleans(), standardize=st.booleans(),
)  # fmt: skip
def test_any_data(n, p, K, seed, alpha, penalty, storage, fit_intercept, standardize):
    X, y = classes(n, p, K, seed=seed)
    rng = np.random.default_rng(seed)
    X[:, rng.integers(p)] = rng.normal()  # a constant column
    X[:, 0] = X[:, -1]  # one that repeats another
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of what rounding leaves of the last two digits
        model = MultinomialLogistic(
            alpha, penalty=penalty, fit_intercept=fit_intercept, standardize=standardize, tol=1e-14
        ).fit(STORAGES[storage](X), y)
    assert model.dual_gap_ <= 1e-12
    scales = np.where(X.std(axis=0) > 1e-12, X.std(axis=0), 1.0) if standardize else None
    float32 = 1e-6 if "float32" in storage else 0.0  # the constant column is rounded
    assert violation(model, X, y, np.ones(n), alpha, scales) < 1e-5 + float32


@pytest.mark.parametrize("penalty", ["l1", "rows"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_max_is_exact(penalty, fit_intercept):
    X, y = classes()
    model = MultinomialLogistic(penalty=penalty, fit_intercept=fit_intercept, tol=1e-12)
    found = path(model, X, y, n_alphas=4)
    largest = float(found.alphas[0])
    assert not found.coefs[..., 0].any()
    assert (
        MultinomialLogistic(largest * (1 + 1e-9), penalty=penalty, fit_intercept=fit_intercept).fit(X, y).coef_.sum()
        == 0.0
    )
    below = MultinomialLogistic(largest * 0.999, penalty=penalty, fit_intercept=fit_intercept, tol=1e-12).fit(X, y)
    assert below.coef_.any()
    weight = {"alpha": float(found.alphas[2]), "penalty": penalty, "fit_intercept": fit_intercept, "tol": 1e-12}
    np.testing.assert_allclose(found.coefs[..., 2], MultinomialLogistic(**weight).fit(X, y).coef_.T, atol=1e-5)
    assert "penalise at least" in MultinomialLogistic(2.0 * largest, penalty=penalty).fit(X, y).status_


# --- the estimator ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_agrees_with_scikit_learn(wine, weighted, fit_intercept, storage):
    X, y = wine
    labels, weight = np.array(["red", "white", "rosé"])[y], np.linspace(0.5, 1.5, len(y)) if weighted else None
    C = 0.3
    total = len(y) if weight is None else weight.sum()
    ours = MultinomialLogistic(1.0 / (C * total), fit_intercept=fit_intercept, tol=1e-12)
    ours.fit(STORAGES[storage](X), labels, weight)
    theirs = LogisticRegression(
        C=C, solver="saga", l1_ratio=1.0, tol=1e-10, max_iter=100_000, fit_intercept=fit_intercept
    ).fit(X, labels, weight)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(STORAGES[storage](X)), theirs.predict(X))
    assert ours.score(X, labels) > 0.95


@pytest.mark.parametrize("penalty", ["l1", "rows"])
def test_two_classes_are_a_sparse_logistic_regression(wine, penalty):
    X, y = wine[0], wine[1] == 1
    one, both = SparseLogisticRegression(0.02).fit(X, y), MultinomialLogistic(0.02, penalty=penalty).fit(X, y)
    for name in ("coef_", "intercept_", "dual_gap_", "classes_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(both, name))
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(getattr(one, method)(X), getattr(both, method)(X), rtol=1e-12)
    search = GradientSearch(MultinomialLogistic(penalty=penalty), cv=3).fit(X, y)
    theirs = GradientSearch(SparseLogisticRegression(), cv=3).fit(X, y)
    assert search.best_criterion_ == pytest.approx(theirs.best_criterion_, rel=1e-9)


@pytest.mark.parametrize("penalty", ["l1", "rows"])
def test_weights_are_repetitions(wine, penalty):
    X, y = wine
    times = np.random.default_rng(0).integers(0, 4, size=len(y))
    model = MultinomialLogistic(0.02, penalty=penalty, tol=1e-12)
    weighted = model.fit(X, y, sample_weight=times).coef_.copy()
    repeated = model.fit(np.repeat(X, times, axis=0), np.repeat(y, times)).coef_
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 2: 0.5}])
def test_class_weights(wine, class_weight):
    X, y = wine
    if class_weight == "balanced":
        weight = (len(y) / (3 * np.bincount(y)))[y]
    else:
        weight = np.array([class_weight.get(label, 1.0) for label in y])
    ours = MultinomialLogistic(ALPHAS, class_weight=class_weight, tol=1e-12).fit(X, y)
    theirs = MultinomialLogistic(ALPHAS, tol=1e-12).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-7)


def test_a_warm_start_is_there_at_once(wine):
    X, y = wine
    model = MultinomialLogistic(0.01, warm_start=True, tol=1e-8).fit(X, y)
    before = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, before, atol=1e-6)


# --- tuning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("criterion", ["cv", "held-out", "held-out weighted"])
@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": ALPHAS},
        {"alpha": ALPHAS, "fit_intercept": False, "positive": True},
        {"alpha": ALPHAS, "standardize": True, "class_weight": "balanced"},
        {"alpha": ALPHAS, "penalty_factors": True},
        {"alpha": 0.02},
        {"alpha": 0.02, "penalty": "rows"},
        {"alpha": 0.02, "penalty": "rows", "fit_intercept": False, "standardize": True},
        {"alpha": 0.02, "penalty": "rows", "penalty_factors": True},
    ],
    ids=str,
)
def test_hypergradients_agree_with_differences(settings, criterion, storage):
    X, y = classes()
    X_val, y_val = classes(80, seed=3)
    each = factors(12) if settings.get("penalty_factors") else None
    settings = {**settings, "penalty_factors": each}
    judge = {
        "cv": "cv",
        "held-out": HeldOut(X_val, y_val),
        "held-out weighted": HeldOut(X_val, y_val, np.linspace(0.1, 1.0, 80)),
    }[criterion]
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(y))

    def at(alpha):
        model = MultinomialLogistic(**{**settings, "alpha": alpha})
        return hypergradient(model, STORAGES[storage](X), y, criterion=judge, cv=3, tol=1e-13, sample_weight=weight)

    alphas = np.atleast_1d(settings["alpha"])
    found = at(settings["alpha"]).log_gradient
    for k, slope in enumerate(found):
        ends = [alphas * np.exp(sign * STEP * np.eye(alphas.size)[k]) for sign in (1.0, -1.0)]
        if np.ndim(settings["alpha"]) == 0:
            ends = [float(end[0]) for end in ends]
        difference = (at(ends[0]).value - at(ends[1]).value) / (2.0 * STEP)
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-8)


def test_the_criterion_is_the_log_loss(wine):
    X, y = wine
    cv = StratifiedKFold(3)
    result = hypergradient(MultinomialLogistic(ALPHAS), X, y, cv=cv, tol=1e-12)
    proba = cross_val_predict(MultinomialLogistic(ALPHAS, tol=1e-12), X, y, cv=cv, method="predict_proba")
    folds = [log_loss(y[test], proba[test], labels=[0, 1, 2]) for _, test in cv.split(X, y)]
    assert result.value == pytest.approx(np.mean(folds), rel=1e-6)
    assert result.coef.shape == (3, 13, 3)


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_a_search_with_one_alpha_a_class_does_no_worse_than_with_one(storage):
    X, y = classes(300, 30, 4, seed=2)
    X = STORAGES[storage](X)
    shared = GradientSearch(MultinomialLogistic(), cv=3).fit(X, y)
    each = GradientSearch(MultinomialLogistic(np.full(4, 0.01)), cv=3).fit(X, y)
    rows = GradientSearch(MultinomialLogistic(penalty="rows"), cv=3).fit(X, y)
    grid = [hypergradient(MultinomialLogistic(a), X, y, cv=3, tol=1e-6).value for a in np.geomspace(1e-3, 0.1, 25)]
    assert shared.best_criterion_ <= min(grid) * (1 + 1e-3)
    assert each.best_criterion_ <= shared.best_criterion_ * (1 + 1e-4)
    assert each.best_params_["alpha"].shape == (4,)
    assert np.isfinite(rows.best_criterion_)
    assert each.predict_proba(X).shape == (300, 4)
    assert (rows.coef_ != 0.0).all(axis=0).sum() == (rows.coef_ != 0.0).any(axis=0).sum()


def test_in_a_pipeline_with_frames_and_threads(wine):
    X, y = wine
    labels = np.array(["c", "a", "b"])[y]
    pipeline = make_pipeline(StandardScaler(), MultinomialLogistic(ALPHAS))
    search = GradientSearch(pipeline, cv=3).fit(X, labels)
    assert search.best_params_["multinomiallogistic__alpha"].shape == (3,)
    assert search.score(X, labels) > 0.97
    one, two = (GradientSearch(MultinomialLogistic(ALPHAS), cv=3, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.trace_.values, two.trace_.values)


# --- what cannot be done ---------------------------------------------------------------------------------------------


def test_bad_input_gets_a_sentence(wine):
    X, y = wine
    for model, y_, message in (
        (MultinomialLogistic([0.1, 0.2]), y, "alpha has 2 values but y has 3 classes"),
        (MultinomialLogistic([0.1, -0.2, 0.1]), y, r"alpha\[1\]=-0.2 is out of range"),
        (MultinomialLogistic([0.1, 0.0, 0.1]), y, r"alpha\[1\] is zero and others are not"),
        (MultinomialLogistic(penalty="l2"), y, "unknown penalty 'l2'"),
        (MultinomialLogistic(penalty="rows", positive=True), y, "positive=True is for penalty='l1'"),
        (MultinomialLogistic(ALPHAS, penalty="rows"), y, "alpha must be one number with penalty='rows'"),
        (MultinomialLogistic(class_weight={9: 1.0}), y, "class_weight names 9 but the classes are 0, 1 and 2"),
        (MultinomialLogistic(), np.ones(len(y)), "one class only"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y_)
    with pytest.raises(ValueError, match=r"training rows of fold 0 hold no row of class 0"):
        GradientSearch(MultinomialLogistic(), cv=KFold(3)).fit(X, np.sort(y))
    with pytest.raises(ValueError, match="y_val holds the label 7"):
        GradientSearch(MultinomialLogistic(), criterion=HeldOut(X, np.full(len(y), 7))).fit(X, y)
    for method in ("forward", "backward", "implicit_forward"):
        with pytest.raises(ValueError, match="implicit"):
            hypergradient(MultinomialLogistic(), X, y, method=method)


def test_one_warning_where_rounds_do_not_suffice(wine):
    X, y = wine
    with pytest.warns(UserWarning, match="MultinomialLogistic stopped after 1 rounds") as caught:
        MultinomialLogistic(1e-4, tol=1e-14, max_iter=1).fit(X, y)
    assert len(caught) == 1

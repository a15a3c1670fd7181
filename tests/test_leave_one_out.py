"""Approximate leave-one-out against n fits: several targets, classes, blocks that come and go, weights."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.model_selection import LeaveOneOut

import lambdahat as lh
from lambdahat import ALO, CrossValidation, GradientSearch, hypergradient
from lambdahat.criteria import by_leverages, descent, each_left_out, each_row_of_blocks, left_out
from lambdahat.estimators.base import validated
from lambdahat.outer import Grid
from lambdahat.solvers import solve_many
from verdicts import decided

STRENGTHS = np.array([1.0, 0.7, 1.5])
TIGHT = {"tol": 1e-11, "max_iter": 10_000}
TARGETS = {
    "multi-task": lambda alpha: lh.MultiTaskLasso(alpha, **TIGHT),
    "multi-task without intercept": lambda alpha: lh.MultiTaskLasso(alpha, fit_intercept=False, **TIGHT),
    "multi-task elastic net": lambda alpha: lh.MultiTaskElasticNet(2.0 * alpha, l1_ratio=0.5, **TIGHT),
    "targets": lambda alpha: lh.Lasso(0.6 * alpha, **TIGHT),
    "positive targets": lambda alpha: lh.Lasso(0.6 * alpha, positive=True, **TIGHT),
}
BLOCKS = {
    "groups": lambda alpha: lh.GroupLasso(3, alpha=alpha, **TIGHT),
    "sparse groups": lambda alpha: lh.SparseGroupLasso(3, alpha=alpha, **TIGHT),
}
CLASSES = {
    "multinomial": lambda alpha: lh.MultinomialLogistic(alpha, **TIGHT),
    "multinomial without intercept": lambda alpha: lh.MultinomialLogistic(alpha, fit_intercept=False, **TIGHT),
    "multinomial, one strength a class": lambda alpha: lh.MultinomialLogistic(alpha * STRENGTHS, **TIGHT),
    "multinomial positive": lambda alpha: lh.MultinomialLogistic(alpha, positive=True, **TIGHT),
    "multinomial rows": lambda alpha: lh.MultinomialLogistic(alpha, penalty="rows", **TIGHT),
    "one against the rest": lambda alpha: lh.OneVsRestLogistic(0.7 * alpha, **TIGHT),
}

BENT = ["groups", "logistic", "poisson", "gamma", "huber", "classes", "rows of classes", "against the rest"]
by_groups = partial(lh.SparseGLM, "poisson", "group", groups=3)
TWO_STAGES = {"adaptive": lambda alpha: lh.AdaptiveLasso(alpha, **TIGHT)}
SLOPED = ["multi-task", "multi-task elastic net", "targets", "adaptive", *(set(CLASSES) - {"one against the rest"})]


def several(n, p, seed):
    """Three targets of six features, with noise of twice the size of a coefficient."""
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(n, p)), np.zeros((p, 3))
    W[:6] = rng.normal(size=(6, 3))
    return X, X @ W + 1.0 + 2.0 * rng.normal(size=(n, 3))


def labelled(n, p, seed):
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(n, p)), np.zeros((p, 3))
    W[:6] = rng.normal(size=(6, 3))
    return X, np.array(["a", "b", "c"])[(X @ W + rng.gumbel(size=(n, 3))).argmax(axis=1)]


def alpha_max(X, y):
    """Of rows of coefficients, about."""
    targets = y if y.dtype.kind == "f" else np.array(y[:, None] == np.unique(y), dtype=float)
    slopes = (X - X.mean(axis=0)).T @ (targets - targets.mean(axis=0)) / len(y)
    return float(np.linalg.norm(slopes.reshape(X.shape[1], -1), axis=1).max())


def exactly(model, X, y, weight=None):
    """The criterion that decides, at a tight solution."""
    data = validated(clone(model), model, X, y, weight)
    inner = model._model(None, data.classes)
    (fold,) = ALO().folds(inner, data)
    space = model._space(None, data.storage.shape[1])
    problems = space.placed(fold.fitted, space.theta(model._values(space, data.storage.shape[1])))
    solutions = solve_many(problems, tol=1e-11, max_iter=10_000, starts=[None] * len(problems))
    return decided(fold, problems, solutions)


def by_n_fits(model, X, y, tol=1e-9):
    return hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=tol).value


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("n", "p", "shares"), [(80, 12, [0.33, 0.1, 0.03]), (60, 90, [0.5, 0.2, 0.1])])
@pytest.mark.parametrize("name", TARGETS)
def test_several_targets(name, n, p, shares, seed):
    """Least squares: exact but for what descent leaves."""
    X, y = several(n, p, seed)
    for share in shares:
        model = TARGETS[name](share * alpha_max(X, y))
        assert exactly(model, X, y) == pytest.approx(by_n_fits(model, X, y), rel=1e-3)


@pytest.mark.parametrize("share", [0.33, 0.1, 0.033])
@pytest.mark.parametrize("name", BLOCKS)
def test_groups_come_and_go(name, share):
    """The Newton step alone is off by up to 9 %."""
    X, y = several(100, 150, 2)
    model = BLOCKS[name](share)
    assert exactly(model, X, y[:, 0]) == pytest.approx(by_n_fits(model, X, y[:, 0]), rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"initial": "ridge"}, {"initial_alpha": 0.3, "gamma": 0.5}, {"epsilon": 0.0}])
@pytest.mark.parametrize(("n", "p"), [(100, 12), (80, 60)])
def test_two_stages(n, p, options):
    """Both without the row, the second with the weights of the first one without it."""
    X, y = several(n, p, 0)
    for alpha in (0.5, 0.2, 0.05):
        model = lh.AdaptiveLasso(alpha, **options, **TIGHT)
        assert exactly(model, X, y[:, 0]) == pytest.approx(by_n_fits(model, X, y[:, 0]), rel=1e-3)


def test_two_stages_of_which_the_first_is_too_large(monkeypatch):
    monkeypatch.setattr(by_leverages, "FACTORISED", 10)
    monkeypatch.setattr(each_left_out, "_MOST_WORK", 0.0)
    X, y = several(40, 12, 0)
    with pytest.raises(ValueError, match=r"12 features that begins with ridge regression.*initial='lasso'"):
        GradientSearch(lh.AdaptiveLasso(initial="ridge"), criterion="alo").fit(X, y[:, 0])


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("n", "p"), [(100, 12), (100, 60)])
@pytest.mark.parametrize("name", CLASSES)
def test_classes(name, n, p, seed):
    X, y = labelled(n, p, seed)
    for share in (0.33, 0.1):
        model = CLASSES[name](share * alpha_max(X, y))
        assert exactly(model, X, y) == pytest.approx(by_n_fits(model, X, y, 1e-8), rel=0.02)


@pytest.mark.parametrize("name", ["multinomial", "multinomial rows"])
def test_classes_where_little_is_shrunk(name):
    X, y = labelled(150, 12, 1)
    model = CLASSES[name](alpha_max(X, y) / 30.0)
    assert exactly(model, X, y) == pytest.approx(by_n_fits(model, X, y, 1e-8), rel=0.02)


@pytest.mark.parametrize("seed", [0, 6, 8])
@pytest.mark.parametrize("loss", BENT)
def test_few_rows_whose_losses_bend(loss, seed):
    """Where the second-order model alone is up to 10 % off, and of groups infinitely."""
    n, p = (60, 90) if seed == 6 else (80, 60)
    X, Y = several(n, p, seed)
    rng, z = np.random.default_rng(seed), Y[:, 0] - Y[:, 0].mean()
    kind, y = {
        "logistic": (lh.SparseLogisticRegression, (z + rng.logistic(size=n) > 0.0).astype(int)),
        "poisson": (lh.PoissonLasso, rng.poisson(np.exp(0.3 * np.clip(z, -5.0, 5.0))).astype(float)),
        "gamma": (lh.GammaLasso, np.exp(0.3 * z) * rng.gamma(2.0, 0.5, size=n)),
        "huber": (lh.HuberLasso, z + rng.standard_t(2, size=n)),
        "groups": (by_groups, rng.poisson(np.exp(0.3 * z)).astype(float)),
        "classes": (lh.MultinomialLogistic, labelled(n, p, seed)[1]),
        "rows of classes": (partial(lh.MultinomialLogistic, penalty="rows"), labelled(n, p, seed)[1]),
        "against the rest": (lh.OneVsRestLogistic, labelled(n, p, seed)[1]),
    }[loss]
    known = {"groups": "poisson"}.get(loss, loss)
    largest = lh.alpha_max(X, y, loss=known) if known in ("logistic", "poisson", "gamma", "huber") else alpha_max(X, y)
    model = kind(alpha=0.1 * largest, **TIGHT)
    assert exactly(model, X, y) == pytest.approx(by_n_fits(model, X, y, tol=1e-7), rel=0.02)


@pytest.mark.parametrize("name", ["multi-task", "multinomial", "multinomial rows"])
def test_weighted_rows(name):
    """A row is left out with all of its weight, which is also how much its error counts; weight zero is no row."""
    of = TARGETS if name in TARGETS else CLASSES
    X, y = (several if name in TARGETS else labelled)(100, 12, 3)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=100)
    weight[7] = 0.0
    model, errors = of[name](0.1 * alpha_max(X, y)), np.zeros(100)
    for i in np.flatnonzero(weight):
        without = np.where(np.arange(100) == i, 0.0, weight)
        fit = clone(model).set_params(tol=1e-9).fit(X, y, sample_weight=without)
        if name in TARGETS:
            errors[i] = np.mean((y[i] - fit.predict(X[[i]])[0]) ** 2)
        else:
            errors[i] = -np.log(fit.predict_proba(X[[i]])[0][fit.classes_ == y[i]][0])
    assert exactly(model, X, y, weight) == pytest.approx(weight @ errors / weight.sum(), rel=0.01)


@pytest.mark.parametrize("name", ["multi-task", "multinomial", "multinomial rows"])
def test_sparse_columns_and_rows_by_parts(name, monkeypatch):
    X, y = (several if name in TARGETS else labelled)(60, 30, 4)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0.0
    model = (TARGETS | CLASSES)[name](0.2 * alpha_max(X, y))
    dense = exactly(model, X, y)
    monkeypatch.setattr(left_out, "_AT_ONCE", 100)
    assert exactly(model, scipy.sparse.csc_array(X), y) == pytest.approx(dense, rel=1e-6)


@pytest.mark.parametrize("name", SLOPED)
def test_the_slopes_that_lead_are_those_of_differences(name, monkeypatch):
    """Of second-order models: fits anew are by Newton's method, which ends early."""
    monkeypatch.setattr(each_row_of_blocks, "is_little_work", lambda *of: False)
    for effort in ("SETTLED", "ROUGHLY"):
        monkeypatch.setattr(left_out, effort, descent.Effort(1e-11, 1e-11, 10_000))
    X, y = (labelled if name in CLASSES else several)(40, 10, 5)
    y = y[:, 0] if name == "adaptive" else y
    make, alpha = (TARGETS | CLASSES | TWO_STAGES)[name], 0.1 * alpha_max(X, y)
    criterion = ALO(n_probes=2)
    found = hypergradient(make(alpha), X, y, criterion=criterion, tol=1e-13)
    step = 1e-6 * alpha
    high, low = (hypergradient(make(alpha + h), X, y, criterion=criterion, tol=1e-13).value for h in (step, -step))
    along = np.atleast_1d(make(1.0).alpha)
    slope = float(found.gradient[: along.size] @ along)
    assert slope == pytest.approx((high - low) / (2.0 * step), rel=2e-4)


@pytest.mark.parametrize(
    "name", ["multi-task", "targets", "adaptive", "multinomial", "multinomial rows", "one against the rest"]
)
def test_searches(name):
    """Leave-one-out decides between points, and is at the end what n fits say."""
    X, y = (labelled if name in CLASSES else several)(60, 12, 6)
    y = y[:, 0] if name == "adaptive" else y
    search = GradientSearch((TARGETS | CLASSES | TWO_STAGES)[name](1.0), criterion="alo").fit(X, y)
    assert search.best_criterion_ == search.trace_.values.min()
    assert "leverages" not in search.status_
    best = clone(search.best_estimator_).set_params(**TIGHT)
    assert search.best_criterion_ == pytest.approx(by_n_fits(best, X, y, 1e-8), rel=0.02)


@pytest.mark.parametrize(
    "name", ["one target", *TARGETS, *BLOCKS, *CLASSES, *TWO_STAGES, "machine", "machine of classes"]
)
def test_without_a_slope_it_is_the_same(name):
    """A grid asks for none, and the two begin alike."""
    X, y = labelled(60, 12, seed=0) if name in CLASSES else several(60, 12, seed=0)
    models = (
        TARGETS
        | BLOCKS
        | CLASSES
        | TWO_STAGES
        | {
            "one target": lambda alpha: lh.ElasticNet(alpha, **TIGHT),
            "machine": lambda alpha: lh.LinearSVR(C=1.0, epsilon=0.1),
            "machine of classes": lambda alpha: lh.LinearSVC(C=1.0),
        }
    )
    if name not in TARGETS and name not in CLASSES:
        y = np.sign(y[:, 0]) if name == "machine of classes" else y[:, 0]
    once = {"criterion": ALO(), "init": "estimator", "max_evals": 1, "refit": False}
    found = [
        GradientSearch(models[name](0.1), optimizer=optimizer, **once).fit(X, y).best_criterion_
        for optimizer in (Grid(), "gradient_descent")
    ]
    assert np.isfinite(found[0])
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["multi-task", "targets", "adaptive", "multinomial", "one against the rest"])
def test_what_is_too_large_follows_measured_leverages(name, monkeypatch):
    X, y = (labelled if name in CLASSES else several)(60, 12, 6)
    y = y[:, 0] if name == "adaptive" else y
    model = (TARGETS | CLASSES | TWO_STAGES)[name](1.0)
    small = GradientSearch(model, criterion="alo").fit(X, y)
    monkeypatch.setattr(each_left_out, "_MOST_WORK", 0.0)
    large = GradientSearch(model, criterion="alo").fit(X, y)
    assert "leverages" in large.status_
    assert small.best_criterion_ * (1.0 - 1e-3) <= large.best_criterion_ <= 1.1 * small.best_criterion_


@pytest.mark.parametrize("name", ["multi-task", "targets"])
def test_fits_that_follow_all_targets_are_not_judged(name):
    X, y = several(20, 80, 7)
    assert exactly(TARGETS[name](1e-3 * alpha_max(X, y)), X, y) == np.inf


def test_what_is_too_much_work_is_a_newton_step(monkeypatch):
    X, y = several(80, 12, 0)
    model = TARGETS["multi-task"](0.33 * alpha_max(X, y))
    descended = exactly(model, X, y)
    monkeypatch.setattr(left_out, "MOST_WORK", 0.0)
    assert exactly(model, X, y) == pytest.approx(descended, rel=0.01)
    assert exactly(model, X, y) != pytest.approx(descended, rel=1e-6)


@pytest.mark.parametrize("name", ["multi-task", "multinomial", "multinomial rows", "one against the rest", "adaptive"])
def test_without_features(name):
    X, y = (labelled if name in CLASSES else several)(40, 6, 8)
    y = y[:, 0] if name == "adaptive" else y
    model = (TARGETS | CLASSES | TWO_STAGES)[name](1e3)
    assert exactly(model, X, y) == pytest.approx(by_n_fits(model, X, y), rel=2e-3)


@pytest.mark.parametrize("name", ["multi-task", "multinomial", "multinomial rows"])
def test_features_that_are_free_or_excluded(name):
    X, y = (several if name in TARGETS else labelled)(100, 12, 9)
    factors = np.where(np.arange(12) == 0, 0.0, np.where(np.arange(12) == 1, np.inf, 1.0))
    model = (TARGETS | CLASSES)[name](0.2 * alpha_max(X, y)).set_params(penalty_factors=factors)
    assert exactly(model, X, y) == pytest.approx(by_n_fits(model, X, y, 1e-8), rel=0.01)


def test_one_target_of_several():
    X, y = several(60, 12, 10)
    one, several_of_one = lh.Lasso(0.2, **TIGHT), lh.MultiTaskLasso(0.2, **TIGHT)
    assert exactly(several_of_one, X, y[:, :1]) == pytest.approx(exactly(one, X, y[:, 0]), rel=1e-5)

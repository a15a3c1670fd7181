"""Criteria of the rows a model was fitted to: degrees of freedom and leave-one-out against brute force, slopes too."""

import numpy as np
import pytest
import scipy.sparse
from scipy.special import comb
from sklearn.base import clone
from sklearn.linear_model import LassoLarsIC
from sklearn.model_selection import LeaveOneOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lambdahat as lh
from lambdahat import AIC, ALO, BIC, EBIC, GCV, SURE, AICc, CrossValidation, GradientSearch, hypergradient
from lambdahat.criteria import degrees_of_freedom as module
from lambdahat.criteria import each_left_out
from lambdahat.criteria.degrees_of_freedom import degrees_of_freedom
from lambdahat.design import normal
from lambdahat.estimators.base import validated
from lambdahat.outer import Grid
from lambdahat.search import objective
from lambdahat.search.objective import CriterionObjective
from lambdahat.solvers import solve
from verdicts import decided

N, P = 26, 12
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P)) + 0.5
SIGNAL = X @ np.where(np.arange(P) % 3 == 0, 1.0, 0.0) * 0.5
Y = 2.0 * SIGNAL + RNG.normal(size=N)
SEVERAL = np.column_stack([Y, RNG.normal(size=N) + SIGNAL, RNG.normal(size=N) - Y])
GROUPS = np.arange(P) // 3
COVARIANCE = np.array([[1.0, 0.3, 0.0], [0.3, 2.0, 0.1], [0.0, 0.1, 0.5]])
TARGETS = {
    "one": Y,
    "three": SEVERAL,
    "counts": RNG.poisson(np.exp(SIGNAL)).astype(float),
    "positive": RNG.gamma(3.0, np.exp(SIGNAL) / 3.0),
    "classes": np.array(["a", "b", "c"])[np.arange(N) % 3],
    "labels": np.where(RNG.random(N) < 1.0 / (1.0 + np.exp(-SIGNAL)), "b", "a"),
}
TIGHT = {"tol": 1e-13, "max_iter": 10_000}
MODELS = {
    "lasso": (lh.Lasso(alpha=0.1, **TIGHT), "one"),
    "lasso without intercept": (lh.Lasso(alpha=0.1, fit_intercept=False, **TIGHT), "one"),
    "lasso standardised": (lh.Lasso(alpha=0.1, standardize=True, **TIGHT), "one"),
    "weighted lasso": (lh.WeightedLasso(alpha=0.1, weights=np.linspace(0.5, 2.0, P), **TIGHT), "one"),
    "elastic net": (lh.ElasticNet(alpha=0.2, l1_ratio=0.6, **TIGHT), "one"),
    "ridge": (lh.Ridge(alpha=3.0, **TIGHT), "one"),
    "groups": (lh.GroupLasso(GROUPS, alpha=0.1, **TIGHT), "one"),
    "sparse groups": (lh.SparseGroupLasso(GROUPS, alpha=0.1, **TIGHT), "one"),
    "multi-task": (lh.MultiTaskLasso(alpha=0.3, **TIGHT), "three"),
    "multi-task elastic net": (lh.MultiTaskElasticNet(alpha=0.3, **TIGHT), "three"),
    "targets": (lh.Lasso(alpha=0.1, **TIGHT), "three"),
    "square root": (lh.SqrtLasso(alpha=0.15, **TIGHT), "one"),
    "huber": (lh.HuberLasso(alpha=0.1, **TIGHT), "one"),
    "adaptive": (lh.AdaptiveLasso(alpha=0.1, **TIGHT), "one"),
    "poisson": (lh.PoissonLasso(alpha=0.1, **TIGHT), "counts"),
    "gamma": (lh.GammaLasso(alpha=0.05, **TIGHT), "positive"),
    "logistic": (lh.SparseLogisticRegression(alpha=0.03, **TIGHT), "labels"),
}
COUNTED = [
    "lasso", "lasso without intercept", "lasso standardised", "weighted lasso", "elastic net", "ridge", "groups",
    "sparse groups", "multi-task", "multi-task elastic net", "targets",
]  # fmt: skip


def at(model, X, y, criterion, **options):
    """The trace of one evaluation, at the model's own hyperparameters."""
    search = GradientSearch(model, criterion=criterion, init="estimator", optimizer="gradient_descent", max_evals=1)
    return search.fit(X, y, **options).trace_


def follows(model, X, y, covariance=None, h=1e-5):
    """``tr (∂ẑ/∂y)(I ⊗ Σ)`` by central differences of fits, one a target."""
    noise = np.eye(y[0].size) if covariance is None else covariance
    total = 0.0
    for i in range(len(y)):
        for t in range(y[0].size):
            step = np.zeros(y.shape)
            step.reshape(len(y), -1)[i, t] = h
            moved = model.fit(X, y + step).predict(X)[i] - model.fit(X, y - step).predict(X)[i]
            total += float(np.ravel(moved) @ noise[:, t]) / (2.0 * h)
    return total


def counted(model, X, y, covariance=None):
    """The degrees of freedom at a tight solution."""
    data = validated(clone(model), model, X, y)
    space = model._space(None, P)
    problems = model._model().several(data.storage, data.y, [data.sample_weight])[0]
    problems = space.placed(problems, space.theta(model._values(space, data.storage.shape[1])))
    total = 0.0
    for problem in problems:
        w = solve(problem, tol=1e-13, max_iter=10_000).w
        support = problem.penalty.generalized_support(w)
        total += degrees_of_freedom(problem, support, w[support], 0.0, intercept=model.fit_intercept, noise=covariance)
    return total


def exactly(model, X, y, criterion):
    """The exact criterion at a tight solution."""
    data = validated(clone(model), model, X, y)
    (fold,) = criterion.folds(model._model(), data)
    space = model._space(None, data.storage.shape[1])
    problems = space.placed(fold.problems, space.theta(model._values(space, data.storage.shape[1])))
    solutions = [solve(problem, tol=1e-13, max_iter=10_000) for problem in problems]
    return fold.units.shown(decided(fold, problems, solutions))


@pytest.mark.parametrize("name", COUNTED)
def test_degrees_of_freedom_are_the_trace_of_what_follows_the_targets(name):
    model, target = MODELS[name]
    assert counted(model, X, TARGETS[target]) == pytest.approx(follows(model, X, TARGETS[target]), rel=1e-5)


def test_degrees_of_freedom_under_a_covariance_of_targets():
    model = MODELS["multi-task"][0]
    expected = follows(model, X, SEVERAL, COVARIANCE)
    assert counted(model, X, SEVERAL, COVARIANCE) == pytest.approx(expected, rel=1e-5)


def test_degrees_of_freedom_are_a_rank():
    """Columns that repeat each other count once."""
    doubled = np.column_stack([X, X])
    model = lh.ElasticNet(alpha=0.1, l1_ratio=1.0 - 1e-9, **TIGHT)  # both of a pair are used
    assert np.count_nonzero(model.fit(doubled, Y).coef_) > np.count_nonzero(MODELS["lasso"][0].fit(X, Y).coef_)
    assert counted(model, doubled, Y) == pytest.approx(counted(MODELS["lasso"][0], X, Y), abs=1e-4)


@pytest.mark.parametrize("model", [lh.Ridge(alpha=3.0, **TIGHT), lh.ElasticNet(alpha=0.01, l1_ratio=0.1, **TIGHT)])
@pytest.mark.parametrize("store", [np.asarray, scipy.sparse.csc_array])
def test_degrees_of_freedom_with_more_features_than_rows(model, store):
    wide = RNG.normal(size=(12, 40))
    y = wide[:, 0] + RNG.normal(size=12)
    assert counted(model, store(wide), y) == pytest.approx(follows(model, wide, y), rel=1e-5)


@pytest.mark.parametrize("store", [np.asarray, scipy.sparse.csc_array])
def test_degrees_of_freedom_of_large_supports(store, monkeypatch):
    wide, y = RNG.normal(size=(12, 40)), RNG.normal(size=12)
    model = lh.Ridge(alpha=3.0, **TIGHT)
    small = counted(model, store(wide), y)
    monkeypatch.setattr(module, "FACTORISED", 20)  # by rows
    assert counted(model, store(wide), y) == pytest.approx(small, rel=1e-8)
    monkeypatch.setattr(module, "FACTORISED", 5)  # by random vectors
    assert counted(model, store(wide), y) == pytest.approx(small, abs=4.0 * np.sqrt(2.0 * small / 8))
    lasso = MODELS["lasso"][0]
    assert counted(lasso, store(X), Y) == pytest.approx(np.count_nonzero(lasso.fit(X, Y).coef_) + 1)


@pytest.mark.parametrize("name", ["lasso", "elastic net", "groups", "multi-task"])
def test_sparse_columns_count_as_dense_ones(name):
    model, target = MODELS[name]
    some = np.where(RNG.random(X.shape) < 0.5, X, 0.0)
    dense = counted(model, some, TARGETS[target])
    assert counted(model, scipy.sparse.csc_array(some), TARGETS[target]) == pytest.approx(dense, rel=1e-9)


@pytest.mark.parametrize("criterion", [SURE(sigma=1.0), AIC(), AIC(sigma=1.0), BIC(), AICc(), EBIC(), GCV()])
def test_weights_are_repetitions(criterion):
    times = RNG.integers(1, 4, size=N)
    model = MODELS["elastic net"][0]
    repeated = at(model, np.repeat(X, times, axis=0), np.repeat(Y, times), criterion).values
    assert at(model, X, Y, criterion, sample_weight=times.astype(float)).values == pytest.approx(repeated, rel=1e-7)


def judged_pairs():
    """Models with criteria of different shapes that fit them."""
    for name, (_, target) in MODELS.items():
        for criterion in (SURE(sigma=1.0), AICc(), EBIC(), GCV(n_probes=2)):
            gaussian = target in ("one", "three") or not isinstance(criterion, SURE)
            if gaussian and (name != "huber" or not isinstance(criterion, AIC)):
                yield pytest.param(criterion, name, id=f"{type(criterion).__name__}-{name}")


@pytest.mark.parametrize(("criterion", "name"), list(judged_pairs()))
def test_slopes_are_those_of_differences(criterion, name):
    model, target = MODELS[name]
    y = TARGETS[target]

    def judged(model):
        return hypergradient(model, X, y, criterion=criterion, tol=1e-13)

    found = judged(model)
    for k, (key, value) in enumerate(found.hyperparams.items()):
        if np.ndim(value):
            direction = np.linspace(1.0, 2.0, np.size(value)) * 1e-6 * value
            slope = float(found.gradient[k : k + np.size(value)] @ direction)
        else:
            direction = 1e-6 * value
            slope = float(found.gradient[k] * direction)
        params = model.get_params()
        high, low = (judged(type(model)(**{**params, key: value + s * direction})).value for s in (1.0, -1.0))
        size = abs(found.value) * 1e-6
        assert slope == pytest.approx((high - low) / 2.0, rel=2e-4, abs=1e-4 * size)


@pytest.mark.parametrize("target", ["one", "counts", "positive", "labels"])
def test_monte_carlo_is_right_in_the_mean(target):
    """Many probes with small steps: the number of coefficients, and the intercept."""
    model = {t: m for m, t in MODELS.values() if "lasso" in type(m).__name__.lower() or t == "labels"}[target]
    model = lh.Lasso(alpha=0.1) if target == "one" else model
    criterion = GCV(n_probes=300, step=1e-3)
    trace = at(model, X, TARGETS[target], criterion)
    left = np.sqrt(trace.values[0] / trace.followed[0])  # (1 − d/n) over (1 − exact/n)
    exact = np.count_nonzero(model.fit(X, TARGETS[target]).coef_) + 1
    measured = N * (1.0 - (1.0 - exact / N) / (1.0 / left)) if left == 0.0 else N * (1.0 - left * (1.0 - exact / N))
    assert measured == pytest.approx(exact, abs=4.0 * np.sqrt(2.0 * exact / 300) * (1.0 if target == "one" else 2.0))


@pytest.mark.parametrize(("criterion", "name"), [(AIC, "aic"), (BIC, "bic")])
def test_criteria_of_scikit_learn(criterion, name):
    theirs = LassoLarsIC(criterion=name, noise_variance=0.7).fit(X, Y)
    price = 2.0 if name == "aic" else np.log(N)  # of the intercept, which they leave out
    for alpha, expected in list(zip(theirs.alphas_, theirs.criterion_, strict=True))[1:-1]:
        model = lh.Lasso(alpha=alpha * (1.0 + 1e-9), **TIGHT)
        ours = exactly(model, X, Y, criterion(sigma=np.sqrt(0.7)))
        assert ours - price == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sigma", [None, 0.7])
@pytest.mark.parametrize(("name", "n_free"), [("lasso", 1), ("lasso without intercept", 0), ("gamma", 1)])
def test_models_are_counted_by_their_features(name, n_free, sigma):
    """Neither the intercept nor the variance is chosen among p."""
    model, target = MODELS[name]
    plain, extended = (at(model, X, TARGETS[target], kind(sigma=sigma)).values[0] for kind in (BIC, EBIC))
    size = np.count_nonzero(model.fit(X, TARGETS[target]).coef_)
    if target == "one":
        assert counted(model, X, Y) == pytest.approx(size + n_free)
    assert extended - plain == pytest.approx(2.0 * np.log(comb(P, min(size, P))), rel=1e-6)


ONE_OUT = [
    "lasso",
    "lasso without intercept",
    "elastic net",
    "ridge",
    "groups",
    "huber",
    "poisson",
    "gamma",
    "logistic",
]


@pytest.mark.parametrize("name", ONE_OUT)
def test_approximate_leave_one_out(name):
    """Within 1 % of n fits."""
    rng = np.random.default_rng(3)
    model, target = MODELS[name]
    n = 120
    X = rng.normal(size=(n, P))
    signal = X @ np.where(np.arange(P) % 3 == 0, 0.5, 0.0)
    y = {
        "one": 2.0 * signal + rng.normal(size=n),
        "counts": rng.poisson(np.exp(signal)).astype(float),
        "positive": rng.gamma(3.0, np.exp(signal) / 3.0),
        "labels": rng.random(n) < 1.0 / (1.0 + np.exp(-2.0 * signal)),
    }[target]
    approximate = at(model, X, y, ALO()).values[0]
    brute = hypergradient(model, X, y, criterion=CrossValidation(LeaveOneOut()), tol=1e-10).value
    assert approximate == pytest.approx(brute, rel=0.01)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.2, 0.08])
def test_leave_one_out_with_more_features_than_rows(share, fit_intercept, positive, monkeypatch):
    """Where coefficients come and go with every row: exact for least squares but for columns that are far off."""
    rng = np.random.default_rng(4)
    wide = rng.normal(size=(60, 150))
    y = wide[:, :5].sum(axis=1) + 1.0 + 2.0 * rng.normal(size=60)
    alpha = share * lh.alpha_max(wide, y, fit_intercept=fit_intercept, positive=positive)
    for store in (np.asarray, scipy.sparse.csc_array):
        model = lh.Lasso(alpha=alpha, fit_intercept=fit_intercept, positive=positive, **TIGHT)
        brute = hypergradient(model, store(wide), y, criterion=CrossValidation(LeaveOneOut()), tol=1e-10).value
        assert exactly(model, store(wide), y, ALO()) == pytest.approx(brute, rel=0.01)
        with monkeypatch.context() as many_rows:
            many_rows.setattr(each_left_out, "_MOST_WORK", 0.0)
            assert exactly(model, store(wide), y, ALO()) == pytest.approx(brute, rel=0.01)


@pytest.mark.parametrize("alpha", [0.05, 0.15, 0.4])
def test_leave_one_out_of_the_square_root_lasso(alpha):
    """The root of the mean of squares: a mean of roots, which folds have, would be one of absolute errors."""
    rng = np.random.default_rng(6)
    tall = rng.normal(size=(80, 20))
    y = tall[:, :4].sum(axis=1) + 1.0 + rng.normal(size=80)
    model = lh.SqrtLasso(alpha, **TIGHT)
    squared = CrossValidation(LeaveOneOut(), scoring="neg_mean_squared_error")
    brute = hypergradient(model, tall, y, criterion=squared, tol=1e-10).value
    assert exactly(model, tall, y, ALO()) ** 2 == pytest.approx(brute, rel=0.01)


def test_leave_one_out_does_not_judge_fits_that_follow_all_targets():
    rng = np.random.default_rng(5)
    wide = rng.normal(size=(30, 80))
    search = GradientSearch(lh.Lasso(), criterion="alo").fit(wide, wide[:, 0] + rng.normal(size=30))
    judged = np.isfinite(search.trace_.values)
    assert search.trace_.support_sizes[judged].max() <= 0.9 * 30
    assert not judged.all()
    assert np.all(np.isinf(search.trace_.values[~judged]))


@pytest.mark.filterwarnings("error")
def test_corrections_for_small_samples_do_not_judge_fits_that_leave_no_degrees_of_freedom():
    rng = np.random.default_rng(0)
    wide, classes = rng.normal(size=(30, 60)), np.arange(30) % 3
    search = GradientSearch(lh.MultinomialLogistic(), criterion="aicc").fit(wide, classes)
    judged = np.isfinite(search.trace_.values)
    assert judged[search.best_index_]
    assert not judged.all()
    assert np.all(search.trace_.support_sizes[judged] < 30)


@pytest.mark.parametrize("most", [2e9, 0.0])
def test_the_slope_of_leave_one_out(most, monkeypatch):
    """Its own, or where rows are many that of measured leverages: exact where these are of a projection."""
    monkeypatch.setattr(each_left_out, "_MOST_WORK", most)
    model = MODELS["lasso"][0]
    found = hypergradient(model, X, Y, criterion=ALO(), tol=1e-13)
    high, low = (
        hypergradient(lh.Lasso(alpha=0.1 + h, **TIGHT), X, Y, criterion=ALO(), tol=1e-13).value for h in (1e-7, -1e-7)
    )
    assert found.gradient[0] == pytest.approx((high - low) / 2e-7, rel=1e-5)


def test_leave_one_out_of_sparse_columns():
    some = np.where(RNG.random(X.shape) < 0.5, X, 0.0)
    for name in ("elastic net", "poisson"):
        model, target = MODELS[name]
        dense = exactly(model, some, TARGETS[target], ALO())
        assert exactly(model, scipy.sparse.csc_array(some), TARGETS[target], ALO()) == pytest.approx(dense, rel=1e-6)
        one, other = (
            hypergradient(model, X, TARGETS[target], criterion=ALO(), tol=1e-12)
            for X in (some, scipy.sparse.csc_array(some))
        )
        np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-4)


@pytest.mark.parametrize(
    ("criterion", "model", "target", "sentence"),
    [
        (SURE(sigma=1.0), lh.SparseLogisticRegression(), "labels", "SURE is for Gaussian noise .* use AIC"),
        (SURE(sigma=1.0), lh.PoissonLasso(), "counts", "SURE is for Gaussian noise"),
        (SURE(sigma=1.0), lh.LinearSVC(), "labels", "targets of its loss cannot be moved"),
        (SURE(covariance=np.eye(2)), lh.MultiTaskLasso(), "three", r"shape \(2, 2\) but y has 3 targets"),
        (SURE(covariance=-np.eye(3)), lh.MultiTaskLasso(), "three", "not positive"),
        (SURE(covariance=np.full((3, 3), np.nan)), lh.MultiTaskLasso(), "three", "not finite and symmetric"),
        (SURE(sigma=1.0, degrees_of_freedom="exact"), lh.SqrtLasso(), "one", "no count of its degrees of freedom"),
        (AIC(), lh.HuberLasso(), "one", "needs a likelihood"),
        (AIC(sigma=1.0), lh.PoissonLasso(), "counts", "leave it out"),
        (BIC(), lh.SparseLogisticRegression(class_weight="balanced"), "labels", "class_weight"),
        (ALO(), lh.SimplexSVR(), "one", "targets of its loss cannot be moved"),
        ("sure", lh.Lasso(), "one", "needs to know the noise"),
        ("aix", lh.Lasso(), "one", "unknown|did you mean|aic"),
    ],
)
def test_criteria_that_do_not_fit_the_model(criterion, model, target, sentence):
    with pytest.raises(ValueError, match=sentence):
        GradientSearch(model, criterion=criterion).fit(X, TARGETS[target])


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf, "1", True])
def test_noise_that_is_none(sigma):
    for criterion in (SURE, AIC, EBIC):
        with pytest.raises(ValueError, match="sigma"):
            criterion(sigma=sigma)


def test_settings_that_are_none():
    with pytest.raises(ValueError, match="SURE needs the noise"):
        SURE()
    with pytest.raises(ValueError, match="not both"):
        SURE(sigma=1.0, covariance=np.eye(2))
    with pytest.raises(ValueError, match="gamma"):
        EBIC(gamma=2.0)
    with pytest.raises(ValueError, match="n_probes"):
        GradientSearch(lh.Lasso(), criterion=GCV(n_probes=0)).fit(X, Y)


def test_unknown_noise_and_more_features_than_rows():
    wide = RNG.normal(size=(10, 12))
    with pytest.raises(ValueError, match=r"10 rows and 12 features.*pass sigma"):
        GradientSearch(lh.Lasso(), criterion="aic").fit(wide, wide[:, 0])
    search = GradientSearch(lh.Lasso(), criterion=AIC(sigma=0.5)).fit(wide, wide[:, 0] + RNG.normal(size=10))
    assert np.isfinite(search.best_criterion_)


@pytest.mark.parametrize("criterion", ["aic", "aicc", "bic", "ebic", "gcv", "alo", SURE(sigma=1.0)])
@pytest.mark.parametrize("name", ["lasso", "elastic net", "weighted lasso", "groups"])
def test_searches(criterion, name):
    """The exact criterion decides among the points visited, and the best one is refitted."""
    search = GradientSearch(MODELS[name][0], criterion=criterion).fit(X, Y)
    trace = search.trace_
    assert search.best_criterion_ == trace.values.min() == pytest.approx(search.fold_criteria_[0])
    assert trace.values[search.best_index_] == trace.values.min()
    assert search.metric_ == (criterion.upper().replace("AICC", "AICc") if criterion in NAMES else search.metric_)
    assert np.all(np.isfinite(search.coef_))
    for key, value in search.best_params_.items():
        np.testing.assert_array_equal(search.best_estimator_.get_params()[key], value)


NAMES = ("aic", "aicc", "bic", "ebic", "gcv")


def test_risk_is_estimated_without_bias():
    """The mean of SURE over noises is the mean squared error about the signal."""
    rng = np.random.default_rng(1)
    model, errors, estimates = lh.Lasso(alpha=0.2), [], []
    for _ in range(300):
        y = 2.0 * SIGNAL + rng.normal(size=N)
        errors.append(np.mean((2.0 * SIGNAL - model.fit(X, y).predict(X)) ** 2))
        residual = np.mean((y - model.predict(X)) ** 2)
        estimates.append(residual - 1.0 + 2.0 / N * counted(model, X, y))
    difference = np.subtract(estimates, errors)
    assert abs(difference.mean()) < 4.0 * difference.std() / np.sqrt(300)


@pytest.mark.parametrize("criterion", [SURE(sigma=1.0), AIC(), ALO()])
def test_few_columns_are_solved_by_their_normal_equations(criterion, monkeypatch):
    weight = RNG.uniform(0.5, 2.0, size=N)
    short = hypergradient(MODELS["elastic net"][0], X, Y, criterion=criterion, sample_weight=weight, tol=1e-12)
    monkeypatch.setattr(normal, "MOST_COLUMNS", 0)
    plain = hypergradient(MODELS["elastic net"][0], X, Y, criterion=criterion, sample_weight=weight, tol=1e-12)
    assert short.value == pytest.approx(plain.value, rel=1e-7)
    np.testing.assert_allclose(short.gradient, plain.gradient, rtol=1e-5)


def test_a_pipeline_is_fitted_to_all_rows():
    inside = GradientSearch(make_pipeline(StandardScaler(), lh.Lasso()), criterion="aic").fit(X, Y)
    alone = GradientSearch(lh.Lasso(standardize=True), criterion="aic").fit(X, Y)
    assert inside.best_params_["lasso__alpha"] == pytest.approx(alone.best_params_["alpha"], rel=1e-4)
    assert inside.best_criterion_ == pytest.approx(alone.best_criterion_, rel=1e-6)


def test_searches_without_gradients_fit_no_probes(monkeypatch):
    """A count decides: nothing has to be measured, and what the trace calls followed is the criterion."""
    solved = []
    solve_many = objective.solve_many
    monkeypatch.setattr(
        objective, "solve_many", lambda problems, **rest: solved.append(len(problems)) or solve_many(problems, **rest)
    )
    search = GradientSearch(lh.Lasso(), criterion=SURE(sigma=1.0), optimizer=Grid(5)).fit(X, Y)
    assert solved == [1] * 5
    assert not search.trace_.is_led
    assert "led" not in search.status_
    solved.clear()
    GradientSearch(lh.SqrtLasso(), criterion=SURE(sigma=1.0), optimizer=Grid(5)).fit(X, Y)  # without a count
    assert solved == [1, 10] * 5


def test_a_gradient_after_an_evaluation_without_probes(monkeypatch):
    """An evaluation that starts from one without them is as good as any."""
    kept = []
    init = CriterionObjective.__init__
    monkeypatch.setattr(
        CriterionObjective, "__init__", lambda self, *args, **rest: (init(self, *args, **rest), kept.append(self))[0]
    )
    lh.GradientSearch(lh.Lasso(), criterion=SURE(sigma=1.0), optimizer=Grid(2)).fit(X, Y)
    first = kept[0]
    x = first.visited[-1].x - 0.1
    with first.running():
        found = first(x, 1e-10)
    lh.GradientSearch(lh.Lasso(), criterion=SURE(sigma=1.0), optimizer=Grid(2)).fit(X, Y)
    fresh = kept[1]
    fresh.visited.clear()
    with fresh.running():
        expected = fresh(x, 1e-10)
    assert found.value == pytest.approx(expected.value, rel=1e-6)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-4)
    assert found.decisive == pytest.approx(expected.decisive, rel=1e-6)

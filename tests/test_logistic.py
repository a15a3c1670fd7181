"""Sparse logistic regression: solver and hypergradient against plain NumPy, estimators against scikit-learn."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lambdahat import (
    GradientSearch,
    HeldOut,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    alpha_max,
    hypergradient,
    path,
)
from lambdahat.datafits import Logistic
from lambdahat.design import as_storage
from lambdahat.hypergradient import implicit
from lambdahat.penalties import l1
from lambdahat.problem import Model
from lambdahat.solvers import polish, solve
from reference import Smooth as Reference
from zoo import CRITERIA, PENALTIES, STORAGES, TARGETS, Sample, sample

TOL = 1e-12  # rounding errors of sums over the rows leave no more of a gap
SHAPES = {"tall": (60, 9), "wide": (80, 100), "one column": (20, 1)}
STEP = 1e-3  # in log θ


def labelled(*args, **kwargs):
    """A sample of the zoo with labels ±1."""
    s = sample(*args, **kwargs)
    return Sample(s.X, TARGETS["logistic"](s.y), s.weight, s.X_val, TARGETS["logistic"](s.y_val))


def penalty_on(p, name, share=0.3):
    """The gradient of a logistic loss is smaller than that of squares, and so are the penalties that let some in."""
    penalty = PENALTIES[name](p)
    return penalty.with_hyperparams(share * penalty.hyperparams)


def solved(s, penalty, storage, *, fit_intercept, standardize, tol=TOL, **options):
    model = Model(lambda p, _: penalty_on(p, penalty), fit_intercept, standardize, Logistic())
    data = s.data(storage)
    problem = model.problems(data.storage, data.y, [data.sample_weight])[0]
    reference = Reference.create(
        s.X, s.y, s.weight, penalty_on(s.X.shape[1], penalty), fit_intercept=fit_intercept, standardize=standardize
    )
    return problem, solve(problem, tol=tol, **options), reference


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_optimal(penalty, shape, storage, fit_intercept, standardize):
    s = labelled(*SHAPES[shape], noise=3.0)
    _, solution, reference = solved(s, penalty, storage, fit_intercept=fit_intercept, standardize=standardize)
    assert solution.converged
    assert reference.violation(solution.w, solution.intercept) <= np.sqrt(TOL)
    best = reference.objective(*reference.polished(solution.w, solution.intercept))
    assert reference.objective(solution.w, solution.intercept) <= best + np.log(2.0) * TOL + 1e-14


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_the_gap_is_a_bound(penalty, storage, tol):
    s = labelled(50, 120)
    problem, loose, reference = solved(s, penalty, storage, fit_intercept=True, standardize=False, tol=tol)
    tight = solve(problem, tol=TOL)
    excess = reference.objective(loose.w, loose.intercept) - reference.objective(tight.w, tight.intercept)
    assert loose.converged
    assert excess <= loose.gap * problem.null_value + 1e-14


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_warm_start_at_the_solution_stays_there(penalty, storage):
    s = labelled(40, 20)
    problem, cold, _ = solved(s, penalty, storage, fit_intercept=True, standardize=False)
    warm = solve(problem, tol=1e-6, start=cold)
    assert warm.n_iter == 0
    np.testing.assert_allclose(warm.w, cold.w, atol=1e-10)
    assert warm.intercept == pytest.approx(cold.intercept, abs=1e-10)


@pytest.mark.parametrize("offset", [-1e3, -30.0, 50.0, 1e4])
def test_a_start_that_is_sure_of_everything_is_no_trap(offset):
    s = labelled(60, 9)
    problem, cold, _ = solved(s, "l1", "C", fit_intercept=True, standardize=False)
    found = solve(problem, tol=TOL, start=replace(cold, intercept=offset, gradient=None))
    np.testing.assert_allclose(found.w, cold.w, atol=1e-5)
    assert found.intercept == pytest.approx(cold.intercept, abs=1e-5)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_without_features_the_intercept_is_the_log_odds(share):
    y = np.where(np.arange(400) < 400 * share, 1.0, -1.0)
    X = np.random.default_rng(0).normal(size=(400, 5))
    model = SparseLogisticRegression(alpha=10.0).fit(X, y)
    assert not model.coef_.any()
    assert "all coefficients are zero: penalise at least" in model.status_
    np.testing.assert_allclose(model.intercept_, [np.log(share / (1.0 - share))], rtol=1e-12)


@pytest.mark.parametrize("penalty", ["l1", "l1 factors", "l1 positive", "elastic net"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_max_is_exact(penalty, fit_intercept):
    s = labelled(80, 12)
    factors = np.where(np.isfinite(f := PENALTIES[penalty](12).l1_factors), f, np.inf)
    settings = {"fit_intercept": fit_intercept, "penalty_factors": factors, "positive": penalty == "l1 positive"}
    largest = alpha_max(s.X, s.y, loss="logistic", sample_weight=s.weight, **settings)
    free = factors == 0.0
    for scale, some in ((1.001, False), (0.99, True)):
        model = SparseLogisticRegression(largest * scale, tol=1e-12, **settings).fit(s.X, s.y, s.weight)
        assert model.coef_[0, ~free].any() == some


# --- the hypergradient -----------------------------------------------------------------------------------------------


class Exact:
    """The log-loss of each fold on the smooth piece around θ: of given supports and signs."""

    def __init__(self, s, folds, penalty, solutions, **model):
        self.folds, self.solutions = [], solutions
        for fold in folds:
            same = fold.validation.design.storage is fold.problem.design.storage
            X, y = (s.X, s.y) if same else (s.X_val, s.y_val)
            problem = Reference.create(s.X, s.y, fold.problem.design.weights, penalty, **model)
            self.folds.append((problem, X, y, fold.validation.design.weights))

    def __call__(self, theta):
        values = []
        for (problem, X, y, weights), solution in zip(self.folds, self.solutions, strict=True):
            there = replace(problem, penalty=problem.penalty.with_hyperparams(theta))
            w, b = there.polished(solution.w, solution.intercept)
            values.append(weights @ np.logaddexp(0.0, -y * (X @ w + b)))
        return np.array(values)

    def gradients(self, theta):
        """Central differences along the logarithms, extrapolated; a row a fold."""
        out = np.empty((len(self.folds), theta.size))
        for k in range(theta.size):
            e = np.where(np.arange(theta.size) == k, STEP, 0.0)
            wide = (self(theta * np.exp(e)) - self(theta * np.exp(-e))) / (2.0 * STEP)
            narrow = (self(theta * np.exp(e / 2)) - self(theta * np.exp(-e / 2))) / STEP
            out[:, k] = (4.0 * narrow - wide) / 3.0
        return out / theta


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(("fit_intercept", "standardize"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_hypergradient_against_differences(penalty, storage, fit_intercept, standardize, criterion):
    s = labelled(60)
    options = {"fit_intercept": fit_intercept, "standardize": standardize}
    model = Model(lambda p, _: penalty_on(p, penalty), datafit=Logistic(), **options)
    folds = CRITERIA[criterion](s).folds(model, replace(s.data(storage), classes=np.array([-1.0, 1.0])))
    theta = folds[0].problem.penalty.hyperparams
    problems = [fold.problem.with_hyperparams(theta) for fold in folds]
    solutions = [polish(problem, solve(problem, tol=TOL), TOL)[0] for problem in problems]
    exact = Exact(s, folds, penalty_on(s.X.shape[1], penalty), solutions, **options)
    parts = [
        implicit(problem, solution, fold.validation.error, tol=1e-16)
        for fold, problem, solution in zip(folds, problems, solutions, strict=True)
    ]
    np.testing.assert_allclose([part[0] for part in parts], exact(theta), rtol=1e-7)
    expected = exact.gradients(theta)
    scale = np.abs(expected).max(axis=1).mean()
    error = np.mean([part[1] for part in parts], axis=0) - expected.mean(axis=0)
    assert np.abs(error).max() <= 1e-6 * scale


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_the_function_has_six_digits_by_default(storage, l1_ratio):
    s = labelled(80)
    model = SparseLogisticRegression(0.02, l1_ratio=l1_ratio)

    def at(t, **options):
        there = clone(model).set_params(alpha=model.alpha * np.exp(t))
        return hypergradient(there, STORAGES[storage](s.X), s.y, cv=3, sample_weight=s.weight, **options)

    expected = (at(1e-3, tol=1e-14).value - at(-1e-3, tol=1e-14).value) / 2e-3
    assert at(0.0).log_gradient[0] == pytest.approx(expected, rel=1e-5)
    assert at(0.0).log_gradient[0] == pytest.approx(at(0.0, tol=1e-14).log_gradient[0], rel=1e-6)


@pytest.mark.parametrize("misses", [1.0, -1.0])
def test_a_coefficient_that_went_too_far_does_not_blow_up_the_slope(misses):
    """A loose solution may be sure of all rows of a rare column, right or wrong: no curvature is left of it there."""
    rng = np.random.default_rng(0)
    X = np.zeros((60, 4))
    X[:, :3] = rng.normal(size=(60, 3))
    X[:3, 3] = 1.0
    X[2, :3] = 0.0
    y = np.where(X[:, 0] + rng.logistic(size=60) > 0.0, 1.0, -1.0)
    y[:3] = 1.0, 1.0, misses
    model = Model(lambda p, _: l1(p, 0.01), False, datafit=Logistic())
    problem = model.problems(as_storage(X), y, [np.ones(60)])[0]
    tight = solve(problem, tol=1e-12)
    far = tight.w.copy()
    far[3] = 40.0
    S = np.arange(4, dtype=np.int32)
    loose = replace(tight, w=far, gradient=problem.correlation_after(S, far), gap=1.0, converged=False)

    def judge(support, w_S, offset):
        return float(w_S.sum()), np.ones(support.size), 0.0

    value, slope, v = implicit(problem, loose, judge, tol=1e-2)
    assert value == far.sum()
    assert v[3] == 0.0
    _, unguarded, _ = implicit(problem, replace(loose, gradient=None), judge, tol=1e-2)
    _, exact, _ = implicit(problem, tight, judge, tol=1e-12)
    assert abs(slope)[0] < 2.0 * abs(exact)[0] < 1e-3 * abs(unguarded)[0]


# --- estimators ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.parametrize("storage", ["C", "F", "csc"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@pytest.mark.parametrize(("fit_intercept", "l1_ratio"), [(True, 1.0), (False, 1.0), (True, 0.5), (True, 0.0)])
def test_the_solution_is_scikit_learns(cancer, storage, class_weight, fit_intercept, l1_ratio):
    X, y = cancer
    C = 0.3
    options = {"fit_intercept": fit_intercept, "class_weight": class_weight}
    ours = SparseLogisticRegression.from_C(C, len(y), l1_ratio=l1_ratio, tol=1e-13, **options)
    if class_weight is not None:  # the strength of the data is the sum of all weights
        each = np.array([3.0, 0.5])[y] if isinstance(class_weight, dict) else len(y) / (2.0 * np.bincount(y)[y])
        ours.set_params(alpha=1.0 / (C * each.sum()))
    ours.fit(STORAGES[storage](X), y)
    theirs = LogisticRegression(C=C, solver="saga", l1_ratio=l1_ratio, tol=1e-9, max_iter=100_000, **options).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-5)
    assert pytest.approx(C) == ours.C_
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("names", [("no", "yes"), (0, 1), (False, True), (-1.0, 3.0)])
def test_labels_of_any_kind(cancer, names):
    X, y = cancer
    labels = np.array(names)[y]
    model = SparseLogisticRegression().fit(X, labels)
    np.testing.assert_array_equal(model.classes_, sorted(names))
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) > 0.95
    np.testing.assert_allclose(model.coef_, SparseLogisticRegression().fit(X, y).coef_)
    search = GradientSearch(model, criterion=HeldOut(X[::2], labels[::2])).fit(X[1::2], pd.Series(labels[1::2]))
    assert set(search.predict(X)) == set(names)


def test_weights_are_repetitions(cancer):
    X, y = cancer[0][:120], cancer[1][:120]
    times = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted = SparseLogisticRegression(0.02, tol=1e-12).fit(X, y, sample_weight=times)
    repeated = SparseLogisticRegression(0.02, tol=1e-12).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)
    assert pytest.approx(repeated.C_) == weighted.C_


def test_a_search_minimises_the_cross_validated_log_loss(cancer):
    X, y = cancer
    cv = StratifiedKFold(5)
    search = GradientSearch(SparseLogisticRegression(), cv=cv).fit(X, y)
    assert search.metric_ == "log-loss"

    def criterion(alpha):
        model = SparseLogisticRegression(alpha, tol=1e-8)
        parts = [
            log_loss(y[test], model.fit(X[train], y[train]).predict_proba(X[test])) for train, test in cv.split(X, y)
        ]
        return np.mean(parts)

    assert search.best_criterion_ == pytest.approx(criterion(search.best_params_["alpha"]), rel=1e-4)
    grid = [criterion(alpha) for alpha in np.geomspace(1e-4, 0.1, 40)]
    assert search.best_criterion_ <= min(grid) * (1.0 + 1e-4)
    assert GradientSearch(SparseLogisticRegression(), cv=5).fit(X, y).best_criterion_ == search.best_criterion_


def test_class_weights_do_not_judge(cancer):
    X, y = cancer
    train, test = next(KFold(3).split(X))
    model = SparseLogisticRegression(0.02, class_weight={0: 5.0}, tol=1e-13)
    found = hypergradient(model, X, y, cv=[(train, test)])
    assert found.value == pytest.approx(
        log_loss(y[test], model.fit(X[train], y[train]).predict_proba(X[test])), rel=1e-6
    )


def test_both_hyperparameters_are_tuned_when_asked(cancer):
    X, y = cancer
    one = GradientSearch(SparseLogisticRegression()).fit(X, y)
    both = GradientSearch(SparseLogisticRegression(), hyperparams=["alpha", "l1_ratio"]).fit(X, y)
    assert set(one.best_params_) == {"alpha"}
    assert set(both.best_params_) == {"alpha", "l1_ratio"}
    assert both.best_criterion_ <= one.best_criterion_ * (1.0 + 1e-4)


def test_cross_validated_class(cancer):
    X, y = cancer
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
    model = SparseLogisticRegressionCV(l1_ratio=[1.0, 0.5], n_jobs=2, tol=1e-10).fit(frame, y)
    fixed = SparseLogisticRegression(model.alpha_, l1_ratio=model.l1_ratio_, tol=1e-10).fit(frame, y)
    np.testing.assert_allclose(model.coef_, fixed.coef_, atol=1e-3)
    assert pytest.approx(1.0 / (len(y) * model.alpha_)) == model.C_
    assert model.score(frame, y) > 0.97
    assert model.predict_proba(frame).shape == (len(y), 2)
    assert list(model.feature_names_in_) == list(frame.columns)


def test_pipelines_fit_their_transformers_in_each_fold(cancer):
    X, y = load_breast_cancer(return_X_y=True)
    labels = np.array(["bad", "good"])[y]
    pipeline = make_pipeline(StandardScaler(), SparseLogisticRegression(tol=1e-8))
    search = GradientSearch(pipeline, cv=StratifiedKFold(3)).fit(X, labels)
    best = clone(pipeline).set_params(**search.best_params_)
    probabilities = cross_val_predict(best, X, labels, cv=StratifiedKFold(3), method="predict_proba")
    folds = [log_loss(y[test], probabilities[test]) for _, test in StratifiedKFold(3).split(X, labels)]
    assert search.best_criterion_ == pytest.approx(np.mean(folds), rel=1e-4)
    assert search.score(X, labels) > 0.97


def test_path_scores_by_log_loss(cancer):
    X, y = cancer
    result = path(SparseLogisticRegression(tol=1e-8), X[::2], y[::2], n_alphas=12, X_val=X[1::2], y_val=y[1::2])
    assert result.support_sizes[0] == 0
    model = SparseLogisticRegression(result.alphas[7], tol=1e-8).fit(X[::2], y[::2])
    np.testing.assert_allclose(result.coefs[:, 7], model.coef_[0], atol=1e-3)
    assert result.scores[7] == pytest.approx(log_loss(y[1::2], model.predict_proba(X[1::2])), rel=1e-4)


# --- data that cannot be used, or only just ---------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("alpha", [1e-3, 1e-6, 0.0])
def test_separable_data(alpha, storage):
    """Penalised, there is a solution; without a penalty coefficients would grow for ever, and the status says so."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    y = np.where(X[:, 0] > 0.0, 1, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SparseLogisticRegression(alpha).fit(STORAGES[storage](X), y)
    assert np.all(np.isfinite(model.coef_))
    assert model.score(X, y) == 1.0
    assert ("the classes are separated" in model.status_) == (alpha == 0.0)


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_a_search_on_separable_data_ends(storage):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    search = GradientSearch(SparseLogisticRegression(), cv=3).fit(STORAGES[storage](X), X[:, 0] > 0.0)
    assert np.isfinite(search.best_criterion_)
    assert search.score(X, X[:, 0] > 0.0) > 0.9


def test_one_class_in_a_fold(cancer):
    X, y = cancer[0], np.sort(cancer[1])
    halves = [(np.arange(200), np.arange(200, len(y)))]
    for call in (GradientSearch(SparseLogisticRegression(), cv=halves).fit, SparseLogisticRegressionCV(cv=halves).fit):
        with pytest.raises(ValueError, match=r"all 200 training rows hold one class only: .* StratifiedKFold"):
            call(X, y)
    with pytest.raises(ValueError, match=r"fold 0 hold one class only: .* StratifiedKFold"):
        hypergradient(SparseLogisticRegression(), X, np.arange(len(y)) < len(y) // 2, cv=KFold(2))


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.zeros(30), r"y holds one class only, 0.0: pass rows of two classes"),
        (np.arange(30) % 3, "y holds 3 classes. Only binary classification is supported"),
        (np.linspace(0.0, 1.0, 30), "Unknown label type"),
        (np.where(np.arange(30) == 4, np.nan, 1.0), r"y contains NaN \(first in row 4\)"),
        (None, "y is missing"),
        (np.zeros((30, 2)), r"y has shape \(30, 2\): pass one label a row"),
        (np.arange(20) % 2, "X has 30 rows but y has 20 values"),
    ],
    ids=["one class", "three", "numbers", "nan", "none", "table", "short"],
)
def test_bad_labels(y, sentence):
    X = np.random.default_rng(0).normal(size=(30, 4))
    for estimator in (
        SparseLogisticRegression(),
        SparseLogisticRegressionCV(),
        GradientSearch(SparseLogisticRegression()),
    ):
        with pytest.raises(ValueError, match=sentence):
            estimator.fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"class_weight": "even"}, "class_weight='even' is unknown"),
        ({"class_weight": {7: 1.0}}, "class_weight names 7 but the classes are"),
        ({"class_weight": {1: -1.0}}, "class_weight of 1=-1.0 is out of range"),
        ({"alpha": -1.0}, "alpha=-1.0 is out of range"),
        ({"l1_ratio": 1.5}, "l1_ratio=1.5 is out of range"),
    ],
)
def test_bad_parameters(cancer, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        SparseLogisticRegression(**parameters).fit(*cancer)


def test_unknown_labels_in_the_validation_set(cancer):
    X, y = cancer
    with pytest.raises(ValueError, match=r"y_val holds the label 2 \(first in row 0\) but the classes are"):
        GradientSearch(SparseLogisticRegression(), criterion=HeldOut(X, y + 2)).fit(X, y)


@pytest.mark.parametrize("storage", ["C", "F", "csc"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_unpenalised_columns_may_be_constant_zero_or_repeated(storage, fit_intercept, positive):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10))
    X[:, 3], X[:, 4], X[:, 5] = 0.1, 0.0, X[:, 6]
    y = X[:, 0] + rng.logistic(size=200) > 0.0
    factors = np.ones(10)
    factors[[3, 4, 5, 6, 7]] = 0.0
    settings = {"penalty_factors": factors, "fit_intercept": fit_intercept, "positive": positive, "tol": 1e-9}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SparseLogisticRegression(0.01, **settings).fit(STORAGES[storage](X), y)
    reference = Reference.create(
        X, np.where(y, 1.0, -1.0), np.ones(200), model._make_penalty(10, 200.0), fit_intercept=fit_intercept
    )
    assert reference.violation(model.coef_[0], model.intercept_[0]) <= 1e-4


def test_sparse_data_are_not_centred_in_memory():
    """An intercept on sparse columns far from zero: the same as dense."""
    s = labelled(60, 10, density=0.3, shift=3.0)
    dense = SparseLogisticRegression(0.01, tol=1e-12).fit(s.X, s.y)
    sparse = SparseLogisticRegression(0.01, tol=1e-12).fit(scipy.sparse.csc_array(s.X), s.y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, atol=1e-6)

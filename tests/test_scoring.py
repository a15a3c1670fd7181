"""Criteria that users name or bring, the rule of one standard error, repeated folds."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import KFold, RepeatedKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lambdahat as lh
from lambdahat import CrossValidation, GradientSearch, HeldOut, Metric, hypergradient

N, P = 60, 8
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P)) + 0.3
SIGNAL = X @ np.where(np.arange(P) % 3 == 0, 1.0, 0.0) * 0.6
Y = 2.0 * SIGNAL + RNG.normal(size=N)
TIGHT = {"tol": 1e-12}
TARGETS = {
    "one": Y,
    "three": np.column_stack([Y, -SIGNAL + RNG.normal(size=N), RNG.normal(size=N)]),
    "counts": RNG.poisson(np.exp(SIGNAL)).astype(float),
    "labels": (RNG.random(N) < 1.0 / (1.0 + np.exp(-2.0 * SIGNAL))).astype(int),
    "classes": np.array(["a", "b", "c"])[np.argsort(np.argsort(SIGNAL + 0.4 * RNG.normal(size=N))) * 3 // N],
}
MODELS = {
    "lasso": (lh.Lasso(alpha=0.1, **TIGHT), "one"),
    "targets": (lh.Lasso(alpha=0.1, **TIGHT), "three"),
    "multi-task": (lh.MultiTaskLasso(alpha=0.1, **TIGHT), "three"),
    "poisson": (lh.PoissonLasso(alpha=0.05, **TIGHT), "counts"),
    "logistic": (lh.SparseLogisticRegression(alpha=0.02, **TIGHT), "labels"),
    "svm": (lh.LinearSVC(C=0.1, **TIGHT), "labels"),
    "one against the rest": (lh.OneVsRestLogistic(np.full(3, 0.02), **TIGHT), "classes"),
    "multinomial": (lh.MultinomialLogistic(alpha=0.02, **TIGHT), "classes"),
}
SCORES = [
    ("lasso", "neg_mean_squared_error"), ("lasso", "neg_root_mean_squared_error"), ("lasso", "neg_mean_absolute_error"),
    ("lasso", "r2"), ("lasso", "explained_variance"), ("targets", "r2"), ("targets", "neg_root_mean_squared_error"),
    ("multi-task", "r2"), ("multi-task", "neg_mean_absolute_error"), ("poisson", "neg_mean_poisson_deviance"),
    ("poisson", "neg_mean_squared_error"), ("poisson", "neg_mean_absolute_error"), ("logistic", "neg_log_loss"),
    ("logistic", "neg_brier_score"), ("logistic", "accuracy"), ("logistic", "roc_auc"), ("svm", "roc_auc"),
    ("svm", "accuracy"), ("one against the rest", "accuracy"), ("one against the rest", "neg_log_loss"),
    ("multinomial", "balanced_accuracy"), ("multinomial", "roc_auc_ovr"),
]  # fmt: skip


def at(model, X, y, criterion, **options):
    """A search of one evaluation, at the model's own hyperparameters."""
    search = GradientSearch(model, criterion=criterion, init="estimator", optimizer="gradient_descent", max_evals=1)
    return search.fit(X, y, **options)


def folds_of(target):
    return (KFold if target in ("one", "three", "counts") else StratifiedKFold)(4, shuffle=True, random_state=0)


@pytest.mark.parametrize(("name", "scoring"), SCORES)
def test_the_criterion_is_the_score_of_scikit_learn(name, scoring):
    model, target = MODELS[name]
    search = at(model, X, TARGETS[target], CrossValidation(folds_of(target), scoring=scoring))
    expected = cross_val_score(model, X, TARGETS[target], cv=folds_of(target), scoring=scoring)
    np.testing.assert_allclose(-search.fold_criteria_, expected, rtol=2e-3, atol=1e-4)
    assert search.best_score_ == pytest.approx(expected.mean(), rel=2e-3)


@pytest.mark.parametrize(("name", "scoring"), [pair for pair in SCORES if pair[1] not in ("accuracy", "roc_auc")][:-2])
def test_slopes_are_those_of_differences(name, scoring):
    model, target = MODELS[name]
    criterion = CrossValidation(folds_of(target), scoring=scoring)

    def judged(factor):
        alpha = factor * np.asarray(model.alpha)
        moved = clone(model).set_params(alpha=alpha if alpha.ndim else float(alpha))
        return hypergradient(moved, X, TARGETS[target], criterion=criterion, tol=1e-12)

    found, high, low = judged(1.0), judged(1.0 + 1e-5), judged(1.0 - 1e-5)
    if scoring == "explained_variance":  # led by the model's own metric
        own = hypergradient(model, X, TARGETS[target], criterion=CrossValidation(folds_of(target)), tol=1e-12)
        assert found.gradient == pytest.approx(own.gradient)
        return
    slope = float(np.sum(found.log_gradient)) if found.gradient.size > 1 else float(found.log_gradient[0])
    assert slope == pytest.approx((high.value - low.value) / 2e-5, rel=1e-4, abs=1e-7 * abs(found.value))


def test_scores_without_slopes_decide_among_the_points_visited():
    search = GradientSearch(MODELS["logistic"][0], criterion="accuracy", cv=folds_of("labels")).fit(
        X, TARGETS["labels"]
    )
    assert search.metric_ == "−accuracy"
    assert search.best_criterion_ == search.trace_.values.min()
    assert search.trace_.followed[search.best_index_] > 0.0
    assert "log-loss led the search, −accuracy, without a slope to follow, decided among the points" in search.status_
    assert "followed" in search.trace_.to_frame().columns
    grid = GradientSearch(MODELS["logistic"][0], criterion="accuracy", cv=folds_of("labels"), optimizer="grid")
    assert "led" not in grid.fit(X, TARGETS["labels"]).status_
    own = GradientSearch(MODELS["logistic"][0], cv=folds_of("labels")).fit(X, TARGETS["labels"])
    assert "led the search" not in own.status_
    assert "followed" not in own.trace_.to_frame().columns
    at_own = at(clone(MODELS["logistic"][0]).set_params(**own.best_params_), X, TARGETS["labels"], "accuracy")
    assert search.best_criterion_ <= at_own.best_criterion_ + 0.1


def test_held_out_scores_and_pipelines():
    train, test = np.arange(40), np.arange(40, N)
    y = TARGETS["labels"]
    model = make_pipeline(StandardScaler(), lh.SparseLogisticRegression(alpha=0.02, **TIGHT))
    for scoring in ("roc_auc", "neg_brier_score"):
        fitted = clone(model).fit(X[train], y[train])
        expected = get_scorer(scoring)(fitted, X[test], y[test])
        split = CrossValidation([(train, test)], scoring=scoring)
        for estimator, criterion, rows in (
            (model, split, slice(None)),
            (model, HeldOut(X[test], y[test], scoring=scoring), train),
        ):
            assert -at(estimator, X[rows], y[rows], criterion).best_criterion_ == pytest.approx(expected, rel=1e-3)


def pinball(y, p, quantile=0.7):
    return float(np.mean(np.maximum(quantile * (y - p), (quantile - 1.0) * (y - p))))


def pinball_slope(y, p, quantile=0.7):
    return np.where(y > p, -quantile, 1.0 - quantile) / y.size


def test_functions_that_users_bring():
    cv = folds_of("one")
    sloped = CrossValidation(cv, scoring=Metric(pinball, pinball_slope))
    model = MODELS["lasso"][0]
    expected = cross_val_score(model, X, Y, cv=cv, scoring=make_scorer(pinball))
    for scoring in (Metric(pinball, pinball_slope), Metric(pinball), make_scorer(pinball, greater_is_better=False)):
        found = at(model, X, Y, CrossValidation(cv, scoring=scoring))
        np.testing.assert_allclose(found.fold_criteria_, expected, rtol=1e-3)
    found = hypergradient(model, X, Y, criterion=sloped, tol=1e-12)
    high, low = (hypergradient(lh.Lasso(alpha=a), X, Y, criterion=sloped, tol=1e-12) for a in (0.1 + 1e-6, 0.1 - 1e-6))
    assert found.gradient[0] == pytest.approx((high.value - low.value) / 2e-6, rel=1e-4)
    assert at(model, X, Y, Metric(pinball)).metric_ == "pinball"


def test_functions_of_probabilities_and_their_direction():
    y = TARGETS["labels"]

    def right(y, p):
        return float(np.mean(np.where(y == 1, p, 1.0 - p)))

    metric = Metric(
        right,
        lambda y, p: np.where(y == 1, 1.0, -1.0) / y.size,
        response="predict_proba",
        greater_is_better=True,
        name="trust",
    )
    cv, model = folds_of("labels"), MODELS["logistic"][0]
    scorer = make_scorer(right, response_method="predict_proba")
    search = at(model, X, y, CrossValidation(cv, scoring=metric))
    np.testing.assert_allclose(-search.fold_criteria_, cross_val_score(model, X, y, cv=cv, scoring=scorer), rtol=1e-3)
    assert search.metric_ == "−trust"
    led = at(model, X, y, CrossValidation(cv, scoring=Metric(right, response="predict_proba", greater_is_better=True)))
    np.testing.assert_allclose(led.fold_criteria_, search.fold_criteria_, rtol=1e-3)


def test_weights_reach_the_scores():
    weight = RNG.uniform(0.5, 2.0, size=N)
    (train, test), y = (np.arange(40), np.arange(40, N)), TARGETS["labels"]
    fitted = clone(MODELS["logistic"][0]).fit(X[train], y[train], sample_weight=weight[train])
    for scoring in ("accuracy", "roc_auc", "neg_brier_score", Metric(accuracy_score, greater_is_better=True)):
        found = at(MODELS["logistic"][0], X, y, CrossValidation([(train, test)], scoring=scoring), sample_weight=weight)
        scorer = get_scorer("accuracy" if isinstance(scoring, Metric) else scoring)
        expected = scorer(fitted, X[test], y[test], sample_weight=weight[test])
        assert found.best_score_ == pytest.approx(expected, rel=1e-3)


def test_survival():
    time = RNG.exponential(np.exp(-SIGNAL))
    y = np.empty(N, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = RNG.random(N) < 0.8, time
    (train, test), model = (np.arange(40), np.arange(40, N)), lh.CoxLasso(alpha=0.05, **TIGHT)
    found = at(model, X, y, CrossValidation([(train, test)], scoring="concordance"))
    assert found.best_score_ == pytest.approx(model.fit(X[train], y[train]).score(X[test], y[test]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "criterion", "sentence"),
    [
        ("svm", "neg_log_loss", "log loss asks the model for what it does not have .*predict_proba"),
        ("lasso", "acuracy", "did you mean 'accuracy'"),
        ("lasso", "accuracy", "−accuracy cannot score .* of such targets .*: take a scorer that can"),
        ("multinomial", "roc_auc", "cannot score .*: take 'roc_auc_ovo', .*'roc_auc_ovr', .*or another scorer"),
        ("lasso", pinball, r"is a function: if it is value\(y_true, y_pred\), pass Metric\(value\)"),
        ("lasso", Metric(pinball, lambda y, p: 1.0), r"gradient of pinball has shape \(\) but y_pred has"),
        ("logistic", Metric(accuracy_score, lambda y, p: p), "predicted labels, which do not move"),
        ("logistic", CrossValidation([(np.arange(50), [0, 1])], scoring="roc_auc"), "not defined on .* larger folds"),
    ],
)
def test_scores_that_do_not_fit(name, criterion, sentence):
    model, target = MODELS[name]
    y = TARGETS[target]
    if isinstance(criterion, CrossValidation):
        y = np.where(np.arange(N) < 2, 0, y)
    with pytest.raises(ValueError, match=sentence):
        GradientSearch(model, criterion=criterion).fit(X, y)


def test_what_make_scorer_makes_is_a_criterion():
    model, target = MODELS["logistic"]
    cv = folds_of(target)
    made = GradientSearch(model, criterion=make_scorer(accuracy_score), cv=cv).fit(X, TARGETS[target])
    named = GradientSearch(model, criterion="accuracy", cv=cv).fit(X, TARGETS[target])
    assert made.best_criterion_ == named.best_criterion_
    assert made.best_params_ == named.best_params_


def test_errors_of_users_functions_are_seen_as_they_are():
    def broken(y, p):
        raise TypeError("no such thing")

    with pytest.raises(TypeError, match="no such thing"):
        GradientSearch(lh.Lasso(), criterion=Metric(broken)).fit(X, Y)


def test_settings_that_are_none():
    with pytest.raises(ValueError, match="rule"):
        CrossValidation(5, rule="2se")
    with pytest.raises(ValueError, match="repeats=2 needs cv to be a number"):
        CrossValidation(KFold(3), repeats=2)
    with pytest.raises(ValueError, match="is no function"):
        Metric(3)
    with pytest.raises(ValueError, match="response"):
        Metric(pinball, response="probability")


@pytest.mark.parametrize("model", [lh.Lasso(), lh.WeightedLasso(), lh.ElasticNet(), lh.Ridge()])
def test_one_standard_error(model):
    least = GradientSearch(model, cv=folds_of("one")).fit(X, Y)
    search = GradientSearch(model, criterion=CrossValidation(folds_of("one"), rule="1se")).fit(X, Y)
    bound = least.best_criterion_ + least.standard_error_
    assert least.best_criterion_ < search.best_criterion_ <= bound * (1.0 + 1e-4)
    strength = {key: np.log(value) for key, value in search.best_params_.items() if key != "l1_ratio"}
    steps = np.concatenate([np.ravel(strength[key] - np.log(least.best_params_[key])) for key in strength])
    inside = steps[np.isfinite(steps)]
    assert inside.min() >= -1e-9
    assert inside.max() > 0.1
    further = clone(model).set_params(**{key: 1.1 * np.exp(value) for key, value in strength.items()})
    if "l1_ratio" in search.best_params_:
        further.set_params(l1_ratio=search.best_params_["l1_ratio"])
    assert hypergradient(further, X, Y, cv=folds_of("one")).value > bound
    assert "within one standard error" in search.status_
    assert search.trace_.followed[search.best_index_] == search.best_criterion_


def test_one_fold_has_no_standard_error():
    search = GradientSearch(lh.Lasso(), criterion=CrossValidation([(np.arange(40), np.arange(40, N))], rule="1se"))
    assert "one fold has no standard error" in search.fit(X, Y).status_
    assert search.standard_error_ is None


@pytest.mark.parametrize("more", [-1, 1])
def test_a_budget_that_ends_before_the_rule_is_named(more):
    """In the search, or among the steps of the rule."""
    n_evals = GradientSearch(lh.Lasso(), cv=folds_of("one")).fit(X, Y).n_evals_ + more
    criterion = CrossValidation(folds_of("one"), rule="1se")
    search = GradientSearch(lh.Lasso(), criterion=criterion, max_evals=n_evals).fit(X, Y)
    assert "before the rule of one standard error was at its end" in search.status_


def test_standard_errors_and_repeats():
    splitter = RepeatedKFold(n_splits=4, n_repeats=3, random_state=1)
    ours = at(lh.Lasso(alpha=0.1), X, Y, CrossValidation(4, repeats=3, random_state=1))
    theirs = at(lh.Lasso(alpha=0.1), X, Y, CrossValidation(splitter))
    np.testing.assert_array_equal(ours.fold_criteria_, theirs.fold_criteria_)
    assert ours.fold_criteria_.size == 12
    expected = np.std(ours.fold_criteria_, ddof=1) / np.sqrt(4)
    assert ours.standard_error_ == theirs.standard_error_ == pytest.approx(expected)
    stratified = at(MODELS["logistic"][0], X, TARGETS["labels"], CrossValidation(4, repeats=2, random_state=1))
    assert stratified.fold_criteria_.size == 8

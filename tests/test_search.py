"""The search: splitters, pipelines, interruptions, bounds, and that it is never worse than where it starts."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from lambdahat import CrossValidation, ElasticNet, ElasticNetCV, GradientSearch, HeldOut, Lasso, LassoCV, Ridge
from lambdahat import WeightedLasso as Weighted
from zoo import STORAGES, sample

S = sample(60, 15, noise=2.0)
GROUPS = np.arange(60) % 7
ESTIMATORS = {"Lasso": Lasso(), "ElasticNet": ElasticNet(), "WeightedLasso": Weighted(), "Ridge": Ridge()}
SPLITTERS = {
    "int": 3,
    "KFold": KFold(4, shuffle=True, random_state=0),
    "RepeatedKFold": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "LeaveOneOut": LeaveOneOut(),
    "PredefinedSplit": PredefinedSplit(np.where(np.arange(60) < 20, -1, np.arange(60) % 2)),
    "GroupKFold": GroupKFold(3),
    "TimeSeriesSplit": TimeSeriesSplit(4),
    "ShuffleSplit": ShuffleSplit(3, test_size=0.25, random_state=0),
    "pairs": [(np.arange(40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))],
    "masks": [(np.arange(60) < 40, np.arange(60) >= 40)],
    "one split": [(np.arange(45), np.arange(45, 60))],
    "generator": None,
}


def splitter(name):
    return ((np.arange(k, 60), np.arange(k)) for k in (10, 20)) if name == "generator" else SPLITTERS[name]


def by_hand(estimator, X, y, splits, weight=None):
    """Mean over the folds of the (weighted) mean squared error, in a plain loop."""
    errors = []
    for train, test in splits:
        train_weight, test_weight = (None, None) if weight is None else (weight[train], weight[test])
        step = {} if weight is None else {"sample_weight": train_weight}
        fitted = clone(estimator).fit(X[train], y[train], **step)
        errors.append(np.average((y[test] - fitted.predict(X[test])) ** 2, weights=test_weight))
    return np.mean(errors)


@pytest.fixture(params=ESTIMATORS)
def estimator(request):
    return clone(ESTIMATORS[request.param])


@pytest.fixture(params=["C", "csc"])
def X(request):
    return STORAGES[request.param](S.X)


# --- the criterion is what a plain loop computes ---------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardised"])
@pytest.mark.parametrize("name", SPLITTERS)
def test_any_splitter(name, standardize, weighted, X):
    groups, weight = (GROUPS if name == "GroupKFold" else None), (S.weight + 0.1 if weighted else None)
    model = Lasso(standardize=standardize, tol=1e-10)
    search = GradientSearch(model, cv=splitter(name)).fit(X, S.y, groups=groups, sample_weight=weight)
    splits = list(CrossValidation(splitter(name)).splits(_data(groups)))
    best = clone(model).set_params(**search.best_params_)
    assert search.best_criterion_ == pytest.approx(by_hand(best, S.X, S.y, splits, weight), rel=1e-3)
    assert len(search.fold_criteria_) == len(splits)
    assert search.best_criterion_ == pytest.approx(np.mean(search.fold_criteria_))
    np.testing.assert_allclose(search.coef_, best.fit(S.X, S.y, weight).coef_, atol=1e-3)


def _data(groups):
    from lambdahat.criteria import Data
    from lambdahat.design import as_storage

    return Data(as_storage(S.X), S.y, np.ones(60), S.X, groups)


def test_held_out_arrays(estimator, X):
    """Fitted on X alone, judged on the validation arrays, refitted on X alone."""
    search = GradientSearch(estimator, criterion=HeldOut(S.X_val, S.y_val)).fit(X, S.y)
    best = clone(estimator).set_params(**search.best_params_, tol=1e-10).fit(S.X, S.y)
    assert search.best_criterion_ == pytest.approx(np.mean((S.y_val - best.predict(S.X_val)) ** 2), rel=1e-3)
    np.testing.assert_allclose(search.coef_, best.coef_, atol=0.05)
    assert search.best_score_ == -search.best_criterion_


def test_a_weight_is_a_repetition(estimator, X):
    rng = np.random.default_rng(0)
    weight = rng.integers(1, 4, size=60)
    rows = np.repeat(np.arange(60), weight)
    folds = np.arange(60) % 3
    repeated = folds[rows]
    one = GradientSearch(estimator, cv=PredefinedSplit(folds)).fit(X, S.y, sample_weight=weight)
    many = GradientSearch(estimator, cv=PredefinedSplit(repeated)).fit(X[rows], S.y[rows])
    assert one.best_criterion_ == pytest.approx(many.best_criterion_, rel=1e-4)
    if not isinstance(estimator, Ridge | Weighted):
        np.testing.assert_allclose(one.coef_, many.coef_, atol=0.05)


# --- meta-estimators -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "steps", [(StandardScaler(),), (PolynomialFeatures(2), StandardScaler()), (PCA(5),), ("passthrough",)]
)
def test_around_a_pipeline_nothing_leaks(steps, weighted):
    weight = S.weight + 0.1 if weighted else None
    pipeline = make_pipeline(*steps, Lasso(tol=1e-10))
    search = GradientSearch(pipeline, cv=KFold(3)).fit(S.X, S.y, sample_weight=weight)
    assert list(search.best_params_) == ["lasso__alpha"]
    best = clone(pipeline).set_params(**search.best_params_)
    if weighted:
        best[:-1].set_output(transform="default")
        expected = np.mean(
            [
                np.average(
                    (S.y[test] - fit_weighted(best, train, weight).predict(S.X[test])) ** 2, weights=weight[test]
                )
                for train, test in KFold(3).split(S.X)
            ]
        )
    else:
        expected = by_hand(best, S.X, S.y, KFold(3).split(S.X))
    assert search.best_criterion_ == pytest.approx(expected, rel=1e-3)
    refitted = fit_weighted(best, np.arange(60), weight)
    np.testing.assert_allclose(search.predict(S.X_val), refitted.predict(S.X_val), rtol=1e-2)
    np.testing.assert_allclose(search.coef_, refitted[-1].coef_, atol=1e-2)


def fit_weighted(pipeline, rows, weight):
    step = {} if weight is None else {"lasso__sample_weight": weight[rows]}
    return clone(pipeline).fit(S.X[rows], S.y[rows], **step)


def test_around_a_pipeline_with_held_out_arrays():
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = GradientSearch(pipeline, criterion=HeldOut(S.X_val, S.y_val)).fit(S.X, S.y)
    best = clone(pipeline).set_params(**search.best_params_).fit(S.X, S.y)
    assert search.best_criterion_ == pytest.approx(np.mean((S.y_val - best.predict(S.X_val)) ** 2), rel=1e-3)


@pytest.mark.parametrize("hyperparams", ["alpha", ["elasticnet__alpha"], ["l1_ratio", "alpha"]])
def test_names_inside_a_pipeline(hyperparams):
    search = GradientSearch(make_pipeline(StandardScaler(), ElasticNet()), cv=3, hyperparams=hyperparams)
    search.fit(S.X, S.y)
    names = {"elasticnet__alpha"} | ({"elasticnet__l1_ratio"} if len(hyperparams) == 2 else set())
    assert set(search.best_params_) == names


def test_a_pipeline_of_one_step():
    one = GradientSearch(make_pipeline(Lasso()), cv=3).fit(S.X, S.y)
    plain = GradientSearch(Lasso(), cv=3).fit(S.X, S.y)
    assert one.best_criterion_ == pytest.approx(plain.best_criterion_, rel=1e-4)


def test_inside_a_pipeline_and_cross_validation():
    pipeline = make_pipeline(StandardScaler(), GradientSearch(Lasso(), cv=3))
    scores = cross_val_score(pipeline, S.X, S.y, cv=3, error_score="raise")
    assert np.all(np.isfinite(scores))
    assert cross_val_score(LassoCV(cv=3), S.X, S.y, cv=3, error_score="raise").shape == (3,)
    groups = cross_val_score(
        GradientSearch(Lasso(), cv=GroupKFold(3)), S.X, S.y, cv=3, params={"groups": GROUPS}, error_score="raise"
    )
    assert np.all(np.isfinite(groups))


def test_transformed_target():
    model = TransformedTargetRegressor(GradientSearch(Lasso(), cv=3), transformer=StandardScaler()).fit(S.X, S.y)
    plain = GradientSearch(Lasso(), cv=3).fit(S.X, S.y)
    np.testing.assert_allclose(model.predict(S.X), plain.predict(S.X), atol=0.1)


def test_clone_and_params(estimator):
    search = GradientSearch(estimator, cv=3, bounds=(1e-3, 10.0), tol=1e-3)
    copy = clone(search)
    assert copy is not search
    assert copy.get_params()["estimator__alpha"] == 1.0
    copy.set_params(estimator__alpha=0.5, cv=4)
    assert copy.estimator.alpha == 0.5
    assert estimator.alpha == 1.0


def test_the_given_estimator_is_left_alone(estimator):
    before = dict(vars(estimator))
    GradientSearch(estimator, cv=3).fit(S.X, S.y)
    assert vars(estimator) == before


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("model", [Lasso(), make_pipeline(StandardScaler(), Lasso())], ids=["model", "pipeline"])
def test_frames(model, make):
    frame = make({f"x{j}": S.X[:, j] for j in range(15)})
    search = GradientSearch(model, cv=3).fit(frame, S.y)
    plain = GradientSearch(model, cv=3).fit(S.X, S.y)
    assert search.feature_names_in_.tolist() == [f"x{j}" for j in range(15)]
    assert search.n_features_in_ == 15
    np.testing.assert_allclose(search.predict(frame), plain.predict(S.X), rtol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.predict(frame)


# --- the search itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", ["cv", HeldOut(S.X_val, S.y_val)], ids=["cv", "held-out"])
def test_the_result_does_not_depend_on_n_jobs(estimator, X, criterion):
    one, two = (GradientSearch(estimator, criterion=criterion, cv=4, n_jobs=n).fit(X, S.y) for n in (1, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)
    for name in ("hyperparams", "values", "gradients", "support_sizes", "inner_tols"):
        np.testing.assert_array_equal(getattr(one.trace_, name), getattr(two.trace_, name))
    assert one.status_ == two.status_


@pytest.mark.parametrize("init", ["auto", "estimator", 0.01, 3.0, {"alpha": 0.05}])
@pytest.mark.parametrize("alpha", [1e-4, 0.1, 20.0])
@pytest.mark.parametrize("model", [Lasso, ElasticNet, Ridge])
def test_never_worse_than_the_start(model, alpha, init):
    if model is ElasticNet and isinstance(init, float):
        init = {"alpha": init, "l1_ratio": 0.5}
    search = GradientSearch(model(alpha), cv=KFold(3), init=init).fit(S.X, S.y)
    assert search.best_criterion_ == search.trace_.values.min()
    if init != "auto":
        start = {"alpha": alpha} | (init if isinstance(init, dict) else {} if init == "estimator" else {"alpha": init})
        known = {name: value for name, value in start.items() if name in model().get_params()}
        expected = by_hand(model(**known, tol=1e-10), S.X, S.y, KFold(3).split(S.X))
        assert search.best_criterion_ <= expected * (1 + 1e-4)


def test_weighted_lasso_improves_on_the_lasso():
    lasso = GradientSearch(Lasso(), criterion=HeldOut(S.X_val, S.y_val)).fit(S.X, S.y)
    weighted = GradientSearch(Weighted(), criterion=HeldOut(S.X_val, S.y_val)).fit(S.X, S.y)
    assert weighted.best_params_["weights"].shape == (15,)
    assert weighted.best_criterion_ < lasso.best_criterion_


@pytest.mark.parametrize("max_evals", [1, 2, 5])
def test_out_of_budget(estimator, max_evals):
    search = GradientSearch(estimator, cv=3, max_evals=max_evals).fit(S.X, S.y)
    assert search.n_evals_ == len(search.trace_.values) == max_evals
    assert f"max_evals={max_evals}" in search.status_
    _assert_refitted(search)


@pytest.mark.parametrize("after", [1, 3])
def test_interrupted(estimator, after):
    def interrupt(evaluation):
        if evaluation.index + 1 == after:
            raise KeyboardInterrupt

    search = GradientSearch(estimator, cv=3, callback=interrupt).fit(S.X, S.y)
    assert search.status_.startswith("interrupted")
    assert search.n_evals_ == after
    _assert_refitted(search)


def test_interrupted_before_anything_is_known(monkeypatch):
    from lambdahat.search import CriterionObjective

    def interrupt(self, x, tol, gradient=True):
        raise KeyboardInterrupt

    monkeypatch.setattr(CriterionObjective, "__call__", interrupt)
    search = GradientSearch(Lasso(), cv=3)
    before = dict(vars(search))
    with pytest.raises(KeyboardInterrupt):
        search.fit(S.X, S.y)
    assert vars(search) == before


def _assert_refitted(search):
    best = search.best_index_
    assert search.best_criterion_ == search.trace_.values[best] == search.trace_.values.min()
    expected = clone(search.estimator).set_params(**search.best_params_, tol=1e-10).fit(S.X, S.y)
    np.testing.assert_allclose(search.predict(S.X), expected.predict(S.X), atol=0.2)


def test_callback(estimator):
    seen = []

    def stop(evaluation):
        seen.append(evaluation)
        return len(seen) == 2

    search = GradientSearch(estimator, cv=3, callback=stop).fit(S.X, S.y)
    assert "callback" in search.status_
    assert search.n_evals_ == 2
    assert [evaluation.index for evaluation in seen] == [0, 1]
    for evaluation in seen:
        assert set(evaluation.hyperparams) == set(search.best_params_)
        assert evaluation.value == search.trace_.values[evaluation.index]
        np.testing.assert_array_equal(evaluation.gradient, search.trace_.gradients[evaluation.index])
        assert evaluation.seconds >= 0.0


def test_an_error_in_a_callback_is_raised_and_the_trace_is_kept(estimator):
    def fail(evaluation):
        if evaluation.index == 2:
            raise RuntimeError("mine")

    search = GradientSearch(estimator, cv=3).fit(S.X, S.y)
    search.set_params(callback=fail)
    with pytest.raises(RuntimeError, match="mine"):
        search.fit(S.X, S.y)
    assert search.n_evals_ == len(search.trace_.values) == 3
    assert search.best_criterion_ == search.trace_.values.min()
    best = np.concatenate([np.ravel(value) for value in search.best_params_.values()])
    np.testing.assert_array_equal(best, search.trace_.hyperparams[search.best_index_])
    assert "error in the callback, RuntimeError (3 evaluations)" in search.status_
    with pytest.raises(AttributeError, match="not to its end"):  # nor by what an earlier fit has left
        search.predict(S.X)


def test_trace(estimator):
    search = GradientSearch(estimator, cv=3).fit(S.X, S.y)
    trace, d = search.trace_, search.trace_.hyperparams.shape[1]
    assert len(trace.hyperparam_names) == d
    for name in ("hyperparams", "values", "gradients", "support_sizes", "inner_tols", "seconds"):
        array = getattr(trace, name)
        assert array.shape == ((search.n_evals_, d) if name in ("hyperparams", "gradients") else (search.n_evals_,))
        assert np.all(np.isfinite(array))
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(AttributeError):
        trace.values = None
    assert np.all(np.diff(trace.seconds) >= 0.0)
    assert np.all(trace.support_sizes <= 15)
    frame = trace.to_frame()
    assert len(frame) == search.n_evals_
    np.testing.assert_array_equal(frame["value"], trace.values)
    np.testing.assert_array_equal(frame[trace.hyperparam_names[0]], trace.hyperparams[:, 0])


@pytest.mark.parametrize("bounds", [(0.5, 2.0), (1e-3, 1e-2), (3.0, 1e3)])
@pytest.mark.parametrize("model", [Lasso(), Ridge()])
def test_bounds(model, bounds):
    search = GradientSearch(model, cv=3, bounds=bounds).fit(S.X, S.y)
    np.testing.assert_allclose(search.bounds_["alpha"], bounds)
    alphas = search.trace_.hyperparams[:, 0]
    assert np.all(alphas >= bounds[0] * (1 - 1e-9))
    assert np.all(alphas <= bounds[1] * (1 + 1e-9))


@pytest.mark.parametrize("init", ["auto", "estimator"])
@pytest.mark.parametrize(
    ("noise", "bounds", "which"), [(8.0, (1e-4, 1e-2), "upper"), (0.1, (0.5, 1.0), "lower")], ids=["low", "high"]
)
def test_an_optimum_on_the_bound_is_reported(noise, bounds, which, init):
    s = sample(40, 20, noise=noise, seed=1)
    model = Lasso(alpha=np.sqrt(bounds[0] * bounds[1]))
    search = GradientSearch(model, cv=3, bounds=bounds, init=init).fit(s.X, s.y)
    assert f"{which} bound" in search.status_
    assert search.best_params_["alpha"] == pytest.approx(bounds[which == "upper"], rel=1e-6)


def test_bounds_of_several():
    bounds = {"alpha": (0.01, 0.1), "l1_ratio": (0.2, 0.4)}
    search = GradientSearch(ElasticNet(), cv=3, bounds=bounds).fit(S.X, S.y)
    for k, name in enumerate(("alpha", "l1_ratio")):
        values = search.trace_.hyperparams[:, k]
        assert np.all((values >= bounds[name][0] * (1 - 1e-9)) & (values <= bounds[name][1] * (1 + 1e-9)))


@pytest.mark.parametrize("hyperparams", ["alpha", ["alpha"], ["l1_ratio"], ["l1_ratio", "alpha"], None])
def test_chosen_hyperparams(hyperparams):
    search = GradientSearch(ElasticNet(alpha=0.3, l1_ratio=0.7), cv=3, hyperparams=hyperparams).fit(S.X, S.y)
    chosen = {hyperparams} if isinstance(hyperparams, str) else set(hyperparams or ("alpha", "l1_ratio"))
    assert set(search.best_params_) == chosen
    if "alpha" not in chosen:
        assert search.best_estimator_.alpha == 0.3
    if "l1_ratio" not in chosen:
        assert search.best_estimator_.l1_ratio == 0.7


@pytest.mark.parametrize("optimizer", ["scalar", "lbfgs"])
def test_optimizers_agree(optimizer):
    search = GradientSearch(Ridge(), cv=3, optimizer=optimizer, tol=1e-8).fit(S.X, S.y)
    auto = GradientSearch(Ridge(), cv=3, tol=1e-8).fit(S.X, S.y)
    assert search.best_criterion_ == pytest.approx(auto.best_criterion_, rel=1e-4)


@pytest.mark.parametrize("model", [Lasso(), Ridge()])
def test_at_the_optimum_the_derivative_vanishes_or_changes_sign(model):
    search = GradientSearch(model, criterion=HeldOut(S.X_val, S.y_val), tol=1e-10).fit(S.X, S.y)
    grid = np.geomspace(0.5, 2.0, 41) * search.best_params_["alpha"]
    errors = [
        np.mean((S.y_val - clone(model).set_params(alpha=a, tol=1e-12).fit(S.X, S.y).predict(S.X_val)) ** 2)
        for a in grid
    ]
    assert search.best_criterion_ <= min(errors) * (1 + 1e-6)


def test_without_refit():
    search = GradientSearch(Lasso(), cv=3, refit=False).fit(S.X, S.y)
    assert search.best_params_["alpha"] > 0.0
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "coef_")
    with pytest.raises(AttributeError, match="refit=True"):
        search.predict(S.X)


def test_verbose(capsys):
    search = GradientSearch(Lasso(), cv=3, verbose=1).fit(S.X, S.y)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == search.n_evals_
    assert "alpha=" in lines[0]


def test_deterministic(estimator, X):
    first, second = (GradientSearch(estimator, cv=3).fit(X, S.y) for _ in range(2))
    np.testing.assert_array_equal(first.trace_.values, second.trace_.values)
    np.testing.assert_array_equal(first.coef_, second.coef_)


def test_refitting_on_other_data_forgets_the_first():
    search = GradientSearch(Lasso(), cv=3).fit(pd.DataFrame(S.X, columns=[f"x{j}" for j in range(15)]), S.y)
    search.fit(S.X[:, :4], S.y)
    assert search.coef_.shape == (4,)
    assert not hasattr(search, "feature_names_in_")


# --- the drop-in classes ---------------------------------------------------------------------------------------------


def test_lasso_cv_is_a_search():
    model = LassoCV(cv=4, tol=1e-8).fit(S.X, S.y)
    search = GradientSearch(Lasso(tol=1e-8), cv=4).fit(S.X, S.y)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_array_equal(model.coef_, search.coef_)
    np.testing.assert_array_equal(model.predict(S.X), search.predict(S.X))
    assert model.trace_.values.min() == search.best_criterion_


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0, [0.2, 0.8], np.array([0.5, 1.0]), "auto"])
def test_elastic_net_cv(l1_ratio):
    model = ElasticNetCV(l1_ratio=l1_ratio, cv=KFold(3), tol=1e-8).fit(S.X, S.y)
    best = ElasticNet(model.alpha_, l1_ratio=model.l1_ratio_, tol=1e-8)
    assert model.search_.best_criterion_ == pytest.approx(by_hand(best, S.X, S.y, KFold(3).split(S.X)), rel=1e-3)
    np.testing.assert_allclose(model.coef_, best.fit(S.X, S.y).coef_, atol=1e-3)
    if isinstance(l1_ratio, str):
        fixed = ElasticNetCV(l1_ratio=0.5, cv=KFold(3)).fit(S.X, S.y)
        assert model.search_.best_criterion_ <= fixed.search_.best_criterion_ * (1 + 1e-3)
    else:
        assert model.l1_ratio_ in np.atleast_1d(l1_ratio)


def test_drop_ins_take_groups_and_weights():
    for model in (LassoCV(cv=GroupKFold(3)), ElasticNetCV(cv=GroupKFold(3))):
        model.fit(S.X, S.y, S.weight + 0.1, groups=GROUPS)
        assert len(model.search_.fold_criteria_) == 3


@pytest.mark.parametrize("seed", range(4))
def test_the_elastic_net_is_no_worse_than_the_lasso(seed):
    s = sample(80, 30, seed=seed, noise=2.0)
    lasso, elastic_net = (GradientSearch(model, cv=5).fit(s.X, s.y) for model in (Lasso(), ElasticNet()))
    assert elastic_net.best_criterion_ <= (1.0 + 1e-4) * lasso.best_criterion_


def test_splitters_of_ones_own_see_X():
    class OnTheFirstColumn:
        """Validates where the first column is positive."""

        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

        def split(self, X, y=None, groups=None):
            positive = np.asarray(X[:, [0]].todense() if scipy.sparse.issparse(X) else X[:, [0]]).ravel() > 0.0
            yield np.flatnonzero(~positive), np.flatnonzero(positive)

    s = sample(80, 12)
    dense, sparse = (
        GradientSearch(Lasso(), cv=OnTheFirstColumn()).fit(X, s.y).best_criterion_
        for X in (s.X, scipy.sparse.csc_array(s.X))
    )
    assert sparse == pytest.approx(dense, rel=1e-4)

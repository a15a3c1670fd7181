"""Every search by its name on small problems: the best of a fine grid, budgets, seeds, bounds, and errors."""

import importlib.util
import warnings
from itertools import count

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import enet_path
from sklearn.model_selection import KFold

from lambdahat import ElasticNet, GradientSearch, HeldOut, Lasso, Ridge, SparseLogisticRegression, WeightedLasso
from lambdahat.estimators.optimizers import OPTIMIZERS
from lambdahat.outer import (
    HOAG,
    LBFGS,
    Adam,
    Bayesian,
    GradientDescent,
    Grid,
    LineSearch,
    OuterOptimizer,
    RandomSearch,
    Scalar,
)
from zoo import STORAGES, sample

S = sample(60, 15, noise=2.0)
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the Gaussian process needs PyTorch")
DESCENTS = ["auto", "lbfgs", "gradient_descent", "line_search", "adam", "hoag"]
SAMPLERS = ["grid", "random", "bayesian"]
NAMES = [pytest.param(name, marks=needs_torch if name == "bayesian" else ()) for name in DESCENTS + SAMPLERS]
BLIND = [pytest.param(name, marks=needs_torch if name == "bayesian" else ()) for name in SAMPLERS]
MODELS = {"Lasso": Lasso(), "ElasticNet": ElasticNet(), "WeightedLasso": WeightedLasso(), "Ridge": Ridge()}


@pytest.fixture(params=MODELS)
def model(request):
    return clone(MODELS[request.param])


def fine_grid(ratios):
    """The best mean squared error of three-fold cross-validation, by scikit-learn's path."""
    best = np.inf
    for ratio in ratios:
        errors = []
        for train, test in KFold(3).split(S.X):
            X, y = S.X[train] - S.X[train].mean(axis=0), S.y[train] - S.y[train].mean()
            alphas = np.geomspace(5.0, 1e-3, 200)
            coefs = enet_path(X, y, l1_ratio=ratio, alphas=alphas, tol=1e-8)[1]
            predicted = (S.X[test] - S.X[train].mean(axis=0)) @ coefs + S.y[train].mean()
            errors.append(np.mean((S.y[test][:, None] - predicted) ** 2, axis=0))
        best = min(best, np.mean(errors, axis=0).min())
    return best


@pytest.fixture(scope="module")
def best_lasso():
    return fine_grid([1.0])


@pytest.fixture(scope="module")
def best_elastic_net():
    return fine_grid(np.linspace(0.05, 1.0, 20))


def test_every_name_has_been_tested_here():
    assert {"auto", "scalar", *OPTIMIZERS} == {*DESCENTS, *SAMPLERS, "scalar"}
    for make in OPTIMIZERS.values():
        assert isinstance(make().minimize, type(OPTIMIZERS["scalar"]().minimize))
        assert set(OuterOptimizer.__dict__) >= {"minimize"}


# --- the same best ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parametrization", ["log", "plain"])
@pytest.mark.parametrize("name", [*NAMES, "scalar"])
def test_the_lasso_is_as_good_as_on_a_fine_grid(name, parametrization, best_lasso):
    search = GradientSearch(Lasso(), cv=KFold(3), optimizer=name, parametrization=parametrization, random_state=0)
    search.set_params(max_evals=16 if name == "bayesian" else 200).fit(S.X, S.y)
    assert search.best_criterion_ <= best_lasso * (1.01 if name in SAMPLERS else 1.0005)
    assert search.best_criterion_ >= best_lasso * (1.0 - 1e-3)
    assert search.best_criterion_ == search.trace_.values.min()
    assert np.isnan(search.trace_.gradients).all() == (name in SAMPLERS)


@pytest.mark.parametrize("parametrization", ["log", "plain"])
@pytest.mark.parametrize("name", DESCENTS)
def test_the_elastic_net_is_as_good_as_on_a_fine_grid(name, parametrization, best_elastic_net):
    search = GradientSearch(ElasticNet(), cv=KFold(3), optimizer=name, parametrization=parametrization)
    search.fit(S.X, S.y)
    assert search.best_criterion_ <= best_elastic_net * (1.0 + 2e-3)


@pytest.mark.parametrize("parametrization", ["log", "plain"])
@pytest.mark.parametrize("name", DESCENTS)
def test_one_weight_a_feature_is_better_than_one_for_all(name, parametrization, best_lasso):
    search = GradientSearch(WeightedLasso(), cv=KFold(3), optimizer=name, parametrization=parametrization)
    search.fit(S.X, S.y)
    assert search.best_criterion_ < 0.97 * best_lasso


@pytest.mark.parametrize("name", ["gradient_descent", "line_search", "adam", "hoag", "lbfgs"])
def test_more_hyperparameters_than_rows(name):
    s = sample(40, 200, noise=1.0)
    search = GradientSearch(WeightedLasso(), cv=KFold(3), optimizer=name, max_evals=60).fit(s.X, s.y)
    assert search.trace_.hyperparams.shape[1] == 200
    assert search.best_criterion_ < 0.9 * search.trace_.values[0]


def test_objects_bring_their_settings():
    objects = [
        GradientDescent(0.1, normalised=False), LineSearch(0.3), LBFGS(max_iter=5), Adam(0.5), HOAG(decrease="cubic"),
        Scalar(ratio=2.0), Grid(11), RandomSearch(7, random_state=3), Bayesian("tpe", n_points=9, random_state=1),
    ]  # fmt: skip
    for optimizer in objects:
        search = clone(GradientSearch(Lasso(), cv=KFold(3), optimizer=optimizer)).fit(S.X, S.y)
        assert search.get_params()["optimizer"] is not None
        if hasattr(optimizer, "n_points"):
            assert search.n_evals_ == optimizer.n_points


# --- the same conditions for all -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("max_evals", [1, 4])
def test_budget_of_evaluations(name, max_evals, model):
    search = GradientSearch(model, cv=3, optimizer=name, max_evals=max_evals, random_state=0, tol=1e-9).fit(S.X, S.y)
    assert search.n_evals_ == max_evals
    assert f"max_evals={max_evals}" in search.status_
    assert search.predict(S.X).shape == (60,)


@pytest.mark.parametrize("name", NAMES)
def test_budget_of_seconds(name, model, monkeypatch):
    """A clock that moves by a second whenever it is looked at: which it is between rounds of the solver too."""
    ticks = count()
    monkeypatch.setattr("lambdahat.search.objective.time.perf_counter", lambda: float(next(ticks)))
    search = GradientSearch(model, cv=3, optimizer=name, max_seconds=20, random_state=0, tol=1e-9).fit(S.X, S.y)
    assert next(ticks) <= 24
    assert 1 < search.n_evals_ < 8
    assert "stopped after max_seconds=20 seconds" in search.status_
    assert search.trace_.seconds[-1] < 20.0
    assert search.predict(S.X).shape == (60,)


def test_a_solve_that_takes_long_is_given_up(monkeypatch):
    """The second evaluation alone would take hundreds of rounds."""
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.normal(size=(60, 300)), axis=1)
    y = (rng.normal(size=60) > 0.0).astype(int)
    ticks = count()
    monkeypatch.setattr("lambdahat.search.objective.time.perf_counter", lambda: float(next(ticks)))
    model = SparseLogisticRegression(tol=1e-12, max_iter=100_000)
    two_points = Grid(2, inner_tol=1e-12)
    search = GradientSearch(model, cv=3, optimizer=two_points, bounds=(1e-7, 1e3), max_seconds=30).fit(X, y)
    assert next(ticks) <= 33
    assert (search.n_evals_, search.status_) == (1, "stopped after max_seconds=30 seconds (1 evaluations)")


def test_one_evaluation_is_always_made():
    search = GradientSearch(Lasso(), cv=3, max_seconds=1e-12).fit(S.X, S.y)
    assert search.n_evals_ == 1
    assert np.isfinite(search.best_criterion_)


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_sees_and_ends_every_search(name, model):
    seen = []
    search = GradientSearch(model, cv=3, optimizer=name, callback=lambda e: seen.append(e.value) or len(seen) == 3)
    search.fit(S.X, S.y)
    assert seen == search.trace_.values.tolist()
    assert len(seen) == 3
    assert "stopped by the callback" in search.status_


@pytest.mark.parametrize("name", NAMES)
def test_an_error_in_a_callback_comes_out_of_every_search(name, model):
    def fail(evaluation):
        if evaluation.index == 1:
            raise ZeroDivisionError("mine")

    search = GradientSearch(model, cv=3, optimizer=name, callback=fail)
    with pytest.raises(ZeroDivisionError, match="mine"):
        search.fit(S.X, S.y)
    assert search.n_evals_ == 2
    assert search.best_criterion_ == search.trace_.values.min()
    assert set(search.best_params_) == set(model.tuned)
    assert "ZeroDivisionError" in search.status_


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("name", NAMES)
def test_threads_change_nothing(name, model, storage):
    X = STORAGES[storage](S.X)
    one, two = (
        GradientSearch(model, cv=3, optimizer=name, random_state=7, max_evals=11, n_jobs=n).fit(X, S.y) for n in (1, 2)
    )
    for field in ("hyperparams", "values", "gradients", "support_sizes", "inner_tols"):
        np.testing.assert_array_equal(getattr(one.trace_, field), getattr(two.trace_, field))
    np.testing.assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("make", [lambda: 3, lambda: np.random.RandomState(3), lambda: np.random.default_rng(3)])
@pytest.mark.parametrize("name", ["random", pytest.param("bayesian", marks=needs_torch)])
def test_random_state(name, make):
    first, again, other = (
        GradientSearch(Lasso(), cv=3, optimizer=name, random_state=state, max_evals=11).fit(S.X, S.y).trace_.hyperparams
        for state in (make(), make(), 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["scalar", "grid"])
def test_a_search_without_chance_has_no_use_for_a_seed(name):
    first, other = (
        GradientSearch(Lasso(), cv=3, optimizer=name, random_state=state).fit(S.X, S.y).trace_.hyperparams
        for state in (0, 1)
    )
    np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("name", BLIND)
def test_no_implicit_system_is_solved_without_need(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a hypergradient was computed")

    monkeypatch.setattr("lambdahat.search.objective.differentiate", refuse)
    search = GradientSearch(Lasso(), cv=3, optimizer=name, max_evals=12, random_state=0).fit(S.X, S.y)
    assert np.isnan(search.trace_.gradients).all()
    with pytest.raises(AssertionError, match="hypergradient"):
        GradientSearch(Lasso(), cv=3).fit(S.X, S.y)


@pytest.mark.parametrize("name", [*NAMES, "scalar"])
def test_bounds_are_kept(name):
    search = GradientSearch(Lasso(), cv=3, optimizer=name, bounds=(0.05, 0.1), random_state=0, max_evals=11)
    search.fit(S.X, S.y)
    alphas = search.trace_.hyperparams[:, 0]
    assert np.all((alphas >= 0.05 * (1 - 1e-12)) & (alphas <= 0.1 * (1 + 1e-12)))


# --- starts and criteria that lead nowhere ---------------------------------------------------------------------------


@pytest.mark.parametrize("parametrization", ["log", "plain"])
@pytest.mark.parametrize("name", [*DESCENTS, "scalar"])
def test_a_start_above_alpha_max(name, parametrization, best_lasso):
    search = GradientSearch(
        Lasso(1e3), cv=KFold(3), optimizer=name, init="estimator", bounds=(1e-3, 1e4), parametrization=parametrization
    ).fit(S.X, S.y)
    assert search.trace_.hyperparams[0, 0] == pytest.approx(1e3)
    assert search.trace_.support_sizes[0] == 0.0
    assert "the gradient is zero at the start (as above λ_max), moved to weaker penalties" in search.status_
    assert search.best_criterion_ <= best_lasso * (1.0 + 2e-3)


@pytest.mark.parametrize("name", DESCENTS)
def test_many_weights_that_let_no_feature_in(name):
    model = WeightedLasso(weights=np.full(15, 1e3))
    search = GradientSearch(model, cv=3, optimizer=name, init="estimator", bounds=(1e-3, 1e4)).fit(S.X, S.y)
    assert "moved to weaker penalties" in search.status_
    assert search.best_criterion_ < 0.5 * search.trace_.values[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_a_criterion_that_is_flat(name, model):
    """Validation rows at the mean of the training rows: whatever the coefficients, the prediction is the mean."""
    flat = HeldOut(np.tile(S.X.mean(axis=0), (8, 1)), S.y[:8])
    search = GradientSearch(model, criterion=flat, optimizer=name, random_state=0, max_evals=11).fit(S.X, S.y)
    np.testing.assert_allclose(search.trace_.values, search.trace_.values[0], rtol=1e-9)
    assert search.status_


class Probing:
    """Looks where hyperparameters overflow before it looks elsewhere."""

    def __init__(self, *probes):
        self.probes = probes

    def minimize(self, objective, region, *, tol):
        self.points = [objective(np.full(region.lower.size, x), 1e-6) for x in self.probes]
        return "visited"


@pytest.mark.filterwarnings("error")
def test_a_probe_without_a_value_is_recorded_and_ignored(model):
    probing = Probing(800.0, np.nan, -1.0, 1e5, -1.5)
    search = GradientSearch(model, cv=3, optimizer=probing).fit(S.X, S.y)
    finite = np.isfinite(search.trace_.values)
    np.testing.assert_array_equal(finite, [False, False, True, False, True])
    assert np.all(search.trace_.values[~finite] == np.inf)
    assert np.isnan(search.trace_.gradients[~finite]).all()
    assert search.best_criterion_ == search.trace_.values[finite].min()
    alone = GradientSearch(model, cv=3, optimizer=Probing(-1.0, -1.5)).fit(S.X, S.y)
    np.testing.assert_array_equal(search.trace_.values[finite], alone.trace_.values)


def test_a_criterion_without_any_value(model):
    search = GradientSearch(model, cv=3, optimizer=Probing(np.nan, 800.0))
    with pytest.raises(ValueError, match="not finite at any of the 2 points visited: rescale X and y, or pass bounds"):
        search.fit(S.X, S.y)
    assert not [name for name in vars(search) if name.endswith("_")]


def test_infinite_values_in_callbacks_and_progress(capsys):
    seen = []
    search = GradientSearch(Lasso(), cv=3, optimizer=Probing(800.0, -1.0), verbose=1, callback=seen.append)
    search.fit(S.X, S.y)
    assert seen[0].value == np.inf
    assert seen[0].hyperparams == {"alpha": np.inf}
    assert len(capsys.readouterr().err.splitlines()) == 2


# --- plain hyperparameters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["auto", "scalar", "lbfgs", "grid", "adam"])
def test_alpha_becomes_zero_where_no_penalty_is_best(name):
    """With validation targets beyond what any penalty leaves it rises from zero on, by more than rounding."""
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(2, 200, 4))
    y, y_val = X @ [1.0, 2.0, 3.0, -1.0], X_val @ [1.2, 2.4, 3.6, -1.2]
    for estimator in (Lasso(), Ridge()):
        criterion = HeldOut(X_val, y_val)
        search = GradientSearch(estimator, optimizer=name, parametrization="plain", criterion=criterion).fit(X, y)
        assert search.best_params_["alpha"] == 0.0
        assert search.bounds_["alpha"][0] == 0.0
        np.testing.assert_allclose(search.coef_, [1.0, 2.0, 3.0, -1.0])


@pytest.mark.parametrize("name", ["auto", "line_search", "hoag"])
def test_weights_become_zero(name):
    """Validation targets beyond what any penalty leaves: features that matter should not be shrunk at all."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(80, 8)), np.r_[5.0, -5.0, 5.0, np.zeros(5)]
    y = X @ w + rng.normal(size=80)
    search = GradientSearch(
        WeightedLasso(),
        optimizer=name,
        parametrization="plain",
        criterion=HeldOut(S.X_val[:, :8], S.X_val[:, :8] @ w * 1.2),
    ).fit(X, y)
    weights = search.best_params_["weights"]
    np.testing.assert_array_equal(weights[:3], 0.0)
    assert np.any(weights[3:] > 0.0)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_ratio_reaches_its_ends(end):
    rng = np.random.default_rng(1)
    if end == 1.0:
        X, w = rng.normal(size=(80, 30)), np.r_[30.0, -30.0, np.zeros(28)]
    else:
        X, w = rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 30)), rng.uniform(0.5, 1.5, size=30)
    y = X @ w + 2.0 * rng.normal(size=len(X))
    search = GradientSearch(ElasticNet(0.1), hyperparams="l1_ratio", parametrization="plain", cv=KFold(5)).fit(X, y)
    assert search.best_params_["l1_ratio"] == pytest.approx(end, abs=1e-4)
    assert end in search.trace_.hyperparams
    assert search.bounds_["l1_ratio"] == (0.0, 1.0)


@pytest.mark.parametrize("name", ["auto", "lbfgs", "grid", "line_search"])
def test_bounds_and_starts_may_be_zero(name):
    search = GradientSearch(Lasso(), cv=3, optimizer=name, parametrization="plain", bounds=(0.0, 0.5), init=0.0)
    search.fit(S.X, S.y)
    assert search.bounds_["alpha"] == (0.0, 0.5)
    assert search.trace_.hyperparams[0, 0] == 0.0
    assert np.all((search.trace_.hyperparams >= 0.0) & (search.trace_.hyperparams <= 0.5))
    free = GradientSearch(Lasso(), cv=3, bounds=(1e-3, 0.5)).fit(S.X, S.y)
    assert search.best_criterion_ <= free.best_criterion_ * (1.0 + 5e-3)


def test_gradients_in_the_trace_are_those_of_the_hyperparameters():
    """Whatever the search goes by: a log and a plain search agree at the same place."""
    probes = GradientSearch(Lasso(), cv=3, optimizer=Probing(np.log(0.3))).fit(S.X, S.y)
    plain = GradientSearch(Lasso(), cv=3, optimizer=Probing(0.3), parametrization="plain").fit(S.X, S.y)
    np.testing.assert_allclose(plain.trace_.hyperparams, probes.trace_.hyperparams, rtol=1e-14)
    np.testing.assert_allclose(plain.trace_.gradients, probes.trace_.gradients, rtol=1e-9)


# --- sentences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"optimizer": "gridd"}, "unknown optimizer 'gridd': did you mean 'grid'?"),
        ({"max_seconds": 0}, r"max_seconds=0 is out of range: it must be in \(0, inf\)"),
        ({"max_seconds": "1"}, "max_seconds='1' is not a number"),
        ({"parametrization": "plane"}, "unknown parametrization 'plane': did you mean 'plain'?"),
        (
            {"bounds": (0.0, 1.0)},
            r"\(0, 1\); they must be positive and finite \(zero has no .* parametrization='plain'",
        ),
        ({"bounds": (-1.0, 1.0), "parametrization": "plain"}, "they must be positive and finite$"),
        ({"init": 0.0}, "init must be positive: hyperparameters are searched by their logarithms, unless"),
        ({"optimizer": "random", "random_state": "a"}, "cannot be used to seed"),
    ],
)
def test_settings_that_make_no_sense(params, sentence):
    search = GradientSearch(Lasso(), cv=3, **params)
    with pytest.raises(ValueError, match=sentence):
        search.fit(S.X, S.y)
    assert not [name for name in vars(search) if name.endswith("_")]


def test_a_grid_over_many_weights_is_refused():
    s = sample(40, 30)
    with pytest.raises(ValueError, match=r"a grid over 30 hyperparameters takes at least 2\^30 points"):
        GradientSearch(WeightedLasso(), cv=3, optimizer="grid").fit(s.X, s.y)


def test_every_search_is_quiet(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in (*DESCENTS, "grid", "random", Bayesian("tpe", n_points=15, random_state=0)):
            GradientSearch(Lasso(), cv=3, optimizer=name).fit(S.X, S.y)
    assert capfd.readouterr() == ("", "")

"""Counts, positive numbers, outliers: solver and hypergradient against plain NumPy, estimators where it is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.metrics import d2_tweedie_score, mean_gamma_deviance, mean_poisson_deviance, r2_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lambdahat import (
    ElasticNet,
    GammaLasso,
    GradientSearch,
    HeldOut,
    HuberLasso,
    Lasso,
    PoissonLasso,
    SparseGLM,
    WeightedLasso,
    alpha_max,
    hypergradient,
    path,
)
from lambdahat.datafits import Huber, Logistic, Poisson
from lambdahat.hypergradient import implicit
from lambdahat.problem import Model
from lambdahat.solvers import polish, solve
from reference import LOSSES, Smooth
from zoo import CRITERIA, DATAFITS, PENALTIES, STORAGES, TARGETS, Sample, sample

TOL = 1e-11
SHAPES = {"tall": (60, 9), "wide": (40, 60), "one column": (20, 1)}
NAMES = ("poisson", "gamma", "huber")
MODELS = {
    "poisson": PoissonLasso(0.05, tol=1e-12),
    "gamma": GammaLasso(0.05, tol=1e-12),
    "huber": HuberLasso(0.05, delta=0.8, tol=1e-12),
}


def targets(name, *args, **kwargs):
    """A sample of the zoo with targets that a loss is for."""
    s, target = sample(*args, **kwargs), TARGETS[name]
    return Sample(s.X, target(s.y), s.weight, s.X_val, target(s.y_val))


def penalty_on(p, penalty, share=0.5):
    made = PENALTIES[penalty](p)
    return made.with_hyperparams(share * made.hyperparams)


def problem_of(s, name, penalty, storage="C", *, fit_intercept=True, standardize=False):
    model = Model(lambda p, _: penalty_on(p, penalty), fit_intercept, standardize, DATAFITS[name])
    data = s.data(storage)
    problem = model.problems(data.storage, data.y, [data.sample_weight])[0]
    settings = {"fit_intercept": fit_intercept, "standardize": standardize, "loss": name}
    return problem, Smooth.create(s.X, s.y, s.weight, penalty_on(s.X.shape[1], penalty), **settings)


@pytest.mark.parametrize(("fit_intercept", "standardize"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("storage", ["C", "F float32", "csc", "csr"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", NAMES)
def test_optimal(name, penalty, shape, storage, fit_intercept, standardize):
    s = targets(name, *SHAPES[shape])
    problem, reference = problem_of(s, name, penalty, storage, fit_intercept=fit_intercept, standardize=standardize)
    solution = solve(problem, tol=TOL)
    assert solution.converged
    assert reference.violation(solution.w, solution.intercept) <= np.sqrt(TOL) * max(1.0, problem.null_value)
    best = reference.objective(*reference.polished(solution.w, solution.intercept))
    assert reference.objective(solution.w, solution.intercept) <= best + (TOL + 1e-14) * problem.null_value


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("name", NAMES)
def test_the_gap_is_a_bound(name, penalty, storage, tol):
    problem, reference = problem_of(targets(name, 50, 80), name, penalty, storage)
    loose, tight = solve(problem, tol=tol), solve(problem, tol=1e-10)
    excess = reference.objective(loose.w, loose.intercept) - reference.objective(tight.w, tight.intercept)
    assert loose.converged
    assert excess <= loose.gap * problem.null_value + 1e-13


@pytest.mark.parametrize("penalty", ["l1", "elastic net", "ridge"])
@pytest.mark.parametrize("name", NAMES)
def test_a_generic_minimiser_finds_nothing_better(name, penalty):
    """An independent one, on the split ``w = u − v`` with bounds."""
    s = targets(name)
    problem, reference = problem_of(s, name, penalty)
    solution = solve(problem, tol=TOL)
    p, rng = s.X.shape[1], np.random.default_rng(0)

    def split(x):
        w, l1, l2 = x[:p] - x[p : 2 * p], reference.penalty.l1, reference.penalty.l2
        loss = reference.s @ reference.loss.value(s.y, s.X @ w + x[-1])
        return loss + l1 @ (x[:p] + x[p : 2 * p]) + 0.5 * l2 @ w**2

    bounds = [(0.0, None)] * (2 * p) + [(None, None)]
    start = np.append(0.1 * rng.random(2 * p), 0.1)
    found = minimize(split, start, bounds=bounds, options={"maxfun": 10**6, "maxiter": 10**4, "ftol": 1e-14})
    reached = reference.objective(solution.w, solution.intercept)
    assert reached <= found.fun + 1e-12
    assert reached == pytest.approx(found.fun, rel=1e-5)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("name", NAMES)
def test_a_warm_start_at_the_solution_stays_there(name, storage):
    problem, _ = problem_of(targets(name), name, "l1 factors", storage)
    cold = solve(problem, tol=TOL)
    warm = solve(problem, tol=1e-6, start=cold)
    assert warm.n_iter == 0
    np.testing.assert_allclose(warm.w, cold.w, atol=1e-10)
    assert warm.intercept == pytest.approx(cold.intercept, abs=1e-10)


@pytest.mark.parametrize("offset", [-1e3, -30.0, 50.0, 600.0])
@pytest.mark.parametrize("name", NAMES)
def test_a_start_far_away_is_no_trap(name, offset):
    problem, _ = problem_of(targets(name), name, "l1")
    cold = solve(problem, tol=TOL)
    found = solve(problem, tol=TOL, start=replace(cold, w=-3.0 * cold.w, intercept=offset, gradient=None))
    assert found.converged
    np.testing.assert_allclose(found.w, cold.w, atol=1e-4)


HARD = {
    "large counts": ("poisson", lambda z, rng: rng.poisson(np.exp(4.0 * z + 5.0))),
    "nearly all zero": ("poisson", lambda z, rng: rng.poisson(np.exp(3.0 * z - 4.0))),
    "one enormous count": ("poisson", lambda z, rng: np.where(np.arange(z.size) == 7, 1e9, 0.0)),
    "seventy orders of magnitude": ("gamma", lambda z, rng: np.exp(25.0 * z) * rng.gamma(2.0, size=z.size)),
    "next to nothing": ("gamma", lambda z, rng: rng.gamma(0.1, size=z.size) + 1e-70),
    "all beyond delta": ("huber", lambda z, rng: 50.0 * np.sign(z) + rng.normal(size=z.size)),
    "far from zero": ("huber", lambda z, rng: 1e6 + z + rng.standard_t(2, size=z.size)),
    "enormous outliers": ("huber", lambda z, rng: z + 1e8 * (rng.random(z.size) < 0.1)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("divisor", [3.0, 30.0])
@pytest.mark.parametrize("case", HARD)
def test_hard_data(case, divisor, fit_intercept, storage):
    """Where second-order models of the loss are far off, and exponentials overflow on the way."""
    name, make = HARD[case]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30))
    y = np.asarray(make(X[:, :5] @ [1.0, -1.0, 0.5, 0.5, 0.2] / 1.6, rng), dtype=float)
    X = STORAGES[storage](X)
    loss, settings = DATAFITS[name], {"fit_intercept": fit_intercept, "tol": 1e-6}
    largest = alpha_max(X, y, loss=loss, fit_intercept=fit_intercept)
    model = SparseGLM(loss, alpha=largest / divisor, **settings).fit(X, y)
    assert model.status_.startswith("converged")
    assert model.coef_.any()
    assert np.all(np.isfinite(model.predict(X)))


# --- the hypergradient -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(("fit_intercept", "standardize"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("penalty", ["l1", "l1 factors positive", "weighted l1", "elastic net", "tied elastic net"])
@pytest.mark.parametrize("name", NAMES)
def test_hypergradient_against_differences(name, penalty, fit_intercept, standardize, criterion):
    """Of each fold, on its smooth piece."""
    s, step = targets(name, 40), 1e-3
    options = {"fit_intercept": fit_intercept, "standardize": standardize}
    model = Model(lambda p, _: penalty_on(p, penalty), datafit=DATAFITS[name], **options)
    for fold in CRITERIA[criterion](s).folds(model, s.data("csc")):
        problem = fold.problem
        theta = problem.penalty.hyperparams
        solution = polish(problem, solve(problem, tol=TOL), TOL)[0]
        value, gradient = implicit(problem, solution, fold.validation.error, tol=1e-16)[:2]
        same = fold.validation.design.storage is problem.design.storage
        X, y = (s.X, s.y) if same else (s.X_val, s.y_val)

        def exact(theta, problem=problem, solution=solution, X=X, y=y, fold=fold):
            there = penalty_on(s.X.shape[1], penalty).with_hyperparams(theta)
            reference = Smooth.create(s.X, s.y, problem.design.weights, there, loss=name, **options)
            w, b = reference.polished(solution.w, solution.intercept)
            return DATAFITS[name].metric_factor * fold.validation.design.weights @ LOSSES[name].value(y, X @ w + b)

        assert value == pytest.approx(exact(theta), rel=1e-7)
        expected = []
        for e in np.eye(theta.size):
            wide, narrow = (
                (exact(theta * np.exp(h * e)) - exact(theta * np.exp(-h * e))) / (2.0 * h) for h in (step, step / 2)
            )
            expected.append((4.0 * narrow - wide) / 3.0)
        expected = np.array(expected)
        np.testing.assert_allclose(theta * gradient, expected, atol=1e-6 * max(np.abs(expected).max(), 1e-4))


# --- estimators ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def model(name):
    return clone(MODELS[name])


def test_weights_are_repetitions(name, model):
    s = targets(name)
    times = np.random.default_rng(0).integers(0, 4, size=len(s.y))
    weighted = clone(model).fit(s.X, s.y, sample_weight=times)
    repeated = clone(model).fit(np.repeat(s.X, times, axis=0), np.repeat(s.y, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)
    assert weighted.score(s.X, s.y, times) == pytest.approx(
        repeated.score(np.repeat(s.X, times, axis=0), np.repeat(s.y, times))
    )


@pytest.mark.parametrize("storage", STORAGES)
def test_any_storage(name, model, storage):
    s = targets(name)
    dense = clone(model).fit(s.X, s.y)
    other = clone(model).fit(STORAGES[storage](s.X), s.y)
    np.testing.assert_allclose(other.coef_, dense.coef_, atol=1e-6)
    np.testing.assert_allclose(other.predict(STORAGES[storage](s.X)), dense.predict(s.X), atol=1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", ["l1", "l1 factors", "l1 positive"])
def test_alpha_max_is_exact(name, model, penalty, fit_intercept):
    s = targets(name, 80)
    factors = PENALTIES[penalty](12).l1_factors
    settings = {"fit_intercept": fit_intercept, "penalty_factors": factors, "positive": penalty == "l1 positive"}
    largest = alpha_max(s.X, s.y, loss=DATAFITS[name], sample_weight=s.weight, **settings)
    for scale, some in ((1.001, False), (0.98, True)):
        fitted = clone(model).set_params(alpha=largest * scale, **settings).fit(s.X, s.y, s.weight)
        assert fitted.coef_[factors > 0.0].any() == some


def test_alpha_max_by_name():
    s = targets("poisson")
    assert alpha_max(s.X, s.y, loss="poisson") == alpha_max(s.X, s.y, loss=Poisson())
    assert alpha_max(s.X, s.y, loss="huber") == alpha_max(s.X, s.y, loss=Huber())


@pytest.mark.parametrize(
    ("name", "metric", "of_scikit_learn"),
    [
        ("poisson", "mean Poisson deviance", mean_poisson_deviance),
        ("gamma", "mean Gamma deviance", mean_gamma_deviance),
    ],
)
def test_a_search_minimises_the_cross_validated_deviance(name, metric, of_scikit_learn):
    s, model = targets(name, 80), clone(MODELS[name])
    search = GradientSearch(model, cv=KFold(4)).fit(s.X, s.y)
    assert search.metric_ == metric

    def criterion(alpha):
        there = clone(model).set_params(alpha=alpha, tol=1e-8)
        folds = KFold(4).split(s.X)
        return np.mean([of_scikit_learn(s.y[b], there.fit(s.X[a], s.y[a]).predict(s.X[b])) for a, b in folds])

    assert search.best_criterion_ == pytest.approx(criterion(search.best_params_["alpha"]), rel=1e-4)
    assert search.best_criterion_ <= min(criterion(alpha) for alpha in np.geomspace(1e-3, 1.0, 25)) * (1.0 + 1e-4)
    held = GradientSearch(model, criterion=HeldOut(s.X_val, s.y_val)).fit(s.X, s.y)
    assert held.best_criterion_ == pytest.approx(of_scikit_learn(s.y_val, held.predict(s.X_val)), rel=1e-4)


def test_a_search_by_the_huber_loss(model):
    s = targets("huber", 80)
    search = GradientSearch(HuberLasso(delta=0.8), criterion=HeldOut(s.X_val, s.y_val)).fit(s.X, s.y)
    assert search.metric_ == "Huber loss"
    expected = LOSSES["huber"].value(s.y_val, search.predict(s.X_val)).mean()
    assert search.best_criterion_ == pytest.approx(expected, rel=1e-4)
    assert search.best_estimator_.delta == 0.8


def test_both_hyperparameters_are_tuned_when_asked(name, model):
    s = targets(name, 80)
    one = GradientSearch(model).fit(s.X, s.y)
    both = GradientSearch(model, hyperparams=["alpha", "l1_ratio"]).fit(s.X, s.y)
    assert set(one.best_params_) == {"alpha"}
    assert set(both.best_params_) == {"alpha", "l1_ratio"}
    assert both.best_criterion_ <= one.best_criterion_ * (1.0 + 1e-4)


def test_a_pipeline(name, model):
    s = targets(name, 60)
    pipeline = make_pipeline(StandardScaler(), model.set_params(tol=1e-8))
    search = GradientSearch(pipeline, cv=KFold(3)).fit(pd.DataFrame(s.X).add_prefix("f"), s.y)
    best = clone(pipeline).set_params(**search.best_params_)
    assert np.isfinite(cross_val_score(best, s.X, s.y, cv=3)).all()
    assert search.score(pd.DataFrame(s.X).add_prefix("f"), s.y) > 0.3


def test_the_function_has_six_digits_by_default(name, model):
    s = targets(name, 80)

    def at(t, **options):
        there = clone(model).set_params(alpha=model.alpha * np.exp(t))
        return hypergradient(there, s.X, s.y, cv=3, sample_weight=s.weight, **options)

    expected = (at(1e-4, tol=1e-12).value - at(-1e-4, tol=1e-12).value) / 2e-4
    assert at(0.0).log_gradient[0] == pytest.approx(expected, rel=1e-5)


def test_path(name, model):
    s = targets(name, 60)
    result = path(model, s.X, s.y, n_alphas=10, eps=1e-2, X_val=s.X_val, y_val=s.y_val)
    assert result.support_sizes[0] == 0
    assert np.all(result.gaps <= 1e-10)
    fitted = clone(model).set_params(alpha=result.alphas[6]).fit(s.X, s.y)
    np.testing.assert_allclose(result.coefs[:, 6], fitted.coef_, atol=1e-4)
    z = s.X_val @ fitted.coef_ + fitted.intercept_
    expected = DATAFITS[name].metric_factor * LOSSES[name].value(s.y_val, z).mean()
    assert result.scores[6] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "power"), [("poisson", 1), ("gamma", 2)])
def test_the_score_is_the_deviance_explained(name, power, weighted):
    s = targets(name, 60)
    weight = s.weight if weighted else None
    model = clone(MODELS[name]).fit(s.X, s.y, weight)
    expected = d2_tweedie_score(s.y_val, model.predict(s.X_val), power=power, sample_weight=weight)
    assert model.score(s.X_val, s.y_val, weight) == pytest.approx(expected)
    assert model.score(s.X_val[:1], s.y_val[:1]) == 0.0


def test_the_score_of_a_robust_fit_is_r2():
    s = targets("huber", 60)
    model = clone(MODELS["huber"]).fit(s.X, s.y)
    assert model.score(s.X_val, s.y_val) == pytest.approx(r2_score(s.y_val, model.predict(s.X_val)))


def test_outliers_are_survived():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10))
    y = 2.0 * X[:, 0] + 0.1 * rng.normal(size=200)
    y[:10] += 100.0
    robust, plain = HuberLasso(0.01, delta=0.2).fit(X, y), Lasso(0.01).fit(X, y)
    assert abs(robust.coef_[0] - 2.0) < 0.05
    assert np.abs(robust.coef_[1:]).max() < 0.05 < np.abs(plain.coef_[1:]).max()
    assert abs(robust.intercept_) < 0.1


def test_with_a_large_delta_it_is_the_lasso():
    s = targets("huber")
    robust, plain = HuberLasso(0.1, delta=1e3, tol=1e-12).fit(s.X, s.y), Lasso(0.1, tol=1e-12).fit(s.X, s.y)
    np.testing.assert_allclose(robust.coef_, plain.coef_, atol=1e-6)
    assert robust.intercept_ == pytest.approx(plain.intercept_, abs=1e-6)


def test_without_features_the_mean_is_predicted():
    s = targets("poisson")
    for model in (PoissonLasso(100.0), GammaLasso(100.0)):
        fitted = model.fit(s.X, s.y + 1.0)
        assert not fitted.coef_.any()
        assert "all coefficients are zero: penalise at least" in fitted.status_
        np.testing.assert_allclose(fitted.predict(s.X), (s.y + 1.0).mean(), rtol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [3.0, 0.1, 12345.678])
def test_a_constant_target_is_fitted_by_the_intercept(model, value):
    X = np.random.default_rng(0).normal(size=(30, 4))
    fitted = model.fit(X, np.full(30, value))
    assert not fitted.coef_.any()
    assert "y is constant" in fitted.status_
    np.testing.assert_allclose(fitted.predict(X), value, rtol=1e-12)
    assert fitted.score(X, np.full(30, value)) == 1.0
    with pytest.raises(ValueError, match=r"y is constant in the 20 training rows of fold 0"):
        GradientSearch(model, cv=3).fit(X, np.full(30, value))


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_unpenalised_columns_may_be_constant_zero_or_repeated(name, storage, fit_intercept, positive):
    s = targets(name, 200, 10)
    X = s.X.copy()
    X[:, 3], X[:, 4], X[:, 5] = 0.1, 0.0, X[:, 6]
    factors = np.ones(10)
    factors[[3, 4, 5, 6, 7]] = 0.0
    settings = {"penalty_factors": factors, "fit_intercept": fit_intercept, "positive": positive, "tol": 1e-9}
    model = clone(MODELS[name]).set_params(**settings).fit(STORAGES[storage](X), s.y)
    assert model.status_.startswith("converged")
    penalty = model._make_penalty(10, 200.0)
    reference = Smooth.create(X, s.y, np.ones(200), penalty, fit_intercept=fit_intercept, loss=name)
    assert reference.violation(model.coef_, model.intercept_) <= 1e-4


def test_sparse_data_are_not_centred_in_memory(name, model):
    s = targets(name, 60, 10, density=0.3, shift=3.0)
    dense, sparse = clone(model).fit(s.X, s.y), clone(model).fit(scipy.sparse.csc_array(s.X), s.y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, atol=1e-6)


# --- the generic model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generic", "known"),
    [
        (SparseGLM("poisson", alpha=0.05), PoissonLasso(0.05)),
        (SparseGLM("gamma", "elastic_net", alpha=0.05, l1_ratio=0.3), GammaLasso(0.05, l1_ratio=0.3)),
        (SparseGLM(Huber(0.3), alpha=0.05), HuberLasso(0.05, delta=0.3)),
        (SparseGLM("quadratic", alpha=0.05), Lasso(0.05)),
        (SparseGLM("quadratic", "elastic_net", alpha=0.05), ElasticNet(0.05)),
        (SparseGLM("quadratic", "weighted_l1", alpha=0.1, weights=[2.0] * 12), WeightedLasso(weights=[0.2] * 12)),
    ],
)  # fmt: skip
def test_the_generic_model_is_each_of_the_others(generic, known):
    s = targets("poisson")
    y = s.y + 1.0
    for model in (generic, known):
        model.set_params(standardize=True, tol=1e-10).fit(s.X, y, s.weight)
    np.testing.assert_allclose(generic.coef_, known.coef_, rtol=1e-10, atol=1e-14)
    assert generic.score(s.X, y) == pytest.approx(known.score(s.X, y))
    if generic.penalty == "l1":
        found, expected = (GradientSearch(clone(model), cv=3).fit(s.X, y) for model in (generic, known))
        assert found.best_params_ == pytest.approx(expected.best_params_)


def test_one_weight_a_feature_for_counts():
    s = targets("poisson", 60)
    model = SparseGLM("poisson", "weighted_l1", alpha=1.0, weights=np.full(12, 0.05))
    search = GradientSearch(model, criterion=HeldOut(s.X_val, s.y_val), max_evals=60).fit(s.X, s.y)
    one = GradientSearch(PoissonLasso(), criterion=HeldOut(s.X_val, s.y_val)).fit(s.X, s.y)
    assert search.best_params_["weights"].shape == (12,)
    assert search.best_criterion_ < one.best_criterion_


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"datafit": "poison"}, "unknown datafit 'poison': did you mean 'poisson'"),
        ({"datafit": Poisson}, "is no loss of a number: pass one of 'quadratic', 'poisson', 'gamma', 'huber'"),
        ({"datafit": "logistic"}, "use SparseLogisticRegression for labels"),
        ({"datafit": Logistic()}, "use SparseLogisticRegression for labels"),
        ({"penalty": "l2"}, "unknown penalty 'l2'"),
        ({"penalty": "elastic_net", "l1_ratio": 2.0}, "l1_ratio=2.0 is out of range"),
    ],
)
def test_what_the_generic_model_refuses(settings, sentence):
    s = targets("poisson")
    with pytest.raises(ValueError, match=sentence):
        SparseGLM(**settings).fit(s.X, s.y)


# --- data that cannot be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "y", "sentence"),
    [
        (PoissonLasso(), np.where(np.arange(30) % 10 == 4, -1.0, 2.0), r"negative in 3 rows \(first in row 4\)"),
        (PoissonLasso(), np.where(np.arange(30) == 4, np.nan, 1.0), r"y contains NaN \(first in row 4\)"),
        (PoissonLasso(), np.where(np.arange(30) == 4, np.inf, 1.0), r"y contains infinity \(first in row 4\)"),
        (PoissonLasso(), np.zeros(30), r"y is (zero|constant) in .*: (the intercept would be minus infinity|nothing)"),
        (GammaLasso(), np.arange(30.0), r"y is zero or negative in 1 rows \(first in row 0\): the Gamma loss"),
        (GammaLasso(), -np.ones(30), r"y is zero or negative in 30 rows"),
        (HuberLasso(delta=0.0), np.arange(30.0), r"delta=0.0 is out of range: it must be in \(0, inf\)"),
        (HuberLasso(delta=-1.0), np.arange(30.0), "delta=-1.0 is out of range"),
        (HuberLasso(delta="1"), np.arange(30.0), "delta='1' is not a number"),
        (HuberLasso(alpha=-1.0), np.arange(30.0), "alpha=-1.0 is out of range"),
        (PoissonLasso(l1_ratio=1.5), np.arange(30.0), "l1_ratio=1.5 is out of range"),
    ],
)  # fmt: skip
def test_bad_input(estimator, y, sentence):
    X = np.random.default_rng(0).normal(size=(30, 4))
    for one in (estimator, GradientSearch(estimator, cv=3)):
        with pytest.raises(ValueError, match=sentence):
            one.fit(X, y)


@pytest.mark.parametrize(("name", "wrong"), [("poisson", -1.0), ("gamma", 0.0)])
def test_bad_targets_in_the_validation_set_and_the_score(name, wrong):
    s, model = targets(name), clone(MODELS[name])
    y_val = np.where(np.arange(len(s.y_val)) == 5, wrong, s.y_val)
    with pytest.raises(ValueError, match=r"y_val is .*negative in 1 rows \(first in row 5\)"):
        GradientSearch(model, criterion=HeldOut(s.X_val, y_val)).fit(s.X, s.y)
    with pytest.raises(ValueError, match=r"y is .*negative in 1 rows \(first in row 5\)"):
        model.fit(s.X, s.y).score(s.X_val, y_val)


def test_no_counts_where_the_weight_is():
    s = targets("poisson")
    with pytest.raises(ValueError, match=r"y is zero in every row of positive weight: .* pass rows with counts above"):
        PoissonLasso().fit(s.X, s.y, sample_weight=np.where(s.y == 0.0, 1.0, 0.0))
    y = np.where(np.arange(len(s.y)) < 20, 0.0, s.y)
    with pytest.raises(ValueError, match="y is constant in the 20 training rows of fold 1"):
        GradientSearch(PoissonLasso(), cv=KFold(2)).fit(s.X, y)


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_iterations_of_unbounded_losses_are_refused(method):
    s = targets("poisson")
    with pytest.raises(ValueError, match="the second derivative of the Poisson loss has no bound"):
        hypergradient(PoissonLasso(0.1), s.X, s.y, method=method)
    assert hypergradient(HuberLasso(0.1), s.X, s.y, method=method).converged


# --- any loss with any penalty ---------------------------------------------------------------------------------------

OF_NUMBERS = ("quadratic", "huber", "poisson", "gamma")


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", ["group", "sparse_group", "ridge"])
@pytest.mark.parametrize("loss", OF_NUMBERS)
def test_the_gradient_of_every_pair(loss, penalty, storage):
    s = sample(80, 12, noise=2.0)
    X, y = STORAGES[storage](s.X), TARGETS[loss](s.y)

    def at(t):
        model = SparseGLM(loss, penalty, alpha=0.05 * np.exp(t), groups=[[0, 5], [1, 2, 3], [4], range(6, 12)], tau=0.5)
        return hypergradient(model, X, y, hyperparams="alpha", cv=3, sample_weight=s.weight, tol=1e-13)

    expected = (at(1e-4).value - at(-1e-4).value) / 2e-4
    found = at(0.0)
    assert found.converged
    assert found.log_gradient[0] == pytest.approx(expected, rel=1e-5, abs=1e-9 * found.value)


@pytest.mark.parametrize("loss", OF_NUMBERS)
def test_groups_of_one_are_the_lasso(loss):
    s = sample(80, 12, noise=2.0)
    y = TARGETS[loss](s.y)
    groups, lasso = (
        SparseGLM(loss, penalty, alpha=0.1, tol=1e-13).fit(s.X, y, s.weight) for penalty in ("group", "l1")
    )
    np.testing.assert_allclose(groups.coef_, lasso.coef_, atol=1e-6)
    sparse = SparseGLM(loss, "sparse_group", alpha=0.1, groups=3, tau=0.0, tol=1e-13).fit(s.X, y, s.weight)
    plain = SparseGLM(loss, "group", alpha=0.1, groups=3, tol=1e-13).fit(s.X, y, s.weight)
    np.testing.assert_allclose(sparse.coef_, plain.coef_, atol=1e-6)


def test_penalties_of_groups_say_what_they_do_not_take():
    s = sample(40, 6)
    for options in ({"positive": True}, {"penalty_factors": np.ones(6)}):
        with pytest.raises(ValueError, match="takes no penalty_factors and no positive=True"):
            SparseGLM("huber", "group", **options).fit(s.X, s.y)
    with pytest.raises(ValueError, match="hyperparameter"):
        GradientSearch(SparseGLM("huber", "ridge"), hyperparams="l1_ratio", cv=3).fit(s.X, s.y)

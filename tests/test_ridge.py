"""Ridge with a factor for each feature or group, and its drop-in class."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.linear_model import RidgeCV as ScikitRidgeCV
from sklearn.model_selection import KFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import GradientSearch, HeldOut, Ridge, RidgeCV, hypergradient
from zoo import STORAGES, sample

GROUPS = [[0, 3, 5], [1], [2, 4, 6, 7, 8, 9, 10, 11]]
FACTORS = np.array([0.3, 20.0, 4.0])


@parametrize_with_checks([Ridge(groups=2), RidgeCV(), RidgeCV(groups=1)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def expanded(factors, p=12):
    each = np.empty(p)
    for group, factor in zip(GROUPS, factors, strict=True):
        each[group] = factor
    return each


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("shape", "fit_intercept"), [((60, 12), True), ((60, 12), False), ((9, 12), True)])
def test_factors_are_scales_of_columns(shape, fit_intercept, storage):
    s = sample(*shape)
    model = Ridge(1.3, groups=GROUPS, penalty_factors=FACTORS, fit_intercept=fit_intercept, tol=1e-14)
    model.fit(STORAGES[storage](s.X), s.y, s.weight)
    each = expanded(FACTORS)
    theirs = ScikitRidge(1.3, fit_intercept=fit_intercept).fit(s.X / np.sqrt(each), s.y, s.weight)
    np.testing.assert_allclose(model.coef_, theirs.coef_ / np.sqrt(each), atol=1e-7)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, atol=1e-6)
    same = Ridge(1.3, penalty_factors=each, fit_intercept=fit_intercept, tol=1e-14).fit(s.X, s.y, s.weight)
    np.testing.assert_allclose(model.coef_, same.coef_, atol=1e-7)


@pytest.mark.parametrize("shape", [(5_000, 20), (30, 4_000)])
@pytest.mark.parametrize("storage", ["C", "csc"])
def test_tall_and_wide(shape, storage):
    s = sample(*shape, density=0.1)
    ours = Ridge(5.0, tol=1e-13).fit(STORAGES[storage](s.X), s.y)
    theirs = ScikitRidge(5.0, solver="svd").fit(s.X, s.y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6 * np.abs(theirs.coef_).max())


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("groups", [None, GROUPS, 5])
@pytest.mark.parametrize("standardize", [False, True])
def test_hypergradient_of_the_factors(standardize, groups, storage):
    s = sample(60, 12, noise=3.0)
    n_groups = 12 if groups is None else 3
    factors = np.geomspace(0.5, 30.0, n_groups)
    X = STORAGES[storage](s.X)

    def at(t):
        model = Ridge(2.0, groups=groups, penalty_factors=factors * np.exp(t), standardize=standardize)
        return hypergradient(model, X, s.y, hyperparams="penalty_factors", cv=3, sample_weight=s.weight, tol=1e-13)

    found = at(np.zeros(n_groups))
    np.testing.assert_array_equal(found.hyperparams["penalty_factors"], factors)
    for k, e in enumerate(np.eye(n_groups)):
        expected = (at(1e-4 * e).value - at(-1e-4 * e).value) / 2e-4
        assert found.log_gradient[k] == pytest.approx(expected, rel=1e-6, abs=1e-8 * found.value)


def test_one_strength_a_feature_finds_the_relevant_ones():
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(2, 150, 30))
    w = np.where(np.arange(30) < 5, 2.0, 0.0)
    y, y_val = X @ w + rng.normal(size=150), X_val @ w + rng.normal(size=150)
    held_out = HeldOut(X_val, y_val)
    one = GradientSearch(Ridge(), criterion=held_out).fit(X, y)
    each = GradientSearch(Ridge(), criterion=held_out, hyperparams="penalty_factors", max_evals=200).fit(X, y)
    factors = each.best_params_["penalty_factors"]
    assert each.best_criterion_ < 0.95 * one.best_criterion_
    assert factors[:5].max() < np.median(factors[5:])
    assert np.linalg.norm(each.coef_ - w) < np.linalg.norm(one.coef_ - w)


def test_the_drop_in_class_agrees_with_scikit_learn():
    s = sample(80, 12, noise=3.0)
    cv = KFold(5)
    ours = RidgeCV(cv=cv).fit(s.X, s.y)
    theirs = ScikitRidgeCV(alphas=np.geomspace(0.1, 1e3, 300), cv=cv, scoring="neg_mean_squared_error").fit(s.X, s.y)
    ours_error, theirs_error = (
        -cross_val_score(ScikitRidge(alpha), s.X, s.y, cv=cv, scoring="neg_mean_squared_error").mean()
        for alpha in (ours.alpha_, theirs.alpha_)
    )
    assert ours_error <= theirs_error * (1.0 + 1e-5)  # the tolerance of a search
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=0.05)
    np.testing.assert_allclose(ours.coef_, ScikitRidge(ours.alpha_).fit(s.X, s.y).coef_, rtol=1e-5)
    grouped = RidgeCV(groups=GROUPS, cv=cv).fit(s.X, s.y)
    assert grouped.alpha_.shape == (3,)
    assert grouped.search_.best_criterion_ < ours.search_.best_criterion_
    refitted = Ridge(groups=GROUPS, penalty_factors=grouped.alpha_).fit(s.X, s.y)
    np.testing.assert_allclose(grouped.coef_, refitted.coef_, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Ridge(penalty_factors=[1.0, 2.0]), r"penalty_factors has shape \(2,\) but X has 12 features"),
        (Ridge(groups=[[0, 1], [1, 2]]), "column 1 is in more than one place of groups"),
        (Ridge(groups=GROUPS, penalty_factors=np.ones(12)), r"penalty_factors has shape \(12,\) but X has 3 groups"),
        (Ridge(groups=GROUPS, penalty_factors=[1.0, -1.0, 1.0]), "penalty_factors"),
        (GradientSearch(Ridge(), hyperparams=["alpha", "penalty_factors"]), "tune one or the other"),
    ],
)
def test_bad_input_gets_a_sentence(model, message):
    s = sample(40, 12)
    with pytest.raises(ValueError, match=message):
        model.fit(s.X, s.y)


def test_excluded_groups_stay_out():
    s = sample(60, 12)
    model = Ridge(groups=GROUPS, penalty_factors=[1.0, np.inf, 1.0])
    assert model.fit(s.X, s.y).coef_[1] == 0.0
    search = GradientSearch(model, hyperparams=["penalty_factors"], cv=3).fit(s.X, s.y)
    assert search.coef_[1] == 0.0
    assert np.isinf(search.best_params_["penalty_factors"][1])

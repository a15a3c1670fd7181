"""Agreement with scikit-learn: same objectives, same parameters, same answers."""

import numpy as np
import pytest
import sklearn.linear_model as peer
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, cross_val_score

import lambdahat as ours
from zoo import STORAGES, sample

TIGHT = {"tol": 1e-14, "max_iter": 100_000}
PAIRS = {
    "lasso": (ours.Lasso(alpha=0.05, tol=1e-14), peer.Lasso(alpha=0.05, **TIGHT)),
    "lasso positive": (
        ours.Lasso(alpha=0.05, tol=1e-14, positive=True),
        peer.Lasso(alpha=0.05, positive=True, **TIGHT),
    ),
    "elastic net": (
        ours.ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-15),
        peer.ElasticNet(alpha=0.1, l1_ratio=0.3, **TIGHT),
    ),
    "elastic net positive": (
        ours.ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-15, positive=True),
        peer.ElasticNet(alpha=0.1, l1_ratio=0.3, positive=True, **TIGHT),
    ),
    "ridge": (ours.Ridge(alpha=2.0, tol=1e-15), peer.Ridge(alpha=2.0, tol=1e-14)),
    "ridge positive": (
        ours.Ridge(alpha=2.0, tol=1e-15, positive=True),
        peer.Ridge(alpha=2.0, tol=1e-14, positive=True),
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("storage", ["C", "F", "csc"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "through zero"])
@pytest.mark.parametrize("shape", [(60, 10), (40, 70)], ids=["tall", "wide"])
@pytest.mark.parametrize("pair", PAIRS)
def test_coefficients(pair, shape, fit_intercept, weighted, storage):
    s = sample(*shape)
    weight = s.weight if weighted else None
    mine, other = PAIRS[pair]
    mine.set_params(fit_intercept=fit_intercept).fit(STORAGES[storage](s.X), s.y, weight)
    other.set_params(fit_intercept=fit_intercept).fit(s.X, s.y, weight)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=1e-6)
    np.testing.assert_allclose(mine.intercept_, other.intercept_, atol=1e-6)
    np.testing.assert_allclose(mine.predict(s.X_val), other.predict(s.X_val), atol=1e-5)
    np.testing.assert_allclose(mine.score(s.X_val, s.y_val), other.score(s.X_val, s.y_val), atol=1e-6)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge", "LassoCV", "ElasticNetCV"])
def test_parameters_in_common_have_the_same_meaning_and_place(name):
    mine, other = getattr(ours, name)(), getattr(peer, name)()
    common = mine.get_params().keys() & other.get_params().keys()
    assert {"fit_intercept", "positive", "tol", "max_iter"} <= common
    for parameter in common - {"tol", "max_iter"}:
        assert mine.get_params()[parameter] == other.get_params()[parameter]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_max(fit_intercept):
    s = sample()
    alphas, *_ = peer.lasso_path(s.X - s.X.mean(axis=0) * fit_intercept, s.y - s.y.mean() * fit_intercept)
    assert ours.alpha_max(s.X, s.y, fit_intercept=fit_intercept) == pytest.approx(alphas[0], rel=1e-10)


def error(model, X, y, cv):
    return -cross_val_score(model, X, y, cv=cv, scoring="neg_mean_squared_error").mean()


DATA = {
    "diabetes": load_diabetes(return_X_y=True),
    "wide": (sample(50, 80, seed=3).X, sample(50, 80, seed=3).y),
    "noisy": (sample(60, 20, seed=4, noise=4.0).X, sample(60, 20, seed=4, noise=4.0).y),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("data", DATA)
def test_lasso_cv_is_no_worse_than_the_grid(data):
    X, y = DATA[data]
    cv = KFold(4, shuffle=True, random_state=0)
    mine = ours.LassoCV(cv=cv).fit(X, y)
    other = peer.LassoCV(cv=cv, max_iter=50_000, tol=1e-6).fit(X, y)
    reached = error(peer.Lasso(alpha=mine.alpha_, max_iter=50_000, tol=1e-8), X, y, cv)
    assert reached <= other.mse_path_.mean(axis=-1).min() * (1.0 + 2e-3)
    assert mine.search_.best_criterion_ == pytest.approx(reached, rel=1e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("data", DATA)
def test_elastic_net_cv_is_no_worse_than_the_grid(data):
    X, y = DATA[data]
    cv = KFold(4, shuffle=True, random_state=0)
    ratios = [0.2, 0.5, 0.9]
    mine = ours.ElasticNetCV(cv=cv, l1_ratio=ratios).fit(X, y)
    other = peer.ElasticNetCV(cv=cv, l1_ratio=ratios, max_iter=50_000, tol=1e-6).fit(X, y)
    assert mine.l1_ratio_ in ratios
    reached = error(peer.ElasticNet(mine.alpha_, l1_ratio=mine.l1_ratio_, max_iter=50_000, tol=1e-8), X, y, cv)
    assert reached <= other.mse_path_.mean(axis=-1).min() * (1.0 + 2e-3)


@pytest.mark.parametrize("data", DATA)
def test_ridge_search_is_no_worse_than_the_grid(data):
    X, y = DATA[data]
    cv = KFold(4, shuffle=True, random_state=0)
    mine = ours.GradientSearch(ours.Ridge(), cv=cv).fit(X, y)
    grid = min(error(peer.Ridge(alpha=alpha), X, y, cv) for alpha in np.geomspace(1e-4, 1e4, 50))
    assert error(peer.Ridge(alpha=mine.best_params_["alpha"]), X, y, cv) <= grid * (1.0 + 2e-3)

"""The estimators: scikit-learn's own checks, and the right answer where it is known."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import (
    ElasticNet,
    ElasticNetCV,
    GammaLasso,
    GradientSearch,
    HuberLasso,
    Lasso,
    LassoCV,
    PoissonLasso,
    Ridge,
    SparseGLM,
    WeightedLasso,
    alpha_max,
    path,
)
from zoo import STORAGES, factors, sample

MODELS = {
    "Lasso": Lasso(alpha=0.1, tol=1e-14),
    "ElasticNet": ElasticNet(alpha=0.1, tol=1e-14),
    "WeightedLasso": WeightedLasso(alpha=0.1, tol=1e-14),
    "Ridge": Ridge(alpha=1.0, tol=1e-14),
}


TIGHT = {"tol": 1e-13}  # weights are compared with repetitions to seven digits


@parametrize_with_checks(
    [
        Lasso(), ElasticNet(), WeightedLasso(), Ridge(), PoissonLasso(**TIGHT), GammaLasso(**TIGHT),
        HuberLasso(**TIGHT), SparseGLM(**TIGHT), SparseGLM("huber", "elastic_net", **TIGHT), LassoCV(), ElasticNetCV(),
        GradientSearch(Lasso()), GradientSearch(PoissonLasso()),
    ]
)  # fmt: skip
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(params=MODELS)
def model(request):
    return clone(MODELS[request.param])


# --- where the answer is known ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(60, 8), (500, 3), (9, 8)])
def test_without_penalty_it_is_least_squares(model, shape, fit_intercept, storage):
    s = sample(*shape)
    model.set_params(alpha=0.0, fit_intercept=fit_intercept, tol=1e-14).fit(STORAGES[storage](s.X), s.y)
    A = np.column_stack([s.X, np.ones(len(s.y))]) if fit_intercept else s.X
    expected = np.linalg.lstsq(A, s.y, rcond=None)[0]
    np.testing.assert_allclose(model.coef_, expected[: shape[1]], atol=1e-6)
    np.testing.assert_allclose(model.intercept_, expected[-1] if fit_intercept else 0.0, atol=1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_one_column(storage):
    s = sample(30, 1)
    x, y = s.X[:, 0] - s.X.mean(), s.y - s.y.mean()
    alpha = 0.3 * abs(x @ y) / 30
    found = Lasso(alpha, tol=1e-14).fit(STORAGES[storage](s.X), s.y)
    c = x @ y / 30
    np.testing.assert_allclose(found.coef_, [np.sign(c) * (abs(c) - alpha) / (x @ x / 30)], rtol=1e-10)


@pytest.mark.parametrize("storage", STORAGES)
def test_orthogonal_columns(storage):
    X = np.kron(np.eye(4), np.ones((3, 1)))
    y = np.repeat([5.0, -3.0, 0.2, 0.0], 3)
    found = Lasso(alpha=0.25, fit_intercept=False).fit(STORAGES[storage](X), y)
    np.testing.assert_allclose(found.coef_, [4.0, -2.0, 0.0, 0.0], rtol=1e-12)


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_zero_and_constant_columns_get_no_coefficient(model, storage):
    s = sample(40, 6)
    X = s.X.copy()
    X[:, 1], X[:, 4] = 0.0, 0.1
    for alpha in (0.0, 1e-6, 0.1):
        for standardize in (False, True):
            model.set_params(alpha=alpha, standardize=standardize).fit(STORAGES[storage](X), s.y)
            np.testing.assert_allclose(model.coef_[[1, 4]], 0.0, atol=1e-8)


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_duplicate_columns_share_their_coefficient(model, storage):
    s = sample(40, 6)
    single = clone(model).fit(s.X, s.y)
    double = clone(model).fit(STORAGES[storage](np.hstack([s.X, s.X])), s.y)
    if isinstance(model, Lasso | WeightedLasso):  # in any proportion
        np.testing.assert_allclose(double.coef_[:6] + double.coef_[6:], single.coef_, atol=1e-6)
    else:
        np.testing.assert_allclose(double.coef_[:6], double.coef_[6:], atol=1e-5)


def test_standardising_is_a_scaler_before_the_model(model):
    s = sample(40, 6)
    sd = s.X.std(axis=0)
    inside = clone(model).set_params(standardize=True).fit(s.X, s.y)
    outside = clone(model).fit(s.X / sd, s.y)
    np.testing.assert_allclose(inside.coef_ * sd, outside.coef_, atol=1e-6)


def test_penalty_factors_are_column_scales():
    s = sample(40, 6)
    c = np.array([0.5, 2.0, 1.0, np.inf, 3.0, 1.0])
    found = Lasso(alpha=0.1, penalty_factors=c, tol=1e-12).fit(s.X, s.y)
    assert found.coef_[3] == 0.0
    rescaled = Lasso(alpha=0.1, tol=1e-12).fit(s.X / c, s.y)
    np.testing.assert_allclose(found.coef_, rescaled.coef_ / c, atol=1e-6)
    weighted = WeightedLasso(alpha=0.1, weights=c, tol=1e-12).fit(s.X, s.y)
    np.testing.assert_allclose(found.coef_, weighted.coef_, atol=1e-8)


def test_excluded_and_free_columns(model):
    s = sample(40, 6)
    name = "weights" if isinstance(model, WeightedLasso) else "penalty_factors"
    model.set_params(**{name: [np.inf, 0.0, np.inf, np.inf, 0.0, np.inf]}).fit(s.X, s.y)
    A = np.column_stack([s.X[:, [1, 4]], np.ones(40)])
    np.testing.assert_allclose(model.coef_[[1, 4]], np.linalg.lstsq(A, s.y, rcond=None)[0][:2], atol=1e-6)
    assert not model.coef_[[0, 2, 3, 5]].any()


# --- alpha_max -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("penalty_factors", [None, factors(12)], ids=["plain", "factors"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_alpha_max_is_exact(l1_ratio, penalty_factors, fit_intercept, standardize, positive, weighted, storage):
    s = sample(30, 12)
    X, weight = STORAGES[storage](s.X), s.weight if weighted else None
    options = {
        "fit_intercept": fit_intercept,
        "standardize": standardize,
        "positive": positive,
        "penalty_factors": penalty_factors,
    }
    largest = alpha_max(X, s.y, l1_ratio=l1_ratio, sample_weight=weight, **options)
    model = ElasticNet(l1_ratio=l1_ratio, tol=1e-14, **options)
    penalised = np.ones(12, bool) if penalty_factors is None else penalty_factors > 0.0
    above = clone(model).set_params(alpha=largest * (1 + 1e-6)).fit(X, s.y, weight)
    assert not above.coef_[penalised].any()
    below = clone(model).set_params(alpha=largest * (1 - 1e-3)).fit(X, s.y, weight)
    assert np.count_nonzero(below.coef_[penalised]) == 1


def test_alpha_max_without_l1_term_is_zero():
    s = sample()
    assert alpha_max(s.X, s.y, penalty_factors=np.zeros(12)) == 0.0


# --- convergence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_not_converged_is_one_warning_with_the_gap_and_a_cure(storage):
    s = sample(80, 200)
    model = Lasso(alpha=0.001, tol=1e-14, max_iter=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(STORAGES[storage](s.X), s.y)
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    message = str(caught[0].message)
    assert f"{model.dual_gap_:.1e}" in message
    for word in ("Lasso", "max_iter", "tol"):
        assert word in message
    assert caught[0].filename == __file__
    assert model.dual_gap_ > model.tol


def test_converged_says_so_without_warning(model):
    s = sample()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(s.X, s.y)
    assert model.status_.startswith("converged")
    assert model.dual_gap_ <= model.tol


def test_warm_start(model):
    s = sample(60, 100)
    model.set_params(warm_start=True, alpha=0.05).fit(s.X, s.y)
    cold = clone(model).set_params(warm_start=False).fit(s.X, s.y)
    np.testing.assert_array_equal(model.coef_, cold.coef_)
    model.fit(s.X, s.y)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-7)
    model.fit(s.X[:, :50], s.y)  # other columns: a cold start
    np.testing.assert_allclose(model.coef_, clone(cold).fit(s.X[:, :50], s.y).coef_, atol=1e-7)


# --- the path --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("estimator", [Lasso(tol=1e-10), ElasticNet(l1_ratio=0.7, tol=1e-10), WeightedLasso(tol=1e-10)])
def test_path(estimator, storage):
    s = sample(40, 30)
    found = path(estimator, STORAGES[storage](s.X), s.y, n_alphas=12, eps=1e-2, X_val=s.X_val, y_val=s.y_val)
    assert found.coefs.shape == (30, 12)
    assert found.support_sizes[0] == 0
    np.testing.assert_allclose(found.alphas, np.geomspace(found.alphas[0], 1e-2 * found.alphas[0], 12))
    assert np.all(found.gaps <= 1e-10)
    for k in (1, 5, 11):
        single = clone(estimator).set_params(alpha=found.alphas[k]).fit(s.X, s.y)
        np.testing.assert_allclose(found.coefs[:, k], single.coef_, atol=1e-4)
        assert found.support_sizes[k] == np.count_nonzero(found.coefs[:, k])
        np.testing.assert_allclose(found.scores[k], np.mean((s.y_val - single.predict(s.X_val)) ** 2), rtol=1e-4)


def test_path_of_given_alphas_and_weights():
    s = sample(40, 12)
    found = path(Ridge(), s.X, s.y, alphas=[0.1, 10.0, 1.0], sample_weight=s.weight)
    np.testing.assert_array_equal(found.alphas, [10.0, 1.0, 0.1])
    assert found.scores is None
    np.testing.assert_allclose(found.coefs[:, 2], Ridge(alpha=0.1).fit(s.X, s.y, s.weight).coef_, rtol=1e-4)


# --- what goes in and comes out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pd.DataFrame, lambda X: pl.DataFrame(X, schema=[str(j) for j in range(6)])])
def test_frames(model, make):
    s = sample(40, 6)
    plain = clone(model).fit(s.X, s.y)
    frame = make(s.X)
    frame.columns = [f"column {j}" for j in range(6)]
    model.fit(frame, s.y)
    assert model.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.predict(frame), plain.predict(s.X), rtol=1e-10)
    frame.columns = list(frame.columns)[::-1]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame)


@pytest.mark.parametrize("container", [list, pd.Series, pl.Series, np.float32, lambda y: y[:, None]])
def test_targets(container):
    s = sample(40, 6)
    y = np.round(s.y, 2).astype(np.float32).astype(float)
    expected = Lasso(0.1).fit(s.X, y).coef_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)
        np.testing.assert_array_equal(Lasso(0.1).fit(s.X, container(y)).coef_, expected)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float16, np.float32, np.float64])
def test_dtypes(dtype):
    X = np.random.default_rng(0).integers(0, 2, size=(30, 5)).astype(dtype)
    y = X.astype(float) @ np.arange(5.0) + np.linspace(0, 1, 30)
    expected = Lasso(0.01, tol=1e-12).fit(X.astype(float), y).coef_
    np.testing.assert_allclose(Lasso(0.01, tol=1e-12).fit(X, y).coef_, expected, atol=1e-8)


@pytest.mark.parametrize("fmt", ["csc", "csr", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_formats(fmt, kind):
    s = sample(30, 6)
    X = getattr(scipy.sparse, f"{fmt}_{kind}")(s.X)
    model = Lasso(0.1, tol=1e-12).fit(X, s.y)
    dense = Lasso(0.1, tol=1e-12).fit(s.X, s.y)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-7)
    np.testing.assert_allclose(model.predict(X), dense.predict(s.X), atol=1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_data_are_left_alone(model, storage):
    s = sample(30, 6)
    X, y, weight = STORAGES[storage](s.X), s.y.copy(), s.weight.copy()
    before = X.copy()
    model.fit(X, y, weight)
    assert abs(X - before).max() == 0.0
    np.testing.assert_array_equal(y, s.y)
    np.testing.assert_array_equal(weight, s.weight)
    parts = [X.data, X.indices, X.indptr] if scipy.sparse.issparse(X) else [X]
    assert all(part.flags.writeable for part in parts)


@pytest.mark.parametrize("storage", ["C", "F", "csc"])
def test_a_constant_column_does_not_hide_that_no_positive_coefficient_helps(storage):
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    X = STORAGES[storage](np.column_stack([-y + 0.1 * rng.normal(size=50), np.full(50, 3.0), np.full(50, -0.7)]))
    assert alpha_max(X, y, positive=True) == 0.0
    fitted = Lasso(1e-18, positive=True).fit(X, y)
    assert fitted.dual_gap_ <= fitted.tol
    assert not fitted.coef_.any()


@pytest.mark.parametrize(("seed", "tol"), [(196, 5e-3), (228, 5e-3), (449, 1e-3), (577, 2e-3), (608, 5e-3)])
def test_a_solved_working_set_is_no_dead_end(seed, tol):
    """No column outside violates its condition, yet one of them bounds the dual point more than those inside do."""
    rng = np.random.default_rng(seed)
    n, p = 40, int(rng.integers(150, 600))
    X = rng.choice([0.1, 0.3]) * rng.normal(size=(n, p)) + rng.normal(size=(n, 1))
    y = X[:, :5] @ rng.normal(size=5) + rng.normal(size=n)
    alpha = alpha_max(X, y, standardize=True) / rng.choice([1.5, 2.6, 4])
    assert Lasso(alpha, standardize=True, tol=tol).fit(X, y).dual_gap_ <= tol

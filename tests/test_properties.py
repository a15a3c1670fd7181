"""Properties that hold for any data: optimality, and invariance under what should not matter."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lambdahat import ElasticNet, Lasso, Ridge, WeightedLasso, alpha_max
from lambdahat.criteria import Data
from lambdahat.design import as_storage
from lambdahat.problem import Model
from lambdahat.solvers import solve
from reference import Dense, Smooth
from zoo import DATAFITS, PENALTIES, STORAGES, TARGETS

SETTINGS = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
COLUMNS = ["normal", "zero", "constant", "duplicate", "opposite", "binary", "rare", "scaled", "shifted"]


@st.composite
def datasets(draw, max_rows=40, max_columns=25):
    """X with degenerate columns among the others, a target, weights (some zero)."""
    n, kinds = (
        draw(st.integers(2, max_rows)),
        draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=max_columns)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, len(kinds)))
    for j, kind in enumerate(kinds):
        other = X[:, rng.integers(max(j, 1))]
        X[:, j] = {
            "normal": X[:, j],
            "zero": 0.0,
            "constant": 0.1,
            "duplicate": other,
            "opposite": -other,
            "binary": X[:, j] > 0.0,
            "rare": np.arange(n) == rng.integers(n),
            "scaled": X[:, j] * 10.0 ** rng.uniform(-3, 3),
            "shifted": X[:, j] + 10.0 ** rng.uniform(0, 3),
        }[kind]
    y = X @ np.where(rng.random(len(kinds)) < 0.3, rng.normal(size=len(kinds)), 0.0) + rng.normal(size=n)
    weight = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 3.0, size=n)) if draw(st.booleans()) else np.ones(n)
    used = y[weight > 0.0]
    assume(used.size >= 2 and np.ptp(used) > 1e-8)
    return X, y, weight


@SETTINGS
@given(
    data=datasets(),
    penalty=st.sampled_from(sorted(PENALTIES)),
    storage=st.sampled_from(sorted(STORAGES)),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
    exponent=st.floats(-3.0, 0.5),
    tol=st.sampled_from([1e-2, 1e-4, 1e-8]),
)
def test_the_gap_is_reached_and_bounds_the_suboptimality(
    data, penalty, storage, fit_intercept, standardize, exponent, tol
):
    X, y, weight = data
    X = STORAGES[storage](X)
    dense = np.asarray(X.toarray() if scipy.sparse.issparse(X) else X, dtype=float)
    strength = 10.0**exponent * np.sqrt(weight / weight.sum() @ y**2)

    def scaled(p, _=None):
        made = PENALTIES[penalty](p)
        return made.with_hyperparams(strength * made.hyperparams / made.hyperparams.max())

    problem = Model(scaled, fit_intercept, standardize).problems(as_storage(X), y, [weight])[0]
    reference = Dense.create(dense, y, weight, scaled(X.shape[1]), fit_intercept=fit_intercept, standardize=standardize)
    solution = solve(problem, tol=tol)
    assert solution.converged
    assert np.all(np.isfinite(solution.w))
    tight = solve(problem, tol=1e-13, max_iter=100).w
    assert reference.suboptimality(solution.w, near=(tight,)) <= tol + 1e-12
    assert not solution.w[np.isinf(problem.penalty.l1)].any()
    if problem.penalty.positive:
        assert np.all(solution.w >= 0.0)


@SETTINGS
@given(
    data=datasets(),
    datafit=st.sampled_from([name for name in DATAFITS if name != "quadratic"]),
    penalty=st.sampled_from(sorted(name for name in PENALTIES if "factors" not in name)),  # all columns are penalised
    storage=st.sampled_from(sorted(STORAGES)),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
    exponent=st.floats(-3.0, 0.5),
    tol=st.sampled_from([1e-2, 1e-4, 1e-8]),
)
def test_the_gap_of_other_losses_is_reached_and_bounds_the_suboptimality(
    data, datafit, penalty, storage, fit_intercept, standardize, exponent, tol
):
    X, y, weight = data
    y = TARGETS[datafit](y)
    assume(np.ptp(y[weight > 0.0]) > 0.0)
    X = STORAGES[storage](X)
    dense = np.asarray(X.toarray() if scipy.sparse.issparse(X) else X, dtype=float)

    def scaled(p, _=None):
        made = PENALTIES[penalty](p)
        return made.with_hyperparams(10.0**exponent * made.hyperparams / made.hyperparams.max())

    problem = Model(scaled, fit_intercept, standardize, DATAFITS[datafit]).problems(as_storage(X), y, [weight])[0]
    reference = Smooth.create(
        dense, y, weight, scaled(X.shape[1]), fit_intercept=fit_intercept, standardize=standardize, loss=datafit
    )
    loose, tight = solve(problem, tol=tol), solve(problem, tol=1e-10)
    assert loose.converged
    assert tight.converged
    reached = [reference.objective(solution.w, solution.intercept) for solution in (loose, tight)]
    assert reached[0] - reached[1] <= (tol + 1e-12) * problem.null_value
    assert reference.violation(tight.w, tight.intercept) <= 1e-4
    if problem.penalty.positive:
        assert np.all(loose.w >= 0.0)


MODELS = {
    "Lasso": lambda a: Lasso(a, tol=1e-10),
    "ElasticNet": lambda a: ElasticNet(a, l1_ratio=0.6, tol=1e-10),
    "WeightedLasso": lambda a: WeightedLasso(a, tol=1e-10),
    "Ridge": lambda a: Ridge(a, tol=1e-10),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def objective(model, X, y, weight, coef=None):
    """The objective of a model at its coefficients, or at others: these need not be unique, it is."""
    problem = Dense.create(X, y, weight, model._make_penalty(X.shape[1], weight.sum()))
    return problem.objective(model.coef_ if coef is None else coef) / (0.5 * problem.y @ problem.y)


@SETTINGS
@given(data=datasets(), exponent=st.floats(-3.0, 0.0))
def test_sparse_is_dense(model, data, exponent):
    X, y, weight = data
    alpha = 10.0**exponent
    reached = [
        objective(model(alpha).fit(STORAGES[storage](X), y, weight), X, y, weight)
        for storage in ("C", "F", "csc", "csr")
    ]
    np.testing.assert_allclose(reached, reached[0], atol=2e-10)


@SETTINGS
@given(data=datasets(), exponent=st.floats(-3.0, 0.0), sparse=st.booleans(), seed=st.integers(0, 1000))
def test_a_weight_is_a_repetition(model, data, exponent, sparse, seed):
    X, y, _ = data
    weight = np.random.default_rng(seed).integers(0, 4, size=len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    assume(rows.size >= 2 and np.ptp(y[rows]) > 1e-8)
    storage, alpha = STORAGES["csc" if sparse else "C"], 10.0**exponent
    one = model(alpha).fit(storage(X), y, weight)
    many = model(alpha).fit(storage(X[rows]), y[rows])
    np.testing.assert_allclose(objective(one, X, y, weight), objective(one, X, y, weight, coef=many.coef_), atol=2e-10)


@SETTINGS
@given(
    data=datasets(), exponent=st.floats(-3.0, 0.0), sparse=st.booleans(), c=st.sampled_from([-1e-6, 1e-3, 7.0, 1e5]),
    d=st.sampled_from([1e-5, 0.1, 1e6]),
)  # fmt: skip
def test_scaling(model, data, exponent, sparse, c, d):
    """X → cX and y → dy, with the penalty rescaled, change coefficients by d/c and nothing else."""
    X, y, weight = data
    storage, alpha = STORAGES["csc" if sparse else "C"], 10.0**exponent
    plain = model(alpha)
    if isinstance(plain, ElasticNet):
        l1, l2 = alpha * plain.l1_ratio * abs(c) * d, alpha * (1.0 - plain.l1_ratio) * c * c
        scaled = ElasticNet(l1 + l2, l1_ratio=l1 / (l1 + l2), tol=1e-10)
    else:
        scaled = model(alpha * (c * c if isinstance(plain, Ridge) else abs(c) * d))
    plain.fit(storage(X), y, weight)
    scaled.fit(storage(c * X), d * y, weight)
    reached = [objective(plain, X, y, weight, coef) for coef in (plain.coef_, scaled.coef_ * c / d)]
    np.testing.assert_allclose(*reached, atol=2e-10)


@SETTINGS
@given(data=datasets(), seed=st.integers(0, 1000), sparse=st.booleans())
def test_order_of_rows_and_columns_does_not_matter(model, data, seed, sparse):
    X, y, weight = data
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(X.shape[0]), rng.permutation(X.shape[1])
    storage = STORAGES["csc" if sparse else "C"]
    plain = model(0.1).fit(storage(X), y, weight)
    moved = model(0.1).fit(storage(X[np.ix_(rows, columns)]), y[rows], weight[rows])
    reached = [objective(plain, X, y, weight, coef) for coef in (plain.coef_, moved.coef_[np.argsort(columns)])]
    np.testing.assert_allclose(*reached, atol=2e-10)


@SETTINGS
@given(data=datasets(), shift=st.floats(-100.0, 100.0), sparse=st.booleans())
def test_shifting_y_moves_the_intercept_only(model, data, shift, sparse):
    X, y, weight = data
    storage = STORAGES["csc" if sparse else "C"]
    plain, moved = model(0.1).fit(storage(X), y, weight), model(0.1).fit(storage(X), y + shift, weight)
    np.testing.assert_allclose(moved.predict(X), plain.predict(X) + shift, atol=1e-3 * np.ptp(y))
    np.testing.assert_allclose(objective(moved, X, y, weight), objective(plain, X, y, weight), atol=2e-10)


@SETTINGS
@given(data=datasets(), sparse=st.booleans(), fit_intercept=st.booleans())
def test_alpha_max(data, sparse, fit_intercept):
    X, y, weight = data
    X = STORAGES["csc" if sparse else "C"](X)
    largest = alpha_max(X, y, fit_intercept=fit_intercept, sample_weight=weight)
    assume(largest > 1e-6)
    above = Lasso(largest * (1 + 1e-6), fit_intercept=fit_intercept, tol=1e-14).fit(X, y, weight)
    assert not above.coef_.any()
    below = Lasso(largest * (1 - 1e-3), fit_intercept=fit_intercept, tol=1e-12).fit(X, y, weight)
    assert below.coef_.any()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_memory_maps(model, tmp_path, dtype, order):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20)).astype(dtype)
    y = X[:, 0] + rng.normal(size=60)
    disk = np.memmap(tmp_path / "X", dtype=dtype, mode="w+", shape=X.shape, order=order)
    disk[:] = X
    disk.flush()
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="r", shape=X.shape, order=order)
    assert not mapped.flags.writeable
    np.testing.assert_allclose(model(0.1).fit(mapped, y).coef_, model(0.1).fit(X, y).coef_, atol=1e-5)
    assert np.shares_memory(as_storage(mapped).X, mapped)


@pytest.mark.parametrize("storage", ["C", "F", "C float32", "F float32", "csc", "csc float32"])
def test_storage_takes_data_where_they_lie(storage):
    X = STORAGES[storage](np.random.default_rng(0).normal(size=(9, 4)))
    stored = as_storage(X)
    if scipy.sparse.issparse(X):
        for mine, theirs in ((stored.data, X.data), (stored.indices, X.indices), (stored.indptr, X.indptr)):
            assert np.shares_memory(mine, theirs)
            assert not mine.flags.writeable
    else:
        assert np.shares_memory(stored.X, X)
        assert not stored.X.flags.writeable
    assert Data(stored, np.ones(9), np.ones(9), X).storage.shape == (9, 4)

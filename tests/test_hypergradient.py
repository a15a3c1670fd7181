"""The hypergradient against central differences of tightly solved problems, for everything in the zoo."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from sklearn.base import clone

from lambdahat import ElasticNet, HeldOut, Lasso, Ridge, WeightedLasso, alpha_max, hypergradient
from lambdahat.criteria import Data
from lambdahat.design import as_storage
from lambdahat.hypergradient import implicit
from lambdahat.problem import Model, Solution
from lambdahat.solvers import solve
from reference import Dense
from zoo import CRITERIA, PENALTIES, STORAGES, sample

TOL = 1e-15
STEP = 1e-3  # in log θ


def solutions_of(folds, theta):
    return [solve(fold.problem.with_hyperparams(theta), tol=TOL) for fold in folds]


def evaluate(folds, theta, solutions):
    """Criteria and hypergradients of the folds as the library has them."""
    parts = [
        implicit(fold.problem.with_hyperparams(theta), solution, fold.validation.error, tol=TOL)
        for fold, solution in zip(folds, solutions, strict=True)
    ]
    return np.array([part[0] for part in parts]), np.array([part[1] for part in parts])


class Exact:
    """The criterion in plain NumPy, on the smooth piece around θ: of given supports and signs, hence linear systems."""

    def __init__(self, s, folds, penalty, solutions, **model):
        self.solutions = solutions
        self.folds = []
        for fold in folds:
            same = fold.validation.design.storage is fold.problem.design.storage
            X, y = (s.X, s.y) if same else (s.X_val, s.y_val)
            problem = Dense.create(s.X, s.y, fold.problem.design.weights, penalty, **model)
            self.folds.append((problem, X - problem.mean, y - problem.y_mean, fold.validation.design.weights))

    def __call__(self, theta):
        values = []
        for (problem, X, y, weights), solution in zip(self.folds, self.solutions, strict=True):
            there = replace(problem, penalty=problem.penalty.with_hyperparams(theta))
            w = there.polished(solution.w)
            values.append(weights @ (y - X @ w) ** 2)
        return np.array(values)

    def refined(self, theta):
        """The solutions without the last rounding of the solver, having checked that they are no others."""
        refined = []
        for (problem, *_), solution in zip(self.folds, self.solutions, strict=True):
            there = replace(problem, penalty=problem.penalty.with_hyperparams(theta))
            w = there.polished(solution.w)
            assert there.violation(w) <= 1e-14
            np.testing.assert_array_equal(np.sign(w), np.sign(solution.w))
            np.testing.assert_allclose(w, solution.w, atol=1e-5)
            refined.append(replace(solution, w=w))
        return refined

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
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardised"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("fit_intercept", [False, True], ids=["through zero", "intercept"])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_against_differences(penalty, storage, fit_intercept, weighted, standardize, criterion):
    s = sample()
    model = Model(lambda p, _: PENALTIES[penalty](p), fit_intercept, standardize)
    folds = CRITERIA[criterion](s).folds(model, s.data(storage, weighted))
    theta = folds[0].problem.penalty.hyperparams
    solutions = solutions_of(folds, theta)
    exact = Exact(
        s, folds, PENALTIES[penalty](s.X.shape[1]), solutions, fit_intercept=fit_intercept, standardize=standardize
    )
    expected = exact.gradients(theta)
    scale = np.abs(expected).max(axis=1).mean()  # folds may cancel each other: errors count relative to what is summed
    for solved, tolerance in ((exact.refined(theta), 1e-7), (solutions, 1e-5)):
        values, gradients = evaluate(folds, theta, solved)
        np.testing.assert_allclose(values, exact(theta), rtol=10.0 * tolerance)
        assert np.abs(gradients.mean(axis=0) - expected.mean(axis=0)).max() <= tolerance * scale


ESTIMATORS = {
    "Lasso": Lasso(alpha=0.1),
    "ElasticNet": ElasticNet(alpha=0.3, l1_ratio=0.4),
    "WeightedLasso": WeightedLasso(alpha=0.5, weights=np.linspace(0.1, 0.3, 12)),
    "Ridge": Ridge(alpha=2.0),
}


def shifted(estimator, name, k, factor):
    value = np.array(np.atleast_1d(getattr(estimator, name)), dtype=float)
    value[k] *= factor
    return clone(estimator).set_params(**{name: value if np.ndim(getattr(estimator, name)) else float(value[0])})


@pytest.mark.parametrize("storage", ["C", "F float32", "csr"])
@pytest.mark.parametrize("criterion", ["held-out", "cross-validation"])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_function(estimator, criterion, storage):
    """The public function: names, values, and gradients in the estimator's own parameters."""
    s, step = sample(), 1e-3
    X = STORAGES[storage](s.X)

    def at(estimator):
        return hypergradient(estimator, X, s.y, criterion=CRITERIA[criterion](s), sample_weight=s.weight, tol=1e-15)

    result = at(estimator)
    assert list(result.hyperparams) == list(estimator.tuned)
    expected = []
    for name in estimator.tuned:
        np.testing.assert_allclose(result.hyperparams[name], getattr(estimator, name), rtol=1e-14)
        for k in range(np.size(getattr(estimator, name))):
            ends = [at(shifted(estimator, name, k, np.exp(t))).value for t in (-step, step)]
            expected.append((ends[1] - ends[0]) / (2.0 * step))
    np.testing.assert_allclose(result.log_gradient, expected, atol=1e-5 * np.abs(expected).max())
    values = np.concatenate([np.atleast_1d(getattr(estimator, name)) for name in estimator.tuned])
    np.testing.assert_allclose(result.gradient, result.log_gradient / values, rtol=1e-12)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("criterion", ["held-out", "cross-validation"])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_the_default_tolerance_gives_six_digits(estimator, criterion, storage):
    s = sample(n=60, p=12, seed=3)
    given = STORAGES[storage](s.X), s.y
    default, exact = (
        hypergradient(estimator, *given, criterion=CRITERIA[criterion](s), **settings)
        for settings in ({}, {"tol": 1e-15})
    )
    np.testing.assert_allclose(default.gradient, exact.gradient, atol=1e-6 * np.abs(exact.gradient).max())


def test_result_is_frozen():
    s = sample()
    result = hypergradient(Lasso(0.1), s.X, s.y, criterion=HeldOut(s.X_val, s.y_val))
    with pytest.raises(FrozenInstanceError):
        result.value = 0.0
    np.testing.assert_array_equal(result.support, np.flatnonzero(result.coef))


def test_one_fold_or_several():
    s = sample()
    result = hypergradient(Lasso(0.1), s.X, s.y, cv=4)
    assert result.coef.shape == (4, 12)
    assert [len(support) for support in result.support] == np.count_nonzero(result.coef, axis=1).tolist()


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_vanishes_where_all_coefficients_are_zero(storage):
    s = sample()
    largest = alpha_max(s.X, s.y)
    result = hypergradient(Lasso(2.0 * largest), STORAGES[storage](s.X), s.y, criterion=HeldOut(s.X_val, s.y_val))
    assert result.gradient == 0.0
    assert result.value == pytest.approx(np.mean((s.y_val - s.y.mean()) ** 2))


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", ["l1", "elastic net", "ridge"])
@pytest.mark.parametrize(("n", "p"), [(40, 150), (30, 400), (400, 30)])
def test_every_way_to_solve_the_support_system(penalty, n, p, storage):
    """Cholesky, by rows, conjugate gradients: whichever the shape selects, the answer is the same."""
    s = sample(n, p)
    model = Model(lambda p, _: PENALTIES[penalty](p))
    folds = HeldOut(s.X_val, s.y_val).folds(model, s.data(storage))
    theta = folds[0].problem.penalty.hyperparams
    exact = Exact(s, folds, PENALTIES[penalty](p), solutions_of(folds, theta), fit_intercept=True, standardize=False)
    _, gradients = evaluate(folds, theta, exact.refined(theta))
    expected = exact.gradients(theta)
    assert np.abs(gradients - expected).max() <= 1e-7 * np.abs(expected).max()


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_duplicated_columns(estimator, storage):
    """Not unique, but finite; a pair that shares one λ counts as one column."""
    s = sample()
    twice, val = np.hstack([s.X, s.X]), np.hstack([s.X_val, s.X_val])
    single = hypergradient(estimator, s.X, s.y, criterion=HeldOut(s.X_val, s.y_val), tol=1e-15)
    if estimator.tuned == ("weights",):
        estimator = clone(estimator).set_params(weights=np.tile(estimator.weights, 2))
    result = hypergradient(estimator, STORAGES[storage](twice), s.y, criterion=HeldOut(val, s.y_val), tol=1e-15)
    assert np.all(np.isfinite(result.gradient))
    if isinstance(estimator, Lasso):
        np.testing.assert_allclose(result.gradient, single.gradient, rtol=1e-5)


def test_the_minimum_norm_adjoint_is_taken_where_columns_repeat():
    s = sample()
    X, X_val = s.X[:, [0, 0, 6]], s.X_val[:, [0, 0, 6]]
    folds = HeldOut(X_val, s.y_val).folds(Model(lambda p, _: PENALTIES["l1"](p)), Data(as_storage(X), s.y, s.weight, X))
    solution = Solution(np.array([0.1, 0.2, 0.3]), 0.0, 0.0, 0, True, "")
    *_, v = implicit(folds[0].problem, solution, lambda *_: (0.0, np.array([1.0, 1.0, 0.5]), 0.0), tol=1e-15)
    H = Dense.create(X, s.y, s.weight, PENALTIES["l1"](3)).X
    np.testing.assert_allclose(v, np.linalg.pinv(H.T @ H) @ [1.0, 1.0, 0.5], rtol=1e-8)


@pytest.mark.parametrize("method", ["implict", "forwards"])
def test_unknown_method(method):
    s = sample()
    with pytest.raises(ValueError, match=f"unknown method '{method}'"):
        hypergradient(Lasso(), s.X, s.y, method=method)

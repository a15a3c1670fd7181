"""The solver on every penalty and storage: optimal by a reference that shares no code with it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from lambdahat import Lasso, alpha_max
from lambdahat.criteria import CrossValidation
from lambdahat.datafits import Logistic, Quadratic
from lambdahat.design import Design, as_storage
from lambdahat.penalties import l1
from lambdahat.problem import Model, Solution
from lambdahat.solvers import solve, solve_many
from reference import Dense
from zoo import PENALTIES, STORAGES, sample

TOL = 1e-13
SHAPES = {"tall": (60, 9), "wide": (30, 45), "one column": (20, 1)}


def solved(s, penalty, storage, *, fit_intercept, standardize, tol=TOL, **options):
    model = Model(lambda p, _: PENALTIES[penalty](p), fit_intercept, standardize)
    data = s.data(storage)
    problem = model.problems(data.storage, data.y, [data.sample_weight])[0]
    reference = Dense.create(
        s.X, s.y, s.weight, PENALTIES[penalty](s.X.shape[1]), fit_intercept=fit_intercept, standardize=standardize
    )
    return solve(problem, tol=tol, **options), reference


def assert_optimal(solution, reference, tol):
    assert solution.converged
    assert solution.gap <= tol
    assert reference.suboptimality(solution.w) <= tol + 1e-14
    assert reference.violation(solution.w) <= np.sqrt(tol)
    np.testing.assert_allclose(solution.intercept, reference.y_mean - reference.mean @ solution.w, rtol=1e-12)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_optimal(penalty, shape, storage, fit_intercept, standardize):
    s = sample(*SHAPES[shape])
    assert_optimal(*solved(s, penalty, storage, fit_intercept=fit_intercept, standardize=standardize), TOL)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_optimal_from_normal_equations(penalty, shape, fit_intercept, standardize):
    s = sample(*SHAPES[shape])
    model = Model(lambda p, _: PENALTIES[penalty](p), fit_intercept, standardize)
    for fold, (train, _) in zip(
        CrossValidation(3).folds(model, s.data()), CrossValidation(3).splits(s.data()), strict=True
    ):
        assert fold.problem.normal is not None
        weight = np.where(np.isin(np.arange(len(s.y)), train), s.weight, 0.0)
        reference = Dense.create(
            s.X, s.y, weight, PENALTIES[penalty](s.X.shape[1]), fit_intercept=fit_intercept, standardize=standardize
        )
        assert_optimal(solve(fold.problem, tol=TOL), reference, TOL)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", ["l1", "elastic net", "ridge"])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_loose_tolerances_hold(penalty, storage, tol):
    solution, reference = solved(sample(80, 200), penalty, storage, fit_intercept=True, standardize=False, tol=tol)
    assert solution.converged
    assert reference.suboptimality(solution.w) <= tol


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_warm_start_at_the_solution_stays_there(penalty, storage):
    s = sample(30, 20)
    cold, _ = solved(s, penalty, storage, fit_intercept=True, standardize=False)
    warm, reference = solved(s, penalty, storage, fit_intercept=True, standardize=False, start=cold)
    assert warm.n_iter <= 1
    assert_optimal(warm, reference, TOL)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_any_start_leads_to_the_solution(penalty, storage):
    s = sample(30, 20)
    cold, reference = solved(s, penalty, storage, fit_intercept=True, standardize=False)
    wild = Solution(np.abs(np.random.default_rng(0).normal(size=20)), 0.0, np.inf, 0, False, "")
    warm, _ = solved(s, penalty, storage, fit_intercept=True, standardize=False, start=wild)
    assert_optimal(warm, reference, TOL)
    np.testing.assert_allclose(warm.w, cold.w, atol=1e-5)  # a gap of 1e-13 pins them no better


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", ["l1", "weighted l1 positive", "elastic net", "ridge", "ridge positive"])
def test_duplicated_zero_and_constant_columns(penalty, storage):
    s = sample(30, 12)
    X = s.X.copy()
    X[:, 3] = X[:, 0]
    X[:, 4] = -X[:, 1]
    X[:, 5] = 0.0
    X[:, 7] = 0.1  # its mean is not exact
    solution, reference = solved(replace(s, X=X), penalty, storage, fit_intercept=True, standardize=True)
    assert_optimal(solution, reference, TOL)
    np.testing.assert_allclose(solution.w[[5, 7]], 0.0, atol=1e-15)


@pytest.mark.parametrize("max_iter", [0, 1])
def test_an_unfinished_solution_says_so(max_iter):
    s = sample(80, 200)
    solution, reference = solved(s, "l1", "csc", fit_intercept=True, standardize=False, max_iter=max_iter)
    assert not solution.converged
    assert solution.gap > TOL
    assert f"{solution.gap:.1e}" in solution.message
    assert reference.suboptimality(solution.w) <= solution.gap + 1e-14


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("factors", [(0.0, 1.0, 0.5), (0.0, 0.0, 0.5), (1.0, 1.0, 0.5)])
def test_large_columns_beside_small_ones(factors, positive, seed, tol, storage):
    """Nearly collinear columns of very different size, where a loose dual point is far from feasible."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=20)
    X = np.column_stack([0.9 + 0.2 * base, 192.0 + 0.3 * rng.normal(size=20), -192.0 + 0.3 * rng.normal(size=20)])
    y = 0.3 * rng.normal(size=20)
    penalty = l1(3, 0.005, np.array(factors), positive=positive)
    problem = Model(lambda p, _: penalty, fit_intercept=False).problem(
        Design.create(as_storage(STORAGES[storage](X)), np.ones(20), center=False, standardize=False), y
    )
    reference = Dense.create(X, y, np.ones(20), penalty, fit_intercept=False)
    solution, tight = solve(problem, tol=tol), solve(problem, tol=1e-14)
    assert solution.converged
    assert reference.suboptimality(solution.w, near=(tight.w,)) <= tol + 1e-12


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_tolerance_beyond_rounding_ends_in_order(penalty, storage):
    for seed in range(4):
        for options in (
            {"fit_intercept": True, "standardize": False},
            {"fit_intercept": False, "standardize": seed == 1},
        ):
            solution, reference = solved(sample(40, 12, seed=seed), penalty, storage, tol=1e-16, **options)
            assert solution.gap <= 1e-13
            assert reference.suboptimality(solution.w) <= 1e-13


@pytest.mark.parametrize("storage", ["C", "F", "F float32", "csc"])
@pytest.mark.parametrize("penalty", ["l1", "l1 factors", "l1 positive", "elastic net", "weighted l1", "ridge"])
@pytest.mark.parametrize("order", ["random", "sorted"])
def test_tall(penalty, storage, order):
    """So tall that the solver first looks at an excerpt of the rows; sorted ones make it a bad guess."""
    s = sample(n=34_000, p=6, seed=1)
    if order == "sorted":
        rows = np.argsort(s.y)
        s = replace(s, X=s.X[rows], y=s.y[rows], weight=s.weight[rows])
    assert_optimal(*solved(s, penalty, storage, fit_intercept=True, standardize=True, tol=1e-12), 1e-12)


@pytest.mark.parametrize("alpha_share", [2.0, 0.5])
def test_tall_with_nothing_to_find_in_the_excerpt(alpha_share):
    rng = np.random.default_rng(0)
    X = np.zeros((40_000, 3))
    X[1, 0] = 100.0  # in none of the runs of rows, and the only column that varies
    y = X[:, 0] + 1e-3 * rng.normal(size=len(X))
    largest = alpha_max(X, y)
    fitted = Lasso(alpha_share * largest, tol=1e-10).fit(X, y)
    assert fitted.dual_gap_ <= 1e-10
    assert np.any(fitted.coef_) == (alpha_share < 1.0)


@pytest.mark.parametrize("datafit", [Quadratic(), Logistic()], ids=["quadratic", "logistic"])
@pytest.mark.parametrize("seed", range(5))
def test_without_a_proof_the_objective_is_as_good(datafit, seed):
    rng = np.random.default_rng(seed)
    X = sparse.random(400, 1500, density=0.02, random_state=seed, format="csc", dtype=float)
    z = X @ (rng.normal(size=1500) * (rng.random(1500) < 0.1)) + 0.1 * rng.normal(size=400)
    y = np.where(z > 0.0, 1.0, -1.0) if datafit.labels else z
    model = Model(lambda p, _: l1(p, 1.0), datafit=datafit)
    problem = model.problems(as_storage(X), y, [np.ones(400)])[0]
    problem = problem.with_hyperparams(np.array([0.02 * float(np.abs(problem.correlation()).max())]))
    tight = solve(problem, tol=1e-9)
    tol = 1e-2
    proven = solve(problem, tol=tol)
    (unproven,) = solve_many([problem], tol=tol, starts=[None], proof=False)
    fall = objective(problem, unproven) - objective(problem, tight)
    assert fall <= tol * problem.null_value
    assert 2 <= unproven.n_iter <= proven.n_iter
    assert unproven.converged == (unproven.gap <= tol)
    of_objective = problem.correlation_after(unproven.support, unproven.w[unproven.support], problem.offset(unproven))
    np.testing.assert_allclose(unproven.gradient, of_objective, atol=1e-12)


def objective(problem, solution):
    z = problem.prediction(solution.support, solution.w[solution.support], problem.offset(solution))
    return problem.datafit.value(problem.y, z, problem.design.weights) + problem.penalty.value(solution.w)

"""Blocks, groups of features and rows of coefficients: their penalties, the solver on them, their models."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.linear_model as peer
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from lambdahat import (
    CrossValidation,
    GradientSearch,
    GroupLasso,
    HeldOut,
    Lasso,
    MultiTaskElasticNet,
    MultiTaskLasso,
    Ridge,
    SparseGLM,
    SparseGroupLasso,
    hypergradient,
    path,
)
from lambdahat._validation import check_groups
from lambdahat.criteria import Data
from lambdahat.datafits import Logistic
from lambdahat.design import Design, as_storage
from lambdahat.linear import Curvature, by_row, rows_used
from lambdahat.penalties import Blockwise, group_lasso, l1, rows, sparse_group_lasso
from lambdahat.problem import Model
from lambdahat.solvers import alpha_max, polish, solve
from zoo import BLOCK_PENALTIES, ENTRYWISE, GROUP_PENALTIES, ROW_PENALTIES, STORAGES, labels, sample

P = 16


def coefficients(penalty, rng, targets=()):
    """Some blocks at zero, some coefficients of others too where they may be."""
    w = rng.normal(size=(P, *targets))
    w[rng.random(penalty.n_blocks)[penalty.labels] < 0.4] = 0.0
    if penalty.l1.any():
        w[rng.random(P) < 0.3] = 0.0
    w[penalty.excluded] = 0.0
    return w


def cases(names):
    return [(name, ()) for name in names] + [(name, (3,)) for name in names if name not in ENTRYWISE]


each = pytest.mark.parametrize(("name", "targets"), cases(BLOCK_PENALTIES))
seeded = pytest.mark.parametrize("seed", range(3))


# --- the penalty -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROW_PENALTIES)
@seeded
def test_entries_of_rows_have_the_penalty_of_their_rows(name, seed):
    """A row has several entries then, and its number is there several times."""
    penalty, rng = ROW_PENALTIES[name](P), np.random.default_rng(seed)
    columns = np.sort(rng.permutation(P)[:9]).astype(np.int32)
    entries = rng.random((columns.size, 3)) < 0.6
    W, V = np.where(entries, rng.normal(size=(2, columns.size, 3)), 0.0)
    W[penalty.restricted(columns).excluded] = 0.0
    on, some = penalty.restricted(columns), penalty.restricted(columns).of_entries(entries)
    assert some.value(W[entries]) == pytest.approx(on.value(W))
    np.testing.assert_allclose(some.prox(W[entries], 0.3), on.prox(W, 0.3)[entries])
    np.testing.assert_array_equal(some.excluded, np.repeat(on.excluded, entries.sum(axis=1)))
    of_many = some.hyperparam_vjp_of_many(W[entries][None], V[entries][None])
    np.testing.assert_allclose(of_many, on.hyperparam_vjp_of_many(W[None], V[None]))
    inside = np.flatnonzero(W[entries] != 0.0).astype(np.int32)
    bent = some.restricted(inside).curvature(W[entries][inside]) @ V[entries][inside]
    rows = np.flatnonzero(W.any(axis=1)).astype(np.int32)
    expected = np.zeros_like(W)
    expected[rows] = on.restricted(rows).curvature(W[rows]) @ np.where(W != 0.0, V, 0.0)[rows]
    np.testing.assert_allclose(bent, expected[entries][inside])


@each
@seeded
def test_prox_minimises(name, targets, seed):
    penalty, rng, step = BLOCK_PENALTIES[name](P), np.random.default_rng(seed), 2.0
    z = rng.normal(size=(P, *targets))
    found = penalty.prox(z, step)

    def objective(u):
        return 0.5 * np.sum((u - z) ** 2) + step * penalty.value(u)

    assert np.all(penalty.subdiff_distance(found, (found - z) / step)[~penalty.excluded] < 1e-13)
    assert not found[penalty.excluded].any()
    moves = rng.normal(size=(200, P, *targets)) * 10.0 ** rng.uniform(-6, 0, size=(200, P, *([1] * len(targets))))
    moves[:, penalty.excluded] = 0.0
    assert min(objective(found + move) for move in moves) >= objective(found) - 1e-14


@each
@seeded
def test_the_subdifferential_is_where_the_penalty_is_supported(name, targets, seed):
    """A gradient is as far from it as the steepest descent of the objective says."""
    penalty, rng = BLOCK_PENALTIES[name](P), np.random.default_rng(seed)
    w, gradient = coefficients(penalty, rng, targets), 0.2 * rng.normal(size=(P, *targets))
    distance = penalty.subdiff_distance(w, gradient)
    h = 1e-7
    for block in range(penalty.n_blocks):
        columns = np.flatnonzero(penalty.labels == block)
        if penalty.excluded[columns[0]]:
            continue

        def change(d, columns=columns):
            moved = w.copy()
            moved[columns] += h * d
            return (penalty.value(moved) - penalty.value(w)) / h + float(np.vdot(gradient[columns], d))

        directions = rng.normal(size=(300, columns.size, *targets))
        steepest = max(0.0, *(-change(d / np.linalg.norm(d)) for d in directions))
        assert steepest <= distance[columns[0]] + 1e-5
        assert np.ptp(distance[columns]) == 0.0
        if columns.size * np.prod(targets, dtype=int) <= 1:
            assert steepest == pytest.approx(distance[columns[0]], abs=1e-5)


@each
@seeded
def test_derivatives(name, targets, seed):
    penalty, rng, h = BLOCK_PENALTIES[name](P), np.random.default_rng(seed), 1e-6
    w = coefficients(penalty, rng, targets)
    S = penalty.generalized_support(w)
    on, w_S, v = penalty.restricted(S), w[S], rng.normal(size=(S.size, *targets))

    def value(theta=None, move=0.0):
        there = penalty if theta is None else penalty.with_hyperparams(theta)
        return there.restricted(S).value(w_S + move * v)

    slope = float(np.vdot(on.gradient(w_S), v))
    assert (value(move=h) - value(move=-h)) / (2 * h) == pytest.approx(slope, rel=1e-6, abs=1e-8)
    image = (on.gradient(w_S + h * v) - on.gradient(w_S - h * v)) / (2 * h)
    np.testing.assert_allclose(on.curvature(w_S) @ v, image, atol=1e-7)
    jacobian = penalty.hyperparam_jacobian(S, w_S)
    np.testing.assert_allclose(penalty.hyperparam_vjp(S, w_S, v), (jacobian * v).reshape(len(jacobian), -1).sum(axis=1))
    for k, row in enumerate(jacobian):
        up, down = (penalty.hyperparams + np.where(np.arange(len(jacobian)) == k, e, 0.0) for e in (h, -h))
        change = (penalty.with_hyperparams(up).restricted(S).gradient(w_S) -
                  penalty.with_hyperparams(down).restricted(S).gradient(w_S)) / (2 * h)  # fmt: skip
        np.testing.assert_allclose(row, change, atol=1e-7)


@pytest.mark.parametrize("name", BLOCK_PENALTIES)
@seeded
def test_prox_jacobian(name, seed):
    penalty, rng, h, step = BLOCK_PENALTIES[name](P), np.random.default_rng(seed), 1e-6, 1.5
    z, d = rng.normal(size=P), penalty.hyperparams.size
    dz, v = rng.normal(size=(d, P)), rng.normal(size=P)
    found = penalty.prox_jvp(z, step, dz)
    for k in range(d):
        move = np.where(np.arange(d) == k, h, 0.0)
        up = penalty.with_hyperparams(penalty.hyperparams + move).prox(z + h * dz[k], step)
        down = penalty.with_hyperparams(penalty.hyperparams - move).prox(z - h * dz[k], step)
        np.testing.assert_allclose(found[k], (up - down) / (2 * h), atol=1e-7)
    by_z, by_theta = penalty.prox_vjp(z, step, v)
    np.testing.assert_allclose(by_theta, penalty.prox_jvp(z, step, np.zeros((d, P))) @ v, atol=1e-14)
    rows_of = penalty.prox_jvp(z, step, np.eye(P)[:d]) - penalty.prox_jvp(z, step, np.zeros((d, P)))
    np.testing.assert_allclose(rows_of @ v, by_z[:d], atol=1e-14)


@each
def test_scaling_and_dual_norm(name, targets):
    penalty, rng = BLOCK_PENALTIES[name](P), np.random.default_rng(0)
    w, h = coefficients(penalty, rng, targets), rng.normal(size=(P, *targets))
    assert penalty.scaled(3.0).value(w) == pytest.approx(3.0 * penalty.value(w))
    kinked = penalty.without_kinked().excluded & ~penalty.excluded
    h[~kinked] = 0.0
    m, zero = penalty.dual_norm(h), np.zeros((P, *targets))
    assert np.all(penalty.strengthened(m * (1 + 1e-9)).subdiff_distance(zero, -h)[kinked] <= 1e-9)
    assert np.any(penalty.strengthened(0.999 * m).subdiff_distance(zero, -h)[kinked] > 0.0)


def test_only_blocks_of_one_column_are_standardised():
    scales, rng = np.linspace(0.5, 2.0, P), np.random.default_rng(0)
    W = rng.normal(size=(P, 3))
    penalty = ROW_PENALTIES["rows elastic net"](P)
    assert penalty.rescaled(scales).value(W) == pytest.approx(penalty.value(by_row(scales, W)))
    with pytest.raises(ValueError, match="standardize=True is for blocks of one column"):
        GROUP_PENALTIES["groups"](P).rescaled(scales)


def test_curvature_solves_and_adds():
    rng = np.random.default_rng(0)
    U, labels = 0.3 * rng.normal(size=6), np.array([0, 0, 1, 1, 1, 2])
    curvature, G = Curvature(np.full(6, 2.0), U, labels), np.zeros((6, 6))
    curvature.add_to(G)
    v = rng.normal(size=6)
    np.testing.assert_allclose(G @ v, curvature @ v)
    variances = np.linspace(0.5, 3.0, 6)
    np.testing.assert_allclose(curvature.inverse_after(variances)(v), np.linalg.solve(np.diag(variances) + G, v))


def test_curvature_of_rows_is_inverted_block_by_block():
    """Blocks of several rows of several targets, and what has no curvature at all."""
    rng = np.random.default_rng(1)
    U, labels = 0.3 * rng.normal(size=(4, 3)), np.array([0, 0, 1, 2])
    U[3] = 0.0
    curvature = Curvature(np.array([2.0, 2.0, 1.5, 0.0]), U, labels)
    variances, v = np.array([1.0, 2.0, 0.5, 0.0]), rng.normal(size=(4, 3))
    found = curvature.inverse_after(variances)(v)
    np.testing.assert_allclose(by_row(variances, found)[:3] + (curvature @ found)[:3], v[:3])
    np.testing.assert_array_equal(found[3], 0.0)


def test_curvature_along_a_block_that_has_none_left():
    """A block whose columns do not vary is flat along its coefficients: its inverse is that of the diagonal."""
    U = np.array([0.6, 0.8])
    inverse = Curvature(np.ones(2), U, np.zeros(2, dtype=np.intp)).inverse_after(np.zeros(2))
    np.testing.assert_allclose(inverse(np.array([3.0, 4.0])), [3.0, 4.0])


# --- the solver ------------------------------------------------------------------------------------------------------


def problem_of(name, s, storage="C", targets=(), datafit=None, fit_intercept=True, strength=1.0):
    rng = np.random.default_rng(1)
    y = s.y if not targets else s.y[:, None] + s.X @ rng.normal(size=(s.X.shape[1], *targets)) * 0.3
    if datafit is not None:
        y = np.where(s.y > np.median(s.y), 1.0, -1.0)
    options = {} if datafit is None else {"datafit": datafit}
    model = Model(lambda p, _: BLOCK_PENALTIES[name](p).scaled(strength), fit_intercept, **options)
    X = STORAGES[storage](s.X)
    return model.problems(as_storage(X), y, [s.weight])[0]


def assert_optimal(problem, solution, tol):
    assert solution.converged, solution.message
    z = problem.prediction(solution.support, solution.w[solution.support], problem.offset(solution))
    q = problem.residual(z)
    distance = problem.penalty.subdiff_distance(solution.w, -problem.design.gradient(q))
    unit = np.sqrt(2.0 * problem.null_value * problem.design.all_variances.max())
    assert np.all(distance[~problem.penalty.excluded] <= 3.0 * np.sqrt(tol) * unit)
    assert not solution.w[problem.penalty.excluded].any()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(60, 16), (30, 48)], ids=["tall", "wide"])
@each
def test_optimal(name, targets, shape, storage):
    problem = problem_of(name, sample(*shape), storage, targets)
    assert_optimal(problem, solve(problem, tol=1e-12), 1e-12)


@pytest.mark.parametrize("storage", ["C", "F", "csc"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", BLOCK_PENALTIES)
def test_optimal_with_the_logistic_loss(name, fit_intercept, storage):
    problem = problem_of(name, sample(60, 16), storage, datafit=Logistic(), fit_intercept=fit_intercept, strength=0.3)
    assert_optimal(problem, solve(problem, tol=1e-10), 1e-10)


@each
def test_alpha_max_is_exact(name, targets):
    problem = problem_of(name, sample(60, 16), targets=targets)
    kinked, m = problem.penalty.without_kinked().excluded, alpha_max(problem)
    for factor, empty in ((1.0 + 1e-6, True), (1.0 - 1e-3, False)):
        there = Problem_with(problem, problem.penalty.strengthened(factor * m))
        assert solve(there, tol=1e-12).w[kinked].any() != empty


def Problem_with(problem, penalty):
    from dataclasses import replace

    return replace(problem, penalty=penalty)


@pytest.mark.parametrize("storage", ["F", "csc"])
@pytest.mark.parametrize("targets", [1, 2])
def test_more_rows_than_a_gram_matrix_is_made_of(targets, storage):
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(30, 4000)), rng.normal(size=(4000, targets))
    X = as_storage(STORAGES[storage](X))
    problem = Model(lambda p, _: rows(p, 1e-5, 1.0)).problems(
        X, X.matvec_columns(np.arange(4000, dtype=np.int32), W), [np.ones(30)]
    )[0]
    solution = solve(problem, tol=1e-8)
    assert solution.support.size > 2500
    assert_optimal(problem, solution, 1e-8)


def test_groups_on_gathered_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6000))
    model = Model(lambda p, _: group_lasso(np.arange(p) // 50, 3e-3))
    problem = model.problems(as_storage(X), X[:, 0] + rng.normal(size=300), [np.ones(300)])[0]
    solution = solve(problem, tol=1e-6)
    assert solution.support.size > 2500
    assert_optimal(problem, solution, 1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(5, 40), st.integers(1, 30), st.integers(1, 4), st.floats(0.01, 0.9), st.integers(0, 10**6),
    st.sampled_from(list(STORAGES)), st.booleans(),
)  # fmt: skip
def test_groups_of_any_size_on_any_data(n, p, size, share, seed, storage, fit_intercept):
    s = sample(n, p, seed=seed)
    labels = np.random.default_rng(seed).permutation(np.arange(p) // size)
    model = Model(lambda p, _: sparse_group_lasso(labels, 1.0, 0.3), fit_intercept)
    problem = model.problems(as_storage(STORAGES[storage](s.X)), s.y, [s.weight])[0]
    strength = share * alpha_max(problem)
    if strength > 0.0:
        problem = problem.with_hyperparams(strength * problem.penalty.hyperparams)
        assert_optimal(problem, solve(problem, tol=1e-9), 1e-9)


@pytest.mark.parametrize("storage", STORAGES)
def test_groups_of_one_column_are_the_lasso(storage):
    s = sample(50, 20)
    X = STORAGES[storage](s.X)
    lasso = Lasso(0.1, tol=1e-14).fit(X, s.y, s.weight)
    for groups in (GroupLasso(None, 0.1, tol=1e-14), SparseGroupLasso(1, 0.05, tau=1.0, tol=1e-14)):
        np.testing.assert_allclose(groups.fit(X, s.y, s.weight).coef_, lasso.coef_, atol=1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_one_task_is_the_lasso(storage):
    s = sample(50, 20)
    X = STORAGES[storage](s.X)
    options = {"penalty_factors": np.linspace(0.5, 2.0, 20), "standardize": True, "tol": 1e-14}
    lasso = Lasso(0.1, **options).fit(X, s.y, s.weight)
    found = MultiTaskLasso(0.1, **options).fit(X, s.y[:, None], s.weight)
    np.testing.assert_allclose(found.coef_, lasso.coef_[None], atol=1e-6)
    np.testing.assert_allclose(found.intercept_, [lasso.intercept_], atol=1e-6)


def test_an_orthonormal_design_is_thresholded_block_by_block():
    X = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 6)))[0] * np.sqrt(30)
    y = X @ np.array([3.0, 4.0, 0.3, 0.4, 1.0, 0.0])
    found = GroupLasso(2, 1.0, group_weights=np.ones(3), fit_intercept=False, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(found.coef_, [2.4, 3.2, 0.0, 0.0, 0.0, 0.0], atol=1e-7)


def test_polishing_a_loose_solution_gains_digits():
    problem = problem_of("groups", sample(60, 16))
    exact = solve(problem, tol=1e-15).w
    loose = solve(problem, tol=1e-6)
    polished, _ = polish(problem, loose, 1e-6)
    assert np.abs(polished.w - exact).max() < 0.1 * max(np.abs(loose.w - exact).max(), 1e-12)


# --- the models ------------------------------------------------------------------------------------------------------

MODELS = {
    "multi-task": MultiTaskLasso(0.1),
    "multi-task groups": MultiTaskLasso(0.1, groups=5),
    "multi-task elastic net": MultiTaskElasticNet(0.15, l1_ratio=0.6),
    "groups": GroupLasso(2, 0.1),
    "sparse groups": SparseGroupLasso(3, 0.05, tau=0.5),
}


def data_for(model, n=60, p=12, seed=0):
    s = sample(n, p, seed=seed)
    if not isinstance(model, MultiTaskLasso | MultiTaskElasticNet):
        return s.X, s.y, s.X_val, s.y_val
    W = np.random.default_rng(seed).normal(size=(p, 3)) * (np.arange(p) % 3 == 0)[:, None]
    return s.X, s.y[:, None] + s.X @ W, s.X_val, s.y_val[:, None] + s.X_val @ W


@parametrize_with_checks([MultiTaskLasso(), MultiTaskElasticNet(), GroupLasso(), SparseGroupLasso()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(60, 10), (40, 70)])
def test_agrees_with_scikit_learn(shape, fit_intercept):
    X, Y, X_val, Y_val = data_for(MODELS["multi-task"], *shape)
    options = {"fit_intercept": fit_intercept}
    for ours, theirs in (
        (MultiTaskLasso(0.1, tol=1e-14, **options), peer.MultiTaskLasso(0.1, tol=1e-14, max_iter=10**5, **options)),
        (
            MultiTaskElasticNet(0.1, l1_ratio=0.3, tol=1e-14, **options),
            peer.MultiTaskElasticNet(0.1, l1_ratio=0.3, tol=1e-14, max_iter=10**5, **options),
        ),
    ):
        ours.fit(X, Y), theirs.fit(X, Y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
        assert ours.score(X_val, Y_val) == pytest.approx(theirs.score(X_val, Y_val), abs=1e-6)


def proximal_gradient(X, Y, weight, labels, strengths, n_iter=20_000):
    """Accelerated proximal gradient for rows in groups, with an intercept: an independent minimiser."""
    s = weight / weight.sum()
    A, B = (np.sqrt(s)[:, None] * (M - s @ M) for M in (X, Y))
    step = 1.0 / np.linalg.eigvalsh(A.T @ A)[-1]
    W = V = np.zeros((X.shape[1], Y.shape[1]))
    t = 1.0
    for _ in range(n_iter):
        Z = V - step * (A.T @ (A @ V - B))
        norms = np.sqrt([np.sum(Z[labels == g] ** 2) for g in range(strengths.size)])
        new = (np.maximum(0.0, 1.0 - step * strengths / np.maximum(norms, 1e-300)))[labels][:, None] * Z
        t, before = (1.0 + np.sqrt(1.0 + 4.0 * t * t)) / 2.0, t
        V, W = new + (before - 1.0) / t * (new - W), new
    return W


@pytest.mark.parametrize("storage", ["C", "F", "csc"])
@pytest.mark.parametrize("shape", [(60, 12), (20, 32)], ids=["tall", "wide"])
def test_rows_in_groups_agree_with_proximal_gradient(shape, storage):
    """Groups whose columns are not neighbours, unlike factors, an intercept and weights."""
    X, Y, *_ = data_for(MODELS["multi-task groups"], *shape)
    groups = labels(shape[1])
    factors = np.linspace(0.5, 1.5, groups.max() + 1)
    weight = sample(*shape).weight
    options = {"groups": groups, "penalty_factors": factors, "tol": 1e-14}
    found = MultiTaskLasso(0.3, **options).fit(STORAGES[storage](X), Y, weight)
    expected = proximal_gradient(X, Y, weight, groups, 0.3 * factors)
    alive = {int(g) for g in groups[expected.any(axis=1)]}
    assert 0 < len(alive) < factors.size
    assert {int(g) for g in groups[found.coef_.any(axis=0)]} == alive
    np.testing.assert_allclose(found.coef_.T, expected, atol=2e-6)
    assert found.groups_.tolist() == groups.tolist()


def test_groups_of_one_row_are_rows_and_one_target_is_the_group_lasso():
    X, Y, *_ = data_for(MODELS["multi-task"])
    rows_alone = MultiTaskLasso(0.1, tol=1e-14).fit(X, Y).coef_
    np.testing.assert_allclose(MultiTaskLasso(0.1, groups=1, tol=1e-14).fit(X, Y).coef_, rows_alone, atol=1e-9)
    one = GroupLasso(3, 0.1, group_weights=np.ones(4), tol=1e-14).fit(X, Y[:, 0]).coef_
    np.testing.assert_allclose(MultiTaskLasso(0.1, groups=3, tol=1e-14).fit(X, Y[:, :1]).coef_, one[None], atol=1e-6)


def test_a_search_tunes_one_factor_a_group_of_rows():
    X, Y, X_val, Y_val = data_for(MODELS["multi-task"], p=24)
    judged = HeldOut(X_val, Y_val)
    one = GradientSearch(MultiTaskLasso(groups=4), criterion=judged).fit(X, Y)
    many = GradientSearch(MultiTaskLasso(groups=4), criterion=judged, hyperparams=["penalty_factors"]).fit(X, Y)
    assert many.best_params_["penalty_factors"].shape == (6,)
    assert many.best_criterion_ < one.best_criterion_
    with pytest.raises(ValueError, match=r"penalty_factors has shape \(24,\) but X has 6 groups"):
        MultiTaskLasso(groups=4, penalty_factors=np.ones(24)).fit(X, Y)


@pytest.mark.parametrize("method", ["implicit", "implicit_forward"])
@pytest.mark.parametrize("criterion", ["held-out", "cv"])
@pytest.mark.parametrize("storage", ["F", "csc"])
@pytest.mark.parametrize("name", MODELS)
def test_hypergradient(name, storage, criterion, method):
    model = MODELS[name]
    X, y, X_val, y_val = data_for(model)
    X = STORAGES[storage](X)
    judged = HeldOut(X_val, y_val) if criterion == "held-out" else CrossValidation(3)

    def at(parameters):
        there = type(model)(**{**model.get_params(), **parameters})
        return hypergradient(there, X, y, criterion=judged, tol=1e-13)

    found = hypergradient(model, X, y, criterion=judged, method=method, tol=1e-11)
    assert found.converged
    for slope, (hyperparam, value) in zip(found.gradient, found.hyperparams.items(), strict=True):
        h = 1e-5 * value
        expected = (at({hyperparam: value + h}).value - at({hyperparam: value - h}).value) / (2 * h)
        assert slope == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("method", ["forward", "backward"])
@pytest.mark.parametrize("name", ["groups", "sparse groups"])
def test_iterated_derivatives_of_groups(name, method):
    X, y, *_ = data_for(MODELS[name])
    found = hypergradient(MODELS[name], X, y, method=method, solver="proximal_gradient", tol=1e-9)
    expected = hypergradient(MODELS[name], X, y, tol=1e-13)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=1e-6)


def test_what_iterated_derivatives_cannot_do_is_said():
    X, y, *_ = data_for(MODELS["groups"])
    with pytest.raises(ValueError, match="use solver='proximal_gradient'"):
        hypergradient(MODELS["groups"], X, y, method="forward")
    X, y, *_ = data_for(MODELS["multi-task"])
    with pytest.raises(ValueError, match="are for one target"):
        hypergradient(MODELS["multi-task"], X, y, method="forward", solver="proximal_gradient")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("criterion", ["held-out", "cv"])
def test_a_search_is_no_worse_than_a_grid(name, criterion):
    model = MODELS[name]
    X, y, X_val, y_val = data_for(model, n=80, p=24)
    judged = HeldOut(X_val, y_val) if criterion == "held-out" else CrossValidation(4)
    search = GradientSearch(model, criterion=judged, hyperparams=["alpha"]).fit(X, y)
    grid = GradientSearch(model, criterion=judged, hyperparams=["alpha"], optimizer="grid", max_evals=40).fit(X, y)
    assert search.best_criterion_ <= grid.best_criterion_ * (1 + 1e-4)
    assert search.best_estimator_.predict(X_val).shape == np.shape(y_val)
    assert search.n_evals_ < 40


def test_one_factor_a_row_or_a_group_is_tuned():
    X, Y, X_val, Y_val = data_for(MODELS["multi-task"], p=24)
    one = GradientSearch(MultiTaskLasso(), criterion=HeldOut(X_val, Y_val)).fit(X, Y)
    many = GradientSearch(MultiTaskLasso(), criterion=HeldOut(X_val, Y_val), hyperparams=["penalty_factors"]).fit(X, Y)
    assert many.best_criterion_ < one.best_criterion_
    assert many.best_params_["penalty_factors"].shape == (24,)
    groups = GradientSearch(GroupLasso(4), hyperparams=["group_weights"], max_evals=40).fit(X, Y[:, 0])
    assert groups.best_params_["group_weights"].shape == (6,)
    with pytest.raises(ValueError, match="tune one or the other"):
        GradientSearch(GroupLasso(4), hyperparams=["alpha", "group_weights"]).fit(X, Y[:, 0])


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_repetitions(name):
    model = type(MODELS[name])(**{**MODELS[name].get_params(), "tol": 1e-14})
    X, y, *_ = data_for(model)
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    once = model.fit(X, y, weight).coef_
    np.testing.assert_allclose(
        model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)).coef_, once, atol=1e-6
    )


@pytest.mark.parametrize("name", MODELS)
def test_path_and_warm_start(name):
    model = MODELS[name]
    X, y, X_val, y_val = data_for(model)
    found = path(model, X, y, n_alphas=8, X_val=X_val, y_val=y_val)
    assert found.coefs.shape == (*np.shape(y)[1:], 12, 8)[::-1][::-1] or found.coefs.shape == (12, *np.shape(y)[1:], 8)
    assert found.support_sizes[0] == 0 < found.support_sizes[-1]
    assert np.all(found.gaps <= model.tol)
    warm = type(model)(**{**model.get_params(), "warm_start": True, "tol": 1e-10}).fit(X, y)
    assert warm.fit(X, y).n_iter_ <= 1


def test_tuning_does_not_depend_on_threads():
    X, Y, *_ = data_for(MODELS["multi-task"])
    found = [GradientSearch(MultiTaskLasso(), n_jobs=jobs).fit(X, Y).best_params_["alpha"] for jobs in (1, 2)]
    assert found[0] == found[1]


def test_an_update_by_the_gram_matrix_is_a_pass():
    """Few rows move, of many targets: gradients are brought up to date without a pass over X for each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 500))
    Y = X[:, :2] @ rng.normal(size=(2, 60)) + 0.1 * rng.normal(size=(40, 60))
    problem = Model(lambda p, _: rows(p, 1.0, 0.0)).problems(as_storage(X), Y, [np.ones(40)])[0]
    problem = problem.with_hyperparams(np.array([0.3 * alpha_max(problem), 0.0]))
    solution = solve(problem, tol=1e-12)
    assert 0 < solution.support.size < 20
    z = problem.prediction(solution.support, solution.w[solution.support])
    np.testing.assert_allclose(solution.gradient, problem.design.gradient(problem.residual(z)), atol=1e-12)


# --- groups as users say them, and what cannot be used ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, [0, 1, 2, 3, 4]),
        (2, [0, 0, 1, 1, 2]),
        ([2, 3], [0, 0, 1, 1, 1]),
        (np.array([3, 1, 1]), [0, 0, 0, 1, 2]),
        ([7, 7, 3, 3, 5], [2, 2, 0, 0, 1]),
        (["b", "a", "b", "a", "c"], [1, 0, 1, 0, 2]),
        ([[0, 4], [1], [2, 3]], [0, 1, 2, 2, 0]),
        ([range(2), np.array([4, 3]), [2]], [0, 0, 2, 1, 1]),
        ([{0, 4}, {1}, frozenset([2, 3])], [0, 1, 2, 2, 0]),
        (([4], 3, (0, 1, 2)), [2, 2, 2, 1, 0]),
        ({"old": [3, 4], "young": (0, 1, 2)}, [1, 1, 1, 0, 0]),
        (np.array(["b", "a", "b", "a", "c"], dtype=object), [1, 0, 1, 0, 2]),
        (pd.Series(["b", "a", "b", "a", "c"], dtype="category"), [1, 0, 1, 0, 2]),
        (pl.Series([7, 7, 3, 3, 5]), [2, 2, 0, 0, 1]),
        (np.array([True, False, True, True, False]), [1, 0, 1, 1, 0]),
        ([1, 1, 1, 1, 1], [0, 0, 0, 0, 0]),  # as many as columns: labels, not sizes
        ([5], [0, 0, 0, 0, 0]),
    ],
)
def test_groups(groups, expected):
    s = sample(30, 5)
    assert GroupLasso(groups, 0.01).fit(s.X, s.y).groups_.tolist() == expected


def test_a_square_array_of_numbers_is_lists_of_columns():
    assert check_groups(np.array([[0, 3], [2, 1]]), 4).tolist() == [0, 1, 1, 0]


LABELS = np.array(["b", "a", "b", "c", "a", "b"])
SAME_GROUPS = [
    LABELS,
    LABELS.tolist(),
    [2, 1, 2, 3, 1, 2],
    [[1, 4], [0, 2, 5], [3]],
    {"a": [4, 1], "b": [0, 2, 5], "c": [3]},
]


@pytest.mark.parametrize(
    "make",
    [
        lambda groups: GroupLasso(groups, 0.1, group_weights=[1.0, 2.0, 0.5]),
        lambda groups: SparseGroupLasso(groups, 0.1, group_weights=[1.0, 2.0, 0.5]),
        lambda groups: SparseGLM("huber", "group", alpha=0.1, groups=groups, group_weights=[1.0, 2.0, 0.5]),
        lambda groups: SparseGLM("huber", "sparse_group", alpha=0.1, groups=groups, group_weights=[1.0, 2.0, 0.5]),
        lambda groups: Ridge(groups=groups, penalty_factors=[1.0, 2.0, 0.5]),
    ],
    ids=["group", "sparse group", "huber group", "huber sparse group", "ridge"],
)
def test_labels_and_lists_say_the_same(make):
    """In a fit, in a search, and for the weights, which come in the order of the sorted labels."""
    s = sample(30, 6)
    first, *rest = (make(groups).fit(s.X, s.y).coef_ for groups in SAME_GROUPS)
    for coef in rest:
        np.testing.assert_array_equal(coef, first)
    chosen = [GradientSearch(make(groups), max_evals=8).fit(s.X, s.y).best_params_ for groups in SAME_GROUPS]
    assert all(one == chosen[0] for one in chosen)
    clone(make(SAME_GROUPS[0]))


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            [[0, 1], [1, 2], [3, 4]],
            "column 1 is in more than one place of groups: overlapping groups are not supported",
        ),
        ([[0, 1, 1], [2, 3, 4]], "column 1 is in more than one place"),
        ({"a": [0, 1], "b": [1, 2, 3, 4]}, "column 1 is in more than one place"),
        ({"a": [0, 1], "b": [2, 5]}, "group 'b' is no list of columns of X"),
        ([["age", "sex"], ["bmi"]], r"group 0 names 'age': pass the numbers of columns, of a frame X\.columns"),
        (["a", "b"], "groups has 2 entries but X has 5 columns: pass one label a column, or sizes with the sum 5"),
        ("ab", "groups has shape"),
        (["a", "b", None, "a", "b"], "groups has no label for column 2"),
        ([1, "b", 1, "a", "b"], "groups mixes labels of the types int, str, which have no order"),
        (np.array([1, "b", 1, "a", "b"], dtype=object), "groups mixes labels of the types int, str"),
        ([2, 2, 2], "groups has 3 entries but X has 5 columns"),
        ([5, 0], "groups has 2 entries but X has 5 columns"),
        ([[0, 1], [2, 3]], "column 4 is in no group"),
        ([[0, 1], [2, 3, 5], [4]], "group 1 is no list of columns of X"),
        ([[0, 1], [], [2, 3, 4]], "group 1 is no list of columns of X"),
        ([2, 2], "groups has 2 entries but X has 5 columns"),
        (0, "groups=0 is out of range"),
        (np.ones((5, 2)), "group 0 is no list|groups has shape"),
        ([0.5, 1.5, 2.5, 0.5, 0.5], "groups has shape"),
    ],
)
def test_groups_that_cannot_be_used(groups, sentence):
    s = sample(30, 5)
    with pytest.raises(ValueError, match=sentence):
        GroupLasso(groups, 0.01).fit(s.X, s.y)


def test_other_input_that_cannot_be_used():
    s = sample(30, 5)
    Y = np.column_stack([s.y, s.y**2])
    with pytest.raises(ValueError, match="for mono-task outputs use the model for one target"):
        MultiTaskLasso().fit(s.X, s.y)
    with pytest.raises(ValueError, match="y has 29: Found input"):
        MultiTaskLasso().fit(s.X, Y[:-1])
    Y[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"y contains NaN \(first in row 3, column 1\)"):
        MultiTaskLasso().fit(s.X, Y)
    Y[3, 1] = 0.0
    with pytest.raises(ValueError, match="y_val has 1 targets but y has 2"):
        GradientSearch(MultiTaskLasso(), criterion=HeldOut(s.X, Y[:, :1])).fit(s.X, Y)
    with pytest.raises(ValueError, match=r"group_weights has shape \(3,\) but X has 5 groups: pass one factor a group"):
        GroupLasso(group_weights=np.ones(3)).fit(s.X, s.y)
    with pytest.raises(ValueError, match=r"tau=-1\.0 is out of range"):
        SparseGroupLasso(tau=-1.0).fit(s.X, s.y)
    with pytest.raises(ValueError, match="scale the columns beforehand"):
        GroupLasso(2, standardize=True).fit(s.X, s.y)
    with pytest.raises(ValueError, match="y is constant"):
        GradientSearch(MultiTaskLasso()).fit(s.X, np.ones((30, 2)))


def test_constant_targets_and_columns():
    s = sample(30, 5)
    X = s.X.copy()
    X[:, 2] = 3.0
    found = MultiTaskLasso(0.01, tol=1e-12).fit(X, np.column_stack([s.y, np.ones(30)]))
    assert not found.coef_[:, 2].any()
    np.testing.assert_allclose(found.coef_[1], 0.0, atol=1e-12)
    assert "y is constant" in MultiTaskLasso().fit(X, np.ones((30, 2))).status_


def test_blocks_know_their_columns():
    penalty = group_lasso(np.array([1, 0, 1, 2]), 1.0)
    assert isinstance(penalty, Blockwise)
    assert penalty.whole_blocks(np.array([2, 3], dtype=np.int32)).tolist() == [0, 2, 3]
    assert rows_used(np.array([[0.0, 1.0], [0.0, 0.0]])).tolist() == [0]
    assert l1(3, 1.0).whole_blocks(np.array([2], dtype=np.int32)).tolist() == [2]
    data = Data(as_storage(np.eye(3)), np.ones((3, 2)), np.ones(3), np.eye(3))
    assert Design.create(data.storage, data.sample_weight, center=True, standardize=False).gradient(data.y).shape == (
        3,
        2,
    )

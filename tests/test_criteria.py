"""Criteria: each fold's error and gradient against plain NumPy, whichever way the fold is represented."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import RepeatedKFold

from lambdahat.criteria import CrossValidation, HeldOut
from lambdahat.design import normal
from lambdahat.problem import Model
from lambdahat.solvers import alpha_max, solve
from zoo import CRITERIA, PENALTIES, STORAGES, Sample, sample

S = sample()


def model(fit_intercept=True, standardize=False):
    return Model(lambda p, _: PENALTIES["l1"](p), fit_intercept, standardize)


def validation_rows(fold):
    """X, y of the rows that judge a fold."""
    same = fold.validation.design.storage is fold.problem.design.storage
    return (S.X, S.y) if same else (S.X_val, S.y_val)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("storage", ["C", "F float32", "csc"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_error_and_gradient(criterion, weighted, storage, fit_intercept, standardize):
    for fold in CRITERIA[criterion](S).folds(model(fit_intercept, standardize), S.data(storage, weighted)):
        train = fold.problem.design.weights
        mean, y_mean = (train @ S.X, train @ S.y) if fit_intercept else (np.zeros(12), 0.0)
        X, y = validation_rows(fold)
        X, y, weights = X - mean, y - y_mean, fold.validation.design.weights
        assert weights.sum() == pytest.approx(1.0)
        support, w = np.array([0, 3, 4, 7], dtype=np.int32), np.array([1.0, -0.5, 0.2, 2.0])
        value, gradient, _ = fold.validation.error(support, w)
        residual = y - X[:, support] @ w
        assert value == pytest.approx(weights @ residual**2, rel=1e-10)
        np.testing.assert_allclose(gradient, -2.0 * X[:, support].T @ (weights * residual), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_training_and_validation_rows_are_apart(criterion):
    for fold in CRITERIA[criterion](S).folds(model(), S.data("C", weighted=False)):
        if fold.validation.design.storage is fold.problem.design.storage:
            assert not np.any((fold.problem.design.weights > 0.0) & (fold.validation.design.weights > 0.0))


@pytest.mark.parametrize("storage", STORAGES)
def test_folds_share_the_one_X(storage):
    data = S.data(storage)
    for fold in CrossValidation(4).folds(model(), data):
        assert fold.problem.design.storage is data.storage
        assert fold.validation.design.storage is data.storage


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("storage", ["C", "F float32"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_normal_equations_are_the_rows(fit_intercept, standardize, weighted, storage, shift, monkeypatch):
    """The same folds by their moments and by their rows, also where the columns lie far from zero."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(60, 8)) * 8) / 8 + np.round(shift * rng.random(8))
    s = Sample(X, X @ rng.normal(size=8) + rng.normal(size=60), rng.uniform(0.5, 2.0, size=60), X, X[:, 0])
    folds = CrossValidation(3).folds(model(fit_intercept, standardize), s.data(storage, weighted))
    monkeypatch.setattr(normal, "MOST_COLUMNS", 0)
    plain = CrossValidation(3).folds(model(fit_intercept, standardize), s.data(storage, weighted))
    for fold, other in zip(folds, plain, strict=True):
        assert fold.problem.normal is not None
        assert other.problem.normal is None
        scale = alpha_max(other.problem)
        assert alpha_max(fold.problem) == pytest.approx(scale, rel=1e-6)
        theta = np.array([0.05 * scale])
        w, v = (solve(f.problem.with_hyperparams(theta), tol=1e-13).w for f in (fold, other))
        np.testing.assert_allclose(w, v, atol=1e-5 * np.abs(v).max())
        support = np.flatnonzero(v).astype(np.int32)
        (value, gradient), (expected, slope) = (f.validation.error(support, v[support])[:2] for f in (fold, other))
        assert value == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(gradient, slope, atol=1e-5 * np.abs(slope).max())


def test_overlapping_folds():
    """Rows in many folds at once: as many groups of rows as there are patterns."""
    splits = list(RepeatedKFold(n_splits=5, n_repeats=6, random_state=0).split(S.X))
    folds = CrossValidation(splits).folds(model(), S.data("C", weighted=False))
    assert len(folds) == 30
    for fold, (train, test) in zip(folds, splits, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(fold.problem.design.weights), train)
        np.testing.assert_array_equal(np.flatnonzero(fold.validation.design.weights), test)


def test_a_row_drawn_twice_counts_twice():
    once, twice = np.arange(30), np.concatenate([np.arange(30), np.arange(10)])
    test = np.arange(30, 40)
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)
    drawn = CrossValidation([(twice, test)]).folds(model(), S.data("C", weighted=False))[0]
    weighted = CrossValidation([(once, test)]).folds(model(), replace_weight(weight))[0]
    np.testing.assert_allclose(drawn.problem.design.weights, weighted.problem.design.weights)


def replace_weight(weight):
    return replace(S.data("C"), sample_weight=weight)


def test_folds_count_the_same_whatever_their_size():
    folds = CrossValidation([(np.arange(30), np.arange(30, 32)), (np.arange(10), np.arange(10, 40))]).folds(
        model(), S.data("C")
    )
    assert [fold.weight for fold in folds] == [1.0, 1.0]


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_held_out_may_be_stored_otherwise(storage):
    plain = HeldOut(S.X_val, S.y_val).folds(model(), S.data("C"))[0]
    other = HeldOut(STORAGES[storage](S.X_val).astype(np.float32), S.y_val).folds(model(), S.data("csc"))[0]
    support, w = np.arange(4, dtype=np.int32), np.ones(4)
    assert other.validation.error(support, w)[0] == pytest.approx(plain.validation.error(support, w)[0])


def test_reprs_are_short_and_criteria_are_frozen():
    assert repr(CrossValidation(3)) == "CrossValidation(cv=3)"
    with pytest.raises(AttributeError):
        CrossValidation(3).cv = 4

"""The size of the noise, and strengths that need no tuning: against plain NumPy, simulations and fixed points."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from scipy.stats import binom
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import Lasso as ScikitLasso
from sklearn.linear_model import LassoCV as ScikitLassoCV

from lambdahat import (
    Lasso,
    LassoCV,
    SqrtLasso,
    baseline_covariance,
    estimate_noise,
    pivotal_alpha,
    simulated_alpha,
    theoretical_alpha,
)
from lambdahat.estimators import noise, theory
from lambdahat.inverse import whitener
from zoo import STORAGES

SPLIT = "refitted_cross_validation"


def draw(n, p, n_used, sigma, seed=0, scales=1.0):
    """Independent columns of a given scale, coefficients of ±1 per standard deviation, an intercept of 3."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    w = np.zeros(p)
    w[:n_used] = np.where(np.arange(n_used) % 2, -1.0, 1.0)
    return X * scales, X @ w + 3.0 + sigma * rng.normal(size=n)


# --- the noise: what it was drawn with -------------------------------------------------------------------------------

REGIMES = {  # rows, columns, of which matter, σ
    "tall": (300, 50, 4, 2.0),
    "wide": (120, 200, 3, 0.5),
    "nothing but noise": (200, 50, 0, 1.0),
}


@pytest.mark.parametrize("regime", REGIMES)
def test_refits_recover_the_noise(regime):
    """The mean of four estimates, whose standard deviation is σ/√(8n) at least, 2.9 % in the smallest case.

    Margins are three to four of these, plus what a false selection takes or a missed column of a half adds.
    """
    *shape, sigma = REGIMES[regime]
    samples = [draw(*shape, sigma, seed) for seed in range(4)]
    refit = np.mean([estimate_noise(X, y, correction="refit") for X, y in samples])
    assert refit == pytest.approx(sigma, rel=0.10)
    split = np.mean([estimate_noise(X, y, SPLIT, n_splits=1, random_state=0) for X, y in samples])
    assert split == pytest.approx(sigma, rel=0.12)


@pytest.mark.parametrize("regime", REGIMES)
def test_the_scaled_lasso_errs_as_it_is_said_to(regime):
    """Upwards, by a variance of |S| alpha² or so, to first order: all correlations of noise with S add to that."""
    n, p, n_used, sigma = REGIMES[regime]
    found = np.mean([estimate_noise(*draw(n, p, n_used, sigma, seed)) for seed in range(4)])
    bias = n_used * 2.0 * np.log(p) / n
    assert 0.93 * sigma <= found <= 1.07 * sigma * np.sqrt(1.0 + 2.0 * bias)
    if n_used:
        assert found >= sigma * np.sqrt(1.0 + 0.3 * bias)


def test_the_noise_does_not_depend_on_units():
    X, y = draw(80, 30, 3, 1.0)
    for options in ({"correction": "refit"}, {"correction": "degrees"}, {"method": SPLIT, "n_splits": 1}):
        expected = estimate_noise(X, y, random_state=0, **options)
        for factor in (1e-12, 1e6):
            found = estimate_noise(X, factor * y - 7.0 * factor, random_state=0, **options)
            assert found == pytest.approx(factor * expected, rel=1e-4)
        found = estimate_noise(X * np.geomspace(0.01, 100.0, 30) + 5.0, y, random_state=0, **options)
        assert found == pytest.approx(expected, rel=1e-4)


# --- the noise: how it is computed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["C", "F float32", "csr", "csc"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(80, 20), (50, 120)])
def test_the_scaled_lasso_is_a_fixed_point(shape, intercept, storage):
    """σ = ‖y − Xw‖/√n at the Lasso of the strength alpha σ: Sun & Zhang's iteration stays where it is."""
    X, y = draw(*shape, 3, 1.0)
    if storage == "F float32":
        X = X.astype(np.float32).astype(np.float64)
    alpha = np.sqrt(2.0 * np.log(shape[1]) / shape[0])
    sigma = estimate_noise(STORAGES[storage](X), y, fit_intercept=intercept, standardize=False)
    model = ScikitLasso(alpha * sigma, fit_intercept=intercept, tol=1e-10, max_iter=100_000).fit(X, y)
    residual = y - model.predict(X)
    assert sigma == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-4)
    degrees = shape[0] - np.count_nonzero(model.coef_) - intercept
    for correction, r in (("degrees", residual), ("refit", least_squares_residual(X, y, model.coef_, intercept))):
        found = estimate_noise(
            STORAGES[storage](X), y, correction=correction, fit_intercept=intercept, standardize=False
        )
        assert found == pytest.approx(np.sqrt(r @ r / degrees), rel=1e-4)


def least_squares_residual(X, y, coef, intercept):
    A = np.column_stack([X[:, coef != 0.0], np.ones((len(X), int(intercept)))])
    return y - A @ np.linalg.lstsq(A, y, rcond=None)[0]


def test_strengths_of_the_scaled_lasso():
    X, y = draw(80, 20, 3, 1.0)
    for alpha, same in (("universal", np.sqrt(2.0 * np.log(20.0) / 80.0)), ("pivotal", "pivotal"), (0.2, 0.2)):
        model = SqrtLasso(same, standardize=True, tol=1e-10).fit(X, y)
        expected = np.sqrt(np.mean((y - model.predict(X)) ** 2))
        assert estimate_noise(X, y, alpha=alpha) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("correction", [None, "degrees", "refit"])
def test_weights_are_repetitions(correction):
    X, y = draw(80, 20, 3, 1.0)
    times = np.random.default_rng(0).integers(0, 4, size=80)
    weighted = estimate_noise(X, y, correction=correction, sample_weight=times)
    repeated = estimate_noise(np.repeat(X, times, axis=0), np.repeat(y, times), correction=correction)
    assert weighted == pytest.approx(repeated, rel=1e-6)


def halves(rows, seed):
    return np.array_split(np.random.default_rng(seed).permutation(rows), 2)


@pytest.mark.parametrize("seed", [0, 3], ids=["cut", "whole"])
def test_refitted_cross_validation_by_hand(seed):
    """With scikit-learn's grid, so fine that columns selected are the same; of these no more than half the rows."""
    X, y = draw(80, 30, 3, 0.7, seed)
    weight = np.ones(80)
    weight[::9] = 0.0  # rows that are not there
    variances, sizes = [], []
    first, second = halves(np.flatnonzero(weight), 5)
    for a, b in ((first, second), (second, first)):
        parts = np.array_split(np.arange(a.size), 5)
        folds = [(np.setdiff1d(np.arange(a.size), part), part) for part in parts]
        coef = ScikitLassoCV(cv=folds, alphas=300, eps=1e-2, tol=1e-6, max_iter=20_000).fit(X[a], y[a]).coef_
        sizes.append(np.count_nonzero(coef))
        coef[np.argsort(-np.abs(coef) * X[a].std(axis=0))[b.size // 2 :]] = 0.0
        r = least_squares_residual(X[b], y[b], coef, True)
        variances.append(r @ r / (b.size - np.count_nonzero(coef) - 1))
    assert (max(sizes) > b.size // 2) == (seed == 0)
    for A in (X, scipy.sparse.csr_array(X)):
        options = {"n_splits": 1, "sample_weight": weight, "random_state": 5, "standardize": False}
        assert estimate_noise(A, y, SPLIT, **options) == pytest.approx(np.sqrt(np.mean(variances)), rel=1e-4)


@pytest.mark.parametrize("intercept", [True, False])
def test_a_refit_is_least_squares_however_small_the_noise(intercept):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 10)) + 20.0
    columns = np.array([1, 4, 7])
    y = X[:, columns] @ [1.0, -2.0, 3.0] + 1e-5 * rng.normal(size=30)
    r = least_squares_residual(X, y, np.isin(np.arange(10), columns), intercept)
    found = noise._refitted(X, y, np.ones(30), columns, intercept)
    assert found == pytest.approx(r @ r / (27 - intercept), rel=1e-3)


def test_too_many_columns_are_cut_to_the_largest():
    X, y = draw(60, 200, 20, 0.1, scales=np.geomspace(0.1, 10.0, 200))
    rows = np.arange(60)
    many = noise._selected(X, y, np.ones(60), rows, 60, 5, standardize=True)
    few = noise._selected(X, y, np.ones(60), rows, 6, 5, standardize=True)
    assert many.size > 6
    assert few.size == 6
    folds = [(np.setdiff1d(rows, part), part) for part in np.array_split(rows, 5)]
    coef = np.abs(LassoCV(cv=folds, standardize=True).fit(X, y).coef_) * X.std(axis=0)
    assert set(few) == set(np.argsort(-coef)[:6])
    # the same through the door: 30 rows a half keep 15 columns at most, and a finite estimate comes of it
    assert np.isfinite(estimate_noise(X, y, SPLIT, n_splits=1, random_state=0))


def test_splits_are_averaged_and_repeatable():
    X, y = draw(60, 15, 2, 1.0)
    three = [estimate_noise(X, y, SPLIT, n_splits=3, random_state=seed) for seed in (0, 0, 1)]
    assert three[0] == three[1] != three[2]
    rng = np.random.default_rng(0)  # a generator goes on where it stopped
    ones = [estimate_noise(X, y, SPLIT, n_splits=1, random_state=rng) for _ in range(3)]
    assert three[0] == pytest.approx(np.sqrt(np.mean(np.square(ones))))


# --- several channels ------------------------------------------------------------------------------------------------


def recording(n_channels=12, n_times=400, rank=12, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n_channels, rank))
    return 1e-13 * (mixing @ rng.normal(size=(rank, n_times)) + 4.0)  # a magnetometer's Tesla


def test_a_baseline_without_shrinkage():
    B = recording()
    np.testing.assert_allclose(baseline_covariance(B, shrink=False), np.cov(B, bias=True), rtol=1e-9, atol=1e-37)


@pytest.mark.parametrize("n_times", [400, 8])
def test_a_baseline_is_shrunk(n_times):
    B = recording(n_times=n_times) * 1e13
    np.testing.assert_allclose(baseline_covariance(B), ledoit_wolf(B.T)[0], atol=1e-9)
    np.testing.assert_allclose(1e26 * baseline_covariance(1e-13 * B), ledoit_wolf(B.T)[0], atol=1e-9)  # no units
    assert whitener(baseline_covariance(B)).shape == (12, 12)


@pytest.mark.parametrize("shrink", [True, False])
def test_directions_that_were_projected_out_stay_out(shrink):
    B = recording(rank=7)
    C = baseline_covariance(B, shrink=shrink)
    W = whitener(C)
    assert W.shape == (7, 12)
    np.testing.assert_allclose(W @ C @ W.T, np.eye(7), atol=1e-8)
    np.testing.assert_allclose(W.T @ W @ C @ W.T @ W, W.T @ W, rtol=1e-6, atol=1e-6 * np.abs(W.T @ W).max())
    out = np.linalg.svd(B - B.mean(axis=1, keepdims=True))[0][:, 7:]
    assert np.abs(out.T @ C @ out).max() <= 1e-12 * np.abs(C).max()


def test_whitened_noise_is_white():
    B = recording(n_times=5000)
    W = whitener(baseline_covariance(B[:, :2500], shrink=False))
    # both halves know a variance to √(2/2500), 2.8 %: four standard deviations of both
    np.testing.assert_allclose(np.cov(W @ B[:, 2500:]), np.eye(12), atol=0.16)


# --- strengths by formula --------------------------------------------------------------------------------------------


def test_formulas():
    X = np.random.default_rng(0).normal(size=(90, 40))
    expected = 2.0 * 3.0 * np.sqrt(2.0 * np.log(40.0 / 0.1) / 90.0)
    assert theoretical_alpha(X, 3.0, 0.1) == pytest.approx(expected, rel=1e-12)
    assert theoretical_alpha(scipy.sparse.csr_array(X), 3.0, 0.1) == pytest.approx(expected, rel=1e-12)
    assert theoretical_alpha(X, 3.0, 0.1, sample_weight=np.full(90, 4.0)) == pytest.approx(expected / 2.0, rel=1e-12)
    assert pivotal_alpha(90, 40, 0.1) == pytest.approx(expected / 3.0, rel=1e-12)


@pytest.mark.parametrize("delta", [0.5, 0.05])
def test_noise_stays_below_half_the_formula(delta):
    """Twice the noise's correlation is below it in 1 − δ of samples: it is a bound, so that no margin is needed below.

    Of 2000 draws, more than three standard deviations beyond 2000 δ exceed it with probability 0.001.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 30))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    most = binom.isf(1e-3, 2000, delta)
    noise = 2.0 * rng.normal(size=(60, 2000))
    maxima = np.abs(X.T @ noise).max(axis=0) / 60.0
    assert np.count_nonzero(2.0 * maxima > theoretical_alpha(X, 2.0, delta)) <= most
    noise -= noise.mean(axis=0)
    ratios = maxima / np.sqrt(np.mean(noise**2, axis=0))
    assert np.count_nonzero(2.0 * ratios > pivotal_alpha(60, 30, delta)) <= most


def test_columns_of_other_sizes_are_told_of_once():
    X = np.random.default_rng(0).normal(size=(60, 5)) * [1.0, 1.0, 1.0, 1.0, 10.0]
    X[:, 1] = 7.0  # constant: it never enters
    with pytest.warns(UserWarning, match=r"root mean squares from .* to .*standardize=True here") as caught:
        alpha = theoretical_alpha(X, 1.0)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert theoretical_alpha(X, 1.0, standardize=True) == alpha
        theoretical_alpha(X[:, :4] + 30.0, 1.0)  # what is seen is centred
    with pytest.warns(UserWarning, match="root mean squares"):
        theoretical_alpha(X[:, :4] + 30.0, 1.0, fit_intercept=False)


# --- strengths by simulation -----------------------------------------------------------------------------------------


def correlated(n=60, p=25, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 2.0 * rng.normal(size=(n, 1))
    X[np.abs(X) < 0.5] = 0.0
    return X * np.geomspace(0.3, 3.0, p) + np.where(np.arange(p) % 5, 0.0, 1.0)


def seen(X, intercept, standardize):
    return (X - X.mean(axis=0) * intercept) / (X.std(axis=0) if standardize else 1.0)


@pytest.mark.parametrize("options", [(True, False), (True, True), (False, False)], ids=["", "scaled", "no intercept"])
@pytest.mark.parametrize("sigma", [None, 3.0])
def test_fresh_noise_stays_below_the_quantile(sigma, options):
    """At slack 1, 1 − δ of fresh draws: both ways, with four standard deviations of draws and of simulations."""
    X, delta = correlated(), 0.1
    intercept, standardize = options
    alpha = simulated_alpha(
        X, sigma, delta, slack=1.0, n_simulations=4000, fit_intercept=intercept, standardize=standardize, random_state=0
    )
    noise = (7.0 if sigma is None else sigma) * np.random.default_rng(1).normal(size=(60, 4000))
    noise -= noise.mean(axis=0) * intercept
    maxima = np.abs(seen(X, *options).T @ noise).max(axis=0) / 60.0
    if sigma is None:
        maxima /= np.sqrt(np.mean(noise**2, axis=0))
    margin = 4.0 * np.sqrt(2.0 * delta * (1.0 - delta) / 4000.0)
    assert np.mean(maxima > alpha) == pytest.approx(delta, abs=margin)


@pytest.mark.parametrize("options", [(True, False), (True, True), (False, False)], ids=["", "scaled", "no intercept"])
@pytest.mark.parametrize("sigma", [None, 3.0])
def test_the_quantile_is_an_order_statistic(sigma, options):
    """Of the same draws in plain NumPy, the ⌈(1 − δ)(m + 1)⌉th of m: of 49 and δ = 0.1, the 45th."""
    X = correlated(n=8)
    intercept, standardize = options
    noise = np.random.default_rng(3).normal(size=(49, 8)).T
    noise -= noise.mean(axis=0) * intercept
    maxima = np.abs(seen(X, *options).T @ noise).max(axis=0) / 8.0
    maxima = maxima / np.sqrt(np.mean(noise**2, axis=0)) if sigma is None else sigma * maxima
    found = simulated_alpha(
        X, sigma, 0.1, n_simulations=49, fit_intercept=intercept, standardize=standardize, random_state=3
    )
    assert found == pytest.approx(1.1 * np.sort(maxima)[44], rel=1e-10)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("sigma", [None, 3.0])
def test_storages_and_blocks_do_not_matter(sigma, storage, monkeypatch):
    X = correlated()
    options = {"n_simulations": 100, "standardize": True, "random_state": 0}
    expected = simulated_alpha(X, sigma, **options)
    monkeypatch.setattr(theory, "_NUMBERS", 85 * 7)  # blocks of seven
    found = simulated_alpha(STORAGES[storage](X), sigma, **options)
    assert found == pytest.approx(expected, rel=1e-5 if "32" in storage else 1e-10)
    assert simulated_alpha(X, sigma, slack=2.2, **options) == pytest.approx(2.0 * expected)


@pytest.mark.parametrize("sigma", [None, 3.0])
def test_noise_of_repeated_rows_is_that_of_weights(sigma):
    """Medians of 4000 maxima, each known to about 1.25/√4000 of their standard deviation, which is a fifth of them."""
    X = correlated()
    times = np.random.default_rng(0).integers(0, 4, size=60)
    weighted, repeated = (
        simulated_alpha(A, sigma, 0.5, n_simulations=4000, sample_weight=s, random_state=seed)
        for seed, (A, s) in enumerate([(X, times), (np.repeat(X, times, axis=0), None)])
    )
    assert weighted == pytest.approx(repeated, rel=4.0 * np.sqrt(2.0) * 1.25 * 0.3 / np.sqrt(4000.0))


@pytest.mark.parametrize("sigma", [None, 3.0])
def test_weights_below_one_are_fewer_rows(sigma):
    """The Lasso's noise grows by the root, and so does what the square-root Lasso is asked for, as its formulas are."""
    X = correlated()
    whole = simulated_alpha(X, sigma, random_state=0)
    assert simulated_alpha(X, sigma, sample_weight=np.full(60, 0.01), random_state=0) == pytest.approx(10.0 * whole)


def test_simulated_strengths_leave_noise_out():
    """No coefficient in 1 − δ of samples at least: with slack, fewer than δ of 60 have one."""
    X = correlated()
    rng = np.random.default_rng(0)
    alpha, pivotal = simulated_alpha(X, 2.0, random_state=0), simulated_alpha(X, random_state=0)
    noise = 2.0 * rng.normal(size=(60, 60)) + 5.0
    most = binom.isf(1e-3, 60, 0.05)
    assert sum(Lasso(alpha).fit(X, y).coef_.any() for y in noise) <= most
    assert sum(SqrtLasso(pivotal).fit(X, y).coef_.any() for y in noise) <= most
    assert sum(Lasso(0.5 * alpha).fit(X, y).coef_.any() for y in noise) > most


def test_correlated_columns_ask_for_less():
    rng = np.random.default_rng(0)
    X = 0.1 * rng.normal(size=(100, 500)) + rng.normal(size=(100, 1))
    simulated = simulated_alpha(X, 1.0, slack=2.0, standardize=True, random_state=0)
    assert simulated < 0.75 * theoretical_alpha(X, 1.0, standardize=True)


# --- bad input -------------------------------------------------------------------------------------------------------

X, Y = draw(30, 4, 1, 1.0)
BAD_NOISE = [
    ((X, Y, "lasso"), {}, "unknown method 'lasso': known are 'scaled_lasso', 'refitted_cross_validation'"),
    ((X, Y), {"correction": "refitted"}, "unknown correction 'refitted': did you mean 'refit'?"),
    ((X, Y), {"alpha": "best"}, "alpha='best' is unknown: pass a number, 'universal' or 'pivotal'"),
    ((X, Y), {"alpha": -1.0}, "alpha=-1.0 is out of range"),
    ((X, np.full(30, 2.0)), {}, "y is constant: there is no noise to be seen"),
    ((X, np.arange(30.0)), {"sample_weight": np.eye(30)[0] * 5.0}, "X has 1 rows in use"),
    ((X[:2], Y[:2]), {}, "X has 2 rows in use, whose weights have the sum 2: method='scaled_lasso' needs at least 3"),
    ((X[:19], Y[:19], SPLIT), {}, "needs at least 20, twice as many in each half as cv=5 folds"),
    ((X, Y), {"sample_weight": np.full(30, 0.05)}, "whose weights have the sum 1.5"),
    ((X, Y, SPLIT), {"n_splits": 0}, "n_splits=0 is out of range"),
    ((X, Y, SPLIT), {"cv": 1}, "cv=1 is out of range"),
    ((np.where(X > 2.0, np.nan, X), Y), {}, "X contains NaN"),
    ((X, np.where(Y > 3.0, np.nan, Y)), {}, "y contains NaN"),
    ((X, np.column_stack([Y, Y])), {}, "pass one target a row"),
    ((X[:5], Y[:5]), {"alpha": 0.001, "correction": "degrees"}, "4 columns in rows of weight 5 leave no degrees"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), BAD_NOISE, ids=[bad[2] for bad in BAD_NOISE])
def test_bad_noise_gets_a_sentence(arguments, options, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        estimate_noise(*arguments, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theoretical_alpha(X, 0.0), "sigma=0.0 is out of range"),
        (lambda: theoretical_alpha(X, np.nan), "sigma=nan is out of range"),
        (lambda: theoretical_alpha(X, "1"), "sigma='1' is not a number"),
        (lambda: theoretical_alpha(X, 1.0, 0.0), "delta=0.0 is out of range"),
        (lambda: theoretical_alpha(X, 1.0, 1.0), r"delta=1.0 is out of range: it must be in \(0, 1\)"),
        (lambda: theoretical_alpha(X, 1.0, np.nan), "delta=nan is out of range"),
        (lambda: theoretical_alpha(X[0], 1.0), "X has shape"),
        (lambda: pivotal_alpha(0, 3), "n=0 is out of range"),
        (lambda: pivotal_alpha(3, 2.5), "p=2.5 is out of range"),
        (lambda: pivotal_alpha(3, 3, 2.0), "delta=2.0 is out of range"),
        (lambda: simulated_alpha(X, -1.0), "sigma=-1.0 is out of range"),
        (lambda: simulated_alpha(X, slack=0.9), "slack=0.9 is out of range"),
        (lambda: simulated_alpha(X, delta=1.5), "delta=1.5 is out of range"),
        (lambda: simulated_alpha(X, delta=0.01, n_simulations=98), "too few .*: simulate at least 99"),
        (lambda: simulated_alpha(X, n_simulations=0), "n_simulations=0 is out of range"),
        (lambda: simulated_alpha(np.where(X > 2.0, np.inf, X)), "X contains infinity"),
        (lambda: simulated_alpha(np.full((9, 2), 0.1)), "no column of X varies"),
        (lambda: simulated_alpha(X[:1]), "no column of X varies"),
        (lambda: baseline_covariance(X[:, :1]), "baseline has 1 sample a channel"),
        (lambda: baseline_covariance(np.full((3, 9), 0.1)), "no channel of baseline varies"),
        (lambda: baseline_covariance(X[0]), "baseline has shape"),
        (lambda: baseline_covariance(np.where(X > 2.0, np.nan, X)), "baseline contains NaN"),
        (lambda: baseline_covariance(scipy.sparse.csr_array(X)), "baseline is sparse"),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()

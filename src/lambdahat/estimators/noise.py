"""How large the noise is: of one target from a sparse fit, of many channels from a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from lambdahat._validation import (
    check_container,
    check_count,
    check_finite,
    check_magnitude,
    check_name,
    check_real,
    check_rows,
)
from lambdahat.design import Design, as_storage
from lambdahat.estimators.cross_validated import LassoCV
from lambdahat.estimators.linear_models import Lasso
from lambdahat.estimators.square_root import SqrtLasso
from lambdahat.linear import Matrix, Vector

METHODS = ("scaled_lasso", "refitted_cross_validation")
CORRECTIONS = ("degrees", "refit")

_FEWEST = 3  # rows of a scaled Lasso
_TOL = 1e-10  # relative duality gaps: noise may be a small part of y


def estimate_noise(
    X: Any,
    y: Any,
    method: str = "scaled_lasso",
    *,
    alpha: Any = "universal",
    correction: str | None = None,
    n_splits: int = 5,
    cv: int = 5,
    fit_intercept: bool = True,
    standardize: bool = True,
    sample_weight: Any = None,
    random_state: Any = None,
) -> float:
    """Standard deviation of the noise in a sparse linear model, with more columns than rows or fewer.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n, p)
    y : array of shape (n,)
    method : {"scaled_lasso", "refitted_cross_validation"}, default "scaled_lasso"
        - ``"scaled_lasso"``: the σ of ``min_{w, σ} ‖y − b − Xw‖² / (2nσ) + σ/2 + alpha ‖w‖₁``, which is
          ``‖y − b − Xw‖ / √n`` of :class:`SqrtLasso` at the same strength. One fit, nothing random.
        - ``"refitted_cross_validation"``: rows are split into halves; a Lasso, tuned by cross-validation on one half,
          selects columns; least squares on these, in the other half, has residuals that no selection has seen. Both
          ways round, and over ``n_splits`` splits, variances are averaged.
    alpha : float, "universal" or "pivotal", default "universal"
        Strength of the scaled Lasso: ``√(2 log p / n)``, that of :class:`SqrtLasso`, or a number.
    correction : {None, "degrees", "refit"}, default None
        Of the scaled Lasso, where S are the columns selected. ``"degrees"`` divides the residuals' squares by their
        degrees of freedom, ``n − |S|`` less 1 for the intercept, instead of n: the estimate times
        ``√(n / (n − |S| − 1))``. ``"refit"`` does so with the residuals of least squares on S.
    n_splits : int, default 5
        Random splits of refitted cross-validation.
    cv : int, default 5
        Folds within a half, at least 2.
    fit_intercept : bool, default True
    standardize : bool, default True
        Penalise columns as if they had standard deviation 1, as the formulas of ``alpha`` suppose.
    sample_weight : array of shape (n,), optional
        Weights are repetitions: ``n`` is their sum. Refitted cross-validation keeps a row's repetitions in one half.
    random_state : int, Generator or None, default None
        Of the splits.

    Returns
    -------
    float
        In the units of y.

    Raises
    ------
    ValueError
        In one sentence, where an argument cannot be used, y is constant, there are too few rows, or no degrees of
        freedom are left.

    Warns
    -----
    ConvergenceWarning
        Where a fit does not end within its rounds.

    Notes
    -----
    The scaled Lasso errs both ways: coefficients follow the noise, which makes residuals too small, and are shrunk,
    which makes them too large, the more so the more columns matter: their variance by some ``|S| alpha²`` times. The
    second mostly prevails with the universal strength, so that ``"degrees"`` alone makes the estimate larger yet;
    ``"refit"`` is free of it, and errs downwards where columns were selected that do not matter. Where rows are so few
    that ``√(2 log p / n)`` is near 1, next to nothing can be selected, and the estimate nears the standard deviation of
    y. Noise below 1e-5 of y is out of its reach.

    Refitted cross-validation is free of the first, and of the second as long as no column that matters is missed in a
    half of the rows; it fits ``2 n_splits`` searches. Where more columns are selected than half the rows of the half
    they are refitted in, only as many are kept, those whose coefficient times standard deviation is largest.

    Both suppose noise of the same size in all rows.

    References
    ----------
    Sun & Zhang, *Scaled sparse linear regression*, Biometrika 2012: the joint minimisation, whose alternating steps
    end at the same point, degrees of freedom, and least squares on what was selected. Fan, Guo & Hao, *Variance
    estimation using refitted cross-validation in ultrahigh dimensional regression*, JRSS B 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import estimate_noise
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(estimate_noise(X, y))
    55
    """
    check_name(method, METHODS, "method")
    if correction is not None:
        check_name(correction, CORRECTIONS, "correction")
    check_count(n_splits, "n_splits")
    check_count(cv, "cv", low=2)
    X, y, weight = check_rows(X, y, sample_weight)
    if scipy.sparse.issparse(X):
        X = X.tocsc()  # once, for all fits
    rows = np.flatnonzero(weight)
    fewest = _FEWEST if method == "scaled_lasso" else 4 * cv
    if min(rows.size, weight.sum()) < fewest:
        raise ValueError(
            f"X has {rows.size} rows in use, whose weights have the sum {weight.sum():g}: method={method!r} needs at "
            f"least {fewest}" + (f", twice as many in each half as cv={cv} folds" if method != "scaled_lasso" else "")
        )
    if np.ptp(y[rows]) == 0.0:
        raise ValueError("y is constant: there is no noise to be seen, pass a target that varies")
    if method == "scaled_lasso":
        return _scaled_lasso(X, y, weight, alpha, correction, fit_intercept, standardize)
    rng = np.random.default_rng(random_state)
    variances = []
    for _ in range(n_splits):
        halves = np.array_split(rng.permutation(rows), 2)
        for chosen_on, refitted_on in (halves, halves[::-1]):
            there = np.zeros_like(weight)
            there[refitted_on] = weight[refitted_on]
            most = int(min(refitted_on.size, there.sum()) / 2.0)
            columns = _selected(X, y, weight, chosen_on, most, cv, fit_intercept=fit_intercept, standardize=standardize)
            variances.append(_refitted(X, y, there, columns, fit_intercept))
    return float(np.sqrt(np.mean(variances)))


def _scaled_lasso(
    X: Any, y: Vector, weight: Vector, alpha: Any, correction: str | None, fit_intercept: bool, standardize: bool
) -> float:
    n = float(weight.sum())
    if isinstance(alpha, str) and alpha == "universal":
        alpha = float(np.sqrt(2.0 * np.log(X.shape[1]) / n))
    elif not isinstance(alpha, str):
        check_real(alpha, "alpha")
    elif alpha != "pivotal":
        raise ValueError(f"alpha={alpha!r} is unknown: pass a number, 'universal' or 'pivotal'")
    model = SqrtLasso(alpha, fit_intercept=fit_intercept, standardize=standardize, tol=_TOL).fit(X, y, weight)
    if correction == "refit":
        return float(np.sqrt(_refitted(X, y, weight, np.flatnonzero(model.coef_), fit_intercept)))
    degrees = n
    if correction == "degrees":
        degrees = _degrees(n, np.count_nonzero(model.coef_), fit_intercept)
    return float(np.sqrt(weight @ (y - model.predict(X)) ** 2 / degrees))


def _selected(
    X: Any, y: Vector, weight: Vector, rows: NDArray[np.intp], most: int, cv: int, **options: bool
) -> NDArray[np.intp]:
    """Columns of a Lasso tuned on some rows, no more than ``most``: weights, not copies, leave out the others."""
    here = np.zeros_like(weight)
    here[rows] = weight[rows]
    parts = np.array_split(rows, cv)
    folds = [(np.setdiff1d(rows, part), part) for part in parts]
    coef = LassoCV(cv=folds, **options).fit(X, y, here).coef_
    columns = np.flatnonzero(coef)
    if columns.size > most:
        design = Design.create(as_storage(X), here, center=True, standardize=False)
        sizes = np.abs(coef[columns]) * np.sqrt(design.variances(columns.astype(np.int32)))
        columns = np.sort(columns[np.argsort(-sizes, kind="stable")[:most]])
    return columns


def _refitted(X: Any, y: Vector, weight: Vector, columns: NDArray[np.intp], fit_intercept: bool) -> float:
    """Variance of the residuals of least squares on some columns: a Lasso that excludes all others."""
    factors = np.full(X.shape[1], np.inf)
    factors[columns] = 0.0
    model = Lasso(penalty_factors=factors, fit_intercept=fit_intercept, tol=_TOL).fit(X, y, weight)
    degrees = _degrees(float(weight.sum()), columns.size, fit_intercept)
    return float(weight @ (y - model.predict(X)) ** 2 / degrees)


def _degrees(n: float, n_used: Any, fit_intercept: bool) -> float:
    """Degrees of freedom of the residuals, if there are any."""
    degrees = n - n_used - fit_intercept
    if degrees <= 0.0:
        raise ValueError(
            f"{n_used} columns in rows of weight {n:g} leave no degrees of freedom for the noise: pass more rows, rows "
            "of more weight, or a larger alpha"
        )
    return float(degrees)


def baseline_covariance(baseline: Any, *, shrink: bool = True) -> Matrix:
    """Covariance of the noise across channels, from samples without a signal, such as a recording before a stimulus.

    Parameters
    ----------
    baseline : array of shape (n_channels, n_times)
        Channels of one kind, in one unit: shrinkage moves their variances towards each other.
    shrink : bool, default True
        Towards a multiple of the identity, by as much as Ledoit & Wolf say. Where there are more times than channels
        and yet directions without any signal (after a projection, or signal-space separation), these are left out, and
        keep the variance zero.

    Returns
    -------
    array of shape (n_channels, n_channels)
        In squared units of the channels: ``Σ_t (b_t − mean)(b_t − mean)ᵀ / n_times`` without shrinkage.

    Raises
    ------
    ValueError
        In one sentence, where the baseline cannot be used, or no channel of it varies.

    References
    ----------
    Ledoit & Wolf, *A well-conditioned estimator for large-dimensional covariance matrices*, Journal of Multivariate
    Analysis 2004, equation 14, by scikit-learn.
    """
    B = _matrix(baseline, "baseline")
    n_channels, n_times = B.shape
    if n_times < 2:
        raise ValueError(f"baseline has {n_times} sample a channel: pass at least 2, of shape (n_channels, n_times)")
    B = np.where(np.ptp(B, axis=1, keepdims=True) > 0.0, B - B.mean(axis=1, keepdims=True), 0.0)
    values, vectors = _spectrum(B @ B.T / n_times)
    if values.size == 0:
        raise ValueError("no channel of baseline varies: there is no noise to be seen, pass samples that vary")
    if shrink:
        from sklearn.covariance import ledoit_wolf  # a tenth of a second at import, for this alone

        basis = vectors if n_times > n_channels else np.eye(n_channels)
        unit = np.sqrt(values[0])  # scikit-learn's squares of squares would vanish, in Tesla
        C = unit**2 * basis @ ledoit_wolf((basis.T @ B / unit).T, assume_centered=True)[0] @ basis.T
    else:
        C = B @ B.T / n_times
    return np.asarray(0.5 * (C + C.T))


def _matrix(values: Any, name: str) -> Matrix:
    """A finite float64 matrix, dense."""
    values = check_container(values, name)
    if scipy.sparse.issparse(values):
        raise ValueError(f"{name} is sparse: pass an array, such as its toarray()")
    matrix = np.asarray(values, dtype=np.float64)
    check_magnitude(check_finite(matrix, name), name, "its channels")
    return matrix


def _spectrum(C: Matrix) -> tuple[Vector, Matrix]:
    """Eigenvalues that are not zero but for rounding, from the largest on, and their vectors as columns."""
    values, vectors = np.linalg.eigh(C)
    kept = np.abs(values) > len(C) * np.finfo(np.float64).eps * np.abs(values).max()
    return values[kept][::-1], vectors[:, kept][:, ::-1]

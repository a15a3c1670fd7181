"""Strengths by formula and by simulation, without tuning: what the noise alone would ask for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from lambdahat._validation import check_count, check_real, check_rows
from lambdahat.design import Design, as_storage
from lambdahat.linear import Vector

_UNIT = (0.5, 2.0)  # root mean squares of columns that the formula is taken to be good for
_NUMBERS = 2**21  # noise and products of a block of simulations, 16 MB


def theoretical_alpha(
    X: Any,
    sigma: float,
    delta: float = 0.05,
    *,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: Any = None,
) -> float:
    """``2σ √(2 log(p/δ) / n)``: a strength of :class:`Lasso` for noise of a known size.

    With noise ``ε`` and columns ``x_j`` it is, with probability ``1 − δ`` at least, twice ``max_j |x_jᵀε| / n`` or
    more: the strength at which the Lasso's error is bounded in theory. It is an upper bound, mostly larger than the
    strength that predicts best.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n, p)
        Only its shape enters, and whether its columns are as the formula supposes.
    sigma : float
        Standard deviation of the noise, in the units of y; see :func:`estimate_noise`.
    delta : float, default 0.05
        Probability that the noise exceeds the bound, between 0 and 1.
    fit_intercept, standardize
        As of the Lasso that the strength is for.
    sample_weight : array of shape (n,), optional
        Weights are repetitions: ``n`` is their sum.

    Returns
    -------
    float
        In the scale of ``1/(2n) ‖y − b − Xw‖² + alpha ‖w‖₁``: in the units of y where columns are standardised.

    Raises
    ------
    ValueError
        In one sentence, where an argument cannot be used.

    Warns
    -----
    UserWarning
        Where columns (centred and scaled as the Lasso sees them) have root mean squares below 0.5 or above 2. The
        strength is that of the formula all the same.

    Notes
    -----
    What is supposed:

    - ``y = Xw* + ε`` with independent Gaussian ``ε_i`` of mean zero and the same standard deviation σ;
    - columns with ``‖x_j‖² = n``, that is of mean square 1 (``standardize=True`` makes them so). This can be seen, and
      is looked at; :func:`simulated_alpha` does without it;
    - for the bounds of the Lasso's error that follow from it, ``w*`` sparse and a restricted eigenvalue of X bounded
      from below: nobody can check that. Columns that are strongly correlated break it, and are also where the bound on
      the noise, a union over p columns as if they were independent, is too large.

    By ``2Φ(−u) ≤ exp(−u²/2)`` and the union bound ``P(max_j |x_jᵀε|/n > σ √(2 log(p/δ)/n)) ≤ δ``. A multiple of that,
    twice, is what theory asks for.

    References
    ----------
    Bickel, Ritov & Tsybakov, *Simultaneous analysis of Lasso and Dantzig selector*, Annals of Statistics 2009, theorem
    7.2: their ``r = Aσ √(log p / n)`` is this strength where their probability ``p^(1 − A²/8)`` is δ. Hastie,
    Tibshirani & Wainwright, *Statistical Learning with Sparsity*, 2015, chapter 11, has ``λ ≥ 2 ‖Xᵀε‖_∞ / n``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import Lasso, estimate_noise, theoretical_alpha
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alpha = theoretical_alpha(X, estimate_noise(X, y), standardize=True)
    >>> Lasso(alpha, standardize=True).fit(X, y).coef_.nonzero()[0].tolist()
    [2, 3, 8]
    """
    sigma, delta = check_real(sigma, "sigma", open_low=True), _check_level(delta)
    X, weight = _read(X, sample_weight)
    _warn_of_units(Design.create(as_storage(X), weight, center=fit_intercept, standardize=standardize))
    return sigma * _formula(float(weight.sum()), X.shape[1], delta)


def pivotal_alpha(n: int, p: int, delta: float = 0.05) -> float:
    """``2 √(2 log(p/δ) / n)``: a strength of :class:`SqrtLasso`, for noise of any size.

    That of :func:`theoretical_alpha` in units of σ, which the square-root Lasso's residuals stand for, and under the
    same assumptions. ``SqrtLasso(alpha="pivotal")`` takes a smaller one, 1.1 times the normal quantile of the union
    bound itself.

    Parameters
    ----------
    n : int
        Rows (with sample weights, their sum).
    p : int
        Columns, of mean square 1: ``SqrtLasso(alpha, standardize=True)``.
    delta : float, default 0.05
        Probability that the noise exceeds the bound, between 0 and 1.

    Returns
    -------
    float
        In the scale of ``‖y − b − Xw‖ / √n + alpha ‖w‖₁``.

    Raises
    ------
    ValueError
        In one sentence, where an argument is out of range.

    References
    ----------
    Bickel, Ritov & Tsybakov, Annals of Statistics 2009, theorem 7.2, for the constants. Belloni, Chernozhukov & Wang,
    Biometrika 2011, for σ that cancels.

    Examples
    --------
    >>> round(pivotal_alpha(442, 10), 3)
    0.31
    """
    return _formula(check_count(n, "n"), check_count(p, "p"), _check_level(delta))


def simulated_alpha(
    X: Any,
    sigma: float | None = None,
    delta: float = 0.05,
    *,
    slack: float = 1.1,
    n_simulations: int = 1000,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: Any = None,
    random_state: Any = None,
) -> float:
    """A quantile of what noise alone would ask for with these columns: correlations and scales are theirs.

    For :class:`Lasso`, where σ is given, ``slack`` times the ``1 − δ`` quantile of ``max_j |x_jᵀε| / n`` over Gaussian
    noise ``ε`` with that standard deviation; for :class:`SqrtLasso`, where it is not, of ``max_j |x_jᵀε| / (√n ‖ε‖)``,
    in which σ cancels. At or above these maxima all coefficients are zero when y is noise.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n, p)
        As it is passed to ``fit``; it is read block of simulations by block, and not copied.
    sigma : float, optional
        Standard deviation of the noise, in the units of y; see :func:`estimate_noise`.
    delta : float, default 0.05
        Probability that fresh noise exceeds the quantile, between 0 and 1.
    slack : float, default 1.1
        At least 1; theory wants more than 1. With 2 the strength is comparable with :func:`theoretical_alpha`.
    n_simulations : int, default 1000
        At least ``1/δ − 1``.
    fit_intercept, standardize
        As of the estimator that the strength is for: columns are centred and scaled alike.
    sample_weight : array of shape (n,), optional
        Weights are repetitions, each with noise of its own: ``n`` is their sum.
    random_state : int, Generator or None, default None

    Returns
    -------
    float
        In the scale of the estimator's ``alpha``.

    Raises
    ------
    ValueError
        In one sentence, where an argument cannot be used, or no column of X varies.

    Notes
    -----
    The quantile is the order statistic ``⌈(1 − δ)(m + 1)⌉`` of m simulations: fresh noise is below it with probability
    ``1 − δ`` at least, simulations included. Noise is supposed to be independent, Gaussian, and of the same size in all
    rows; nothing is supposed of X.

    References
    ----------
    Belloni, Chernozhukov & Wang, *Square-root lasso: pivotal recovery of sparse signals via conic programming*,
    Biometrika 2011: the exact one of their two choices of the penalty level (equation 10 is the asymptotic one), with
    their slack ``c``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import pivotal_alpha, simulated_alpha
    >>> X, y = load_diabetes(return_X_y=True)
    >>> simulated_alpha(X, slack=2.0, standardize=True, random_state=0) < pivotal_alpha(*X.shape)
    True
    """
    if sigma is not None:
        sigma = check_real(sigma, "sigma", open_low=True)
    delta, slack = _check_level(delta), check_real(slack, "slack", low=1.0)
    fewest = int(np.ceil(1.0 / delta - 1e-9)) - 1
    check_count(n_simulations, "n_simulations")
    if n_simulations < fewest:
        raise ValueError(
            f"n_simulations={n_simulations} are too few for a quantile at delta={delta:g}: simulate at least {fewest}"
        )
    X, weight = _read(X, sample_weight)
    design = Design.create(as_storage(X), weight, center=fit_intercept, standardize=standardize)
    rng = np.random.default_rng(random_state)
    maxima = _maxima(design, n_simulations, rng, relative=sigma is None, centred=fit_intercept)
    if not maxima.any():
        raise ValueError("no column of X varies: there is nothing to penalise, pass other features")
    rank = min(int(np.ceil((1.0 - delta) * (n_simulations + 1) - 1e-9)), n_simulations)
    return slack * (1.0 if sigma is None else sigma) * float(np.sort(maxima)[rank - 1])


def _formula(n: float, p: int, delta: float) -> float:
    return 2.0 * float(np.sqrt(2.0 * np.log(p / delta) / n))


def _maxima(design: Design, m: int, rng: np.random.Generator, *, relative: bool, centred: bool) -> Vector:
    """``max_j |x̃_jᵀε| / n`` of m draws of standard noise, over ``‖ε‖ / √n`` of each if ``relative``.

    A row of weight k is k rows: their noise enters by its sum, ``√k`` times a standard normal, and by its squares, what
    is around their mean being a chi-square of k − 1 degrees.
    """
    n, rows = design.total_weight, design.rows
    root = np.sqrt(design.weights[rows] / n)
    extra, share = n - rows.size, min(1.0, n / rows.size)  # less than a repetition is a row all the same
    within = rng.chisquare(extra, m) / n if extra > 0.0 else np.zeros(m)
    maxima = np.empty(m)
    step = max(1, _NUMBERS // sum(design.shape))
    for start in range(0, m, step):
        block = slice(start, min(start + step, m))
        noise = rng.standard_normal((block.stop - start, rows.size)).T
        q = np.zeros((design.shape[0], noise.shape[1]))
        q[rows] = root[:, None] * noise
        maxima[block] = np.max(np.abs(design.gradient(q)) / design.scales[:, None], axis=0)
        if relative:
            squares = np.einsum("it,it->t", noise, noise) / n - (q.sum(axis=0) ** 2 if centred else 0.0)
            norms = np.sqrt(np.maximum(share * squares + within[block], 0.0))
            maxima[block] = np.divide(maxima[block], norms, out=np.zeros(norms.size), where=norms > 0.0)
    return maxima


def _read(X: Any, sample_weight: Any) -> tuple[Any, Vector]:
    """X and weights, checked, without a target."""
    X, _, weight = check_rows(X, None, sample_weight, target=lambda y, n, *_: np.zeros(n))
    return X, weight


def _check_level(delta: Any) -> float:
    """A probability, neither 0 nor 1."""
    level = check_real(delta, "delta", high=1.0, open_low=True)
    if level == 1.0:
        raise ValueError(f"delta={delta!r} is out of range: it must be in (0, 1)")
    return level


def _warn_of_units(design: Design) -> None:
    sizes = np.sqrt(design.all_variances) / design.scales
    sizes = sizes[sizes > 0.0]  # constant columns never enter
    if sizes.size and not (_UNIT[0] <= sizes.min() and sizes.max() <= _UNIT[1]):
        warnings.warn(
            f"columns of X have root mean squares from {sizes.min():.3g} to {sizes.max():.3g}, where the formula "
            "supposes 1: pass standardize=True here and to the Lasso, with an intercept, or use simulated_alpha",
            UserWarning,
            stacklevel=3,
        )

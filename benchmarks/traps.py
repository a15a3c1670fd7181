"""Is the search trapped? 5-fold CV on 200 random problems, at the chosen λ and on a grid of 100 points."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csc_matrix
from sklearn.linear_model import lasso_path
from sklearn.model_selection import KFold

from .common import Options, Record, bar, pinned
from .data import Data, Matrix, autoregressive, response

PROBLEMS = 200
SPLITTER = KFold(5)
GRID = np.geomspace(1, 1e-3, 100)  # times λmax: scikit-learn's default
WORSE, SHARE = 2e-3, 0.01
TOLERANCES = (1e-5, 1e-7)  # scikit-learn's; the tight one decides where the loose one says worse


@dataclass(frozen=True)
class Setting:
    """The properties of one random problem, all drawn from its seed."""

    seed: int
    n: int
    p: int
    correlation: float
    snr: float
    support: int
    sparse: bool


def setting(seed: int) -> Setting:
    rng = np.random.default_rng(seed)
    n, p = int(rng.uniform(40, 301)), int(10 ** rng.uniform(1, 3))
    correlation, snr = rng.uniform(0, 0.9), float(10 ** rng.uniform(np.log10(0.3), 1))
    return Setting(seed, n, p, correlation, snr, int(rng.integers(1, min(n, p) // 2)), bool(seed % 2))


def problem(drawn: Setting) -> Data:
    rng = np.random.default_rng([drawn.seed, 1])
    X: Matrix = np.asfortranarray(autoregressive(drawn.n, drawn.p, drawn.correlation, rng))
    if drawn.sparse:
        X = csc_matrix(X * (rng.random(X.shape) < 0.2))
    return Data(X, response(X, drawn.support, drawn.snr, rng))


def criterion(data: Data, alphas: np.ndarray, tol: float = 1e-5) -> np.ndarray:
    """The mean squared error over the folds at decreasing λ's, by scikit-learn's fits."""
    errors = []
    for train, test in SPLITTER.split(data.X):
        X, y = data.X[train], data.y[train]
        coefs = lasso_path(X, y, alphas=alphas, tol=tol, max_iter=100_000)[1]
        errors.append(np.mean((data.y[test][:, None] - data.X[test] @ coefs) ** 2, axis=0))
    return np.mean(errors, axis=0)


def compare(seed: int) -> Record:
    """The excess of the criterion at lambdahat's λ, which joins the grid's in one path of warm starts."""
    from lambdahat import LassoCV

    drawn = setting(seed)
    data = problem(drawn)
    with pinned(1):
        alpha = LassoCV(cv=SPLITTER, fit_intercept=False).fit(data.X, data.y).alpha_
        alphas = np.append(data.alpha_max * GRID, alpha)
        order = np.argsort(-alphas)
        for tol in TOLERANCES:
            values = np.empty(len(alphas))
            values[order] = criterion(data, alphas[order], tol)
            best = int(values[:-1].argmin())
            excess = float(values[-1] / values[best] - 1)
            if excess <= WORSE:
                break
    return {
        **vars(drawn),
        "divisor": float(data.alpha_max / alpha),
        "best_divisor": float(1 / GRID[best]),
        "excess": excess,
    }


def records(options: Options) -> Iterator[Record]:
    """One record, of all problems; the list of the worse ones, with their seeds, is in it."""
    seeds = range(20 if options.quick else PROBLEMS)
    compared = Parallel(n_jobs=-1)(delayed(compare)(seed) for seed in seeds)
    worse = [record for record in compared if record["excess"] > WORSE]
    excesses = [record["excess"] for record in compared]
    yield {
        "problems": len(compared),
        "worse": len(worse),
        "share": len(worse) / len(compared),
        "median_excess": float(np.median(excesses)),
        "largest_excess": max(excesses),
        "the_worse": sorted(worse, key=lambda record: -record["excess"]),
        "all": compared,
    }


def bars(records: list[Record]) -> list[Record]:
    return [_bar(record) for record in records]


def _bar(record: Record) -> Record:
    return bar(
        f"not trapped: {record['problems']} random problems, worse than the grid by more than 0.2 %",
        "at most 1 %",
        f"{100 * record['share']:.1f} % (largest excess {100 * record['largest_excess']:.2g} %)",
        record["share"] <= SHARE,
    )

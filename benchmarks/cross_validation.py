"""5-fold cross-validation of λ beside scikit-learn's LassoCV with 100 λ's: same splits, same n_jobs."""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import Lasso, LassoCV
from sklearn.model_selection import KFold

from .common import Options, Record, bar, clock, clock_or_cut, mean_squared_error, times
from .data import Data, present

SPLITTER = KFold(5)
WANTED = {  # how many times faster
    "debian_text": 20,
    "dense wide, 600 × 20,000": 20,
    "dense tall, 100,000 × 300": 10,
    "diabetes, 442 × 10": 1,
}
NO_WORSE = 1e-4  # relative excess of the criterion, both λ's evaluated by the same tight fits


def records(options: Options) -> Iterator[Record]:
    for name, data in present(WANTED, options.quick):
        yield compare(name, data, options)


def compare(name: str, data: Data, options: Options) -> Record:
    small = len(data.y) < 1_000 and data.X.shape[1] < 100
    seconds, ours = clock(lambda: tuned(data, options.threads), repeats=20 if small else 3)
    limit = 60.0 if options.quick else 3_600.0
    peer_seconds, theirs = clock_or_cut(lambda: tuned_by_scikit_learn(data, options.threads), limit)
    return {
        "problem": name,
        "lambdahat": seconds,
        "peer": "LassoCV" if theirs else "LassoCV (cut off)",
        "peer_seconds": peer_seconds,
        "ratio": seconds / peer_seconds,
        "divisor": data.alpha_max / ours,
        "peer_divisor": data.alpha_max / theirs if theirs else None,
        "excess": criterion(name, data, ours) / criterion(name, data, theirs) - 1 if theirs else None,
    }


def tuned(data: Data, n_jobs: int) -> float:
    import lambdahat

    cv = lambdahat.LassoCV(cv=SPLITTER, fit_intercept=False, n_jobs=n_jobs)
    return float(cv.fit(data.X, data.y).alpha_)


def tuned_by_scikit_learn(data: Data, n_jobs: int) -> float:
    cv = LassoCV(cv=SPLITTER, alphas=100, fit_intercept=False, n_jobs=n_jobs)
    return float(cv.fit(data.X, data.y).alpha_)


def criterion(name: str, data: Data, alpha: float) -> float:
    """The mean squared error over the folds, by scikit-learn's fits, or ours where those are hopeless."""
    import lambdahat

    if name == "debian_text":
        lasso = lambdahat.Lasso(alpha=alpha, fit_intercept=False, tol=1e-7)
    else:
        tall = data.X.shape[0] > data.X.shape[1]
        lasso = Lasso(alpha=alpha, fit_intercept=False, tol=1e-7, max_iter=100_000, precompute=tall)
    errors = []
    for train, test in SPLITTER.split(data.X):
        coef = lasso.fit(data.X[train], data.y[train]).coef_
        errors.append(mean_squared_error(data.X[test], data.y[test], coef))
    return float(np.mean(errors))


def bars(records: list[Record]) -> list[Record]:
    return [_bar(record) for record in records]


def _bar(record: Record) -> Record:
    faster, wanted = 1 / record["ratio"], WANTED[record["problem"]]
    compared = record["excess"] is not None
    return bar(
        f"5-fold CV of λ, {record['problem']}, against LassoCV(cv=5, alphas=100)",
        f"≥ {wanted}× faster, criterion no worse" if wanted > 1 else "not slower, criterion no worse",
        f"{times(faster)} faster, excess {record['excess']:.1e}" if compared else f"> {times(faster)} faster",
        faster >= wanted and compared and record["excess"] <= NO_WORSE,
    )

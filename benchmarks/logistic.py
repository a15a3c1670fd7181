"""One cold sparse logistic fit to a relative duality gap of 1e-5: lambdahat and the solvers people install."""

from collections.abc import Iterator

import numpy as np
from scipy.special import entr, expit

from .common import Options, Record, bar, geometric_mean, times
from .data import DataAbsentError, Matrix, debian_libraries
from .peers import MANY, Peer, fastest, time_to_gap, timed

GAP = 1e-5
DIVISORS = (10, 100, 300)  # α = α_max / divisor


def logistic_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of `mean log(1 + exp(−y Xw)) + α‖w‖₁`, relative to `log 2`, the loss at zero."""
    w = np.ravel(w)
    margin = y * (X @ w)
    wrong = expit(-margin)
    feasible = min(1.0, len(y) * alpha / np.abs(X.T @ (y * wrong)).max()) * wrong
    primal = np.mean(np.logaddexp(0.0, -margin)) + alpha * np.abs(w).sum()
    return float((primal - np.mean(entr(feasible) + entr(1.0 - feasible))) / np.log(2.0))


def lambdahat(alpha: float, tol: float) -> object:
    from lambdahat import SparseLogisticRegression

    return SparseLogisticRegression(alpha, tol=tol, fit_intercept=False)


def celer(alpha: float, tol: float) -> object:
    from celer import LogisticRegression

    return _InC(lambda C: LogisticRegression(C=C, tol=tol, fit_intercept=False, max_iter=1_000), alpha)


def skglm(alpha: float, tol: float) -> object:
    from skglm import SparseLogisticRegression

    return SparseLogisticRegression(alpha, tol=tol * alpha, fit_intercept=False, max_iter=1_000, max_epochs=10_000)


def liblinear(alpha: float, tol: float) -> object:
    return _InC(lambda C: _scikit_learn(C, solver="liblinear", tol=tol, random_state=0), alpha)


def saga(alpha: float, tol: float) -> object:
    return _InC(lambda C: _scikit_learn(C, solver="saga", tol=10 * tol, random_state=0), alpha)


def _scikit_learn(C: float, **options: object) -> object:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, l1_ratio=1.0, fit_intercept=False, max_iter=MANY, **options)


class _InC:
    """An estimator whose strength is scikit-learn's `C = 1/(n α)`; rows in the format it wants are made beforehand."""

    def __init__(self, make: object, alpha: float):
        self.make, self.alpha = make, alpha

    def fit(self, X: Matrix, y: np.ndarray) -> None:
        self.coef_ = self.make(1.0 / (len(y) * self.alpha)).fit(X, y).coef_


LAMBDAHAT = Peer("lambdahat", timed(lambdahat))
PEERS = (
    Peer("liblinear", timed(liblinear)),
    Peer("saga", timed(saga)),
    Peer("celer", timed(celer)),
    Peer("skglm", timed(skglm)),
)
BY_ROW = ("liblinear", "saga")  # want CSR, and convert what is not: it is handed to them as such


def records(options: Options) -> Iterator[Record]:
    try:
        data = debian_libraries(options.quick)
    except DataAbsentError as absent:
        print(f"skipped: {absent}", flush=True)
        return
    X, y, by_row = data.X, data.y, data.X.tocsr()
    for peer in (LAMBDAHAT, *PEERS):  # imports and compilation
        peer.fit(X[:200].tocsc(), y[:200], 0.01, 1e-6, 1)
    largest, limit = data.alpha_max / 2.0, 5.0 if options.quick else 60.0
    for divisor in DIVISORS:
        alpha = largest / divisor
        ours = time_to_gap(LAMBDAHAT, X, y, alpha, GAP, limit, logistic_gap)
        timings = [
            time_to_gap(peer, by_row if peer.name in BY_ROW else X, y, alpha, GAP, limit, logistic_gap)
            for peer in PEERS
        ]
        best = fastest(timings)
        yield {
            "problem": f"debian_text, is_library, α_max/{divisor}",
            "lambdahat": ours["seconds"],
            "peer": best["peer"],
            "peer_seconds": best["seconds"],
            "ratio": ours["seconds"] / best["seconds"] if ours["seconds"] else None,
            **{timing["peer"]: timing["seconds"] for timing in timings},
            "timings": [ours, *timings],
        }


def bars(records: list[Record]) -> list[Record]:
    what = "one cold logistic fit at gap 1e-5: time over the fastest peer's"
    ratios = [record["ratio"] for record in records]
    if None in ratios or not ratios:
        return [bar(what, "gap reached everywhere", f"missed in {ratios.count(None)}", False)]
    worst, mean = max(ratios), geometric_mean(ratios)
    return [
        bar(f"{what}, worst", "≤ 1×", times(worst), worst <= 1),
        bar(f"{what}, geometric mean", "≤ 0.5×", times(mean), mean <= 0.5),
    ]

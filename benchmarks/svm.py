"""One cold linear SVM to within 1e-5 of its optimum, relative to the objective at zero: lambdahat and liblinear."""

from collections.abc import Iterator

import numpy as np

from .common import Options, Record, bar, geometric_mean, times
from .data import DataAbsentError, Matrix, debian_libraries
from .peers import MANY, Peer, time_to_gap, timed

GAP = 1e-5
STRENGTHS = (0.01, 0.1, 1.0)  # C, where rows have norm 1


def lambdahat(C: float, tol: float) -> object:
    from lambdahat import LinearSVC

    return LinearSVC(C, tol=tol, fit_intercept=False)


def liblinear(C: float, tol: float) -> object:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, loss="hinge", dual=True, tol=1e3 * tol, fit_intercept=False, max_iter=MANY, random_state=0)


LAMBDAHAT, LIBLINEAR = Peer("lambdahat", timed(lambdahat)), Peer("liblinear", timed(liblinear))


def dual_value(X: Matrix, y: np.ndarray, C: float) -> float:
    """A lower bound of the objective: of a feasible dual point, found once. liblinear does not tell its own."""
    beta = lambdahat(C, 1e-7).fit(X, y).dual_coef_
    if np.any(beta * y < 0.0) or np.any(beta * y > C):
        raise RuntimeError("the dual point is not feasible")
    w = X.T @ beta
    return float(y @ beta - 0.5 * w @ w)


def records(options: Options) -> Iterator[Record]:
    try:
        data = debian_libraries(options.quick)
    except DataAbsentError as absent:
        print(f"skipped: {absent}", flush=True)
        return
    X, y = data.X.tocsr(), data.y
    for peer in (LAMBDAHAT, LIBLINEAR):  # imports and compilation
        peer.fit(X[:200], y[:200], 0.01, 1e-6, 1)
    limit = 5.0 if options.quick else 60.0
    for C in STRENGTHS:
        bound = dual_value(X, y, C)

        def measure(X: Matrix, y: np.ndarray, w: np.ndarray, C: float, bound: float = bound) -> float:
            w = np.ravel(w)
            primal = 0.5 * w @ w + C * np.maximum(1.0 - y * (X @ w), 0.0).sum()
            return float((primal - bound) / (C * len(y)))

        ours, theirs = (time_to_gap(peer, X, y, C, GAP, limit, measure) for peer in (LAMBDAHAT, LIBLINEAR))
        both = ours["seconds"] and theirs["seconds"]
        yield {
            "problem": f"debian_text, is_library, C = {C:g}",
            "lambdahat": ours["seconds"],
            "peer": theirs["peer"],
            "peer_seconds": theirs["seconds"],
            "ratio": ours["seconds"] / theirs["seconds"] if both else None,
            "timings": [ours, theirs],
        }


def bars(records: list[Record]) -> list[Record]:
    what = "one cold linear SVM at gap 1e-5: time over liblinear's"
    ratios = [record["ratio"] for record in records]
    if None in ratios or not ratios:
        return [bar(what, "gap reached everywhere", f"missed in {ratios.count(None)}", False)]
    worst, mean = max(ratios), geometric_mean(ratios)
    return [
        bar(f"{what}, worst", "≤ 1×", times(worst), worst <= 1),
        bar(f"{what}, geometric mean", "≤ 1×", times(mean), mean <= 1),
    ]

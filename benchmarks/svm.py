"""One cold linear SVM to within 1e-5 of its optimum, relative to the objective at zero: lambdahat and liblinear."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .common import Options, Record, bar, geometric_mean, times
from .data import Data, DataAbsentError, Matrix, debian_libraries, debian_text
from .peers import MANY, Gap, Peer, time_to_gap, timed

GAP = 1e-5
STRENGTHS = (0.01, 0.1, 1.0)  # C, where rows have norm 1
EPSILON = 0.1


def classifier(C: float, tol: float) -> object:
    from lambdahat import LinearSVC

    return LinearSVC(C, tol=tol, fit_intercept=False)


def liblinear_classifier(C: float, tol: float) -> object:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, loss="hinge", dual=True, tol=1e3 * tol, fit_intercept=False, max_iter=MANY, random_state=0)


def regressor(C: float, tol: float) -> object:
    from lambdahat import LinearSVR

    return LinearSVR(C, epsilon=EPSILON, tol=tol, fit_intercept=False)


def liblinear_regressor(C: float, tol: float) -> object:
    from sklearn.svm import LinearSVR

    settings = {"epsilon": EPSILON, "dual": True, "fit_intercept": False, "max_iter": MANY, "random_state": 0}
    return LinearSVR(C=C, tol=1e3 * tol, **settings)


@dataclass(frozen=True)
class Case:
    """Data, both solvers, and the loss of a row: `max(0, slack(y, z))`, whose dual pays `price` for each unit of β."""

    name: str
    load: Callable[[bool], Data]
    ours: Callable[[float, float], object]
    theirs: Callable[[float, float], object]
    slack: Callable[[np.ndarray, np.ndarray], np.ndarray]
    price: float

    def gap(self, X: Matrix, y: np.ndarray, C: float) -> Gap:
        """From the dual value of a point that is feasible, found once: liblinear does not tell its own."""
        beta = self.ours(C, 1e-7).fit(X, y).dual_coef_
        if np.abs(beta).max() > C or (not self.price and np.any(beta * y < 0.0)):
            raise RuntimeError("the dual point is not feasible")
        w = X.T @ beta
        bound = float(y @ beta - self.price * np.abs(beta).sum() - 0.5 * w @ w)

        def loss(z: np.ndarray) -> float:
            return C * float(np.maximum(self.slack(y, z), 0.0).sum())

        def measure(X: Matrix, y: np.ndarray, w: np.ndarray, C: float) -> float:
            w = np.ravel(w)
            return float((0.5 * w @ w + loss(X @ w) - bound) / loss(0.0 * y))

        return measure


CASES = (
    Case(
        "SVC, debian_text, is_library", debian_libraries, classifier, liblinear_classifier,
        lambda y, z: 1.0 - y * z, 0.0,
    ),
    Case(
        "SVR, debian_text, log size", debian_text, regressor, liblinear_regressor,
        lambda y, z: np.abs(y - z) - EPSILON, EPSILON,
    ),
)  # fmt: skip


def records(options: Options) -> Iterator[Record]:
    limit = 5.0 if options.quick else 60.0
    for case in CASES:
        try:
            data = case.load(options.quick)
        except DataAbsentError as absent:
            print(f"skipped: {absent}", flush=True)
            return
        X, y = data.X.tocsr(), data.y
        peers = Peer("lambdahat", timed(case.ours)), Peer("liblinear", timed(case.theirs))
        for peer in peers:  # imports and compilation
            peer.fit(X[:200], y[:200], 0.01, 1e-6, 1)
        for C in STRENGTHS:
            measure = case.gap(X, y, C)
            ours, theirs = (time_to_gap(peer, X, y, C, GAP, limit, measure) for peer in peers)
            both = ours["seconds"] and theirs["seconds"]
            yield {
                "problem": f"{case.name}, C = {C:g}",
                "lambdahat": ours["seconds"],
                "peer": theirs["peer"],
                "peer_seconds": theirs["seconds"],
                "ratio": ours["seconds"] / theirs["seconds"] if both else None,
                "timings": [ours, theirs],
            }


def bars(records: list[Record]) -> list[Record]:
    found = []
    for kind in ("SVC", "SVR"):
        what = f"one cold linear {kind} at gap 1e-5: time over liblinear's"
        ratios = [record["ratio"] for record in records if record["problem"].startswith(kind)]
        if None in ratios or not ratios:
            found.append(bar(what, "gap reached everywhere", f"missed in {ratios.count(None)}", False))
            continue
        worst, mean = max(ratios), geometric_mean(ratios)
        found += [
            bar(f"{what}, worst", "≤ 1×", times(worst), worst <= 1),
            bar(f"{what}, geometric mean", "≤ 1×", times(mean), mean <= 1),
        ]
    return found

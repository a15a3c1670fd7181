"""Sixteen classes, each against the rest: one cold fit at gap 1e-5, and sixteen λ's tuned on rows held out."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from scipy.special import expit, log_expit

from .common import Options, Record, bar, clock, geometric_mean, times
from .data import Data, DataAbsentError, Matrix, debian_text, find
from .logistic import liblinear, logistic_gap, saga
from .peers import Peer, fastest, time_to_gap, timed

GAP = 1e-5
DIVISORS = (10, 100, 300)  # α = α_max / divisor, the same for all classes
GRID = 10  # points a class
RANGE = 1e-3  # of the grid, below the greatest α of each class


def debian_sections(quick: bool) -> Data:
    """The text against the section of the archive; the largest sections, and one class of the others."""
    text = debian_text(quick)
    section = np.load(find("debian_text_y.npz"))["section"].astype(np.intp)
    perm = np.random.default_rng(0).permutation(63_540)
    train, val = np.sort(perm[:42_360])[: len(text.y)], np.sort(perm[42_360:])[: len(text.y_val)]
    return Data(text.X, section[train], text.X_val, section[val])


def signs(y: np.ndarray) -> list[np.ndarray]:
    return [np.where(y == label, 1.0, -1.0) for label in np.unique(y)]


def largest_gap(X: Matrix, y: np.ndarray, W: np.ndarray, alpha: float) -> float:
    """Of the gaps of all classes."""
    return max(logistic_gap(X, label, w, alpha) for label, w in zip(signs(y), W, strict=True))


def lambdahat(alpha: float, tol: float) -> object:
    from lambdahat import OneVsRestLogistic

    return OneVsRestLogistic(alpha, tol=tol, fit_intercept=False)


class Rest:
    """`OneVsRestClassifier` without its conversions: one fit of a peer for each class."""

    def __init__(self, make: object, alpha: float, tol: float):
        self.make, self.alpha, self.tol = make, alpha, tol

    def fit(self, X: Matrix, y: np.ndarray) -> None:
        coefs = []
        for label in signs(y):
            estimator = self.make(self.alpha, self.tol)
            estimator.fit(X, label)
            coefs.append(np.ravel(estimator.coef_))
        self.coef_ = np.array(coefs)


LAMBDAHAT = Peer("lambdahat", timed(lambdahat))
PEERS = (
    Peer("liblinear", timed(lambda alpha, tol: Rest(liblinear, alpha, tol))),
    Peer("saga", timed(lambda alpha, tol: Rest(saga, alpha, tol))),
)


def records(options: Options) -> Iterator[Record]:
    try:
        data = debian_sections(options.quick)
    except DataAbsentError as absent:
        print(f"skipped: {absent}", flush=True)
        return
    X, y, by_row = data.X, data.y, data.X.tocsr()
    for peer in (LAMBDAHAT, *PEERS):  # imports and compilation
        peer.fit(by_row[:500] if peer is not LAMBDAHAT else by_row[:500].tocsc(), y[:500], 0.01, 1e-6, 1)
    each = np.array([np.abs(X.T @ label).max() / (2 * len(y)) for label in signs(y)])
    limit = 20.0 if options.quick else 200.0
    for divisor in DIVISORS:
        alpha = float(each.max()) / divisor
        ours = time_to_gap(LAMBDAHAT, X, y, alpha, GAP, limit, largest_gap)
        timings = [time_to_gap(peer, by_row, y, alpha, GAP, limit, largest_gap) for peer in PEERS]
        best = fastest(timings)
        yield {
            "problem": f"cold fit, α_max/{divisor}",
            "lambdahat": ours["seconds"],
            "peer": best["peer"],
            "peer_seconds": best["seconds"],
            "ratio": ours["seconds"] / best["seconds"] if ours["seconds"] else None,
            "timings": [ours, *timings],
        }
    yield tuned(data, each)


def tuned(data: Data, each: np.ndarray) -> Record:
    """Sixteen λ's by gradient, and by a grid of ten points for one class after the other, with liblinear."""
    from lambdahat import GradientSearch, HeldOut, OneVsRestLogistic

    def search() -> GradientSearch:
        estimator = OneVsRestLogistic(np.full(each.size, 1e-3), fit_intercept=False)
        return GradientSearch(estimator, criterion=HeldOut(data.X_val, data.y_val)).fit(data.X, data.y)

    seconds, found = clock(search)
    cached, whole, best = coordinate_grid(data, each)
    as_good = found.trace_.seconds[found.trace_.values <= best]
    return {
        "problem": f"{each.size} λ's on rows held out",
        "lambdahat": seconds,
        "peer": f"liblinear, {GRID} points a class",
        "peer_seconds": whole,
        "ratio": seconds / whole,
        "log_loss": found.best_criterion_,
        "peer_log_loss": best,
        "n_evals": found.n_evals_,
        "cached_seconds": cached,
        "seconds_to_peer_log_loss": float(as_good[0]) if as_good.size else None,
    }


def coordinate_grid(data: Data, each: np.ndarray) -> tuple[float, float, float]:
    """One pass over the classes: for each the best of ten λ's, the others being what they are.

    Returns the seconds of its fits, the seconds where each point fits all classes anew, as `GridSearchCV` does, and the
    log-loss it ends with. The second is a sum of times measured: those of the other classes at their present λ's.
    """
    X, X_val, label = data.X.tocsr(), data.X_val.tocsr(), signs(data.y)
    classes = np.searchsorted(np.unique(data.y), data.y_val)

    def fitted(k: int, alpha: float) -> tuple[np.ndarray, float]:
        estimator = liblinear(alpha, 1e-4)
        start = perf_counter()
        estimator.fit(X, label[k])
        return X_val @ np.ravel(estimator.coef_), perf_counter() - start

    def log_loss(Z: np.ndarray) -> float:
        own = log_expit(Z)
        return float(np.mean(np.log(expit(Z).sum(axis=1)) - own[np.arange(len(Z)), classes]))

    grids = [np.geomspace(alpha, alpha * RANGE, GRID) for alpha in each]
    present = [fitted(k, grid[GRID // 2]) for k, grid in enumerate(grids)]
    Z, took = np.stack([z for z, _ in present], axis=1), np.array([seconds for _, seconds in present])
    best, cached, whole = log_loss(Z), float(took.sum()), float(took.sum())
    for k, grid in enumerate(grids):
        for alpha in grid:
            z, seconds = fitted(k, alpha)
            trial = Z.copy()
            trial[:, k] = z
            value = log_loss(trial)
            cached, whole = cached + seconds, whole + seconds + float(np.delete(took, k).sum())
            if value < best:
                best, Z, took[k] = value, trial, seconds
    return cached, whole, best


def bars(records: list[Record]) -> list[Record]:
    fits = [record["ratio"] for record in records if "log_loss" not in record]
    what = "16 classes against the rest, one cold fit at gap 1e-5: the fastest peer's time over ours"
    if None in fits or not fits:
        return [bar(what, "gap reached everywhere", f"missed in {fits.count(None)}", False)]
    worst, mean = 1 / max(fits), 1 / geometric_mean(fits)
    search = records[-1]
    faster, cached = 1 / search["ratio"], search["cached_seconds"] / search["lambdahat"]
    no_worse = search["log_loss"] <= search["peer_log_loss"]
    losses = f"{search['log_loss']:.4f} against {search['peer_log_loss']:.4f}"
    what = "16 λ's by gradient, against a coordinate-wise grid of 10 points a class"
    to_equal = search["seconds_to_peer_log_loss"]
    equal = times(search["peer_seconds"] / to_equal) if to_equal else "never"
    return [
        bar("16 classes against the rest, one cold fit at gap 1e-5: fastest peer's time over ours, worst", "≥ 3×",
            times(worst), worst >= 3),
        bar("the same, geometric mean", "≥ 3×", times(mean), mean >= 3),
        bar(f"{what}, all classes fitted at each point", "≥ 20× faster", times(faster), faster >= 20),
        bar(f"{what}, all classes fitted at each point, until the grid's log-loss is reached", "–", equal, True),
        bar(f"{what}, only the class that changes", "–", times(cached), True),
        bar(f"{what}: log-loss", "no worse", losses, no_worse),
    ]  # fmt: skip

"""Multinomial logistic regression of sixteen classes: cold fits at gap 1e-5, and sixteen λ's tuned on rows held out."""

from collections.abc import Iterator

import numpy as np
from scipy.special import logsumexp, xlogy

from .common import Options, Record, bar, clock, geometric_mean, times
from .data import Data, DataAbsentError, Matrix
from .logistic import saga
from .one_vs_rest import GRID, RANGE, debian_sections
from .peers import Peer, fastest, time_to_gap, timed

GAP = 1e-5
DIVISORS = (10, 30, 100, 300)  # α = α_max / divisor
LOOSE = 1e-4  # tolerance of the fits of a grid, ours and theirs


def lambdahat(alpha: float, tol: float) -> object:
    from lambdahat import MultinomialLogistic

    return MultinomialLogistic(alpha, tol=tol, fit_intercept=False)


LAMBDAHAT = Peer("lambdahat", timed(lambdahat))
PEERS = (Peer("saga", timed(saga)),)


def one_hot(y: np.ndarray) -> np.ndarray:
    return (y[:, None] == np.unique(y)).astype(float)


def multinomial_gap(X: Matrix, y: np.ndarray, coef: np.ndarray, alpha: float) -> float:
    """Duality gap over the loss without coefficients, from the multiple of the residual that is a dual point."""
    W, Y, n = np.atleast_2d(coef).T, one_hot(y), len(y)
    if W.shape[1] != Y.shape[1]:  # not fitted yet: a row of coefficients
        W = np.zeros((X.shape[1], Y.shape[1]))
    Z = X @ W
    log_total = logsumexp(Z, axis=1)
    U = np.exp(Z - log_total[:, None]) - Y
    primal = float(np.mean(log_total - (Y * Z).sum(axis=1))) + alpha * float(np.abs(W).sum())
    a = min(1.0, alpha / max(float(np.abs(X.T @ U).max()) / n, 1e-300))
    dual = -float(xlogy(q := np.maximum(Y + a * U, 0.0), q).sum()) / n
    return (primal - dual) / np.log(Y.shape[1])


def records(options: Options) -> Iterator[Record]:
    try:
        data = debian_sections(options.quick)
    except DataAbsentError as absent:
        print(f"skipped: {absent}", flush=True)
        return
    X, y, by_row = data.X, data.y, data.X.tocsr()
    for peer in (LAMBDAHAT, *PEERS):  # imports and compilation
        peer.fit(by_row[:500] if peer is not LAMBDAHAT else by_row[:500].tocsc(), y[:500], 0.01, 1e-6, 1)
    Y = one_hot(y)
    each = np.abs(X.T @ (1.0 / Y.shape[1] - Y)).max(axis=0) / len(y)
    limit = 20.0 if options.quick else 200.0
    for divisor in DIVISORS:
        alpha = float(each.max()) / divisor
        ours = time_to_gap(LAMBDAHAT, X, y, alpha, GAP, limit, multinomial_gap)
        timings = [time_to_gap(peer, by_row, y, alpha, GAP, limit, multinomial_gap) for peer in PEERS]
        reached = [timing for timing in timings if timing["seconds"]]
        best = fastest(timings) if reached else {"peer": f"none within {limit:.0f} s", "seconds": limit}
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
    """Sixteen λ's by gradient; and by ten points for one class after the other.

    No peer has one λ a class, so the points of the grid are ours; for the time of saga each counts as one of its fits,
    of which ten are timed, at λ's that are the same for all classes.
    """
    from lambdahat import GradientSearch, HeldOut, MultinomialLogistic

    def search() -> GradientSearch:
        estimator = MultinomialLogistic(np.full(each.size, 1e-3), fit_intercept=False)
        return GradientSearch(estimator, criterion=HeldOut(data.X_val, data.y_val)).fit(data.X, data.y)

    seconds, found = clock(search)
    cold, best = coordinate_grid(data, each)
    by_row = data.X.tocsr()
    theirs = sum(
        clock(lambda alpha=alpha: saga(float(alpha), LOOSE).fit(by_row, data.y))[0]
        for alpha in np.geomspace(each.max(), each.max() * RANGE, GRID)
    )
    return {
        "problem": f"{each.size} λ's on rows held out",
        "lambdahat": seconds,
        "peer": f"saga, {GRID} points a class",
        "peer_seconds": theirs * each.size,
        "ratio": seconds / (theirs * each.size),
        "log_loss": found.best_criterion_,
        "peer_log_loss": best,
        "n_evals": found.n_evals_,
        "own_grid_seconds": cold,
    }


def coordinate_grid(data: Data, each: np.ndarray) -> tuple[float, float]:
    """One pass over the classes: for each the best of ten λ's, the others being what they are; our own warm fits."""
    from lambdahat import MultinomialLogistic

    classes = np.searchsorted(np.unique(data.y), data.y_val)
    model = MultinomialLogistic(tol=LOOSE, fit_intercept=False, warm_start=True)

    def at(alphas: np.ndarray) -> float:
        log_p = model.set_params(alpha=alphas).fit(data.X, data.y).predict_log_proba(data.X_val)
        return -float(np.mean(log_p[np.arange(len(log_p)), classes]))

    def grid() -> float:
        alphas = each * RANGE**0.5
        best = at(alphas)
        for k, largest in enumerate(each):
            for alpha in np.geomspace(largest, largest * RANGE, GRID):
                trial = alphas.copy()
                trial[k] = alpha
                if (value := at(trial)) < best:
                    best, alphas = value, trial
        return best

    return clock(grid)


def bars(records: list[Record]) -> list[Record]:
    fits = [record["ratio"] for record in records if "log_loss" not in record]
    what = "multinomial, 16 classes, one cold fit at gap 1e-5: saga's time over ours"
    if None in fits or not fits:
        return [bar(what, "gap reached everywhere", f"missed in {fits.count(None)}", False)]
    worst, mean = 1 / max(fits), 1 / geometric_mean(fits)
    search = records[-1]
    faster, own = 1 / search["ratio"], search["own_grid_seconds"] / search["lambdahat"]
    losses = f"{search['log_loss']:.4f} against {search['peer_log_loss']:.4f}"
    what_grid = "16 λ's of one model by gradient, against a coordinate-wise grid of 10 points a class"
    return [
        bar(f"{what}, worst", "≥ 3×", times(worst), worst >= 3),
        bar("the same, geometric mean", "≥ 3×", times(mean), mean >= 3),
        bar(f"{what_grid}, in fits of saga", "≥ 20× faster", times(faster), faster >= 20),
        bar(f"{what_grid}, in our own warm-started fits", "–", times(own), True),
        bar(f"{what_grid}: log-loss", "no worse", losses, search["log_loss"] <= search["peer_log_loss"]),
    ]

"""One cold sparse Poisson or Huber fit to a relative duality gap of 1e-5: lambdahat and the solvers people install."""

from collections.abc import Iterator

import numpy as np
from scipy.special import xlogy

from . import glmnet
from .common import Options, Record, bar, geometric_mean, times
from .data import Data, DataAbsentError, Matrix, autoregressive, debian_text, find
from .peers import Fit, Peer, fastest, time_to_gap, timed

GAP = 1e-5
DIVISORS = (10, 100)  # α = α_max / divisor
DELTA = 0.5  # of Huber's loss; the noise of both targets has a standard deviation of about as much


def poisson_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of `mean exp(Xw) − y Xw − (y − y log y) + α‖w‖₁`, relative to the loss at zero."""
    w = np.ravel(w)
    z = X @ w
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.exp(z) - y
        v = y + min(1.0, len(y) * alpha / np.abs(X.T @ slope).max()) * slope
        rest = y - xlogy(y, y)
        primal = np.mean(np.exp(z) - y * z - rest) + alpha * np.abs(w).sum()
        gap = float((primal + np.mean(xlogy(v, v) - v + rest)) / np.mean(1.0 - rest))
    return gap if np.isfinite(gap) else np.inf


def huber_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of Huber's loss and `α‖w‖₁`, relative to the loss at zero."""
    w = np.ravel(w)

    def loss(residual: np.ndarray) -> float:
        size = np.abs(residual)
        inside = np.minimum(size, DELTA)
        return float(np.mean(inside * (size - inside / 2)))

    u = np.clip(X @ w - y, -DELTA, DELTA)
    u *= min(1.0, len(y) * alpha / np.abs(X.T @ u).max())
    return (loss(y - X @ w) + alpha * np.abs(w).sum() + float(np.mean(u * (u / 2 + y)))) / loss(y)


def poisson(alpha: float, tol: float) -> object:
    from lambdahat import PoissonLasso

    return PoissonLasso(alpha, tol=tol, fit_intercept=False)


def huber(alpha: float, tol: float) -> object:
    from lambdahat import HuberLasso

    return HuberLasso(alpha, delta=DELTA, tol=tol, fit_intercept=False)


def skglm_poisson(alpha: float, tol: float) -> object:
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Poisson
    from skglm.penalties import L1
    from skglm.solvers import ProxNewton

    solver = ProxNewton(tol=tol * alpha, max_iter=1_000, fit_intercept=False)
    return GeneralizedLinearEstimator(Poisson(), L1(alpha), solver)


def skglm_huber(alpha: float, tol: float) -> object:
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Huber
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD

    solver = AndersonCD(tol=tol * alpha, max_iter=1_000, fit_intercept=False)
    return GeneralizedLinearEstimator(Huber(DELTA), L1(alpha), solver)


def glmnet_poisson(X: Matrix, y: np.ndarray, alpha: float, tol: float, repeats: int = 1) -> Fit:
    settings = {"family": "poisson", "lambda": alpha, "thresh": tol**2, "maxit": 1e9}
    coef, seconds = glmnet.run(X, y, repeats, **settings)
    return Fit(coef, float(np.median(seconds)))


POISSON = (
    Peer("lambdahat", timed(poisson)),
    Peer("skglm", timed(skglm_poisson)),
    Peer("glmnet", glmnet_poisson, lambda X: glmnet.version() is not None),
)
HUBER = (Peer("lambdahat", timed(huber)), Peer("skglm", timed(skglm_huber)))


def debian_megabytes(quick: bool) -> Data:
    """The text against the installed size in megabytes, rounded: a count with many zeros and a long tail."""
    text = debian_text(quick)
    kib = 10.0 ** np.load(find("debian_text_y.npz"))["log10_installed_kib"].astype(np.float64)
    train = np.sort(np.random.default_rng(0).permutation(63_540)[:42_360])[: len(text.y)]
    return Data(text.X, np.round(kib[train] / 1e3))


def dense(quick: bool, counts: bool) -> Data:
    """1,000 × 5,000 with AR(0.6) columns and 50 signals; noise of Poisson, or of Student with 2 degrees of freedom."""
    n, p = (200, 1_000) if quick else (1_000, 5_000)
    rng = np.random.default_rng(0)
    X, w = autoregressive(n, p, 0.6, rng), np.zeros(p)
    w[rng.choice(p, 50, replace=False)] = rng.choice([-1.0, 1.0], 50) / np.sqrt(50)
    return Data(X, (rng.poisson(np.exp(X @ w)) if counts else X @ w + 0.3 * rng.standard_t(2, n)).astype(np.float64))


CASES = (
    ("debian_text, megabytes, Poisson", debian_megabytes, POISSON, poisson_gap),
    ("dense 1,000 × 5,000, Poisson", lambda quick: dense(quick, True), POISSON, poisson_gap),
    ("debian_text, log size, Huber", debian_text, HUBER, huber_gap),
    ("dense 1,000 × 5,000, Huber", lambda quick: dense(quick, False), HUBER, huber_gap),
)


def records(options: Options) -> Iterator[Record]:
    limit = 5.0 if options.quick else 60.0
    for name, load, peers, measure in CASES:
        try:
            data = load(options.quick)
        except DataAbsentError as absent:
            print(f"skipped: {absent}", flush=True)
            continue
        X, y = data.X, data.y
        slope = 1.0 - y if measure is poisson_gap else np.clip(-y, -DELTA, DELTA)
        largest = float(np.abs(X.T @ slope).max()) / len(y)
        peers = [peer for peer in peers if peer.suits(X)]
        for peer in peers:
            if peer.name != "glmnet":  # imports and compilation
                peer.fit(X[:200], y[:200], largest / 2, 1e-2, 1)
        for divisor in DIVISORS:
            timings = [time_to_gap(peer, X, y, largest / divisor, GAP, limit, measure) for peer in peers]
            ours, *others = timings
            reached = [timing for timing in others if timing["seconds"]]
            best = fastest(reached) if reached else {"peer": f"none within {limit:.0f} s", "seconds": None}
            yield {
                "problem": f"{name}, α_max/{divisor}",
                "lambdahat": ours["seconds"],
                "peer": best["peer"],
                "peer_seconds": best["seconds"],
                "ratio": ours["seconds"] / best["seconds"] if ours["seconds"] and best["seconds"] else None,
                **{timing["peer"]: timing["seconds"] for timing in others},
                "timings": timings,
            }


def bars(records: list[Record]) -> list[Record]:
    what = "one cold Poisson or Huber fit at gap 1e-5: time over the fastest peer's"
    missed = [record["problem"] for record in records if not record["lambdahat"]]
    ratios = [record["ratio"] for record in records if record["ratio"]]
    if missed or not ratios:
        return [bar(what, "gap reached everywhere", f"missed in {len(missed)}", False)]
    worst, mean = max(ratios), geometric_mean(ratios)
    return [
        bar(f"{what}, worst", "≤ 1×", times(worst), worst <= 1),
        bar(f"{what}, geometric mean", "≤ 0.5×", times(mean), mean <= 0.5),
    ]

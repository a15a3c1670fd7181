"""One cold proportional-hazards fit to a relative duality gap of 1e-5: lambdahat and the solvers people install."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import issparse
from scipy.special import xlogy

from . import glmnet
from .common import Options, Record, bar, geometric_mean, times
from .data import Data, DataAbsentError, Matrix, autoregressive, debian_text
from .peers import Fit, Peer, fastest, time_to_gap, timed

GAP = 1e-5
DIVISORS = (3, 10, 30)  # α = α_max / divisor


def slopes(y: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
    """Breslow's `−log PL / n` where no times are tied, and n times its gradient."""
    order = np.argsort(y["time"])
    event, rate = y["event"][order], np.exp(z[order])
    risk = np.cumsum(rate[::-1])[::-1]
    slope = np.empty(len(z))
    slope[order] = rate * np.cumsum(event / risk) - event
    return float(np.mean(event * (np.log(risk) - z[order]))), slope


def cox_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of `−log PL/n + α‖w‖₁`, relative to the loss at zero; times are not tied.

    The conjugate is that of a flow of events, which `lambdahat.datafits.Cox` derives.
    """
    w, n = np.ravel(w), len(y)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        loss, slope = slopes(y, X @ w)
        expected = min(1.0, n * alpha / np.abs(X.T @ slope).max()) * slope + y["event"]
        order = np.argsort(y["time"])
        expected, event = expected[order], y["event"][order]
        left = np.maximum(np.cumsum(event - expected), 0.0)
        whole = left + expected  # after an event, before its row has taken its share
        flow = xlogy(left, left) - xlogy(whole, whole)  # of a censored row too: it takes its share of what is carried
        conjugate = float(np.sum(xlogy(expected, expected) + flow)) / n
        gap = (loss + alpha * np.abs(w).sum() + conjugate) / slopes(y, np.zeros(n))[0]
    return float(gap) if np.isfinite(gap) else np.inf


def lambdahat(alpha: float, tol: float) -> object:
    from lambdahat import CoxLasso

    return CoxLasso(alpha, tol=tol)


class Skglm:
    """Its Cox datafit takes times and events as two columns of numbers."""

    def __init__(self, alpha: float, tol: float):
        from skglm.datafits import Cox
        from skglm.penalties import L1
        from skglm.solvers import ProxNewton

        self.datafit, self.penalty = Cox(), L1(alpha)
        self.solver = ProxNewton(tol=tol * alpha, max_iter=1_000, fit_intercept=False)

    def fit(self, X: Matrix, y: np.ndarray) -> None:
        both = np.column_stack([y["time"], y["event"]]).astype(np.float64, order="F")
        self.coef_ = self.solver.solve(X, both, self.datafit, self.penalty)[0]


def scikit_survival(alpha: float, tol: float) -> object:
    """Its tolerance is on squared steps: hence the square."""
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    return CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=1.0, tol=tol**2, max_iter=10_000_000)


def fit_glmnet(X: Matrix, y: np.ndarray, alpha: float, tol: float, repeats: int = 1) -> Fit:
    both = np.concatenate([y["time"], y["event"].astype(np.float64)])
    settings = {"family": "cox", "lambda": alpha, "thresh": tol**2, "maxit": 1e9}
    coef, seconds = glmnet.run(X, both, repeats, **settings)
    return Fit(coef, float(np.median(seconds)))


PEERS = (
    Peer("lambdahat", timed(lambdahat)),
    Peer("skglm", timed(Skglm)),
    Peer("scikit-survival", timed(scikit_survival), lambda X: not issparse(X)),
    Peer("glmnet", fit_glmnet, lambda X: not issparse(X) and glmnet.version() is not None),  # sparse, it crashes
)


def survival(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exponential times of log risk z, half of them or so censored."""
    time, censored = rng.exponential(np.exp(-z)), rng.exponential(1.0, len(z))
    y = np.empty(len(z), dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = time <= censored, np.minimum(time, censored)
    return y


def text(quick: bool) -> Data:
    """The text with a simulated time, whose risk 200 of the more frequent words change."""
    X, rng = debian_text(quick).X, np.random.default_rng(0)
    frequent = np.argsort(-np.diff(X.indptr))[:2_000]
    w = np.zeros(X.shape[1])
    w[rng.choice(frequent, 200, replace=False)] = 3.0 * rng.normal(size=200)
    z = X @ w
    return Data(X, survival(z - z.mean(), rng))


def dense(n: int, p: int) -> Data:
    """AR(0.6) columns, of which 50 matter."""
    rng = np.random.default_rng(0)
    X, w = autoregressive(n, p, 0.6, rng), np.zeros(p)
    w[rng.choice(p, 50, replace=False)] = rng.choice([-1.0, 1.0], 50) / np.sqrt(50)
    return Data(X, survival(X @ w, rng))


CASES = (
    ("debian_text, simulated times", text),
    ("dense 1,000 × 5,000", lambda quick: dense(200, 1_000) if quick else dense(1_000, 5_000)),
    ("dense 20,000 × 100", lambda quick: dense(2_000, 100) if quick else dense(20_000, 100)),
)


def records(options: Options) -> Iterator[Record]:
    limit = 5.0 if options.quick else 60.0
    for name, load in CASES:
        try:
            data = load(options.quick)
        except DataAbsentError as absent:
            print(f"skipped: {absent}", flush=True)
            continue
        X, y = data.X, data.y
        largest = float(np.abs(X.T @ slopes(y, np.zeros(len(y)))[1]).max()) / len(y)
        peers = [peer for peer in PEERS if peer.suits(X)]
        for peer in peers:
            if peer.name != "glmnet":  # imports and compilation
                peer.fit(X[:200], y[:200], largest, 1e-2, 1)
        for divisor in DIVISORS:
            timings = [time_to_gap(peer, X, y, largest / divisor, GAP, limit, cox_gap) for peer in peers]
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
    what = "one cold proportional-hazards fit at gap 1e-5: time over the fastest peer's"
    missed = [record["problem"] for record in records if not record["lambdahat"]]
    ratios = [record["ratio"] for record in records if record["ratio"]]
    if missed or not ratios:
        return [bar(what, "gap reached everywhere", f"missed in {len(missed)}", False)]
    worst, mean = max(ratios), geometric_mean(ratios)
    return [
        bar(f"{what}, worst", "≤ 1×", times(worst), worst <= 1),
        bar(f"{what}, geometric mean", "≤ 0.5×", times(mean), mean <= 0.5),
    ]

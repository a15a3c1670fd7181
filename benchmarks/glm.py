"""One cold sparse Poisson, Gamma, Huber or square-root fit to a gap of 1e-5: lambdahat and the peers people install."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from . import glmnet
from .common import Options, Record, bar, geometric_mean, times
from .data import Data, DataAbsentError, Matrix, autoregressive, debian_text, find
from .peers import Fit, Gap, Peer, fastest, time_to_gap, timed

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


def gamma_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of `mean y exp(−Xw) + Xw − 1 − log y + α‖w‖₁`, relative to the loss at zero."""
    w = np.ravel(w)
    z = X @ w
    with np.errstate(over="ignore", invalid="ignore"):
        slope = 1.0 - y * np.exp(-z)
        v = 1.0 - min(1.0, len(y) * alpha / np.abs(X.T @ slope).max()) * slope
        primal = np.mean(y * np.exp(-z) + z - 1.0 - np.log(y)) + alpha * np.abs(w).sum()
        gap = float((primal + np.mean(v * (np.log(v / y) - 1.0) + 1.0 + np.log(y))) / np.mean(y - 1.0 - np.log(y)))
    return gap if np.isfinite(gap) else np.inf


def root_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of `‖y − Xw‖/√n + α‖w‖₁`, relative to `‖y‖/√n`."""
    w = np.ravel(w)
    residual, largest = y - X @ w, np.linalg.norm(y)
    size = np.linalg.norm(residual)
    dual = residual / size * min(1.0, alpha * np.sqrt(len(y)) * size / np.abs(X.T @ residual).max())
    return float((size + np.sqrt(len(y)) * alpha * np.abs(w).sum() - dual @ y) / largest)


def poisson(alpha: float, tol: float) -> object:
    from lambdahat import PoissonLasso

    return PoissonLasso(alpha, tol=tol, fit_intercept=False)


def huber(alpha: float, tol: float) -> object:
    from lambdahat import HuberLasso

    return HuberLasso(alpha, delta=DELTA, tol=tol, fit_intercept=False)


def gamma(alpha: float, tol: float) -> object:
    from lambdahat import GammaLasso

    return GammaLasso(alpha, tol=tol, fit_intercept=False)


def root(alpha: float, tol: float) -> object:
    from lambdahat import SqrtLasso

    return SqrtLasso(alpha, tol=tol, fit_intercept=False)


def skglm_newton(datafit: str, alpha: float, tol: float) -> object:
    import skglm.datafits
    from skglm import GeneralizedLinearEstimator
    from skglm.penalties import L1
    from skglm.solvers import ProxNewton

    solver = ProxNewton(tol=tol * alpha, max_iter=1_000, fit_intercept=False)
    return GeneralizedLinearEstimator(getattr(skglm.datafits, datafit)(), L1(alpha), solver)


def skglm_huber(alpha: float, tol: float) -> object:
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Huber
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD

    solver = AndersonCD(tol=tol * alpha, max_iter=1_000, fit_intercept=False)
    return GeneralizedLinearEstimator(Huber(DELTA), L1(alpha), solver)


class SkglmRoot:
    """Its loss is not divided by √n; below residuals of ‖y‖/100 it gives up."""

    def __init__(self, alpha: float, tol: float):
        self.alpha, self.tol = alpha, tol

    def fit(self, X: Matrix, y: np.ndarray) -> None:
        from skglm.experimental.sqrt_lasso import SqrtLasso

        strength = self.alpha * np.sqrt(len(y))
        self.coef_ = SqrtLasso(strength, tol=self.tol * strength, max_iter=1_000, fit_intercept=False).fit(X, y).coef_


def glmnet_poisson(X: Matrix, y: np.ndarray, alpha: float, tol: float, repeats: int = 1) -> Fit:
    settings = {"family": "poisson", "lambda": alpha, "thresh": tol**2, "maxit": 1e9}
    coef, seconds = glmnet.run(X, y, repeats, **settings)
    return Fit(coef, float(np.median(seconds)))


@dataclass(frozen=True)
class Family:
    """A loss: its slopes at zero, the gap, and the solvers, ours first."""

    name: str
    start: Callable[[np.ndarray], np.ndarray]
    gap: Gap
    peers: tuple[Peer, ...]


POISSON = Family(
    "Poisson",
    lambda y: 1.0 - y,
    poisson_gap,
    (
        Peer("lambdahat", timed(poisson)),
        Peer("skglm", timed(lambda alpha, tol: skglm_newton("Poisson", alpha, tol))),
        Peer("glmnet", glmnet_poisson, lambda X: glmnet.version() is not None),
    ),
)
HUBER = Family(
    "Huber",
    lambda y: np.clip(-y, -DELTA, DELTA),
    huber_gap,
    (Peer("lambdahat", timed(huber)), Peer("skglm", timed(skglm_huber))),
)
GAMMA = Family(
    "Gamma",
    lambda y: 1.0 - y,
    gamma_gap,
    (
        Peer("lambdahat", timed(gamma)),
        Peer("skglm", timed(lambda alpha, tol: skglm_newton("Gamma", alpha, tol))),
    ),
)
ROOT = Family(
    "square root",
    lambda y: -y / np.sqrt(np.mean(y**2)),
    root_gap,
    (Peer("lambdahat", timed(root)), Peer("skglm", timed(SkglmRoot))),
)


def debian_megabytes(quick: bool) -> Data:
    """The text against the installed size in megabytes, rounded: a count with many zeros and a long tail."""
    text = debian_text(quick)
    kib = 10.0 ** np.load(find("debian_text_y.npz"))["log10_installed_kib"].astype(np.float64)
    train = np.sort(np.random.default_rng(0).permutation(63_540)[:42_360])[: len(text.y)]
    return Data(text.X, np.round(kib[train] / 1e3))


def debian_kilobytes(quick: bool) -> Data:
    """The text against the installed size over its geometric mean, with which the fit without words is 1."""
    text = debian_text(quick)
    return Data(text.X, 10.0**text.y)


def dense(quick: bool, noise: str) -> Data:
    """1,000 × 5,000 with AR(0.6) columns and 50 signals; noise of a family, or of Student with 2 degrees of freedom."""
    n, p = (200, 1_000) if quick else (1_000, 5_000)
    rng = np.random.default_rng(0)
    X, w = autoregressive(n, p, 0.6, rng), np.zeros(p)
    w[rng.choice(p, 50, replace=False)] = rng.choice([-1.0, 1.0], 50) / np.sqrt(50)
    z = X @ w
    y = {
        "Poisson": lambda: rng.poisson(np.exp(z)).astype(np.float64),
        "Gamma": lambda: rng.gamma(2.0, np.exp(z) / 2.0),
        "Student": lambda: z + 0.3 * rng.standard_t(2, n),
        "normal": lambda: z + 0.3 * rng.standard_normal(n),
    }[noise]()
    return Data(X, y)


CASES = (
    ("debian_text, megabytes", debian_megabytes, POISSON),
    ("dense 1,000 × 5,000", lambda quick: dense(quick, "Poisson"), POISSON),
    ("debian_text, log size", debian_text, HUBER),
    ("dense 1,000 × 5,000", lambda quick: dense(quick, "Student"), HUBER),
    ("debian_text, size", debian_kilobytes, GAMMA),
    ("dense 1,000 × 5,000", lambda quick: dense(quick, "Gamma"), GAMMA),
    ("debian_text, log size", debian_text, ROOT),
    ("dense 1,000 × 5,000", lambda quick: dense(quick, "normal"), ROOT),
)


def records(options: Options) -> Iterator[Record]:
    limit = 5.0 if options.quick else 60.0
    for name, load, family in CASES:
        try:
            data = load(options.quick)
        except DataAbsentError as absent:
            print(f"skipped: {absent}", flush=True)
            continue
        X, y = data.X, data.y
        largest = float(np.abs(X.T @ family.start(y)).max()) / len(y)
        peers = [peer for peer in family.peers if peer.suits(X)]
        for peer in peers:
            if peer.name != "glmnet":  # imports and compilation
                peer.fit(X[:200], y[:200], largest / 2, 1e-2, 1)
        for divisor in DIVISORS:
            timings = [time_to_gap(peer, X, y, largest / divisor, GAP, limit, family.gap) for peer in peers]
            ours, *others = timings
            reached = [timing for timing in others if timing["seconds"]]
            best = fastest(reached) if reached else {"peer": f"none within {limit:.0f} s", "seconds": None}
            yield {
                "problem": f"{family.name}, {name}, α_max/{divisor}",
                "lambdahat": ours["seconds"],
                "peer": best["peer"],
                "peer_seconds": best["seconds"],
                "ratio": ours["seconds"] / best["seconds"] if ours["seconds"] and best["seconds"] else None,
                **{timing["peer"]: timing["seconds"] for timing in others},
                "timings": timings,
            }


def bars(records: list[Record]) -> list[Record]:
    what = "cold fit at gap 1e-5: time over the fastest peer's"
    missed = [record["problem"] for record in records if not record["lambdahat"]]
    if missed:
        return [bar(what, "gap reached everywhere", f"missed in {len(missed)}", False)]
    found = []
    for pair in ((POISSON, HUBER), (GAMMA, ROOT)):
        names = tuple(family.name for family in pair)
        ratios = [record["ratio"] for record in records if record["problem"].startswith(names) and record["ratio"]]
        if ratios:
            worst, mean = max(ratios), geometric_mean(ratios)
            found += [
                bar(f"{' and '.join(names)}, {what}, worst", "≤ 1×", times(worst), worst <= 1),
                bar("the same, geometric mean", "≤ 0.5×", times(mean), mean <= 0.5),
            ]
    return found

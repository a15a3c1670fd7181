"""The Lasso solvers that are compared, and the time each needs, cold, to reach a relative duality gap.

Every solver has its own stopping rule. Its tolerance is tightened along a geometric ladder until the gap,
computed by one function for all, is reached; what is quoted is the time of the single cold fit at that rung.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from . import glmnet
from .common import Record, within
from .data import Matrix

Gap = Callable[[Matrix, np.ndarray, np.ndarray, float], float]

FACTOR = 3.0
FIRST_RUNG, LAST_RUNG = 3, -20  # in powers of FACTOR, times the gap wanted
MANY = 1_000_000


def lasso_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """The duality gap of `‖y − Xw‖²/2n + α‖w‖₁`, relative to `‖y‖²/2n`.

    The dual point is the best feasible multiple of the residual.
    """
    residual, bound = y - X @ w, len(y) * alpha
    largest = bound / np.abs(X.T @ residual).max()
    dual = residual * np.clip(residual @ y / (residual @ residual), -largest, largest)
    gap = residual @ residual + 2 * bound * np.abs(w).sum() - y @ y + (y - dual) @ (y - dual)
    return float(gap / (y @ y))


@dataclass(frozen=True)
class Fit:
    coef: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Peer:
    """A solver: `fit(X, y, alpha, tol, repeats)` times cold fits; `tol` is roughly the gap reached."""

    name: str
    fit: Callable[[Matrix, np.ndarray, float, float, int], Fit]
    suits: Callable[[Matrix], bool] = lambda X: True


def timed(make: Callable[[float, float], object]) -> Callable[[Matrix, np.ndarray, float, float, int], Fit]:
    """The `fit` of a peer from the function that makes its estimator; every repeat fits a new one."""

    def fit(X: Matrix, y: np.ndarray, alpha: float, tol: float, repeats: int = 1) -> Fit:
        seconds = []
        for _ in range(repeats):
            estimator = make(alpha, tol)
            start = perf_counter()
            estimator.fit(X, y)
            seconds.append(perf_counter() - start)
        return Fit(estimator.coef_, float(np.median(seconds)))

    return fit


def lambdahat(alpha: float, tol: float) -> object:
    from lambdahat import Lasso

    return Lasso(alpha=alpha, tol=tol, fit_intercept=False)


def scikit_learn(alpha: float, tol: float, precompute: bool = False) -> object:
    from sklearn.linear_model import Lasso

    return Lasso(alpha=alpha, tol=tol / 2, fit_intercept=False, max_iter=MANY, precompute=precompute)


def scikit_learn_gram(alpha: float, tol: float) -> object:
    return scikit_learn(alpha, tol, precompute=True)


def celer(alpha: float, tol: float) -> object:
    from celer import Lasso

    return Lasso(alpha=alpha, tol=tol / 2, fit_intercept=False, max_iter=1_000)


def skglm(alpha: float, tol: float) -> object:
    from skglm import Lasso

    return Lasso(alpha=alpha, tol=tol * alpha, fit_intercept=False, max_iter=1_000)


class SkglmGram:
    """skglm's Gram solver, which its estimators cannot call."""

    def __init__(self, alpha: float, tol: float):
        from skglm.penalties import L1
        from skglm.solvers import GramCD

        self.penalty = L1(alpha)
        self.solver = GramCD(max_iter=MANY, tol=tol * alpha, fit_intercept=False)

    def fit(self, X: Matrix, y: np.ndarray) -> None:
        self.coef_ = self.solver.solve(X, y, None, self.penalty)[0]


def fit_glmnet(X: Matrix, y: np.ndarray, alpha: float, tol: float, repeats: int = 1) -> Fit:
    """Its threshold is on squared steps: hence the square."""
    coef, seconds = glmnet.run(X, y, repeats, **{"lambda": alpha, "thresh": tol**2, "maxit": 1e9})
    return Fit(coef, float(np.median(seconds)))


def is_tall(X: Matrix) -> bool:
    return X.shape[0] > 10 * X.shape[1]


LAMBDAHAT = Peer("lambdahat", timed(lambdahat))
PEERS = (
    Peer("scikit-learn", timed(scikit_learn)),
    Peer("scikit-learn, Gram", timed(scikit_learn_gram), is_tall),
    Peer("celer", timed(celer)),
    Peer("skglm", timed(skglm)),
    Peer("skglm, Gram", timed(SkglmGram), is_tall),
    Peer("glmnet", fit_glmnet, lambda X: glmnet.version() is not None),
)


def ladder(
    peer: Peer, X: Matrix, y: np.ndarray, alpha: float, gap: float, measure: Gap
) -> Iterator[tuple[float, float, float]]:
    """`(tol, gap reached, seconds)` at ever tighter tolerances, up to the one that reaches `gap`."""
    for power in range(FIRST_RUNG, LAST_RUNG, -1):
        tol = gap * FACTOR**power
        fit = peer.fit(X, y, alpha, tol, 1)
        reached = measure(X, y, fit.coef, alpha)
        yield tol, reached, fit.seconds
        if reached <= gap:
            return


def time_to_gap(
    peer: Peer, X: Matrix, y: np.ndarray, alpha: float, gap: float, limit: float = 60.0, measure: Gap = lasso_gap
) -> Record:
    """The median time of a cold fit that reaches `gap`; None, with a note, when one exceeds `limit` seconds.

    The ladder is climbed in a forked copy of the process, which can be stopped; the fits that count run here.
    """
    rungs, complete = within(limit, ladder(peer, X, y, alpha, gap, measure))
    if not complete or rungs[-1][1] > gap:
        note = "not reached at its tightest tolerance" if complete else f"cut off after {limit:.0f} s"
        return {"peer": peer.name, "seconds": None, "rungs": rungs, "note": note}
    tol, _, seconds = rungs[-1]
    fit = peer.fit(X, y, alpha, tol, repeats=int(np.clip(5 / seconds, 1, 9)))
    reached = measure(X, y, fit.coef, alpha)
    return {"peer": peer.name, "seconds": fit.seconds, "gap": reached, "tol": tol, "rungs": rungs}


def fastest(timings: list[Record]) -> Record:
    return min((timing for timing in timings if timing["seconds"]), key=lambda timing: timing["seconds"])


def all_timings(X: Matrix, y: np.ndarray, alpha: float, gap: float, limit: float) -> list[Record]:
    """`time_to_gap` of every peer that suits the data (lambdahat is not one of them)."""
    return [time_to_gap(peer, X, y, alpha, gap, limit) for peer in PEERS if peer.suits(X)]


def warm_up() -> None:
    """One small fit, dense and sparse, by every library: imports and compilation happen here."""
    from scipy.sparse import csc_matrix

    rng = np.random.default_rng(0)
    X, y = np.asfortranarray(rng.standard_normal((60, 5))), rng.standard_normal(60)
    for peer in (LAMBDAHAT, *PEERS):
        for matrix in (X, csc_matrix(X)):
            if peer.suits(matrix):
                peer.fit(matrix, y, 0.01, 1e-6, 1)

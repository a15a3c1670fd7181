"""Approximate leave-one-out of one fit against leaving out every row in turn: how far off, and how much cheaper."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import LeaveOneOut

from .common import Options, Record, bar, clock, times

SIZES = {False: ((200, 50), (300, 1_000), (600, 2_000)), True: ((100, 30),)}
SHARES = (0.3, 0.1)  # of λmax
CHEAPER, OFF = 50.0, 0.02
REPEATS = 5


def records(options: Options) -> Iterator[Record]:
    from lambdahat import ElasticNet, Lasso, PoissonLasso, SparseLogisticRegression, alpha_max

    for n, p in SIZES[options.quick]:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n, p))
        signal = X[:, :10].sum(axis=1)
        y = signal + 2.0 * rng.normal(size=n)
        problems = {
            "Lasso": (Lasso, y, "quadratic"),
            "ElasticNet": (ElasticNet, y, "quadratic"),
            "logistic": (SparseLogisticRegression, (y > 0.0).astype(int), "logistic"),
            "Poisson": (PoissonLasso, rng.poisson(np.exp(0.2 * np.clip(signal, -8.0, 8.0))).astype(float), "poisson"),
        }
        for name, (kind, target, loss) in problems.items():
            for share in SHARES:
                model = kind(share * alpha_max(X, target, loss=loss))
                yield compared(f"{name}, {n} × {p}, λmax × {share:g}", model, X, target)


def compared(problem: str, model: object, X: np.ndarray, y: np.ndarray) -> Record:
    """One evaluation, slope included, by each; both warm their kernels first."""
    from lambdahat import ALO, CrossValidation

    evaluate(model, ALO(), X, y)
    approximate, one = clock(lambda: evaluate(model, ALO(), X, y), REPEATS)
    brute, all_of_them = clock(lambda: evaluate(model, CrossValidation(LeaveOneOut()), X, y))
    return {
        "problem": problem,
        "lambdahat": approximate,
        "peer": "its own n fits",
        "peer_seconds": brute,
        "ratio": approximate / brute,
        "off": one / all_of_them - 1.0,
    }


def evaluate(model: object, criterion: object, X: np.ndarray, y: np.ndarray) -> float:
    from lambdahat import GradientSearch

    once = {"init": "estimator", "optimizer": "gradient_descent", "max_evals": 1, "refit": False}
    return GradientSearch(model, criterion=criterion, **once).fit(X, y).best_criterion_


def bars(records: list[Record]) -> list[Record]:
    if not records:
        return []
    ratio = min(1.0 / record["ratio"] for record in records)
    off = max(abs(record["off"]) for record in records)
    return [
        bar("approximate leave-one-out, cheaper than n fits: least", "≥ 50×", times(ratio), ratio >= CHEAPER),
        bar("the same: farthest from n fits", "within 2 %", f"{100.0 * off:.2f} %", off <= OFF),
    ]

"""Approximate leave-one-out of one fit against leaving out every row in turn: how far off, and how much cheaper."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import LeaveOneOut

from .common import Options, Record, bar, clock, times

SIZES = {False: ((200, 50), (300, 1_000), (600, 2_000)), True: ((100, 30),)}
SHARES = (0.3, 0.1)  # of λmax
OF_COX = (0.5, 0.3)  # at 0.1 as many features are kept as there are events, and the criterion is not finite
CHEAPER, OFF = 50.0, 0.02
ROUNDS, REPEATS = 3, 9  # of all that is compared, in turns; of evaluations in each round
UNITS = (1.0, 10.0)  # of C, of the simplest support vector machine
ONE, OTHERS = "one target", "several targets, blocks, classes, risk sets, two stages"
MACHINES = "support vector machines"
BESIDE = {
    "an evaluation alone, once a search has begun": "cheaper_evaluation",
    "than n fits to their default gap": "cheaper_than_default",
    "to the same gap, with its slope": "cheaper_with_slope",
    "with its slope: than n folds that start warm": "cheaper_than_warm",
}


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
    for n, p in SIZES[options.quick][:2]:
        for name, make, X, y, largest in others(n, p):
            for share in OF_COX if name == "CoxLasso" else SHARES:
                problem = f"{name}, {n} × {p}, λmax × {share:g}"
                yield compared(problem, make(share * largest), X, y, kind=OTHERS)
        for name, model, X, y in machines(n, p):
            for units in UNITS:
                model.set_params(C=units * unit_of_C(X, y))
                yield compared(f"{name}, {n} × {p}, C × {units:g}", model, X, y, kind=MACHINES)


def machines(n: int, p: int) -> Iterator[tuple[str, Any, np.ndarray, np.ndarray]]:
    from lambdahat import LinearSVC, LinearSVR

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    y = X[:, :10].sum(axis=1) + 2.0 * rng.normal(size=n)
    yield "LinearSVC", LinearSVC(), X, np.sign(y)
    yield "LinearSVR", LinearSVR(epsilon=0.5), X, y


def unit_of_C(X: np.ndarray, y: np.ndarray) -> float:
    """Where all rows pull with all their weight, the C at which predictions are right in the mean."""
    pull = np.append(X.T @ np.sign(y), np.sign(y).sum())
    return float(np.abs(y).sum() / (pull @ pull))


def others(n: int, p: int) -> Iterator[tuple[str, Callable[[float], Any], np.ndarray, np.ndarray, float]]:
    """Models, how they are made from their strength, data, and about the largest useful strength."""
    from lambdahat import AdaptiveLasso, CoxLasso, GroupLasso, MultinomialLogistic, MultiTaskLasso

    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(n, p)), np.zeros((p, 3))
    W[:10] = rng.normal(size=(10, 3))
    Z = X @ W
    Y, classes = Z + 2.0 * rng.normal(size=Z.shape), (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    survival = np.zeros(n, dtype=[("event", bool), ("time", float)])
    event, censored = rng.exponential(np.exp(-0.5 * Z[:, 0])), rng.exponential(1.5, size=n)
    survival["event"], survival["time"] = event <= censored, np.minimum(event, censored)
    of_targets = np.linalg.norm(X.T @ (Y - Y.mean(axis=0)), axis=1).max() / n
    of_classes = X.T @ ((classes[:, None] == np.arange(3)) - np.bincount(classes) / n) / n
    by_group = np.linalg.norm((X.T @ (Y[:, 0] - Y[:, 0].mean())).reshape(-1, 5), axis=1).max() / n
    yield "MultiTaskLasso, 3 targets", MultiTaskLasso, X, Y, of_targets
    yield "GroupLasso, groups of 5", lambda a: GroupLasso(5, alpha=a), X, Y[:, 0], by_group / np.sqrt(5.0)
    yield "multinomial, 3 classes", MultinomialLogistic, X, classes, np.abs(of_classes).max()
    by_rows = np.linalg.norm(of_classes, axis=1).max()
    yield "multinomial rows, 3 classes", lambda a: MultinomialLogistic(a, penalty="rows"), X, classes, by_rows
    yield "AdaptiveLasso", AdaptiveLasso, X, Y[:, 0], np.abs(X.T @ (Y[:, 0] - Y[:, 0].mean())).max() / n
    yield "CoxLasso", CoxLasso, X, survival, largest_of_cox(X, survival)


def largest_of_cox(X: np.ndarray, y: np.ndarray) -> float:
    datafit, s = risk_sets(y)
    return float(np.abs(X.T @ (s * datafit.gradient(s, np.zeros(len(y))))).max())


def risk_sets(y: np.ndarray, without: int = -1) -> tuple[Any, np.ndarray]:
    """The partial likelihood of all rows but one, and weights."""
    from lambdahat.datafits import Cox

    s = np.where(np.arange(len(y)) == without, 0.0, 1.0 / len(y))
    return Cox().prepared(Cox().read(y, len(y)), s), s


def partial_likelihoods(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """The criterion by n fits, one after the other."""
    whole, s = risk_sets(y)
    total = 0.0
    for i in range(len(y)):
        left, weight = risk_sets(y, i)
        z = X @ model.fit(X, y, sample_weight=weight).coef_
        total += whole.value(y, z, s) - left.value(y, z, weight)
    return total


def refitted(model: Any, X: np.ndarray, y: np.ndarray) -> None:
    """A fit without each row, from nothing."""
    for i in range(len(y)):
        others = np.arange(len(y)) != i
        model.fit(X[others], y[others])


def compared(problem: str, model: Any, X: np.ndarray, y: np.ndarray, *, kind: str = ONE) -> Record:
    """A search of one evaluation against n fits of the estimator, and with its slope against n folds that start warm.

    The search reads its data and finds its range, too, which one of many evaluations does once. The fits end at the
    duality gap that the evaluation's own fit ends at, and in a second turn at their default. Ratios are medians of
    rounds, of which each takes all in turns: the speed of a shared machine changes within minutes.
    """
    from lambdahat import ALO, CrossValidation

    once = searched(model, ALO(), X, y, slope=False)
    evaluate(model, ALO(), X, y)  # which compiles, as the next one does
    all_of_them = evaluate(model, CrossValidation(LeaveOneOut()), X, y)
    if y.dtype.names:  # folds are judged by their own partial likelihood, which one row has none of
        all_of_them = partial_likelihoods(clone(model).set_params(tol=1e-7), X, y)
    exact = clone(model).set_params(tol=once.trace_.inner_tols[0])
    turns = {
        "lambdahat": lambda: clock(lambda: evaluate(model, ALO(), X, y, slope=False), REPEATS)[0],
        "evaluation": lambda: float(np.median([evaluation(model, X, y) for _ in range(REPEATS)])),
        "with_slope": lambda: clock(lambda: evaluate(model, ALO(), X, y), REPEATS)[0],
        "peer_seconds": lambda: clock(lambda: refitted(exact, X, y))[0],
        "default_seconds": lambda: clock(lambda: refitted(model, X, y))[0],
        "warm_seconds": lambda: clock(lambda: evaluate(model, CrossValidation(LeaveOneOut()), X, y))[0],
    }
    rounds = [{name: turn() for name, turn in turns.items()} for _ in range(ROUNDS)]

    def cheaper(one: str, many: str) -> float:
        return float(np.median([taken[many] / taken[one] for taken in rounds]))

    return {
        "problem": problem,
        "kind": kind,
        **{name: float(np.median([taken[name] for taken in rounds])) for name in turns},
        "peer": "its own n fits, to the same gap",
        "tol": exact.tol,
        "ratio": 1.0 / cheaper("lambdahat", "peer_seconds"),
        "cheaper_evaluation": cheaper("evaluation", "peer_seconds"),
        "cheaper_than_default": cheaper("lambdahat", "default_seconds"),
        "cheaper_with_slope": cheaper("with_slope", "peer_seconds"),
        "cheaper_than_warm": cheaper("with_slope", "warm_seconds"),
        "off": once.best_criterion_ / all_of_them - 1.0,
    }


def evaluation(model: object, X: np.ndarray, y: np.ndarray) -> float:
    """Seconds of the evaluation alone: a fit and the criterion, once a search knows its data and its range."""
    from lambdahat import ALO

    return float(searched(model, ALO(), X, y, slope=False).trace_.seconds[0])


def evaluate(model: object, criterion: object, X: np.ndarray, y: np.ndarray, *, slope: bool = True) -> float:
    return searched(model, criterion, X, y, slope=slope).best_criterion_


def searched(model: object, criterion: object, X: np.ndarray, y: np.ndarray, *, slope: bool = True) -> Any:
    """A search of one evaluation; a grid asks for no slopes."""
    from lambdahat import GradientSearch
    from lambdahat.outer import GradientDescent, Grid

    once = {"init": "estimator", "optimizer": GradientDescent() if slope else Grid(), "max_evals": 1, "refit": False}
    return GradientSearch(model, criterion=criterion, **once).fit(X, y)


def bars(records: list[Record]) -> list[Record]:
    found = []
    for kind in (ONE, OTHERS, MACHINES):
        of = [record for record in records if record["kind"] == kind]
        if not of:
            continue
        off = max(abs(record["off"]) for record in of)
        what = f"approximate leave-one-out, {kind}: cheaper than n fits to the same gap"
        found += [_bar(what, [1.0 / record["ratio"] for record in of])]
        found += [_bar(what, [record[name] for record in of]) for what, name in BESIDE.items()]
        found += [bar("the same: farthest from n fits", "within 2 %", f"{100.0 * off:.2f} %", off <= OFF)]
    return found


def _bar(what: str, ratios: list[float]) -> Record:
    held = sum(ratio >= CHEAPER for ratio in ratios)
    shown = f"{times(min(ratios))} to {times(max(ratios))}; holds in {held} of {len(ratios)}"
    return bar(what, f"≥ {CHEAPER:.0f}×", shown, held == len(ratios))

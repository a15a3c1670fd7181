"""One λ per feature on debian_text: the cost of a hypergradient, and what tuning 23,684 λ's gains."""

from collections.abc import Iterator

import numpy as np

from .common import Options, Record, bar, clock, mean_squared_error, times
from .data import Data, present

DIVISORS = (10, 100, 464)
REPEATS = 5
MANY_TO_ONE, TO_SOLVE = 1.2, 0.5


def records(options: Options) -> Iterator[Record]:
    for _, data in present(["debian_text"], options.quick):
        for divisor in DIVISORS:
            yield hypergradients(data, divisor)
        yield criteria(data)


def hypergradients(data: Data, divisor: float) -> Record:
    """Median seconds of the hypergradient for one λ and for one per feature, and of the solve it follows."""
    from lambdahat import HeldOut, Lasso, WeightedLasso, hypergradient

    alpha = data.alpha_max / divisor
    one = Lasso(alpha=alpha, fit_intercept=False)
    many = WeightedLasso(alpha=alpha, weights=np.ones(data.X.shape[1]), fit_intercept=False)
    criterion, arguments = HeldOut(data.X_val, data.y_val), (data.X, data.y)
    results = [
        [hypergradient(model, *arguments, criterion=criterion, tol=1e-5) for model in (one, many)]
        for _ in range(REPEATS)
    ]
    single, weighted = np.median([[r.gradient_seconds for r in pair] for pair in results], axis=0)
    solve = float(np.median([pair[0].solve_seconds for pair in results]))
    return {
        "problem": f"hypergradient, λmax/{divisor}",
        "support": int(np.size(results[0][0].support)),
        "solve": solve,
        "one": float(single),
        "many": float(weighted),
        "many_to_one": float(weighted / single),
        "to_solve": float(single / solve),
    }


def criteria(data: Data) -> Record:
    """The hold-out criterion of the tuned Lasso and of the tuned weighted Lasso, and the seconds of each."""
    from lambdahat import GradientSearch, HeldOut, Lasso, WeightedLasso

    record: Record = {"problem": "tuned criterion"}
    for name, model in {"lasso": Lasso, "weighted": WeightedLasso}.items():
        search = GradientSearch(model(fit_intercept=False), criterion=HeldOut(data.X_val, data.y_val))
        seconds, tuned = clock(lambda search=search: search.fit(data.X, data.y))
        record[f"{name}_seconds"] = seconds
        record[f"{name}_criterion"] = mean_squared_error(data.X_val, data.y_val, tuned.coef_)
    return record


def bars(records: list[Record]) -> list[Record]:
    gradients = [record for record in records if "to_solve" in record]
    tuned = [record for record in records if "lasso_criterion" in record]
    if not gradients:
        return []
    many, solve = (max(record[key] for record in gradients) for key in ("many_to_one", "to_solve"))
    return [
        bar(
            "weighted Lasso, one λ per feature: one hypergradient over the one-λ one (worst of three λ's)",
            "≤ 1.2×",
            times(many),
            many <= MANY_TO_ONE,
        ),
        *map(_criterion_bar, tuned),
        bar(
            "one hypergradient over the inner solve it follows (worst of three λ's)",
            "≤ 0.5×",
            times(solve),
            solve <= TO_SOLVE,
        ),
    ]


def _criterion_bar(record: Record) -> Record:
    ours, lasso = record["weighted_criterion"], record["lasso_criterion"]
    return bar(
        "weighted Lasso: hold-out criterion against the Lasso's",
        "better",
        f"{ours:.5f} against {lasso:.5f}",
        ours < lasso,
    )

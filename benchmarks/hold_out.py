"""Hold-out tuning of λ on debian_text, beside one cold fit, glmnet's path and sparho's search."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from scipy.sparse import vstack

from . import glmnet, output
from .common import Options, Record, bar, clock, mean_squared_error, times
from .data import Data, present
from .peers import all_timings, fastest

GAP = 1e-5
GRID_POINTS, GRID_END = 400, 1e-3
TUNED, CHOSEN = 1e-5, 1e-4  # relative excess allowed over the grid's best criterion, and asked of the search
DEFAULT_PATH = "as it comes"
GLMNET_PATHS = {DEFAULT_PATH: {}, "to λmax/1000": {"lambda_min_ratio": 1e-3}}  # the second is shorter than its default


def records(options: Options) -> Iterator[Record]:
    for _, data in present(["debian_text"], options.quick):
        best = grid(data, options)
        chosen = choice(data)
        yield tuning(data, best, limit=10.0 if options.quick else 60.0)
        if glmnet.version():
            yield from glmnet_paths(data, best, chosen)
        yield against_sparho(data, best, chosen, limit=20.0 if options.quick else 600.0)


def grid(data: Data, options: Options) -> float:
    """The best criterion on the fine grid, solved tightly; kept in the output folder, for it takes long."""
    from lambdahat import Lasso, path

    name = f"hold_out_grid{'_quick' if options.quick else ''}"
    known = output.read(options.output, name)
    if known is None:
        alphas = data.alpha_max * np.geomspace(1, GRID_END, GRID_POINTS)
        lasso = Lasso(fit_intercept=False, tol=1e-7)
        solved = path(lasso, data.X, data.y, alphas=alphas, X_val=data.X_val, y_val=data.y_val)
        known = {
            "divisors": [data.alpha_max / alpha for alpha in solved.alphas],
            "scores": [float(score) for score in solved.scores],
            "largest_gap": float(np.max(solved.gaps)),
        }
        output.write(options.output, name, known)
    return min(known["scores"])


def search(data: Data, refit: bool, tol: float) -> object:
    from lambdahat import GradientSearch, HeldOut, Lasso

    lasso = Lasso(fit_intercept=False, tol=GAP)
    criterion = HeldOut(data.X_val, data.y_val)
    return GradientSearch(lasso, criterion=criterion, refit=refit, tol=tol).fit(data.X, data.y)


def exact_criterion(data: Data, alpha: float) -> float:
    """What the criterion is at this λ, whatever the search thought of it: from a tight fit."""
    from lambdahat import Lasso

    coef = Lasso(alpha=alpha, fit_intercept=False, tol=1e-8).fit(data.X, data.y).coef_
    return mean_squared_error(data.X_val, data.y_val, coef)


def found(data: Data, best: float, seconds: float, tuned: object) -> Record:
    alpha = tuned.best_params_["alpha"]
    return {
        "lambdahat": seconds,
        "divisor": data.alpha_max / alpha,
        "n_evals": tuned.n_evals_,
        "excess": exact_criterion(data, alpha) / best - 1,
    }


def tuning(data: Data, best: float, limit: float) -> Record:
    """λ tuned and the final fit at the gap, over one cold fit of the fastest peer at that λ and gap."""
    seconds, tuned = clock(lambda: search(data, refit=True, tol=TUNED), repeats=3)
    timings = all_timings(data.X, data.y, tuned.best_params_["alpha"], GAP, limit)
    peer = fastest(timings)
    coefs = tuned.best_estimator_.coef_
    return {
        "problem": "tuning and final fit",
        **found(data, best, seconds, tuned),
        "excess_of_final_fit": mean_squared_error(data.X_val, data.y_val, coefs) / best - 1,
        "peer": f"one fit of {peer['peer']}",
        "peer_seconds": peer["seconds"],
        "ratio": seconds / peer["seconds"],
        "timings": timings,
    }


def choice(data: Data) -> tuple[float, object]:
    return clock(lambda: search(data, refit=False, tol=CHOSEN), repeats=3)


def glmnet_paths(data: Data, best: float, chosen: tuple[float, object]) -> Iterator[Record]:
    """The choice of λ alone over glmnet's path of 100 λ's, its criterion not even evaluated."""
    for name, settings in GLMNET_PATHS.items():
        peer_seconds = float(np.median(glmnet.run(data.X, data.y, repeats=3, **settings)[1]))
        yield {
            "problem": "choice alone",
            **found(data, best, *chosen),
            "peer": f"glmnet's path, {name}",
            "peer_seconds": peer_seconds,
            "ratio": chosen[0] / peer_seconds,
        }


def against_sparho(data: Data, best: float, chosen: tuple[float, object], limit: float) -> Record:
    """The choice of λ alone over sparho's search until it, too, is within the excess allowed."""
    watched = sparho_search(data, best * (1 + CHOSEN), limit)
    seconds, value = watched.trace[-1]
    return {
        "problem": "choice alone",
        **found(data, best, *chosen),
        "peer": "sparho" if value <= watched.target else "sparho (never there)",
        "peer_seconds": seconds,
        "ratio": chosen[0] / seconds,
        "peer_excess": min(value for _, value in watched.trace) / best - 1,
        "trace": watched.trace,
    }


class Reached(Exception):
    """Ends a search of sparho, which has no callback."""


@dataclass
class Watched:
    """A criterion of sparho that notes when each value is known, and ends the search at a target or limit."""

    criterion: object
    target: float
    limit: float
    trace: list[tuple[float, float]] = field(default_factory=list)
    start: float = field(default_factory=perf_counter)

    def value_and_hypergrad(self, *args: object, **kwargs: object) -> object:
        result = self.criterion.value_and_hypergrad(*args, **kwargs)
        seconds = perf_counter() - self.start
        self.trace.append((seconds, result.value))
        if result.value <= self.target or seconds > self.limit:
            raise Reached
        return result


def sparho_search(data: Data, target: float, limit: float) -> Watched:
    """`hoag_search` from λmax/100 with sparho's celer adapter."""
    from sparho import L1, HeldOutMSE, Problem, SquaredLoss, hoag_search
    from sparho.adapters import CelerLasso

    X = vstack([data.X, data.X_val], format="csc")
    train, val = np.split(np.arange(X.shape[0]), [len(data.y)])
    problem = Problem(SquaredLoss(), L1(), X, np.concatenate([data.y, data.y_val]))
    watched = Watched(HeldOutMSE(train, val), target, limit)
    with suppress(Reached):
        hoag_search(problem, data.alpha_max / 100, solver=CelerLasso(), criterion=watched)
    return watched


def bars(records: list[Record]) -> list[Record]:
    tuned = [record for record in records if record["problem"] == "tuning and final fit"]
    paths = [record for record in records if record["peer"] == f"glmnet's path, {DEFAULT_PATH}"]
    sparho = [record for record in records if record["peer"].startswith("sparho")]
    return [*map(_tuned_bar, tuned), *map(_path_bar, paths), *map(_sparho_bar, sparho)]


def _tuned_bar(record: Record) -> Record:
    excess = max(record["excess"], record["excess_of_final_fit"])
    return bar(
        f"hold-out tuning of λ, final fit at gap 1e-5 included, over {record['peer']} at that λ",
        "≤ 0.6× (moonshot 0.35×), excess ≤ 1e-5",
        f"{times(record['ratio'])}, excess {excess:.1e}",
        record["ratio"] <= 0.6 and excess <= TUNED,
    )


def _path_bar(record: Record) -> Record:
    return bar(
        f"the choice of λ alone, over {record['peer']}",
        "≤ 0.5×, excess ≤ 1e-4",
        f"{times(record['ratio'])}, excess {record['excess']:.1e}",
        record["ratio"] <= 0.5 and record["excess"] <= CHOSEN,
    )


def _sparho_bar(record: Record) -> Record:
    faster = 1 / record["ratio"]
    return bar(
        "the choice of λ alone, against sparho's hoag_search with celer to the same criterion",
        "≥ 20× faster",
        f"{times(faster)} faster, {record['peer']}'s excess {record['peer_excess']:.1e}",
        faster >= 20 and record["excess"] <= CHOSEN,
    )

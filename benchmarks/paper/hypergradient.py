"""Precision of the hypergradient against time, four ways to compute it (Bertrand et al., ICML 2020)."""

from collections.abc import Iterator

import numpy as np

from ..common import Options, Record, bar, times, within
from .problems import LIBSVM, Problem, by_problem, legend_above, panels, problems

WAYS = ("implicit", "implicit_forward", "forward", "backward")
DIVISORS = {"debian_text": (10, 100)}  # λ = λmax / divisor
OTHERWISE = (10,)
TOLS = np.geomspace(1e-1, 1e-12, 12)
MOST_ITERATIONS = 100_000
PRECISE, EXACT = 1e-4, 1e-7  # what is compared, and where a ladder ends
FASTER = 5


def records(options: Options) -> Iterator[Record]:
    from lambdahat.estimators.functions import METHODS

    for way in set(WAYS) - set(METHODS):
        print(f"{way} is skipped: this lambdahat has no method of that name.", flush=True)
    names = ["debian_text", "meg_left", *([] if options.quick else LIBSVM)]
    for problem in problems(names, options):
        for divisor in DIVISORS.get(problem.data_name, OTHERWISE):
            exact = computed(problem, divisor, "implicit", 1e-14)[1]
            for way in WAYS:
                if way in METHODS:
                    yield ladder(problem, divisor, way, exact, limit=10.0 if options.quick else 100.0)


def ladder(problem: Problem, divisor: int, way: str, exact: float, limit: float) -> Record:
    """Seconds and relative errors at ever smaller tolerances, until one takes longer than the limit."""
    small = problem.first(100)
    computed(small, divisor, way, 1e-2)  # compiles
    rungs, complete = within(limit, climbed(problem, divisor, way, exact))
    tols, seconds, errors = (list(column) for column in zip(*rungs, strict=True)) if rungs else ([], [], [])
    return {
        "problem": f"{problem.name}, λmax/{divisor}",
        "method": way,
        "complete": complete,
        "to_precise": first_precise(seconds, errors),
        "limit": limit,
        "tols": tols,
        "seconds": seconds,
        "errors": errors,
    }


def climbed(problem: Problem, divisor: int, way: str, exact: float) -> Iterator[tuple[float, float, float]]:
    for tol in TOLS:
        seconds, gradient = computed(problem, divisor, way, tol)
        if seconds < 1.0:  # short: the median of several
            repeats = int(np.clip(1.0 / seconds, 4, 20))
            seconds = float(np.median([computed(problem, divisor, way, tol)[0] for _ in range(repeats)]))
        error = abs(gradient - exact) / abs(exact)
        yield float(tol), seconds, error
        if error < EXACT:
            return


def computed(problem: Problem, divisor: int, way: str, tol: float) -> tuple[float, float]:
    """Seconds in the inner solve and in the derivative; the derivative with respect to log λ."""
    from lambdahat import hypergradient

    bound = {} if way == "implicit" else {"max_iter": MOST_ITERATIONS}
    estimator = problem.estimator(problem.alpha_max / divisor)
    data = problem.data
    result = hypergradient(estimator, data.X, data.y, criterion=problem.criterion, method=way, tol=tol, **bound)
    return result.solve_seconds + result.gradient_seconds, float(result.log_gradient[0])


def first_precise(seconds: list[float], errors: list[float]) -> float | None:
    """The least time after which the error is, and at every smaller tolerance stays, within what is compared."""
    late = [k for k, error in enumerate(errors) if not error <= PRECISE]
    kept = seconds[late[-1] + 1 if late else 0 :]
    return min(kept) if kept else None


def bars(records: list[Record]) -> list[Record]:
    found = []
    for name, group in by_problem(records).items():
        ways = {record["method"]: record for record in group}
        if "implicit_forward" in ways:
            found += [_faster(name, ways, slow) for slow in ("forward", "backward") if slow in ways]
            found += [_no_slower(name, ways)] if "implicit" in ways else []
    return found


def _faster(name: str, ways: dict[str, Record], slow: str) -> Record:
    ours = ways["implicit_forward"]["to_precise"]
    theirs, at_least = ways[slow]["to_precise"], ""
    if theirs is None:  # cut off: it takes at least as long as its last rung, or as the limit
        cut = 0.0 if ways[slow]["complete"] else ways[slow]["limit"]
        theirs, at_least = max([cut, *ways[slow]["seconds"]]), "at least "
    ratio = theirs / ours if ours else 0.0
    return bar(
        f"{name}: implicit_forward to a relative error of 1e-4, against {slow}",
        f"≥ {FASTER}× faster",
        f"{at_least}{times(ratio)} faster" if ours else "never there",
        ratio >= FASTER,
    )


def _no_slower(name: str, ways: dict[str, Record]) -> Record:
    ours, theirs = (ways[way]["to_precise"] for way in ("implicit", "implicit_forward"))
    ratio = ours / theirs if ours and theirs else (0.0 if ours else np.inf)
    shown = times(ratio) if ours and theirs else "one of them is never there"
    return bar(f"{name}: implicit, over implicit_forward", "≤ 1×", shown, ratio <= 1)


def draw(content: Record) -> object:
    """A panel a problem: relative error over seconds."""
    from lambdahat.plots.style import finish, over_seconds, styles

    groups = by_problem(content["records"])
    figure, axes = panels(len(groups))
    looks = dict(zip(WAYS, styles(WAYS).values(), strict=True))
    for each, (name, group) in zip(axes, groups.items(), strict=True):
        for record in group:
            colour, marker, dashes = looks[record["method"]]
            errors = np.maximum(record["errors"], 1e-16)
            label = record["method"].replace("_", " ")
            each.plot(record["seconds"], errors, marker=marker, color=colour, linestyle=dashes, label=label)
        each.axhline(PRECISE, color="0.6", linewidth=0.7, linestyle=":")
        each.set(yscale="log", title=name)
        over_seconds(each)
        each.set_ylabel("relative error of the hypergradient", fontsize="small")
        finish(each)
    legend_above(figure, axes)
    return figure

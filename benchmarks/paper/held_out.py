"""The criterion on rows held out against time, for every search (Bertrand et al., JMLR 2022).

What counts is never what a search reports: all the λ's that seemed to be among the best are solved once more, tightly.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from ..common import Options, Record, bar, clock, times
from .problems import Problem, by_problem, legend_above, panels, problems, searched, searches

POINTS = {
    "auto": 0,
    "lbfgs": 0,
    "line_search": 0,
    "gradient_descent": 0,
    "adam": 0,
    "hoag": 0,
    "grid": 100,
    "random": 30,
    "bayesian": 30,
}
CLOSE = 1e-4
NEAR = 1.01
SHORT = 5.0  # seconds
WANTED = {"grid": 3, "random": 10, "bayesian": 10, "gradient_descent": 3, "line_search": 3}
BLIND = ("grid", "random", "bayesian")  # have no rule to stop by, and are run to their end


def records(options: Options) -> Iterator[Record]:
    for problem in problems(["debian_text"], options):
        yield from compared(problem)


def compared(problem: Problem) -> Iterator[Record]:
    """A record a search; the best value is that of the best point which any of them visited."""
    found = {}
    for name, optimizer in searches(POINTS).items():
        timed(problem.first(200), optimizer, repeats=1)  # compiles
        found[name] = seconds, _, search = timed(problem, optimizer)
        print(f"{problem.name}: {name} took {seconds:.2f} s. {search.status_}", flush=True)
    traces = {name: search.trace_ for name, (*_, search) in found.items()}
    alphas = {name: trace.hyperparams[:, 0] for name, trace in traces.items()}
    values = judged(problem, alphas, {name: trace.values for name, trace in traces.items()})
    best = min(min(each) for each in values.values())
    for name, (seconds, elapsed, search) in found.items():
        reached = reaching(elapsed, values[name], best)
        yield {
            "problem": problem.name,
            "search": name,
            "n_evals": len(values[name]),
            "whole": seconds,
            "reached": reached is not None,
            "to_close": seconds if reached is None else reached,
            "excess": min(values[name]) / best - 1,
            "best": best,
            "metric": getattr(search, "metric_", "mean squared error"),
            "alphas": alphas[name].tolist(),
            "seconds": elapsed.tolist(),
            "values": values[name],
        }


def timed(problem: Problem, optimizer: object, repeats: int = 3) -> tuple[float, np.ndarray, object]:
    """Medians of several runs, where one is short: of the time of all, and until each evaluation; and a search."""
    arguments = (problem.estimator(), problem.criterion, problem.data, optimizer, problem.bounds)
    runs = [clock(lambda: searched(*arguments))]
    while len(runs) < repeats and runs[0][0] < SHORT:
        runs.append(clock(lambda: searched(*arguments)))
    elapsed = np.median([search.trace_.seconds for _, search in runs], axis=0)
    return float(np.median([seconds for seconds, _ in runs])), elapsed, runs[0][1]


def judged(problem: Problem, alphas: dict[str, np.ndarray], reported: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """The criterion at every λ: from tight fits where what was reported is near the best, as reported elsewhere."""
    from lambdahat import path

    data = problem.data
    limit = NEAR * min(values.min() for values in reported.values())
    every = np.unique(np.concatenate([alphas[name][reported[name] <= limit] for name in alphas]))
    solved = path(problem.estimator(tol=1e-7), data.X, data.y, alphas=every, X_val=data.X_val, y_val=data.y_val)
    known = dict(zip(solved.alphas.tolist(), solved.scores.tolist(), strict=True))
    pairs = {name: zip(alphas[name].tolist(), reported[name].tolist(), strict=True) for name in alphas}
    return {name: [known.get(alpha, value) for alpha, value in each] for name, each in pairs.items()}


def reaching(seconds: np.ndarray, values: list[float], best: float) -> float | None:
    """When the best is first reached, but for a relative 1e-4."""
    close = [second for second, value in zip(seconds, values, strict=True) if value <= best * (1 + CLOSE)]
    return float(close[0]) if close else None


def bars(records: list[Record]) -> list[Record]:
    found = []
    for name, group in by_problem(records).items():
        by_search = {record["search"]: record for record in group}
        auto = by_search.pop("auto", None)
        if auto is None or not by_search:
            continue
        found.append(_first_bar(name, auto, by_search))
        found += [_bar(name, auto, by_search[peer], wanted) for peer, wanted in WANTED.items() if peer in by_search]
    return found


def _first_bar(name: str, auto: Record, others: dict[str, Record]) -> Record:
    times_of_others = [other["to_close"] for other in others.values() if other["reached"]]
    next_name = min(others, key=lambda peer: (not others[peer]["reached"], others[peer]["to_close"]))
    return bar(
        f"{name}: auto within 1e-4 of the best, before all others",
        "first",
        f"{_shown(auto)}, {next_name} {_shown(others[next_name])}",
        auto["reached"] and auto["to_close"] <= min(times_of_others, default=np.inf),
    )


def _bar(name: str, auto: Record, other: Record, wanted: float) -> Record:
    """Searches without a rule to stop by are compared from beginning to end, the others up to the crossing."""
    key, what = ("whole", "from beginning to end") if other["search"] in BLIND else ("to_close", "to within 1e-4")
    ratio = other[key] / auto[key]
    return bar(
        f"{name}: auto {what}, against {other['search']}",
        f"≥ {wanted}× faster",
        f"{times(ratio)} ({auto[key]:.2f} s, {other[key]:.2f} s); within 1e-4 after {_shown(auto)}, {_shown(other)}",
        auto["reached"] and ratio >= wanted,
    )


def _shown(record: Record) -> str:
    return f"{record['to_close']:.2f} s{'' if record['reached'] else ', never there'}"


def draw(content: Record) -> object:
    """A panel a problem: relative excess over seconds; the line to be crossed is dotted."""
    from lambdahat.plots import plot_trace

    groups = by_problem(content["records"])
    figure, axes = panels(len(groups), height=3.0)
    for each, (name, group) in zip(axes, groups.items(), strict=True):
        traces = {record["search"]: _trace(record) for record in group}
        plot_trace(traces, ax=each, against="seconds", suboptimality=True, best=group[0]["best"])
        each.axhline(CLOSE, color="0.6", linewidth=0.7, linestyle=":")
        each.set_title(name)
        each.set_ylabel(f"relative excess of the {group[0]['metric']}")
    legend_above(figure, axes)
    return figure


def _trace(record: Record) -> SimpleNamespace:
    arrays = {key: np.array(record[key]) for key in ("seconds", "values")}
    return SimpleNamespace(hyperparams=np.array(record["alphas"])[:, None], **arrays)

"""Two hyperparameters: level sets of the criterion on 10,000 rows of debian_text, and the ways of the searches.

The surface is a grid of 30 × 30 warm-started fits with our own solver; the searches are set beside what it took.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from ..common import Options, Record, bar, clock, times
from ..data import Data, DataAbsentError, debian_text
from .problems import INNER_TOL, panels, searched, searches

SIDE = 30
POINTS = {"auto": 0, "line_search": 0, "gradient_descent": 0, "grid": SIDE**2, "random": 100, "bayesian": 100}
RATIOS = (1e-3, 1 - 1e-3)
RANGE = (1e-3, 10.0)  # of alpha, times the largest useful one of the Lasso
WANTED, NO_WORSE = 20, 1e-4


def records(options: Options) -> Iterator[Record]:
    try:
        data = debian_text(rows=(1_000, 500) if options.quick else (10_000, 5_000))
    except DataAbsentError as reason:
        print(f"debian_text is skipped. {reason}")
        return
    side = 8 if options.quick else SIDE
    surface = walked(data, side)
    yield surface
    points = {name: min(count, side**2) for name, count in POINTS.items()}
    for name, optimizer in searches(points).items():
        yield found(data, name, optimizer)


def enet(**settings: object) -> object:
    from lambdahat import ElasticNet

    return ElasticNet(fit_intercept=False, **settings)


def walked(data: Data, side: int) -> Record:
    """The criterion on the grid, each fit started from that at the next larger alpha."""
    from lambdahat import path

    alphas = data.alpha_max * np.geomspace(*RANGE[::-1], side)
    logits = np.linspace(*(np.log(ratio / (1 - ratio)) for ratio in RATIOS), side)
    ratios = 1 / (1 + np.exp(-logits))

    def walk() -> list[np.ndarray]:
        settings = {"alphas": alphas, "X_val": data.X_val, "y_val": data.y_val}
        return [path(enet(l1_ratio=ratio, tol=INNER_TOL), data.X, data.y, **settings).scores for ratio in ratios]

    path(enet(), data.X[:200], data.y[:200], alphas=alphas[:3])  # compiles
    seconds, scores = clock(walk)
    values = np.array(scores).T
    i, j = np.unravel_index(values.argmin(), values.shape)
    return {
        "search": f"{side} × {side} warm-started paths",
        "whole": seconds,
        "n_evals": values.size,
        "criterion": tight(data, alphas[i], ratios[j]),
        "metric": "mean squared error",
        "alpha": [float(alpha) for alpha in alphas for _ in ratios],
        "l1_ratio": ratios.tolist() * side,
        "values": values.ravel().tolist(),
    }


def found(data: Data, name: str, optimizer: object) -> Record:
    from lambdahat import HeldOut

    criterion = HeldOut(data.X_val, data.y_val)
    bounds = {"alpha": (data.alpha_max * RANGE[0], data.alpha_max * RANGE[1]), "l1_ratio": RATIOS}
    for rows in (100, len(data.y)):  # the first compiles
        part = replace(data, X=data.X[:rows], y=data.y[:rows])
        seconds, search = clock(lambda part=part: searched(enet(), criterion, part, optimizer, bounds))
    best = search.best_params_
    return {
        "search": name,
        "whole": seconds,
        "n_evals": search.n_evals_,
        "criterion": tight(data, best["alpha"], best["l1_ratio"]),
        "metric": getattr(search, "metric_", "mean squared error"),
        "alpha": search.trace_.hyperparams[:, 0].tolist(),
        "l1_ratio": search.trace_.hyperparams[:, 1].tolist(),
        "values": search.trace_.values.tolist(),
    }


def tight(data: Data, alpha: float, l1_ratio: float) -> float:
    """The criterion at a point, whatever the search thought of it."""
    coef = enet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-8).fit(data.X, data.y).coef_
    return float(np.mean((data.y_val - data.X_val @ coef) ** 2))


def bars(records: list[Record]) -> list[Record]:
    by_search = {record["search"]: record for record in records}
    auto = by_search.get("auto")
    if auto is None:
        return []
    grids = [records[0], *(record for name, record in by_search.items() if name == "grid")]
    return [_bar(auto, grid) for grid in grids]


def _bar(auto: Record, grid: Record) -> Record:
    ratio, excess = grid["whole"] / auto["whole"], auto["criterion"] / grid["criterion"] - 1
    return bar(
        f"elastic net, two λ's, hold-out, against our own {grid['search']} ({grid['n_evals']} fits)",
        f"≥ {WANTED}× faster, criterion no worse",
        f"{times(ratio)} faster ({auto['whole']:.2f} s, {grid['whole']:.2f} s), excess {excess:.1e}",
        ratio >= WANTED and excess <= NO_WORSE,
    )


def draw(content: Record) -> object:
    """Level sets from the first record, the ways of the others on them."""
    from lambdahat.plots import plot_level_sets

    surface, *others = content["records"]
    figure, (axes,) = panels(1)
    figure.set_size_inches(6.0, 4.0)
    alphas, ratios = (np.unique(surface[key]) for key in ("alpha", "l1_ratio"))
    values = np.array(surface["values"]).reshape(alphas.size, ratios.size)[::-1]
    plot_level_sets({record["search"]: _trace(record) for record in others}, (alphas, ratios, values), ax=axes)
    return figure


def _trace(record: Record) -> SimpleNamespace:
    hyperparams = np.column_stack([record["alpha"], record["l1_ratio"]])
    values = np.array(record["values"])
    return SimpleNamespace(hyperparam_names=("alpha", "l1_ratio"), hyperparams=hyperparams, values=values)

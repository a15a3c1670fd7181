"""λ by SURE on evoked responses: one λ against thousands, amplitudes against least squares and the truth, and time.

Single instants, the Lasso against one λ a column; all instants, the multi-task Lasso against one λ a row, and one a
source. Recorded data are scaled to noise of about unit variance, and σ = 1 is assumed; in the simulation it is true.
"""

from collections.abc import Iterator
from itertools import product
from time import process_time

import numpy as np

from ..common import Options, Record, bar, clock, times
from ..data import DataAbsentError, Recordings, meg_response
from .meg_simulation import compared, least_squares, simulate, sources
from .problems import legend_above, searches

INSTANTS, APART = (
    5,
    10e-3,
)  # of the largest norm in each condition, seconds between them: neighbours are nearly the same
SEEDS = 3
REPEATS, SHORT = 3, 20.0  # times a search is run, if it takes no longer than these seconds
POINTS = {"auto": 0, "grid": 100, "random": 30, "bayesian": 30}
WANTED = {"grid": 10}
FREEDOMS = ("monte_carlo", "exact")
SMALLEST = 1e-3  # of α_max, as in `sparse_inverse`
# Where one λ of all instants is searched for: fits of weaker penalties, of as many sources as channels, take minutes.
NARROW = {"auditory": 1 / 15, "visual": 1 / 40}
TOL = 1e-4  # of every search, as in `sparse_inverse`
ONE, MANY = "one λ", "many λ's"
LASSO, ROWS, GROUPED = "Lasso", "multi-task Lasso", "multi-task Lasso, orientations together"


def records(options: Options) -> Iterator[Record]:
    """Searches against each other, while nothing else has run; then one λ against many, recorded and simulated."""
    given = {}
    for condition in ("auditory", "visual"):
        try:
            given[condition] = meg_response(condition, options.quick)
        except DataAbsentError as reason:
            print(f"{condition} is skipped. {reason}")
    for condition, recordings in given.items():
        yield from timed(condition, recordings)
    for condition, recordings in given.items():
        for instant in largest(recordings)[: 1 if options.quick else INSTANTS]:
            yield from both(LASSO, condition, recordings, instant)
        for model in (ROWS, GROUPED):
            yield from both(model, condition, recordings)
    for seed in range(1 if options.quick else SEEDS) if "visual" in given else ():
        made = simulate(given["visual"], seed)
        peak = int(np.linalg.norm(made.mean, axis=0).argmax())
        for model, instant in ((LASSO, peak), (ROWS, None), (GROUPED, None)):
            yield from both(model, f"simulated {seed}", made.recordings, instant, made)


def largest(recordings: Recordings) -> list[int]:
    """Instants in the order of their norms, none next to another one."""
    chosen: list[int] = []
    for k in np.argsort(-np.linalg.norm(recordings.data, axis=0)):
        if all(abs(recordings.times[k] - recordings.times[other]) >= APART for other in chosen):
            chosen.append(int(k))
    return chosen


def posed(model: str, recordings: Recordings, instant: int | None) -> tuple[np.ndarray, np.ndarray, float]:
    """X, the targets, and α_max."""
    X = np.asfortranarray(recordings.leadfield)
    Y = recordings.data if instant is None else np.ascontiguousarray(recordings.data[:, instant])
    blocks = (X.T @ Y / len(Y)).reshape(len(recordings.positions) if model == GROUPED else X.shape[1], -1)
    return X, Y, float(np.linalg.norm(blocks, axis=1).max())


def estimators(model: str) -> dict[str, tuple[object, list[str]]]:
    """What has one λ and what has many, with the name of what is tuned."""
    from lambdahat import Lasso, MultiTaskLasso, WeightedLasso

    if model == LASSO:
        fit = {"fit_intercept": False}
        return {ONE: (Lasso(**fit), ["alpha"]), MANY: (WeightedLasso(**fit), ["weights"])}
    several = MultiTaskLasso(groups=2 if model == GROUPED else None, fit_intercept=False)
    return {ONE: (several, ["alpha"]), MANY: (several, ["penalty_factors"])}


def both(
    model: str, of: str, recordings: Recordings, instant: int | None = None, made: object = None
) -> Iterator[Record]:
    """One λ by SURE at σ = 1, and from there many; of what is simulated, against the truth."""
    from lambdahat import SURE, GradientSearch

    X, Y, alpha_max = posed(model, recordings, instant)
    n_blocks, alpha = len(recordings.positions) if model == GROUPED else X.shape[1], alpha_max
    for strengths, (estimator, tuned) in estimators(model).items():
        if strengths == ONE:
            smallest = SMALLEST if model == LASSO else NARROW.get(of, NARROW["visual"])
            settings = {"bounds": (smallest * alpha_max, alpha_max)}
        else:
            settings = {"init": {tuned[0]: np.full(n_blocks, alpha)}}
        search = GradientSearch(estimator, criterion=SURE(sigma=1.0), hyperparams=tuned, tol=TOL, **settings)
        seconds, search = clock(lambda search=search: search.fit(X, Y))
        if strengths == ONE:
            alpha = float(search.best_params_["alpha"])
        W = search.coef_.T.reshape(X.shape[1], -1)
        record = {
            "kind": "strengths",
            "of": of,
            "instant_ms": None if instant is None else round(1e3 * float(recordings.times[instant]), 1),
            "model": model,
            "strengths": strengths,
            "n_hyperparams": search.trace_.hyperparams.shape[1],
            "sure": search.best_criterion_,
            "sure_measured": float(search.trace_.values[search.best_index_]),
            "n_sources": len(sources(W)),
            **shrunk(X, Y.reshape(len(Y), -1), W),
            "share_of_alpha_max": alpha / alpha_max if strengths == ONE else None,
            "n_evals": search.n_evals_,
            "seconds": seconds,
        }
        yield record if made is None else {**record, **compared(made, W, instant)}


def shrunk(X: np.ndarray, Y: np.ndarray, W: np.ndarray) -> Record:
    """Penalised amplitudes over those of least squares on the same columns: as a sum of norms, and as fitted data."""
    refitted = least_squares(X, Y, W)
    sizes = [float(np.linalg.norm(each, axis=1).sum()) for each in (W, refitted)]
    fitted = [float(np.linalg.norm(X @ each)) for each in (W, refitted)]
    kept = [a / b if b > 0.0 else None for a, b in (sizes, fitted)]
    return {"amplitudes_over_least_squares": kept[0], "fit_over_least_squares": kept[1]}


def timed(condition: str, recordings: Recordings) -> Iterator[Record]:
    """Searches for one λ, at one instant and over all of them: the same SURE, bounds and solver.

    Degrees of freedom are measured at every point (one criterion with a gradient); or they are exact, and measured only
    where the gradient search follows them, so that a grid takes half as many fits or fewer.
    """
    for freedom, (model, instant) in product(FREEDOMS, ((LASSO, largest(recordings)[0]), (GROUPED, None))):
        X, Y, alpha_max = posed(model, recordings, instant)
        estimator, _ = estimators(model)[ONE]
        bounds = (SMALLEST if model == LASSO else NARROW[condition]) * alpha_max, alpha_max
        for name, optimizer in searches(POINTS).items():
            searched(estimator, X, Y, optimizer, freedom, (0.5 * alpha_max, alpha_max))  # compiles
            runs = [run(estimator, X, Y, optimizer, freedom, bounds)]
            while len(runs) < REPEATS and runs[0][0] < SHORT:
                runs.append(run(estimator, X, Y, optimizer, freedom, bounds))
            (seconds, processor), search = np.median([each[:2] for each in runs], axis=0).tolist(), runs[0][2]
            trace = search.trace_
            yield {
                "kind": "search",
                "of": condition,
                "instant_ms": None if instant is None else round(1e3 * float(recordings.times[instant]), 1),
                "model": model,
                "degrees_of_freedom": freedom,
                "search": name,
                "seconds": seconds,
                "processor_seconds": processor,
                "runs": len(runs),
                "n_evals": search.n_evals_,
                "sure": search.best_criterion_,
                "share_of_alpha_max": float(search.best_params_["alpha"]) / alpha_max,
                "elapsed": trace.seconds.tolist(),
                "shares": (trace.hyperparams[:, 0] / alpha_max).tolist(),
                "values": trace.values.tolist(),
            }


def run(*arguments: object) -> tuple[float, float, object]:
    """Seconds of a search, those of the processor, which others on the machine lengthen less, and the search."""
    began = process_time()
    seconds, search = clock(lambda: searched(*arguments))
    return seconds, process_time() - began, search


def searched(
    estimator: object, X: np.ndarray, Y: np.ndarray, optimizer: object, freedom: str, bounds: tuple[float, float]
) -> object:
    """A search without the final fit."""
    from lambdahat import SURE, GradientSearch

    criterion = SURE(sigma=1.0, degrees_of_freedom=freedom)
    settings = {"criterion": criterion, "optimizer": optimizer, "bounds": bounds, "tol": TOL}
    return GradientSearch(estimator, **settings, refit=False, max_evals=10_000).fit(X, Y)


def bars(records: list[Record]) -> list[Record]:
    return [*_of_searches(records), *_of_strengths(records)]


def _of_searches(records: list[Record]) -> list[Record]:
    found = []
    group = [record for record in records if record["kind"] == "search"]
    for auto in [record for record in group if record["search"] == "auto"]:
        for other in group:
            same = all(other[key] == auto[key] for key in ("of", "model", "degrees_of_freedom"))
            if same and other is not auto:
                ratio, wanted = other["processor_seconds"] / auto["processor_seconds"], WANTED.get(other["search"])
                freedom = auto["degrees_of_freedom"].replace("_", " ")
                what = f"{auto['of']}, {auto['model']}, {freedom}: gradient against {other['search']}"
                what = f"{what}, {other['n_evals']} points"
                excess = auto["sure"] - other["sure"]
                seconds = f"{auto['processor_seconds']:.2f} s, {other['processor_seconds']:.2f} s"
                shown = f"{times(ratio)} ({seconds}), SURE {excess:+.4f}"
                wished = "–" if wanted is None else f"≥ {wanted}× faster"
                found.append(bar(what, wished, shown, ratio >= (wanted or 1.0)))
    return found


def _of_strengths(records: list[Record]) -> list[Record]:
    """What many λ's gain: in SURE, which they minimise, and in the true risk, which only a simulation knows."""
    found = []
    for simulated in (False, True):
        for model in (LASSO, ROWS, GROUPED):
            one, many = (_group(records, model, strengths, simulated) for strengths in (ONE, MANY))
            if not one or not many:
                continue
            where = f"{'simulated' if simulated else 'recorded'}, {model}"
            for key in ("sure", "risk") if simulated else ("sure",):
                values = [float(np.mean([record[key] for record in group])) for group in (one, many)]
                lower = sum(b[key] < a[key] for a, b in zip(one, many, strict=True))
                name = "SURE" if key == "sure" else "true risk"
                shown = f"{values[1]:.4f} against {values[0]:.4f} on average, lower in {lower} of {len(one)}"
                found.append(bar(f"{where}: {name} of many λ's against one", "lower", shown, lower == len(one)))
    return found


def _group(records: list[Record], model: str, strengths: str, simulated: bool) -> list[Record]:
    group = [record for record in records if record["kind"] == "strengths" and record["model"] == model]
    group = [record for record in group if record["of"].startswith("simulated") == simulated]
    return [record for record in group if record["strengths"] == strengths]


def draw(content: Record) -> object:
    """SURE of one λ and of many; SURE against the true risk; amplitudes that are left; the time of searches."""
    from matplotlib.figure import Figure

    from lambdahat.plots.style import BLUE, GREEN, RED

    records = content["records"]
    figure = Figure(figsize=(6.6, 5.2), layout="constrained")
    axes = figure.subplots(2, 2)
    colours = {LASSO: BLUE, ROWS: RED, GROUPED: GREEN}
    for model, colour in colours.items():
        one, many = (_group(records, model, strengths, False) for strengths in (ONE, MANY))
        label = "Lasso, single instants" if model == LASSO else model
        axes[0, 0].plot([r["sure"] for r in one], [r["sure"] for r in many], "o", color=colour, label=label)
        for strengths, filled in ((ONE, colour), (MANY, "none")):
            group = _group(records, model, strengths, True)
            style = {"color": colour, "mfc": filled}
            axes[0, 1].plot([r["risk"] for r in group], [r["sure"] for r in group], "o", **style)
            near = [(r["amplitude_near"], r["mm_to_true_by_amplitude"]) for r in group]
            axes[1, 0].plot(*np.array(near).reshape(-1, 2).T, "o", **style)
    for each, title in ((axes[0, 0], "recorded"), (axes[0, 1], "simulated; hollow: many λ's")):
        ends = np.array([each.dataLim.min.min(), each.dataLim.max.max()])
        if np.all(np.isfinite(ends)):
            each.plot(ends, ends, color="0.7", linewidth=0.8, zorder=0)
        each.set_title(title)
    axes[0, 0].set(xlabel="SURE reached with one λ", ylabel="SURE reached with many λ's")
    axes[0, 1].set(xlabel="true risk at what was chosen", ylabel="SURE there")
    axes[1, 0].axvline(1.0, color="0.7", linewidth=0.8, zorder=0)
    axes[1, 0].set(xlabel="amplitude within 20 mm over the true one", ylabel="mm to the next true source")
    axes[1, 0].set_title("simulated; hollow: many λ's")
    group = [record for record in records if record["kind"] == "search"]
    _times(axes[1, 1], [record for record in group if record["degrees_of_freedom"] == FREEDOMS[0]])
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
    legend_above(figure, [axes[0, 0]], columns=3)
    return figure


def _times(axes: object, group: list[Record]) -> None:
    """Seconds of each search, a marker a problem."""
    names = list(dict.fromkeys(record["search"] for record in group))
    problems = list(dict.fromkeys((record["of"], record["model"]) for record in group))
    for problem, marker in zip(problems, "osD^", strict=False):
        of = [record for record in group if (record["of"], record["model"]) == problem]
        label = f"{problem[0]}, {'one instant' if problem[1] == LASSO else 'all instants'}"
        places = [names.index(record["search"]) for record in of]
        axes.plot(places, [record["processor_seconds"] for record in of], marker, label=label)
    shown = {"auto": "gradient", "grid": "grid,\n100", "random": "random,\n30", "bayesian": "bayesian,\n30"}
    axes.set_xticks(range(len(names)), [shown.get(name, name) for name in names])
    axes.set(yscale="log", ylabel="time of the processor (seconds)", title="one λ, measured degrees of freedom")
    if problems:
        axes.legend(frameon=False, loc="lower right")

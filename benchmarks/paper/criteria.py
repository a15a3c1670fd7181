"""What every criterion chooses, for one λ and for one λ a feature, judged by rows that nothing has seen.

Three kinds of rows: those that teach, those that a criterion may leave out of them, and a third set that only judges.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..common import Options, Record, bar, clock
from ..data import DataAbsentError, autoregressive, debian_text, meg_response
from .problems import legend_above, panels

SNRS = (1.0, 2.0, 4.0)  # ratios of norms
ROWS, COLUMNS, ACTIVE, CORRELATION, UNSEEN = 200, 500, 10, 0.5, 2_000
REPEATS = 10
SHARES = np.geomspace(1.0, 1e-3, 80)  # of λ_max, among which hindsight chooses
TEXT_ROWS = 10_000  # of debian_text, for what is out of proportion on all 42,360
LIMIT, WARM = 60.0, 0.5  # seconds, of one search and of the first one

FOLDS, RULE, SPLIT = "5 folds", "5 folds, 1se", "held out"
REFITTED, SCALED, KNOWN = "SURE", "SURE, σ scaled Lasso", "SURE, σ known"
ONE, MANY, ADAPTIVE, ROOT = "one λ", "p λ's", "adaptive", "SqrtLasso"
HINDSIGHT = "hindsight"


@dataclass(frozen=True, eq=False)
class Case:
    """Rows that teach and rows that judge; in simulations also the truth."""

    X: object
    y: np.ndarray
    X_test: object
    y_test: np.ndarray
    settings: dict[str, bool]
    sigma: float | None = None  # where it is known
    w: np.ndarray | None = None
    seed: int = 0
    range: float | None = None  # of searches below λ_max, where their own is not to be

    def first(self, rows: int) -> "Case":
        """A small one of the same shape, to compile kernels with."""
        return replace(self, X=self.X[:rows], y=self.y[:rows])

    @property
    def alpha_max(self) -> float:
        from lambdahat import alpha_max

        return alpha_max(self.X, self.y, **self.settings)

    @property
    def bounds(self) -> tuple[float, float] | None:
        return None if self.range is None else (self.alpha_max * self.range, 2.0 * self.alpha_max)


@dataclass(frozen=True)
class DataSet:
    name: str
    cases: Callable[[], list[Case]]
    without: tuple[str, ...] = ()  # criteria that are left out
    models: tuple[str, ...] = (ONE, MANY, ADAPTIVE)
    limit: float = LIMIT


def data_sets(options: Options) -> list[DataSet]:
    repeats = 2 if options.quick else REPEATS
    rows = 500 if options.quick else TEXT_ROWS
    found = [
        DataSet("diabetes, products", partial(diabetes, repeats)),
        *(DataSet(f"simulation, SNR {snr:g}", partial(simulations, snr, repeats, options.quick)) for snr in SNRS),
        DataSet(f"debian_text, {rows:,} rows", partial(text, rows), without=("ALO",)),
    ]
    if not options.quick:
        print(
            "debian_text: ALO is left out, whose searches visit fits with thousands of features, each with an inverse "
            f"of that size for the leverages; one λ a feature is tuned on {TEXT_ROWS:,} rows.",
            flush=True,
        )
        found.append(DataSet("debian_text", partial(text, None), without=("ALO", SCALED, "AICc"), models=(ONE,)))
    found.append(DataSet("meg_left", partial(sensors, repeats, options.quick)))
    return found


def diabetes(repeats: int) -> list[Case]:
    """Ten features, their squares and products: 65 columns, a random half of the 442 rows."""
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import PolynomialFeatures

    X, y = load_diabetes(return_X_y=True)
    X = np.asfortranarray(PolynomialFeatures(2, include_bias=False).fit_transform(X))
    return [_halves(X, y, {"standardize": True}, seed) for seed in range(repeats)]


def simulations(snr: float, repeats: int, quick: bool = False) -> list[Case]:
    """Ten of the coefficients are ±1; the error on fresh rows is about σ² at best."""
    n, p = (100, 120) if quick else (ROWS, COLUMNS)
    return [_simulated(snr, n, p, seed) for seed in range(repeats)]


def _simulated(snr: float, n: int, p: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    X = autoregressive(n + UNSEEN, p, CORRELATION, rng)
    w = np.zeros(p)
    w[rng.choice(p, ACTIVE, replace=False)] = rng.choice([-1.0, 1.0], ACTIVE)
    signal = X @ w
    sigma = float(np.sqrt(np.mean(signal**2)) / snr)
    y = signal + sigma * rng.standard_normal(n + UNSEEN)
    return Case(np.asfortranarray(X[:n]), y[:n], X[n:], y[n:], {"standardize": True}, sigma, w, seed)


def sensors(repeats: int, quick: bool = False) -> list[Case]:
    """One instant of the response to a tone: a random half of the sensors, predicted at the others.

    No search goes below λ_max/1000, as none of `lambdahat.inverse` does: further down a leadfield interpolates, slowly.
    """
    recordings = meg_response("auditory")
    X = recordings.leadfield[:, ::6] if quick else recordings.leadfield
    y = recordings.data[:, np.linalg.norm(recordings.data, axis=0).argmax()]
    cases = [_halves(X, y, {"fit_intercept": False}, seed, sigma=1.0) for seed in range(repeats)]
    return [replace(case, range=1e-3) for case in cases]


def text(rows: int | None) -> list[Case]:
    """So many of the rows that train, which are sorted by name, at random; those of the standard validation judge."""
    data = debian_text()
    drawn = np.sort(np.random.default_rng(0).permutation(len(data.y))[:rows])
    centre = data.y[drawn].mean()
    return [Case(data.X[drawn], data.y[drawn] - centre, data.X_val, data.y_val - centre, {"fit_intercept": False})]


def _halves(X: np.ndarray, y: np.ndarray, settings: dict[str, bool], seed: int, sigma: float | None = None) -> Case:
    half, other = np.array_split(np.random.default_rng(seed).permutation(len(y)), 2)
    return Case(np.asfortranarray(X[half]), y[half], X[other], y[other], settings, sigma, seed=seed)


def criteria(case: Case) -> dict[str, tuple[object, float]]:
    """A criterion of each name, and the seconds that its σ takes."""
    from sklearn.model_selection import KFold, ShuffleSplit

    from lambdahat import estimate_noise
    from lambdahat.criteria import AIC, ALO, BIC, EBIC, GCV, SURE, AICc, CrossValidation

    options = {"fit_intercept": case.settings.get("fit_intercept", True)}
    scaled_seconds, scaled = clock(lambda: estimate_noise(case.X, case.y, **options))
    seconds, refitted = clock(lambda: estimate_noise(case.X, case.y, correction="refit", **options))
    n, p = case.X.shape
    # Where features are fewer than rows these find a variance of their own.
    given, noise = ({"sigma": refitted}, seconds) if p + 1 >= n else ({}, 0.0)
    folds = KFold(5, shuffle=True, random_state=case.seed)  # rows of the text are sorted
    split = ShuffleSplit(1, test_size=0.25, random_state=case.seed)
    found: dict[str, tuple[object, float]] = {
        FOLDS: (CrossValidation(folds), 0.0),
        RULE: (CrossValidation(folds, rule="1se"), 0.0),
        SPLIT: (CrossValidation(split), 0.0),
        REFITTED: (SURE(refitted), seconds),
        SCALED: (SURE(scaled), scaled_seconds),
    }
    if case.sigma is not None:
        found[KNOWN] = SURE(case.sigma), 0.0
    found |= {kind.__name__: (kind(**given), noise) for kind in (AIC, AICc, BIC, EBIC)}
    return {**found, "GCV": (GCV(), 0.0), "ALO": (ALO(), 0.0)}


def records(options: Options) -> Iterator[Record]:
    for data in data_sets(options):
        try:
            cases = data.cases()
        except DataAbsentError as reason:
            print(f"{data.name} is skipped. {reason}", flush=True)
            continue
        for _ in chosen(cases[0].first(60), replace(data, limit=WARM)):  # compiles
            pass
        results: dict[tuple[str, str], list[Record]] = {}
        for case in cases:
            for model, name, result in chosen(case, data):
                results.setdefault((model, name), []).append(result)
        floor = float(np.mean([result["error"] for result in results[ONE, HINDSIGHT]]))
        for (model, name), each in results.items():
            yield _record(data.name, model, name, each, floor)


def chosen(case: Case, data: DataSet) -> Iterator[tuple[str, str, Record]]:
    """The model, what chose, and the result: in hindsight, by each criterion, and without tuning."""
    import lambdahat

    yield ONE, HINDSIGHT, in_hindsight(case)
    made = {name: each for name, each in criteria(case).items() if name not in data.without}
    kinds = {ONE: lambdahat.Lasso, MANY: lambdahat.WeightedLasso, ADAPTIVE: lambdahat.AdaptiveLasso}
    for model in data.models:
        for name in (FOLDS, "BIC") if model == ADAPTIVE else made:
            yield model, name, searched(case, kinds[model](**case.settings), *made[name], limit=data.limit)
    yield from _untuned(case)


def in_hindsight(case: Case) -> Record:
    """The best λ for the rows that judge, which nobody knows."""
    from lambdahat import Lasso, path

    alphas = case.alpha_max * SHARES
    estimator = Lasso(**case.settings)
    found = path(estimator, case.X, case.y, alphas=alphas, X_val=case.X_test, y_val=case.y_test)
    best = float(found.alphas[np.argmin(found.scores)])
    seconds, model = clock(lambda: Lasso(best, **case.settings).fit(case.X, case.y))
    return {**_judged(case, model, seconds), "share": best / case.alpha_max, "n_evals": 0, "status": ""}


def searched(case: Case, estimator: object, criterion: object, before: float, *, limit: float) -> Record:
    from lambdahat import GradientSearch

    search = GradientSearch(estimator, criterion=criterion, bounds=case.bounds, max_seconds=limit)
    seconds, _ = clock(lambda: search.fit(case.X, case.y))
    alpha = search.best_params_.get("alpha")
    if alpha is None:  # the middle one of those that count
        used = search.best_params_["weights"][search.coef_ != 0.0]
        alpha = float(np.median(used)) if used.size else case.alpha_max
    errors = search.metric_ in ("mean squared error", "GCV", "leave-one-out mean squared error")
    promised = search.best_criterion_ if errors else None
    if search.metric_ == "SURE":  # about the means: noise comes on top
        promised = search.best_criterion_ + float(criterion.sigma) ** 2
    return {
        **_judged(case, search, before + seconds),
        "share": alpha / case.alpha_max,
        "promised": promised,
        "n_evals": search.n_evals_,
        "status": search.status_,
    }


def _untuned(case: Case) -> Iterator[tuple[str, str, Record]]:
    """A formula supposes columns of mean square 1; a simulation takes them as they are."""
    from lambdahat import Lasso, SqrtLasso, estimate_noise, simulated_alpha, theoretical_alpha

    settings, standardised = case.settings, case.settings.get("standardize", False)
    intercept = {"fit_intercept": settings.get("fit_intercept", True)}

    def sigma() -> float:
        return float(estimate_noise(case.X, case.y, correction="refit", **intercept))

    def simulated(noise: float | None) -> float:
        return float(simulated_alpha(case.X, noise, random_state=0, **settings))

    ways: dict[tuple[str, str], Callable[[], object]] = {
        (ONE, "simulated"): lambda: Lasso(simulated(sigma()), **settings).fit(case.X, case.y),
    }
    if standardised:
        ways[ONE, "theoretical"] = lambda: Lasso(theoretical_alpha(case.X, sigma(), **settings), **settings).fit(
            case.X, case.y
        )
        ways[ROOT, "pivotal"] = lambda: SqrtLasso(**settings).fit(case.X, case.y)
    else:
        ways[ROOT, "simulated"] = lambda: SqrtLasso(simulated(None), **settings).fit(case.X, case.y)
    for (model, name), fit in ways.items():
        seconds, fitted = clock(fit)
        share = fitted.alpha / case.alpha_max if model == ONE else None
        yield model, name, {**_judged(case, fitted, seconds), "share": share, "n_evals": 0, "status": ""}


def _judged(case: Case, model: object, seconds: float) -> Record:
    selected = model.coef_ != 0.0
    result: Record = {
        "error": float(np.mean((case.y_test - model.predict(case.X_test)) ** 2)),
        "support": int(selected.sum()),
        "seconds": seconds,
        "promised": None,
        "precision": None,
        "recall": None,
        "f1": None,
        "exact": None,
    }
    if case.w is None:
        return result
    hits = int(np.sum(selected & (case.w != 0.0)))
    result["precision"] = hits / selected.sum() if selected.any() else 1.0
    result["recall"] = hits / np.count_nonzero(case.w)
    result["f1"] = 2.0 * hits / float(selected.sum() + np.count_nonzero(case.w))
    result["exact"] = float(hits == selected.sum() == np.count_nonzero(case.w))
    return result


def _record(data: str, model: str, name: str, results: list[Record], floor: float) -> Record:
    """Means over repetitions, and their values as lists."""
    errors = [result["error"] for result in results]
    promised = _mean(results, "promised")
    return {
        "data": data,
        "model": model,
        "criterion": name,
        "share_of_alpha_max": _mean(results, "share"),
        "support": _mean(results, "support"),
        "error": float(np.mean(errors)),
        "excess": float(np.mean(errors) / floor - 1.0),
        "promised": promised,
        **{key: _mean(results, key) for key in ("precision", "recall", "f1", "exact", "seconds", "n_evals")},
        "errors": errors,
        "supports": [result["support"] for result in results],
        "statuses": [result["status"] for result in results],
    }


def _mean(results: list[Record], key: str) -> float | None:
    values = [result[key] for result in results if result[key] is not None]
    return float(np.mean(values)) if values else None


CLOSE, HONEST, PRECISE = 0.05, 0.10, 0.9


def bars(records: list[Record]) -> list[Record]:
    """Statements about all data sets: what is measured lists them, and a statement holds if it does everywhere."""
    of = {(record["data"], record["model"], record["criterion"]): record for record in records}
    names = list(dict.fromkeys(record["data"] for record in records))
    found = [_close(of, names, name) for name in (FOLDS, REFITTED, KNOWN, "GCV", "ALO", "BIC")]
    found.append(_sparser(of, names))
    found += [_better(of, names, name) for name in (FOLDS, SPLIT, REFITTED, "ALO", "BIC", "EBIC")]
    found.append(_better(of, names, FOLDS, ADAPTIVE))
    found += [_kept(of, names, model, name) for model in (ONE, MANY) for name in (FOLDS, REFITTED)]
    found += [_precise(of, names, model) for model in (ONE, MANY)]
    return [each for each in found if each is not None]


Of = dict[tuple[str, str, str], Record]


def _statement(what: str, wanted: str, measured: dict[str, tuple[str, bool]]) -> Record | None:
    if not measured:
        return None
    listed = "; ".join(f"{name}: {shown}" for name, (shown, _) in measured.items())
    reached = [holds for _, holds in measured.values()]
    return bar(what, wanted, f"{sum(reached)} of {len(reached)}. {listed}", all(reached))


def _close(of: Of, names: list[str], name: str) -> Record | None:
    found = {data: of[data, ONE, name]["excess"] for data in names if (data, ONE, name) in of}
    measured = {data: (f"{excess:+.1%}", excess <= CLOSE) for data, excess in found.items()}
    return _statement(f"one λ by {name}: error on unseen rows", "within 5 % of the best λ's in hindsight", measured)


def _sparser(of: Of, names: list[str]) -> Record | None:
    measured = {}
    for data in names:
        if (data, ONE, RULE) in of and (data, ONE, FOLDS) in of:
            rule, least = of[data, ONE, RULE], of[data, ONE, FOLDS]
            shown = (
                f"{rule['support']:.0f} of {least['support']:.0f} features, {rule['error'] / least['error'] - 1:+.1%}"
            )
            holds = rule["support"] <= least["support"] / 2 and rule["error"] <= (1 + HONEST) * least["error"]
            measured[data] = shown, holds
    return _statement(f"one λ by {RULE}, against {FOLDS}", "half the features, error within 10 %", measured)


def _better(of: Of, names: list[str], name: str, model: str = MANY) -> Record | None:
    measured = {}
    for data in names:
        if (data, model, name) in of and (data, ONE, FOLDS) in of:
            ratio = of[data, model, name]["error"] / of[data, ONE, FOLDS]["error"]
            measured[data] = f"{ratio - 1:+.1%}", ratio < 1.0
    what = f"{model} by {name}: error on unseen rows, against one λ by {FOLDS}"
    return _statement(what, "smaller: tuning generalises", measured)


def _kept(of: Of, names: list[str], model: str, name: str) -> Record | None:
    measured = {}
    for data in names:
        record = of.get((data, model, name))
        if record is not None and record["promised"] is not None:
            ratio = record["error"] / record["promised"] - 1
            measured[data] = f"{ratio:+.0%}", abs(ratio) <= HONEST
    what = f"{model}: error on unseen rows, against what {name} promised"
    return _statement(what, "within 10 %", measured)


def _precise(of: Of, names: list[str], model: str) -> Record | None:
    measured = {}
    for data in names:
        record = of.get((data, model, "EBIC"))
        if record is not None and record["precision"] is not None:
            shown = f"precision {record['precision']:.2f}, recall {record['recall']:.2f}"
            measured[data] = shown, min(record["precision"], record["recall"]) >= PRECISE
    return _statement(f"{model} by EBIC finds the features that matter", "precision and recall ≥ 0.9", measured)


COLOURED = (FOLDS, RULE, SPLIT, REFITTED, "AICc", "BIC", "EBIC", "GCV", "ALO")
MARKERS = {ONE: "o", MANY: "^", ADAPTIVE: "*", ROOT: "X"}
MOST = 2.0  # of the error over the best one; what is beyond is drawn on the edge


def draw(content: Record) -> object:
    """A panel a data set: the error relative to the best λ in hindsight, over the size of the support."""
    from matplotlib.ticker import LogLocator

    from lambdahat.plots.style import BLACK, GREY, STYLES

    groups: dict[str, list[Record]] = {}
    for record in content["records"]:
        groups.setdefault(record["data"], []).append(record)
    colours = {name: colour for name, (colour, *_) in zip(COLOURED, STYLES, strict=True)}
    figure, axes = panels(len(groups), height=2.0)
    for each, (name, group) in zip(axes, groups.items(), strict=True):
        for record in group:
            by, model = record["criterion"], record["model"]
            if by not in colours and model != ROOT:
                continue
            mark, size = MARKERS[model], 7.0 if model == ADAPTIVE else 5.0
            at = record["support"] + 1, min(1.0 + record["excess"], MOST)
            colour, label = colours.get(by, GREY), by if model == ONE else None
            each.plot(*at, mark, color=colour, markersize=size, markeredgewidth=0.0, label=label, alpha=0.85)
        each.axhline(1.0, color=GREY, linewidth=0.7, linestyle=":")
        each.set(title=name, xscale="log", xlabel="features kept, + 1", ylabel="error over the best λ's")
        each.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        each.xaxis.set_major_formatter("{x:g}")
        each.xaxis.set_minor_formatter("")
        each.spines[["top", "right"]].set_visible(False)
    for model, mark in MARKERS.items():
        axes[0].plot([], [], mark, color=GREY if model == ROOT else BLACK, markeredgewidth=0.0, label=model)
    legend_above(figure, axes, columns=5)
    return figure

"""Where SURE fails: noise that is not as assumed, in its level or its correlation over time, on the real leadfield.

The multi-task Lasso, the orientations of a source together, without depth weighting. The best α is the one with the
least true risk, which only a simulation knows.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import KFold

from ..common import Options, Record, bar, clock
from ..data import DataAbsentError, Recordings, meg_response
from .meg_simulation import compared, like_residuals, low_passed, simulate, sources
from .problems import legend_above

ASSUMED = (0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
WITH_COVARIANCE = (0.7, 1.0, 1.5)
SEEDS = 3
# Of α_max, where searches end: further down sources are as many as channels, and single fits take minutes.
SMALLEST = {"auditory": 1 / 15, "visual": 1 / 40}
SEARCH_TOL = 1e-4  # that of `sparse_inverse`
WHITE, RESIDUALS, LOW = "white", "like the residuals", "below 40 Hz"
CLOSE = 1.1  # of the least risk


def records(options: Options) -> Iterator[Record]:
    """Simulated: every seed and noise, with every choice of α; then the recordings, at every σ assumed."""
    try:
        recordings = {condition: meg_response(condition, options.quick) for condition in ("auditory", "visual")}
    except DataAbsentError as reason:
        print(f"The recordings are skipped. {reason}")
        return
    assumed = (0.7, 1.0) if options.quick else ASSUMED
    for condition, given in recordings.items():
        for name, criterion in {**_sure(assumed), "sensors left out": None}.items():
            yield chosen(condition, given, name, criterion, smallest=SMALLEST[condition])
    for seed in range(1 if options.quick else SEEDS):
        yield from simulated(recordings["visual"], seed, assumed)


def _sure(assumed: tuple[float, ...], covariance: np.ndarray | None = None) -> dict[str, object]:
    from lambdahat import SURE

    if covariance is None:
        return {f"SURE, σ = {sigma:g}": SURE(sigma=sigma) for sigma in assumed}
    return {f"SURE with Σ, σ = {sigma:g}": SURE(covariance=sigma**2 * covariance) for sigma in assumed}


def simulated(recordings: Recordings, seed: int, assumed: tuple[float, ...]) -> Iterator[Record]:
    from lambdahat import HeldOut

    times = recordings.times
    for noise, covariance in {WHITE: None, LOW: low_passed(times), RESIDUALS: like_residuals(times)}.items():
        made = simulate(recordings, seed, covariance)
        criteria = {"the true risk": HeldOut(recordings.leadfield, made.mean), "sensors left out": None}
        if noise == RESIDUALS:
            criteria |= _sure((1.0,)) | _sure((1.0,), covariance)
        else:
            criteria |= _sure(assumed) | ({} if covariance is None else _sure(WITH_COVARIANCE, covariance))
        for name, criterion in criteria.items():
            yield {"seed": seed, **chosen(noise, made.recordings, name, criterion, made, SMALLEST["visual"])}


def chosen(
    of: str, recordings: Recordings, name: str, criterion: object, made: object = None, smallest: float = 1e-3
) -> Record:
    """What is found at the α chosen by a criterion; None stands for cross-validation over sensors."""
    from lambdahat import GradientSearch, MultiTaskLasso

    X, Y = np.asfortranarray(recordings.leadfield), recordings.data
    alpha_max = float(np.linalg.norm((X.T @ Y / len(Y)).reshape(len(recordings.positions), -1), axis=1).max())
    model = MultiTaskLasso(groups=2, fit_intercept=False)
    folds = KFold(5, shuffle=True, random_state=0)
    settings = {"bounds": (smallest * alpha_max, alpha_max), "tol": SEARCH_TOL}
    search = GradientSearch(model, criterion="cv" if criterion is None else criterion, cv=folds, **settings)
    seconds, search = clock(lambda: search.fit(X, Y))
    W = search.coef_.T
    share = search.best_params_["alpha"] / alpha_max
    record = {
        "of": of,
        "chosen_by": name,
        "share_of_alpha_max": share,
        "at_the_end": bool(share < 1.01 * smallest),  # of the range
        "n_sources": len(sources(W)),
        "criterion": search.best_criterion_,
        "explained": float(1.0 - np.sum((Y - X @ W) ** 2) / np.sum(Y**2)),
        "seconds": seconds,
    }
    return record if made is None else {**record, **compared(made, W)}


def bars(records: list[Record]) -> list[Record]:
    """Whether a choice comes near the least risk, on average over the seeds."""
    found = []
    for noise in (WHITE, LOW, RESIDUALS):
        for name in ("SURE, σ = 1", "SURE with Σ, σ = 1", "SURE, σ = 0.7", "SURE, σ = 1.5", "sensors left out"):
            ratio, counts = relative_risk(records, noise, name)
            if np.isfinite(ratio):
                what = f"noise {noise}: true risk of the α by {name}, over the least"
                found.append(bar(what, f"≤ {CLOSE}×", f"{ratio:.2f}×, {counts:.0f} sources", ratio <= CLOSE))
    return found


def relative_risk(records: list[Record], noise: str, name: str) -> tuple[float, float]:
    """The risk over the least one, a geometric mean over the seeds, and the mean number of sources."""
    least = {r["seed"]: r["risk"] for r in records if r["of"] == noise and r["chosen_by"] == "the true risk"}
    group = [r for r in records if r["of"] == noise and r["chosen_by"] == name and r["seed"] in least]
    if not group:
        return float("nan"), float("nan")
    logs = [np.log(r["risk"] / least[r["seed"]]) for r in group]
    return float(np.exp(np.mean(logs))), float(np.mean([r["n_sources"] for r in group]))


def draw(content: Record) -> object:
    """Over the σ assumed: the true risk over the least one, and the sources, for white and for low-passed noise."""
    from matplotlib.figure import Figure

    from lambdahat.plots.style import BLUE, GREEN, GREY, RED

    records = content["records"]
    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    for column, noise in zip(axes.T, (WHITE, LOW), strict=False):
        curves = {
            "SURE(sigma=σ)": ("SURE, σ = {:g}", BLUE, "o-"),
            "SURE(covariance=σ²Σ)": ("SURE with Σ, σ = {:g}", RED, "s--"),
        }
        for label, (pattern, colour, style) in curves.items():
            values = [(sigma, *relative_risk(records, noise, pattern.format(sigma))) for sigma in ASSUMED]
            sigmas, risks, counts = np.array([each for each in values if np.isfinite(each[1])]).reshape(-1, 3).T
            if sigmas.size:
                column[0].plot(sigmas, risks, style, color=colour, label=label)
                column[1].plot(sigmas, counts, style, color=colour, label=label)
        for label, colour in (("sensors left out", GREEN), ("the true risk", GREY)):
            risk, count = relative_risk(records, noise, label)
            for each, value in zip(column, (risk, count), strict=True):
                each.axhline(value, color=colour, linewidth=0.9, linestyle=":", label=label)
        column[0].set(title=f"simulated, noise {noise}", ylabel="true risk over the least")
        column[1].set(yscale="log", ylabel="sources found", xlabel="σ assumed (true: 1)")
    for condition, colour in (("auditory", BLUE), ("visual", RED)):
        group = [r for r in records if r["of"] == condition and r["chosen_by"].startswith("SURE")]
        sigmas = [float(r["chosen_by"].rpartition("=")[2]) for r in group]
        for each, key in zip(axes[:, 2], ("share_of_alpha_max", "n_sources"), strict=True):
            each.plot(sigmas, [r[key] for r in group], "^-" if condition == "visual" else "o-", color=colour)
            for other in [r for r in records if r["of"] == condition and r["chosen_by"] == "sensors left out"]:
                each.axhline(other[key], color=colour, linewidth=0.9, linestyle=":")
        if group:
            axes[0, 2].text(
                sigmas[-1], group[-1]["share_of_alpha_max"], condition, color=colour, ha="right", va="bottom"
            )
    axes[0, 2].set(title="recorded", yscale="log", ylabel="α chosen over α_max")
    axes[1, 2].set(yscale="log", ylabel="sources found", xlabel="σ assumed")
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
    legend_above(figure, axes[:, :2].ravel().tolist(), columns=4)
    return figure

"""Sources of evoked responses: the multi-task Lasso on meg_left at given shares of α_max, and at the α that is chosen.

Noise is most of these data (averages of three and of six trials), so that little of the variance is there to be
explained; where the sources lie is known: a tone is heard on both temporal sides, a flash seen at the back.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..common import Options, Record, bar, clock
from ..data import DataAbsentError, Recordings, meg_response
from .problems import legend_above

CONDITIONS = ("auditory", "visual")
SHARES = (0.85, 0.82, 0.80, 0.75)

# What chooses α: a name, and what `sparse_inverse` takes as its criterion. SURE is told that noise has unit variance.
CRITERIA: dict[str, object] = {"SURE": "sure", "sensors left out": "cv"}

# Whether the two orientations of a source come and go together, and the exponent of the depth weighting.
MODELS = {
    "each column": (False, 0.0),
    "orientations together": (True, 0.0),
    "orientations together, depth 0.8": (True, 0.8),
}
# What the picture shows: the model, who chose α, and the share of α_max whose courses are drawn.
DRAWN = ("given", "SURE")
SHOWN, COURSES, MOST_COURSES = "orientations together", 0.80, 6
SIDE, BACK = 30.0, -40.0  # mm


def records(options: Options) -> Iterator[Record]:
    """At each share of each model; then at what each criterion chooses."""
    for condition in CONDITIONS:
        try:
            recordings = meg_response(condition, options.quick)
        except DataAbsentError as reason:
            print(f"{condition} is skipped. {reason}")
            continue
        for model in MODELS:
            for share in SHARES:
                yield given(condition, recordings, model, share)
        for name, criterion in CRITERIA.items():
            for model in MODELS:
                yield chosen(condition, recordings, model, name, criterion)


def prepared(recordings: Recordings, model: str) -> object:
    from lambdahat.inverse import prepare

    together, depth = MODELS[model]
    options = {"positions": recordings.positions, "orientation": "free", "depth": depth}
    problem = prepare(recordings.leadfield, recordings.data, **options)
    return problem if together else replace(problem, n_orient=1, positions=np.repeat(recordings.positions, 2, axis=0))


def given(condition: str, recordings: Recordings, model: str, share: float) -> Record:
    problem = prepared(recordings, model)
    seconds, sources = clock(lambda: problem.at(share * problem.alpha_max))
    return _record(condition, recordings, model, "given", sources, seconds)


def chosen(condition: str, recordings: Recordings, model: str, name: str, criterion: object) -> Record:
    from lambdahat.inverse import sparse_inverse

    together, depth = MODELS[model]
    positions = recordings.positions if together else np.repeat(recordings.positions, 2, axis=0)
    options = {"positions": positions, "orientation": "free" if together else "fixed", "depth": depth}
    seconds, sources = clock(
        lambda: sparse_inverse(recordings.leadfield, recordings.data, criterion=criterion, **options)
    )
    trace = sources.search.trace_
    order = np.argsort(trace.hyperparams[:, 0])
    visited = {"shares": trace.hyperparams[order, 0] / sources.alpha_max, "values": trace.values[order]}
    record = _record(condition, recordings, model, name, sources, seconds)
    return {**record, "visited": {key: values.tolist() for key, values in visited.items()}}


def _record(condition: str, recordings: Recordings, model: str, by: str, sources: object, seconds: float) -> Record:
    problem = prepared(recordings, model)
    refitted = problem.at(sources.alpha, debias=True)
    places = 1e3 * refitted.positions
    courses = 1e9 * np.array([_along(each) for each in refitted.amplitudes]).reshape(-1, recordings.times.size)
    peaks = np.abs(courses).max(axis=1, initial=0.0)
    strongest = np.argsort(-peaks)[:MOST_COURSES]
    return {
        "condition": condition,
        "model": model,
        "chosen_by": by,
        "share_of_alpha_max": sources.alpha / sources.alpha_max,
        "n_sources": len(np.unique(places, axis=0)),  # of columns apart, two may be of one source
        "explained": sources.explained_variance,
        "explained_by_least_squares": refitted.explained_variance,
        "seconds": seconds,
        **dict(zip(("x_mm", "y_mm", "z_mm"), places.T.round(1).tolist(), strict=True)),
        "peak_nAm": peaks.round(3).tolist(),
        "courses": {
            "times_ms": (1e3 * recordings.times).round(2).tolist(),
            "of": strongest.tolist(),
            "nAm": courses[strongest].round(3).tolist(),
        },
    }


def _along(amplitudes: np.ndarray) -> np.ndarray:
    """The course along a source's main orientation, with its peak upwards."""
    main = np.linalg.svd(amplitudes, full_matrices=False)[0][:, 0] @ amplitudes
    return main * np.sign(main[np.argmax(np.abs(main))])


def bars(records: list[Record]) -> list[Record]:
    """Where the strongest sources lie, at the shares of α_max that are given."""
    given = [record for record in records if record["chosen_by"] == "given"]
    return [_bar(record) for record in given]


def _bar(record: Record) -> Record:
    places = np.column_stack([record["x_mm"], record["y_mm"], record["z_mm"]]).reshape(-1, 3)
    peaks = np.array(record["peak_nAm"])
    what = f"{record['condition']}, {record['model']}, {record['share_of_alpha_max']:.2f} α_max"
    if record["condition"] == "auditory":
        sides = [places[side][np.argmax(peaks[side])] for side in _sides(places) if side.size]
        holds = len(sides) == 2
        return bar(what, "sources on both temporal sides", _listed(sides), holds)
    at_the_back = places[:, 1] < BACK
    shown = f"{int(at_the_back.sum())} of {len(places)} at the back: {_listed(places[:3])}"
    return bar(what, "all sources at the back", shown, len(places) > 0 and bool(at_the_back.all()))


def _sides(places: np.ndarray) -> list[np.ndarray]:
    """Sources of the left and of the right that are neither near the middle nor at the back."""
    lateral = (np.abs(places[:, 0]) > SIDE) & (places[:, 1] > BACK)
    return [np.flatnonzero(lateral & (sign * places[:, 0] > 0)) for sign in (-1, 1)]


def _listed(places: np.ndarray) -> str:
    return "; ".join("({:.0f}, {:.0f}, {:.0f}) mm".format(*place) for place in places) or "none"


CENTRE, HEAD = (0.0, 0.0, 40.0), 90.0  # mm, of the spherical head
VIEWS = {"from above": (0, 1), "from the right": (1, 2), "from behind": (0, 2)}
AXES = ("x, right (mm)", "y, front (mm)", "z, up (mm)")


def draw(content: Record) -> object:
    """A row a condition: the sources in a glass head from three sides, and their courses."""
    from matplotlib.figure import Figure

    from lambdahat.plots.style import STYLES

    shown = [record for record in content["records"] if record["model"] == SHOWN and record["chosen_by"] in DRAWN]
    conditions = list(dict.fromkeys(record["condition"] for record in shown))
    figure = Figure(figsize=(7.2, 2.1 * len(conditions) + 0.3), layout="constrained")
    rows = figure.subplots(len(conditions), 4, squeeze=False, width_ratios=[1, 1, 1, 1.5])
    for row, condition in zip(rows, conditions, strict=True):
        group = [record for record in shown if record["condition"] == condition]
        for axes, (view, dimensions) in zip(row, VIEWS.items(), strict=False):
            _glass_head(axes, dimensions)
            axes.set_title(view)
            for k, (record, (colour, *_)) in enumerate(zip(group, STYLES, strict=False)):
                x, y = (record[("x_mm", "y_mm", "z_mm")[d]] for d in dimensions)
                size, label = 2.5 + 2.5 * (len(group) - 1 - k), _named(record)
                axes.plot(x, y, "o", ms=size, mfc="none", mec=colour, mew=1.2, label=label, zorder=2)
        counts = ", ".join(str(record["n_sources"]) for record in group)
        row[0].set_title(f"{condition}: {counts} sources\n{row[0].get_title()}", loc="center")
        _courses(row[3], min(group, key=lambda record: abs(record["share_of_alpha_max"] - COURSES)))
    legend_above(figure, rows[:, :3].ravel().tolist())
    return figure


def _named(record: Record) -> str:
    given = record["chosen_by"] == "given"
    return f"{record['share_of_alpha_max']:.2f} α_max" if given else str(record["chosen_by"])


def _glass_head(axes: object, dimensions: tuple[int, int]) -> None:
    """The outline of the head, with a nose or ears where they show."""
    from matplotlib.patches import Circle, Ellipse

    first, second = dimensions
    centre = CENTRE[first], CENTRE[second]
    outline = {"facecolor": "none", "edgecolor": "0.6", "linewidth": 0.8}
    if 1 in dimensions:
        nose = (centre[0], centre[1] + HEAD) if second == 1 else (centre[0] + HEAD, centre[1] - 25.0)
        axes.add_patch(Ellipse(nose, 16, 16, **outline, zorder=0))
    if 0 in dimensions:
        for side in (-HEAD, HEAD):
            axes.add_patch(Ellipse((side, centre[1] - (25.0 if second == 2 else 0.0)), 10, 26, **outline, zorder=0))
    axes.add_patch(Circle(centre, HEAD, facecolor="white", edgecolor="0.6", linewidth=0.8, zorder=1))
    axes.set(xlim=(centre[0] - 105, centre[0] + 105), ylim=(centre[1] - 105, centre[1] + 105), aspect="equal")
    axes.set(xlabel=AXES[first], ylabel=AXES[second])
    axes.spines[["top", "right"]].set_visible(False)


def _courses(axes: object, record: Record) -> None:
    """Amplitudes along the main orientation of each source, of least squares on the sources found."""
    from lambdahat.plots.style import STYLES

    courses = record["courses"]
    for k, amplitudes, (colour, _, line) in zip(courses["of"], courses["nAm"], STYLES, strict=False):
        place = "({:.0f}, {:.0f}, {:.0f})".format(*(record[key][k] for key in ("x_mm", "y_mm", "z_mm")))
        axes.plot(courses["times_ms"], amplitudes, line, color=colour, label=f"{place} mm")
    axes.axhline(0.0, color="0.8", linewidth=0.6, zorder=0)
    axes.set(xlabel="time after the stimulus (ms)", ylabel="amplitude (nA·m)")
    axes.set_title(f"least squares on those at {record['share_of_alpha_max']:.2f} α_max", pad=22)
    axes.spines[["top", "right"]].set_visible(False)
    above = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.98), "ncols": 2, "columnspacing": 0.8}
    axes.legend(frameon=False, borderaxespad=0.0, **above)

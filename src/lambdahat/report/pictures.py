"""The pictures of a report: figures as self-contained SVG, or a sentence that says why there is none."""

import base64
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.plots import plot_criterion, plot_hyperparams, plot_path, plot_trace
from lambdahat.plots.style import BLACK, BLUE, GREY, RED, STYLES, finish, shown
from lambdahat.report.summary import SearchReport, shortened

_SIZE = (4.4, 3.3)  # inches; type of 9 points is still legible where a phone shows them 350 pixels wide
_MOST_POINTS = 2000  # of a scatter plot; more are drawn from at random
_MOST_LINES = 60  # as vectors; more are made an image, which is smaller
_NEEDS_DATA = "It needs the data, of which a search keeps none: write the page with report(path, X, y)."


@dataclass(frozen=True)
class Picture:
    """A picture in a page, or why there is none.

    Attributes
    ----------
    title : str
    uri : str
        The picture itself; empty where there is none.
    alt : str
        What is to be seen, for those who cannot.
    caption : str
        A sentence below it, or in its place.
    """

    title: str
    uri: str
    alt: str
    caption: str


@dataclass(frozen=True, eq=False)
class Rows:
    """The data that a page is written with, and what was made of them.

    Attributes
    ----------
    X, y : as handed over
    path : PathResult, or str
        Coefficients over λ on these rows, or a sentence that says why there are none.
    chosen : float
        The λ chosen, or C.
    """

    X: Any
    y: Any
    path: Any
    chosen: float


class _Missing(Exception):
    """A picture that cannot be drawn, with the sentence that says why."""


def pictures(search: Any, report: SearchReport, rows: Rows | None) -> list[Picture]:
    """All pictures of a fitted search.

    Parameters
    ----------
    search : GradientSearch
    report : SearchReport
        Its summary.
    rows : Rows, or None
        The data, which some of the pictures need.
    """
    drawn = [
        _picture("The criterion", _criterion, search, report),
        _picture("The way of the search", _trace, search, report),
        _picture("Coefficients", _coefficients, search, report),
        _picture("Folds", _folds, search, report),
        _picture("Coefficients over the penalty", _path, search, report, rows),
    ]
    if hasattr(search, "classes_"):
        drawn.append(_picture("Calibration", _calibration, search, report, rows))
    else:
        drawn.append(_picture("Residuals", _residuals, search, report, rows))
    several = [name for name, value in report.params.items() if np.ndim(value) > 0]
    if several and search.trace_.hyperparams.shape[1] > 2 and len(report.params) == 1:
        drawn.insert(2, _picture("The hyperparameters", _hyperparams, search, report))
    return drawn


def _picture(title: str, draw: Callable[..., tuple[str, str]], *arguments: Any) -> Picture:
    from matplotlib.figure import Figure

    with _own_style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        try:
            alt, caption = draw(figure.subplots(), *arguments)
        except _Missing as missing:
            return Picture(title, "", "", str(missing))
        content = BytesIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # the same page for the same search
        figure.savefig(content, format="svg", transparent=True, dpi=200, metadata=nothing)
    uri = "data:image/svg+xml;base64," + base64.b64encode(content.getvalue()).decode("ascii")
    return Picture(title, uri, alt, caption)


@contextmanager
def _own_style() -> Iterator[None]:
    """Matplotlib's default look whatever the user's is, with type that stays type."""
    import matplotlib.style

    with matplotlib.style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # readers have fonts of their own
        matplotlib.rcParams.update(
            {"font.size": 9.0, "legend.fontsize": 8.0, "svg.fonttype": "none", "svg.hashsalt": "lambdahat"}
        )
        yield


def _criterion(axes: Any, search: Any, report: SearchReport) -> tuple[str, str]:
    plot_criterion(search, ax=axes)
    if search.trace_.hyperparams.shape[1] > 1:
        caption = "Each point is an evaluation, the line the best so far."
    else:
        dash = "" if search.trace_.is_led else "; a dash through it is the derivative there"
        caption = f"Each point is an evaluation{dash}, the star is what was chosen."
    return f"{report.metric} at the {report.n_evals} points visited, least at {report.criterion:.4g}", caption


def _trace(axes: Any, search: Any, report: SearchReport) -> tuple[str, str]:
    # Over evaluations a search over several hyperparameters is drawn already.
    plot_trace(search, ax=axes, against="seconds" if search.trace_.hyperparams.shape[1] > 1 else "evaluations")
    alt = f"the least {report.metric} so far over {report.n_evals} evaluations, in the end {report.criterion:.4g}"
    return alt, "The best criterion so far; markers are evaluations that improved on all before."


def _hyperparams(axes: Any, search: Any, report: SearchReport) -> tuple[str, str]:
    names = search.trace_.hyperparam_names
    if len(names) == len(report.labels):
        names = report.labels
    try:
        plot_hyperparams(search, ax=axes, names=names)
    except ValueError as error:  # zeros, which have no place on a log scale
        raise _Missing(f"It could not be drawn: {error}") from error
    _as_image(axes)
    return f"{len(names)} hyperparameters that were chosen", "What was chosen, a number each."


def _coefficients(axes: Any, search: Any, report: SearchReport) -> tuple[str, str]:
    largest, _ = report.largest(15)
    if not largest:
        reason = "No coefficient is different from zero."
        raise _Missing(reason if report.support_size is not None else "There is no final model.")
    names, values = [shown(name, 24) for name, _ in largest], np.array([value for _, value in largest])
    axes.barh(range(len(values)), values, color=[BLUE if value > 0.0 else RED for value in values], height=0.7)
    axes.set_yticks(range(len(values)), names)
    axes.invert_yaxis()
    axes.axvline(0.0, color=BLACK, linewidth=0.6)
    axes.set_xlabel("coefficient (per unit of the feature)")
    finish(axes)
    alt = "the largest coefficients: " + ", ".join(f"{name} {value:+.3g}" for name, value in largest[:5])
    more = len(report.coefficients) - len(largest)
    rest = f"; {more} more {'is' if more == 1 else 'are'} not shown" if more else ""
    return alt, f"The largest by absolute value{rest}."


def _folds(axes: Any, search: Any, report: SearchReport) -> tuple[str, str]:
    values = np.array(report.fold_criteria)
    if values.size < 2:
        raise _Missing(_one_only(report))
    axes.plot(np.arange(values.size), values, "o", color=BLUE)
    axes.axhline(report.criterion, color=BLACK, linewidth=1.0, label=f"criterion, {report.criterion:.4g}")
    error = report.standard_error or 0.0
    label = f"± standard error, {error:.2g}"
    axes.axhspan(report.criterion - error, report.criterion + error, color=GREY, alpha=0.25, linewidth=0, label=label)
    if values.size <= 20:
        axes.set_xticks(np.arange(values.size))
    axes.set_xlabel("fold")
    axes.set_ylabel(report.metric)
    axes.margins(y=0.25)
    finish(axes)
    alt = f"{report.metric} of {values.size} folds, from {values.min():.4g} to {values.max():.4g}"
    return alt, "The criterion of each fold at what was chosen. Folds share training rows: the error is a rough one."


def _path(axes: Any, search: Any, report: SearchReport, rows: Rows | None) -> tuple[str, str]:
    if rows is None:
        raise _Missing(_NEEDS_DATA)
    if isinstance(rows.path, str):
        raise _Missing(rows.path)
    result, symbol = rows.path, "C" if rows.path.param == "C" else "λ"
    coefs = result.coefs
    if coefs.ndim == 3:  # those of each class in a row, as labels are
        coefs = coefs.transpose(1, 0, 2).reshape(-1, coefs.shape[2])
    names = [shortened(name, 16) for name in report.labels]
    plot_path(replace(result, coefs=coefs), ax=axes, chosen=rows.chosen, names=names)
    finish(axes, ncols=2)
    axes.set_ylabel("coefficient")
    _as_image(axes)
    weights = " and without sample weights" if report.setting is not None and report.setting.weighted else ""
    alt = f"coefficients over {symbol}, and {symbol} = {rows.chosen:.3g}, which was chosen"
    return alt, f"Fits on all rows passed to report(){weights}; the largest coefficients have names."


def _residuals(axes: Any, search: Any, report: SearchReport, rows: Rows | None) -> tuple[str, str]:
    _check_predicts(search, rows)
    assert rows is not None
    if hasattr(search.best_estimator_, "predict_survival_function") or _is_structured(rows.y):
        raise _Missing("A model of survival predicts risks and no times, from which a residual could be taken.")
    y, predicted = np.asarray(rows.y, dtype=float), np.asarray(search.predict(rows.X))
    y, predicted = (array.reshape(len(array), -1) for array in (y, predicted))
    T = y.shape[1]
    few = len(STYLES) >= T
    kept, sample = _some(len(y), _MOST_POINTS // (T if few else 1))
    for t in range(T):
        colour = STYLES[t][0] if few else BLUE
        x, residual = predicted[kept, t], (y - predicted)[kept, t]
        label = f"target {t}" if few and T > 1 else None
        axes.plot(x, residual, "o", color=colour, markersize=3.5, alpha=0.6, markeredgewidth=0, label=label)
    axes.axhline(0.0, color=BLACK, linewidth=0.8)
    axes.set_xlabel("fitted")
    axes.set_ylabel("residual (observed − fitted)")
    _as_image(axes, rasterized=len(kept) > 500)
    finish(axes)
    spread = float(np.sqrt(np.mean((y - predicted) ** 2)))
    alt = f"residuals over fitted values of {len(y)} rows, root mean square {spread:.3g}"
    return (
        alt,
        f"On the rows passed to report(){sample}; rows trained on have smaller ones than new rows.",
    )


def _calibration(axes: Any, search: Any, report: SearchReport, rows: Rows | None) -> tuple[str, str]:
    _check_predicts(search, rows)
    assert rows is not None
    if not hasattr(search, "predict_proba"):
        raise _Missing("This classifier makes decisions and no probabilities that could be calibrated.")
    probabilities, labels = np.asarray(search.predict_proba(rows.X)), np.ravel(np.asarray(rows.y))
    classes = list(search.classes_)
    several = classes[1:] if len(classes) == 2 else classes
    axes.plot([0.0, 1.0], [0.0, 1.0], color=GREY, linewidth=1.0, linestyle="--", label="perfect")
    for (colour, marker, _), label in zip(STYLES, several, strict=False):
        p = probabilities[:, classes.index(label)]
        mean, share, error = _reliability(p, labels == label)
        axes.errorbar(
            mean, share, yerr=error, color=colour, marker=marker, markersize=4, linewidth=1.2, elinewidth=0.8,
            label=shown(f"class {label}"),
        )  # fmt: skip
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("share observed")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.05, 1.05))
    finish(axes)
    alt = f"shares of {', '.join(map(str, several[: len(STYLES)]))} observed over the probabilities predicted"
    left_out = f" The first {len(STYLES)} classes are shown." if len(several) > len(STYLES) else ""
    return alt, (
        "Rows passed to report() in groups of similar probability, with one standard error; rows trained on look "
        f"better than new ones.{left_out}"
    )


def _reliability(
    p: NDArray[np.float64], event: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean prediction, observed share and its standard error, in up to ten groups of at least ten rows."""
    groups = np.array_split(np.argsort(p, kind="stable"), max(1, min(10, p.size // 10)))
    mean = np.array([p[rows].mean() for rows in groups])
    share = np.array([event[rows].mean() for rows in groups])
    sizes = np.array([rows.size for rows in groups])
    return mean, share, np.sqrt(share * (1.0 - share) / sizes)


def _check_predicts(search: Any, rows: Rows | None) -> None:
    if not hasattr(search, "best_estimator_"):
        raise _Missing("There is no final model that could predict.")
    if rows is None:
        raise _Missing(_NEEDS_DATA)


def _is_structured(y: Any) -> bool:
    return getattr(getattr(y, "dtype", None), "names", None) is not None


def _some(n: int, most: int) -> tuple[NDArray[np.intp], str]:
    """Numbers of rows to draw, and what to say of those left out."""
    if n <= most:
        return np.arange(n), ""
    return np.random.default_rng(0).choice(n, most, replace=False), f", {most} of them drawn at random"


def _as_image(axes: Any, *, rasterized: bool | None = None) -> None:
    """Make an image of what has many parts; axes and type stay as they are."""
    many = len(axes.lines) > _MOST_LINES or any(len(line.get_xdata()) > 1000 for line in axes.lines)
    if many if rasterized is None else rasterized:
        for line in axes.lines:
            line.set_rasterized(True)


def _one_only(report: SearchReport) -> str:
    where = "There is one split only" if report.single == "one split" else f"The criterion is of {report.single}"
    return f"{where}, so nothing says how much it varies from one to another."

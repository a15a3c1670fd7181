"""What the pictures share: colours that everybody can tell apart, the look, and what the axes are called."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The palette of Okabe and Ito (2008), without its yellow, which white paper swallows.
BLUE, RED, GREEN, PINK, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
BLACK, GREY, PALE = "#222222", "0.55", "0.8"
WINE, OLIVE = "#882255", "#999933"

STYLES = [
    (BLUE, "o", "-"),
    (RED, "s", "-"),
    (GREEN, "^", "-"),
    (PINK, "D", "-"),
    (ORANGE, "v", "-"),
    (SKY, "P", "-"),
    (BLACK, "X", "-"),
    (OLIVE, "<", "-"),
    (WINE, ">", "-"),
]

# Searches keep their colours from picture to picture, whichever others are beside them. Those without gradients are
# dashed; the names are those of ``GradientSearch(optimizer=...)``.
_KNOWN = {
    "auto": (BLUE, "o", "-"),
    "scalar": (BLUE, "o", "-"),
    "lbfgs": (RED, "s", "-"),
    "line_search": (GREEN, "^", "-"),
    "gradient_descent": (PINK, "D", "-"),
    "adam": (ORANGE, "v", "-"),
    "hoag": (SKY, "P", "-"),
    "grid": (GREY, ".", "--"),
    "random": (BLACK, "x", "--"),
    "bayesian": (WINE, "+", "--"),
}


def paper() -> Any:
    """Settings for print: a context in which to make figures, draw on them and save them.

    Type of 8 points and thin lines, for figures as wide as they will be printed: a column of a journal is about
    3.3 inches, a page 6.

    Returns
    -------
    context manager

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lambdahat.plots import paper
    >>> with paper():
    ...     figure = Figure(figsize=(3.3, 2.4), layout="constrained")
    """
    import matplotlib

    return matplotlib.rc_context(
        {
            "font.size": 8.0,
            "axes.labelsize": 8.0,
            "axes.titlesize": 8.0,
            "xtick.labelsize": 7.0,
            "ytick.labelsize": 7.0,
            "legend.fontsize": 6.5,
            "legend.handlelength": 1.6,
            "legend.labelspacing": 0.3,
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.minor.width": 0.4,
            "ytick.minor.width": 0.4,
            "lines.linewidth": 1.1,
            "lines.markersize": 3.5,
            "savefig.dpi": 300,
        }
    )


def axes_or_new(ax: Any) -> Any:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(6.0, 4.0), layout="constrained")[1]


def finish(axes: Any, *, most_inside: int = 4, ncols: int = 3) -> Any:
    """The axes without a box around them, and with a legend: above them where several entries would hide something."""
    axes.spines[["top", "right"]].set_visible(False)
    entries = len(axes.get_legend_handles_labels()[1])
    if entries > most_inside:
        axes.legend(
            frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=ncols, columnspacing=1.0,
            borderaxespad=0.6,
        )  # fmt: skip
    elif entries > 1:
        axes.legend(frameon=False)
    return axes


def over_seconds(axes: Any) -> None:
    """A log scale of time with at least a decade on it, labelled at powers of ten only: others would overlap."""
    axes.set_xscale("log")
    left, right = axes.dataLim.intervalx
    if 0.0 < left <= right < 10.0 * left:
        axes.set_xlim(10.0 ** np.floor(np.log10(left)), 10.0 ** np.floor(np.log10(right) + 1.0))
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("time (seconds)")


def points(times: float) -> float:
    """An area for ``scatter``: of a marker so many times as wide as markers are."""
    from matplotlib import rcParams

    return float((times * rcParams["lines.markersize"]) ** 2)


def labelled(searches: Any) -> dict[str, Any]:
    """One search, or several by name, as the latter."""
    several = dict(searches) if isinstance(searches, Mapping) else {"search": searches}
    if not several:
        raise ValueError("searches is empty: pass a fitted search, or a dict of label to fitted search")
    return several


def trace_of(search: Any) -> Any:
    """The trace of a fitted search; a trace is its own."""
    trace = getattr(search, "trace_", search)
    if not hasattr(trace, "hyperparams"):
        raise ValueError(f"{type(search).__name__} has no trace: pass a fitted search, or a Trace")
    return trace


def styles(labels: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and line of each search: its own where the name is known, else those not taken, in order."""
    names = list(labels)
    taken = {_KNOWN[name][0] for name in names if name in _KNOWN}
    free = [style for style in STYLES if style[0] not in taken] or STYLES
    others = [name for name in names if name not in _KNOWN]
    chosen = {name: free[k % len(free)] for k, name in enumerate(others)}
    return {name: _KNOWN.get(name) or chosen[name] for name in names}


def metric(search: Any) -> str:
    """What a search minimises."""
    return str(getattr(search, "metric_", "mean squared error"))


def criterion_label(search: Any) -> str:
    """The criterion and the rows that it is computed on, where the search knows them."""
    folds, setting = getattr(search, "fold_criteria_", None), getattr(search, "setting_", None)
    if setting is not None:
        kind = str(setting.judged_by)
    elif folds is not None:
        kind = f"{len(folds)}-fold cross-validation" if len(folds) > 1 else "held-out data"
    else:
        kind = ""
    return f"{metric(search)},\n{kind}" if kind else metric(search)


def shown(name: Any, most: int = 32) -> str:
    """A name as it is: neither TeX, nor left out of the legend for its underscore, nor without an end."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(name))
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("$", r"\$") if not text.startswith("_") else " " + text.replace("$", r"\$")


def hyperparam_label(name: str) -> str:
    """Axis label of a hyperparameter."""
    if name.endswith("l1_ratio"):
        return f"{name} (logit scale)"
    return f"λ ({name}, log scale)" if name.endswith("alpha") else f"{name} (log scale)"


def chosen_index(search: Any) -> int:
    """The evaluation that a search chose; of a trace the best one."""
    chosen = getattr(search, "best_index_", None)
    return best_index(trace_of(search).values) if chosen is None else int(chosen)


def best_index(values: NDArray[np.float64]) -> int:
    """The place of the least value, of those that are numbers."""
    return int(np.nanargmin(values))


def best_so_far(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least value up to each evaluation."""
    return np.fmin.accumulate(values)

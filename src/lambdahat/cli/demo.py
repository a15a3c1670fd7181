"""The demonstration: gradient search beside scikit-learn's grid, on the same data and the same splits."""

import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso as ReferenceLasso
from sklearn.linear_model import LassoCV as ReferenceLassoCV
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_limits

from lambdahat import GradientSearch, Lasso
from lambdahat.datasets import Dataset
from lambdahat.plots import plot_criterion
from lambdahat.report import aligned


@dataclass(frozen=True)
class Outcome:
    """What one method reached, and at what price."""

    method: str
    alpha: float
    criterion: float
    n_fits: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both methods on one data set, and what is needed to draw them."""

    dataset: Dataset
    outcomes: tuple[Outcome, Outcome]
    search: Any
    grid: tuple[NDArray[np.float64], NDArray[np.float64]]


def warm_up(data: Iterable[Dataset], cv: int) -> float:
    """Compile the kernels, or load numba's cache, by an untimed search on each; the seconds it took."""
    start = time.perf_counter()
    for dataset in data:
        GradientSearch(Lasso(), cv=cv).fit(dataset.X, dataset.y)
    return time.perf_counter() - start


def compare(dataset: Dataset, cv: int, callback: Any = None) -> Comparison:
    """Run both methods on one core, refit included."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of LassoCV, at the small end of its default grid
        start = time.perf_counter()
        grid = ReferenceLassoCV(cv=cv).fit(dataset.X, dataset.y)
        halfway = time.perf_counter()
        search = GradientSearch(Lasso(), cv=cv, callback=callback).fit(dataset.X, dataset.y)
        end = time.perf_counter()

    def outcome(method: str, alpha: float, n_evals: int, seconds: float) -> Outcome:
        return Outcome(method, alpha, judge(dataset, alpha, cv), n_evals * cv + 1, seconds)

    return Comparison(
        dataset,
        (
            outcome("grid (scikit-learn's LassoCV)", grid.alpha_, len(grid.alphas_), halfway - start),
            outcome("gradient search", search.best_params_["alpha"], search.n_evals_, end - halfway),
        ),
        search,
        (grid.alphas_, grid.mse_path_.mean(axis=1)),
    )


def judge(dataset: Dataset, alpha: float, cv: int) -> float:
    """The criterion at one λ from scikit-learn's own tight fits on the same splits: one judge for both."""
    estimator = ReferenceLasso(alpha=alpha, tol=1e-6, max_iter=100_000)
    scores = cross_val_score(estimator, dataset.X, dataset.y, cv=cv, scoring="neg_mean_squared_error")
    return float(-scores.mean())


def table(comparison: Comparison) -> str:
    """The comparison as text."""
    X, y = comparison.dataset.X, comparison.dataset.y
    rows = [("", "alpha", "criterion", "fits", "seconds")]
    rows += [
        (o.method, f"{o.alpha:.4g}", f"{o.criterion:.6g}", str(o.n_fits), f"{o.seconds:.3f}")
        for o in comparison.outcomes
    ]
    title = f"{comparison.dataset.name}: {X.shape[0]} rows, {X.shape[1]} features"
    baseline = f"  (the mean alone would have {y.var():.4g})"
    return f"{title}{baseline}\n{aligned(rows, indent=2)}"


def draw(comparisons: list[Comparison], path: Path) -> None:
    """One panel per data set: the criterion over λ, the grid's points and the gradient's steps on it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(comparisons), 3.9), layout="constrained")
    panels = figure.subplots(1, len(comparisons), squeeze=False)[0]
    for axes, comparison in zip(panels, comparisons, strict=True):
        plot_criterion(comparison.search, ax=axes, grid=comparison.grid)
        axes.set_title(comparison.dataset.name, fontsize="medium")
        axes.set_ylabel(f"mean squared error of {comparison.dataset.target}", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)

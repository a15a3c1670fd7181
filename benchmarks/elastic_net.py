"""Two λ's of the elastic net on a held-out set, beside a 30 × 30 grid of warm-started scikit-learn fits.

On 10,000 rows of debian_text (5,000 validate): there the grid is feasible, and its best point is inside it.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import ElasticNet

from .common import Options, Record, bar, clock, mean_squared_error, times, within
from .data import Data, DataAbsentError, debian_text

WANTED = 50
NO_WORSE = 1e-4


def records(options: Options) -> Iterator[Record]:
    try:
        data = debian_text(rows=(1_000, 500) if options.quick else (10_000, 5_000))
    except DataAbsentError as reason:
        print(f"debian_text is skipped. {reason}")
    else:
        yield compare(data, points=8 if options.quick else 30)


def compare(data: Data, points: int) -> Record:
    seconds, ours = clock(lambda: tuned(data), repeats=3)
    grid_seconds, theirs, complete = grid(data, points, limit=600.0)
    excess = tight_criterion(data, *ours) / tight_criterion(data, *theirs) - 1
    return {
        "problem": f"elastic net on {len(data.y):,} rows of debian_text",
        "lambdahat": seconds,
        "peer": f"{points} × {points} grid{'' if complete else ' (cut off)'}",
        "peer_seconds": grid_seconds,
        "ratio": seconds / grid_seconds,
        "excess": excess,
        "l1": ours[0],
        "l2": ours[1],
        "grid_l1": theirs[0],
        "grid_l2": theirs[1],
    }


def tuned(data: Data) -> tuple[float, float]:
    import lambdahat

    criterion = lambdahat.HeldOut(data.X_val, data.y_val)
    search = lambdahat.GradientSearch(lambdahat.ElasticNet(fit_intercept=False), criterion=criterion)
    best = search.fit(data.X, data.y).best_params_
    return best["alpha"] * best["l1_ratio"], best["alpha"] * (1 - best["l1_ratio"])


def enet(l1: float, l2: float, **settings: object) -> ElasticNet:
    return ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), fit_intercept=False, **settings)


def grid(data: Data, points: int, limit: float) -> tuple[float, tuple[float, float], bool]:
    """The seconds and the best (λ₁, λ₂) of the grid, and whether all of it was within the limit per λ₂."""
    rows, complete = within(limit, (grid_row(data, l2, points) for l2 in all_l2(data, points)))
    best = min(rows, key=lambda row: row[1])
    return sum(row[0] for row in rows), best[2], complete


def all_l2(data: Data, points: int) -> np.ndarray:
    """From 100 times the mean curvature of a coefficient to a tenth of it."""
    return data.X.power(2).mean() * np.geomspace(100, 0.1, points)


def grid_row(data: Data, l2: float, points: int) -> tuple[float, float, tuple[float, float]]:
    """Seconds, best criterion and its place along λ₁: warm starts, scikit-learn's default tolerance."""
    model = enet(data.alpha_max, l2, warm_start=True)

    def walk() -> tuple[float, tuple[float, float]]:
        best = (np.inf, (np.nan, np.nan))
        for l1 in data.alpha_max * np.geomspace(1, 1e-4, points):
            model.set_params(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2)).fit(data.X, data.y)
            best = min(best, (mean_squared_error(data.X_val, data.y_val, model.coef_), (l1, l2)))
        return best

    seconds, (value, where) = clock(walk)
    return seconds, value, where


def tight_criterion(data: Data, l1: float, l2: float) -> float:
    coef = enet(l1, l2, tol=1e-7, max_iter=100_000).fit(data.X, data.y).coef_
    return mean_squared_error(data.X_val, data.y_val, coef)


def bars(records: list[Record]) -> list[Record]:
    return [_bar(record) for record in records]


def _bar(record: Record) -> Record:
    faster = 1 / record["ratio"]
    return bar(
        f"{record['problem']}, two λ's, hold-out, against a {record['peer']} of scikit-learn fits",
        f"≥ {WANTED}× faster, criterion no worse",
        f"{times(faster)} faster, excess {record['excess']:.1e}",
        faster >= WANTED and record["excess"] <= NO_WORSE,
    )

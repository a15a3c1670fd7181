"""What a search remembers of what it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils.validation import _num_samples

from lambdahat.criteria import Fold
from lambdahat.outer import Region
from lambdahat.report import Setting
from lambdahat.search import CriterionObjective


def setting_of(objective: CriterionObjective, region: Region, X: Any, sample_weight: Any, seconds: float) -> Setting:
    """Numbers that describe the data and where the search ended, see :class:`lambdahat.report.Setting`."""
    space, x = objective.space, objective.visited[objective.best_index].x
    width = region.upper - region.lower
    positions = np.divide(x - region.lower, width, out=np.zeros(x.size), where=width > 0.0)
    n, shape = _num_samples(X), tuple(getattr(X, "shape", ()))
    p = int(shape[1]) if len(shape) > 1 else None  # a list, of texts perhaps
    return Setting(
        n_rows=n,
        n_features=p,
        stored_share=X.nnz / max(1, X.shape[0] * X.shape[1]) if scipy.sparse.issparse(X) else None,
        weighted=sample_weight is not None,
        fold_rows=tuple(_rows(fold) for fold in objective.folds),
        scales=space.scales,
        lower=space.values(region.lower),
        upper=space.values(region.upper),
        positions=np.clip(positions, 0.0, 1.0),
        seconds=seconds,
    )


def _rows(fold: Fold) -> tuple[int, int | None]:
    """Rows that a fold trains on and that judge it; None where it judges itself, or by no rows that it names."""
    trained = fold.problems[0].design
    parts = getattr(fold.validation, "parts", ())
    judged = getattr(parts[0], "design", None) if parts else None
    if judged is None or (judged.storage is trained.storage and np.array_equal(judged.rows, trained.rows)):
        return trained.rows.size, None
    return trained.rows.size, judged.rows.size

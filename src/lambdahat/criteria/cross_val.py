"""K-fold cross-validation, or a single split, of one data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, check_cv

from lambdahat._validation import check_count, check_name
from lambdahat.box_problem import BoxModel, BoxProblem
from lambdahat.criteria.base import Data, Fold, Validation, by_normal_equations, only_changed
from lambdahat.criteria.scoring import Scoring, metric_of, remark_of, scored
from lambdahat.criteria.together import together
from lambdahat.design import shared_moments
from lambdahat.problem import Model, Problem


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Mean over the folds of the loss's metric (mean squared error, log-loss, mean deviance) on the rows left out.

    Parameters
    ----------
    cv : int, splitter or iterable of index pairs, default 5
        As for scikit-learn: folds are stratified for a classifier. One split is a held-out set.
    rule : {"min", "1se"}, default "min"
        ``"1se"`` takes the strongest penalty whose criterion is within one standard error of the least one: from the
        best point in the direction in which all strengths grow by the same factor, whatever their number (Breiman et
        al., *Classification and regression trees*, 1984; Hastie, Tibshirani & Friedman, 2009, Section 7.10).
    scoring : str, :class:`Metric` or callable, optional
        Another criterion than the loss's metric: any scorer of scikit-learn by name, ``"concordance"`` for a
        :class:`CoxLasso`, a scorer ``(estimator, X, y)``, or a function of targets and predictions. Errors of
        predictions (squared, their root, absolute, R², Poisson and Gamma deviances) and of the probabilities of two
        classes (log-loss, Brier's), and functions with a gradient, are followed down their slope. Others have none:
        there the loss's metric leads the search, and the score decides among the points visited.
    repeats : int, default 1
        Times that the folds of a number ``cv`` are drawn anew.
    random_state : int, optional
        Of repeated folds.

    Notes
    -----
    A fold is a weight vector over the rows of the one X; nothing is copied. Centring and standardisation use the
    training rows of each fold. With sample weights, the error of a fold is their weighted mean; folds count the same
    whatever their size, as in scikit-learn, so that a weight is a repetition.
    """

    cv: Any = 5
    rule: str = "min"
    scoring: Any = None
    repeats: int = 1
    random_state: Any = None

    __repr__ = only_changed

    def __post_init__(self) -> None:
        check_name(self.rule, ("min", "1se"), "rule")
        if check_count(self.repeats, "repeats") > 1 and not isinstance(self.cv, int | np.integer):
            raise ValueError(
                f"repeats={self.repeats} needs cv to be a number of folds: a splitter repeats its own, as "
                "scikit-learn's RepeatedKFold does"
            )

    @property
    def n_repeats(self) -> int:
        """How often each row is left out."""
        return int(getattr(self.cv, "n_repeats", self.repeats))

    def metric(self, model: Model | BoxModel) -> str:
        return metric_of(self.scoring, model)

    def remark(self, model: Model | BoxModel) -> str:
        return remark_of(self.scoring, model)

    def splits(self, data: Data) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Training and validation rows of each fold, checked."""
        n = data.storage.shape[0]
        if isinstance(self.cv, int | np.integer):
            if self.cv < 2:
                raise ValueError(f"cv={self.cv} is no number of folds: pass at least 2, or a splitter")
            if self.cv > n:
                raise ValueError(f"cv={self.cv} folds need as many rows, but n_samples={n}: use fewer folds")
        classifier = data.classes is not None
        if self.repeats > 1:
            repeated = RepeatedStratifiedKFold if classifier else RepeatedKFold
            splitter = repeated(n_splits=int(self.cv), n_repeats=self.repeats, random_state=self.random_state)
        else:
            splitter = check_cv(self.cv, data.y, classifier=classifier)
        splits = []
        for k, (train, test) in enumerate(splitter.split(_seen_by(splitter, data), data.y, data.groups)):
            pair = (_rows(train, n, f"training rows of fold {k}"), _rows(test, n, f"validation rows of fold {k}"))
            for name, rows in zip(("training", "validation"), pair, strict=True):
                if data.sample_weight[rows].sum() <= 0.0:
                    raise ValueError(f"fold {k} has no {name} rows of positive weight: use fewer or larger folds")
            splits.append(pair)
        if not splits:
            raise ValueError("cv yields no split: pass at least one pair of training and validation rows")
        return splits

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        splits = self.splits(data)
        train = [_weights(data.sample_weight, rows) for rows, _ in splits]
        test = [_weights(data.sample_weight, rows) for _, rows in splits]
        folds = _from_moments(model, data, train, test) or _from_rows(model, data, train, test)
        scoring = Scoring.of(self.scoring, model)
        return [scored(fold, scoring, data.given, data.sample_weight, data) for fold in folds]


def _seen_by(splitter: Any, data: Data) -> Any:
    """X for a splitter: scikit-learn's own read only its length, after converting sparse X to CSR, a whole copy."""
    if scipy.sparse.issparse(data.X) and type(splitter).__module__.startswith("sklearn."):
        return data.y
    return data.X


def _rows(rows: Any, n: int, name: str) -> NDArray[np.intp]:
    """Row numbers, from numbers or a mask."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n,):
        return np.flatnonzero(rows)
    if rows.size == 0:
        return np.empty(0, dtype=np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"the {name} are no rows of X: cv must yield row numbers from 0 to {n - 1}, or masks of {n}")
    numbers: NDArray[np.intp] = rows.astype(np.intp)
    return numbers


def _weights(sample_weight: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sample weights on some rows, zero elsewhere; a row drawn several times counts as often."""
    return sample_weight * np.bincount(rows, minlength=sample_weight.size)


def _from_rows(
    model: Model | BoxModel, data: Data, train: list[NDArray[np.float64]], test: list[NDArray[np.float64]]
) -> list[Fold]:
    folds = []
    inner: Sequence[tuple[Problem | BoxProblem, ...]] = model.several(data.storage, data.y, train)
    for problems, weight in zip(inner, test, strict=True):
        targets = [problem.y for problem in problems]
        folds.append(Fold(problems, together(problems, data.storage, targets, weight / weight.sum())))
    return folds


def _from_moments(
    model: Model | BoxModel, data: Data, train: list[NDArray[np.float64]], test: list[NDArray[np.float64]]
) -> list[Fold] | None:
    """The folds by their normal equations, where X is dense with few columns: X is read once for all folds."""
    storage, K = data.storage, len(train)
    if isinstance(model, BoxModel) or not by_normal_equations(model, data):
        return None
    base = data.sample_weight
    if any(not np.array_equal(weight, np.where(weight > 0.0, base, 0.0)) for weight in (*train, *test)):
        return None  # rows drawn several times
    masks = [weight > 0.0 for weight in (*train, *test)]
    masks.append(base > 0.0)
    moments = shared_moments(storage, data.y, base, masks, center=model.fit_intercept or model.standardize)
    if moments is None:
        return None
    *parts, whole = moments
    data.moments.append(whole)
    folds = []
    for k in range(K):
        problem = model.problem_from_moments(storage, data.y, train[k], parts[k])
        center = np.append(problem.design.means, problem.y_mean)
        judged = problem.design.elsewhere(storage, test[k] / parts[K + k].weight)
        folds.append(Fold((problem,), Validation(judged, problem.y, parts[K + k].about(center))))
    return folds

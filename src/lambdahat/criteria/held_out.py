"""Held-out loss on separate arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lambdahat._validation import check_rows, column_names
from lambdahat.box_problem import BoxModel, BoxProblem
from lambdahat.criteria.base import Data, Fold, only_changed
from lambdahat.criteria.scoring import Scoring, metric_of, remark_of, scored
from lambdahat.criteria.together import together
from lambdahat.design import as_storage
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Model, Problem


@dataclass(frozen=True, eq=False, repr=False)
class HeldOut:
    """The loss's metric (mean squared error, log-loss, mean deviance) on a validation set given as separate arrays.

    Models are fitted, and refitted, on ``X`` alone.

    Parameters
    ----------
    X_val : array, sparse matrix or frame of shape (n_val, p)
    y_val : array of shape (n_val,), or (n_val, T) for T targets
    sample_weight : array of shape (n_val,), optional
    scoring : str, :class:`Metric` or callable, optional
        Another criterion than the loss's metric, see :class:`CrossValidation`.

    Examples
    --------
    >>> from lambdahat import GradientSearch, HeldOut, Lasso
    >>> search = GradientSearch(Lasso(), criterion=HeldOut(X_val, y_val)).fit(X, y)  # doctest: +SKIP
    """

    X_val: Any
    y_val: Any
    sample_weight: Any = None
    scoring: Any = None

    __repr__ = only_changed

    def metric(self, model: Model | BoxModel) -> str:
        return metric_of(self.scoring, model)

    def remark(self, model: Model | BoxModel) -> str:
        return remark_of(self.scoring, model)

    def folds(self, model: Model | BoxModel, data: Data) -> list[Fold]:
        names, read = ("X_val", "y_val"), partial(data.target, read=model.datafit.read)
        X, y, weight = check_rows(self.X_val, self.y_val, self.sample_weight, names=names, target=read)
        model.datafit.check(y, names[1])
        if X.shape[1] != data.storage.shape[1]:
            raise ValueError(
                f"X_val has {X.shape[1]} columns but X has {data.storage.shape[1]}: pass the same features in both"
            )
        for ours, theirs in zip(data.columns or (), column_names(self.X_val) or (), strict=False):
            if ours != theirs:
                raise ValueError(f"X_val has column {theirs!r} where X has {ours!r}: pass the same columns in order")
        fold = judged_by(model, data, X, y, weight)
        return [scored(fold, Scoring.of(self.scoring, model), self.y_val, weight, data)]


def judged_by(model: Model | BoxModel, data: Data, X: Any, y: Matrix, weight: Vector) -> Fold:
    """The problems of all rows of the data, judged by other rows, validated already."""
    problems: tuple[Problem | BoxProblem, ...] = model.several(data.storage, data.y, [data.sample_weight])[0]
    targets = [target - problem.y_mean for target, problem in zip(model.targets(y), problems, strict=True)]
    return Fold(problems, together(problems, as_storage(X), targets, np.asarray(weight / weight.sum())))

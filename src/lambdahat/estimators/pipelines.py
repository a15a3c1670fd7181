"""Folds of a pipeline: its transformers are fitted on the training rows of each fold, so that nothing leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from lambdahat._validation import check_rows, check_sample_weight
from lambdahat.criteria import Criterion, CrossValidation, Data, Fold, HeldOut, Scoring, judged_by, scored
from lambdahat.design import as_storage
from lambdahat.estimators.base import LinearModel, check_model
from lambdahat.linear import Matrix, Vector


def split_pipeline(estimator: Any) -> tuple[Pipeline | None, LinearModel]:
    """The transformers (or None) and the linear model of an estimator."""
    steps, model = None, estimator
    if isinstance(estimator, Pipeline):
        model = estimator.steps[-1][1]
        steps = estimator[:-1] if len(estimator.steps) > 1 else None
    model = check_model(model, "no hyperparameters that GradientSearch could tune")
    if isinstance(estimator, Pipeline) and steps is None:
        steps = Pipeline([("nothing", "passthrough")])
    return steps, model


def pipeline_folds(
    steps: Pipeline, model: LinearModel, names: Sequence[str], criterion: Criterion, X: Any, y: Any, sample_weight: Any,
    groups: Any,
) -> list[Fold]:  # fmt: skip
    """One inner problem per fold on the data that the fold's own transformers make."""
    n = _num_samples(X)
    (target, classes), weight = model._read_target(y, n), check_sample_weight(sample_weight, n)
    labels = np.asarray(y)
    labels = labels.reshape(target.shape) if labels.size == target.size else y  # a frame of several fields
    made = model._model(names, classes)

    def checked(y: Matrix, *_: Any) -> Matrix:
        return y  # it has been read above

    def data(Xt: Any, yt: Matrix, wt: Vector) -> Data:
        return Data(model._storage(Xt), yt, wt, Xt, classes=classes, given=labels, seen=partial(model._seen, classes))

    if isinstance(criterion, HeldOut):
        fitted = clone(steps)
        Xt, yt, wt = check_rows(fitted.fit_transform(X, labels), target, weight, target=checked)
        transformed = replace(criterion, X_val=fitted.transform(criterion.X_val))
        return transformed.folds(made, data(Xt, yt, wt))
    if not isinstance(criterion, CrossValidation):  # of the rows fitted to
        Xt, yt, wt = check_rows(clone(steps).fit_transform(X, labels), target, weight, target=checked)
        return criterion.folds(made, data(Xt, yt, wt))
    index = Data(as_storage(np.zeros((n, 1))), target, weight, X, groups, classes=classes)
    folds: list[Fold] = []
    scoring = Scoring.of(criterion.scoring, made)
    for train, test in criterion.splits(index):
        fitted = clone(steps)
        Xt = fitted.fit_transform(_safe_indexing(X, train), _safe_indexing(labels, train))
        Xt, yt, wt = check_rows(Xt, target[train], weight[train], target=checked)
        X_val = fitted.transform(_safe_indexing(X, test))
        X_val, y_val, w_val = check_rows(X_val, target[test], weight[test], names=("X_val", "y_val"), target=checked)
        of_fold = data(Xt, yt, wt)
        fold = judged_by(made, of_fold, X_val, y_val, w_val)
        folds.append(scored(fold, scoring, _safe_indexing(labels, test), w_val, of_fold))
    return folds

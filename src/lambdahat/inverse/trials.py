"""Cross-validation over trials: the average of some predicts the average of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from lambdahat.criteria import Data, Fold, judged_by
from lambdahat.inverse.arrays import check_array_of
from lambdahat.linear import Matrix


@dataclass(frozen=True, eq=False)
class Trials:
    """A criterion: sources fitted to the average of some trials are judged by the average of the others.

    Sources stay where they are from trial to trial, noise does not; no noise level is assumed, and sensors may be
    correlated in whatever way.

    Parameters
    ----------
    trials : array of shape (n_trials, n_channels, n_times)
        In the units, and with the channels, of the ``data`` that are fitted in the end, mostly ``trials.mean(axis=0)``.
    cv : int, splitter or iterable of index pairs, default 2
        How trials are split, as for scikit-learn. Halves are noisier than the average of all by √2, so that the λ that
        they choose is rather too large; more folds come nearer to it, and take longer.

    Raises
    ------
    ValueError
        When it is used: where trials are fewer than two, or do not have the channels and instants of the data.

    Examples
    --------
    >>> from lambdahat.inverse import Trials, sparse_inverse
    >>> sources = sparse_inverse(G, trials.mean(axis=0), criterion=Trials(trials))  # doctest: +SKIP
    """

    trials: Any
    cv: Any = 2

    def seen_through(self, matrix: Matrix) -> Trials:
        """The trials with their channels multiplied by a matrix: whitened, or projected."""
        trials = check_array_of(self.trials, "trials", 3)
        if trials.shape[1] != matrix.shape[1]:
            raise ValueError(
                f"trials have {trials.shape[1]} channels but data have {matrix.shape[1]}: pass the same channels"
            )
        return replace(self, trials=np.einsum("rc,kct->krt", matrix, trials))

    def metric(self, model: Any) -> str:
        return f"{model.datafit.metric} of trials left out"

    def folds(self, model: Any, data: Data) -> list[Fold]:
        trials = check_array_of(self.trials, "trials", 3)
        if trials.shape[1:] != data.y.shape:
            raise ValueError(
                f"trials have shape {trials.shape[1:]} each but data {data.y.shape}: pass the same channels, instants"
            )
        if len(trials) < 2:
            raise ValueError("trials is one trial: pass at least two, some to fit and some to judge")
        found = []
        for train, test in check_cv(self.cv).split(np.zeros(len(trials))):
            fitted = replace(data, y=np.ascontiguousarray(trials[train].mean(axis=0)), moments=[])
            judge = np.ascontiguousarray(trials[test].mean(axis=0))
            found.append(judged_by(model, fitted, data.X, judge, data.sample_weight))
        return found

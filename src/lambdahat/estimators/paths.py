"""Solutions along a sequence of strengths."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from lambdahat import solvers
from lambdahat._validation import check_count, check_real
from lambdahat.box_problem import BoxProblem
from lambdahat.criteria import Data, HeldOut
from lambdahat.estimators.base import LinearModel, check_model
from lambdahat.estimators.functions import read_rows, warn_once
from lambdahat.linear import Vector, rows_used
from lambdahat.problem import Problem, Solution


@dataclass(frozen=True, eq=False)
class PathResult:
    """Solutions along a sequence of strengths, from the simplest model on.

    Attributes
    ----------
    alphas : array of shape (n_alphas,)
        Values of the parameter that ``param`` names: of ``alpha`` decreasing, of ``C`` increasing.
    coefs : array of shape (p, n_alphas), or (p, T, n_alphas) for T targets or classes
    intercepts : array of shape (n_alphas,), or (T, n_alphas)
    gaps : array of shape (n_alphas,)
        Relative duality gaps reached: of several problems, the largest.
    support_sizes : array of shape (n_alphas,)
        Features with coefficients that are not zero.
    scores : array of shape (n_alphas,), or None
        The metric of the model's loss (mean squared error, log-loss, mean deviance, Huber loss, squared hinge loss) on
        the validation data, when given.
    param : {"alpha", "C"}
        Of a penalty ``alpha``; of a support vector machine ``C``, the strength of its loss.
    """

    alphas: Vector
    coefs: NDArray[np.float64]
    intercepts: Vector
    gaps: Vector
    support_sizes: NDArray[np.int64]
    scores: Vector | None
    param: str = "alpha"


def path(
    estimator: LinearModel,
    X: Any,
    y: Any,
    *,
    alphas: Any = None,
    n_alphas: int = 100,
    eps: float = 1e-3,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight: Any = None,
) -> PathResult:
    """Fit along decreasing values of ``alpha``, or increasing ones of ``C``, each from the previous solution.

    Parameters
    ----------
    estimator : a model of lambdahat
        Its other parameters are kept; its ``tol`` is that of every solution.
    X : array, sparse matrix or frame of shape (n, p)
    y : array of shape (n,)
    alphas : array, optional
        Values of ``alpha``; by default ``n_alphas`` from the largest useful one down to ``eps`` times it. Of a
        support vector machine, values of ``C``; by default from the one up to which all rows pull with all their weight
        (there w is C times a fixed vector) up to ``1/eps`` times it.
    n_alphas : int, default 100
    eps : float, default 1e-3
    X_val, y_val : arrays, optional
        Score every solution on these.
    sample_weight : array of shape (n,), optional

    Returns
    -------
    PathResult

    Raises
    ------
    ValueError
        In one sentence, where data or parameters cannot be used.

    Warns
    -----
    ConvergenceWarning
        Where ``max_iter`` rounds do not reach ``tol``, for the worst of the solutions.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import LinearSVR, path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = path(LinearSVR(epsilon=10.0), X, y, n_alphas=3)
    >>> found.param, found.coefs.shape
    ('C', (10, 3))
    """
    estimator = check_model(estimator, "no path here")
    estimator._check_params()
    X, y, weight, classes = read_rows(estimator, X, y, sample_weight)
    data = Data(estimator._storage(X), y, weight, X, classes=classes)
    present: Sequence[Any] = estimator._model(None, classes).several(data.storage, y, [weight])[0]
    param = "C" if isinstance(present[0], BoxProblem) else "alpha"

    def at(value: float) -> list[Problem] | list[BoxProblem]:
        if param == "C":
            theta = estimator._space((param,), X.shape[1]).theta(np.array([value]))
            return [problem.with_hyperparams(theta) for problem in present]
        model = type(estimator)(**{**estimator.get_params(deep=False), param: value})._model(None, classes)
        return [model.problem(one.design, target) for one, target in zip(present, model.targets(y), strict=True)]

    values = _default_strengths(param, at(1.0), eps, n_alphas) if alphas is None else np.atleast_1d(alphas)
    values = np.sort([check_real(value, param, open_low=param == "C") for value in values.tolist()])
    if values.size == 0:
        raise ValueError("alphas is empty: pass at least one value")
    values = values if param == "C" else values[::-1]
    judged = None
    if X_val is not None or y_val is not None:
        judged = HeldOut(X_val, y_val).folds(estimator._model(None, classes), data)[0]
    coefs, intercepts = [], []
    gaps, scores = np.zeros(values.size), np.zeros(values.size)
    solutions: Sequence[Solution | None] = [None] * len(present)
    unconverged = []
    for k, value in enumerate(values):
        problems = at(float(value))
        found = solvers.solve_many(problems, tol=estimator.tol, max_iter=estimator.max_iter, starts=solutions)
        unconverged += [solution for solution in found if not solution.converged]
        several = len(found) > 1
        coefs.append(np.stack([solution.w for solution in found], axis=-1) if several else found[0].w)
        intercepts.append(np.array([solution.intercept for solution in found]) if several else found[0].intercept)
        gaps[k] = max(solution.gap for solution in found)
        if judged is not None:
            error, support = judged.judges(problems, found)[0], found[0].support
            scores[k] = error(support, found[0].w[support], problems[0].offset(found[0]))[0]
        solutions = found
    warn_once(estimator, unconverged)
    sizes = np.array([rows_used(w).size for w in coefs])
    scored = scores if judged is not None else None
    return PathResult(values, np.stack(coefs, axis=-1), np.stack(intercepts, axis=-1), gaps, sizes, scored, param)


def path_through(search: Any, X: Any, y: Any, n_alphas: int = 40) -> tuple[PathResult | str, float]:
    """A path of the model that a search has refitted, through what it chose; or a sentence that says why there is none.

    It goes from the simplest model that the search could have chosen to one thirty times less penalised than the
    one that it chose (a support vector machine ten times), as far as the search's bounds.
    """
    best = getattr(search, "best_estimator_", None)
    if best is None:
        return "There is no final model whose path could be drawn.", np.nan
    model = best.steps[-1][1] if isinstance(best, Pipeline) else best
    param = "C" if "C" in model.tunable else "alpha"
    chosen = getattr(model, param, None)
    if not isinstance(chosen, numbers.Real):
        return "The penalty is no single number over which coefficients could be drawn.", np.nan
    chosen = float(chosen)
    if chosen <= 0.0:
        return f"{param} = 0 was chosen, which has no place on a log scale.", chosen
    low, high = search.bounds_.get(param, (chosen, chosen))
    low, high = (low, min(high, 10.0 * chosen)) if param == "C" else (max(low, chosen / 30.0), high)
    values = np.geomspace(min(low, chosen), max(high, chosen), n_alphas) if 0.0 < low < high else None
    if isinstance(best, Pipeline) and len(best.steps) > 1:
        X = best[:-1].transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is a picture
        try:
            return path(clone(model), X, y, alphas=values, n_alphas=n_alphas), chosen
        except ValueError as error:
            return f"It could not be drawn: {error}.", chosen


def _default_strengths(param: str, problems: Sequence[Any], eps: float, n: int) -> Vector:
    """From the strength of the simplest model on."""
    if param == "C":
        simplest = min(solvers.least_C(problem) for problem in problems)
        if not np.isfinite(simplest):
            raise ValueError("alphas, values of C, must be given where w is zero at every C: no error is left to fit")
    else:
        simplest = max(solvers.alpha_max(problem) for problem in problems)
        if simplest == 0.0:
            raise ValueError("alphas must be given where nothing is penalised by an l1 norm, or X or y is constant")
    check_real(eps, "eps", high=1.0, open_low=True)
    factor = 1.0 / eps if param == "C" else eps
    return np.geomspace(simplest, simplest * factor, check_count(n, "n_alphas"))

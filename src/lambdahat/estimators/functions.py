"""Functions for people who bring their own loop: the hypergradient, and the largest useful alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat import solvers
from lambdahat._validation import check_count, check_factors, check_name, check_real, check_rows
from lambdahat.criteria import Data, Fold, check_trainable
from lambdahat.design import as_storage
from lambdahat.estimators.base import LinearModel, check_model, warn_unconverged
from lambdahat.estimators.glm import SparseGLM
from lambdahat.estimators.logistic import SparseLogisticRegression
from lambdahat.estimators.named_criteria import as_criterion
from lambdahat.hypergradient import ITERATIONS, METHODS, Judge, polished, solve_and_differentiate
from lambdahat.linear import Vector
from lambdahat.penalties import l1
from lambdahat.problem import Model, Problem, Solution

_MAX_ITER = 100_000


@dataclass(frozen=True, eq=False)
class HypergradientResult:
    """A criterion and its gradient.

    Attributes
    ----------
    value : float
        The criterion at the estimator's hyperparameters.
    gradient : array of shape (d,)
        With respect to the hyperparameters, in the order of ``hyperparams``.
    log_gradient : array of shape (d,)
        With respect to their logarithms.
    hyperparams : dict
        Names and values.
    coef : array of shape (p,) or (n_folds, p)
        The inner solutions; with several targets or classes K, of shape (K, p) or (n_folds, K, p).
    support : array of column numbers, or list of these
        In the order of ``coef``.
    solve_seconds, gradient_seconds : float
        Time in the inner problems and in the hypergradient; forward mode, which does both at once, calls it all the
        latter.
    n_iter : int
        Iterations differentiated (``implicit``: rounds of the solver), the most of any fold.
    converged : bool
    """

    value: float
    gradient: Vector
    log_gradient: Vector
    hyperparams: dict[str, Any]
    coef: NDArray[np.float64]
    support: NDArray[np.int32] | list[NDArray[np.int32]]
    solve_seconds: float
    gradient_seconds: float
    n_iter: int
    converged: bool


def hypergradient(
    estimator: LinearModel,
    X: Any,
    y: Any,
    *,
    criterion: Any = "cv",
    hyperparams: Any = None,
    method: str = "implicit",
    solver: str = "coordinate_descent",
    tol: float = 1e-8,
    max_iter: int | None = None,
    force: bool = False,
    cv: Any = 5,
    sample_weight: Any = None,
    groups: Any = None,
) -> HypergradientResult:
    """Gradient of a criterion with respect to the hyperparameters of an estimator.

    Parameters
    ----------
    estimator : a model of lambdahat
        Its hyperparameters say where.
    X : array, sparse matrix or frame of shape (n, p)
    y : array of shape (n,)
    criterion : "cv" or criterion object, default "cv"
    hyperparams : str or list of str, optional
        With respect to which; by default those that a search tunes.
    method : {"implicit", "implicit_forward", "forward", "backward"}, default "implicit"
        All agree where they converge; the first is the fastest, the others show how derivatives come about. Support
        vector machines and the adaptive Lasso have the first only.

        - ``"implicit"``: solve, then one linear system of the size of the support for all hyperparameters.
        - ``"implicit_forward"``: solve, then iterate the differentiated coordinate descent on the support alone.
        - ``"forward"``: iterate ``solver`` from zero with the Jacobian beside the coefficients. For d hyperparameters
          it needs d times the memory and the time: with the method above it refuses more than 100, unless forced.
        - ``"backward"``: iterate ``solver`` from zero, then go back through the iterations, with one vector whatever
          the number of hyperparameters. K iterations need at most 3√K + 4 vectors of p + 1 numbers: between checkpoints
          they are made again.
    solver : {"coordinate_descent", "proximal_gradient", "accelerated"}, default "coordinate_descent"
        What ``"forward"`` and ``"backward"`` differentiate; the last, proximal gradient with momentum, forward only.
    tol : float, default 1e-8
        For ``"implicit"`` and ``"implicit_forward"``, the relative duality gap of the inner problems; a Newton step on
        the support follows. For iterated derivatives (all but ``"implicit"``), the distance to their limits at which
        they stop, an estimate, relative to the largest one; with ``"forward"`` and ``"backward"`` also the
        coefficients'.
    max_iter : int, optional
        Bound on the iterations; by default 100,000, or the estimator's ``max_iter`` rounds for ``"implicit"``.
    force : bool, default False
        Whether methods that carry the Jacobian do so for more than 100 hyperparameters.
    cv : int, splitter or iterable, default 5
        For ``criterion="cv"``.
    sample_weight : array of shape (n,), optional
    groups : array of shape (n,), optional

    Returns
    -------
    HypergradientResult
        Where the columns of a support are linearly dependent, with the minimum-norm Jacobian.

    Raises
    ------
    ValueError
        In one sentence, where data or parameters cannot be used, or a method would carry too large a Jacobian.

    Warns
    -----
    ConvergenceWarning
        Where ``max_iter`` does not suffice.
    """
    check_name(method, METHODS, "method")
    check_name(solver, ITERATIONS, "solver")
    check_real(tol, "tol", open_low=True)
    estimator = check_model(estimator, "no gradient here")
    estimator._check_params()
    given = y
    X, y, weight, classes = read_rows(estimator, X, y, sample_weight)
    seen = partial(estimator._seen, classes)
    data = Data(estimator._storage(X), y, weight, X, groups, classes=classes, given=given, seen=seen)
    names = estimator._chosen(hyperparams)
    folds = as_criterion(criterion, cv).folds(estimator._model(names, classes), data)
    check_trainable(folds, classes)
    p = X.shape[1]
    space = estimator._space(names, p)
    values = estimator._values(space, p)
    theta = space.theta(values)
    total = sum(fold.weight for fold in folds)
    if max_iter is None:
        max_iter = estimator.max_iter if method == "implicit" else _MAX_ITER
    check_count(max_iter, "max_iter")
    value, gradient, results = 0.0, np.zeros(theta.size), []
    for fold in folds:
        problems = space.placed(fold.problems, theta)
        judges, starts = _judges(fold, problems, tol, estimator.max_iter)
        of_fold = [
            solve_and_differentiate(
                method, problem, judge, tol=tol, max_iter=max_iter, start=start, solver=solver, force=force
            )
            for problem, judge, start in zip(problems, judges, starts, strict=True)
        ]
        value += fold.weight / total * of_fold[0].value
        for k, result in enumerate(of_fold):
            gradient[space.part(k)] += fold.weight / total * result.gradient
        results += of_fold[: len(fold.fitted)]
    solutions = [result.solution for result in results]
    warn_once(estimator, [solution for solution in solutions if not solution.converged])
    units = folds[0].units
    gradient, value = units.slope(value) * space.theta_vjp(values, gradient), units.shown(value)
    shape = [size for size in (len(folds), len(folds[0].fitted)) if size > 1]
    supports = [solution.support for solution in solutions]
    return HypergradientResult(
        value,
        gradient,
        values * gradient,
        space.to_params(values),
        np.stack([solution.w for solution in solutions]).reshape(*shape, *solutions[0].w.shape),
        supports if shape else supports[0],
        sum(result.solve_seconds for result in results),
        sum(result.gradient_seconds for result in results),
        max(result.n_iter for result in results),
        all(result.converged for result in results),
    )


def _judges(
    fold: Fold, problems: list[Problem], tol: float, max_iter: int
) -> tuple[list[Judge], Sequence[Solution | None]]:
    """Judges of a fold's problems, and starts: several are solved first, as each is judged beside the others."""
    if len(problems) == 1:
        return fold.validation.judges(problems, ()), [None]
    solutions = solvers.solve_many(problems, tol=tol, max_iter=max_iter, starts=[None] * len(problems))
    better = [polished(problem, solution, tol) for problem, solution in zip(problems, solutions, strict=True)]
    return fold.judges(problems, better), better


def read_rows(
    estimator: LinearModel, X: Any, y: Any, sample_weight: Any
) -> tuple[Any, Vector, Vector, NDArray[Any] | None]:
    """X, the target as the estimator's datafit takes it, weights, and classes."""
    found: list[NDArray[Any] | None] = []

    def target(y: Any, n: int, *_: str) -> Vector:
        values, classes = estimator._read_target(y, n)
        found.append(classes)
        return values

    X, y, weight = check_rows(X, y, sample_weight, target=target)
    return X, y, weight, found[0]


def warn_once(estimator: LinearModel, unconverged: list[Solution]) -> None:
    """One warning, for the worst."""
    if unconverged:
        worst = max(unconverged, key=lambda solution: solution.gap)
        warn_unconverged(type(estimator).__name__, worst, stacklevel=3)


def alpha_max(
    X: Any,
    y: Any,
    *,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
    penalty_factors: Any = None,
    l1_ratio: float = 1.0,
    sample_weight: Any = None,
    loss: Any = "quadratic",
) -> float:
    """The smallest ``alpha`` at which all penalised coefficients are zero, exactly.

    Of a Lasso, an elastic net, a sparse logistic regression, or another loss.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n, p)
    y : array of shape (n,)
    fit_intercept, standardize, positive, penalty_factors
        As in :class:`Lasso`.
    l1_ratio : float, default 1.0
        As in :class:`ElasticNet`.
    sample_weight : array of shape (n,), optional
    loss : {"quadratic", "logistic", "poisson", "gamma", "huber"} or object, default "quadratic"
        With ``"logistic"``, ``y`` holds labels; an object is one for :class:`SparseGLM`, such as
        ``lambdahat.datafits.Huber(0.5)``.

    Returns
    -------
    float
    """
    check_real(l1_ratio, "l1_ratio", high=1.0)
    estimator = SparseLogisticRegression() if loss == "logistic" else SparseGLM(loss)
    X, y, weight, _ = read_rows(estimator, X, y, sample_weight)
    factors = check_factors(penalty_factors, X.shape[1])
    model = Model(
        lambda p, _: l1(p, l1_ratio, factors, positive=positive), fit_intercept, standardize, estimator._datafit
    )
    return solvers.alpha_max(model.problems(as_storage(X), y, [weight])[0])

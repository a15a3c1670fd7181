"""How the Jacobian of an estimator's coefficients converges."""

from __future__ import annotations

from typing import Any

from lambdahat._validation import check_count, check_name, check_real
from lambdahat.design import as_storage
from lambdahat.estimators.base import LinearModel, check_alone, check_penalised
from lambdahat.estimators.functions import read_rows
from lambdahat.hypergradient import JacobianConvergence, check_iterated, record_convergence

ITERATIONS = ("coordinate_descent", "proximal_gradient")


def jacobian_convergence(
    estimator: LinearModel,
    X: Any,
    y: Any,
    *,
    solver: str = "coordinate_descent",
    max_iter: int = 10_000,
    tol: float = 1e-10,
    sample_weight: Any = None,
    force: bool = False,
) -> JacobianConvergence:
    """Follow the coefficients of an estimator and their Jacobian through an iteration, from zero to the solution.

    Once the iteration has found the support and the signs of the solution, both converge linearly, at the rate that is
    the spectral radius of the iteration restricted to the support (Bertrand et al., JMLR 2022).

    Parameters
    ----------
    estimator : Lasso, ElasticNet, WeightedLasso, Ridge or SparseLogisticRegression
    X : array, sparse matrix or frame of shape (n, p)
    y : array of shape (n,)
    solver : {"coordinate_descent", "proximal_gradient"}, default "coordinate_descent"
        An iteration is a sweep of the first or a step of the second.
    max_iter : int, default 10,000
    tol : float, default 1e-10
        Stop where both errors, relative to the norms of what they are errors of, are at most this.
    sample_weight : array of shape (n,), optional
    force : bool, default False
        Whether to follow the Jacobian with respect to more than 100 hyperparameters.

    Returns
    -------
    JacobianConvergence

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import Lasso, jacobian_convergence
    >>> X, y = load_diabetes(return_X_y=True)
    >>> record = jacobian_convergence(Lasso(alpha=0.1), X, y)
    >>> bool(abs(record.measured_rate / record.theoretical_rate - 1) < 0.05)
    True
    """
    check_name(solver, ITERATIONS, "solver")
    check_count(max_iter, "max_iter")
    check_real(tol, "tol", open_low=True)
    estimator = check_penalised(estimator, "no Jacobian here")
    estimator._check_params()
    X, y, weight, classes = read_rows(estimator, X, y, sample_weight)
    check_alone(estimator, y, classes, "jacobian_convergence")
    problem = estimator._model(None, classes).problems(as_storage(X), y, [weight])[0]
    check_iterated(problem, "jacobian_convergence", "pass a model of one fit, such as Lasso or WeightedLasso")
    return record_convergence(problem, solver=solver, max_iter=max_iter, tol=tol, force=force)

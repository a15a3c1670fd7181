"""Two steps: solve, then iterate the differentiated coordinate descent on the support alone.

Bertrand et al., ICML 2020, call it implicit forward iterative differentiation: once the support is identified, the
Jacobian converges linearly whatever it starts from (JMLR 2022).
"""

import time
from dataclasses import replace

import numpy as np

from lambdahat.coupled import CoupledModel
from lambdahat.design import LinearSweeps
from lambdahat.hypergradient.base import (
    IMPLICIT_INSTEAD,
    Differentiated,
    Judge,
    Watch,
    check_carried,
    log_units,
    on_support,
    sentence,
)
from lambdahat.problem import Problem, Solution
from lambdahat.solvers import polish, solve


def implicit_forward(
    problem: Problem,
    judge: Judge,
    *,
    tol: float,
    max_iter: int,
    start: Solution | None = None,
    solver: str = "coordinate_descent",
    force: bool = False,
) -> Differentiated:
    """Solve to a duality gap of ``tol``, polish, and iterate the Jacobian on the support of the solution.

    The loss is replaced by its second-order model there, so a sweep costs one over the support of a least-squares
    problem, whatever the loss. It stops once the distance that is left, of the derivatives in log θ, is estimated to be
    at most ``tol`` relative to the largest of them. ``max_iter`` bounds the sweeps, and the rounds of the solver.
    """
    check_carried(problem, "method='implicit_forward'", IMPLICIT_INSTEAD, force)
    began = time.perf_counter()
    solution = solve(problem, tol=tol, max_iter=max_iter, start=start)
    solution, _ = polish(problem, solution, tol)
    solved = time.perf_counter()
    value, support, w_S, slopes, local = on_support(problem, solution, judge)
    if isinstance(local, CoupledModel):
        raise ValueError(
            f"method='implicit_forward' sweeps over columns of independent rows, and those of the "
            f"{type(problem.datafit).__name__} loss depend on each other: use method='implicit'"
        )
    kept = local.design.variances(support) > 0.0  # constant columns do not move
    moving = support[kept]
    cross = local.penalty.hyperparam_jacobian(moving, w_S[kept])
    seen = np.flatnonzero(cross.reshape(len(cross), -1).any(axis=1))  # by the support; others change nothing
    gradient = np.zeros(problem.penalty.hyperparams.size)
    n_iter, arrived = 0, seen.size == 0
    if not arrived:
        curvature = local.penalty.restricted(moving).curvature(w_S[kept])
        sweeps = LinearSweeps(local.design, moving, curvature, -cross[seen])
        settled, units = Watch(tol, every=1), log_units(problem)[seen] * np.sqrt(sweeps.variances)
        while n_iter < max_iter and not arrived:
            n_sweeps = min(Watch.EVERY, max_iter - n_iter)
            sweeps.run(n_sweeps)
            n_iter += n_sweeps
            V = sweeps.solutions
            arrived = settled.arrived(V * units.reshape(units.shape + (1,) * (V.ndim - 2)))
        gradient[seen] = (V * slopes[kept]).reshape(len(V), -1).sum(axis=1)
    ended = time.perf_counter()
    converged = arrived and solution.converged
    message = sentence(arrived, n_iter, tol) if solution.converged else solution.message
    solution = replace(solution, converged=converged, message=message)
    return Differentiated(value, gradient, solution, n_iter, converged, message, solved - began, ended - solved)

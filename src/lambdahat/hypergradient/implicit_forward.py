"""Two steps: solve, then iterate the differentiated coordinate descent on the support alone.

Bertrand et al., ICML 2020, call it implicit forward iterative differentiation: once the support is identified, the
Jacobian converges linearly whatever it starts from (JMLR 2022).
"""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lambdahat.design import Columns
from lambdahat.hypergradient.base import (
    IMPLICIT_INSTEAD,
    Differentiated,
    Judge,
    Watch,
    check_carried,
    log_units,
    sentence,
)
from lambdahat.hypergradient.iterations import CoordinateDescent, begin
from lambdahat.penalties import Separable
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
    support = problem.penalty.generalized_support(solution.w)
    w_S, offset = solution.w[support], problem.offset(solution)
    value, slopes, offset_slope = judge(support, w_S, offset)
    local = problem.local(problem.prediction(support, w_S, offset), support)
    if problem.has_offset:  # the best offset follows w: by the means under the curvatures, not under the weights
        slopes = slopes + offset_slope * (problem.design.means - local.design.means)[support]
    gradient = np.zeros(problem.penalty.hyperparams.size)
    kept = local.design.variances(support) > 0.0  # constant columns do not move
    penalty, seen = _seen(local.penalty, support[kept])
    n_iter, arrived = 0, seen.size == 0
    if not arrived:
        iteration = CoordinateDescent(replace(local, penalty=penalty), support[kept])
        u = begin(iteration, solution)
        J, settled = np.zeros((seen.size, u.size)), Watch(tol)
        units = log_units(problem)[seen] * iteration.units
        while n_iter < max_iter and not arrived:
            _, J = iteration.forward(u, J)
            n_iter += 1
            arrived = settled.arrived(J * units)
        gradient[seen] = J[:, :-1] @ slopes[kept]
    ended = time.perf_counter()
    converged = arrived and solution.converged
    message = sentence(arrived, n_iter, tol) if solution.converged else solution.message
    solution = replace(solution, converged=converged, message=message)
    return Differentiated(value, gradient, solution, n_iter, converged, message, solved - began, ended - solved)


def _seen(penalty: Separable, support: Columns) -> tuple[Separable, NDArray[np.intp]]:
    """The penalty with those hyperparameters only that the support sees, and which these are."""
    by_l1, by_l2 = penalty.l1_factors[support] != 0.0, penalty.l2_factors[support] != 0.0
    seen = np.union1d(penalty.l1_index[support][by_l1], penalty.l2_index[support][by_l2]).astype(np.intp)
    number = np.zeros(penalty.theta.size, dtype=np.intp)  # where a factor is zero, which one it is does not matter
    number[seen] = np.arange(seen.size)
    l1_index, l2_index = number[penalty.l1_index], number[penalty.l2_index]
    return replace(penalty, theta=penalty.theta[seen], l1_index=l1_index, l2_index=l2_index), seen

"""Forward mode: the Jacobian is carried beside the iterates.

Deledalle et al., *Stein unbiased gradient estimator of the risk*, SIAM J. Imaging Sci. 2014, for proximal gradient;
Bertrand et al., ICML 2020 and JMLR 2022, for coordinate descent.
"""

import time

import numpy as np

from lambdahat.hypergradient.base import (
    IMPLICIT_INSTEAD,
    Differentiated,
    Judge,
    Watch,
    check_carried,
    iterated_solution,
    log_units,
    sentence,
)
from lambdahat.hypergradient.iterations import ITERATIONS, Momentum, begin, coefficients, pullback
from lambdahat.problem import Problem, Solution


def forward(
    problem: Problem,
    judge: Judge,
    *,
    tol: float,
    max_iter: int,
    start: Solution | None = None,
    solver: str = "coordinate_descent",
    force: bool = False,
) -> Differentiated:
    """Differentiate the iterations of a solver, from the first to the last.

    Memory: d Jacobian rows of length p and d of length n; time: about 1 + d times that of the iterations. It stops
    once the distances that are left, of the coefficients (in units of the predictions) and of their derivatives in
    log θ, are estimated to be at most ``tol`` relative to their largest entries.
    """
    check_carried(problem, "method='forward'", IMPLICIT_INSTEAD, force)
    began = time.perf_counter()
    iteration = ITERATIONS[solver](problem)
    u = begin(iteration, start)
    J = np.zeros((problem.penalty.hyperparams.size, u.size))
    momentum = Momentum(u, J) if solver == "accelerated" else None
    at, at_J = u, J
    settled, settled_J, units = Watch(tol), Watch(tol), log_units(problem) * iteration.units
    converged, n_iter = False, 0
    while n_iter < max_iter and not converged:
        u, J = iteration.forward(at, at_J)
        at, at_J = (u, J) if momentum is None else momentum.extrapolate(at, u, J)
        n_iter += 1
        arrived = settled.arrived(u * iteration.units), settled_J.arrived(J * units)
        converged = all(arrived)
    w, offset = coefficients(iteration, u)
    support = problem.penalty.generalized_support(w)
    value, slopes, offset_slope = judge(support, w[support], offset)
    gradient = J @ pullback(iteration, support, slopes, offset_slope)
    seconds = time.perf_counter() - began
    message = sentence(converged, n_iter, tol)
    solution = iterated_solution(problem, w, offset, n_iter, converged, message)
    return Differentiated(value, gradient, solution, n_iter, converged, message, 0.0, seconds)

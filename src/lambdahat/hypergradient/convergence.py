"""How iterates and Jacobians converge: slowly until the support is found, then linearly, at a rate that is known.

Bertrand et al., JMLR 2022 (local linear convergence of the Jacobian): once support and signs are final, an iteration is
smooth around the solution, and the Jacobian's error shrinks by the spectral radius of the iteration's derivative,
restricted to the support.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from lambdahat.hypergradient.base import check_carried
from lambdahat.hypergradient.iterations import ITERATIONS, Iteration, begin, coefficients
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Problem, Solution
from lambdahat.solvers import polish, solve

_TIGHT = 1e-14  # duality gap of the solution that errors are measured from
_NOISE = 1e-11  # errors below this share of the Jacobian say nothing of a rate
_EXACT = 1000  # eigenvalues of matrices up to this size are computed exactly
_PRODUCTS = 500  # otherwise, growth is measured over the last so many of twice as many products
_MOST_POINTS = 300


@dataclass(frozen=True, eq=False)
class JacobianConvergence:
    """An iteration and its Jacobian, from zero to the solution.

    Attributes
    ----------
    solver : str
    coef_errors : array of shape (n_iter + 1,)
        ``‖w_k − w*‖``.
    jacobian_errors : array of shape (n_iter + 1,)
        ``‖J_k − J*‖``, Frobenius norm, with respect to the penalty's hyperparameters θ.
    support_sizes : array of shape (n_iter + 1,)
    supports : list of arrays of column numbers
    identified_at : int
        The first iteration from which on support and signs are those of the solution; −1 where they never are.
    measured_rate : float
        Factor by which the Jacobian's error shrinks in an iteration, from the later half of those between
        identification and rounding errors (median of slopes, Theil and Sen); NaN where they are fewer than four.
    theoretical_rate : float
        Spectral radius of the iteration's derivative at the solution, on the support (and the offset). An iteration
        that never enters the slowest directions is faster: proximal gradient on ridge with more features than rows.
    coef : array of shape (p,)
        ``w*``.
    jacobian : array of shape (p, d)
        ``J*``, in closed form.
    converged : bool
        Whether both errors, relative to the norms of ``w*`` and ``J*``, came below ``tol``.
    """

    solver: str
    coef_errors: Vector
    jacobian_errors: Vector
    support_sizes: NDArray[np.int64]
    supports: list[NDArray[np.int32]]
    identified_at: int
    measured_rate: float
    theoretical_rate: float
    coef: Vector
    jacobian: Matrix
    converged: bool


def record_convergence(
    problem: Problem, *, solver: str, max_iter: int, tol: float, force: bool = False
) -> JacobianConvergence:
    """Run an iteration from zero beside its Jacobian, and measure both against a tightly solved problem."""
    check_carried(problem, "jacobian_convergence", "pass a model with fewer hyperparameters", force)
    solution, accuracy = polish(problem, solve(problem, tol=_TIGHT), _TIGHT)
    solution, _ = polish(problem, solution, accuracy)
    jacobian = closed_form(problem, solution)
    iteration = ITERATIONS[solver](problem)
    signs = _signs(problem, solution.w)
    u = begin(iteration, None)
    J = np.zeros((jacobian.shape[0], u.size))
    coef_errors, jacobian_errors, supports = [], [], []
    goals = tol * np.linalg.norm(solution.w), tol * np.linalg.norm(jacobian)
    unlike, converged = -1, False  # the last iteration of other signs or support
    for k in range(max_iter + 1):
        if k:
            u, J = iteration.forward(u, J)
        w, _ = coefficients(iteration, u)
        coef_errors.append(float(np.linalg.norm(w - solution.w)))
        jacobian_errors.append(float(np.linalg.norm(J[:, :-1] - jacobian[:, iteration.columns])))
        supports.append(problem.penalty.generalized_support(w))
        if not np.array_equal(_signs(problem, w), signs, equal_nan=True):
            unlike = k
        converged = bool(coef_errors[-1] <= goals[0] and jacobian_errors[-1] <= goals[1])
        if converged:
            break
    errors = np.array(jacobian_errors)
    identified_at = unlike + 1 if unlike + 1 < errors.size else -1
    # The Jacobian's iteration depends on w, not on signs alone, but for least squares with an ℓ1 norm only.
    coupled = not problem.datafit.quadratic or _is_curved(problem, solution)
    settled = errors[identified_at:] if identified_at >= 0 else errors[:0]
    measured = _rate(settled, _NOISE * float(np.linalg.norm(jacobian)), coupled)
    return JacobianConvergence(
        solver, np.array(coef_errors), errors, np.array([support.size for support in supports]), supports,
        identified_at, measured, spectral_radius(iteration, solution), solution.w, jacobian.T, converged,
    )  # fmt: skip


def closed_form(problem: Problem, solution: Solution) -> Matrix:
    """``∂w/∂θ`` at a solution by one linear system a hyperparameter, shape (d, p); see ``implicit``."""
    S = problem.penalty.generalized_support(solution.w)
    w_S = solution.w[S]
    local = problem.local_on(S, w_S, problem.offset(solution))
    J = np.zeros((problem.penalty.hyperparams.size, *solution.w.shape))
    crossed = local.penalty.hyperparam_jacobian(S, w_S)
    for row, b in zip(J, crossed, strict=True):
        if b.any():
            row[S] = -local.solve_support(S, w_S, b, atol=1e-14 * float(np.abs(b).max()))
    return J


def spectral_radius(iteration: Iteration, solution: Solution) -> float:
    """The largest absolute eigenvalue of the derivative of an iteration at a solution, restricted to the support.

    Exact for small supports; by the power method for large ones, from below.
    """
    problem, u = iteration.problem, begin(iteration, solution)
    d = problem.penalty.hyperparams.size
    moving = np.isin(iteration.columns, problem.penalty.generalized_support(solution.w))
    free = np.flatnonzero(np.append(moving, problem.has_offset))
    if free.size == 0:
        return 0.0
    constant = iteration.forward(u, np.zeros((d, u.size)))[1]  # the iteration of the Jacobian is affine

    def derivative(V: Matrix) -> Matrix:
        """Its linear part, applied to each row."""
        J = np.zeros((max(d, len(V)), u.size))
        J[: len(V), free] = V
        image = iteration.forward(u, J)[1]
        image[:d] -= constant
        moved: Matrix = image[: len(V), free]
        return moved

    if free.size <= _EXACT:
        return float(np.abs(np.linalg.eigvals(derivative(np.eye(free.size)))).max())

    v = np.random.default_rng(0).normal(size=(1, free.size))
    growth = 0.0
    for k in range(2 * _PRODUCTS):
        v = derivative(v / np.linalg.norm(v))
        growth += np.log(np.linalg.norm(v)) if k >= _PRODUCTS else 0.0
    return float(np.exp(growth / _PRODUCTS))


def _is_curved(problem: Problem, solution: Solution) -> bool:
    support = problem.penalty.generalized_support(solution.w)
    return bool(problem.penalty.restricted(support).curvature(solution.w[support]).diagonal.any())


def _signs(problem: Problem, w: Vector) -> Vector:
    """What the derivatives depend on: where the penalty is smooth and, if it has a kink at zero, on which side."""
    sides = np.full(w.size, np.nan)
    support = problem.penalty.generalized_support(w)
    sides[support] = np.where(problem.penalty.l1[support] > 0.0, np.sign(w[support]), 0.0)
    return sides


def _rate(errors: Vector, noise: float, coupled: bool) -> float:
    """The factor between successive errors, before they sink into the noise.

    Where the errors of the Jacobian also feed on those of w, which shrink at the same rate ρ, they fall as ``k ρᵏ`` at
    worst: of ``ρᵏ`` and this the one that fits better is taken.
    """
    sunk = np.flatnonzero(errors <= noise)
    errors = errors[: sunk[0]] if sunk.size else errors
    k = np.arange(errors.size)[errors.size // 2 :]
    if k.size < 4:
        return np.nan
    k = k[:: max(1, k.size // _MOST_POINTS)]
    fits = []
    for log_errors in (np.log(errors[k]), np.log(errors[k] / (k + 1.0)))[: 1 + coupled]:
        slope, level = theilslopes(log_errors, k)[:2]
        fits.append((float(np.median(np.abs(log_errors - level - slope * k))), float(np.exp(slope))))
    return min(fits)[1]

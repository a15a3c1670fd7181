"""Derivatives of a criterion with respect to the hyperparameters."""

from lambdahat.hypergradient.backward import backward
from lambdahat.hypergradient.base import Differentiated, Judge, Method
from lambdahat.hypergradient.boundary import boundary
from lambdahat.hypergradient.convergence import JacobianConvergence, record_convergence
from lambdahat.hypergradient.forward import forward
from lambdahat.hypergradient.implicit import implicit
from lambdahat.hypergradient.implicit_forward import implicit_forward
from lambdahat.hypergradient.iterations import ITERATIONS
from lambdahat.hypergradient.kinds import (
    METHODS,
    check_iterated,
    differentiate,
    judged,
    polished,
    solve_and_differentiate,
    solve_implicit,
)
from lambdahat.hypergradient.two_stages import through_both

__all__ = [
    "ITERATIONS",
    "METHODS",
    "Differentiated",
    "JacobianConvergence",
    "Judge",
    "Method",
    "backward",
    "boundary",
    "check_iterated",
    "differentiate",
    "forward",
    "implicit",
    "implicit_forward",
    "judged",
    "polished",
    "record_convergence",
    "solve_and_differentiate",
    "solve_implicit",
    "through_both",
]

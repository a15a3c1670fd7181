"""Derivatives of a criterion with respect to the hyperparameters."""

from lambdahat.hypergradient.backward import backward
from lambdahat.hypergradient.base import Differentiated, Judge, Method
from lambdahat.hypergradient.boundary import boundary, solve_boundary
from lambdahat.hypergradient.convergence import JacobianConvergence, record_convergence
from lambdahat.hypergradient.forward import forward
from lambdahat.hypergradient.implicit import implicit, solve_implicit
from lambdahat.hypergradient.implicit_forward import implicit_forward
from lambdahat.hypergradient.iterations import ITERATIONS

METHODS: dict[str, Method] = {
    "implicit": solve_implicit,
    "implicit_forward": implicit_forward,
    "forward": forward,
    "backward": backward,
}

__all__ = [
    "ITERATIONS",
    "METHODS",
    "Differentiated",
    "JacobianConvergence",
    "Judge",
    "Method",
    "backward",
    "boundary",
    "forward",
    "implicit",
    "implicit_forward",
    "record_convergence",
    "solve_boundary",
    "solve_implicit",
]

"""Solvers of one inner problem."""

from lambdahat.solvers.alpha_max import alpha_max
from lambdahat.solvers.box import polish_box
from lambdahat.solvers.least_C import least_C
from lambdahat.solvers.polish import polish
from lambdahat.solvers.solve import solve, solve_many

__all__ = ["alpha_max", "least_C", "polish", "polish_box", "solve", "solve_many"]

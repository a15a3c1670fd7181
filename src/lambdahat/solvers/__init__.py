"""Solvers of one inner problem."""

from lambdahat.solvers.alpha_max import alpha_max
from lambdahat.solvers.box import polish_box
from lambdahat.solvers.least_C import least_C
from lambdahat.solvers.polish import polish
from lambdahat.solvers.solve import solve, solve_many
from lambdahat.solvers.two_stages import polish_two_stages

__all__ = ["alpha_max", "least_C", "polish", "polish_box", "polish_two_stages", "solve", "solve_many"]

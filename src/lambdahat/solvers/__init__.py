"""Solvers of one inner problem."""

from lambdahat.solvers.alpha_max import alpha_max
from lambdahat.solvers.working_set import solve, solve_many

__all__ = ["alpha_max", "solve", "solve_many"]

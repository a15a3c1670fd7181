"""Solvers of one inner problem."""

from lambdahat.solvers.working_set import solve, solve_many

__all__ = ["solve", "solve_many"]

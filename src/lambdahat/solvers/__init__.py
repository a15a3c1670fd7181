"""Solvers of one inner problem."""

from lambdahat.solvers.working_set import solve

__all__ = ["solve"]

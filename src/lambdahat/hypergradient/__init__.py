"""Derivatives of a criterion with respect to the hyperparameters."""

from lambdahat.hypergradient.implicit import Judge, implicit

__all__ = ["Judge", "implicit"]

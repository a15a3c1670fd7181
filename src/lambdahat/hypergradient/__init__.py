"""Derivatives of a criterion with respect to the hyperparameters."""

from lambdahat.hypergradient.implicit import implicit

__all__ = ["implicit"]

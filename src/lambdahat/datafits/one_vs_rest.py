"""Probabilities of several classes from the log-odds of each against the rest."""

import numpy as np
from scipy.special import log_expit

from lambdahat.linear import Matrix


def log_probabilities(Z: Matrix) -> Matrix:
    """``log p_k`` with ``p_k = σ(z_k) / Σ_j σ(z_j)``, as scikit-learn's `OneVsRestClassifier`.

    ``Z`` has shape (n, K); rows in which every class is sure not to be the one keep their digits.
    """
    own = log_expit(Z)
    return np.asarray(own - np.logaddexp.reduce(own, axis=1, keepdims=True))

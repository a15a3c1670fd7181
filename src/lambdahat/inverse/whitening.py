"""Noise of unit variance, of channels in whatever units."""

from __future__ import annotations

from typing import Any

import numpy as np

from lambdahat._validation import check_count
from lambdahat.inverse.arrays import check_array_of
from lambdahat.linear import Matrix

# Eigenvalues of the correlations below this share of the largest are directions without noise: a projection's.
_NEGLIGIBLE = 1e-10


def whitener(noise_covariance: Any, *, rank: int | None = None) -> Matrix:
    """``W`` with ``W C Wᵀ = I``: data times ``W`` have uncorrelated noise of unit variance.

    Channels are scaled to unit variance first, and eigenvectors are those of their correlations, so that volts and
    teslas, twelve orders of magnitude apart, count alike in telling the rank.

    Parameters
    ----------
    noise_covariance : array of shape (n_channels, n_channels) or (n_channels,)
        Of the data that are whitened: for an average of trials, that of a trial divided by their number. In squared
        units of the channels (V², T², (T/m)²); an array of one dimension holds variances of uncorrelated channels.
    rank : int, optional
        How many directions have noise, those of the largest eigenvalues; by default all above 1e-10 of the largest.
        Projections (an average reference, say) lower it.

    Returns
    -------
    array of shape (rank, n_channels)

    Raises
    ------
    ValueError
        Where this is no covariance, or a channel has no noise.
    """
    C = np.asarray(noise_covariance)
    if C.ndim == 1:
        C = np.diag(check_array_of(C, "noise_covariance", 1))
    C = check_array_of(C, "noise_covariance", 2)
    n = len(C)
    if C.shape != (n, n):
        raise ValueError(f"noise_covariance has shape {C.shape}: pass one of (n_channels, n_channels)")
    variances = C.diagonal()
    silent = np.flatnonzero(variances <= 0.0)
    if silent.size:
        raise ValueError(
            f"noise_covariance has no variance for {silent.size} channels, the first of them number {silent[0]}: leave "
            "them out of leadfield, data and covariance"
        )
    scales = np.sqrt(variances)
    R = C / np.outer(scales, scales)
    if not np.allclose(R, R.T, atol=1e-6):
        raise ValueError("noise_covariance is not symmetric: pass the covariance of the channels, E[noise noiseᵀ]")
    values, vectors = np.linalg.eigh(0.5 * (R + R.T))
    if values[0] < -1e-6 * values[-1]:
        raise ValueError("noise_covariance has negative eigenvalues: pass a covariance, which has none")
    most = int(np.sum(values > _NEGLIGIBLE * values[-1]))
    kept = most if rank is None else check_count(rank, "rank")
    if kept > most:
        raise ValueError(f"rank={kept} is more than noise_covariance has, {most}: pass at most that")
    return np.asarray((vectors[:, n - kept :] / np.sqrt(values[n - kept :])).T / scales)

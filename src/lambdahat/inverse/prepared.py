"""The inverse problem of M/EEG, whitened and weighed, as a multi-task Lasso has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat._validation import check_name, check_real
from lambdahat.estimators import MultiTaskLasso
from lambdahat.inverse.arrays import check_array_of
from lambdahat.inverse.sources import Sources
from lambdahat.inverse.whitening import whitener
from lambdahat.linear import Matrix, Vector

ORIENTATIONS = ("fixed", "loose", "free")


@dataclass(frozen=True, eq=False)
class InverseProblem:
    """``min_W 1/(2n) ‖Y − GW‖² + alpha Σ_s ‖W_s‖_F``: the mixed norm of sources ``s`` over orientations and time.

    ``W_s`` are the rows of a source, one an orientation, over all instants (Gramfort, Kowalski, Hämäläinen,
    *Mixed-norm estimates for the M/EEG inverse problem*, Phys. Med. Biol. 2012).

    Attributes
    ----------
    leadfield : array of shape (n, n_sources · n_orient)
        ``G``: whitened, and its columns multiplied by ``weights``.
    data : array of shape (n, n_times)
        ``Y``, whitened.
    weights : array of shape (n_sources · n_orient,)
        Coefficients times these are amplitudes in the original units.
    n_orient : int
        Columns a source.
    positions : array of shape (n_sources, 3) or None
        In metres.
    whitener : array of shape (n, n_channels)
        What leadfield and data were multiplied by.
    """

    leadfield: Matrix
    data: Matrix
    weights: Vector
    n_orient: int
    positions: Matrix | None
    whitener: Matrix

    @property
    def n_sources(self) -> int:
        return self.weights.size // self.n_orient

    @property
    def alpha_max(self) -> float:
        """The strength from which on no source is active."""
        slopes = self.leadfield.T @ self.data / len(self.data)
        return float(np.linalg.norm(slopes.reshape(self.n_sources, -1), axis=1).max())

    def model(self, alpha: float = 1.0, *, tol: float = 1e-6, max_iter: int = 1000) -> MultiTaskLasso:
        """The estimator of these sources, to be fitted to ``leadfield`` and ``data``."""
        groups = None if self.n_orient == 1 else self.n_orient
        return MultiTaskLasso(alpha, groups=groups, fit_intercept=False, tol=tol, max_iter=max_iter)

    def at(self, alpha: float, *, debias: bool = False) -> Sources:
        """The sources at a strength that is given; :func:`sparse_inverse` chooses it."""
        return self.sources(self.model(check_real(alpha, "alpha")).fit(self.leadfield, self.data), debias=debias)

    def sources(self, model: MultiTaskLasso, *, search: Any = None, debias: bool = False) -> Sources:
        """What a fitted model says of sources."""
        by_source = model.coef_.T.reshape(self.n_sources, self.n_orient, -1)
        indices = np.flatnonzero(by_source.any(axis=(1, 2)))
        columns = np.flatnonzero(np.repeat(np.isin(np.arange(self.n_sources), indices), self.n_orient))
        A, W = self.leadfield[:, columns], np.asarray(model.coef_.T[columns], dtype=np.float64)
        if debias:
            W = np.asarray(np.linalg.lstsq(A, self.data, rcond=None)[0], dtype=np.float64)
        left, all_of_it = np.sum((self.data - A @ W) ** 2), np.sum(self.data**2)
        explained = float(1.0 - left / all_of_it) if all_of_it > 0.0 else 0.0
        alpha, largest = float(model.alpha), self.alpha_max
        share = f", {alpha / largest:.3g} of that at which none is active" if largest > 0.0 else ""
        sentence = (
            f"{indices.size} of {self.n_sources} sources explain {100.0 * explained:.1f} % of the whitened data at "
            f"alpha={alpha:.4g}{share}; {model.status_ if search is None else search.status_}"
        )
        return Sources(
            amplitudes=(self.weights[columns, None] * W).reshape(indices.size, self.n_orient, self.data.shape[1]),
            indices=indices,
            positions=None if self.positions is None else self.positions[indices],
            explained_variance=explained,
            alpha=alpha,
            alpha_max=largest,
            n_sources=self.n_sources,
            search=search,
            status=sentence,
        )


def prepare(
    leadfield: Any,
    data: Any,
    *,
    positions: Any = None,
    noise_covariance: Any = None,
    rank: int | None = None,
    orientation: str = "fixed",
    loose: float = 0.2,
    depth: float = 0.8,
    depth_limit: float = 10.0,
) -> InverseProblem:
    """The inverse problem of a leadfield and data: checked, whitened, and weighed by depth and orientation.

    Parameters are those of :func:`sparse_inverse`.

    Returns
    -------
    InverseProblem

    Raises
    ------
    ValueError
        In one sentence, where something cannot be used.
    """
    check_name(orientation, ORIENTATIONS, "orientation")
    G, Y = check_array_of(leadfield, "leadfield", 2), check_array_of(data, "data", 2)
    if len(G) != len(Y):
        raise ValueError(
            f"leadfield has {len(G)} channels but data have {len(Y)}: pass the same channels in both, in one order"
        )
    if not Y.any():
        raise ValueError("data are zero in all channels at all times: there is no response, pass one")
    places = None if positions is None else _checked_positions(positions)
    n_orient = _columns_a_source(orientation, G.shape[1], None if places is None else len(places))
    silent = np.flatnonzero(~G.any(axis=0))
    if silent.size:
        raise ValueError(
            f"leadfield has {silent.size} columns of zeros, the first of them number {silent[0]} (source "
            f"{silent[0] // n_orient}): no channel sees them, leave these sources out"
        )
    W = np.eye(len(G)) if noise_covariance is None else whitener(noise_covariance, rank=rank)
    if W.shape[1] != len(G):
        raise ValueError(
            f"noise_covariance is of {W.shape[1]} channels but leadfield has {len(G)}: pass the same channels in both"
        )
    if noise_covariance is not None:
        G, Y = W @ G, W @ Y
    weights = np.repeat(_depth_weights(G, n_orient, depth, depth_limit), n_orient)
    if orientation == "loose":
        share = check_real(loose, "loose", high=1.0, open_low=True)
        weights *= np.resize(np.sqrt([share, share, 1.0]), weights.size)
    return InverseProblem(np.asfortranarray(G * weights), np.ascontiguousarray(Y), weights, n_orient, places, W)


def _checked_positions(positions: Any) -> Matrix:
    places = check_array_of(positions, "positions", 2)
    if places.shape[1] != 3:
        raise ValueError(f"positions has shape {places.shape}: pass an array of shape (n_sources, 3), in metres")
    return places


def _columns_a_source(orientation: str, n_columns: int, n_sources: int | None) -> int:
    """1, 2 or 3."""
    if n_sources is not None and n_columns % n_sources:
        raise ValueError(
            f"leadfield has {n_columns} columns, which is no multiple of the {n_sources} positions: pass a position a "
            "source, not a column, and the columns of a source beside each other"
        )
    each = n_columns // n_sources if n_sources is not None else 1 if orientation == "fixed" else 3
    wanted = {"fixed": (1,), "loose": (3,), "free": (2, 3)}[orientation]
    if each not in wanted:
        has = " or ".join(str(count) for count in wanted)
        raise ValueError(
            f"leadfield has {n_columns} columns for {n_sources} positions, {each} a source, but "
            f"orientation={orientation!r} has {has}: pass another orientation, or a position a source"
        )
    if n_columns % each:
        raise ValueError(
            f"leadfield has {n_columns} columns, which is no multiple of 3, the orientations of a source: pass all "
            "three columns of each, or positions, from which two are told"
        )
    return each


def _depth_weights(leadfield: Matrix, n_orient: int, depth: float, limit: float) -> NDArray[np.float64]:
    """``‖G_s‖^−depth``, one a source, relative to the source that is seen best: from 1 to ``limit^depth``."""
    exponent, most = check_real(depth, "depth"), check_real(limit, "depth_limit", low=1.0)
    norms = np.linalg.norm(leadfield.reshape(len(leadfield), -1, n_orient), axis=(0, 2))
    return np.asarray(np.maximum(norms / norms.max(), 1.0 / most) ** -exponent)

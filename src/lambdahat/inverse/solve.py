"""One function from a leadfield and recordings to sources."""

from __future__ import annotations

from typing import Any

from sklearn.model_selection import KFold

from lambdahat._validation import check_name
from lambdahat.criteria import SURE
from lambdahat.estimators import GradientSearch
from lambdahat.inverse.prepared import prepare
from lambdahat.inverse.sources import Sources
from lambdahat.inverse.trials import Trials

DEFAULT_CRITERION: Any = "sure"

# Of the strength from which on no source is active: amplitudes are fitted to about that share there.
_SMALLEST = 1e-3
_SEARCH_TOL = 1e-4


def sparse_inverse(
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
    criterion: Any = DEFAULT_CRITERION,
    cv: Any = 5,
    debias: bool = False,
    fit_tol: float = 1e-6,
    max_iter: int = 1000,
    **search: Any,
) -> Sources:
    """Few sources that explain recordings outside the head, with the strength of the penalty chosen by gradient.

    The model is the mixed norm of :class:`InverseProblem`: a source is active over all instants and in all its
    orientations, or not at all.

    Parameters
    ----------
    leadfield : array of shape (n_channels, n_columns)
        Gain of each source, in units of the channels an ampere·metre: T/(A·m), V/(A·m). Columns of a source lie beside
        each other.
    data : array of shape (n_channels, n_times)
        Recordings in units of the channels (T, V), mostly an average of trials. Both whitened already, so that noise is
        uncorrelated and of unit variance, or to be whitened by ``noise_covariance``.
    positions : array of shape (n_sources, 3), optional
        Of sources, in metres. They come back beside the sources, and tell the number of columns a source.
    noise_covariance : array of shape (n_channels, n_channels) or (n_channels,), optional
        Of the noise in ``data``, see :func:`whitener`: that of a trial divided by the number of trials averaged.
    rank : int, optional
        Of that covariance; by default from its eigenvalues.
    orientation : {"fixed", "loose", "free"}, default "fixed"
        ``"fixed"`` has one column a source, ``"free"`` two or three (three where no positions are given) that come and
        go together, ``"loose"`` three, of which the first two, tangential to the cortex, are penalised more.
    loose : float, default 0.2
        With ``"loose"``, tangential columns are multiplied by √loose, in (0, 1]: the share of variance they are thought
        to have, beside the normal one.
    depth : float, default 0.8
        Columns of source s are multiplied by ``‖G_s‖^−depth`` (norms are of whitened columns), so that deep sources,
        which channels see less of, are not penalised more; 0 is none. Amplitudes come back in the original units.
    depth_limit : float, default 10.0
        Sources whose norm is less than the largest over this are weighed as if they had that.
    criterion : "cv", "sure", Trials or criterion object
        What chooses ``alpha``. ``"cv"`` is the mean squared error on sensors left out (rows of the whitened problem),
        :class:`Trials` that on the average of trials left out, ``"sure"`` Stein's unbiased risk estimate at the unit
        variance that whitened noise has, or whatever else :class:`lambdahat.GradientSearch` takes.
    cv : int, splitter or iterable of index pairs, default 5
        Folds of ``"cv"``. A number stands for folds drawn at random (seed 0), since neighbouring sensors see the same.
    debias : bool, default False
        Refit the amplitudes of active sources by least squares, since the penalty shrinks them.
    fit_tol : float, default 1e-6
        Of the final fit: bound on the duality gap over ``½‖Y‖²``.
    max_iter : int, default 1000
        Rounds of the solver.
    **search
        Other parameters of :class:`lambdahat.GradientSearch`: ``tol`` (here 1e-4 by default: the criterion is flat, and
        sources hardly change), ``max_evals``, ``n_jobs``, … By default ``bounds`` are from a thousandth of the strength
        from which on no source is active up to that.

    Returns
    -------
    Sources

    Raises
    ------
    ValueError
        In one sentence, where something cannot be used.

    References
    ----------
    Gramfort, Kowalski, Hämäläinen, *Mixed-norm estimates for the M/EEG inverse problem using accelerated gradient
    methods*, Phys. Med. Biol. 2012. Depth: Lin et al., *Assessing and improving the spatial accuracy in MEG source
    localization by depth-weighted minimum-norm estimates*, NeuroImage 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from lambdahat.inverse import sparse_inverse
    >>> rng = np.random.default_rng(0)
    >>> G = rng.normal(size=(60, 200))  # whitened: noise below has unit variance
    >>> courses = 3.0 * np.sin(np.linspace(0.0, 6.0, 20) + [[0.0], [1.5]])
    >>> sources = sparse_inverse(G, G[:, [20, 150]] @ courses + rng.normal(size=(60, 20)))
    >>> bool(np.isin([20, 150], sources.indices).all()), sources.amplitudes.shape[1:]
    (True, (1, 20))
    """
    problem = prepare(
        leadfield, data, positions=positions, noise_covariance=noise_covariance, rank=rank, orientation=orientation,
        loose=loose, depth=depth, depth_limit=depth_limit,
    )  # fmt: skip
    if isinstance(criterion, Trials):
        criterion = criterion.seen_through(problem.whitener)
    elif isinstance(criterion, str) and check_name(criterion, ("cv", "sure"), "criterion") == "sure":
        criterion = SURE(sigma=1.0)
    folds = KFold(cv, shuffle=True, random_state=0) if isinstance(cv, int) and cv > 1 else cv
    largest = problem.alpha_max
    if largest > 0.0:  # far below, noise is interpolated by as many sources as there are channels: slow, and of no use
        search.setdefault("bounds", (_SMALLEST * largest, largest))
    search.setdefault("tol", _SEARCH_TOL)
    model = problem.model(tol=fit_tol, max_iter=max_iter)
    found = GradientSearch(model, criterion=criterion, cv=folds, **search).fit(problem.leadfield, problem.data)
    return problem.sources(found.best_estimator_, search=found, debias=debias)

"""The same for the objects of MNE-Python, which is only imported here, when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lambdahat._validation import check_name
from lambdahat.inverse.prepared import ORIENTATIONS
from lambdahat.inverse.solve import DEFAULT_CRITERION, sparse_inverse
from lambdahat.inverse.sources import Sources
from lambdahat.inverse.trials import Trials
from lambdahat.inverse.whitening import whitener
from lambdahat.linear import Matrix


def from_mne(
    forward: Any,
    noise_cov: Any,
    evoked: Any,
    *,
    orientation: str = "auto",
    loose: float = 0.2,
    depth: float = 0.8,
    rank: int | None = None,
    criterion: Any = DEFAULT_CRITERION,
    **options: Any,
) -> tuple[Any, Sources]:
    """Sparse sources of an average, from the objects of MNE-Python (1.6 or later, the extra ``mne``) and as one.

    The channels are those of ``evoked`` for MEG and EEG that none of the three calls bad. Leadfield, data and
    covariance are projected as ``evoked.info["projs"]`` says, EEG is referred to the average of these channels,
    whatever its reference was, and all is whitened by ``noise_cov / evoked.nave``.

    Parameters
    ----------
    forward : mne.Forward
        Of surfaces, of a volume, or of discrete places.
    noise_cov : mne.Covariance
        Of the noise of one trial.
    evoked : mne.Evoked
        Crop it to the instants of interest.
    orientation : {"auto", "fixed", "loose", "free"}, default "auto"
        As in :func:`sparse_inverse`; ``"auto"`` is ``"fixed"`` where the forward is, otherwise ``"loose"`` on surfaces
        and ``"free"`` in a volume. ``"fixed"`` is along the normals of the source space.
    loose, depth
        As in :func:`sparse_inverse`.
    rank : int, optional
        Of the covariance, after projection; by default from its eigenvalues.
    criterion : "cv", "sure", Trials or criterion object
        As in :func:`sparse_inverse`; :class:`Trials` have the channels that are used, in the order of ``evoked``.
    **options
        Other parameters of :func:`sparse_inverse`, and of :class:`lambdahat.GradientSearch`.

    Returns
    -------
    stc : mne.SourceEstimate or mne.VolSourceEstimate
        The active sources alone, in ampere·metres: signed amplitudes where orientations are fixed, otherwise their
        length over orientations.
    sources : Sources
        The same as arrays, with all orientations; positions in metres, in the coordinates of ``forward``.

    Raises
    ------
    ValueError
        In one sentence, where the objects do not fit each other; channels that disagree are named.
    ModuleNotFoundError
        Where MNE-Python is not installed.
    """
    mne = _mne()
    for value, name, kind in (
        (forward, "forward", mne.Forward),
        (noise_cov, "noise_cov", mne.Covariance),
        (evoked, "evoked", mne.Evoked),
    ):
        if not isinstance(value, kind):
            raise ValueError(f"{name} is of type {type(value).__name__}: pass an mne.{kind.__name__}")
    space = forward["src"].kind
    if space not in ("surface", "volume", "discrete"):
        raise ValueError(f"forward has a {space} source space: pass one of surfaces, or of volumes, alone")
    orientation = _orientation(forward, space, orientation)
    names = _channels(mne, forward, noise_cov, evoked)
    P = _projector(evoked.info, names)
    C = noise_cov["data"]
    C = np.diag(C) if noise_cov["diag"] else C
    C = _chosen(_chosen(C, noise_cov["names"], names).T, noise_cov["names"], names) / evoked.nave
    W = whitener(P @ C @ P.T, rank=rank) @ P
    if isinstance(criterion, Trials):
        criterion = criterion.seen_through(W)
    if not _is_fixed(forward) and orientation != "free":
        forward = mne.convert_forward_solution(
            forward, surf_ori=True, force_fixed=orientation == "fixed", use_cps=True, verbose="error"
        )
    sources = sparse_inverse(
        W @ _chosen(forward["sol"]["data"], forward["sol"]["row_names"], names),
        W @ _chosen(evoked.data, evoked.ch_names, names),
        positions=forward["source_rr"], orientation=orientation, loose=loose, depth=depth, criterion=criterion,
        **options,
    )  # fmt: skip
    return _estimate(mne, forward["src"], evoked, sources), sources


def _mne() -> Any:
    try:
        import mne
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("from_mne needs MNE-Python: pip install 'lambdahat[mne]'") from error
    return mne


def _is_fixed(forward: Any) -> bool:
    return bool(forward["sol"]["data"].shape[1] == forward["nsource"])


def _orientation(forward: Any, space: str, wanted: str) -> str:
    check_name(wanted, ("auto", *ORIENTATIONS), "orientation")
    if wanted == "auto":
        return "fixed" if _is_fixed(forward) else "loose" if space == "surface" else "free"
    if _is_fixed(forward) and wanted != "fixed":
        raise ValueError(
            f"forward has one fixed orientation a source, orientation={wanted!r} needs three: pass a forward with free "
            "orientations, as mne.make_forward_solution makes it"
        )
    if space == "volume" and wanted != "free":
        raise ValueError(
            f"forward is of a volume, whose sources have no normal for orientation={wanted!r}: pass orientation='free'"
        )
    return wanted


def _channels(mne: Any, forward: Any, noise_cov: Any, evoked: Any) -> list[str]:
    """The channels of the data that nobody calls bad; the others must have them."""
    bads = {*evoked.info["bads"], *noise_cov["bads"], *forward["info"]["bads"]}
    picks = mne.pick_types(evoked.info, meg=True, eeg=True, ref_meg=False, exclude=[])
    names = [evoked.ch_names[k] for k in picks if evoked.ch_names[k] not in bads]
    if not names:
        raise ValueError("evoked has no good channel of MEG or EEG: pass an average that has")
    for owner, known in (("forward", forward["sol"]["row_names"]), ("noise_cov", noise_cov["names"])):
        absent = [name for name in names if name not in set(known)]
        if absent:
            raise ValueError(
                f"{owner} lacks {_listed(absent)}, which evoked has: make it for these channels too, or drop them from "
                "evoked (evoked.drop_channels), or call them bad"
            )
    return names


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, names[:most])) + (" …" if len(names) > most else "")
    return f"the channel {shown}" if len(names) == 1 else f"{len(names)} channels, {shown}"


def _chosen(values: Matrix, names: Iterable[str], wanted: Sequence[str]) -> Matrix:
    """The rows of these names, in their order."""
    places = {name: k for k, name in enumerate(names)}
    return np.asarray(values, dtype=np.float64)[[places[name] for name in wanted]]


def _projector(info: Any, names: Sequence[str]) -> Matrix:
    """What removes the directions of ``info["projs"]``, and the mean of the EEG."""
    from mne.proj import make_projector

    directions = make_projector(info["projs"], list(names))[2]
    kinds = dict(zip(info["ch_names"], info.get_channel_types(), strict=True))
    eeg = np.array([kinds[name] == "eeg" for name in names], dtype=np.float64)
    if np.sum(eeg) == 1.0:
        raise ValueError("evoked has one EEG channel only, nothing is left of it once it is its own reference: drop it")
    removed = np.column_stack([directions, eeg]) if np.any(eeg) else directions
    if not np.size(removed):
        return np.eye(len(names))
    U, sizes, _ = np.linalg.svd(np.reshape(removed, (len(names), -1)), full_matrices=False)
    U = U[:, sizes > 1e-6 * sizes[0]]
    return np.asarray(np.eye(len(names)) - U @ U.T)


def _estimate(mne: Any, spaces: Any, evoked: Any, sources: Sources) -> Any:
    """The active sources as MNE-Python has them."""
    ends = np.cumsum([0, *(len(space["vertno"]) for space in spaces)])
    vertices = []
    for space, start, end in zip(spaces, ends[:-1], ends[1:], strict=True):
        inside = sources.indices[(sources.indices >= start) & (sources.indices < end)]
        vertices.append(np.asarray(space["vertno"])[inside - start])
    fixed = sources.amplitudes.shape[1] == 1
    kind = mne.SourceEstimate if spaces.kind == "surface" else mne.VolSourceEstimate
    return kind(
        sources.amplitudes[:, 0] if fixed else sources.magnitudes, vertices, tmin=evoked.times[0],
        tstep=1.0 / evoked.info["sfreq"], subject=spaces[0].get("subject_his_id"),
    )  # fmt: skip

"""Recordings made of the real leadfield, known sources and known noise; and how what was found compares with them."""

from dataclasses import dataclass, replace

import numpy as np

from ..common import Record
from ..data import Recordings

N_SOURCES, APART, PEAK = 3, 40e-3, 20e-9  # metres, ampere·metres
WIDTH = 15e-3  # of a peak, seconds
NEAR = 20e-3  # metres: what lies within is counted as of the same source
CUT_OFF = 40.0  # Hz, of noise that is low-passed as averages often are
FAST, SLOW, SHARE = 140.0, 40e-3, 0.3  # Hz, seconds, and the share of slow noise in what resembles the residuals


@dataclass(frozen=True, eq=False)
class Simulated:
    recordings: Recordings  # the data are those simulated
    mean: np.ndarray  # of the data: what the sources make
    places: np.ndarray  # numbers of the sources
    directions: np.ndarray  # (n, 3), of length one
    courses: np.ndarray  # (n, n_times), ampere·metres


def low_passed(times: np.ndarray, cut_off: float = CUT_OFF) -> np.ndarray:
    """The covariance over time of noise of unit variance, white up to the cut-off and nothing above."""
    return np.sinc(2.0 * cut_off * (times[:, None] - times))


def like_residuals(times: np.ndarray) -> np.ndarray:
    """A covariance of unit variance with about the correlations of the recordings' residuals.

    These are 0.70 to 0.76 between neighbours (1.7 ms), 0.30 to 0.45 one further, and some 0.3 up to 15 ms.
    """
    lags = times[:, None] - times
    return (1.0 - SHARE) * low_passed(times, FAST) + SHARE * np.exp(-0.5 * (lags / SLOW) ** 2)


def simulate(recordings: Recordings, seed: int, covariance: np.ndarray | None = None) -> Simulated:
    """A few sources, each in a direction of its own, with noise of unit variance: white, or correlated over time.

    Sources lie apart, among the half that the channels see best.
    """
    rng = np.random.default_rng(seed)
    X, times = recordings.leadfield, recordings.times
    seen = np.linalg.norm(X, axis=0).reshape(-1, 2).min(axis=1)
    places: list[int] = []
    for place in rng.permutation(np.flatnonzero(seen >= np.median(seen))):
        away = np.linalg.norm(recordings.positions[places] - recordings.positions[place], axis=1)
        if len(places) < N_SOURCES and np.all(away >= APART):
            places.append(int(place))
    angles, peaks = rng.uniform(0.0, np.pi, len(places)), rng.uniform(times[0] + 20e-3, times[-1] - 40e-3, len(places))
    shares = np.column_stack([np.cos(angles), np.sin(angles)])
    courses = PEAK * np.exp(-0.5 * ((times - peaks[:, None]) / WIDTH) ** 2)
    columns = 2 * np.array(places)[:, None] + [0, 1]
    mean = np.einsum("nso,so,st->nt", X[:, columns], shares, courses)
    noise = rng.standard_normal(mean.shape)
    if covariance is not None:
        values, vectors = np.linalg.eigh(covariance)
        noise = noise @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    directions = np.einsum("so,sod->sd", shares, recordings.orientations[columns])
    return Simulated(replace(recordings, data=mean + noise), mean, np.array(places), directions, courses)


def compared(simulated: Simulated, W: np.ndarray, instant: int | None = None) -> Record:
    """Coefficients of shape (n_columns, n_times), or those of one instant, against the truth."""
    W = W.reshape(len(W), -1)
    at = slice(None) if instant is None else slice(instant, instant + 1)
    X, positions = simulated.recordings.leadfield, simulated.recordings.positions
    mean, courses = simulated.mean[:, at], simulated.courses[:, at]
    refitted = least_squares(X, simulated.recordings.data[:, at], W)
    active = sources(W)
    away = np.linalg.norm(positions[active][:, None] - positions[simulated.places], axis=2)
    sizes = np.linalg.norm(W.reshape(len(positions), -1), axis=1)[active]
    return {
        "risk": float(np.mean((X @ W - mean) ** 2)),
        "risk_refitted": float(np.mean((X @ refitted - mean) ** 2)),
        "amplitude": _gain(simulated, W, courses, 0.0),
        "amplitude_near": _gain(simulated, W, courses, NEAR),
        "amplitude_near_refitted": _gain(simulated, refitted, courses, NEAR),
        # Of each true source to the nearest that was found, and of those found to the nearest true one.
        "mm_to_found": float(1e3 * away.min(axis=0).mean()) if active.size else None,
        "mm_to_true": float(1e3 * away.min(axis=1).mean()) if active.size else None,
        "mm_to_true_by_amplitude": float(1e3 * np.average(away.min(axis=1), weights=sizes)) if active.size else None,
    }


def sources(W: np.ndarray) -> np.ndarray:
    """Numbers of the sources that are active in some column."""
    return np.flatnonzero(W.reshape(len(W) // 2, -1).any(axis=1))


def least_squares(X: np.ndarray, Y: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Amplitudes of the columns in use, refitted without a penalty."""
    used = W.any(axis=1)
    refitted = np.zeros_like(W)
    refitted[used] = np.linalg.lstsq(X[:, used], Y, rcond=None)[0]
    return refitted


def _gain(simulated: Simulated, W: np.ndarray, courses: np.ndarray, near: float) -> float:
    """The share of a true amplitude that is found there, or within some distance, along its direction; 1 is all of it.

    The mean over the sources of the slope of the one course over the other.
    """
    positions, orientations = simulated.recordings.positions, simulated.recordings.orientations
    gains = []
    for place, direction, course in zip(simulated.places, simulated.directions, courses, strict=True):
        there = np.repeat(np.linalg.norm(positions - positions[place], axis=1) <= near, 2)
        along = (orientations[there] @ direction) @ W[there]
        if np.abs(course).max() > 0.2 * PEAK:  # at one instant, the others are silent
            gains.append(float(along @ course / (course @ course)))
    return float(np.mean(gains)) if gains else float("nan")

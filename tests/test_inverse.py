"""Sparse sources from arrays: whitening, weighing, what chooses λ, and real recordings."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model as peer
from sklearn.model_selection import KFold

from lambdahat import GradientSearch, HeldOut, MultiTaskLasso, hypergradient
from lambdahat.inverse import Sources, Trials, from_mne, prepare, sparse_inverse, whitener

N, S, T = 40, 60, 25
PLACES = np.random.default_rng(3).uniform(-0.07, 0.07, size=(S, 3))
ACTIVE = [7, 41]


def recordings(n_orient=1, *, seed=0, noise=1.0, strength=4.0):
    """A leadfield of columns with unlike norms, and data of two sources in noise of unit variance."""
    rng = np.random.default_rng(seed)
    G = rng.normal(size=(N, S, n_orient)) * rng.uniform(0.5, 1.5, size=(S, 1))
    courses = strength * np.sin(np.linspace(0.0, 7.0, T) + np.array([0.0, 1.5])[:, None, None])
    directions = rng.normal(size=(2, n_orient, 1))
    amplitudes = courses * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    Y = np.einsum("nso,sot->nt", G[:, ACTIVE], amplitudes) + noise * rng.normal(size=(N, T))
    return G.reshape(N, -1), Y, amplitudes


# --- whitening -------------------------------------------------------------------------------------------------------


def covariance(n=12, seed=0):
    """Of channels in volts and in teslas, correlated within."""
    A = np.random.default_rng(seed).normal(size=(n, 3 * n))
    scales = np.where(np.arange(n) < n // 2, 1e-6, 1e-13)
    return A @ A.T / n * np.outer(scales, scales)


def test_whitened_noise_has_unit_variance_whatever_its_units():
    C = covariance()
    W = whitener(C)
    assert W.shape == (12, 12)
    np.testing.assert_allclose(W @ C @ W.T, np.eye(12), atol=1e-10)
    scales = 10.0 ** np.linspace(-9, 9, 12)
    again = whitener(C * np.outer(scales, scales)) * scales
    np.testing.assert_allclose(again.T @ again, W.T @ W, rtol=1e-8)


def test_whitening_keeps_to_the_directions_that_have_noise():
    C = covariance()
    P = np.eye(12)
    P[:6, :6] -= 1.0 / 6.0  # the average reference of the first six
    W = whitener(P @ C @ P.T)
    assert W.shape == (11, 12)
    np.testing.assert_allclose(W @ (P @ C @ P.T) @ W.T, np.eye(11), atol=1e-9)
    assert whitener(C, rank=5).shape == (5, 12)


def test_variances_are_a_diagonal_covariance():
    np.testing.assert_allclose(np.abs(whitener([4.0, 0.25])).sum(axis=0), [0.5, 2.0])


# --- the problem -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("orientation", "n_orient"), [("fixed", 1), ("free", 2), ("free", 3), ("loose", 3)])
def test_solves_the_problem_in_the_original_units(orientation, n_orient):
    """Optimality in the amplitudes themselves, of an objective written anew, whitening and weights included."""
    G, Y, _ = recordings(n_orient)
    mixing = np.random.default_rng(5).normal(size=(N, N)) + 4.0 * np.eye(N)
    problem = prepare(
        mixing @ G, mixing @ Y, positions=PLACES, noise_covariance=mixing @ mixing.T, orientation=orientation,
        loose=0.3, depth=0.7, depth_limit=2.0,
    )  # fmt: skip
    alpha = 0.15 * problem.alpha_max
    found = problem.at(alpha)
    assert 2 <= found.n_active < S
    W = np.zeros((S, n_orient, T))
    W[found.indices] = found.amplitudes
    white = np.linalg.inv(np.linalg.cholesky(mixing @ mixing.T)) @ mixing  # another root of the same covariance
    A, B = (white @ G).reshape(N, S, n_orient), white @ Y
    norms = np.sqrt(np.einsum("nso,nso->s", A, A))
    weights = np.maximum(norms / norms.max(), 0.5)[:, None] ** -0.7 * np.ones(n_orient)
    if orientation == "loose":
        weights *= np.sqrt([0.3, 0.3, 1.0])
    slopes = np.einsum("nso,nt->sot", A, B - np.einsum("nso,sot->nt", A, W)) / N * weights[:, :, None]
    lengths = np.sqrt(np.sum(slopes**2, axis=(1, 2)))
    assert np.all(lengths <= alpha * (1 + 1e-3))
    scaled = found.amplitudes / weights[found.indices][:, :, None]
    direction = scaled / np.sqrt(np.sum(scaled**2, axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(slopes[found.indices], alpha * direction, atol=2e-3 * alpha)
    left = np.sum((B - np.einsum("nso,sot->nt", A, W)) ** 2)
    assert found.explained_variance == pytest.approx(1.0 - left / np.sum(B**2), abs=1e-9)


def test_no_source_is_active_from_alpha_max_on():
    G, Y, _ = recordings(2)
    problem = prepare(G, Y, positions=PLACES, orientation="free")
    assert problem.at(0.98 * problem.alpha_max).n_active == 1
    none = problem.at(1.001 * problem.alpha_max)
    assert (none.n_active, none.amplitudes.shape, none.positions.shape) == (0, (0, 2, T), (0, 3))
    assert none.explained_variance == 0.0
    assert none.status.startswith("0 of 60 sources explain 0.0 %")
    assert none.magnitudes.shape == (0, T)


def test_full_depth_weighting_does_not_see_how_strongly_sources_are_seen():
    G, Y, _ = recordings()
    scales = np.geomspace(0.2, 5.0, S)
    plain, rescaled = (prepare(X, Y, depth=1.0, depth_limit=1e6) for X in (G, G * scales))
    one, other = (problem.at(0.4 * problem.alpha_max) for problem in (plain, rescaled))
    assert one.indices.tolist() == other.indices.tolist()
    np.testing.assert_allclose(other.amplitudes, one.amplitudes / scales[one.indices, None, None], rtol=1e-3, atol=1e-4)


def test_debiasing_is_least_squares_on_the_sources():
    G, Y, _ = recordings(3)
    problem = prepare(G, Y, orientation="free")
    alpha = 0.5 * problem.alpha_max
    shrunk, refitted = problem.at(alpha), problem.at(alpha, debias=True)
    columns = (3 * refitted.indices[:, None] + np.arange(3)).ravel()
    expected = np.linalg.pinv(G[:, columns]) @ Y
    np.testing.assert_allclose(refitted.amplitudes.reshape(-1, T), expected, atol=1e-8)
    assert refitted.explained_variance > shrunk.explained_variance


# --- what chooses λ --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("orientation", "n_orient"), [("fixed", 1), ("free", 3), ("loose", 3)])
def test_finds_the_sources_and_their_courses(orientation, n_orient):
    G, Y, amplitudes = recordings(n_orient)
    found = sparse_inverse(G, Y, positions=PLACES, orientation=orientation, criterion="cv")
    assert isinstance(found, Sources)
    assert set(ACTIVE) <= set(found.indices.tolist())
    strongest = found.indices[np.sort(np.argsort(np.linalg.norm(found.magnitudes, axis=1))[-2:])]
    assert strongest.tolist() == ACTIVE
    here = np.isin(found.indices, ACTIVE)
    assert np.linalg.norm(found.amplitudes[here] - amplitudes) < 0.3 * np.linalg.norm(amplitudes)
    np.testing.assert_array_equal(found.positions, PLACES[found.indices])
    assert found.n_sources == S
    assert found.search.best_params_["alpha"] == found.alpha < found.alpha_max
    assert f"{found.n_active} of 60 sources" in found.status
    assert found.search.status_ in found.status


def test_sensors_left_out_choose_as_a_grid_does():
    G, Y, _ = recordings(strength=1.0)
    found = sparse_inverse(G, Y, depth=0.0, criterion="cv")

    def error(alpha):
        each = []
        for train, test in KFold(5, shuffle=True, random_state=0).split(G):
            fitted = peer.MultiTaskLasso(alpha, fit_intercept=False, tol=1e-7, max_iter=10**5).fit(G[train], Y[train])
            each.append(np.mean((Y[test] - fitted.predict(G[test])) ** 2))
        return np.mean(each)

    assert error(found.alpha) <= 1.001 * min(error(alpha) for alpha in found.alpha_max * np.geomspace(0.02, 1.0, 25))


def trials_of(Y, n_trials=6, seed=1):
    noise = np.random.default_rng(seed).normal(size=(n_trials, *Y.shape))
    return Y + np.sqrt(n_trials) * (noise - noise.mean(axis=0))


def test_halves_of_trials_are_two_held_out_sets():
    G, Y, _ = recordings(strength=1.0)
    trials = trials_of(Y)
    halves = trials[3:].mean(axis=0), trials[:3].mean(axis=0)
    at = [hypergradient(MultiTaskLasso(0.3, fit_intercept=False), G, one, criterion=HeldOut(G, other))
          for one, other in (halves, halves[::-1])]  # fmt: skip
    found = hypergradient(MultiTaskLasso(0.3, fit_intercept=False), G, Y, criterion=Trials(trials))
    assert found.value == pytest.approx(np.mean([one.value for one in at]), rel=1e-5)
    np.testing.assert_allclose(found.gradient, np.mean([one.gradient for one in at], axis=0), rtol=1e-3)


def test_the_gradient_over_trials_is_that_of_differences():
    G, Y, _ = recordings(3, strength=1.0)
    criterion = Trials(trials_of(Y), cv=3)

    def at(alpha):
        model = MultiTaskLasso(alpha, groups=3, fit_intercept=False)
        return hypergradient(model, G, Y, criterion=criterion, tol=1e-13)

    h = 1e-6
    assert at(0.4).gradient[0] == pytest.approx((at(0.4 + h).value - at(0.4 - h).value) / (2 * h), rel=1e-5)


def test_trials_are_seen_as_the_data_are():
    G, Y, _ = recordings(strength=1.0)
    trials = trials_of(Y)
    plain = sparse_inverse(G, Y, criterion=Trials(trials, cv=3))
    scales = np.geomspace(1e-13, 1e-6, N)
    units = {"noise_covariance": scales**2, "criterion": Trials(trials * scales[:, None], cv=3)}
    in_units = sparse_inverse(G * scales[:, None], Y * scales[:, None], **units)
    assert in_units.alpha == pytest.approx(plain.alpha, rel=1e-3)
    assert in_units.indices.tolist() == plain.indices.tolist()
    assert 0 < plain.n_active < S


def test_any_criterion_of_a_search_will_do():
    G, Y, _ = recordings()
    problem = prepare(G, Y)
    judge = HeldOut(problem.leadfield, recordings(seed=0)[1] + np.random.default_rng(9).normal(size=Y.shape))
    found = sparse_inverse(G, Y, criterion=judge, max_evals=7)
    expected = GradientSearch(problem.model(), criterion=judge, max_evals=7).fit(problem.leadfield, problem.data)
    assert found.alpha == expected.best_params_["alpha"]
    assert found.search.n_evals_ <= 7


def test_the_unbiased_risk_is_at_unit_variance():
    search = sparse_inverse(G1, Y1).search
    assert repr(search.criterion) == "SURE(sigma=1.0)"
    assert search.metric_ == "SURE"


# --- what cannot be used ---------------------------------------------------------------------------------------------


def put(array, place, value):
    array = array.copy()
    array[place] = value
    return array


G1, Y1, _ = recordings()
G3 = recordings(3)[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"leadfield": put(put(G1, (slice(None), 9), 0.0), (slice(None), 4), 0.0)},
         r"leadfield has 2 columns of zeros, the first of them number 4 \(source 4\): no channel sees them"),
        ({"leadfield": put(G3, (slice(None), 14), 0.0), "orientation": "free"},
         r"leadfield has 1 columns of zeros, the first of them number 14 \(source 4\)"),
        ({"leadfield": put(G1, (3, 5), np.nan)}, r"leadfield contains NaN \(first at \(3, 5\)\)"),
        ({"data": put(Y1, (2, 1), np.inf)}, r"data contains infinity \(first at \(2, 1\)\)"),
        ({"data": Y1[:-1]}, "leadfield has 40 channels but data have 39: pass the same channels in both"),
        ({"data": Y1[:, 0]}, r"data has shape \(40,\): pass an array of shape \(n_channels, n_times\)"),
        ({"data": 0.0 * Y1}, "data are zero in all channels at all times: there is no response"),
        ({"data": Y1 + 1j}, "data holds what is no real number"),
        ({"leadfield": [["a"]]}, "leadfield holds what is no real number"),
        ({"positions": PLACES[:, :2]}, r"positions has shape \(60, 2\): pass an array of shape \(n_sources, 3\), in m"),
        ({"positions": put(PLACES, (1, 2), np.nan)}, r"positions contains NaN \(first at \(1, 2\)\)"),
        ({"positions": PLACES[:-1]}, "leadfield has 60 columns, which is no multiple of the 59 positions"),
        ({"positions": PLACES[:20]}, "60 columns for 20 positions, 3 a source, but orientation='fixed' has 1"),
        ({"positions": PLACES[:30], "orientation": "loose"}, "2 a source, but orientation='loose' has 3"),
        ({"positions": PLACES, "orientation": "free"}, "1 a source, but orientation='free' has 2 or 3"),
        ({"leadfield": G1[:, :-1], "orientation": "free"}, "59 columns, which is no multiple of 3, the orientations"),
        ({"orientation": "lose"}, "unknown orientation 'lose': did you mean 'loose'"),
        ({"leadfield": G3, "orientation": "loose", "loose": 0.0}, r"loose=0\.0 is out of range"),
        ({"depth": -1.0}, r"depth=-1\.0 is out of range"),
        ({"depth_limit": 0.5}, r"depth_limit=0\.5 is out of range"),
        ({"noise_covariance": np.eye(39)}, "noise_covariance is of 39 channels but leadfield has 40"),
        ({"noise_covariance": np.ones((40, 39))}, r"noise_covariance has shape \(40, 39\): pass one of"),
        ({"noise_covariance": np.diag(put(np.ones(40), 3, 0.0))}, "no variance for 1 channels, the first .* number 3"),
        ({"noise_covariance": put(np.eye(40), (0, 1), 0.5)}, "noise_covariance is not symmetric"),
        ({"noise_covariance": 2 * np.eye(40) - 3 * np.eye(40)[::-1]}, "noise_covariance has negative eigenvalues"),
        ({"noise_covariance": np.ones(40), "rank": 41}, "rank=41 is more than noise_covariance has, 40"),
        ({"criterion": "shure"}, "unknown criterion 'shure': did you mean 'sure'"),
        ({"criterion": Trials(np.ones((4, 39, T)))}, "trials have 39 channels but data have 40"),
        ({"criterion": Trials(np.ones((4, N, T - 1)))}, r"trials have shape \(40, 24\) each but data \(40, 25\)"),
        ({"criterion": Trials(Y1[None])}, "trials is one trial: pass at least two"),
        ({"criterion": Trials(Y1)}, r"trials has shape \(40, 25\): pass an array of shape \(n_trials, n_channels"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        sparse_inverse(**{"leadfield": G1, "data": Y1, **change})


def test_without_mne_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(ModuleNotFoundError, match=r"from_mne needs MNE-Python: pip install 'lambdahat\[mne\]'"):
        from_mne(None, None, None)


# --- real recordings -------------------------------------------------------------------------------------------------


def meg(condition):
    """Leadfield, data and positions of ``meg_left.npz``, with noise of unit variance."""
    path = Path(os.environ.get("LAMBDAHAT_DATA", "")) / "meg_left.npz"
    if "LAMBDAHAT_DATA" not in os.environ or not path.exists():
        pytest.skip("meg_left.npz is not here: set LAMBDAHAT_DATA to the folder that holds it")
    with np.load(path) as file:
        scale = np.sqrt(float(file[f"nave_left_{condition}"]))
        return scale * file["X"], scale * file[f"Y_left_{condition}"], file["positions_m"][::2]


@pytest.mark.parametrize("share", [0.85, 0.8])
@pytest.mark.parametrize("orientation", ["fixed", "free"])
def test_auditory_sources_lie_on_both_temporal_sides(share, orientation):
    G, Y, places = meg("auditory")
    problem = prepare(G, Y, positions=places, orientation="free", depth=0.0)
    if orientation == "fixed":  # each column on its own
        problem = replace(problem, n_orient=1, positions=np.repeat(places, 2, axis=0))
    found = problem.at(share * problem.alpha_max, debias=True)
    assert 2 <= found.n_active <= 8
    x, y, _ = 1e3 * found.positions.T
    energy = np.sum(found.magnitudes**2, axis=1)
    strongest = [side[np.argmax(energy[side])] for side in (np.flatnonzero(x > 30.0), np.flatnonzero(x < -30.0))]
    assert np.all((np.abs(x[strongest]) > 45.0) & (np.abs(x[strongest]) < 75.0) & (np.abs(y[strongest]) < 40.0))


@pytest.mark.parametrize("share", [0.85, 0.8, 0.75])
@pytest.mark.parametrize("depth", [0.0, 0.8])
def test_visual_sources_lie_at_the_back(share, depth):
    G, Y, places = meg("visual")
    problem = prepare(G, Y, positions=places, orientation="free", depth=depth)
    found = problem.at(share * problem.alpha_max)
    assert 1 <= found.n_active <= 5
    assert np.all(found.positions[:, 1] < -0.04)

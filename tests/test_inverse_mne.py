"""The bridge to MNE-Python, against sources that it simulates itself: a sphere model, no downloads."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

pytest.importorskip("mne", reason="MNE-Python is not installed: pip install 'lambdahat[mne]'")

import mne

from lambdahat.inverse import Trials, bridge, from_mne, prepare

pytestmark = pytest.mark.filterwarnings("ignore:No average EEG reference present")  # ours is made in the bridge

CENTRE, RADIUS = np.array([0.0, 0.0, 0.04]), 0.09
ACTIVE = [5, 33]


def spread(n, seed=0):
    """Directions all around the upper half, evenly."""
    k = np.arange(n) + 0.5
    z, turn = 1.0 - k / n, np.pi * (1.0 + 5.0**0.5) * k + seed
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z])


@pytest.fixture(scope="module", autouse=True)
def quiet():
    with mne.use_log_level("error"):
        yield


@pytest.fixture(scope="module")
def info():
    """Forty EEG electrodes on the head and thirty magnetometers around it."""
    eeg, mag = spread(40), spread(30, seed=1.0)
    names = [f"EEG {k:03d}" for k in range(40)] + [f"MEG {k:03d}" for k in range(30)]
    info = mne.create_info(names, 100.0, ["eeg"] * 40 + ["mag"] * 30)
    places = dict(zip(names, CENTRE + RADIUS * eeg, strict=False))
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), on_missing="ignore")
    for channel, radial in zip(info["chs"][40:], mag, strict=True):
        across = np.linalg.svd(radial[None])[2][1:]
        channel["loc"][:12] = np.concatenate([CENTRE + 0.12 * radial, *across, radial])
    info["dev_head_t"] = mne.transforms.Transform("meg", "head")
    return info


@pytest.fixture(scope="module")
def sphere():
    return mne.make_sphere_model(CENTRE, RADIUS)


@pytest.fixture(scope="module")
def discrete(info, sphere):
    """Fifty places at two depths, whose normals are tangential: radial currents have no magnetic field."""
    radial = spread(50, seed=2.0)
    normals = np.cross(radial, [0.0, 0.0, 1.0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    places = CENTRE + np.resize([0.045, 0.065], 50)[:, None] * radial
    space = mne.setup_volume_source_space(pos={"rr": places, "nn": normals}, sphere=sphere)
    return mne.make_forward_solution(info, None, space, sphere)


@pytest.fixture(scope="module")
def surfaces(info, sphere):
    """Two hemispheres, small spheres of which every second vertex is used; put together by hand, without FreeSurfer."""
    spaces = []
    for k, sign in enumerate((-1.0, 1.0)):
        ball = np.vstack([spread(20), -spread(20)])
        places = CENTRE + [sign * 0.035, 0.0, 0.01] + 0.03 * ball
        (space,) = mne.setup_volume_source_space(pos={"rr": places, "nn": ball}, sphere=sphere)
        triangles = ConvexHull(ball).simplices
        used = np.arange(0, 40, 2)
        space.update(
            type="surf", id=101 + k, subject_his_id="round", vertno=used, nuse=20, inuse=(np.arange(40) % 2 == 0) * 1,
            ntri=len(triangles), tris=triangles, nuse_tri=0, use_tris=None, nearest=None, dist=None,
        )  # fmt: skip
        spaces.append(space)
    space = mne.SourceSpaces(spaces)
    assert space.kind == "surface"
    return mne.make_forward_solution(info, None, space, sphere)


def simulated(forward, info, active=ACTIVE, nave=20, seed=0, amplitude=60e-9):
    """An average of two sources along their normals, of tens of nA·m, and the covariance of a trial."""
    along = mne.convert_forward_solution(forward, surf_ori=True, force_fixed=True)
    times = np.arange(40) / 100.0
    courses = amplitude * np.sin(2 * np.pi * np.array([[3.0], [5.0]]) * times)
    ends = np.cumsum([0, *(len(space["vertno"]) for space in forward["src"])])
    vertices = [
        space["vertno"][[k - start for k in active if start <= k < end]]
        for space, start, end in zip(forward["src"], ends, ends[1:], strict=False)
    ]
    kind = mne.SourceEstimate if forward["src"].kind == "surface" else mne.VolSourceEstimate
    stc = kind(courses, vertices, tmin=0.0, tstep=0.01)
    cov = mne.make_ad_hoc_cov(info, std={"eeg": 2e-6, "mag": 1e-13})
    state = np.random.default_rng(seed).integers(2**31)
    evoked = mne.simulation.simulate_evoked(along, stc, info, cov, nave=nave, random_state=int(state), use_cps=True)
    return evoked, cov, courses


@pytest.mark.parametrize("orientation", ["fixed", "loose", "free", "auto"])
def test_finds_what_was_simulated(discrete, info, orientation):
    evoked, cov, courses = simulated(discrete, info)
    stc, sources = from_mne(discrete, cov, evoked, orientation=orientation, criterion="cv")
    assert isinstance(stc, mne.VolSourceEstimate)
    strongest = sources.indices[np.argsort(np.linalg.norm(sources.magnitudes, axis=1))[-2:]]
    assert sorted(strongest) == ACTIVE
    np.testing.assert_array_equal(stc.vertices[0], discrete["src"][0]["vertno"][sources.indices])
    np.testing.assert_allclose(sources.positions, discrete["source_rr"][sources.indices])
    here = np.isin(sources.indices, ACTIVE)
    expected = courses if orientation == "fixed" else np.abs(courses)
    assert np.linalg.norm(stc.data[here] - expected) < 0.3 * np.linalg.norm(courses)
    assert stc.shape == (sources.n_active, 40)
    np.testing.assert_allclose(stc.times, evoked.times)


def test_loose_is_about_the_normals(discrete, info):
    """With next to no variance across the normals, amplitudes are those along them."""
    evoked, cov, _ = simulated(discrete, info)
    _, sources = from_mne(discrete, cov, evoked, orientation="loose", loose=1e-4, criterion="cv", max_evals=5)
    assert set(ACTIVE) <= set(sources.indices.tolist())
    along, across = np.abs(sources.amplitudes[:, 2]).max(), np.abs(sources.amplitudes[:, :2]).max()
    assert across < 0.05 * along


@pytest.mark.parametrize("orientation", ["fixed", "auto"])
def test_both_hemispheres(surfaces, info, orientation):
    lh, rh = (len(space["vertno"]) for space in surfaces["src"])
    active = [6, lh + 9]
    evoked, cov, _ = simulated(surfaces, info, active)
    stc, sources = from_mne(surfaces, cov, evoked, orientation=orientation, criterion="cv")
    assert isinstance(stc, mne.SourceEstimate)
    assert sources.amplitudes.shape[1] == (1 if orientation == "fixed" else 3)
    power = np.linalg.norm(stc.data, axis=1)
    n_left = len(stc.vertices[0])
    assert stc.vertices[0][np.argmax(power[:n_left])] == surfaces["src"][0]["vertno"][6]
    assert stc.vertices[1][np.argmax(power[n_left:])] == surfaces["src"][1]["vertno"][9]
    assert stc.subject == "round"
    assert sources.n_sources == lh + rh


def test_the_same_from_arrays(discrete, info):
    """With MEG alone there is no projection: whitening by variances, and the leadfield as it is."""
    evoked, cov, _ = simulated(discrete, info)
    evoked.pick("mag")
    _, found = from_mne(discrete, cov, evoked, orientation="free", criterion="cv", max_evals=6)
    rows = [discrete["sol"]["row_names"].index(name) for name in evoked.ch_names]
    variances = [cov["data"][cov["names"].index(name)] for name in evoked.ch_names]
    problem = prepare(
        discrete["sol"]["data"][rows], evoked.data, noise_covariance=np.array(variances) / evoked.nave,
        positions=discrete["source_rr"], orientation="free",
    )  # fmt: skip
    assert found.alpha_max == pytest.approx(problem.alpha_max, rel=1e-9)
    expected = problem.at(found.alpha)
    assert expected.indices.tolist() == found.indices.tolist()
    np.testing.assert_allclose(found.amplitudes, expected.amplitudes, atol=1e-3 * np.abs(expected.amplitudes).max())


@pytest.mark.parametrize(("orientation", "loose"), [("fixed", 0.0), ("loose", 0.3), ("free", 1.0)])
def test_agrees_with_the_solver_of_mne(discrete, info, orientation, loose, monkeypatch):
    """Whitening, reference, orientations and the solver itself, at 0.3 of the largest strength."""
    evoked, cov, _ = simulated(discrete, info)
    evoked.set_eeg_reference(projection=True)
    turned = mne.convert_forward_solution(discrete, surf_ori=True, force_fixed=orientation == "fixed")
    options = {"loose": loose, "depth": None, "debias": False, "tol": 1e-8, "maxit": 10**5}
    vector = {} if orientation == "fixed" else {"pick_ori": "vector"}
    expected = mne.inverse_sparse.mixed_norm(evoked, turned, cov, alpha=30.0, **options, **vector)

    def at_a_given_strength(leadfield, data, criterion, **settings):
        problem = prepare(leadfield, data, **settings)
        return problem.at(0.3 * problem.alpha_max)

    monkeypatch.setattr(bridge, "sparse_inverse", at_a_given_strength)
    stc, _ = from_mne(discrete, cov, evoked, orientation=orientation, loose=loose, depth=0.0)
    assert stc.vertices[0].tolist() == expected.vertices[0].tolist()
    lengths = expected.data if orientation == "fixed" else np.linalg.norm(expected.data, axis=1)
    np.testing.assert_allclose(stc.data, lengths, atol=1e-4 * lengths.max())


def test_the_reference_and_bad_channels_do_not_matter(discrete, info):
    evoked, cov, _ = simulated(discrete, info)
    evoked.info["bads"] = ["EEG 003", "MEG 002"]
    _, first = from_mne(discrete, cov, evoked, orientation="fixed", criterion="cv")
    shifted = evoked.copy()
    shifted.data[:40] += 1e-4 * np.sin(np.arange(40))  # whatever the reference sees
    shifted.data[3], shifted.data[42] = 1.0, -1.0
    _, second = from_mne(discrete, cov, shifted, orientation="fixed", criterion="cv")
    assert second.alpha == pytest.approx(first.alpha, rel=1e-6)
    np.testing.assert_allclose(second.amplitudes, first.amplitudes, atol=1e-12)


def test_projections_are_made_on_both_sides(discrete, info):
    evoked, cov, _ = simulated(discrete, info)
    direction = np.random.default_rng(0).normal(size=30)
    direction /= np.linalg.norm(direction)
    names = evoked.ch_names[40:]
    vector = {"data": direction[None], "col_names": names, "row_names": None, "nrow": 1, "ncol": 30}
    evoked.add_proj([mne.Projection(active=False, data=vector, kind=1, desc="an artefact", explained_var=None)])
    _, chosen = from_mne(discrete, cov, evoked, orientation="fixed", criterion="cv")
    there = {"init": {"alpha": chosen.alpha}, "optimizer": "gradient_descent", "max_evals": 1}
    _, first = from_mne(discrete, cov, evoked, orientation="fixed", criterion="cv", **there)
    evoked.data[40:] += 1e-9 * direction[:, None]
    _, second = from_mne(discrete, cov, evoked, orientation="fixed", criterion="cv", **there)
    assert first.n_active > 0
    assert second.alpha == pytest.approx(first.alpha, rel=1e-12)
    np.testing.assert_allclose(second.amplitudes, first.amplitudes, atol=1e-12)
    _, again = from_mne(discrete, cov, evoked, orientation="fixed", criterion="cv")
    assert again.alpha == pytest.approx(chosen.alpha, rel=1e-3)  # the search is exact to its tolerance, 1e-4


def test_trials_choose_the_strength(discrete, info):
    evoked, cov, _ = simulated(discrete, info)
    noise = np.random.default_rng(1).normal(size=(6, 70, 40)) * np.sqrt(cov["data"])[None, :, None]
    trials = evoked.data + noise - noise.mean(axis=0)
    _, sources = from_mne(discrete, cov, evoked, orientation="fixed", criterion=Trials(trials, cv=3))
    assert set(ACTIVE) <= set(sources.indices.tolist())
    assert sources.n_active < 50


def without(cov, names):
    kept = [name for name in cov["names"] if name not in names]
    return cov.pick_channels(kept, ordered=True) if hasattr(cov, "pick_channels") else mne.pick_channels_cov(cov, kept)


def test_what_does_not_fit_is_said(discrete, info):
    evoked, cov, _ = simulated(discrete, info)
    fewer = mne.pick_channels_forward(
        discrete, [name for name in evoked.ch_names if name not in ("EEG 004", "MEG 001")]
    )
    with pytest.raises(ValueError, match="forward lacks 2 channels, 'EEG 004', 'MEG 001', which evoked has"):
        from_mne(fewer, cov, evoked)
    with pytest.raises(ValueError, match="noise_cov lacks the channel 'MEG 007', which evoked has"):
        from_mne(discrete, without(cov, ["MEG 007"]), evoked)
    with pytest.raises(ValueError, match=r"noise_cov is of type EvokedArray: pass an mne\.Covariance"):
        from_mne(discrete, evoked, cov)
    fixed = mne.convert_forward_solution(discrete, surf_ori=True, force_fixed=True)
    with pytest.raises(ValueError, match="forward has one fixed orientation a source, orientation='loose' needs three"):
        from_mne(fixed, cov, evoked, orientation="loose")
    with pytest.raises(ValueError, match="unknown orientation 'fix': did you mean 'fixed'"):
        from_mne(discrete, cov, evoked, orientation="fix")
    with pytest.raises(ValueError, match="evoked has one EEG channel only"):
        from_mne(discrete, cov, evoked.copy().pick(["EEG 001", "MEG 001", "MEG 002"]))
    evoked.info["bads"] = list(evoked.ch_names)
    with pytest.raises(ValueError, match="evoked has no good channel of MEG or EEG"):
        from_mne(discrete, cov, evoked)

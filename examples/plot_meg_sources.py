"""
Sources in the head: an inverse problem with λ by SURE
======================================================

Sensors outside the head see the magnetic field of currents inside. There are far more places for a source than
sensors, and few are active at a time: a sparse model over all instants together. How sparse is a matter of λ, and where
the noise is known, as it is from the time before a stimulus, Stein's unbiased risk estimate chooses it without leaving
out sensors.
"""

# %%
# A head that is a sphere of 9 cm, with 100 magnetometers 2 cm outside it that measure the field along the radius. There
# the field of a current dipole ``q`` at ``a`` has a formula in which nothing else of the sphere matters,
# ``μ₀/4π · (q × a) · r/|r| / |r − a|³`` but for its sign (Sarvas, 1987). Currents along the radius are silent: a source
# has two orientations.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import SURE
from lambdahat.inverse import sparse_inverse


def tangents(places):
    """Two directions of length one along the sphere, shape (n, 2, 3)."""
    outwards = places / np.linalg.norm(places, axis=1, keepdims=True)
    first = np.cross(outwards, np.where(np.abs(outwards[:, [2]]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(outwards, first)], axis=1)


def cap(n, radius, lowest):
    """So many points on a sphere above a height, spread evenly along a spiral."""
    z = np.linspace(1.0 - 1.0 / n, lowest, n)
    angles = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(n)
    level = np.sqrt(1.0 - z**2)
    return radius * np.column_stack([level * np.cos(angles), level * np.sin(angles), z])


sensors = cap(100, 0.11, -0.2)
places = cap(400, 0.075, -0.3)
directions = tangents(places)
moments = np.cross(directions, places[:, None])  # q × a of dipoles of 1 A·m
away = np.linalg.norm(sensors[:, None] - places, axis=2)
outwards = sensors / np.linalg.norm(sensors, axis=1, keepdims=True)
leadfield = 1e-7 * np.einsum("nd,sod->nso", outwards, moments) / away[:, :, None] ** 3  # T/(A·m)
leadfield = leadfield.reshape(len(sensors), -1)

# %%
# Two sources, one on each side, answer one after the other with 20 nA·m. The noise of a sensor is 40 fT.

rng = np.random.default_rng(0)
instants = np.linspace(0.06, 0.16, 16)
truth = [int(np.argmin(np.linalg.norm(places - place, axis=1))) for place in ([-0.06, 0.01, 0.04], [0.06, 0.0, 0.04])]
true_courses = 20e-9 * np.exp(-0.5 * ((instants - [[0.09], [0.12]]) / 0.015) ** 2)
noise = 40e-15
data = leadfield[:, [2 * s for s in truth]] @ true_courses + noise * rng.normal(size=(len(sensors), instants.size))

# %%
# Whitened, the noise has unit variance: σ = 1 is what SURE has to know, and what ``sparse_inverse`` takes by default.


def with_alpha_by(criterion):
    covariance = np.full(len(sensors), noise**2)
    options = {"positions": places, "orientation": "free", "noise_covariance": covariance}
    return sparse_inverse(leadfield, data, criterion=criterion, **options)


found = with_alpha_by(SURE(sigma=1.0))
print(found.status)

# %%
# SURE is an estimate of the error of the predicted *means*, and the λ that predicts best is not the one that selects
# best: beside the true places some weak sources are let in, so that the true ones need not be shrunk as much. Their
# peaks tell them apart.

peaks = 1e9 * found.magnitudes.max(axis=1)
strongest = np.argsort(-peaks)
distances = 1e3 * np.linalg.norm(found.positions[:, None] - places[truth], axis=2).min(axis=1)
print("peak (nA·m)   distance from a true source (mm)")
for s in strongest[:6]:
    print(f"{peaks[s]:11.1f}   {distances[s]:.0f}")

figure, axes = plt.subplots(1, 3, figsize=(9.0, 3.3), layout="constrained")
views = {"from above": (0, 1), "from the right": (1, 2), "from behind": (0, 2)}
names = ("x, right (mm)", "y, front (mm)", "z, up (mm)")
for ax, (view, (first, second)) in zip(axes, views.items(), strict=True):
    ax.add_patch(plt.Circle((0.0, 0.0), 90.0, facecolor="none", edgecolor="0.6"))
    ax.plot(*(1e3 * places[truth][:, [first, second]].T), "+", color="C3", ms=14, label="true")
    size = 15.0 + 150.0 * peaks / peaks.max()
    ax.scatter(*(1e3 * found.positions[:, [first, second]].T), s=size, facecolor="none", edgecolor="C0", label="found")
    ax.set(title=view, xlabel=names[first], ylabel=names[second], aspect="equal", xlim=(-100, 100), ylim=(-100, 100))
axes[0].legend(loc="lower left")
plt.show()

# %%
# The penalty shrinks what it keeps, so that amplitudes are too small, here by an eighth. Least squares on the sources
# found (``debias=True``) do not shrink, but sources close to each other are then free to cancel each other out.

figure, ax = plt.subplots(figsize=(7.0, 3.5), layout="constrained")
for k, s in enumerate(strongest[:2]):
    nearest = int(np.argmin(np.linalg.norm(places[truth] - found.positions[s], axis=1)))
    x, y, z = 1e3 * found.positions[s]
    ax.plot(1e3 * instants, 1e9 * found.magnitudes[s], f"C{k}", label=f"found, ({x:.0f}, {y:.0f}, {z:.0f}) mm")
    ax.plot(1e3 * instants, 1e9 * true_courses[nearest], f"C{k}--", label="true")
ax.set(xlabel="time (ms)", ylabel="amplitude (nA·m)")
ax.legend()
plt.show()

# %%
# What SURE has to be told is the noise. Below the true level it takes noise for signal, and above it signal for noise;
# where the level is doubtful, sensors left out (``criterion="cv"``) need none.

print("λ by            share of the largest   sources")
for name, other in {
    "SURE, σ = 0.9": with_alpha_by(SURE(sigma=0.9, n_probes=1)),
    "SURE, σ = 1": found,
    "SURE, σ = 1.5": with_alpha_by(SURE(sigma=1.5, n_probes=1)),
    "sensors left out": with_alpha_by("cv"),
}.items():
    print(f"{name:16}{other.alpha / other.alpha_max:20.3f}   {other.n_active:7d}")

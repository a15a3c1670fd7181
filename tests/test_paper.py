"""The scheme of the papers' experiments, on records made up for it: bars, pictures, the command. Nothing is timed."""

import importlib
import json
import sys
from csv import DictReader
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import data, output
from benchmarks.common import Options
from benchmarks.paper import __main__ as command
from benchmarks.paper import meg_simulation

experiments = {name: importlib.import_module(f"benchmarks.paper.{name}") for name in command.NAMES}


def ladder(method, seconds, errors, **others):
    precise = experiments["hypergradient"].first_precise(seconds, errors)
    record = {"problem": "lasso, toy", "method": method, "complete": True, "limit": 9.0, "to_precise": precise}
    return {**record, "seconds": seconds, "errors": errors, **others}


def convergence(solver, measured):
    errors = [float(error) for error in 0.5 ** np.arange(8)]
    record = {"problem": "lasso, toy", "solver": solver, "divisor": 10, "identified_at": 2, "measured_rate": measured}
    lists = {"coef_errors": errors, "jacobian_errors": errors, "support_sizes": [3.0] * 8}
    return {**record, "theoretical_rate": 0.5, **lists}


def search(name, to_close, reached=True, whole=9.0):
    record = {"problem": "lasso, toy", "search": name, "whole": whole, "reached": reached, "to_close": to_close}
    lists = {"alphas": [1.0, 0.1], "seconds": [to_close / 2, to_close], "values": [2.0, 1.0 if reached else 1.5]}
    return {**record, "best": 1.0, "metric": "log-loss", **lists}


def net(name, whole, points, criterion=1.0):
    alphas, ratios = points
    lists = {"alpha": alphas, "l1_ratio": ratios, "values": [float(value) for value in range(1, len(alphas) + 1)]}
    return {"search": name, "whole": whole, "n_evals": len(alphas), "criterion": criterion, **lists}


def found(condition, places, model="orientations together", share=0.8, chosen_by="given"):
    x, y, z = np.array(places, dtype=float).reshape(-1, 3).T.tolist()
    record = {"condition": condition, "model": model, "chosen_by": chosen_by, "share_of_alpha_max": share}
    courses = {"times_ms": [60.0, 61.0], "of": list(range(len(x))), "nAm": [[0.5, 1.0 + k] for k in range(len(x))]}
    return {
        **record, "n_sources": len(x), "x_mm": x, "y_mm": y, "z_mm": z,
        "peak_nAm": [1.0 + k for k in range(len(x))], "courses": courses,
    }  # fmt: skip


def judged(data, model, criterion, error, support=10.0, **others):
    record = {"data": data, "model": model, "criterion": criterion, "error": error, "excess": error - 1, **others}
    rates = dict.fromkeys(("promised", "precision", "recall")) | others
    return {**record, **rates, "support": support, "errors": [error], "supports": [10], "statuses": ["converged"]}


def strengths(which, sure, of="visual", model="Lasso", **truth):
    record = {"kind": "strengths", "of": of, "model": model, "strengths": which, "sure": sure}
    return {**record, "amplitude_near": 0.5, "mm_to_true_by_amplitude": 9.0, **truth}


def for_one(name, seconds, n_evals, freedom="monte_carlo", sure=-0.2):
    record = {"kind": "search", "of": "visual", "model": "Lasso", "search": name, "processor_seconds": seconds}
    return {**record, "n_evals": n_evals, "degrees_of_freedom": freedom, "sure": sure}


def assumed(of, by, risk=None, seed=0, n_sources=20):
    record = {"of": of, "chosen_by": by, "n_sources": n_sources, "share_of_alpha_max": 0.2}
    return record if risk is None else {**record, "seed": seed, "risk": risk}


RECORDS = {
    "hypergradient": [
        ladder("implicit", [0.1, 0.2], [1e-2, 1e-6]),
        ladder("implicit_forward", [0.1, 0.4], [1e-2, 1e-6]),
        ladder("forward", [1.0, 2.4], [1e-2, 1e-6]),
        ladder("backward", [1.0, 1.9], [1e-2, 1e-5]),
    ],
    "jacobian": [convergence("coordinate_descent", 0.51), convergence("proximal_gradient", 0.53)],
    "held_out": [
        search("auto", 1.0, whole=2.0),
        search("grid", 4.0, whole=7.0),
        search("random", 9.0, reached=False, whole=18.0),
        search("lbfgs", 2.0),
        search("line_search", 2.5),
    ],
    "elastic_net": [
        net("2 × 2 warm-started paths", 30.0, ([9.0, 9.0, 1.0, 1.0], [0.1, 0.9, 0.1, 0.9])),
        net("auto", 1.0, ([9.0, 1.0], [0.5, 0.5])),
        net("grid", 10.0, ([9.0, 1.0], [0.2, 0.8]), criterion=0.9),
    ],
    "meg_sources": [
        found("auditory", [[-60, 0, 50], [60, 0, 50]], share=0.85),
        found("auditory", [[-60, 0, 50], [60, -60, 50], [5, 0, 50]]),  # one at the back, one in the middle
        found("auditory", [], share=1.0),
        found("visual", [[5, -70, 50], [40, -50, 50]]),
        found("visual", [[5, -70, 50], [40, 10, 50]], share=0.75),
        found("visual", [[40, 10, 50]], chosen_by="SURE"),
    ],
    "meg_sure": [
        for_one("auto", 1.0, 9),
        for_one("grid", 9.0, 100),
        for_one("random", 20.0, 30),
        for_one("auto", 0.5, 9, "exact"),
        for_one("grid", 6.0, 100, "exact"),
        strengths("one λ", -0.2),
        strengths("many λ's", -0.3),
        strengths("one λ", 0.2, "simulated 0", risk=0.2),
        strengths("many λ's", 0.1, "simulated 0", risk=0.3),
    ],
    "meg_noise": [
        assumed("auditory", "SURE, σ = 0.7"),
        assumed("auditory", "SURE, σ = 1"),
        assumed("auditory", "sensors left out"),
        *(assumed("white", "the true risk", 0.1 * (1 + seed), seed) for seed in range(2)),
        *(assumed("white", "SURE, σ = 1", 0.105 * (1 + seed), seed) for seed in range(2)),
        *(assumed("white", "SURE, σ = 0.7", (0.1, 0.8)[seed], seed) for seed in range(2)),
        assumed("below 40 Hz", "the true risk", 0.1),
        assumed("below 40 Hz", "SURE with Σ, σ = 1", 0.12),
    ],
    "criteria": [
        judged("toy", "one λ", "hindsight", 1.0),
        judged("toy", "one λ", "5 folds", 1.04, promised=1.0),
        judged("toy", "one λ", "5 folds, 1se", 1.1, support=5.0),
        judged("toy", "one λ", "EBIC", 1.5, precision=1.0, recall=0.95),
        judged("toy", "p λ's", "5 folds", 1.2, promised=0.8),
        judged("toy", "p λ's", "EBIC", 0.9, precision=0.8, recall=1.0),
        judged("toy", "SqrtLasso", "pivotal", 1.3),
        judged("other", "one λ", "hindsight", 1.0),
        judged("other", "one λ", "5 folds", 1.06, promised=1.0),
        judged("other", "p λ's", "5 folds", 1.0, promised=1.0),
        judged("other", "p λ's", "EBIC", 1.0),
        judged("other", "adaptive", "5 folds", 1.0),
    ],
}
HOLDS = {
    "hypergradient": [True, False, True],  # 6 and 4.75 times; half
    "jacobian": [True, False],
    "held_out": [True, True, False, False],  # first; 3.5 times and 9 times, from beginning to end; 2.5 times to close
    "elastic_net": [True, False],
    "meg_sources": [True, False, False, True, False],
    # 6 % on the other data; half the features; p λ's by folds, by EBIC; adaptive; promises; precision of one, of p λ's
    "criteria": [False, True, False, True, True, True, False, True, False],
    # 9 times; no wish; 12 times; SURE of what was recorded; of what was simulated, and risk
    "meg_sure": [False, True, True, True, True, False],
    "meg_noise": [True, False, False],  # 1.05 times in both; 1 and 4 times, so 2 on average; 1.2 times
}


@pytest.mark.parametrize("name", command.NAMES)
def test_bars_say_what_was_reached(name):
    assert [bar["holds"] for bar in experiments[name].bars(RECORDS[name])] == HOLDS[name]


@pytest.mark.parametrize("name", command.NAMES)
def test_a_picture_is_drawn_anew_from_what_was_saved(name, tmp_path, capsys):
    output.write(tmp_path, name, {"name": name, "records": RECORDS[name]})
    command.main([name, "--plot-only", "--output", str(tmp_path)])
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "is drawn" in capsys.readouterr().out


def test_nothing_saved_is_said(tmp_path, capsys):
    command.main(["held_out", "--plot-only", "--output", str(tmp_path)])
    assert f"There is no held_out.json in {tmp_path}" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["held_out", "elastic_net", "hypergradient", "meg_sources", "meg_sure", "meg_noise"])
def test_absent_data_are_skipped_with_a_sentence(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LAMBDAHAT_DATA", str(tmp_path / "nowhere"))
    command.main([name, "--quick", "--output", str(tmp_path)])
    said = capsys.readouterr().out
    assert "skipped" in said
    assert "set LAMBDAHAT_DATA to the folder that holds it" in said
    assert not list(tmp_path.glob(f"{name}.*"))


def test_absent_data_have_no_criteria(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LAMBDAHAT_DATA", str(tmp_path / "nowhere"))
    data_sets = experiments["criteria"].data_sets(Options(True, tmp_path))
    absent = [data for data in data_sets if data.name.startswith(("debian_text", "meg_left"))]
    monkeypatch.setattr(experiments["criteria"], "data_sets", lambda options: absent)
    command.main(["criteria", "--quick", "--output", str(tmp_path)])
    said = capsys.readouterr().out
    assert said.count("is skipped") == len(absent) == 2
    assert not list(tmp_path.glob("criteria.*"))


def test_criteria_choose_between_the_null_model_and_the_truth():
    module = experiments["criteria"]
    (case,) = module.simulations(4.0, 1, quick=True)
    found = {
        (model, name): each for model, name, each in module.chosen(case, module.DataSet("toy", list, models=("one λ",)))
    }
    least = found["one λ", "hindsight"]["error"]
    assert {"5 folds", "SURE, σ known", "EBIC", "ALO", "theoretical"} <= {name for _, name in found}
    assert all(each["error"] >= 0.999 * least for (model, _), each in found.items() if model == "one λ")
    assert found["one λ", "5 folds"]["error"] < 1.2 * least
    assert found["one λ", "SURE, σ known"]["recall"] == 1.0


def test_a_run_saves_data_machine_and_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments["held_out"], "records", lambda options: iter(RECORDS["held_out"]))
    command.main(["held_out", "--quick", "--output", str(tmp_path)])
    saved = json.loads((tmp_path / "held_out.json").read_text())
    assert saved["records"] == RECORDS["held_out"]
    assert saved["quick"]
    assert saved["machine"]["versions"]["numpy"] == np.__version__
    assert [bar["holds"] for bar in saved["bars"]] == HOLDS["held_out"]
    with (tmp_path / "held_out.csv").open() as file:
        rows = list(DictReader(file))
    assert len(rows) == 10
    assert rows[3] == {**rows[3], "search": "grid", "alphas": "0.1", "seconds": "4.0", "values": "1.0"}
    assert (tmp_path / "held_out.png").exists()


def test_axes_show_the_records():
    figure = experiments["hypergradient"].draw({"records": RECORDS["hypergradient"]})
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn["implicit forward"] == [[0.1, 1e-2], [0.4, 1e-6]]
    assert figure.legends[0].get_texts()[0].get_text() == "implicit"


def recordings(rng, n_times=40):
    """Eighty sources on a lattice of 10 mm, seen well by thirty channels."""
    grid = np.stack(np.meshgrid(*[np.arange(k) for k in (10, 4, 2)], indexing="ij"), axis=-1).reshape(-1, 3)
    leadfield = 1e9 * rng.normal(size=(30, 160))
    orientations = np.tile(np.eye(3)[:2], (80, 1))
    times = 0.06 + np.arange(n_times) / 600.0
    return data.Recordings(leadfield, np.zeros((30, n_times)), 0.01 * grid, orientations, times, 1)


@pytest.mark.parametrize("covariance", [None, meg_simulation.low_passed, meg_simulation.like_residuals])
def test_what_is_simulated_is_known(covariance):
    given = recordings(np.random.default_rng(0))
    C = np.eye(40) if covariance is None else covariance(given.times)
    made = meg_simulation.simulate(given, 0, None if covariance is None else C)
    places = given.positions[made.places]
    apart = np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(3, 1)]
    assert len(made.places) == 3
    assert apart.min() >= meg_simulation.APART - 1e-12
    np.testing.assert_allclose(np.linalg.norm(made.directions, axis=1), 1.0)
    noise = made.recordings.data - made.mean
    assert np.mean(noise**2) == pytest.approx(1.0, abs=0.2)
    assert np.mean(noise[:, 1:] * noise[:, :-1]) == pytest.approx(C[0, 1], abs=0.1)


def test_the_truth_has_no_risk_and_no_bias():
    given = recordings(np.random.default_rng(0))
    made = meg_simulation.simulate(given, 1)
    columns = 2 * made.places[:, None] + [0, 1]
    W = np.zeros((160, 40))
    W[columns] = made.directions[:, :2, None] * made.courses[:, None]
    against = meg_simulation.compared(made, W)
    assert against["risk"] < 1e-20
    assert against["risk_refitted"] > 0.0
    assert [against[key] for key in ("amplitude", "amplitude_near")] == pytest.approx([1.0, 1.0])
    assert [against[key] for key in ("mm_to_found", "mm_to_true", "mm_to_true_by_amplitude")] == [0.0, 0.0, 0.0]
    peak = int(np.linalg.norm(made.mean, axis=0).argmax())
    half = meg_simulation.compared(made, 0.5 * W[:, peak], instant=peak)
    assert half["amplitude"] == pytest.approx(0.5)
    assert half["risk"] == pytest.approx(0.25 * np.mean(made.mean[:, peak] ** 2))
    assert meg_simulation.compared(made, np.zeros((160, 40)))["mm_to_found"] is None


def test_instants_of_the_largest_norm_lie_apart():
    given = recordings(np.random.default_rng(0), n_times=85)
    given.data[0, [40, 41, 60, 10]] = [9.0, 8.0, 7.0, 6.0]
    assert experiments["meg_sure"].largest(given)[:3] == [40, 60, 10]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [([1e-2, 1e-5, 1e-3, 1e-6], 4.0), ([1e-5, 1e-6, 1e-7, 1e-8], 1.0), ([1e-1, np.nan, 1e-6, 1e-3], None)],
)
def test_precision_counts_once_it_stays(errors, expected):
    assert experiments["hypergradient"].first_precise([1.0, 2.0, 3.0, 4.0], errors) == expected

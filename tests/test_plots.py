"""Pictures, checked by the data in their artists."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from lambdahat.estimators import PathResult
from lambdahat.plots import (
    paper,
    plot_criterion,
    plot_hyperparams,
    plot_jacobian_convergence,
    plot_level_sets,
    plot_path,
    plot_trace,
)
from lambdahat.plots.style import shown
from lambdahat.search import Trace

ALPHAS = np.array([1.0, 0.1, 0.01])


def fitted(hyperparams=ALPHAS[:, None], names=("alpha",), n_folds=5):
    """A search on the criterion ``(log λ − log 0.1)²``, as far as a picture reads it."""
    distance = np.log(hyperparams[:, 0] / 0.1)
    trace = SimpleNamespace(
        hyperparam_names=names,
        hyperparams=hyperparams,
        values=distance**2,
        gradients=2 * distance[:, None] / hyperparams,
        is_led=False,
    )
    return SimpleNamespace(trace_=trace, fold_criteria_=np.ones(n_folds))


@pytest.fixture
def axes():
    return Figure().subplots()


def by_label(axes, text):
    artists = [*axes.lines, *axes.collections]
    return next(artist for artist in artists if text in artist.get_label())


def test_evaluations_grid_and_choice_are_drawn_where_they_are(axes):
    grid = np.geomspace(0.001, 10, 9), np.arange(9.0)
    assert plot_criterion(fitted(), ax=axes, grid=grid) is axes
    np.testing.assert_allclose(by_label(axes, "3 evaluations").get_offsets()[:, 0], ALPHAS)
    np.testing.assert_allclose(by_label(axes, "chosen, λ = 0.1").get_offsets(), [[0.1, 0.0]])
    np.testing.assert_allclose(by_label(axes, "grid, 9 points").get_xydata(), np.transpose(grid))
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "λ (alpha, log scale)"
    assert axes.get_ylabel() == "mean squared error,\n5-fold cross-validation"
    assert len(axes.get_legend().get_texts()) == 4


def test_every_evaluation_carries_its_slope_per_log_lambda(axes):
    plot_criterion(fitted(), ax=axes)
    segments = by_label(axes, "hypergradient").get_segments()
    for alpha, ((x0, y0), (x1, y1)) in zip(ALPHAS, segments, strict=True):
        assert (y1 - y0) / np.log(x1 / x0) == pytest.approx(2 * np.log(alpha / 0.1), abs=1e-9)
        assert np.sqrt(x0 * x1) == pytest.approx(alpha)


def test_several_hyperparameters_are_drawn_over_evaluations(axes):
    search = fitted(np.column_stack([ALPHAS, ALPHAS / 2]), ("alpha", "l1_ratio"), n_folds=1)
    plot_criterion(search, ax=axes)
    np.testing.assert_allclose(by_label(axes, "2 hyperparameters").get_ydata(), search.trace_.values)
    best = by_label(axes, "best so far").get_ydata()
    np.testing.assert_allclose(best, np.minimum.accumulate(search.trace_.values))
    assert axes.get_xlabel() == "evaluation"
    assert axes.get_ylabel() == "mean squared error,\nheld-out data"


def test_a_grid_is_refused_for_several_hyperparameters(axes):
    search = fitted(np.column_stack([ALPHAS, ALPHAS]), ("alpha", "l1_ratio"))
    with pytest.raises(ValueError, match="grid must be None for a search over several hyperparameters"):
        plot_criterion(search, ax=axes, grid=(ALPHAS, ALPHAS))


def test_one_evaluation_is_enough(axes):
    plot_criterion(fitted(ALPHAS[:1, None]), ax=axes)
    assert np.isfinite(by_label(axes, "hypergradient").get_segments()).all()


def test_new_axes_are_made_where_none_are_given():
    pyplot.switch_backend("agg")
    axes = plot_criterion(fitted())
    assert axes.get_figure() is pyplot.gcf()
    pyplot.close("all")


def traced(values, hyperparams=None, names=("alpha",)):
    """A trace of these values, an evaluation every two seconds."""
    values = np.asarray(values, dtype=float)
    hyperparams = np.geomspace(1.0, 0.01, values.size)[:, None] if hyperparams is None else np.asarray(hyperparams)
    rest = [np.ones(values.size), np.full(values.size, 1e-5), 2.0 * np.arange(1, values.size + 1)]
    return Trace(names, hyperparams, values, np.full(hyperparams.shape, np.nan), *rest, values)


def test_a_trace_is_drawn_as_a_search_is_and_without_gradients_has_no_slopes(axes):
    plot_criterion(traced([3.0, 1.0, np.nan]), ax=axes)
    np.testing.assert_allclose(by_label(axes, "chosen, λ = 0.1").get_offsets(), [[0.1, 1.0]])
    assert not [artist for artist in axes.collections if "hypergradient" in artist.get_label()]
    assert axes.get_ylabel() == "mean squared error"


def test_the_axis_says_what_a_search_minimises(axes):
    search = fitted()
    search.metric_ = "log-loss"
    assert plot_criterion(search, ax=axes).get_ylabel() == "log-loss,\n5-fold cross-validation"


def test_the_axis_calls_nothing_held_out_that_is_not(axes):
    search = fitted(n_folds=1)
    search.metric_, search.setting_ = "SURE", SimpleNamespace(judged_by="")
    assert plot_criterion(search, ax=axes).get_ylabel() == "SURE"


def test_a_search_that_was_led_has_no_slopes_and_a_star_where_it_chose(axes):
    search = fitted()
    search.trace_.is_led, search.best_index_ = True, 2
    plot_criterion(search, ax=axes)
    assert "its hypergradients (slopes)" not in axes.get_legend_handles_labels()[1]
    star = next(label for label in axes.get_legend_handles_labels()[1] if label.startswith("chosen"))
    assert star == f"chosen, λ = {search.trace_.hyperparams[2, 0]:.3g}"


def test_traces_show_the_best_so_far_against_their_cost(axes):
    searches = {"lbfgs": traced([4.0, 2.0, 3.0, 1.0]), "mine": traced([5.0, 6.0])}
    assert plot_trace(searches, ax=axes, against="seconds") is axes
    line = by_label(axes, "lbfgs")
    np.testing.assert_allclose(line.get_xydata(), [[2, 4], [4, 2], [6, 2], [8, 1]])
    assert line.get_markevery() == [0, 1, 3]
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(by_label(axes, "mine").get_ydata(), [5, 5])
    assert axes.get_xlabel() == "time (seconds)"
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lbfgs", "mine"]


def test_suboptimality_is_relative_to_the_best_of_all(axes):
    plot_trace({"a": traced([4.0, 2.0]), "b": traced([3.0, 2.5])}, ax=axes, suboptimality=True)
    np.testing.assert_allclose(by_label(axes, "b").get_ydata(), [0.5, 0.25])
    at_best = by_label(axes, "a").get_ydata()
    np.testing.assert_allclose(at_best, [1.0, 0.25 / 3.0])
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(by_label(axes, "a").get_xdata(), [1, 2])


def test_suboptimality_may_be_relative_to_a_value_known_better(axes):
    plot_trace(traced([4.0, 2.0]), ax=axes, suboptimality=True, best=1.0)
    np.testing.assert_allclose(by_label(axes, "search").get_ydata(), [3.0, 1.0])
    with pytest.raises(ValueError, match="best=0 has no relative excess"):
        plot_trace(traced([4.0]), ax=axes, suboptimality=True, best=0.0)


def test_a_search_keeps_its_colour_whoever_is_beside_it():
    def colours(*labels):
        axes = plot_trace(dict.fromkeys(labels, traced([1.0, 0.5])), ax=Figure().subplots())
        return {label: by_label(axes, label).get_color() for label in labels}

    some, others = colours("auto", "grid", "mine"), colours("theirs", "grid", "hoag", "auto", "mine")
    assert some["auto"] == others["auto"]
    assert some["grid"] == others["grid"]
    assert len(set(others.values())) == 5
    names = ("auto", "lbfgs", "line_search", "gradient_descent", "adam", "hoag", "grid", "random", "bayesian")
    assert len(set(colours(*names).values())) == len(names)


def test_level_sets_and_the_ways_on_them(axes):
    alphas, ratios = np.geomspace(0.01, 10.0, 7), np.array([0.1, 0.5, 0.9])
    surface = np.log(alphas[:, None]) ** 2 + (ratios - 0.5) ** 2 + 1.0
    way = np.array([[10.0, 0.5], [0.1, 0.9], [1.0, 0.5]])
    names = ("alpha", "l1_ratio")
    searches = {"auto": traced([4.0, 5.0, 1.0], way, names), "random": traced([3.0, 2.0, 4.0], way, names)}
    assert plot_level_sets(searches, (alphas, ratios, surface), ax=axes) is axes
    np.testing.assert_allclose(by_label(axes, "auto").get_xydata(), way)
    stars = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "*"]
    np.testing.assert_allclose(stars, [[1.0, 0.5], [0.1, 0.9]])
    ways = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "-" and line.get_xdata().size > 1]
    np.testing.assert_allclose(ways, [way[[0, 2]]])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "logit")
    levels = next(artist.levels for artist in axes.collections if hasattr(artist, "levels"))
    assert levels[0] == surface.min()
    assert levels[-1] == pytest.approx(surface.max())
    assert axes.get_figure().axes[1].get_ylabel() == "mean squared error"


def test_level_sets_want_two_hyperparameters_and_a_value_a_pair(axes):
    with pytest.raises(ValueError, match="the same two hyperparameters, not alpha"):
        plot_level_sets(traced([1.0]), ([1.0], [1.0], [[1.0]]), ax=axes)
    search = traced([1.0], np.ones((1, 2)), ("alpha", "l1_ratio"))
    with pytest.raises(ValueError, match=r"values of shape \(1, 1\) for 2 by 1"):
        plot_level_sets(search, ([1.0, 2.0], [0.5], [[1.0]]), ax=axes)


def a_path(scores=None):
    coefs = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [0.0, -3.0, -4.0], [0.0, 0.0, 5.0]])
    return PathResult(ALPHAS, coefs, np.zeros(3), np.zeros(3), np.count_nonzero(coefs, axis=0), scores)


def test_a_path_names_the_largest_coefficients_at_the_chosen_lambda(axes):
    assert plot_path(a_path(), ax=axes, chosen=fitted(), names=["one", "two", "three", "four"], n_named=1) is axes
    np.testing.assert_allclose(by_label(axes, "three").get_xydata(), np.transpose([ALPHAS, [0.0, -3.0, -4.0]]))
    np.testing.assert_allclose(by_label(axes, "chosen, λ = 0.1").get_xdata(), 0.1)
    curves = [list(line.get_ydata()) for line in axes.lines]
    assert [0.0, 1.0, 2.0] in curves
    assert [0.0, 0.0, 0.0] not in curves
    assert axes.get_xlim() == (1.0, 0.01)


def test_a_path_with_scores_chooses_the_best_of_them(axes):
    plot_path(a_path(np.array([3.0, 2.0, 1.0])), ax=axes)
    np.testing.assert_allclose(by_label(axes, "chosen, λ = 0.01").get_xdata(), 0.01)
    assert {"feature 0", "feature 2", "feature 3"} <= {line.get_label() for line in axes.lines}


def test_a_path_takes_lambda_itself_and_refuses_what_is_not_one(axes):
    plot_path(a_path(), ax=axes, chosen=0.1)
    np.testing.assert_allclose(by_label(axes, "chosen, λ = 0.1").get_xdata(), 0.1)
    with pytest.raises(ValueError, match="several hyperparameters: pass one over λ"):
        plot_path(a_path(), ax=axes, chosen=traced([1.0], np.ones((1, 2)), ("alpha", "l1_ratio")))
    with pytest.raises(ValueError, match="names has 1 entries for 4 features"):
        plot_path(a_path(), ax=axes, names=["a"])


def test_a_path_over_C_goes_upwards(axes):
    Cs = ALPHAS[::-1]
    result = PathResult(Cs, a_path().coefs, np.zeros(3), np.zeros(3), np.ones(3), np.array([3.0, 1.0, 2.0]), "C")
    plot_path(result, ax=axes)
    assert axes.get_xlim() == (0.01, 1.0)
    assert axes.get_xlabel() == "C (log scale, increasing)"
    np.testing.assert_allclose(by_label(axes, "chosen, C = 0.1").get_xdata(), 0.1)
    with pytest.raises(ValueError, match="several hyperparameters: pass one over C, or C itself"):
        plot_path(result, ax=axes, chosen=traced([1.0], np.ones((1, 2)), ("C", "epsilon")))


def test_jacobian_convergence_has_both_errors_the_identification_and_the_rate(axes):
    k = np.arange(30)
    result = SimpleNamespace(
        solver="proximal_gradient",
        coef_errors=np.append(0.8 ** k[:-1], 0.0),
        jacobian_errors=5.0 * 0.8**k,
        support_sizes=np.full(30, 7),
        identified_at=10,
        measured_rate=0.81,
        theoretical_rate=0.8,
    )
    assert plot_jacobian_convergence(result, ax=axes) is axes
    coefs = by_label(axes, "‖wₖ − w*‖").get_ydata()
    np.testing.assert_allclose(coefs[:-1], result.coef_errors[:-1])
    assert np.isnan(coefs[-1])
    np.testing.assert_allclose(by_label(axes, "‖Jₖ − J*‖").get_ydata(), result.jacobian_errors)
    np.testing.assert_allclose(by_label(axes, "support found (7)").get_xdata(), 10)
    guide = by_label(axes, "rate 0.8, measured 0.81")
    np.testing.assert_allclose(guide.get_ydata()[1:] / guide.get_ydata()[:-1], 0.8)
    assert guide.get_xdata()[0] == 10
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "iteration of proximal gradient"


def weighted(p):
    """A search that leaves a common weight of 1 for one a feature, and keeps the odd features."""
    names = tuple(f"weights[{j}]" for j in range(p))
    chosen = np.arange(p, 0.0, -1.0)
    trace = traced([3.0, 2.0, 1.0], np.stack([np.full(p, 9.0), np.ones(p), chosen]), names)
    return SimpleNamespace(trace_=trace, coef_=np.arange(p) % 2.0), chosen


def test_weights_are_spelled_out_the_least_penalised_on_top(axes):
    search, chosen = weighted(4)
    assert plot_hyperparams(search, ax=axes, names=list("abcd")) is axes
    assert [text.get_text() for text in axes.get_yticklabels()] == list("dcba")
    assert axes.yaxis_inverted()
    np.testing.assert_allclose(by_label(axes, "kept, 2").get_xdata(), chosen[[3, 1]])
    np.testing.assert_allclose(by_label(axes, "dropped (coefficient zero), 2").get_xdata(), chosen[[2, 0]])
    np.testing.assert_allclose(by_label(axes, "best common weight, 1").get_xdata(), 1.0)


def test_many_weights_are_drawn_in_their_order(axes):
    search, chosen = weighted(100)
    plot_hyperparams(search, ax=axes)
    kept = by_label(axes, "kept, 50")
    np.testing.assert_allclose(kept.get_ydata(), np.sort(chosen[1::2]))
    np.testing.assert_allclose(kept.get_xdata(), np.arange(1, 101, 2))
    assert axes.get_yscale() == "log"


def test_what_cannot_be_drawn_is_said(axes):
    with pytest.raises(ValueError, match="int has no trace: pass a fitted search"):
        plot_criterion(3, ax=axes)
    with pytest.raises(ValueError, match="searches is empty"):
        plot_trace({}, ax=axes)
    with pytest.raises(ValueError, match="against='hours' is not known"):
        plot_trace(traced([1.0]), ax=axes, against="hours")
    with pytest.raises(ValueError, match="names has 1 entries for 4 hyperparameters"):
        plot_hyperparams(weighted(4)[0], ax=axes, names=["a"])


def test_paper_settings_end_with_their_block():
    before = pyplot.rcParams["font.size"]
    with paper():
        assert pyplot.rcParams["font.size"] == 8.0
        axes = plot_trace(traced([1.0]), ax=Figure().subplots())
    assert axes.xaxis.label.get_size() == 8.0
    assert pyplot.rcParams["font.size"] == before


def test_names_are_neither_tex_nor_hidden(axes):
    names = ["_hidden", "d", r"$\frac{a", "e"]
    plot_path(a_path(), ax=axes, chosen=0.01, names=names)
    axes.get_figure().draw_without_rendering()  # TeX that is none would raise
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend[:2] == ["e", "$\\frac{a".replace("$", r"\$")]
    assert " _hidden" in legend
    assert shown("a\nb" + 40 * "c") == "a b" + 28 * "c" + "…"

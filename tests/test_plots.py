"""Pictures, checked by the data in their artists."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from lambdahat.plots import plot_criterion

ALPHAS = np.array([1.0, 0.1, 0.01])


def fitted(hyperparams=ALPHAS[:, None], names=("alpha",), n_folds=5):
    """A search on the criterion ``(log λ − log 0.1)²``, as far as a picture reads it."""
    distance = np.log(hyperparams[:, 0] / 0.1)
    trace = SimpleNamespace(
        hyperparam_names=names,
        hyperparams=hyperparams,
        values=distance**2,
        gradients=2 * distance[:, None] / hyperparams,
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
    assert axes.get_ylabel() == "mean squared error, 5-fold cross-validation"
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
    assert axes.get_ylabel() == "mean squared error, held-out data"


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

"""Summaries: what they contain, and that they are text and plain data."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from lambdahat.report import aligned, summarise


def fitted(**changes):
    """Everything of a fitted search that a report reads."""
    search = {
        "best_params_": {"alpha": 0.125},
        "best_criterion_": 3.0,
        "fold_criteria_": np.array([2.0, 3.0, 4.0]),
        "standard_error_": 1.0 / np.sqrt(3.0),
        "coef_": np.array([0.0, -2.0, 0.5, 0.0]),
        "intercept_": 1.5,
        "metric_": "mean squared error",
        "n_evals_": 7,
        "trace_": SimpleNamespace(seconds=np.array([0.5, 0.75])),
        "status_": "Converged.",
    }
    return SimpleNamespace(**{**search, **changes})


def test_report_holds_the_result_in_plain_data():
    report = summarise(fitted(), seconds=2.0, feature_names=["a", "b", "c", "d"]).to_dict()
    assert json.loads(json.dumps(report)) == report
    assert report == {
        "params": {"alpha": 0.125},
        "metric": "mean squared error",
        "criterion": 3.0,
        "criterion_standard_error": pytest.approx(1 / np.sqrt(3)),
        "fold_criteria": [2.0, 3.0, 4.0],
        "support_size": 2,
        "n_features": 4,
        "intercept": 1.5,
        "coefficients": {"b": -2.0, "c": 0.5},
        "n_evals": 7,
        "seconds": 2.0,
        "status": "Converged.",
        "remarks": [],
    }


def test_names_and_time_come_from_the_search_where_they_are_not_given():
    assert summarise(fitted()).to_dict()["coefficients"] == {"x1": -2.0, "x2": 0.5}
    assert summarise(fitted()).seconds == 0.75
    named = fitted(feature_names_in_=np.array(["p", "q", "r", "s"], dtype=object))
    assert list(summarise(named).coefficients) == ["q", "r"]


def test_text_shows_the_largest_coefficients_and_the_standard_error():
    text = summarise(fitted(), seconds=2.0).to_text(n_coefficients=1)
    assert text.splitlines() == [
        "alpha      0.125",
        "criterion  3 ± 0.577 (mean squared error, standard error over 3 folds)",
        "support    2 of 4 features",
        "time       2.00 s, 7 evaluations",
        "status     Converged.",
        "",
        "coefficients, largest first (1 more is not shown)",
        "  x1  -2",
    ]


def test_one_split_has_no_standard_error_and_an_empty_support_no_list():
    report = summarise(fitted(fold_criteria_=np.array([3.0]), standard_error_=None, coef_=np.zeros(4)))
    assert report.standard_error is None
    assert "held-out data" in report.to_text()
    assert "coefficients" not in report.to_text()


def test_many_hyperparameters_are_summed_up():
    report = summarise(fitted(best_params_={"weights": np.array([0.5, 1.0, 4.0])}))
    assert report.to_dict()["params"] == {"weights": [0.5, 1.0, 4.0]}
    assert "3 values from 0.5 to 4, median 1" in report.to_text()


def test_columns_are_aligned():
    assert aligned([("a", "bb", "c"), ("aaa", "b", "cc")], indent=1) == " a    bb  c\n aaa  b   cc"


def test_several_classes_have_coefficients_by_class():
    report = summarise(fitted(coef_=np.array([[0.0, 1.0], [0.0, -2.0]]), intercept_=np.ones(2), classes_=["u", "v"]))
    assert report.coefficients == {"v: x1": -2.0, "u: x1": 1.0}
    assert report.intercept == [1.0, 1.0]
    assert (report.support_size, report.n_features) == (1, 2)

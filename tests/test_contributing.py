"""The examples of CONTRIBUTING.md do what it says."""

import re
from pathlib import Path

import numpy as np
import pytest

from lambdahat import GradientSearch, HeldOut, Lasso
from lambdahat.criteria import Data
from lambdahat.design import as_storage
from lambdahat.hypergradient import implicit
from lambdahat.problem import Model
from lambdahat.solvers import solve
from zoo import sample

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def examples():
    namespace = {"__name__": "examples"}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        exec(block, namespace)
    return namespace


def test_the_penalty_is_tuned_by_the_one_formula(examples):
    s = sample()
    groups = np.arange(s.X.shape[1]) % 3
    alphas = np.array([0.05, 0.1, 0.2])
    model = Model(lambda p, _: examples["grouped_l1"](groups, alphas))
    fold = HeldOut(s.X_val, s.y_val).folds(model, Data(as_storage(s.X), s.y, s.weight, s.X))[0]

    def evaluated(theta):
        problem = fold.problem.with_hyperparams(theta)
        return implicit(problem, solve(problem, tol=1e-15), fold.validation.error, tol=1e-15)[:2]

    step = 1e-5
    differences = [(evaluated(alphas + h)[0] - evaluated(alphas - h)[0]) / (2 * step) for h in step * np.eye(3)]
    np.testing.assert_allclose(evaluated(alphas)[1], differences, rtol=1e-6, atol=1e-9)


def test_the_criterion_judges_by_the_last_rows(examples):
    s = sample()
    search = GradientSearch(Lasso(), criterion=examples["LastRows"]()).fit(s.X, s.y)
    fitted = Lasso(search.best_params_["alpha"], tol=1e-12).fit(s.X[:30], s.y[:30])
    error = np.mean((s.y[30:] - fitted.predict(s.X[30:])) ** 2)
    assert search.best_criterion_ == pytest.approx(error, rel=1e-4)  # the search solves as tightly as it needs


def test_the_search_finds_the_minimum(examples):
    s = sample()
    best = GradientSearch(Lasso(), cv=3).fit(s.X, s.y).best_criterion_
    for parametrization in ("log", "plain"):
        search = GradientSearch(Lasso(), cv=3, optimizer=examples["Shrinking"](), parametrization=parametrization)
        assert best * (1 - 1e-4) <= search.fit(s.X, s.y).best_criterion_ <= best * (1 + 1e-2)
        assert "visited 30 points" in search.status_

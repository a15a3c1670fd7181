"""The loops on their own: the bounds are bounds wherever they are evaluated, the segment search is exact."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from lambdahat.kernels import block, quadratic
from lambdahat.problem import Model
from lambdahat.solvers import solve
from lambdahat.solvers.iterate import LeastSquares
from zoo import BLOCK_PENALTIES, PENALTIES, sample

ALL = PENALTIES | BLOCK_PENALTIES
CONSTRAINED = [name for name in ALL if "factors" not in name]  # unpenalised columns are settled first


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("penalty", CONSTRAINED)
def test_the_dual_value_is_a_lower_bound_anywhere(penalty, seed):
    s, rng = sample(30, 12, seed=seed), np.random.default_rng(seed)
    data = s.data("C")
    problem = Model(lambda p, _: ALL[penalty](p)).problems(data.storage, data.y, [data.sample_weight])[0]

    def objective(w):
        r = problem.y - problem.design.product(np.arange(12, dtype=np.int32), w)
        return 0.5 * problem.design.weights @ r**2 + problem.penalty.value(w)

    best = objective(solve(problem, tol=1e-14).w)
    for scale in (0.0, 0.1, 1.0, 10.0, 100.0):
        w = scale * rng.normal(size=12)
        w = np.abs(w) if problem.penalty.positive else w
        iterate = LeastSquares(problem, w)
        primal, dual = iterate.bounds(problem.design.gradient(iterate.q))
        assert primal == pytest.approx(objective(w))
        assert dual <= best * (1.0 + 1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_segment_finds_the_minimum(seed):
    rng = np.random.default_rng(seed)
    w, d = rng.normal(size=6), 3.0 * rng.normal(size=6)
    l1 = np.where(rng.random(6) < 0.8, rng.uniform(0.1, 1.0, size=6), 0.0)
    slope, curvature = -abs(l1 @ (d * np.sign(w))) - rng.uniform(0.1, 5.0), rng.uniform(0.5, 5.0)

    def along(t):
        return slope * t + 0.5 * curvature * t * t + l1 @ np.abs(w + t * d)

    t, zero = quadratic.segment(w, d, l1, slope, curvature)
    found = minimize_scalar(along, bounds=(0.0, 20.0), method="bounded", options={"xatol": 1e-12})
    assert along(t) <= found.fun + 1e-12
    assert t == pytest.approx(found.x, abs=1e-5)
    if zero >= 0:
        assert w[zero] + t * d[zero] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("smallest", [0.9, 0.3, 0.1, 0.0])
def test_steps_on_blocks_shrink_what_is_left_the_most(smallest):
    """Along all eigenvalues that are not much smaller than the largest; and they are short enough for all."""
    spectra = np.array([[smallest, 1.0, 2.0], [2.0 * smallest, 2.0, 2.0]])
    divisors = block.divisors_of(spectra)
    assert np.all((divisors > 0.5 * spectra[:, -1]) & (divisors <= spectra[:, -1]))
    kept = np.where(spectra > 0.2 * spectra[:, -1:], np.abs(1.0 - spectra / divisors[:, None]), 0.0).max(axis=1)
    for other in (0.9, 0.99, 1.01, 1.1):
        far = np.abs(1.0 - spectra / (other * divisors[:, None]))
        assert np.all(np.where(spectra > 0.2 * spectra[:, -1:], far, 0.0).max(axis=1) > kept)


def test_a_step_on_columns_that_repeat_each_other_is_exact():
    assert block.divisors_of(np.array([[0.0, 0.0, 3.0]])) == [3.0]

import numpy as np
import pytest

from zoo import DATAFITS

N = 7


@pytest.fixture(params=DATAFITS)
def datafit(request):
    return DATAFITS[request.param]


@pytest.mark.parametrize("seed", range(3))
def test_gradient_and_curvature_against_differences(datafit, seed):
    rng = np.random.default_rng(seed)
    y, z, s, h = rng.normal(size=N), rng.normal(size=N), rng.uniform(0.1, 1.0, size=N), 1e-5
    unit = np.eye(N)
    gradient = [(datafit.value(y, z + h * e, s) - datafit.value(y, z - h * e, s)) / (2 * h) for e in unit]
    np.testing.assert_allclose(s * datafit.gradient(y, z), gradient, atol=1e-9)
    curvature = (datafit.gradient(y, z + h) - datafit.gradient(y, z - h)) / (2 * h)
    np.testing.assert_allclose(datafit.curvature(y, z), curvature, atol=1e-9)
    assert np.all(datafit.curvature(y, z) >= 0.0)

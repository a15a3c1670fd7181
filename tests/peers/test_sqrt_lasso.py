"""Agreement of the square-root Lasso with skglm."""

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from lambdahat import SqrtLasso, alpha_max
from lambdahat.datafits import RootMeanSquare

ATOL = 1e-5


def problem(n=80, p=30, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 2.0, size=p)
    return X, X[:, :5] @ [1.0, -1.0, 0.5, 0.5, -2.0] + rng.normal(size=n) + 1.0


@pytest.mark.parametrize("storage", [np.asfortranarray, csc_matrix])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("divisor", [1.5, 5.0, 20.0])
def test_skglm(divisor, fit_intercept, storage):
    """Its loss is not divided by √n, and its strengths are √n times ours."""
    peer = pytest.importorskip("skglm.experimental.sqrt_lasso")
    X, y = problem()
    alpha = alpha_max(X, y, loss=RootMeanSquare(), fit_intercept=fit_intercept) / divisor
    mine = SqrtLasso(alpha, fit_intercept=fit_intercept, tol=1e-12).fit(storage(X), y)
    other = peer.SqrtLasso(alpha * np.sqrt(len(y)), tol=1e-9, max_iter=1_000, fit_intercept=fit_intercept)
    other.fit(storage(X), y)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=ATOL)
    np.testing.assert_allclose(mine.intercept_, other.intercept_, atol=ATOL)

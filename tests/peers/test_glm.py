"""Agreement of generalised linear models with scikit-learn, skglm, statsmodels, and R's glmnet."""

import shutil
import subprocess

import numpy as np
import pytest
import sklearn.linear_model as peer

from lambdahat import GammaLasso, HuberLasso, PoissonLasso, SparseGLM, alpha_max
from lambdahat.datafits import Huber
from zoo import STORAGES

ATOL = 1e-5


def problem(name, n=150, p=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 2.0, size=p)
    z = X[:, :3] @ [0.4, -0.3, 0.2] + 0.3
    y = {
        "poisson": lambda: rng.poisson(np.exp(z)).astype(float),
        "gamma": lambda: rng.gamma(2.0, np.exp(z) / 2.0),
        "huber": lambda: z + 0.3 * rng.standard_t(1.5, size=n),
    }[name]()
    return X, y, rng.uniform(0.5, 2.0, size=n)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.01, 1.0])
@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [("poisson", PoissonLasso, peer.PoissonRegressor), ("gamma", GammaLasso, peer.GammaRegressor)],
)
def test_scikit_learn_with_an_l2_penalty(name, ours, theirs, alpha, fit_intercept, weighted, storage):
    X, y, weight = problem(name)
    weight = weight if weighted else None
    mine = ours(alpha, l1_ratio=0.0, fit_intercept=fit_intercept, tol=1e-12).fit(STORAGES[storage](X), y, weight)
    other = theirs(alpha=alpha, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-10).fit(X, y, weight)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=ATOL)
    np.testing.assert_allclose(mine.intercept_, other.intercept_, atol=ATOL)
    np.testing.assert_allclose(mine.predict(X), other.predict(X), rtol=ATOL)
    assert mine.score(X, y, weight) == pytest.approx(other.score(X, y, weight), abs=ATOL)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.01, 10.0])
def test_scikit_learns_huber_at_its_scale(alpha, fit_intercept):
    X, y, _ = problem("huber")
    other = peer.HuberRegressor(alpha=alpha, fit_intercept=fit_intercept, tol=1e-9, max_iter=100_000, warm_start=True)
    for _ in range(5 if fit_intercept else 1):  # it stops early; its warm start takes an intercept for granted
        other.fit(X, y)
    settings = {"delta": 1.35 * other.scale_, "l1_ratio": 0.0, "fit_intercept": fit_intercept, "tol": 1e-10}
    mine = HuberLasso(alpha * other.scale_ / len(y), **settings).fit(X, y)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=ATOL)
    np.testing.assert_allclose(mine.intercept_, other.intercept_, atol=ATOL)


@pytest.mark.parametrize("divisor", [2.0, 20.0])
@pytest.mark.parametrize("name", ["poisson", "gamma", "huber"])
def test_skglm(name, divisor):
    """Without an intercept."""
    datafits, penalties, solvers = map(pytest.importorskip, ("skglm.datafits", "skglm.penalties", "skglm.solvers"))
    X, y, _ = problem(name)
    ours = {"poisson": "poisson", "gamma": "gamma", "huber": Huber(0.5)}[name]
    alpha = alpha_max(X, y, loss=ours, fit_intercept=False) / divisor
    datafit = {"poisson": datafits.Poisson(), "gamma": datafits.Gamma(), "huber": datafits.Huber(0.5)}[name]
    solver = (solvers.AndersonCD if name == "huber" else solvers.ProxNewton)(tol=1e-12, fit_intercept=False)
    other = solver.solve(np.asfortranarray(X), y, datafit, penalties.L1(alpha))[0]
    mine = SparseGLM(ours, alpha=alpha, fit_intercept=False, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(mine.coef_, other, atol=ATOL)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_statsmodels(name, alpha):
    """Unpenalised, and with an ℓ1 penalty that leaves the constant alone."""
    sm = pytest.importorskip("statsmodels.api")
    X, y, _ = problem(name)
    family = sm.families.Poisson() if name == "poisson" else sm.families.Gamma(sm.families.links.Log())
    glm = sm.GLM(y, np.column_stack([np.ones(len(y)), X]), family=family)
    mine = SparseGLM(name, alpha=alpha, tol=1e-12).fit(X, y)
    if alpha == 0.0:
        other = glm.fit(tol=1e-12).params
    else:
        strengths = np.append(0.0, np.full(X.shape[1], alpha))
        other = glm.fit_regularized(alpha=strengths, L1_wt=1.0, maxiter=2000, cnvrg_tol=1e-12).params
    np.testing.assert_allclose(np.append(mine.intercept_, mine.coef_), other, atol=ATOL)


def has_glmnet():
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", "library(glmnet)"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_glmnet(), reason="R's glmnet is not installed")
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_glmnet(l1_ratio, tmp_path):
    X, y, weight = problem("poisson")
    alpha = alpha_max(X, y, loss="poisson", sample_weight=weight) / 10.0
    np.savetxt(tmp_path / "X", X)
    np.savetxt(tmp_path / "y", np.column_stack([y, weight]))
    script = (
        f'library(glmnet); X <- as.matrix(read.table("{tmp_path}/X")); y <- as.matrix(read.table("{tmp_path}/y"));'
        f'm <- glmnet(X, y[,1], weights=y[,2], family="poisson", alpha={l1_ratio}, standardize=FALSE, thresh=1e-16,'
        f"lambda=c({10 * alpha!r}, {3 * alpha!r}, {alpha!r}), maxit=1e7);"
        f'cat(format(as.numeric(coef(m)[,3]), digits=17), file="{tmp_path}/coef")'
    )
    subprocess.run(["Rscript", "-e", script], check=True, capture_output=True)
    other = np.loadtxt(tmp_path / "coef")
    mine = PoissonLasso(alpha, l1_ratio=l1_ratio, tol=1e-12).fit(X, y, weight)
    np.testing.assert_allclose(np.append(mine.intercept_, mine.coef_), other, atol=ATOL)

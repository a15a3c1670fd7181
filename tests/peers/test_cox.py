"""Agreement of proportional hazards with scikit-survival, skglm, statsmodels, and R's glmnet."""

import shutil
import subprocess

import numpy as np
import pytest

from lambdahat import CoxLasso, alpha_max
from lambdahat.datafits import Cox
from zoo import STORAGES

ATOL = 1e-5


def problem(n=150, p=12, seed=0, decimals=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 2.0, size=p) + 0.3
    time = rng.exponential(np.exp(-X[:, :3] @ [0.6, -0.4, 0.2]))
    event = rng.random(n) < 0.6
    y = np.empty(n, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = event, np.where(event, time, time * rng.random(n))
    if decimals is not None:
        y["time"] = np.round(y["time"], decimals)
    return X, y, rng.uniform(0.5, 2.0, size=n)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("shape", [(150, 12), (60, 90)])
@pytest.mark.parametrize("divisor", [2.0, 10.0])
def test_scikit_survivals_coxnet(divisor, shape, l1_ratio, decimals, storage):
    peer = pytest.importorskip("sksurv.linear_model")
    X, y, _ = problem(*shape, decimals=decimals)
    alpha = alpha_max(X, y, loss=Cox(), l1_ratio=l1_ratio) / divisor
    other = peer.CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=l1_ratio, tol=1e-14, max_iter=1_000_000).fit(X, y)
    mine = CoxLasso(alpha, l1_ratio=l1_ratio, tol=1e-13).fit(STORAGES[storage](X), y)
    np.testing.assert_allclose(mine.coef_, other.coef_[:, 0], atol=ATOL)


def test_scikit_survivals_hazards_and_concordance():
    peer, metrics = map(pytest.importorskip, ("sksurv.linear_model", "sksurv.metrics"))
    X, y, _ = problem(decimals=1)
    other = peer.CoxnetSurvivalAnalysis(alphas=[0.05], l1_ratio=1.0, tol=1e-14, fit_baseline_model=True).fit(X, y)
    mine = CoxLasso(0.05, tol=1e-13).fit(X, y)
    theirs = np.array([f(mine.event_times_) for f in other.predict_survival_function(X)])
    np.testing.assert_allclose(mine.predict_survival_function(X), theirs, atol=ATOL)
    theirs = np.array([f(mine.event_times_) for f in other.predict_cumulative_hazard_function(X)])
    np.testing.assert_allclose(mine.predict_cumulative_hazard_function(X), theirs, rtol=1e-4)
    expected = metrics.concordance_index_censored(y["event"], y["time"], mine.predict(X))[0]
    assert mine.score(X, y) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.02])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_scikit_survivals_ridge(ties, alpha):
    """Its ``alpha`` is of the likelihood, not of its mean."""
    peer = pytest.importorskip("sksurv.linear_model")
    X, y, _ = problem(decimals=1)
    other = peer.CoxPHSurvivalAnalysis(alpha=alpha * len(y), ties=ties, tol=1e-12, n_iter=1000).fit(X, y)
    mine = CoxLasso(alpha, l1_ratio=0.0, ties=ties, tol=1e-13).fit(X, y)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=ATOL)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("divisor", [2.0, 10.0])
def test_skglm(divisor, ties, storage):
    datafits, penalties, solvers = map(pytest.importorskip, ("skglm.datafits", "skglm.penalties", "skglm.solvers"))
    X, y, _ = problem(decimals=1)
    alpha = alpha_max(X, y, loss=Cox(ties)) / divisor
    both = np.column_stack([y["time"], y["event"]]).astype(float, order="F")
    solver = solvers.ProxNewton(tol=1e-12, max_iter=200, fit_intercept=False)
    datafit = datafits.Cox(use_efron=ties == "efron")
    other = solver.solve(np.asfortranarray(X), both, datafit, penalties.L1(alpha))[0]
    mine = CoxLasso(alpha, ties=ties, tol=1e-13).fit(STORAGES[storage](X), y)
    np.testing.assert_allclose(mine.coef_, other, atol=ATOL)


@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_statsmodels(ties, strata):
    phreg = pytest.importorskip("statsmodels.duration.hazard_regression")
    X, y, _ = problem(decimals=1)
    stratum = np.arange(len(y)) % 3
    given = {"strata": stratum} if strata else {}
    other = phreg.PHReg(y["time"], X, status=y["event"].astype(int), ties=ties, **given)
    target = y
    if strata:
        target = np.empty(len(y), dtype=[*y.dtype.descr, ("stratum", int)])
        target["event"], target["time"], target["stratum"] = y["event"], y["time"], stratum
    mine = CoxLasso(0.0, ties=ties, tol=1e-12).fit(X, target)
    np.testing.assert_allclose(mine.coef_, other.fit(method="newton", maxiter=200).params, atol=ATOL)


def has_glmnet():
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", "library(glmnet)"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_glmnet(), reason="R's glmnet is not installed")
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_glmnet(l1_ratio, tmp_path):
    X, y, weight = problem(decimals=1)
    alpha = alpha_max(X, y, loss=Cox(), sample_weight=weight) / 10.0
    np.savetxt(tmp_path / "X", X)
    np.savetxt(tmp_path / "y", np.column_stack([y["time"] + 1.0, y["event"], weight]))  # it takes no times of zero
    script = (
        f'library(glmnet); X <- as.matrix(read.table("{tmp_path}/X")); y <- as.matrix(read.table("{tmp_path}/y"));'
        "target <- cbind(time=y[,1], status=y[,2]);"
        f'm <- glmnet(X, target, weights=y[,3], family="cox", alpha={l1_ratio}, standardize=FALSE, thresh=1e-16,'
        f"lambda=c({10 * alpha!r}, {3 * alpha!r}, {alpha!r}), maxit=1e7);"
        f'cat(format(as.numeric(coef(m)[,3]), digits=17), file="{tmp_path}/coef")'
    )
    subprocess.run(["Rscript", "-e", script], check=True, capture_output=True)
    mine = CoxLasso(alpha, l1_ratio=l1_ratio, tol=1e-12).fit(X, y, weight)
    np.testing.assert_allclose(mine.coef_, np.loadtxt(tmp_path / "coef"), atol=ATOL)

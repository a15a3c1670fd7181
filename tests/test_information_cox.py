"""Information criteria of the partial likelihood."""

import numpy as np
import pytest

from lambdahat import AIC, BIC, EBIC, GCV, SURE, AICc, CoxLasso, GradientSearch, SparseGLM, hypergradient
from lambdahat.datafits import Cox
from test_leave_one_out_cox import TIGHT, at, people


def parts(model, X, y, weight=None):
    """Twice minus the logarithm of the partial likelihood at a fit, its support and ``X_S`` times its Hessian."""
    s = np.ones(len(X)) if weight is None else weight
    fitted = model.fit(X, y, sample_weight=weight)
    codes = Cox().read(y, len(X))
    loss = Cox(getattr(model, "ties", "breslow")).prepared(codes, s)
    S = np.flatnonzero(fitted.coef_)
    z = X @ fitted.coef_
    hessian = loss.hessian(codes, z, s)
    H = np.array([hessian(column) for column in X[:, S].T]).reshape(S.size, len(X)).T
    return 2.0 * loss.value(codes, z, s), fitted.coef_[S], X[:, S].T @ H


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_deviance_and_price(ties):
    X, y = people(90, 15, 0, strata=2, decimals=1)
    weight = np.random.default_rng(0).integers(0, 3, size=90).astype(float)
    events = float(weight @ y["event"])
    model = CoxLasso(0.06, ties=ties, **TIGHT)
    deviance, w, _ = parts(model, X, y, weight)
    d = w.size
    assert d > 2
    prices = {AIC: 2.0 * d, BIC: np.log(events) * d, AICc: 2.0 * d * events / (events - d - 1.0)}
    for criterion, price in prices.items():
        found = at(model, X, y, criterion(), sample_weight=weight).values[0]
        assert found == pytest.approx(deviance + price, rel=1e-7)


def test_degrees_of_freedom_of_ridges_and_groups():
    """The trace of ``(H + C)⁻¹H``, with C the curvature of the penalty, at fits of a search: to gaps of 1e-8."""
    X, y = people(90, 15, 1)
    ridge, alpha = 0.5, 0.08
    model = CoxLasso(alpha, l1_ratio=1.0 - ridge, **TIGHT)
    deviance, _, H = parts(model, X, y)
    C = 90.0 * alpha * ridge * np.eye(len(H))
    assert at(model, X, y, AIC()).values[0] == pytest.approx(
        deviance + 2.0 * np.trace(np.linalg.solve(H + C, H)), rel=2e-5
    )
    model = SparseGLM(Cox(), "group", groups=3, alpha=alpha, **TIGHT)
    deviance, w, H = parts(model, X, y)
    C = np.zeros_like(H)
    for g in range(0, w.size, 3):
        block, u = slice(g, g + 3), w[g : g + 3]
        size = float(np.linalg.norm(u))
        C[block, block] = 90.0 * alpha * np.sqrt(3.0) * (np.eye(3) / size - np.outer(u, u) / size**3)
    expected = deviance + 2.0 * np.trace(np.linalg.solve(H + C, H))
    assert at(model, X, y, AIC()).values[0] == pytest.approx(expected, rel=2e-5)


def test_no_feature_has_no_degree_of_freedom():
    X, y = people(40, 5, 0)
    deviance, w, _ = parts(CoxLasso(10.0, **TIGHT), X, y)
    assert w.size == 0
    assert at(CoxLasso(10.0, **TIGHT), X, y, AIC()).values[0] == pytest.approx(deviance)


@pytest.mark.parametrize("criterion", [AIC(n_probes=2), BIC(n_probes=2), EBIC(n_probes=2)])
def test_slopes_are_those_of_differences(criterion):
    X, y = people(60, 12, 2)

    def judged(alpha):
        return hypergradient(CoxLasso(alpha, **TIGHT), X, y, criterion=criterion, tol=1e-13)

    alpha, step = 0.05, 5e-8
    slope = (judged(alpha + step).value - judged(alpha - step).value) / (2.0 * step)
    assert judged(alpha).gradient[0] == pytest.approx(slope, rel=2e-4)


def test_a_search_ends_where_the_criterion_is_about_least():
    X, y = people(120, 30, 0)
    search = GradientSearch(CoxLasso(), criterion="aic").fit(X, y)
    assert "the exact ones decided" in search.status_
    found = [at(CoxLasso(f * search.best_params_["alpha"], **TIGHT), X, y, AIC()).values[0] for f in (0.3, 1.0, 3.0)]
    assert found[1] < min(found[0], found[2])


def test_criteria_that_do_not_fit_say_what_does():
    X, y = people(40, 5, 0)
    with pytest.raises(ValueError, match=r"a partial likelihood is no error: use AIC\(\), ALO\(\)"):
        GradientSearch(CoxLasso(), criterion=GCV()).fit(X, y)
    with pytest.raises(ValueError, match=r"SURE is for Gaussian noise .* use AIC"):
        GradientSearch(CoxLasso(), criterion=SURE(sigma=1.0)).fit(X, y)
    with pytest.raises(ValueError, match="sigma is the noise of least squares"):
        GradientSearch(CoxLasso(), criterion=AIC(sigma=1.0)).fit(X, y)

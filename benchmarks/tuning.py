"""λ by 5-fold cross-validation, model by model: the gradient, and a grid of 100 points fitted by the fastest peer.

Of the grid every tenth point is fitted, cold, as `GridSearchCV` does, and the time counts tenfold; that favours the
peers, as nothing is added for scoring and copying. Criteria are those of the points fitted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, xlogy

from . import cox
from .common import Options, Record, bar, clock, geometric_mean, times
from .data import autoregressive

POINTS, EVERY = 100, 10
RANGE = 1e-3  # of a grid, below the strength at which nothing is selected

Loss = Callable[[np.ndarray, np.ndarray], float]
Fitted = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class Case:
    """Data, our model, how a prediction is judged, the grid, and each peer as a function of the strength."""

    name: str
    X: np.ndarray
    y: np.ndarray
    model: object
    loss: Loss
    grid: np.ndarray
    peers: dict[str, Callable[[float], object]]
    hyperparams: str | None = None


def squared(y: np.ndarray, z: np.ndarray) -> float:
    return float(np.mean((y - z) ** 2))


def poisson_deviance(y: np.ndarray, m: np.ndarray) -> float:
    return float(2.0 * np.mean(xlogy(y, y / m) - y + m))


def huber_loss(y: np.ndarray, z: np.ndarray) -> float:
    size = np.abs(y - z)
    inside = np.minimum(size, 1.35)
    return float(np.mean(inside * (size - inside / 2)))


def hinge_squared(y: np.ndarray, z: np.ndarray) -> float:
    return float(np.mean(np.maximum(1.0 - y * np.ravel(z), 0.0) ** 2))


def softmax_loss(y: np.ndarray, Z: np.ndarray) -> float:
    return -float(np.mean(log_softmax(Z, axis=1)[np.arange(len(y)), y.astype(int)]))


def one_vs_rest_loss(y: np.ndarray, Z: np.ndarray) -> float:
    from lambdahat.datafits import log_probabilities

    return -float(np.mean(log_probabilities(Z)[np.arange(len(y)), y.astype(int)]))


def cases(quick: bool) -> Iterator[Case]:
    """Dense data with AR(0.6) columns."""
    import skglm
    import sklearn.linear_model as sk
    import sklearn.svm
    from skglm import datafits, penalties, solvers
    from sklearn.multiclass import OneVsRestClassifier
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    import lambdahat as lh

    rng = np.random.default_rng(0)
    n, p = (150, 100) if quick else (500, 1_000)
    X = np.asfortranarray(autoregressive(n, p, 0.6, rng))
    w = np.zeros(p)
    w[rng.choice(p, 20, replace=False)] = rng.choice([-1.0, 1.0], 20) / np.sqrt(20)
    z = X @ w

    def grid(slopes: np.ndarray, factor: float = 1.0) -> np.ndarray:
        largest = factor * float(np.abs(X.T @ slopes).max()) / n
        return np.geomspace(largest, largest * RANGE, POINTS)

    def glm(datafit: object, solver: object) -> Callable[[float], object]:
        return lambda alpha: skglm.GeneralizedLinearEstimator(datafit, penalties.L1(alpha), solver)

    newton = solvers.ProxNewton(tol=1e-4, fit_intercept=False)
    y = z + 0.5 * rng.normal(size=n)
    y -= y.mean()
    T = 20
    Y = z[:, None] * rng.uniform(0.5, 1.5, T) + 0.5 * rng.normal(size=(n, T))
    rows = float(np.linalg.norm(X.T @ Y, axis=1).max()) / n
    yield Case(
        "MultiTaskLasso, 20 targets", X, Y, lh.MultiTaskLasso(fit_intercept=False), squared,
        np.geomspace(rows, rows * RANGE, POINTS),
        {
            "scikit-learn": lambda alpha: sk.MultiTaskLasso(alpha, fit_intercept=False),
            "skglm": lambda alpha: skglm.MultiTaskLasso(alpha, fit_intercept=False),
        },
    )  # fmt: skip
    yield Case(
        "MultiTaskElasticNet, 20 targets", X, Y, lh.MultiTaskElasticNet(l1_ratio=0.5, fit_intercept=False), squared,
        2.0 * np.geomspace(rows, rows * RANGE, POINTS),
        {"scikit-learn": lambda alpha: sk.MultiTaskElasticNet(alpha, l1_ratio=0.5, fit_intercept=False)}, "alpha",
    )  # fmt: skip
    by_group = np.linalg.norm((X.T @ y).reshape(-1, 5), axis=1).max() / n / np.sqrt(5)
    from celer import GroupLasso as CelerGroupLasso

    yield Case(
        "GroupLasso, groups of 5", X, y, lh.GroupLasso(5, fit_intercept=False), squared,
        np.geomspace(by_group, by_group * RANGE, POINTS),
        {"celer": lambda alpha: CelerGroupLasso(
            groups=5, alpha=alpha * np.sqrt(5), fit_intercept=False, tol=1e-4, weights=np.ones(p // 5))},
    )  # fmt: skip
    starts, columns = np.arange(0, p + 1, 5, dtype=np.int32), np.arange(p, dtype=np.int32)
    blocks = datafits.QuadraticGroup(starts, columns)
    block_descent = solvers.GroupBCD(tol=1e-4, fit_intercept=False, ws_strategy="fixpoint")
    yield Case(
        "SparseGroupLasso, groups of 5", X, y, lh.SparseGroupLasso(5, fit_intercept=False), squared,
        np.geomspace(by_group, by_group * RANGE, POINTS),
        {"skglm": lambda alpha: skglm.GeneralizedLinearEstimator(blocks, penalties.WeightedL1GroupL2(
            alpha, np.full(p // 5, np.sqrt(5.0)), np.ones(p), starts, columns), block_descent)}, "alpha",
    )  # fmt: skip
    yield Case(
        "AdaptiveLasso", X, y, lh.AdaptiveLasso(fit_intercept=False), squared, grid(y), {"celer": _AdaptiveLasso},
    )  # fmt: skip
    counts = rng.poisson(np.exp(z)).astype(float)
    yield Case(
        "PoissonLasso", X, counts, lh.PoissonLasso(fit_intercept=False), lambda y, s: poisson_deviance(y, np.exp(s)),
        grid(1.0 - counts), {"skglm": glm(datafits.Poisson(), newton)},
    )  # fmt: skip
    positive = rng.gamma(2.0, np.exp(z) / 2.0)
    yield Case(
        "GammaLasso", X, positive, lh.GammaLasso(fit_intercept=False),
        lambda y, s: float(2.0 * np.mean(y / np.exp(s) - 1.0 - np.log(y) + s)), grid(1.0 - positive),
        {"skglm": glm(datafits.Gamma(), newton)},
    )  # fmt: skip
    outliers = z + 0.5 * rng.standard_t(2, n)
    descent = solvers.AndersonCD(tol=1e-4, fit_intercept=False)
    yield Case(
        "HuberLasso", X, outliers, lh.HuberLasso(fit_intercept=False), huber_loss,
        grid(np.clip(outliers, -1.35, 1.35)), {"skglm": glm(datafits.Huber(1.35), descent)},
    )  # fmt: skip
    survived = cox.survival(z, rng)
    risks = grid(cox.slopes(survived, np.zeros(n))[1])
    yield Case(
        "CoxLasso", X, survived, lh.CoxLasso(), lambda y, s: cox.slopes(y, s)[0],
        np.geomspace(risks[0], risks[POINTS // 2], POINTS),  # further down hazards grow without bound
        {"scikit-survival": lambda alpha: CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=1.0)},
    )  # fmt: skip
    root = grid(y / np.sqrt(np.mean(y**2)))[: POINTS // 2]  # further down the fit interpolates
    yield Case(
        "SqrtLasso", X, y, lh.SqrtLasso(0.1, fit_intercept=False), lambda y, z: float(np.sqrt(np.mean((y - z) ** 2))),
        np.geomspace(root[0], root[-1], POINTS),
        {"skglm": _SqrtLasso},
    )  # fmt: skip
    yield Case(
        "Ridge", X, y, lh.Ridge(fit_intercept=False), squared, np.geomspace(1e-2, 1e6, POINTS),
        {"scikit-learn": lambda alpha: sk.Ridge(alpha, fit_intercept=False)},
    )  # fmt: skip
    label = np.where(z + 0.5 * rng.normal(size=n) > 0.0, 1.0, -1.0)
    strengths = np.geomspace(1e-5, 1e-1, POINTS)
    yield Case(
        "LinearSVC", np.ascontiguousarray(X), label, lh.LinearSVC(fit_intercept=False), hinge_squared, strengths,
        {"liblinear": lambda C: sklearn.svm.LinearSVC(
            C=C, loss="hinge", dual=True, fit_intercept=False, max_iter=100_000)},
    )  # fmt: skip
    yield Case(
        "LinearSVR, C alone", np.ascontiguousarray(X), y, lh.LinearSVR(epsilon=0.1, fit_intercept=False), squared,
        strengths,
        {"liblinear": lambda C: sklearn.svm.LinearSVR(
            C=C, epsilon=0.1, loss="epsilon_insensitive", dual=True, fit_intercept=False, max_iter=100_000)},
        "C",
    )  # fmt: skip
    few = np.ascontiguousarray(X[:, : p // 5])  # of more, a fit by the peer takes minutes
    mixed = few @ rng.dirichlet(np.full(p // 5, 0.05)) + 0.2 * rng.normal(size=n)
    yield Case(
        "SimplexSVR, C alone, 200 columns", few, mixed, lh.SimplexSVR(epsilon=0.1), squared, strengths,
        {"osqp": lambda C: _SimplexSVR(C, 0.1)}, "C",
    )  # fmt: skip
    K = 5
    W = np.zeros((p, K))
    W[:20] = rng.normal(size=(20, K)) / np.sqrt(5)
    classes = np.argmax(X @ W + rng.gumbel(size=(n, K)), axis=1).astype(float)
    Z = np.eye(K)[classes.astype(int)]
    yield Case(
        "OneVsRestLogistic, 5 classes", X, classes, lh.OneVsRestLogistic(fit_intercept=False), one_vs_rest_loss,
        grid(0.5 - Z), {"liblinear": lambda alpha: OneVsRestClassifier(_logistic(alpha, 0.8 * n, "liblinear"))},
    )  # fmt: skip
    yield Case(
        "MultinomialLogistic, 5 classes", X, classes, lh.MultinomialLogistic(fit_intercept=False), softmax_loss,
        grid(1.0 / K - Z), {"saga": lambda alpha: _logistic(alpha, 0.8 * n, "saga")},
    )  # fmt: skip


def _logistic(alpha: float, n_rows: float, solver: str) -> object:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=1.0 / (alpha * n_rows), l1_ratio=1.0, solver=solver, fit_intercept=False, max_iter=1_000, random_state=0
    )


class _SqrtLasso:
    """skglm's, whose loss is not divided by √n."""

    def __init__(self, alpha: float):
        self.alpha = alpha

    def fit(self, X: np.ndarray, y: np.ndarray) -> "_SqrtLasso":
        from skglm.experimental.sqrt_lasso import SqrtLasso

        strength = self.alpha * np.sqrt(len(y))
        self.coef_ = SqrtLasso(strength, tol=1e-4 * strength, fit_intercept=False).fit(X, y).coef_
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X @ np.ravel(self.coef_)


class _AdaptiveLasso:
    """celer's Lasso, and once more with weights from the first: those of `lambdahat.AdaptiveLasso`."""

    def __init__(self, alpha: float):
        self.alpha = alpha

    def fit(self, X: np.ndarray, y: np.ndarray) -> "_AdaptiveLasso":
        from celer import Lasso

        first = np.abs(Lasso(self.alpha, fit_intercept=False).fit(X, y).coef_)
        weights = 1.01 / (first / (first.max() or 1.0) + 0.01)
        self.coef_ = Lasso(self.alpha, fit_intercept=False, weights=weights).fit(X, y).coef_
        return self


class _SimplexSVR:
    """By a solver of quadratic programs: no library on PyPI has this model. Variables are w, and the losses ξ."""

    def __init__(self, C: float, epsilon: float):
        self.C, self.epsilon = C, epsilon

    def fit(self, X: np.ndarray, y: np.ndarray) -> "_SimplexSVR":
        import osqp
        import scipy.sparse as sp

        n, p = X.shape
        one = sp.csc_matrix(np.ones((1, p)))
        above, below = sp.hstack([X, -sp.eye(n)]), sp.hstack([X, sp.eye(n)])  # |y − Xw| ≤ ε + ξ
        rows = sp.vstack([above, below, sp.eye(p + n), sp.hstack([one, sp.csc_matrix((1, n))])], format="csc")
        low = np.concatenate([np.full(n, -np.inf), y - self.epsilon, np.zeros(p + n), [1.0]])
        high = np.concatenate([y + self.epsilon, np.full(n + p + n, np.inf), [1.0]])
        solver = osqp.OSQP()
        cost = sp.block_diag([sp.eye(p), sp.csc_matrix((n, n))], format="csc")
        solver.setup(
            cost, np.concatenate([np.zeros(p), np.full(n, self.C)]), rows, low, high, verbose=False, eps_abs=1e-4,
            eps_rel=1e-4, max_iter=100_000,
        )  # fmt: skip
        self.coef_ = np.asarray(solver.solve().x[:p])
        return self


def score_of(model: object, X: np.ndarray) -> np.ndarray:
    """Scores before any link; skglm's generalised models and liblinear's classes have these as decision values."""
    coef = getattr(model, "coef_", None)
    if coef is None:  # one class against the rest
        return np.asarray(model.decision_function(X))
    coef = np.asarray(coef)
    return X @ (np.ravel(coef) if coef.size == X.shape[1] else coef.T)


def records(options: Options) -> Iterator[Record]:
    import warnings

    from sklearn.model_selection import KFold, StratifiedKFold

    from lambdahat import GradientSearch

    for case in cases(options.quick):
        splitter = StratifiedKFold if hasattr(case.model, "predict_proba") else KFold
        splits = list(splitter(5, shuffle=True, random_state=0).split(case.X, case.y))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = GradientSearch(case.model, cv=splits, hyperparams=case.hyperparams)
            search.fit(case.X, case.y)  # compilation
            seconds, found = clock(lambda search=search, case=case: search.fit(case.X, case.y), repeats=3)
            timings = {}
            for peer, make in case.peers.items():
                make(float(case.grid[EVERY])).fit(case.X[:50], case.y[:50])  # compilation
                timings[peer] = clock(lambda case=case, splits=splits, make=make: cross_validated(case, splits, make))
        peer = min(timings, key=lambda name: timings[name][0])
        theirs, best = EVERY * timings[peer][0], timings[peer][1]
        yield {
            "problem": case.name,
            "lambdahat": seconds,
            "peer": f"{peer}, {POINTS} points",
            "peer_seconds": theirs,
            "ratio": seconds / theirs,
            "criterion": found.best_criterion_,
            "peer_criterion": best,
            "n_evals": found.n_evals_,
        }


def cross_validated(case: Case, splits: list, make: Callable[[float], object]) -> float:
    """The best mean loss over the folds, of every tenth point."""
    values = []
    for alpha in case.grid[::EVERY]:
        losses = []
        for train, test in splits:
            model = make(float(alpha))
            try:
                model.fit(case.X[train], case.y[train])
            except ArithmeticError:  # scikit-survival's where hazards grow: `GridSearchCV` goes on too
                losses.append(np.nan)
                continue
            losses.append(case.loss(case.y[test], score_of(model, case.X[test])))
        values.append(np.mean(losses))
    return float(np.nanmin(values))


def bars(records: list[Record]) -> list[Record]:
    ratios = [1.0 / record["ratio"] for record in records]
    if not ratios:
        return []
    slowest = min(records, key=lambda record: -record["ratio"])
    worse = [record["problem"] for record in records if record["criterion"] > record["peer_criterion"] * (1 + 1e-3)]
    what = "λ through 5 folds, against a grid of 100 points with the fastest peer"
    return [
        bar(f"{what}: times faster, worst ({slowest['problem']})", "≥ 10×", times(min(ratios)), min(ratios) >= 10),
        bar("the same, geometric mean", "≥ 10×", times(geometric_mean(ratios)), geometric_mean(ratios) >= 10),
        bar(
            "its criterion, worse than the grid's by a thousandth", "nowhere", ", ".join(worse) or "nowhere", not worse
        ),
    ]

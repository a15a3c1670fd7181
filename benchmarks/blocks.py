"""One cold fit of models with blocks to a relative duality gap of 1e-5: the multi-task and the group Lasso."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .common import Options, Record, bar, geometric_mean, times
from .data import DataAbsentError, Matrix, autoregressive, find, response
from .peers import MANY, Gap, Peer, fastest, time_to_gap, timed

GAP = 1e-5
SIZE = 10  # columns in a group


@dataclass(frozen=True)
class Case:
    name: str
    X: Matrix
    y: np.ndarray
    gap: Gap
    largest: float  # alpha_max
    shares: tuple[float, ...]
    solvers: tuple[Peer, ...]  # lambdahat first


def multi_task_gap(X: Matrix, Y: np.ndarray, W: np.ndarray, alpha: float) -> float:
    """Of `‖Y − XW‖²/2n + α Σ_j ‖W_j‖`, relative to `‖Y‖²/2n`; `W` of shape (T, p)."""
    return _gap(Y, Y - X @ W.T, np.linalg.norm(W, axis=0).sum(), lambda R: np.linalg.norm(X.T @ R, axis=1).max(), alpha)


def group_gap(X: Matrix, y: np.ndarray, w: np.ndarray, alpha: float) -> float:
    """Of `‖y − Xw‖²/2n + α √10 Σ_g ‖w_g‖`, relative to `‖y‖²/2n`."""
    strength = alpha * np.sqrt(SIZE)
    return _gap(y, y - X @ np.ravel(w), _norms(np.ravel(w)).sum(), lambda r: _norms(X.T @ r).max(), strength)


def _norms(w: np.ndarray) -> np.ndarray:
    return np.linalg.norm(w.reshape(-1, SIZE), axis=1)


def _gap(y: np.ndarray, residual: np.ndarray, norm: float, dual_norm: object, alpha: float) -> float:
    bound = len(y) * alpha
    dual = residual * min(1.0, bound / dual_norm(residual))
    gap = np.sum(residual**2) + 2 * bound * norm - np.sum(y**2) + np.sum((y - dual) ** 2)
    return float(gap / np.sum(y**2))


def multi_task(alpha: float, tol: float) -> object:
    from lambdahat import MultiTaskLasso

    return MultiTaskLasso(alpha, tol=tol, fit_intercept=False)


def sklearn_multi_task(alpha: float, tol: float) -> object:
    from sklearn.linear_model import MultiTaskLasso

    return MultiTaskLasso(alpha, tol=tol, fit_intercept=False, max_iter=MANY)


def skglm_multi_task(alpha: float, tol: float) -> object:
    from skglm import MultiTaskLasso

    return MultiTaskLasso(alpha, tol=1e2 * tol, fit_intercept=False, max_iter=1_000)


def groups(alpha: float, tol: float) -> object:
    from lambdahat import GroupLasso

    return GroupLasso(SIZE, alpha, tol=tol, fit_intercept=False)


def celer_groups(alpha: float, tol: float) -> object:
    from celer import GroupLasso

    return GroupLasso(groups=SIZE, alpha=alpha * np.sqrt(SIZE), tol=tol, fit_intercept=False, max_iter=1_000)


class _Skglm:
    """Its group Lasso wants a weight for each group, whose number it does not look up itself."""

    def __init__(self, alpha: float, tol: float):
        self.alpha, self.tol = alpha, tol

    def fit(self, X: Matrix, y: np.ndarray) -> None:
        from skglm import GroupLasso

        weights = np.full(X.shape[1] // SIZE, np.sqrt(SIZE))
        model = GroupLasso(SIZE, self.alpha, weights=weights, tol=1e2 * self.tol, fit_intercept=False, max_iter=1_000)
        self.coef_ = model.fit(X, y).coef_


TASKS = (
    Peer("lambdahat", timed(multi_task)),
    Peer("scikit-learn", timed(sklearn_multi_task)),
    Peer("skglm", timed(skglm_multi_task)),
)
GROUPS = (Peer("lambdahat", timed(groups)), Peer("celer", timed(celer_groups)), Peer("skglm", timed(_Skglm)))


def cases(quick: bool) -> Iterator[Case]:
    try:
        with np.load(find("meg_left.npz")) as file:
            X, Y = (np.asarray(file[key], dtype=np.float64) for key in ("X", "Y_left_auditory"))
        X, Y = np.asfortranarray(X[:, ::6] if quick else X), np.ascontiguousarray(Y)
        largest = np.linalg.norm(X.T @ Y, axis=1).max() / len(Y)
        yield Case("multi-task, meg_left, 306 × 6,878 × 84", X, Y, multi_task_gap, largest, (0.8, 0.6, 0.3), TASKS)
    except DataAbsentError as absent:
        print(f"skipped: {absent}", flush=True)
    rng = np.random.default_rng(0)
    n, p = (200, 2_000) if quick else (1_000, 20_000)
    X = autoregressive(n, p, 0.6, rng)
    yield _grouped(f"groups of 10, dense, {n:,} × {p:,}", X, rng)
    n = 10 * n
    X = scipy.sparse.random_array((n, p), density=0.005, format="csc", rng=rng)
    yield _grouped(f"groups of 10, sparse, {n:,} × {p:,}", X, rng)


def _grouped(name: str, X: Matrix, rng: np.random.Generator) -> Case:
    y = response(X, 50, 3.0, rng)
    largest = _norms(X.T @ y).max() / len(y) / np.sqrt(SIZE)
    return Case(name, X, y, group_gap, largest, (0.2, 0.1, 0.05), GROUPS)


def records(options: Options) -> Iterator[Record]:
    limit = 5.0 if options.quick else 60.0
    for case in cases(options.quick):
        for peer in case.solvers:  # imports and compilation
            peer.fit(case.X, case.y, 0.5 * case.largest, 1e-3, 1)
        for share in case.shares:
            ours, *others = (
                time_to_gap(peer, case.X, case.y, share * case.largest, GAP, limit, case.gap) for peer in case.solvers
            )
            best = fastest(others)
            yield {
                "problem": f"{case.name}, {share:g} α_max",
                "lambdahat": ours["seconds"],
                "peer": best["peer"],
                "peer_seconds": best["seconds"],
                "ratio": ours["seconds"] / best["seconds"] if ours["seconds"] and best["seconds"] else None,
                **{timing["peer"]: timing["seconds"] for timing in others},
                "timings": [ours, *others],
            }


def bars(records: list[Record]) -> list[Record]:
    found = []
    wanted = {"scikit-learn": {"0.8": 3, "0.6": 10, "0.3": 10}, "skglm": {"0.8": 3, "0.6": 3, "0.3": 3}}
    for record in records:
        share = record["problem"].split()[-2]
        if "multi-task" in record["problem"]:
            goals = {peer: goal[share] for peer, goal in wanted.items()}
        else:
            goals = {"celer": 2, "skglm": 2}
        for peer, goal in goals.items():
            if record["lambdahat"] and record[peer]:
                ratio = record[peer] / record["lambdahat"]
                found.append(bar(f"{record['problem']}, {peer}", f"≥ {goal}× faster", times(ratio), ratio >= goal))
            else:
                found.append(bar(f"{record['problem']}, {peer}", "gap reached", "missed", bool(record["lambdahat"])))
    ratios = [record["ratio"] for record in records if record["ratio"]]
    if ratios:
        mean = geometric_mean(ratios)
        found.append(bar("blocks, time over the fastest peer's, geometric mean", "≤ 0.5×", times(mean), mean <= 0.5))
    return found

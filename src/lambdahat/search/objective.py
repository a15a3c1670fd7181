"""The criterion as a function of hyperparameters: warm starts, folds in threads, everything visited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from lambdahat.criteria import Fold
from lambdahat.hypergradient import Judge, differentiate, judged
from lambdahat.linear import Matrix, Vector
from lambdahat.outer import OuterOptimizer, Point, Region, Stop
from lambdahat.problem import Problem, Solution
from lambdahat.search.space import Space
from lambdahat.search.trace import Evaluation, Trace
from lambdahat.solvers import solve_many


@dataclass(frozen=True, eq=False)
class _Visited:
    """An evaluation with what it takes to start from it again."""

    x: Vector
    point: Point
    fold_values: Vector
    decisive: float
    solutions: dict[int, _Packed]  # by the problem's number; none where the criterion is not finite
    tol: float
    support_size: float
    seconds: float


@dataclass(frozen=True, eq=False)
class _Packed:
    """A solution without its zeros."""

    support: NDArray[np.int32]
    w: Vector
    intercept: float
    gap: float
    adjoint: Any  # the solution of the implicit system, packed, where it was solved


# Where X stores no more values than this, and a support can be no larger, solving inner problems well costs little.
_SMALL, _SHORT = 1_000_000, 2_000

_LOOK = 100.0  # times the gap at which a criterion can be believed
_UNPROVEN = 0.1  # times the loosest gap: from there on, evaluations do without the proof of it where fits are large

# Gradients of so many evaluations are kept for warm starts: each is as long as the coefficients are many.
_GRADIENTS_KEPT = 3


class CriterionObjective:
    """The criterion as a function of ``x``, with everything kept warm between evaluations.

    Parameters
    ----------
    folds : list of Fold
    space : Space
    n_threads : int
        Folds solved at a time. Each fold's arithmetic is the same whatever it is.
    max_evals : int
        Bound on the number of evaluations; :class:`Stop` is raised beyond.
    max_seconds : float, optional
        No evaluation but the first is begun later than this.
    max_iter : int
        Bound on the rounds of an inner solver.
    callback : callable, optional
        Called with every :class:`Evaluation`; a true answer ends the search.
    n_repeats : int
        How often the folds leave out each row.

    Attributes
    ----------
    failure : Exception or None
        What the callback has raised; it ends the search as a true answer does.
    chosen : int or None
        The evaluation that a rule other than the least criterion takes.
    """

    def __init__(
        self, folds: list[Fold], space: Space, *, n_threads: int = 1, max_evals: int = 100,
        max_seconds: float | None = None, max_iter: int = 1000,
        callback: Callable[[Evaluation], Any] | None = None, n_repeats: int = 1,
    ) -> None:  # fmt: skip
        self.folds, self.space = folds, space
        self.problems = [problem for fold in folds for problem in fold.problems]
        self._of_fold = np.split(np.arange(len(self.problems)), np.cumsum([len(fold.problems) for fold in folds])[:-1])
        self._of_model = [of_fold[: len(fold.fitted)] for fold, of_fold in zip(folds, self._of_fold, strict=True)]
        self._probed = {  # probes, several for each problem of the model, to that problem
            k: of_model[j % len(of_model)]
            for of_fold, of_model in zip(self._of_fold, self._of_model, strict=True)
            for j, k in enumerate(of_fold[len(of_model) :])
        }
        self.n_threads, self.max_evals, self.max_seconds = n_threads, max_evals, max_seconds
        self.max_iter, self.callback, self.n_repeats = max_iter, callback, n_repeats
        self.failure: Exception | None = None
        weights = np.array([fold.weight for fold in folds])
        self.weights = weights / weights.sum()
        problem = self.problems[0]
        columns = problem.zeros().size // problem.design.shape[1] * len(folds[0].problems)
        n_stored = problem.design.storage.n_stored * columns
        small = n_stored <= _SMALL and min(problem.design.shape) <= _SHORT
        # A criterion of own rows falls and rises once. Near interpolation, where looks at
        # every valley go, it is not to be believed.
        self.cheap = not self._probed and (problem.normal is not None or small)
        self._tightest = min(fold.accuracy for fold in folds)
        self._base_tol = 1e-5 if self.cheap else 1e-2
        self.units = folds[0].units
        self.visited: list[_Visited] = []
        self._workspaces: list[Any] = [None] * len(self.problems)
        self._gradients: list[tuple[int, dict[int, Matrix | None]]] = []
        self._pool: ThreadPoolExecutor | None = None
        self._began = time.perf_counter()
        self.chosen: int | None = None

    @property
    def coarse_tol(self) -> float:
        """The loosest gap that still ranks: a share of the best criterion on large data, tight where that is cheap."""
        values = [seen.point.value for seen in self.visited if seen.solutions]
        if not values:
            return self._base_tol
        return (
            self._base_tol * float(np.clip(min(values) / values[0], 1e-3, 1.0)) if values[0] > 0.0 else self._base_tol
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Threads for the problems; BLAS keeps to one thread meanwhile, so that ``n_threads`` changes no bit."""
        several = len(self.problems) > 1
        with _one_blas_thread() if several else nullcontext():
            if several and self.n_threads > 1:
                self._pool = ThreadPoolExecutor(min(self.n_threads, len(self.problems)))
            try:
                yield
            finally:
                if self._pool is not None:
                    self._pool.shutdown(wait=True, cancel_futures=True)
                    self._pool = None

    def __call__(self, x: Vector, tol: float, gradient: bool = True) -> Point:
        if len(self.visited) >= self.max_evals:
            raise Stop(f"stopped after max_evals={self.max_evals} evaluations")
        self._stop_in_time()
        x = np.array(x, dtype=np.float64)
        values = self.space.values(x)
        seen = self._evaluate(x, values, tol, gradient) if np.all(np.isfinite(values)) else None
        if seen is None:
            nowhere = Point(x, np.inf, np.full(x.size, np.nan))
            seen = _Visited(x, nowhere, np.full(len(self.folds), np.inf), np.inf, {}, tol, np.nan, self._seconds())
        self.visited.append(seen)
        self._report()
        return seen.point

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _report(self) -> None:
        if self.callback is None:
            return
        try:
            enough = self.callback(self.evaluation(len(self.visited) - 1))
        except Exception as error:
            self.failure = error
            raise Stop(f"ended by an error in the callback, {type(error).__name__}") from error
        if enough:
            raise Stop("stopped by the callback")

    def _evaluate(self, x: Vector, values: Vector, tol: float, gradient: bool) -> _Visited | None:
        """None where the criterion is not finite."""
        # A look at the range is to rank: where fits are large, it may be looser than what the criterion is believed at.
        looks = not self.cheap and tol >= self.coarse_tol
        theta, tol = self.space.theta(values), min(tol, self._tightest * (_LOOK if looks else 1.0))
        nearest = self._nearest(x)
        problems = [problem for fold in self.folds for problem in self.space.placed(fold.problems, theta)]
        leads = gradient or any(fold.verdict is None for fold in self.folds)  # else only what decides is asked for
        solutions = self._solved(problems, nearest, tol, probes=leads)
        followed, by_theta = np.full(len(self.folds), np.nan), np.full(theta.size, np.nan)
        adjoints: dict[int, Any] = {}
        if leads:
            followed, by_theta, adjoints = self._judged(problems, solutions, nearest, tol, gradient, theta.size)
            if not np.isfinite(self.weights @ followed):
                return None
        fold_values = np.array(
            [
                value
                if fold.verdict is None
                else fold.verdict([problems[k] for k in of_model], [solutions[k] for k in of_model])
                for fold, of_model, value in zip(self.folds, self._of_model, followed, strict=True)
            ]
        )
        value, decisive = float(self.weights @ (followed if leads else fold_values)), float(self.weights @ fold_values)
        if not np.isfinite(value):
            return None
        for k, solution in solutions.items():
            self._workspaces[k] = solution.workspace
        kept = {k: solution.gradient for k, solution in solutions.items()}
        self._gradients = [*self._gradients, (len(self.visited), kept)][-_GRADIENTS_KEPT:]
        packed = {
            k: _Packed(found.support, found.w[found.support], found.intercept, found.gap, adjoints.get(k))
            for k, found in solutions.items()
        }
        size = float(np.mean([packed[k].support.size for of_model in self._of_model for k in of_model]))
        slope = self.space.theta_vjp(values, by_theta) * self.space.slope(values)
        led = leads and any(fold.verdict is not None for fold in self.folds)
        point = Point(x, value, slope, decisive if led else None)
        return _Visited(x, point, fold_values, decisive, packed, tol, size, self._seconds())

    def _run(self, function: Callable[..., Any], *items: Any) -> Iterable[Any]:
        """Map over problems or folds; solvers do at every round, so that one that takes long ends with the search."""
        self._stop_in_time()
        return (self._pool.map if self._pool else map)(function, *items)

    def _stop_in_time(self) -> None:
        if self.max_seconds is not None and self.visited and self._seconds() >= self.max_seconds:
            raise Stop(f"stopped after max_seconds={self.max_seconds:g} seconds")

    def _solved(
        self, problems: Sequence[Any], nearest: _Visited | None, tol: float, *, probes: bool
    ) -> dict[int, Solution]:
        """Solutions by number: those of the model, and with ``probes`` those that are there to judge it."""
        # A look at the range is to rank, and to prove the gap costs half the time. Where fits are cheap only looks
        # looser than usual do without, elsewhere all of them, and first refinements.
        proof = tol <= self.coarse_tol if self.cheap else tol < _UNPROVEN * self.coarse_tol
        solve = partial(solve_many, tol=tol, max_iter=self.max_iter, at_least=1, proof=proof, run=self._run)
        numbers = [k for of_model in self._of_model for k in of_model]
        starts = [None if nearest is None else self._warm_start(nearest, k) for k in numbers]
        solutions = dict(zip(numbers, solve([problems[k] for k in numbers], starts=starts), strict=True))
        if probes and self._probed:
            starts = [self._start_of_probe(problems[k], nearest, k, solutions[of]) for k, of in self._probed.items()]
            found = solve([problems[k] for k in self._probed], starts=starts)
            solutions |= zip(self._probed, found, strict=True)
        return solutions

    def _start_of_probe(self, problem: Any, nearest: _Visited | None, k: int, solution: Solution) -> Solution:
        """The better one of the model's solution here and the probe's at the nearest point."""
        here = replace(solution, gradient=None)
        if nearest is None or k not in nearest.solutions:
            return here
        there = self._warm_start(nearest, k)
        if problem.normal is not None:  # to compare them would take a look at all rows
            return there
        return here if _objective(problem, here) < _objective(problem, there) else there

    def _judged(
        self, problems: Sequence[Any], solutions: dict[int, Solution], nearest: _Visited | None, tol: float,
        gradient: bool, n_theta: int,
    ) -> tuple[Vector, Vector, dict[int, Any]]:  # fmt: skip
        """What leads: its value for each fold, the gradient of the mean (NaN where not asked for), and the adjoints."""

        def fold_judges(fold: Fold, of_fold: NDArray[np.intp]) -> list[Judge]:
            return fold.judges([problems[k] for k in of_fold], [solutions[k] for k in of_fold])

        judges = [judge for found in self._run(fold_judges, self.folds, self._of_fold) for judge in found]

        def differentiated(k: int) -> tuple[float, Vector, Any]:
            if not gradient:
                unknown = np.full(problems[k].penalty.hyperparams.size, np.nan)
                return judged(problems[k], solutions[k], judges[k]), unknown, None
            seen = None if nearest is None else nearest.solutions.get(k)
            guess = None if seen is None else seen.adjoint
            return differentiate(problems[k], solutions[k], judges[k], tol=tol, guess=guess)

        results = list(self._run(differentiated, range(len(problems))))
        values = np.array([results[of_fold[0]][0] for of_fold in self._of_fold])
        by_theta = np.zeros(n_theta)
        for weight, of_fold in zip(self.weights, self._of_fold, strict=True):
            for k, result in enumerate(results[of_fold[0] : of_fold[-1] + 1]):
                by_theta[self.space.part(k)] += weight * result[1]
        return values, by_theta, {k: result[2] for k, result in enumerate(results)}

    def _warm_start(self, seen: _Visited, k: int) -> Solution:
        """The solution of a problem at an evaluation, with its gradient where that is still kept."""
        solution = self._unpack(seen, k)
        index = next(index for index, visited in enumerate(self.visited) if visited is seen)
        for kept, gradients in self._gradients:
            if kept == index:
                return replace(solution, gradient=gradients[k])
        return solution

    def _unpack(self, seen: _Visited, k: int) -> Solution:
        packed = seen.solutions[k]
        w = self.problems[k].zeros()
        w[packed.support] = packed.w
        return Solution(w, packed.intercept, packed.gap, 0, True, "", self._workspaces[k])

    def _nearest(self, x: Vector) -> _Visited | None:
        """The evaluation to start from: the nearest one, where a sparser one (larger λ) may be twice as far."""
        return min(
            (seen for seen in self.visited if seen.solutions),
            key=lambda seen: float(np.sum(np.maximum(seen.x - x, 0.0) + 2.0 * np.maximum(x - seen.x, 0.0))),
            default=None,
        )

    @property
    def best_index(self) -> int:
        values = [seen.decisive for seen in self.visited]
        if not np.isfinite(min(values)):
            raise ValueError(
                f"the criterion is not finite at any of the {len(values)} points visited: rescale X and y, or pass "
                "bounds that keep the hyperparameters moderate"
            )
        return int(np.argmin(values)) if self.chosen is None else self.chosen

    @property
    def standard_error(self) -> float | None:
        """Of the mean over folds at the best point: repeated folds are no new rows, and do not make it smaller."""
        values = self.visited[self.best_index].fold_values
        if values.size < 2:
            return None
        return float(np.std(values, ddof=1) / np.sqrt(values.size / self.n_repeats))

    def solutions(self, index: int, fold: int) -> list[Solution]:
        """Coefficients of a fold at an evaluation, to start from on other rows."""
        return [replace(self._unpack(self.visited[index], k), workspace=None) for k in self._of_model[fold]]

    def evaluation(self, index: int) -> Evaluation:
        seen = self.visited[index]
        values = self.space.values(seen.x)
        slope = self.space.slope(values)
        gradient = np.divide(seen.point.gradient, slope, out=0.0 * seen.point.gradient, where=slope != 0.0)
        value, by_value = seen.point.value, self.units.slope(seen.point.value)
        return Evaluation(
            index, self.space.to_params(values), self.units.shown(seen.decisive), by_value * gradient,
            seen.support_size, seen.tol, seen.seconds, self.units.shown(value),
        )  # fmt: skip

    def trace(self) -> Trace:
        evaluations = [self.evaluation(index) for index in range(len(self.visited))]
        d = len(self.space.names)
        return Trace(
            self.space.names,
            np.array([self.space.values(seen.x) for seen in self.visited]).reshape(-1, d),
            np.array([evaluation.value for evaluation in evaluations]),
            np.array([evaluation.gradient for evaluation in evaluations]).reshape(-1, d),
            np.array([evaluation.support_size for evaluation in evaluations]),
            np.array([evaluation.inner_tol for evaluation in evaluations]),
            np.array([evaluation.seconds for evaluation in evaluations]),
            np.array([evaluation.followed for evaluation in evaluations]),
        )


def _objective(problem: Problem, solution: Solution) -> float:
    """What the problem minimises, at a start."""
    support, w_S = solution.support, solution.w[solution.support]
    z = problem.prediction(support, w_S, problem.offset(solution))
    loss = problem.datafit.value(problem.y, z, problem.design.weights)
    return loss + problem.penalty.restricted(support).value(w_S)


_controller: ThreadpoolController | None = None


def _one_blas_thread() -> Any:
    global _controller
    if _controller is None:  # looking for the libraries takes milliseconds: once a process
        _controller = ThreadpoolController()
    return _controller.limit(limits=1, user_api="blas")


Rule = Callable[[CriterionObjective, Region], str]
"""Chooses among the points visited, perhaps after visiting more, and says how in a sentence."""


def run(
    objective: CriterionObjective, optimizer: OuterOptimizer, region: Region, *, tol: float, rule: Rule | None = None
) -> str:
    """Run an optimiser to its end, whatever the end is; returns the sentence that says how it ended.

    An interruption (Ctrl-C) ends the search but loses nothing, unless there is nothing yet to keep.
    """
    with objective.running():
        try:
            message = optimizer.minimize(objective, region, tol=tol)
            if rule is not None:
                message = f"{message}; {rule(objective, region)}"
        except Stop as stop:
            message = str(stop) if rule is None else f"{stop}, before the rule of one standard error was at its end"
        except KeyboardInterrupt:
            if not objective.visited:
                raise
            message = "interrupted: the best point so far is kept"
    return f"{message} ({len(objective.visited)} evaluations)"

"""Judges of several solutions at once: the problems of several targets, or of several classes, over the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit, log_expit

from lambdahat.box_problem import BoxProblem
from lambdahat.criteria.base import Solved, Validating, Validation
from lambdahat.design import Columns, Storage
from lambdahat.hypergradient import Judge
from lambdahat.linear import Matrix, Vector
from lambdahat.problem import Problem


def together(
    problems: Sequence[Problem | BoxProblem], storage: Storage, targets: Sequence[Matrix], weights: Vector
) -> Validating:
    """What judges the solutions of a fold's problems by rows of ``storage``, with weights of sum 1.

    One problem is judged by its error. Of several, regressions by the mean of theirs, and one class against the rest by
    the log-loss of the probabilities that they make together.

    Parameters
    ----------
    problems : sequence of K Problem
    storage : Storage
    targets : sequence of K arrays of shape (n,)
        Less their training means, as those of the problems.
    weights : array of shape (n,)
    """
    parts = tuple(
        Validation(problem.design.elsewhere(storage, weights), y, datafit=problem.datafit.prepared(y, weights))
        for problem, y in zip(problems, targets, strict=True)
    )
    return judged_together(parts, labels=problems[0].datafit.labels)


class Part(Protocol):
    """What judges one of several solutions: as :class:`Validation` does."""

    @property
    def y(self) -> Matrix: ...

    @property
    def weights(self) -> Vector: ...

    def predictions(self, support: Columns, w_S: Matrix, offset: Any) -> Matrix: ...

    def pulled(self, support: Columns, slopes: Matrix) -> tuple[Matrix, Any]: ...

    def error(self, support: Columns, w_S: Matrix, offset: Any) -> tuple[float, Matrix, Any]: ...

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]: ...


def judged_together(parts: Sequence[Part], *, labels: bool) -> Validating:
    """What judges several solutions, each by its part, whose targets may be labels."""
    if len(parts) == 1:
        return parts[0]
    return OneVsRestLoss(parts) if labels else MeanError(parts)


@dataclass(frozen=True, eq=False)
class MeanError:
    """The mean of the errors of several solutions."""

    parts: Sequence[Part]

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        errors = [part.error(*at)[0] for part, at in zip(self.parts, solved, strict=True)]
        K, total = len(errors), sum(errors)

        def judge(part: Part, others: float) -> Judge:
            def error(support: Columns, w_S: Vector, offset: float) -> tuple[float, Vector, float]:
                value, slopes, offset_slope = part.error(support, w_S, offset)
                return (value + others) / K, slopes / K, offset_slope / K

            return error

        return [judge(part, total - error) for part, error in zip(self.parts, errors, strict=True)]


@dataclass(frozen=True, eq=False)
class OneVsRestLoss:
    """The log-loss of ``p_k = σ(z_k) / Σ_j σ(z_j)``, where ``z_k`` are the log-odds of class k against the rest.

    With ``y`` the class of a row, ``C = Σ s (log Σ_j σ(z_j) − log σ(z_y))`` and

        ∂C/∂z_k = s (p_k − [y = k]) (1 − σ(z_k)),

    through which every class's coefficients have a say in the λ of every other.
    """

    parts: Sequence[Part]

    def judges(self, problems: Sequence[Any], solved: Sequence[Solved]) -> list[Judge]:
        own = [log_expit(part.predictions(*at)) for part, at in zip(self.parts, solved, strict=True)]
        # log Σ_{j≠k} σ(z_j), by sums from both ends: a difference would lose the digits of small ones.
        below = np.logaddexp.accumulate(own, axis=0)
        above = np.logaddexp.accumulate(own[::-1], axis=0)[::-1]
        nothing = np.full(own[0].size, -np.inf)
        before, after = [nothing, *below[:-1]], [*above[1:], nothing]
        of_class = np.select([part.y > 0.0 for part in self.parts], own)
        return [
            self._judge(part, np.logaddexp(low, high), of_class)
            for part, low, high in zip(self.parts, before, after, strict=True)
        ]

    @staticmethod
    def _judge(part: Part, rest: Vector, of_class: Vector) -> Judge:
        """The judge of class k; ``rest`` is ``log Σ_{j≠k} σ(z_j)``, ``of_class`` is ``log σ(z_y)``."""
        weights, mine = part.weights, part.y > 0.0

        def error(support: Columns, w_S: Vector, offset: float) -> tuple[float, Vector, float]:
            z = part.predictions(support, w_S, offset)
            own = log_expit(z)
            total = np.logaddexp(own, rest)
            value = float(weights @ (total - np.where(mine, own, of_class)))
            slope = weights * (np.exp(own - total) - mine) * expit(-z)
            return value, *part.pulled(support, slope)

        return error

"""Reverse mode: back through the iterations, with one vector whatever the number of hyperparameters.

Franceschi et al., *Forward and reverse gradient-based hyperparameter optimization*, ICML 2017; Bertrand et al., JMLR
2022, for coordinate descent. Checkpoints as in Griewank and Walther, *Evaluating Derivatives*, Chapter 12,
in two levels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from lambdahat.hypergradient.base import Differentiated, Judge, Watch, iterated_solution, sentence
from lambdahat.hypergradient.iterations import ITERATIONS, Iteration, begin, coefficients, pullback
from lambdahat.linear import Vector
from lambdahat.problem import Problem, Solution


class Tape:
    """The iterates of an iteration, of which few are stored: the others are made again from the checkpoint before them.

    Checkpoints are ``spacing`` iterations apart. When they are more than twice that many, every other one is dropped
    and the spacing doubles, so that K iterations need at most √(2K) + 2 checkpoints, and as many again while a segment
    is replayed: no more than ``3√K + 4`` iterates at a time, of p + 1 numbers each.
    """

    def __init__(self, iteration: Iteration, u: Vector) -> None:
        self.iteration = iteration
        self.last, self.length = u, 0
        self.checkpoints, self.spacing = [u], 1
        self.n_stored = 1

    def advance(self) -> Vector:
        """One iteration more."""
        self.last = self._next(self.last)
        self.length += 1
        if self.length % self.spacing == 0:
            self.checkpoints.append(self.last)
            if len(self.checkpoints) > 2 * self.spacing + 1:
                self.checkpoints = self.checkpoints[::2]
                self.spacing *= 2
        self.n_stored = max(self.n_stored, len(self.checkpoints) + 1)
        return self.last

    def reversed(self) -> Iterator[tuple[Vector, Vector]]:
        """Pairs of an iterate and the next one, the last pair first."""
        end = self.length
        for k in range(len(self.checkpoints) - 1, -1, -1):
            segment = [self.checkpoints[k]]
            for _ in range(k * self.spacing, end):
                segment.append(self._next(segment[-1]))
            self.n_stored = max(self.n_stored, len(self.checkpoints) + len(segment) + 1)
            end = k * self.spacing
            while len(segment) > 1:
                after = segment.pop()
                yield segment[-1], after

    def _next(self, u: Vector) -> Vector:
        return self.iteration.forward(u, np.empty((0, u.size)))[0]


def backward(
    problem: Problem,
    judge: Judge,
    *,
    tol: float,
    max_iter: int,
    start: Solution | None = None,
    solver: str = "coordinate_descent",
    force: bool = False,
) -> Differentiated:
    """Run the iterations of a solver, then differentiate them from the last to the first.

    Memory: at most 3√K + 4 vectors of length p + 1 for K iterations (:class:`Tape`), at the price of running each
    iteration twice. It iterates until what is left to go is estimated to be at most ``tol``, and goes back until what
    earlier iterations would add is estimated to be that little; where the first iteration is reached before, there were
    too few for their derivative to have converged, and as many again are made.
    """
    if solver == "accelerated":
        raise ValueError(
            "method='backward' does not go back through solver='accelerated', which would store twice as much: use "
            "solver='proximal_gradient' or 'coordinate_descent', or method='forward'"
        )
    began = time.perf_counter()
    iteration = ITERATIONS[solver](problem)
    tape = Tape(iteration, begin(iteration, start))
    settled = Watch(tol)
    arrived = False
    while tape.length < max_iter and not arrived:
        arrived = settled.arrived(tape.advance() * iteration.units)
    solved = time.perf_counter()
    while True:
        w, offset = coefficients(iteration, tape.last)
        support = problem.penalty.generalized_support(w)
        value, slopes, offset_slope = judge(support, w[support], offset)
        gradient, faded = _go_back(tape, pullback(iteration, support, slopes, offset_slope), tol)
        if faded or tape.length >= max_iter:
            break
        for _ in range(min(tape.length, max_iter - tape.length)):
            tape.advance()
    ended = time.perf_counter()
    converged, n_iter = arrived and faded, tape.length
    message = sentence(converged, n_iter, tol)
    solution = iterated_solution(problem, w, offset, n_iter, converged, message)
    return Differentiated(
        value, gradient, solution, n_iter, converged, message, solved - began, ended - solved, tape.n_stored
    )


def _go_back(tape: Tape, adjoint: Vector, tol: float) -> tuple[Vector, bool]:
    """The gradient with respect to θ, and whether the adjoint faded away on the way.

    The sum of all adjoints is what converges: to the solution of the implicit linear system.
    """
    iteration = tape.iteration
    gradient = np.zeros(iteration.problem.penalty.hyperparams.size)
    total = np.zeros_like(adjoint)
    settled = Watch(tol)
    units = np.divide(1.0, iteration.units, out=np.zeros_like(adjoint), where=iteration.units > 0.0)
    for before, after in tape.reversed():
        adjoint, added = iteration.backward(before, after, adjoint)
        gradient += added
        total += adjoint
        if settled.arrived(total * units):
            return gradient, True
    return gradient, False

"""Symmetric systems: exact when regular, of minimum norm when singular."""

import numpy as np
import pytest

from lambdahat.linear import conjugate_gradient, inverse_of_diagonal, pseudo_inverse, solve_dense


def gram(n, p, seed=0):
    A = np.random.default_rng(seed).normal(size=(n, p))
    return A.T @ A


@pytest.mark.parametrize("p", [1, 2, 30])
def test_regular(p):
    G = gram(p + 5, p)
    b = np.arange(1.0, p + 1)
    expected = np.linalg.solve(G, b)
    np.testing.assert_allclose(solve_dense(G.copy(), b), expected, rtol=1e-9)
    found, _ = conjugate_gradient(lambda v: G @ v, inverse_of_diagonal(G.diagonal()), b, atol=1e-13, max_iter=20 * p)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("p", [2, 10, 40])
def test_singular(p):
    G = gram(max(1, p // 2), p)
    b = G @ np.ones(p)
    np.testing.assert_allclose(solve_dense(G.copy(), b), np.linalg.pinv(G, hermitian=True) @ b, rtol=1e-7, atol=1e-10)
    found, _ = conjugate_gradient(
        lambda v: G @ v, inverse_of_diagonal(G.diagonal()), b, atol=1e-10 * np.abs(b).max(), max_iter=20 * p
    )
    np.testing.assert_allclose(G @ found, b, atol=1e-8 * np.abs(b).max())


def test_inconsistent_systems_stay_finite():
    G = np.ones((3, 3))
    b = np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(solve_dense(G.copy(), b), np.linalg.pinv(G) @ b)
    assert np.all(
        np.isfinite(conjugate_gradient(lambda v: G @ v, inverse_of_diagonal(G.diagonal()), b, atol=0.0, max_iter=50)[0])
    )


def test_nothing_and_zero():
    assert solve_dense(np.empty((0, 0)), np.empty(0)).size == 0
    np.testing.assert_array_equal(solve_dense(np.zeros((2, 2)), np.zeros(2)), np.zeros(2))


@pytest.mark.parametrize(("n", "p"), [(5, 1), (40, 30), (200, 64), (300, 150), (20, 40), (1, 3), (100, 129)])
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
def test_inverses_are_symmetric_and_those_of_numpy(n, p, unit):
    G = unit * gram(n, p)
    found = pseudo_inverse(G.copy())
    np.testing.assert_array_equal(found, found.T)
    expected = np.linalg.pinv(G, hermitian=True, rcond=1e-12)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def test_the_inverse_of_nothing_and_of_zero():
    assert pseudo_inverse(np.empty((0, 0))).shape == (0, 0)
    np.testing.assert_array_equal(pseudo_inverse(np.zeros((2, 2))), np.zeros((2, 2)))
    np.testing.assert_allclose(pseudo_inverse(np.diag([2.0, 0.0, 4.0])), np.diag([0.5, 0.0, 0.25]))


def test_a_good_guess_saves_products():
    G, b = gram(40, 20), np.ones(20)
    exact = np.linalg.solve(G, b)
    _, cold = conjugate_gradient(lambda v: G @ v, inverse_of_diagonal(G.diagonal()), b, atol=1e-8, max_iter=200)
    guess = exact + 1e-9
    found, warm = conjugate_gradient(
        lambda v: G @ v, inverse_of_diagonal(G.diagonal()), b, atol=1e-6, max_iter=200, guess=guess
    )
    assert warm < cold
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    np.testing.assert_array_equal(guess, exact + 1e-9)


def test_conjugate_gradients_leave_alone_what_has_no_curvature():
    A = np.diag([2.0, 0.0, 4.0])
    x, _ = conjugate_gradient(
        lambda v: A @ v, inverse_of_diagonal(A.diagonal()), np.array([2.0, 1e-9, 8.0]), atol=1e-12, max_iter=50
    )
    np.testing.assert_allclose(x, [1.0, 0.0, 2.0])

"""The design as an operator: every pass against the centred, weighted matrix spelled out."""

import numpy as np
import pytest
import scipy.sparse

from lambdahat.design import Design, LinearSweeps, as_storage, shared_moments
from lambdahat.linear import Curvature
from zoo import STORAGES, sample

S = sample(25, 7)
COLUMNS = np.array([5, 0, 3], dtype=np.int32)
RNG = np.random.default_rng(0)


@pytest.fixture(params=STORAGES)
def storage(request):
    return as_storage(STORAGES[request.param](S.X))


@pytest.fixture(params=[True, False], ids=["centred", "raw"])
def center(request):
    return request.param


@pytest.fixture
def design(storage, center):
    return Design.create(storage, S.weight, center=center, standardize=False)


@pytest.fixture
def centred(center):
    return S.X - S.weight / S.weight.sum() @ S.X * center


def test_weights_and_means(design, center):
    s = S.weight / S.weight.sum()
    np.testing.assert_allclose(design.weights, s)
    assert design.total_weight == pytest.approx(S.weight.sum())
    np.testing.assert_allclose(design.means, s @ S.X * center, atol=1e-14)
    np.testing.assert_array_equal(design.rows, np.flatnonzero(S.weight))


def test_passes(design, centred):
    q, v = RNG.normal(size=25), RNG.normal(size=3)
    np.testing.assert_allclose(design.gradient(q), centred.T @ q, atol=1e-12)
    np.testing.assert_allclose(design.gradient_columns(COLUMNS, q), centred[:, COLUMNS].T @ q, atol=1e-12)
    np.testing.assert_allclose(design.product(COLUMNS, v), centred[:, COLUMNS] @ v, atol=1e-12)
    np.testing.assert_allclose(design.variances(COLUMNS), design.weights @ centred[:, COLUMNS] ** 2, rtol=1e-12)
    np.testing.assert_allclose(design.all_variances, design.weights @ centred**2, rtol=1e-12)


def test_several_passes_at_once(storage, center, centred):
    weights = [S.weight, np.where(np.arange(25) < 12, S.weight, 0.0), *(np.arange(25.0) % k for k in (2, 3, 4))]
    designs = Design.create_many(storage, weights, center=center, standardize=False)
    qs = [design.weights * RNG.normal(size=25) for design in designs]
    for one, many, q in zip(designs, Design.gradients(designs, qs), qs, strict=True):
        np.testing.assert_allclose(many, one.gradient(q), atol=1e-12)
    single = [Design.create(storage, weight, center=center, standardize=False) for weight in weights]
    for one, many in zip(single, designs, strict=True):
        np.testing.assert_allclose(one.means, many.means, atol=1e-14)


@pytest.mark.parametrize("n", [25, 5000])
@pytest.mark.parametrize("center", [True, False])
def test_gram_matrices_of_sparse_columns(n, center):
    """Also of more rows than are gathered at a time, some of which store nothing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 9)) * (rng.uniform(size=(n, 9)) < 0.2)
    X[:, 3] = 0.0
    design = Design.create(as_storage(STORAGES["csc"](X)), rng.uniform(size=n), center=center, standardize=False)
    columns = np.array([7, 0, 3, 5], dtype=np.int32)
    A = X[:, columns] - center * design.weights @ X[:, columns]
    np.testing.assert_allclose(
        design.support_gram(columns), A.T @ (design.weights[:, None] * A), rtol=1e-10, atol=1e-15
    )


def test_no_columns(design):
    none = np.empty(0, dtype=np.int32)
    np.testing.assert_array_equal(design.product(none, np.empty(0)), np.zeros(25))
    assert design.gradient_columns(none, np.ones(25)).size == 0
    assert design.variances(none).size == 0
    assert design.solve_support(none, Curvature(np.empty(0)), np.empty(0), atol=0.0).size == 0


@pytest.mark.parametrize("fmt", STORAGES)
@pytest.mark.parametrize("constant", [0.1, 1e-3, 1e6 / 3.0])
def test_scales_of_constant_columns_are_one(fmt, constant):
    """Also where rounding makes their variance look positive."""
    X = S.X.copy()
    X[:, 2], X[:, 4] = constant, 0.0
    design = Design.create(as_storage(STORAGES[fmt](X)), S.weight, center=True, standardize=True)
    s = design.weights
    expected = np.sqrt(s @ (X - s @ X) ** 2)
    expected[[2, 4]] = 1.0
    np.testing.assert_allclose(design.scales, expected, rtol=1e-5)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("support", [COLUMNS, np.arange(7, dtype=np.int32)])
def test_support_systems(design, centred, support, ridge):
    X, b = centred[:, support], RNG.normal(size=support.size)
    H = X.T @ (design.weights[:, None] * X) + ridge * np.eye(support.size)
    found = design.solve_support(support, Curvature(np.full(support.size, ridge)), b, atol=1e-14)
    np.testing.assert_allclose(found, np.linalg.solve(H, b), rtol=1e-8)


@pytest.mark.parametrize("fmt", ["C", "F", "csc"])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("p", [40, 60])
def test_wide_and_singular_support_systems(p, fmt, ridge):
    """More columns than rows: by the rows where there is a ridge, of minimum norm where there is none."""
    s = sample(12, p)
    design = Design.create(as_storage(STORAGES[fmt](s.X)), np.ones(12), center=True, standardize=False)
    X, support = s.X - s.X.mean(axis=0), np.arange(p, dtype=np.int32)
    H = X.T @ X / 12 + ridge * np.eye(p)
    b = H @ RNG.normal(size=p)
    found = design.solve_support(support, Curvature(np.full(p, ridge)), b, atol=1e-13)
    np.testing.assert_allclose(H @ found, b, atol=1e-9 * np.abs(b).max())
    if ridge:
        np.testing.assert_allclose(found, np.linalg.solve(H, b), rtol=1e-7)
    elif fmt != "csc" and p == 40:  # by conjugate gradients the norm is that of the diagonal
        np.testing.assert_allclose(found, np.linalg.pinv(H, hermitian=True) @ b, rtol=1e-6)


@pytest.mark.parametrize("smallest", [0.1, 1e-9])
@pytest.mark.parametrize("several", [False, True])
def test_wide_support_systems_with_ridges_of_their_own(smallest, several):
    """Of some columns, on some rows, for several right-hand sides; a tiny ridge costs no digits."""
    s = sample(20, 60)
    weight = np.where(np.arange(20) % 5 == 0, 0.0, 1.0)
    design = Design.create(as_storage(s.X), weight, center=True, standardize=False)
    support = np.sort(RNG.permutation(60)[:50]).astype(np.int32)
    X = (s.X - weight @ s.X / 16)[:, support]
    ridge = smallest * RNG.uniform(1.0, 3.0, 50)
    H = X.T @ (weight[:, None] / 16 * X) + np.diag(ridge)
    expected = RNG.normal(size=(50, 3) if several else 50)
    found = design.solve_support(support, Curvature(ridge), H @ expected, atol=1e-13)
    np.testing.assert_allclose(H @ found, H @ expected, atol=1e-11)
    if smallest == 0.1:
        np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("fmt", ["C", "F float32"])
def test_moments_add_up(fmt, center):
    storage = as_storage(STORAGES[fmt](S.X))
    first = np.arange(25) < 10
    one, other, whole = shared_moments(storage, S.y, S.weight, [first, ~first, first | ~first], center=center)
    both = one + other
    np.testing.assert_allclose(both.mean, whole.mean, rtol=1e-12)
    Z = np.column_stack([S.X, S.y])
    s = S.weight / S.weight.sum()
    np.testing.assert_allclose(whole.mean, s @ Z, rtol=1e-12)
    around = whole.mean if center else np.zeros(8)
    normal = both.about(around)
    D = Z - around
    np.testing.assert_allclose(normal.G, D[:, :-1].T @ (s[:, None] * D[:, :-1]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(normal.c, D[:, :-1].T @ (s * D[:, -1]), rtol=1e-9, atol=1e-12)
    assert normal.yy == pytest.approx(s @ D[:, -1] ** 2)


def test_too_many_groups_of_rows_are_not_shared():
    masks = list(np.random.default_rng(0).random((20, 25)) < 0.5)
    assert shared_moments(as_storage(S.X), S.y, S.weight, masks, center=True) is not None
    many = sample(200, 3)
    masks = list(np.random.default_rng(0).random((20, 200)) < 0.5)
    assert shared_moments(as_storage(many.X), many.y, many.weight, masks, center=True) is None


def test_indices_beyond_int32_are_refused():
    X = scipy.sparse.csc_array((1, 1))
    X.data, X.indices = np.broadcast_to(1.0, 2**31), np.broadcast_to(np.int64(0), 2**31)
    X.indptr = np.array([0, 2**31], dtype=np.int64)
    X.has_canonical_format = True
    with pytest.raises(ValueError, match=r"X stores 2147483648 values; .* not supported, split X"):
        as_storage(X)


@pytest.mark.parametrize("storage", STORAGES)
def test_the_largest_entry_of_each_column(storage):
    X = sample(30, 6).X.copy()
    X[:, 2], X[:, 4] = 0.0, -np.abs(X[:, 4])
    np.testing.assert_array_equal(as_storage(STORAGES[storage](X)).largest, np.abs(X).max(axis=0))


@pytest.mark.parametrize("storage", ["C", "F", "csc", "csc float32"])
@pytest.mark.parametrize("center", [True, False])
def test_linear_sweeps_solve_their_systems(storage, center):
    s = sample(50, 12, correlation=0.9)
    design = Design.create(as_storage(STORAGES[storage](s.X)), s.weight, center=center, standardize=False)
    columns = np.array([7, 0, 3, 9], dtype=np.int32)
    ridge, rhs = np.array([0.0, 0.1, 0.0, 1.0]), np.random.default_rng(0).normal(size=(3, 4))
    weights = s.weight / s.weight.sum()
    A = s.X[:, columns] - (weights @ s.X[:, columns] if center else 0.0)
    expected = np.linalg.solve(A.T @ (weights[:, None] * A) + np.diag(ridge), rhs.T).T
    sweeps = LinearSweeps(design, columns, Curvature(ridge), rhs)
    for _ in range(40):
        sweeps.run(10)
    np.testing.assert_allclose(sweeps.V, expected, rtol=1e-8)

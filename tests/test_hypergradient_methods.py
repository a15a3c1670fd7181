"""Every method against every other, and against central differences of problems solved by another program."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import reference
from lambdahat import (
    ElasticNet,
    HeldOut,
    Lasso,
    Ridge,
    SparseLogisticRegression,
    WeightedLasso,
    hypergradient,
    jacobian_convergence,
)
from lambdahat.criteria import Validation
from lambdahat.design import as_storage
from lambdahat.hypergradient import METHODS, convergence
from lambdahat.hypergradient.backward import Tape
from lambdahat.hypergradient.base import Watch
from lambdahat.hypergradient.iterations import ITERATIONS, ProximalGradient, begin
from lambdahat.penalties import weighted_l1
from lambdahat.problem import Model
from lambdahat.solvers import solve
from zoo import DATAFITS, PENALTIES, STORAGES, TARGETS, UNBOUNDED, factors, sample

WAYS = {
    "implicit": ("implicit", {}),
    "implicit_forward": ("implicit_forward", {}),
    "forward": ("forward", {}),
    "forward proximal": ("forward", {"solver": "proximal_gradient"}),
    "forward accelerated": ("forward", {"solver": "accelerated"}),
    "backward": ("backward", {}),
    "backward proximal": ("backward", {"solver": "proximal_gradient"}),
}
IMPLICIT = [way for way in WAYS if way.startswith("implicit")]
BOUNDED = [datafit for datafit in DATAFITS if datafit not in UNBOUNDED]
ITERATED = [way for way in WAYS if way.startswith(("forward", "backward"))]


def differentiate(way, problem, judge, *, tol=1e-9, max_iter=100_000, **settings):
    method, more = WAYS[way]
    return METHODS[method](problem, judge, tol=tol, max_iter=max_iter, **more, **settings)


def ways_of(datafit):
    return IMPLICIT if datafit in UNBOUNDED else WAYS


def setting(datafit, penalty, storage="C", fit_intercept=True, weighted=True, standardize=False):
    """A problem, its judge, and the criterion as a function of θ, solved in plain NumPy on the support."""
    s, target = sample(), TARGETS[datafit]
    y, y_val = target(s.y), target(s.y_val)
    if datafit != "quadratic":  # whose gradients are smaller
        penalty = penalty.with_hyperparams(0.2 * penalty.hyperparams)
    model = Model(lambda *_: penalty, fit_intercept, standardize, DATAFITS[datafit])
    weight = s.weight if weighted else np.ones(y.size)
    problem = model.problems(as_storage(STORAGES[storage](s.X)), y, [weight])[0]
    weights_val = np.full(y_val.size, 1.0 / y_val.size)
    design = problem.design.elsewhere(as_storage(s.X_val), weights_val)
    judge = Validation(design, y_val - problem.y_mean, datafit=DATAFITS[datafit]).error
    near = solve(problem, tol=1e-13)
    settings = {"fit_intercept": fit_intercept, "standardize": standardize}

    def criterion(theta):
        there = penalty.with_hyperparams(theta)
        if datafit == "quadratic":  # by other arithmetic
            dense = reference.Dense.create(s.X, y, weight, there, **settings)
            w = dense.polished(near.w)
            return weights_val @ (y_val - dense.y_mean - (s.X_val - dense.mean) @ w) ** 2
        smooth = reference.Smooth.create(s.X, y, weight, there, loss=datafit, **settings)
        w, b = smooth.polished(near.w, near.intercept)
        factor = DATAFITS[datafit].metric_factor
        return factor * weights_val @ smooth.loss.value(y_val, s.X_val @ w + b)

    return problem, judge, criterion


def log_differences(criterion, theta, step=1e-3):
    """Central differences in log θ, extrapolated."""
    out = []
    for e in np.eye(theta.size):
        wide, narrow = (
            (criterion(theta * np.exp(h * e)) - criterion(theta * np.exp(-h * e))) / (2.0 * h) for h in (step, step / 2)
        )
        out.append((4.0 * narrow - wide) / 3.0)
    return np.array(out)


def agree(problem, judge, criterion, ways=WAYS):
    theta = problem.penalty.hyperparams
    expected = log_differences(criterion, theta)
    scale = np.abs(expected).max()
    assert scale > 0.0
    for way in ways:
        result = differentiate(way, problem, judge)
        assert result.converged, (way, result.message)
        assert result.value == pytest.approx(criterion(theta), rel=1e-7), way
        assert np.abs(theta * result.gradient - expected).max() <= 1e-6 * scale, way


@pytest.mark.parametrize("fit_intercept", [False, True], ids=["through zero", "intercept"])
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("datafit", DATAFITS)
def test_all_methods_against_differences(datafit, penalty, storage, fit_intercept):
    agree(*setting(datafit, PENALTIES[penalty](12), storage, fit_intercept), ways=ways_of(datafit))


@pytest.mark.parametrize("storage", ["F float32", "csc float32", "csr"])
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardised"])
@pytest.mark.parametrize("datafit", DATAFITS)
def test_storages_and_scales(datafit, standardize, storage):
    penalty = PENALTIES["elastic net factors"](12)
    agree(*setting(datafit, penalty, storage, weighted=False, standardize=standardize), ways=ways_of(datafit))


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("datafit", DATAFITS)
def test_constant_columns_and_columns_off_centre(datafit, storage):
    """A constant column takes no part where there is an intercept, however the columns lie."""
    s, target = sample(), TARGETS[datafit]
    X = s.X.copy()
    X[:, 4] = 3.0
    X[:, 1] += 5.0
    model = Model(lambda p, _: PENALTIES["elastic net"](p), True, False, DATAFITS[datafit])
    problem = model.problems(as_storage(STORAGES[storage](X)), target(s.y), [s.weight])[0]
    judge = Validation(problem.design, problem.y, datafit=problem.datafit).error
    results = [differentiate(way, problem, judge) for way in ways_of(datafit)]
    for result in results[1:]:
        np.testing.assert_allclose(result.gradient, results[0].gradient, rtol=1e-6)
        assert result.solution.w[4] == 0.0
        assert result.solution.intercept == pytest.approx(results[0].solution.intercept, rel=1e-6)


@pytest.mark.parametrize(("way", "datafit"), [(way, datafit) for datafit in DATAFITS for way in ways_of(datafit)])
def test_a_solution_to_start_from_is_used(way, datafit):
    problem, judge, _ = setting(datafit, PENALTIES["elastic net"](12))
    cold = differentiate(way, problem, judge)
    warm = differentiate(way, problem, judge, start=cold.solution)
    np.testing.assert_allclose(warm.gradient, cold.gradient, rtol=1e-6)
    at_once = differentiate(way, problem, judge, start=cold.solution, max_iter=1)
    np.testing.assert_allclose(at_once.solution.w, cold.solution.w, atol=1e-7)
    assert at_once.solution.intercept == pytest.approx(cold.solution.intercept, abs=1e-7)


@pytest.mark.parametrize("datafit", UNBOUNDED)
@pytest.mark.parametrize("way", ITERATED)
def test_iterations_refuse_a_loss_without_a_bound_of_its_curvature(way, datafit):
    problem, judge, _ = setting(datafit, PENALTIES["l1"](12))
    sentence = (
        f"the second derivative of the {datafit.title()} loss has no bound, .* use method='implicit' or method='imp"
    )
    with pytest.raises(ValueError, match=sentence):
        differentiate(way, problem, judge)


@pytest.mark.parametrize("way", WAYS)
def test_no_coefficients_no_gradient(way):
    problem, judge, _ = setting("quadratic", PENALTIES["l1"](12))
    result = differentiate(way, problem.with_hyperparams(np.array([100.0])), judge)
    assert result.converged
    assert not result.gradient.any()
    assert not result.solution.w.any()


@pytest.mark.parametrize("way", ITERATED)
def test_accuracy_follows_tol(way):
    problem, judge, _ = setting("logistic", PENALTIES["elastic net"](12))
    exact = differentiate("implicit", problem, judge, tol=1e-14).gradient
    theta, errors, iterations = problem.penalty.hyperparams, [], []
    for tol in (1e-4, 1e-6, 1e-8):
        result = differentiate(way, problem, judge, tol=tol)
        assert result.converged
        errors.append(np.abs(theta * (result.gradient - exact)).max() / np.abs(theta * exact).max())
        iterations.append(result.n_iter)
        assert errors[-1] <= 50.0 * tol
        assert 0.0 <= result.solution.gap <= 10.0 * tol
    assert iterations == sorted(iterations)
    assert iterations[-1] > iterations[0]
    assert errors[-1] < errors[0]


@pytest.mark.parametrize("way", [*ITERATED, "implicit_forward"])
def test_max_iter_is_respected(way):
    problem, judge, _ = setting("logistic", PENALTIES["l1"](12))
    result = differentiate(way, problem, judge, max_iter=12)
    assert result.n_iter == 12
    assert not result.converged
    assert result.message.startswith("stopped after 12 iterations")
    assert "raise max_iter" in result.message
    assert result.solution.message == result.message


def test_a_slow_sequence_is_not_taken_for_one_that_has_arrived():
    """Steps of 1e-7 with a distance of 1e-4 left."""
    watch, k = Watch(1e-5), 0
    while not watch.arrived(np.array([1.0 + 0.999**k])):
        k += 1
    assert 0.999**k == pytest.approx(1e-5, rel=0.1)


@pytest.mark.parametrize("length", [1, 7, 64, 500, 5000])
def test_the_tape_stores_few_iterates_and_returns_all(length):
    problem, *_ = setting("quadratic", PENALTIES["l1"](12))
    iteration = ProximalGradient(problem)
    tape = Tape(iteration, begin(iteration, None))
    for _ in range(length):
        tape.advance()
    u = begin(iteration, None)
    expected = [u]
    for _ in range(length):
        u = iteration.forward(u, np.empty((0, u.size)))[0]
        expected.append(u)
    pairs = list(tape.reversed())
    assert len(pairs) == length
    for k, (before, after) in enumerate(reversed(pairs)):
        np.testing.assert_array_equal(before, expected[k])
        np.testing.assert_array_equal(after, expected[k + 1])
    assert tape.n_stored <= 3.0 * np.sqrt(length) + 4.0


@pytest.mark.parametrize("solver", ["coordinate_descent", "proximal_gradient"])
@pytest.mark.parametrize("datafit", BOUNDED)
def test_backward_keeps_its_bound(datafit, solver):
    problem, judge, _ = setting(datafit, PENALTIES["l1"](12))
    result = METHODS["backward"](problem, judge, tol=1e-10, max_iter=10_000, solver=solver)
    assert result.converged
    assert 4 < result.n_stored <= 3.0 * np.sqrt(result.n_iter) + 4.0
    assert result.n_stored < 0.5 * result.n_iter


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("penalty", ["l1 factors", "weighted l1 positive", "elastic net", "ridge factors"])
@pytest.mark.parametrize("solver", ["coordinate_descent", "proximal_gradient"])
@pytest.mark.parametrize("datafit", BOUNDED)
def test_reverse_is_the_transpose_of_forward_at_any_iterate(datafit, solver, penalty, storage):
    """⟨a, ∂T·J + ∂_θT⟩ both ways, far from the solution too."""
    problem, *_ = setting(datafit, PENALTIES[penalty](12), storage)
    iteration, rng = ITERATIONS[solver](problem), np.random.default_rng(0)
    u = begin(iteration, None)
    for k in range(4):
        J = np.zeros((problem.penalty.hyperparams.size, u.size))
        moving = u != 0.0
        moving[-1] = problem.has_offset
        J[:, moving] = rng.normal(size=(len(J), moving.sum()))
        after, J_after = iteration.forward(u, J)
        adjoint = rng.normal(size=u.size)
        adjoint[-1] *= problem.has_offset
        pulled, by_theta = iteration.backward(u, after, adjoint)
        np.testing.assert_allclose(J_after @ adjoint, J @ pulled + by_theta, rtol=1e-9, atol=1e-10, err_msg=str(k))
        u = after


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("solver", ["coordinate_descent", "proximal_gradient"])
@pytest.mark.parametrize("datafit", BOUNDED)
def test_one_iteration_against_differences(datafit, solver, storage):
    """``∂_u T`` along a direction, with ``∂_θ T``, at an iterate that is far from the solution."""
    problem, *_ = setting(datafit, PENALTIES["elastic net factors"](12), storage)
    iteration, rng, h = ITERATIONS[solver](problem), np.random.default_rng(1), 1e-6
    u = begin(iteration, None)
    nothing = np.empty((0, u.size))
    for _ in range(2):
        u = iteration.forward(u, nothing)[0]
    J = np.where(u != 0.0, rng.normal(size=(2, u.size)), 0.0)
    J_after, theta = iteration.forward(u, J)[1], problem.penalty.hyperparams
    for k in range(2):
        step = h * np.eye(2)[k]
        ends = [
            ITERATIONS[solver](problem.with_hyperparams(theta + t * step)).forward(u + t * h * J[k], nothing)[0]
            for t in (1.0, -1.0)
        ]
        np.testing.assert_allclose(J_after[k], (ends[0] - ends[1]) / (2.0 * h), atol=1e-7 * np.abs(J_after).max())


@dataclass(frozen=True)
class Groups:
    """``θ Σ_g ‖w_g‖`` over consecutive pairs, with no more than the prox and its Jacobian."""

    hyperparams: np.ndarray

    def with_hyperparams(self, theta):
        return Groups(theta)

    def _norms(self, z):
        pairs = z.reshape(-1, 2)
        return pairs, np.linalg.norm(pairs, axis=1)

    def prox(self, z, step):
        pairs, norms = self._norms(z)
        return (np.maximum(1.0 - step * self.hyperparams[0] / np.maximum(norms, 1e-300), 0.0)[:, None] * pairs).ravel()

    def _jacobian(self, z, step):
        pairs, norms = self._norms(z)
        level = step * self.hyperparams[0]
        by_z, by_theta = np.zeros((z.size, z.size)), np.zeros(z.size)
        for g in np.flatnonzero(norms > level):
            unit, block = pairs[g] / norms[g], slice(2 * g, 2 * g + 2)
            by_z[block, block] = np.eye(2) - level / norms[g] * (np.eye(2) - np.outer(unit, unit))
            by_theta[block] = -step * unit
        return by_z, by_theta

    def prox_jvp(self, z, step, dz):
        by_z, by_theta = self._jacobian(z, step)
        return dz @ by_z.T + by_theta

    def prox_vjp(self, z, step, v):
        by_z, by_theta = self._jacobian(z, step)
        return by_z.T @ v, np.array([by_theta @ v])


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("datafit", BOUNDED)
def test_a_block_penalty_needs_its_prox_and_the_jacobian_of_that_only(datafit, storage):
    problem, *_ = setting(datafit, PENALTIES["l1"](12), storage)
    theta = np.array([{"quadratic": 0.4, "logistic": 0.05, "huber": 0.2}[datafit]])
    problem = replace(problem, penalty=Groups(theta))

    def run(problem):
        iteration = ProximalGradient(problem)
        tape = Tape(iteration, begin(iteration, None))
        u, J = tape.last, np.zeros((1, tape.last.size))
        for _ in range(4000):
            tape.advance()
            u, J = iteration.forward(u, J)
        return tape, u, J

    tape, u, J = run(problem)
    assert 0 < np.count_nonzero(u[:-1]) < 12
    h = 1e-5
    ends = [run(problem.with_hyperparams(theta + t))[1] for t in (h, -h)]
    np.testing.assert_allclose(J[0], (ends[0] - ends[1]) / (2.0 * h), atol=1e-6 * np.abs(J).max())
    adjoint, gradient = np.linspace(-1.0, 1.0, u.size) * (u != 0.0), 0.0
    a = adjoint
    for before, after in tape.reversed():
        a, added = tape.iteration.backward(before, after, a)
        gradient += added[0]
    assert gradient == pytest.approx(J[0] @ adjoint, rel=1e-9)


@pytest.mark.parametrize("method", ["forward", "implicit_forward"])
def test_many_hyperparameters_are_refused_unless_forced(method):
    s = sample(n=30, p=120)
    model = WeightedLasso(alpha=1.0, weights=np.linspace(0.2, 0.4, 120))
    given = {"criterion": HeldOut(s.X_val, s.y_val)}
    with pytest.raises(
        ValueError,
        match=rf"method='{method}' carries the Jacobian with respect to all 120 hyperparameters: 120 × \|S\| numbers .*"
        r"at most 120 features, and 120 × 30 .* 0\.144 MB, in 121 times .*use method='implicit'.*or pass force=True",
    ):
        hypergradient(model, s.X, s.y, method=method, **given)
    forced = hypergradient(model, s.X, s.y, method=method, force=True, **given)
    expected = hypergradient(model, s.X, s.y, **given).gradient
    back = hypergradient(model, s.X, s.y, method="backward", **given)
    for result in (forced, back):
        np.testing.assert_allclose(result.gradient, expected, atol=1e-6 * np.abs(expected).max())


def test_going_back_through_momentum_is_refused():
    problem, judge, _ = setting("quadratic", PENALTIES["l1"](12))
    with pytest.raises(
        ValueError, match=r"method='backward' does not go back through .* use solver='proximal_gradient'"
    ):
        METHODS["backward"](problem, judge, tol=1e-6, max_iter=10, solver="accelerated")


def test_momentum_pays():
    problem, judge, _ = setting("logistic", PENALTIES["l1"](12))
    plain, fast = (differentiate(way, problem, judge) for way in ("forward proximal", "forward accelerated"))
    assert fast.n_iter < 0.5 * plain.n_iter


ESTIMATORS = {
    "Lasso": Lasso(alpha=0.1),
    "ElasticNet": ElasticNet(alpha=0.3, l1_ratio=0.4),
    "WeightedLasso": WeightedLasso(alpha=0.5, weights=np.linspace(0.1, 0.3, 12)),
    "Ridge": Ridge(alpha=2.0),
    "SparseLogisticRegression": SparseLogisticRegression(alpha=0.02, l1_ratio=0.9),
}


def target_of(estimator, y):
    return np.where(y > np.median(y), "yes", "no") if isinstance(estimator, SparseLogisticRegression) else y


@pytest.mark.parametrize("criterion", ["cv", "held-out"])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_the_function_takes_every_method(estimator, criterion):
    s = sample()
    y, y_val = target_of(estimator, s.y), target_of(estimator, s.y_val)
    chosen = {"criterion": "cv" if criterion == "cv" else HeldOut(s.X_val, y_val), "cv": 3, "tol": 1e-10}
    expected = hypergradient(estimator, s.X, y, **chosen, sample_weight=s.weight)
    scale = np.abs(expected.log_gradient).max()
    for method, more in WAYS.values():
        result = hypergradient(estimator, s.X, y, **chosen, sample_weight=s.weight, method=method, **more)
        assert result.converged
        assert result.n_iter >= 1
        assert result.value == pytest.approx(expected.value, rel=1e-6)
        assert np.abs(result.log_gradient - expected.log_gradient).max() <= 1e-6 * scale


@pytest.mark.parametrize("method", ["implicit_forward", "forward", "backward"])
def test_one_warning_where_max_iter_does_not_suffice(method):
    s = sample()
    with pytest.warns(ConvergenceWarning, match=r"Lasso stopped after .*max_iter") as caught:
        result = hypergradient(Lasso(0.01), s.X, s.y, method=method, cv=3, max_iter=11)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not result.converged


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": "newton"}, "unknown solver 'newton'"),
        ({"max_iter": 0}, "max_iter=0 is out of range"),
        ({"method": "forwards"}, "unknown method 'forwards': did you mean 'forward'?"),
    ],
)
def test_wrong_parameters(settings, message):
    s = sample()
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        hypergradient(Lasso(), s.X, s.y, **settings)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("solver", ["coordinate_descent", "proximal_gradient"])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_rates(estimator, solver, storage):
    """Linear convergence, once the support is found, at the rate of the restricted iteration."""
    s = sample(n=60, p=12)
    record = jacobian_convergence(
        estimator, STORAGES[storage](s.X), target_of(estimator, s.y), solver=solver, max_iter=20_000
    )
    assert record.converged
    assert record.solver == solver
    assert record.coef_errors.shape == record.jacobian_errors.shape == record.support_sizes.shape
    assert record.coef_errors[0] == pytest.approx(np.linalg.norm(record.coef))
    assert record.jacobian_errors[0] == pytest.approx(np.linalg.norm(record.jacobian))
    assert record.measured_rate == pytest.approx(record.theoretical_rate, rel=0.05)
    assert np.log(record.measured_rate) == pytest.approx(np.log(record.theoretical_rate), rel=0.15)
    assert 0 <= record.identified_at < len(record.supports) == record.coef_errors.size
    final = np.flatnonzero(record.coef)
    for support in record.supports[record.identified_at :]:
        np.testing.assert_array_equal(support, final)
    if record.identified_at and not isinstance(estimator, Ridge):
        assert record.support_sizes[0] == 0


def test_the_jacobian_recorded_is_that_of_the_coefficients():
    s, alpha, h = sample(), 0.1, 1e-5
    record = jacobian_convergence(Lasso(alpha), s.X, s.y)
    ends = [jacobian_convergence(Lasso(alpha + t), s.X, s.y).coef for t in (h, -h)]
    np.testing.assert_allclose(record.jacobian[:, 0], (ends[0] - ends[1]) / (2.0 * h), atol=1e-7)


def test_a_run_too_short_says_so():
    s = sample()
    record = jacobian_convergence(Lasso(0.01), s.X, s.y, solver="proximal_gradient", max_iter=2)
    assert not record.converged
    assert record.identified_at == -1
    assert np.isnan(record.measured_rate)
    assert 0.0 < record.theoretical_rate < 1.0
    assert len(record.supports) == 3


def test_the_power_method_finds_the_spectral_radius(monkeypatch):
    s = sample()
    exact = jacobian_convergence(Ridge(2.0), s.X, s.y).theoretical_rate
    monkeypatch.setattr(convergence, "_EXACT", 3)
    assert jacobian_convergence(Ridge(2.0), s.X, s.y).theoretical_rate == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("storage", ["C", "csc"])
def test_rows_of_weight_zero_are_rows_left_out(storage):
    problem, judge, _ = setting("logistic", PENALTIES["l1"](12), storage)
    s, kept = sample(), sample().weight > 0.0
    y = TARGETS["logistic"](s.y)
    X = as_storage(STORAGES[storage](s.X[kept]))
    fewer = Model(lambda *_: problem.penalty, True, False, DATAFITS["logistic"]).problems(X, y[kept], [s.weight[kept]])
    for way in ITERATED:
        expected = differentiate(way, problem, judge).gradient
        np.testing.assert_allclose(differentiate(way, fewer[0], judge).gradient, expected, rtol=1e-7)


def test_hyperparameters_that_the_support_does_not_see_have_no_derivative():
    problem, judge, _ = setting("quadratic", weighted_l1(np.resize([0.1, 50.0], 12)))
    unseen = np.resize([False, True], 12)
    for way in WAYS:
        gradient = differentiate(way, problem, judge).gradient
        assert not gradient[unseen].any()
        assert gradient.any()


def test_unpenalised_columns_alone():
    """No hyperparameter matters where every column is free or left out."""
    penalty = PENALTIES["l1"](12)
    penalty = replace(penalty, l1_factors=np.where(factors(12) == 0.0, 0.0, np.inf))
    problem, judge, _ = setting("quadratic", penalty)
    for way in WAYS:
        result = differentiate(way, problem, judge)
        assert result.converged
        assert np.count_nonzero(result.solution.w) == 2
        assert not result.gradient.any()

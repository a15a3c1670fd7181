"""Local linear convergence of the Jacobian, and its rate (Bertrand et al., JMLR 2022)."""

from collections.abc import Iterator
from types import SimpleNamespace

from ..common import Options, Record, bar
from .problems import Problem, by_problem, panels, problems

SOLVERS = ("coordinate_descent", "proximal_gradient")
DIVISORS = {"debian_text": 10, "meg_left": 2}  # at weaker penalties proximal gradient takes too long on the leadfield
ALLOWED = 0.05
ERRORS = ("coef_errors", "jacobian_errors", "support_sizes")
RATES = ("measured_rate", "theoretical_rate")


def records(options: Options) -> Iterator[Record]:
    import lambdahat

    if not hasattr(lambdahat, "jacobian_convergence"):
        print("This lambdahat has no jacobian_convergence.")
        return
    for problem in problems(["debian_text", "meg_left"], options):
        for solver in SOLVERS:
            yield converged(problem, solver)


def converged(problem: Problem, solver: str) -> Record:
    from lambdahat import jacobian_convergence

    divisor = DIVISORS[problem.data_name]
    estimator = problem.estimator(problem.alpha_max / divisor)
    result = jacobian_convergence(estimator, problem.data.X, problem.data.y, solver=solver, max_iter=20_000)
    return {
        "problem": problem.name,
        "solver": solver,
        "divisor": divisor,
        "identified_at": int(result.identified_at),
        **{key: float(getattr(result, key)) for key in RATES},
        **{key: [float(entry) for entry in getattr(result, key)] for key in ERRORS},
    }


def bars(records: list[Record]) -> list[Record]:
    return [_bar(record) for record in records]


def _bar(record: Record) -> Record:
    measured, radius = record["measured_rate"], record["theoretical_rate"]
    return bar(
        f"{record['problem']}, {record['solver'].replace('_', ' ')}: rate of the Jacobian once the support is found",
        "within 5 % of the spectral radius",
        f"{measured:.5f}, radius {radius:.5f}",
        abs(measured / radius - 1) <= ALLOWED,
    )


def draw(content: Record) -> object:
    """A row a problem, a column a solver."""
    from lambdahat.plots import plot_jacobian_convergence

    records = [record for group in by_problem(content["records"]).values() for record in group]
    figure, axes = panels(len(records))
    for each, record in zip(axes, records, strict=True):
        plot_jacobian_convergence(SimpleNamespace(**record), ax=each)
        each.set_title(f"{record['problem']}, λmax/{record['divisor']}", pad=26)  # above the legend
    return figure

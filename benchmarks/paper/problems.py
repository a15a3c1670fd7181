"""What the experiments share: problems with rows held out, searches by name, and panels."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec

import numpy as np

from ..common import Options, Record
from ..data import Data, DataAbsentError, debian_text, meg_left

INNER_TOL = 1e-4  # of every search that lets one choose
LIBSVM = {"rcv1": "rcv1.binary", "real-sim": "real-sim", "news20": "news20.binary"}


@dataclass(frozen=True)
class Problem:
    """A model without intercept, its data, and rows to judge it."""

    data_name: str
    model: str
    data: Data

    @property
    def name(self) -> str:
        return f"{self.model}, {self.data_name}"

    @property
    def criterion(self) -> object:
        from lambdahat import HeldOut

        return HeldOut(self.data.X_val, self.data.y_val)

    @property
    def alpha_max(self) -> float:
        """The gradient of the logistic loss at zero is half that of the squared one."""
        return self.data.alpha_max / (2 if self.model == "logistic" else 1)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Where searches look: the range of glmnet's paths where rows are more than columns (its defaults).

        The narrower, the better for those that visit all of it; narrower than this takes knowing where the best λ is.
        """
        return {"alpha": (self.alpha_max / 10_000, self.alpha_max)}

    def estimator(self, alpha: float = 1.0, **settings: object) -> object:
        import lambdahat

        kind = lambdahat.SparseLogisticRegression if self.model == "logistic" else lambdahat.Lasso
        return kind(alpha=alpha, fit_intercept=False, **settings)

    def first(self, rows: int) -> "Problem":
        """A small one of the same shape, to compile kernels with."""
        data = self.data
        return replace(self, data=replace(data, X=data.X[:rows], y=data.y[:rows]))


def problems(names: Iterable[str], options: Options) -> Iterator[Problem]:
    """Lasso and logistic regression on the data of these names; what is absent is skipped with a sentence."""
    for name in names:
        for model in ("lasso", "logistic"):
            try:
                yield Problem(name, model, _load(name, model, options.quick))
            except DataAbsentError as reason:
                print(f"{model} on {name} is skipped. {reason}", flush=True)


def _load(name: str, model: str, quick: bool) -> Data:
    if name == "debian_text":
        return debian_text(quick, target="is_library" if model == "logistic" else "log10_installed_kib")
    data = meg_left(quick) if name == "meg_left" else _libsvm(name)
    y = np.where(data.y > 0, 1.0, -1.0) if model == "logistic" else data.y
    return _split(replace(data, y=y))


def _libsvm(name: str) -> Data:
    """Labels ±1, for the Lasso too; downloaded once by libsvmdata, to a folder of its own."""
    try:
        from libsvmdata import fetch_dataset

        X, y = fetch_dataset(LIBSVM[name])
    except Exception as error:  # whatever a missing package or network makes of it
        raise DataAbsentError(f"libsvmdata could not fetch it: {type(error).__name__}.") from error
    return Data(X.tocsc(), np.asarray(y, dtype=np.float64))


def _split(data: Data) -> Data:
    """Two thirds of the rows train, by a fixed permutation; regression targets are centred by their mean."""
    n = len(data.y)
    order = np.random.default_rng(0).permutation(n)
    train, val = np.sort(order[: 2 * n // 3]), np.sort(order[2 * n // 3 :])
    centre = 0.0 if set(np.unique(data.y)) == {-1.0, 1.0} else data.y[train].mean()
    X_train, X_val = data.X[train], data.X[val]
    if isinstance(X_train, np.ndarray):
        X_train, X_val = np.asfortranarray(X_train), np.asfortranarray(X_val)
    return Data(X_train, data.y[train] - centre, X_val, data.y[val] - centre, data.note)


def searches(points: dict[str, int]) -> dict[str, object]:
    """The searches of these names, those with a number of points given it; what is not registered is skipped."""
    from lambdahat.estimators.gradient_search import OPTIMIZERS

    found: dict[str, object] = {}
    for name, n_points in points.items():
        if name == "auto":
            found[name] = name
        elif name in OPTIMIZERS:
            found[name] = _made(OPTIMIZERS[name], n_points)
        else:
            print(f"{name} is skipped: this lambdahat has no search of that name.", flush=True)
    return found


def _made(kind: Callable[..., object], n_points: int) -> object:
    sampler = "gp" if find_spec("torch") else "tpe"
    wanted = {"n_points": n_points, "inner_tol": INNER_TOL, "random_state": 0, "sampler": sampler}
    known = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in wanted.items() if key in known})


def searched(estimator: object, criterion: object, data: Data, optimizer: object, bounds: object) -> object:
    """A search without the final fit, between the same bounds as all others."""
    from lambdahat import GradientSearch

    settings = {"criterion": criterion, "optimizer": optimizer, "bounds": bounds}
    search = GradientSearch(estimator, **settings, refit=False, max_evals=10_000)
    return search.fit(data.X, data.y)


def panels(count: int, columns: int = 2, height: float = 2.4) -> tuple[object, list[object]]:
    """A figure as wide as a page, or as a column where it has one panel; and its axes."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(6.0 if columns > 1 else 3.3, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def by_problem(records: list[Record]) -> dict[str, list[Record]]:
    names = dict.fromkeys(record["problem"] for record in records)
    return {name: [record for record in records if record["problem"] == name] for name in names}


def legend_above(figure: object, axes: list[object], columns: int = 5) -> None:
    """One legend for all panels, instead of one in each."""
    entries: dict[str, object] = {}
    for each in axes:
        handles, labels = each.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
        if each.get_legend():
            each.get_legend().remove()
    figure.legend(entries.values(), entries, loc="outside upper center", ncols=columns, frameon=False)

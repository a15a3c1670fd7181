"""The three commands: their options, and nothing that takes long to import before a command runs."""

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lambdahat import __version__
from lambdahat.cli.errors import DataError

DEMO_CODE = """\
from lambdahat import GradientSearch, Lasso
from lambdahat.datasets import diabetes_interactions

data = diabetes_interactions()
search = GradientSearch(Lasso(), cv={cv}).fit(data.X, data.y)
print(search.best_params_, search.best_criterion_)"""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Model(StrEnum):
    """The models that ``tune`` knows."""

    lasso = "lasso"
    enet = "enet"
    wlasso = "wlasso"
    ridge = "ridge"
    logistic = "logistic"
    poisson = "poisson"
    gamma = "gamma"
    huber = "huber"
    sqrt_lasso = "sqrt-lasso"
    adaptive_lasso = "adaptive-lasso"
    one_vs_rest = "one-vs-rest"
    multinomial = "multinomial"
    linear_svc = "linear-svc"
    linear_svr = "linear-svr"

    @property
    def classifies(self) -> bool:
        """Whether the target is labels."""
        return self in (Model.logistic, Model.one_vs_rest, Model.multinomial, Model.linear_svc)


InputFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV, Parquet, svmlight or npz.")
]
Folds = Annotated[int, typer.Option("--cv", metavar="K", min=2, help="Number of cross-validation folds.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lambdahat {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Tune sparse linear models by gradient: λ for the Lasso and its kin, without a grid."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Where to put the picture.")] = Path(
        "lambdahat-demo"
    ),
    cv: Folds = 5,
) -> None:
    """Choose λ on real data, beside a grid search on the same splits."""
    with _told_to_people():
        _require("matplotlib", extra="plots")
        from lambdahat import datasets
        from lambdahat.cli import demo as demonstration
        from lambdahat.cli.progress import progress

        with progress("compiling the kernels"):
            data = [datasets.diabetes_interactions(), datasets.breast_cancer_interactions()]
            compile_seconds = demonstration.warm_up(data, cv)
        comparisons = []
        for dataset in data:
            with progress(dataset.name) as callback:
                comparisons.append(demonstration.compare(dataset, cv, callback))
            typer.echo(demonstration.table(comparisons[-1]) + "\n")
        typer.echo(
            f"criterion: mean squared error over {cv} folds, for both by scikit-learn's fits at that alpha\n"
            "seconds: on one core, final fit included\n"
            f"kernels: compiled beforehand by an untimed run ({compile_seconds:.1f} s) and kept"
        )
        picture = output / "criterion.png"
        demonstration.draw(comparisons, picture)
        typer.echo(f"picture: {picture}\n\nThe same in Python:\n\n{DEMO_CODE.format(cv=cv)}")


@app.command()
def tune(
    file: InputFile,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column to predict; for npz an array (default y), labels.npy or labels.npz:NAME.",
        ),
    ] = None,
    model: Annotated[
        Model,
        typer.Option(
            help="Lasso, elastic net, weighted, adaptive or square-root Lasso, or ridge of a number; logistic for two "
            "classes, one-vs-rest or multinomial for several, poisson for counts, gamma for positive numbers, huber "
            "(by its default delta) where there are outliers; of support vector machines, linear-svc for two "
            "classes and linear-svr for a number."
        ),
    ] = Model.lasso,
    cv: Folds = 5,
    shuffle: Annotated[
        bool,
        typer.Option(help="Deal rows into folds at random, or take blocks as they come."),
    ] = True,
    standardize: Annotated[bool, typer.Option(help="Bring all features to one scale, fold by fold.")] = True,
    criterion: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What to minimise: cv (the error of the model's own loss on rows left out), a scorer of scikit-learn "
            "on them (accuracy, r2, roc_auc, …), or without rows left out aic, aicc, bic, ebic, gcv or alo.",
        ),
    ] = "cv",
    one_standard_error: Annotated[
        bool,
        typer.Option(
            "--one-standard-error",
            help="Take the strongest penalty within one standard error of the best criterion, for a simpler model.",
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="MODEL", dir_okay=False, help="Save the fitted model here.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", dir_okay=False, help="Draw the criterion over λ here.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="HTML", dir_okay=False, help="Write a page with numbers and pictures here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")] = False,
) -> None:
    """Choose the regularisation of a model on FILE by cross-validation, and fit it."""
    with _told_to_people():
        from lambdahat.cli import models, tables
        from lambdahat.estimators.paths import path_through
        from lambdahat.report import Rows, summarise, write_page

        _check_outputs(output, plot, page)
        if plot is not None:
            _check_picture(plot)
        if page is not None:
            _check_page(page)
        _check_target(tables.format_of(file), target)
        judged_by = _criterion(criterion, _folds(cv, shuffle, model.classifies), one_standard_error)
        table = tables.read_training(file, target, labels=model.classifies)
        search, seconds = _search(model, table, judged_by, standardize)
        report = models.unprefixed(summarise(search, seconds=seconds, feature_names=table.feature_names))
        if output is not None:
            models.SavedModel(search.best_estimator_, table.feature_names, table.target).save(output)
        if plot is not None:
            _draw(search, plot)
        if page is not None:
            write_page(search, report, page, Rows(table.X, table.y, *path_through(search, table.X, table.y)))
        if as_json:
            typer.echo(
                json.dumps({"model": model.value, "file": str(file), "target": table.target, **report.to_dict()})
            )
        else:
            rows, features = table.X.shape
            folds = f", {cv} folds" if len(search.fold_criteria_) > 1 else ""
            typer.echo(
                f"{model.value} for {table.target!r} from {file.name}: "
                f"{rows} rows, {features} features{folds}\n\n{report.to_text()}"
            )


@app.command()
def predict(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", exists=True, dir_okay=False, help="A model saved by tune --output."),
    ],
    file: InputFile,
    output: Annotated[
        Path | None, typer.Option(metavar="CSV", dir_okay=False, help="Write here rather than to stdout.")
    ] = None,
) -> None:
    """Predict the rows of FILE with a saved model, as CSV with one column, named after the target."""
    with _told_to_people():
        import pandas as pd

        from lambdahat.cli import models, tables

        _check_outputs(output)
        saved = models.load(model)
        predictions = saved.estimator.predict(tables.read_features(file, saved.feature_names))
        text = pd.Series(predictions, name=saved.target).to_csv(index=False, lineterminator="\n")
        if output is None:
            typer.echo(text, nl=False)
        else:
            output.write_text(text, encoding="utf-8")


def _folds(number: int, shuffle: bool, stratified: bool) -> Any:
    """Shuffled unless told otherwise: blocks of a sorted file do not resemble the whole."""
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if stratified else KFold
    return kind(number, shuffle=shuffle, random_state=0 if shuffle else None)


def _criterion(name: str, cv: Any, one_standard_error: bool) -> Any:
    """The criterion of a name, or a question of usage."""
    from lambdahat import CrossValidation
    from lambdahat.estimators.named_criteria import as_criterion

    try:
        criterion = as_criterion(name, cv)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--criterion") from error
    if not one_standard_error:
        return criterion
    if not isinstance(criterion, CrossValidation):
        raise typer.BadParameter(
            f"--criterion {name} has no standard error, which --one-standard-error asks for: use cv, or a scorer."
        )
    return CrossValidation(cv, rule="1se", scoring=criterion.scoring)


def _search(model: Model, table: Any, criterion: Any, standardize: bool) -> tuple[Any, float]:
    """The fitted search and the seconds it took. What the library refuses is a fault of the data."""
    from scipy.sparse import issparse

    from lambdahat import GradientSearch
    from lambdahat.cli import models
    from lambdahat.cli.progress import progress

    estimator = models.estimator_of(model.value, standardize=standardize, sparse=issparse(table.X))
    start = time.perf_counter()
    with progress("tuning") as callback:
        search = GradientSearch(estimator, criterion=criterion, callback=callback)
        try:
            search.fit(table.X, table.y)
        except ValueError as error:
            raise DataError(str(error)) from error
    return search, time.perf_counter() - start


def _check_target(kind: Any, target: str | None) -> None:
    """Whether the option fits the format: a question of usage, answered before the file is read."""
    if kind.has_columns and target is None:
        raise typer.BadParameter("a CSV or Parquet file needs --target COLUMN, the column to predict.")
    if kind.name == "SVMLIGHT" and target is not None:
        raise typer.BadParameter("a svmlight file holds its own target; leave --target out.")


def _draw(search: Any, path: Path) -> None:
    from matplotlib.figure import Figure

    from lambdahat.plots import plot_criterion

    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    plot_criterion(search, ax=figure.subplots())
    figure.savefig(path, dpi=150)


def _check_outputs(*paths: Path | None) -> None:
    """Refuse before the work begins what could not be written after it."""
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise DataError(f"There is no folder {path.parent} to write {path.name} to.")


def _check_picture(path: Path) -> None:
    _require("matplotlib", extra="plots")
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in known:
        raise typer.BadParameter(f"{path.name} is no kind of picture: use one of .{', .'.join(sorted(known))}.")


def _check_page(path: Path) -> None:
    from lambdahat.report import check_writable

    try:
        check_writable(path)
    except ImportError as error:
        raise DataError(f"{error}.") from error


def _require(package: str, *, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise DataError(f'Pictures need {package}: run  pip install "lambdahat[{extra}]"')


@contextmanager
def _told_to_people() -> Iterator[None]:
    """Tell faults in the data in a sentence (exit 1), end at Ctrl-C quietly (130), warnings a line each."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield
    except BrokenPipeError:
        raise
    except OSError as error:
        typer.echo(f"Error: {error.filename}: {error.strerror}.", err=True)
        raise typer.Exit(1) from error
    except DataError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        for message in dict.fromkeys(str(warning.message) for warning in caught):
            typer.echo(f"Warning: {message}", err=True)

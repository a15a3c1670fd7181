"""One page that needs nothing but itself."""

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lambdahat.report.pictures import Rows, pictures
from lambdahat.report.summary import SearchReport

_COEFFICIENTS, _EVALUATIONS, _SPELLED = 50, 200, 4


def check_writable(path: Any) -> Path:
    """The file to write, or a sentence that says why it cannot be: a package or its folder is missing."""
    for package in ("jinja2", "matplotlib"):
        if find_spec(package) is None:
            raise ImportError(f"a report needs {package}, which is not installed: pip install 'lambdahat[report]'")
    target = Path(path).expanduser().resolve()  # a link stays one
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder: pass the name of a file in it, such as report.html")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent} to write {target.name} to: make it first")
    return target


def write_page(search: Any, report: SearchReport, path: Any, rows: Rows | None = None) -> None:
    """Write a fitted search as one HTML page; the file is whole at any time, also where there was one before.

    Parameters
    ----------
    search : GradientSearch
        A fitted search.
    report : SearchReport
        Its summary.
    path : str or Path
    rows : Rows, optional
        Data for the pictures that need them.
    """
    target = check_writable(path)
    content = page(search, report, rows).encode("utf-8", "replace")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def page(search: Any, report: SearchReport, rows: Rows | None = None) -> str:
    """The page as text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("lambdahat.report").joinpath("page.html.j2").read_text("utf-8"))
    coefficients, coefficients_title = report.largest(_COEFFICIENTS)
    return template.render(
        report=report,
        coefficients=[(name, f"{value:+.6g}") for name, value in coefficients],
        coefficients_title=coefficients_title,
        folds=_fold_rows(report),
        evaluations=_evaluations(search),
        pictures=pictures(search, report, rows),
        version=_version(),
    )


def _fold_rows(report: SearchReport) -> list[tuple[int, str, str, str]]:
    sizes = report.setting.fold_rows if report.setting is not None else ((None, None),) * len(report.fold_criteria)
    return [
        (k, *("–" if size is None else str(size) for size in rows), f"{value:.6g}")  # type: ignore[misc]
        for k, (rows, value) in enumerate(zip(sizes, report.fold_criteria, strict=True))
    ]


def _evaluations(search: Any) -> tuple[list[str], list[list[str]], int]:
    """Heads and rows of the table of evaluations, and how many are left out."""
    trace = search.trace_
    d, n = len(trace.hyperparam_names), trace.values.size
    spelled = range(d if d <= _SPELLED else 0)
    heads = ["#", *(trace.hyperparam_names[k] for k in spelled), "criterion", "non-zero", "seconds"]
    table = [
        [
            str(i + 1),
            *(f"{trace.hyperparams[i, k]:.6g}" for k in spelled),
            f"{trace.values[i]:.6g}",
            "–" if np.isnan(trace.support_sizes[i]) else f"{trace.support_sizes[i]:.4g}",
            f"{trace.seconds[i]:.3f}",
        ]
        for i in range(min(n, _EVALUATIONS))
    ]
    return heads, table, n - len(table)


def _version() -> str:
    try:
        return version("lambdahat")
    except PackageNotFoundError:  # a source tree on sys.path
        return ""

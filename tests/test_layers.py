"""The layers of docs/design.md: a module imports only from its own package and from layers on its left."""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

PACKAGE = "lambdahat"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

# Left to right. Packages that share a layer do not import each other.
LAYERS: list[set[str]] = [
    {"linear"},
    {"_validation"},
    {"kernels"},
    {"design"},
    {"datafits", "penalties"},
    {"coupled"},
    {"problem"},
    {"box_problem", "two_stages"},
    {"solvers"},
    {"hypergradient"},
    {"criteria"},
    {"outer"},
    {"search"},
    {"plots"},
    {"report"},
    {"estimators"},
    {PACKAGE},  # what `from lambdahat import Lasso` reads; its __init__.py may import everything
    {"datasets", "tables", "inverse"},
    {"cli"},
    {"testing"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def violations(tree: dict[str, str]) -> list[str]:
    """Sentences, one per forbidden import, from a mapping of paths inside the package to sources."""
    found = []
    for path, source in tree.items():
        module = layer_of(path)
        if module == PACKAGE:
            continue
        if module not in RANK:
            found.append(f"{path} belongs to no layer: add {module!r} to LAYERS")
            continue
        for line, target in imports(path, source):
            if target not in RANK:
                found.append(f"{path}:{line} imports {target!r}, which belongs to no layer")
            elif target != module and RANK[target] >= RANK[module]:
                found.append(f"{path}:{line} imports {target!r}, which is not on the left of {module!r}")
    return found


def layer_of(path: str) -> str:
    first = PurePosixPath(path).parts[0].removesuffix(".py")
    return PACKAGE if first == "__init__" else first


def imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and layer of every import of the package itself, wherever in the file it stands."""
    package = (PACKAGE, *PurePosixPath(path).parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for root, *rest in names:
            if root == PACKAGE:
                submodule = bool(rest) and (rest[0] in RANK or len(rest) > 1)
                yield node.lineno, rest[0] if submodule else PACKAGE


def test_no_layer_imports_from_its_right():
    tree = {path.relative_to(SOURCE).as_posix(): path.read_text("utf-8") for path in SOURCE.rglob("*.py")}
    assert tree
    assert violations(tree) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("kernels/dense.py", "from lambdahat.design import Design"),
        ("solvers/anderson.py", "import numpy as np\nimport lambdahat.search as s"),
        ("solvers/anderson.py", "from lambdahat import cli"),
        ("solvers/anderson.py", "from .. import estimators"),
        ("solvers/anderson.py", "from ..criteria.held_out import HeldOut"),
        ("search.py", "def f():\n    from .estimators import Lasso"),
        ("penalties/l1.py", "from lambdahat.datafits import Quadratic"),
        ("datafits/quadratic.py", "from lambdahat.penalties import L1"),
        ("estimators/lasso.py", "from lambdahat import Lasso"),
        ("report/page.py", "from lambdahat.estimators import path"),
        ("plots/path.py", "from lambdahat.report import aligned"),
        ("novelty.py", "import numpy"),
        ("search.py", "from lambdahat.novelty import thing"),
    ],
)
def test_a_look_to_the_right_is_found(path, source):
    assert len(violations({path: source})) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("__init__.py", "from lambdahat.plots import plot_criterion"),
        ("estimators/gradient_search.py", "from lambdahat.report import summarise"),
        (
            "solvers/anderson.py",
            "from lambdahat.kernels import dense\nfrom .base import Solver\nfrom ..design import X",
        ),
        ("solvers/anderson.py", "from lambdahat.solvers.base import Solver"),
        ("search.py", "import lambdahatter\nfrom scipy import search"),
        ("cli.py", "from lambdahat import Lasso, __version__, report\nfrom lambdahat.datasets import load"),
    ],
)
def test_looks_to_the_left_are_allowed(path, source):
    assert violations({path: source}) == []

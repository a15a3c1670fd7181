"""The command ``lambdahat``: a demonstration, tuning on a file, predictions from a saved model."""

import sys
from importlib.util import find_spec

EXTRA = ("typer", "rich", "pandas", "pyarrow")


def main() -> None:
    """Run the command line, or say how to install what it needs."""
    missing = [package for package in EXTRA if find_spec(package) is None]
    if missing:
        sys.exit(f'The command line needs {", ".join(missing)}: run  pip install "lambdahat[cli]"')
    from lambdahat.cli.app import app

    app(prog_name="lambdahat")

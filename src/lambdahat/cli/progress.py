"""A line on the terminal that tells how a search advances."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text


@contextmanager
def progress(title: str) -> Iterator[Callable[[Any], None]]:
    """Show a line on stderr while the block runs, in a terminal only; yields the callback for the search."""
    with Console(stderr=True).status(Text(title)) as status:
        yield lambda evaluation: status.update(Text(f"{title}: {describe(evaluation)}"))


def describe(evaluation: Any) -> str:
    """One evaluation in a line."""
    scalars = [f"{name} {float(value):.4g}" for name, value in evaluation.hyperparams.items() if np.ndim(value) == 0]
    return ", ".join(
        [
            f"evaluation {evaluation.index + 1}",
            *scalars,
            f"criterion {evaluation.value:.6g}",
            f"support {evaluation.support_size}",
            f"{evaluation.seconds:.1f} s",
        ]
    )

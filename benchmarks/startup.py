"""Import and first fit in a fresh process, over `import sklearn.linear_model`: compiling, and cached."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

from .common import Options, Record, bar, clock

REPEATS = 5
WANTED = {"empty cache": 4.0, "with cache": 0.5}
BASE = "import sklearn.linear_model, numpy"
FIRST_FIT = """
import numpy
from {library} import Lasso
X = numpy.random.default_rng(0).standard_normal((200, 50))
Lasso(alpha=0.1).fit(X, X[:, 0] - X[:, 1])
"""


def records(options: Options) -> Iterator[Record]:
    repeats = 2 if options.quick else REPEATS
    base = float(np.median([seconds(BASE) for _ in range(repeats)]))
    for library in ("lambdahat", "celer", "skglm"):
        script = FIRST_FIT.format(library=library)
        first, second = np.median([with_empty_cache(script) for _ in range(repeats)], axis=0)
        yield {
            "problem": f"{library}, import and first fit",
            "base": base,
            "empty cache": first - base,
            "with cache": second - base,
        }


def seconds(script: str, cache: str | None = None) -> float:
    """The wall time of a Python process that runs the script."""
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    return clock(lambda: subprocess.run([sys.executable, "-c", script], env=environment, check=True))[0]


def with_empty_cache(script: str) -> tuple[float, float]:
    """The seconds of a first and of a second process that share a new cache of compiled kernels."""
    with tempfile.TemporaryDirectory() as cache:
        return seconds(script, cache), seconds(script, cache)


def bars(records: list[Record]) -> list[Record]:
    ours = records[0]
    return [
        bar(
            f"import and first fit in a process, over `import sklearn.linear_model`, {state}",
            f"≤ {wanted:g} s",
            f"{ours[state]:.2f} s",
            ours[state] <= wanted,
        )
        for state, wanted in WANTED.items()
    ]

"""Peak memory of 5-fold cross-validation on debian_text, above the loaded data, in bytes of X.

Measured in a fresh process, once everything is imported and compiled: this module run as a script.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .common import Options, Record, bar, pinned, times
from .data import ROOT, DataAbsentError, debian_text

WANTED = 1.2


def records(options: Options) -> Iterator[Record]:
    """As the file stores the values (float32), and in double precision."""
    for dtype in ("float32", "float64"):
        command = [sys.executable, "-m", "benchmarks.memory", dtype, *(["--quick"] if options.quick else [])]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        record = json.loads(answer.stdout)
        if "absent" in record:
            print(f"debian_text is skipped. {record['absent']}")
            return
        yield {"problem": f"debian_text, {dtype}", **record, "bytes_of_X": record["peak"] / record["X"]}


def measure(dtype: str, quick: bool) -> Record:
    """Bytes: of X, of the process before the search, and of its peak above that."""
    from lambdahat import LassoCV

    data = debian_text(quick, np.dtype(dtype).type)
    cv = LassoCV(cv=5, fit_intercept=False)
    with pinned(1):
        cv.fit(data.X[:400], data.y[:400])  # imports and compiles
        before = status("VmRSS")
        reset_peak()
        cv.fit(data.X, data.y)
    size = data.X.data.nbytes + data.X.indices.nbytes + data.X.indptr.nbytes
    return {"X": size, "before": before, "peak": status("VmHWM") - before}


def status(key: str) -> int:
    """A memory figure of this process (Linux), in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


def reset_peak() -> None:
    """The kernel forgets the peak so far (loading has peaks of its own)."""
    Path("/proc/self/clear_refs").write_text("5")


def bars(records: list[Record]) -> list[Record]:
    return [_bar(record) for record in records]


def _bar(record: Record) -> Record:
    return bar(
        f"memory in 5-fold CV on {record['problem']}: peak above the loaded data, over the bytes of X",
        "≤ 1.2×",
        times(record["bytes_of_X"]),
        record["bytes_of_X"] <= WANTED,
    )


def main() -> None:
    try:
        record = measure(sys.argv[1], "--quick" in sys.argv)
    except DataAbsentError as reason:
        record = {"absent": str(reason)}
    print(json.dumps(record))


if __name__ == "__main__":
    main()

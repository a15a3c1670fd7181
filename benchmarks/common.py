"""What every benchmark shares: timing, cutting off, threads, the bars, and the record of the machine."""

import multiprocessing
import os
import platform
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

PACKAGES = ("lambdahat", "scikit-learn", "celer", "skglm", "sparho", "numpy", "scipy", "numba", "joblib", "optuna")
Record = dict[str, object]


@dataclass(frozen=True)
class Options:
    quick: bool
    output: Path
    threads: int = 1


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """All BLAS and OpenMP pools that are loaded by now on the same number of threads; warnings silenced."""
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def clock(call: Callable[[], object], repeats: int = 1) -> tuple[float, object]:
    """The median seconds of a call, and what it returned last."""
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        result = call()
        seconds.append(perf_counter() - start)
    return float(np.median(seconds)), result


def within(limit: float, values: Iterable[object]) -> tuple[list[object], bool]:
    """The values, computed in a forked copy of this process, and whether they are complete.

    The copy is stopped when one value takes longer than `limit` seconds.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_send_all, args=(values, sender))
    child.start()
    sender.close()
    received: list[object] = []
    complete = False
    try:
        while receiver.poll(limit):
            received.append(receiver.recv())
    except EOFError:
        child.join()
        complete = True
    finally:
        if child.is_alive():
            os.killpg(child.pid, signal.SIGKILL)
            child.join()
    if complete and child.exitcode:
        raise RuntimeError("the forked process failed; its traceback is above")
    return received, complete


def _send_all(values: Iterable[object], sender: object) -> None:
    os.setsid()  # a group of its own, so that what it starts (Rscript) is stopped with it
    for value in values:
        sender.send(value)


def clock_or_cut(call: Callable[[], object], limit: float, short: float = 1.0) -> tuple[float, object | None]:
    """The seconds of a call and its (picklable) answer; `limit` and None when it takes longer.

    What proves to be short is timed again, in this process, as the median of several.
    """
    answers, complete = within(limit, (clock(call) for _ in range(1)))
    if not complete:
        return limit, None
    seconds, result = answers[0]
    if seconds > short:
        return seconds, result
    return clock(call, repeats=int(np.clip(short / seconds, 3, 20)))


def mean_squared_error(X: object, y: np.ndarray, coef: np.ndarray) -> float:
    return float(np.mean((y - X @ coef) ** 2))


def geometric_mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))


def times(ratio: float) -> str:
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"


def bar(what: str, wanted: str, measured: str, holds: bool) -> Record:
    """One line of the report: what was measured, what the issue asks, and whether it is reached."""
    return {"what": what, "bar": wanted, "measured": measured, "holds": bool(holds)}


def machine(threads: int) -> Record:
    from .glmnet import version as glmnet_version

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "blas": _pools(),
        "versions": {"python": platform.python_version(), **_versions(), "R glmnet": glmnet_version()},
    }


def _pools() -> list[str]:
    return sorted({f"{pool['internal_api']} {pool['version'] or ''}".strip() for pool in threadpool_info()})


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # lambdahat on PYTHONPATH is not installed
        return getattr(__import__("lambdahat"), "__version__", None) if name == "lambdahat" else None

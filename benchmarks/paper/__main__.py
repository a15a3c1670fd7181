"""`python -m benchmarks.paper NAME [--quick] [--output DIR] [--plot-only]`; NAME is an experiment, or `all`."""

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from lambdahat.plots import paper

from .. import output
from ..common import Options, Record, machine, pinned

NAMES = (
    "hypergradient", "jacobian", "held_out", "elastic_net", "criteria", "meg_sources", "meg_sure", "meg_noise",
)  # fmt: skip


def run(name: str, options: Options) -> None:
    """Run one experiment; its data are written anew after every record."""
    module = _module(name)
    records: list[Record] = []
    for record in module.records(options):
        records.append(record)
        print(output.line(record), flush=True)
        _save(name, options, records, bars=[])
    if not records:
        print(f"{name} measured nothing, and leaves no files.")
        return
    bars = module.bars(records)
    _save(name, options, records, bars)
    print(f"\n{output.markdown(records)}\n\n{output.markdown(bars)}", flush=True)
    redraw(name, options.output)


def _save(name: str, options: Options, records: list[Record], bars: list[Record]) -> None:
    content = {"name": name, "quick": options.quick, "machine": machine(options.threads)}
    output.write(options.output, name, {**content, "bars": bars, "records": records})
    output.write_csv(options.output, name, records)


def redraw(name: str, folder: Path) -> None:
    """The picture of an experiment, from its JSON file."""
    content = output.read(folder, name)
    if content is None:
        print(f"There is no {name}.json in {folder}: run `python -m benchmarks.paper {name} --output {folder}` first.")
        return
    with paper():
        figure = _module(name).draw(content)
        figure.savefig(folder / f"{name}.png")
    print(f"{folder / name}.png is drawn.", flush=True)


def _module(name: str) -> object:
    return importlib.import_module(f"{__package__}.{name}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all"])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try things out")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/paper"))
    parser.add_argument("--plot-only", action="store_true", help="draw again what was measured before")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS")
    given = parser.parse_args(arguments)
    for name in NAMES if given.name == "all" else [given.name]:
        size = " (quick sizes)" if given.quick else ""
        print(f"\n## {name}{size}: {_module(name).__doc__.splitlines()[0]}\n", flush=True)
        if given.plot_only:
            redraw(name, given.output)
        else:
            with pinned(given.threads):
                run(name, Options(given.quick, given.output, given.threads))


if __name__ == "__main__":
    main()

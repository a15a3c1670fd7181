"""`python -m benchmarks NAME [--quick] [--output DIR]`; NAME is a benchmark, `all`, or `report`."""

import argparse
import importlib
from pathlib import Path

from . import output
from .common import Options, Record, machine, pinned
from .peers import warm_up

NAMES = (
    "cold_fit",
    "logistic",
    "one_vs_rest",
    "multinomial",
    "blocks",
    "svm",
    "glm",
    "cox",
    "leave_one_out",
    "hold_out",
    "cross_validation",
    "tuning",
    "traps",
    "elastic_net",
    "weighted",
    "memory",
    "startup",
)


def run(name: str, options: Options) -> None:
    """Runs one benchmark; its JSON file is written anew after every record."""
    module = importlib.import_module(f"benchmarks.{name}")
    size = " (quick sizes)" if options.quick else ""
    print(f"\n## {name}{size}: {module.__doc__.splitlines()[0]}\n", flush=True)
    records: list[Record] = []
    for record in module.records(options):
        records.append(record)
        print(output.line(record), flush=True)
        _save(name, options, records, bars=[])
    bars = module.bars(records)
    _save(name, options, records, bars)
    if not records:
        return
    output.chart(options.output, name, records)
    print(f"\n{output.markdown(records)}\n\n{output.markdown(bars)}", flush=True)


def _save(name: str, options: Options, records: list[Record], bars: list[Record]) -> None:
    content = {"name": name, "quick": options.quick, "machine": machine(options.threads)}
    output.write(options.output, name, {**content, "bars": bars, "records": records})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all", "report"])
    parser.add_argument("folder", nargs="?", type=Path, help="for report: where the JSON files are")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try things out")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--threads", type=int, default=1, help="threads, and jobs, of every library")
    arguments = parser.parse_args()
    if arguments.name == "report":
        print(output.report(arguments.folder or arguments.output, list(NAMES)))
        return
    options = Options(arguments.quick, arguments.output, arguments.threads)
    warm_up()
    with pinned(options.threads):
        for name in NAMES if arguments.name == "all" else [arguments.name]:
            run(name, options)


if __name__ == "__main__":
    main()

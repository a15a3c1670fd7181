"""What a run leaves behind: one JSON file and one chart per benchmark, tables in the terminal, the report."""

import csv
import json
from pathlib import Path

from .common import Record


def write(folder: Path, name: str, result: Record) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path, name: str) -> Record | None:
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def write_csv(folder: Path, name: str, records: list[Record]) -> None:
    """The records as one table: lists (all those of a record have one length) a row an entry, beside the scalars."""
    rows = []
    for record in records:
        lists = {key: value for key, value in record.items() if isinstance(value, list)}
        scalars = {key: value for key, value in record.items() if not _is_nested(value)}
        entries = [dict(zip(lists, entry, strict=True)) for entry in zip(*lists.values(), strict=True)]
        rows += [{**scalars, **entry} for entry in entries or [{}]]
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "–" if value is None else str(value)


def line(row: Record) -> str:
    """The scalar entries of one row, for following a run."""
    return " · ".join(f"{key} {cell(value)}" for key, value in row.items() if not _is_nested(value))


def markdown(rows: list[Record]) -> str:
    """The scalar entries of the rows as a table, one column per key."""
    keys = list(dict.fromkeys(key for row in rows for key, value in row.items() if not _is_nested(value)))
    if not rows:
        return "(none)"
    cells = [keys, ["---"] * len(keys), *([cell(row.get(key)) for key in keys] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list)


def chart(folder: Path, name: str, records: list[Record]) -> None:
    """Horizontal bars of `ratio` (lambdahat over its reference; left of 1 is faster), log axis."""
    from matplotlib.figure import Figure

    rows = [record for record in records if record.get("ratio")]
    if not rows:
        return
    figure = Figure(figsize=(8, 1.2 + 0.4 * len(rows)), layout="constrained")
    axes = figure.subplots()
    labels = [f"{row['problem']}  (vs {row['peer']})" for row in rows]
    ratios = [row["ratio"] for row in rows]
    bars = axes.barh(labels, [ratio - 1 for ratio in ratios], left=1, color="tab:blue")
    axes.bar_label(bars, [f"{ratio:.2g}×" for ratio in ratios], padding=3)
    axes.set_xscale("log")
    axes.set_xlim(min(1, *ratios) / 2, max(1, *ratios) * 2)
    axes.xaxis.set_major_formatter("{x:g}×")
    axes.xaxis.set_minor_formatter("")
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("lambdahat's time / the other's time")
    axes.set_title(name.replace("_", " "))
    figure.savefig(folder / f"{name}.png", dpi=120)


def report(folder: Path, names: list[str]) -> str:
    """The markdown table of all bars, from the JSON files of a folder."""
    results = [result for name in names if (result := read(folder, name))]
    if not results:
        return f"There are no results in {folder}: run `python -m benchmarks all --output {folder}` first."
    bars = [bar for result in results for bar in result["bars"]]
    titles = {"what": "what", "bar": "bar", "measured": "measured", "holds": "holds?"}
    table = markdown([{title: bar[key] for key, title in titles.items()} for bar in bars])
    machines = list(dict.fromkeys(_sentence(result) for result in results))
    return "\n\n".join([table, *machines])


def _sentence(result: Record) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items() if value)
    size = " **Quick sizes: these figures count for nothing.**" if result["quick"] else ""
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores of which {machine['threads']} used; "
        f"{', '.join(machine['blas'])}; {versions}.{size}"
    )

"""A summary on one screen: by rich in a terminal where that is installed, as plain text elsewhere."""

import sys
from importlib.util import find_spec
from typing import Any

from lambdahat.report.summary import SearchReport

_SHOWN = 10  # coefficients


def print_summary(report: SearchReport) -> None:
    """Print what a search found.

    Parameters
    ----------
    report : SearchReport
    """
    if sys.stdout.isatty() and find_spec("rich") is not None:
        from rich.console import Console

        Console().print(_rich(report))
        return
    encoding = sys.stdout.encoding or "utf-8"  # one that lacks ± or λ shall not end in an error
    print(report.to_text(_SHOWN).encode(encoding, "replace").decode(encoding))


def _rich(report: SearchReport) -> Any:
    """The same as the plain text, in a frame; names are text, and no markup."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2))
    for label, text in report.rows():
        rows.add_row(Text(label, style="bold"), Text(text))
    parts: list[Any] = [rows]
    shown, title = report.largest(_SHOWN)
    if shown:
        coefficients = Table.grid(padding=(0, 2))
        coefficients.add_column(overflow="ellipsis", no_wrap=True, max_width=40)
        coefficients.add_column(justify="right")
        most = max(abs(value) for _, value in shown)
        for name, value in shown:
            bar = "█" * max(1, round(20 * abs(value) / most))
            coefficients.add_row(
                Text(name), Text(f"{value:+.6g}"), Text(bar, style="blue" if value > 0.0 else "dark_orange3")
            )
        parts += [Text(""), Text(title, style="bold"), coefficients]
    if report.remarks:
        parts.append(Text(""))
        parts += [Text(f"! {sentence}", style="yellow") for sentence in report.remarks]
    return Panel(Group(*parts), title="lambdahat", title_align="left", expand=False)

"""What the command line says to a person whose data are at fault."""

from collections.abc import Sequence


class DataError(Exception):
    """A fault in the user's data, told in one sentence: what, where, and what to do."""


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], limit: int = 5) -> str:
    """``'a', 'b' and 'c'``, or ``'a', 'b', 'c', 'd', 'e' and 7 more``."""
    shown = [repr(str(name)) for name in names[:limit]]
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"

"""Tables and bars for people: plain text of a known width where nobody has a terminal, colours where somebody has."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

EIGHTHS = " ▏▎▍▌▋▊▉"
TRACK = "·"


def console(*, plain_width: int = 80) -> Console:
    """Where answers for people go. What is no terminal gets no colour, and `plain_width` unless $COLUMNS is set."""
    is_told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(width=None if is_told else plain_width, highlight=False)


def bare_table(*, padding: int = 2) -> Table:
    """A table without lines: the space between its columns holds it together."""
    return Table(box=None, header_style="bold", pad_edge=False, padding=(0, padding, 0, 0))


def bar(share: float, width: int) -> str:
    """A bar as long as `share` (0 to 1) of `width` characters, in steps of an eighth."""
    whole, part = divmod(round(min(1.0, max(0.0, share)) * width * 8), 8)
    return "█" * whole + (EIGHTHS[part] if part else "")


def graded_bar(points: float, most: float, width: int) -> Text:
    """What was earned of the most that could be, from red to green, on a track; less than nothing as a number."""
    if points < 0:
        return Text(f"{points:+.0f}".ljust(width), style="red")
    share = points / most if most > 0 else 0.0
    style = "green" if share >= 2 / 3 else "yellow" if share >= 1 / 3 else "red"
    filled = bar(share, width)
    return Text.assemble((filled, style), (TRACK * (width - len(filled)), "dim"))


def counted(number: int, noun: str) -> str:
    """`1 target`, `2 targets`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""How scenarios came out, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from router_service.commands.demo.checks import Check
from router_service.commands.demo.scenario import Result
from router_service.commands.tables import bare_table

MARKS = {True: ("ok", "green"), False: ("FAILED", "bold red")}


def show(result: Result, console: Console) -> None:
    """A headline, and a line for each check with what was seen, and what was expected where that differs."""
    mark, style = MARKS[result.ok]
    console.print(Text.assemble((result.name, "bold"), "  ", (mark, style), f"  {result.seconds:.1f} s"))
    console.print(Padding(Text(result.about, style="dim"), (0, 0, 0, 2)))
    table = bare_table()
    table.show_header = False
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=1)
    for check in result.checks:
        mark, style = MARKS[check.ok]
        table.add_row(Text(mark, style=style), check.what, _seen(check))
    console.print(Padding(table, (0, 0, 0, 2)))
    console.print()


def verdict(results: Sequence[Result]) -> str:
    """The last line."""
    return f"{sum(result.ok for result in results)} of {len(results)} scenarios hold"


def document(results: Sequence[Result], seed: int) -> dict[str, object]:
    """The documented shape."""
    scenarios = [
        {
            "name": result.name,
            "ok": result.ok,
            "seconds": round(result.seconds, 3),
            "checks": [asdict(check) for check in result.checks],
        }
        for result in results
    ]
    return {"ok": all(result.ok for result in results), "seed": seed, "scenarios": scenarios}


def _seen(check: Check) -> Text:
    seen = Text(check.seen, style="" if check.ok else "red")
    return seen if check.seen == check.expected else seen.append(f" (expected {check.expected})", style="dim")

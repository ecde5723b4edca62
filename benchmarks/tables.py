"""The report as tables for people who wait for it, with what makes its figures doubtful."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.report import Peer, Report

NOISE = 0.05
MET = {True: "yes", False: "NO", None: ""}


def show(document: Report) -> None:
    """Print what there is of the two tables, and the doubts."""
    console = Console(width=120)
    where = f"Signalbox {document.commit} on {document.machine.cpu}, Python {document.machine.python}"
    if document.figures:
        console.print(_figures(where, document.figures))
        for doubt in doubts(document.figures):
            console.print(doubt)
    if document.peers:
        console.print(_peers(where, document.peers))


def _figures(title: str, figures: Sequence[Figure]) -> Table:
    table = Table(title=title)
    for heading in ("figure", "median", "unit", "spread", "floor", "ratio", "goal", "met"):
        table.add_column(heading, justify="left" if heading in ("figure", "unit", "goal", "met") else "right")
    for figure in figures:
        table.add_row(*_row(figure))
    return table


def _peers(title: str, peers: Sequence[Peer]) -> Table:
    """A column for each of them."""
    table = Table(title=title)
    table.add_column("median (spread)")
    for peer in peers:
        table.add_column(f"{peer.name} {peer.version}, {peer.protocol}", justify="right")
    for of_all in zip(*(peer.figures for peer in peers), strict=True):
        cells = (f"{figure.median:,g} ({figure.spread:.0%})" for figure in of_all)
        table.add_row(f"{of_all[0].name}, {of_all[0].unit}", *cells)
    times = ("" if peer.times is None else f"{peer.times:g}, goal {peer.goal}: {MET[peer.met]}" for peer in peers)
    table.add_row("times as many completions", *times)
    return table


def doubts(figures: Sequence[Figure]) -> Iterator[str]:
    """What a reader has to know of a run that was not alone on its machine."""
    medians = {figure.name: figure.median for figure in figures}
    if medians["foreign_cpu"] > NOISE:
        yield f"Others had {medians['foreign_cpu']:.0%} of the server's core: the latencies are theirs as much as ours."
    if medians["complete_wall"] < (1 - 2 * NOISE) * medians["complete"]:
        yield "The server's core was not busy all the time: load and upstream could not keep up on theirs."


def _row(figure: Figure) -> Sequence[str]:
    floor = "" if figure.floor_median is None else f"{figure.floor_median:,g}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    spread = f"{figure.spread:.0%}"
    return (figure.name, f"{figure.median:,g}", figure.unit, spread, floor, ratio, figure.goal or "", MET[figure.met])

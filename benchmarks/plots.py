"""The plots of docs/performance.md, drawn from a report: rates, added latencies, and the decision by its targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure, shown
from benchmarks.report import Report
from benchmarks.svg import FAINT, INK, Drawing

OWN, FLOOR, PEER = "#2563a8", "#9aa5b1", "#c77d2e"
NAMES = {"signalbox": "Signalbox", "litellm": "LiteLLM", "portkey": "Portkey"}
WIDTH, LEFT, RIGHT = 760, 210, 90
TOP, ROW, BAR = 58, 34, 20
GRID = "#e4e7eb"
GOALS = ((50, 30), (5000, 300))
"""How many µs a decision may take over how many targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A median with the least and the greatest of its values."""

    label: str
    values: Sequence[float]
    median: float
    colour: str


def plots(document: Report) -> Mapping[str, str]:
    """Each as SVG, by the name of its file."""
    return {
        "throughput.svg": _bars("Completions for each second of CPU time", "requests/s", list(_rates(document))),
        "added-latency.svg": _bars(
            "Added to a call, one in flight: median and 99th percentile", "ms", list(_latencies(document))
        ),
        "decision.svg": _decision(document),
    }


def _rates(document: Report) -> Iterator[Bar]:
    complete = _named(document.figures, "complete")
    assert complete.floor is not None
    assert complete.floor_median is not None
    yield Bar(label="bare relay (floor)", values=complete.floor, median=complete.floor_median, colour=FLOOR)
    yield _bar("Signalbox", complete, OWN)
    yield _bar("Signalbox, all traced", _named(document.figures, "complete_sampled_all"), OWN)
    for peer in document.peers:
        if peer.name != "signalbox":
            yield _bar(f"{NAMES[peer.name]} {peer.version}", _named(peer.figures, "complete"), PEER)


def _latencies(document: Report) -> Iterator[Bar]:
    for figure, percentile in (("added_latency_p50", "p50"), ("added_latency_p99", "p99")):
        own = _named(document.figures, figure)
        assert own.floor is not None
        assert own.floor_median is not None
        yield Bar(label=f"{percentile}: bare relay (floor)", values=own.floor, median=own.floor_median, colour=FLOOR)
        yield _bar(f"{percentile}: Signalbox", own, OWN)
        for peer in document.peers:
            if peer.name != "signalbox":
                yield _bar(f"{percentile}: {NAMES[peer.name]}", _named(peer.figures, figure), PEER)


def _bar(label: str, figure: Figure, colour: str) -> Bar:
    return Bar(label=label, values=figure.values, median=figure.median, colour=colour)


def _bars(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """A bar for each median, and a thin line from the least to the greatest of its values."""
    height = TOP + ROW * len(bars) + 38
    drawing = Drawing(WIDTH, height, title)
    drawing.text(18, 26, title, size=16, weight="bold")
    step = _step(max(max(bar.values) for bar in bars))
    top = step * math.ceil(max(max(bar.values) for bar in bars) / step)

    def across(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * max(0.0, value) / top

    _grid(drawing, [step * i for i in range(round(top / step) + 1)], across, height - 36)
    for i, bar in enumerate(bars):
        middle = TOP + ROW * i + ROW / 2 - 4
        drawing.text(LEFT - 10, middle, bar.label, anchor="end")
        drawing.box(LEFT, middle - BAR / 2, across(bar.median) - LEFT, BAR, fill=bar.colour)
        drawing.line((across(min(bar.values)), middle), (across(max(bar.values)), middle), colour=INK, width=1.5)
        drawing.text(across(max(bar.median, *bar.values)) + 8, middle, shown(bar.median))
    drawing.text(WIDTH - 18, 26, unit, anchor="end", colour=FAINT)
    return drawing.written()


def _decision(document: Report) -> str:
    """The number of targets goes by powers of ten, the time evenly."""
    title = "A decision, by the number of targets"
    drawing = Drawing(WIDTH, 340, title)
    drawing.text(18, 26, title, size=16, weight="bold")
    drawing.text(WIDTH - 18, 26, "µs", anchor="end", colour=FAINT)
    figures = [(int(f.name.removeprefix("decision_")), f) for f in document.figures if f.name.startswith("decision_")]
    greatest = max(*(max(figure.values) for _, figure in figures), *(bound for _, bound in GOALS))
    step = _step(greatest)
    top = step * math.ceil(greatest / step)

    def across(targets: int) -> float:
        return 100 + 560 * math.log10(targets / figures[0][0]) / math.log10(figures[-1][0] / figures[0][0])

    def up(time_us: float) -> float:
        return 285 - 225 * time_us / top

    for i in range(round(top / step) + 1):
        drawing.line((70, up(step * i)), (700, up(step * i)), colour=GRID)
        drawing.text(60, up(step * i), shown(step * i), anchor="end", colour=FAINT)
    for targets, bound in GOALS:
        drawing.line((across(targets) - 22, up(bound)), (across(targets) + 22, up(bound)), colour=PEER, width=2)
        drawing.text(across(targets) + 28, up(bound), f"goal {bound}", colour=PEER)
    drawing.line(*((across(targets), up(figure.median)) for targets, figure in figures), colour=OWN, width=2)
    for targets, figure in figures:
        x, y = across(targets), up(figure.median)
        drawing.line((x, up(min(figure.values))), (x, up(max(figure.values))), colour=INK, width=1.5)
        drawing.dot(x, y, colour=OWN)
        drawing.text(x, up(max(figure.values)) - 14, shown(figure.median), colour=OWN, anchor="middle", weight="bold")
        drawing.text(x, 303, f"{targets:,}".replace(",", " "), anchor="middle")
    drawing.text(385, 324, "targets", anchor="middle", colour=FAINT)
    return drawing.written()


def _grid(drawing: Drawing, marks: Sequence[float], across: Callable[[float], float], bottom: float) -> None:
    for mark in marks:
        drawing.line((across(mark), TOP - 8), (across(mark), bottom), colour=GRID)
        drawing.text(across(mark), bottom + 14, shown(mark), anchor="middle", colour=FAINT)


def _step(greatest: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that needs at most six steps."""
    power = 10.0 ** math.floor(math.log10(greatest / 6))
    return next(power * n for n in (1, 2, 5, 10) if 6 * power * n >= greatest)


def _named(figures: Sequence[Figure], name: str) -> Figure:
    return next(figure for figure in figures if figure.name == name)

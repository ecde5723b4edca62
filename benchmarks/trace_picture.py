"""One trace as a picture: `python -m benchmarks.trace_picture` runs a call that fails over and draws what was exported.

Bars are to scale, from the call's begin; the probe's bar has the same scale and a beginning of its own.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from benchmarks.publish import DOCUMENTS, PICTURES
from benchmarks.svg import FAINT, PAPER, Drawing
from benchmarks.traced import Trace, is_failed, traced_failover
from tests.harness.collector import Received

PICTURE = DOCUMENTS / PICTURES / "trace.svg"
WIDTH, BARS_FROM, BARS_TO, LANE = 860, 400, 836, 380
TOP, ROW, BAR = 62, 54, 22
CALLER, SERVED, DECIDED, FAILED, GOOD, PROBE = "#52606d", "#2563a8", "#12355b", "#c0392b", "#2e8b57", "#7b5ea7"
GRID = "#e4e7eb"
ROOM = 60


def main() -> int:
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(traced_failover()))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A span, its name, and what else is said of it."""

    received: Received
    name: str
    facts: str
    colour: str
    depth: int


def picture(trace: Trace) -> str:
    """The same spans give the same picture."""
    rows = [
        _Row(received=trace.caller, name="caller", facts="the application's own span", colour=CALLER, depth=0),
        _Row(received=trace.served, name=trace.served.span.name, facts=_served(trace.served), colour=SERVED, depth=1),
        *(
            _Row(received=a, name=_attempt(a), facts=_outcome(a), colour=FAILED if is_failed(a) else GOOD, depth=2)
            for a in trace.attempts
        ),
    ]
    height = TOP + ROW * (len(rows) + 1) + 40
    title = "One call that fails over, and the probe that its decision rested on"
    drawing = Drawing(WIDTH, height, title)
    drawing.text(18, 26, title, size=16, weight="bold")
    scale = _Scale(begin_ns=trace.caller.span.start_time_unix_nano, end_ns=trace.caller.span.end_time_unix_nano)
    bottom = TOP + ROW * len(rows)
    _axis(drawing, scale, bottom)
    for i, row in enumerate(rows):
        _draw(drawing, scale, row, _middle(i))
    for i, row in enumerate(rows[1:], start=1):
        _branch(drawing, row.depth, _middle(_parent(rows, i)), _middle(i))
    _decision(drawing, scale, trace, _middle(1))
    _probe(drawing, scale, trace, link_from=_middle(1), y=bottom + 62)
    return drawing.written()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    begin_ns: int
    end_ns: int

    def width(self, nanoseconds: int) -> float:
        return (BARS_TO - BARS_FROM) * nanoseconds / (self.end_ns - self.begin_ns)

    def at(self, time_ns: int) -> float:
        return BARS_FROM + self.width(time_ns - self.begin_ns)


def _middle(row: int) -> float:
    return TOP + ROW * row + ROW / 2


def _parent(rows: list[_Row], i: int) -> int:
    return next(above for above in range(i - 1, -1, -1) if rows[above].depth < rows[i].depth)


def _axis(drawing: Drawing, scale: _Scale, bottom: float) -> None:
    total_ms = (scale.end_ns - scale.begin_ns) / 1e6
    step_ms = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if total_ms / step <= 8)
    for mark in range(0, int(total_ms) + 1, step_ms):
        x = scale.at(scale.begin_ns + mark * 1_000_000)
        drawing.line((x, TOP), (x, bottom), colour=GRID)
        drawing.text(x, TOP - 9, f"{mark} ms", anchor="middle", colour=FAINT, size=11)


def _draw(drawing: Drawing, scale: _Scale, row: _Row, y: float) -> None:
    span, left = row.received.span, 18 + 26 * row.depth
    drawing.text(left, y - 9, row.name, weight="bold")
    drawing.text(left, y + 9, row.facts, colour=CALLER, size=11)
    _bar(drawing, scale, scale.at(span.start_time_unix_nano), y, row.received, row.colour)


def _bar(drawing: Drawing, scale: _Scale, x: float, y: float, received: Received, colour: str) -> None:
    """With how long it took, inside where there is room."""
    took_ns = received.span.end_time_unix_nano - received.span.start_time_unix_nano
    width = max(scale.width(took_ns), 2)
    drawing.box(x, y - BAR / 2, width, BAR, fill=colour)
    if width < ROOM:
        drawing.text(x + width + 8, y, _ms(took_ns), size=11)
    else:
        drawing.text(x + width - 8, y, _ms(took_ns), size=11, colour=PAPER, anchor="end")


def _branch(drawing: Drawing, depth: int, parent_y: float, y: float) -> None:
    """From below the parent's words to the left of the child's."""
    x = 18 + 26 * (depth - 1) + 8
    drawing.line((x, parent_y + 19), (x, y - 9), (x + 13, y - 9))


def _decision(drawing: Drawing, scale: _Scale, trace: Trace, y: float) -> None:
    """What the router does before it asks anybody: reading the message, admission, the decision."""
    served, first = trace.served.span.start_time_unix_nano, trace.attempts[0].span.start_time_unix_nano
    drawing.box(scale.at(served), y - BAR / 2, scale.width(first - served), BAR, fill=DECIDED)
    drawing.text(
        scale.at(first) + 8, y, f"reads and decides in {_ms(first - served)}, then asks", colour=PAPER, size=11
    )


def _probe(drawing: Drawing, scale: _Scale, trace: Trace, *, link_from: float, y: float) -> None:
    span = trace.probe.span
    earlier_s = (trace.served.span.start_time_unix_nano - span.start_time_unix_nano) / 1e9
    drawing.line((18, y - 42), (WIDTH - 18, y - 42), dashes="2 4")
    drawing.text(18, y - 9, span.name, weight="bold")
    status = trace.probe.attributes.get("http.response.status_code")
    drawing.text(
        18, y + 9, f"the prober's own trace, begun {earlier_s:.2f} s before; HTTP {status}", colour=CALLER, size=11
    )
    _bar(drawing, scale, BARS_FROM, y, trace.probe, PROBE)
    source = (scale.at(trace.served.span.start_time_unix_nano), link_from)
    drawing.arrow(source, (LANE, link_from), (LANE, y), (BARS_FROM, y), colour=PROBE, width=1.5, dashes="5 3")
    drawing.text(LANE - 6, y - 42 - 14, "link", colour=PROBE, size=11, anchor="end")


def _served(served: Received) -> str:
    attributes = served.attributes
    count = attributes["signalbox.attempts"]
    snapshot = f"snapshot {attributes['signalbox.snapshot.sequence']} of the {attributes['signalbox.snapshot.source']}"
    return f"SERVER, {attributes['rpc.response.status_code']}, {count} attempts, {snapshot}"


def _attempt(attempt: Received) -> str:
    attributes = attempt.attributes
    return f"{attempt.span.name}: attempt {attributes['signalbox.attempt']}, {attributes['gen_ai.provider.name']}"


def _outcome(attempt: Received) -> str:
    attributes = attempt.attributes
    if is_failed(attempt):
        return f"CLIENT, HTTP {attributes['http.response.status_code']}, {attributes['error.type']}"
    reasons = attributes["gen_ai.response.finish_reasons"]
    assert isinstance(reasons, tuple)
    return f"CLIENT, {attributes['gen_ai.usage.output_tokens']} tokens, {', '.join(reasons)}"


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())

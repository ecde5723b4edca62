"""What is published of a report: the tables and plots of docs/performance.md. `python -m benchmarks.publish` does it
for the report that is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

from benchmarks.figures import Figure, shown
from benchmarks.plots import NAMES, plots
from benchmarks.report import ROOT, Peer, Report, read
from benchmarks.tables import doubts

REPORT = Path(__file__).with_name("report.json")
DOCUMENTS = ROOT / "docs"
PAGE = DOCUMENTS / "performance.md"
PICTURES = "images"
LIBRARIES = ("grpcio", "protobuf", "aiohttp", "uvloop", "msgspec", "opentelemetry-sdk", "h2load")
MET = {True: "yes", False: "**no**", None: ""}


def main() -> int:
    """Publish the report that the last full run has left."""
    if not REPORT.exists():
        sys.stderr.write("There is no report yet: make bench measures and writes it.\n")
        return 1
    publish(read(REPORT))
    return 0


def publish(document: Report) -> None:
    """Write the page and its pictures anew. Without figures, where only peers were measured, nothing is."""
    if not document.figures:
        sys.stderr.write("Not published: the report has no figures of this commit and machine; make bench adds them.\n")
        return
    (DOCUMENTS / PICTURES).mkdir(exist_ok=True)
    for name, content in published(document, PAGE.read_text()).items():
        (DOCUMENTS / name).write_text(content)


def published(document: Report, page: str) -> Mapping[str, str]:
    """The files of docs/ by name. Of the page only what stands between its marks is replaced."""
    for name, lines in (
        ("run", _run(document)),
        ("figures", _figures(document.figures)),
        ("peers", _peers(document.peers)),
    ):
        page = _replaced(page, name, "\n".join(lines))
    pictures = {f"{PICTURES}/{name}": content for name, content in plots(document).items()}
    return {PAGE.name: page, **pictures}


def _replaced(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    assert found, f"docs/performance.md has no {begin}"
    assert closed, f"docs/performance.md has no {end}"
    return before + begin + text + end + after


def _run(document: Report) -> Iterator[str]:
    machine, settings = document.machine, document.settings
    libraries = ", ".join(f"{name} {document.versions[name]}" for name in LIBRARIES)
    told = (
        f"Commit {document.commit}; {machine.cpu}, {machine.cores} cores, Linux {machine.kernel}, "
        f"Python {machine.python}; {libraries}. One router process and its prober, {settings.candidates} targets to "
        f"choose from, no plan in the answer, a share of {settings.sampling:g} of the traces kept and exported, "
        "metrics on, one log line for each request written to a file."
    )
    yield fill(told, width=118, break_long_words=False, break_on_hyphens=False)
    yield from (f"\n{doubt}" for doubt in doubts(document.figures))


def _figures(figures: Sequence[Figure]) -> Iterator[str]:
    yield "| figure | median of five | spread | floor | ratio | goal | met |"
    yield "|---|---|---|---|---|---|---|"
    for f in figures:
        floor = "" if f.floor_median is None else shown(f.floor_median)
        ratio = "" if f.ratio is None else f"{f.ratio:.2f}"
        cells = (
            f"`{f.name}`",
            f"{shown(f.median)} {f.unit}",
            f"{f.spread:.0%}",
            floor,
            ratio,
            _goal(f.goal),
            MET[f.met],
        )
        yield f"| {' | '.join(cells)} |"


def _peers(peers: Sequence[Peer]) -> Iterator[str]:
    if not peers:
        yield "Not measured with this commit on this machine yet."
        return
    yield "| median (spread) | " + " | ".join(f"{NAMES[p.name]} {p.version}, {p.protocol}" for p in peers) + " |"
    yield "|---" * (len(peers) + 1) + "|"
    for of_all in zip(*(peer.figures for peer in peers), strict=True):
        cells = (f"{shown(f.median)} ({f.spread:.0%})" for f in of_all)
        yield f"| `{of_all[0].name}`, {of_all[0].unit} | {' | '.join(cells)} |"
    times = ("" if p.times is None else f"{p.times:.1f}, goal {_goal(p.goal)}: {MET[p.met]}" for p in peers)
    yield f"| as many completions through Signalbox | {' | '.join(times)} |"


def _goal(text: str | None) -> str:
    return (text or "").replace(">=", "≥").replace("<=", "≤")


if __name__ == "__main__":
    sys.exit(main())

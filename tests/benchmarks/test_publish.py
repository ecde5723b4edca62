"""docs/performance.md and its plots against benchmarks/report.json, and what becomes of a report in odd shape."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.figures import Figure
from benchmarks.publish import DOCUMENTS, PAGE, REPORT, published
from benchmarks.report import Peer, Report, joined, read, write

DOCUMENT = read(REPORT)
NAMES = """
route complete complete_sampled_all added_latency_p50 added_latency_p99 stream_chunks stream_first_chunk decision_50
decision_5000 memory_rest memory_per_stream cold_start
"""


def figure(name: str, *values: float) -> Figure:
    return Figure(
        name=name,
        unit="ms",
        values=values,
        median=values[0],
        spread=0.0,
        floor=None,
        floor_median=None,
        ratio=None,
        goal=None,
        met=None,
    )


def peer(name: str, *, goal: str | None = None) -> Peer:
    figures = [
        figure("complete", 200.0, 190.0, 210.0),
        figure("added_latency_p50", 7.0),
        figure("added_latency_p99", 9.0),
    ]
    return Peer(name=name, version="1.2.3", protocol="HTTP/1.1", figures=figures, times=9.5, goal=goal, met=True)


def beside(*names: str) -> Report:
    return replace(DOCUMENT, peers=[peer(name, goal=">= 9 times") for name in names])


def test_the_page_and_its_plots_are_those_of_the_report() -> None:
    for name, content in published(DOCUMENT, PAGE.read_text()).items():
        assert (DOCUMENTS / name).read_text() == content, f"docs/{name}: run python -m benchmarks.publish"


def test_the_report_has_every_figure_with_five_repeats() -> None:
    by_name = {f.name: f for f in DOCUMENT.figures}
    assert set(NAMES.split()) <= set(by_name)
    assert {len(f.values) for f in DOCUMENT.figures} == {5}


def test_other_routers_come_into_the_table_and_both_plots() -> None:
    files = published(beside("signalbox", "litellm", "portkey"), PAGE.read_text())
    assert "| 9.5, goal ≥ 9 times: yes |" in files["performance.md"]
    assert "LiteLLM 1.2.3, HTTP/1.1" in files["performance.md"]
    for plot in ("images/throughput.svg", "images/added-latency.svg"):
        assert "LiteLLM" in files[plot]
        assert "Portkey" in files[plot]


@pytest.mark.parametrize("path", sorted(Path(DOCUMENTS / "images").glob("*.svg")), ids=lambda path: path.name)
def test_pictures_are_well_formed_and_titled(path: Path) -> None:
    root = ElementTree.parse(path).getroot()  # our own file
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height


def test_a_fresh_half_joins_the_other_of_the_same_commit_and_machine(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert joined(replace(DOCUMENT, peers=()), path).peers == ()
    write(beside("litellm"), path)
    fresh = replace(DOCUMENT, peers=())
    assert [p.name for p in joined(fresh, path).peers] == ["litellm"]
    assert joined(replace(fresh, figures=(), peers=[peer("portkey")]), path).figures == DOCUMENT.figures
    assert joined(replace(fresh, commit="other"), path).peers == ()
    assert joined(replace(fresh, machine=replace(fresh.machine, cpu="other")), path).peers == ()

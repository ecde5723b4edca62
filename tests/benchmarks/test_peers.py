"""Other routers: how their figures are held against Signalbox's, and how their programs are run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.pair import Sample
from benchmarks.peers.compare import Seen, compared
from benchmarks.peers.measures import KINDS
from benchmarks.processes import MeasurementFailed, listening
from tests.harness.processes import wait_until

CORE = min(os.sched_getaffinity(0))


def seen(name: str, completions: float) -> Seen:
    samples = [Sample(figure=kind.name, value=completions if kind.name == "complete" else 1.0) for kind in KINDS]
    return Seen(name=name, version="1", protocol="HTTP/1.1", samples=samples)


def test_each_is_held_against_signalbox_which_comes_first() -> None:
    peers = compared([seen("portkey", 1000.0), seen("signalbox", 1300.0), seen("litellm", 100.0)])
    assert [(peer.name, peer.times, peer.met) for peer in peers] == [
        ("signalbox", None, None),
        ("litellm", 13.0, True),
        ("portkey", 1.3, False),
    ]
    assert [figure.name for figure in peers[1].figures] == [kind.name for kind in KINDS]


def test_a_program_of_others_has_the_environment_that_it_is_given(tmp_path: Path) -> None:
    program = "import json, os, pathlib; pathlib.Path('seen.json').write_text(json.dumps([os.getcwd(), *os.environ]))"
    ran = tmp_path / "peer" / "seen.json"
    with listening(
        "peer", [sys.executable, "-c", program], port=1, environment={"ONLY": "1"}, core=CORE, scratch=tmp_path
    ):
        wait_until(lambda: ran.exists() and bool(ran.read_bytes()), within_s=10, what="the program has run")
    directory, *names = json.loads(ran.read_bytes())
    assert directory == str(tmp_path / "peer")
    assert set(names) - {"LC_CTYPE"} == {"ONLY", "HOME"}


def test_a_program_that_ends_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no licence'); raise SystemExit(3)"]
    with listening("peer", command, port=1, environment={}, core=CORE, scratch=tmp_path) as process:

        def failure() -> str:
            try:
                process.must_live()
            except MeasurementFailed as failed:
                return str(failed)
            return ""

        wait_until(lambda: bool(failure()), within_s=10, what="the program has ended")
        with pytest.raises(MeasurementFailed, match=r"exit code 3(.|\n)*no licence"):
            process.must_live()

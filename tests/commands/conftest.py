"""Commands run in this process, in an empty directory, with nothing of this machine's environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from router_service.cli import main
from tests.commands.playing import PlayingRouter, serving


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left: its exit code, what it answered, and what it told people."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


Run = Callable[..., Output]


@dataclass(frozen=True, slots=True)
class Played:
    """A playing router and where it listens."""

    router: PlayingRouter
    address: str


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SIGNALBOX_", "COLUMNS"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def played() -> Iterator[Played]:
    router = PlayingRouter()
    with serving(router) as address:
        yield Played(router, address)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command and return what it left."""

    def run_here(*arguments: str) -> Output:
        code = main(arguments)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Output(code, captured.out, captured.err)

    return run_here

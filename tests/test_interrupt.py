"""Ctrl-C at any moment of a command: exit code 130, no traceback, whatever a library makes of the interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from router_service.cli import main
from router_service.commands import top
from router_service.commands.failure import ExitCode, Failure
from router_service.commands.interruptible import Interruptible
from router_service.interrupt import Interrupt
from tests.clients.playing_router import PlayingRouter, serving
from tests.test_cli import COMMAND, PATIENCE_S


@pytest.fixture(autouse=True)
def _the_signal_as_it_was() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def becomes_another_error() -> None:
    raise TypeError("half of something")


def becomes_a_failed_call() -> None:
    raise Failure("cancelled", ending=ExitCode.UPSTREAM, code="CANCELLED")


def is_swallowed() -> None:
    pass


@pytest.mark.parametrize("outcome", [becomes_another_error, becomes_a_failed_call, is_swallowed])
def test_an_interrupt_that_a_library_mistakes_is_one_all_the_same(
    outcome: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(PlayingRouter()) as prober:

        def clumsy(*_: object) -> str:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                outcome()
            return prober

        monkeypatch.setattr(top, "find_prober", clumsy)
        assert main(["top", "--once"], Interrupt()) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("module", ["click", "rich", "signalbox_client"])
def test_an_interrupt_while_modules_load_is_quiet(tmp_path: Path, module: str) -> None:
    """A module of the same name, found first, sends the signal in the midst of the imports."""
    (tmp_path / f"{module}.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, "top"], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt = Interrupt()
    with Interruptible[int]() as reading:
        for prepare in (interrupt.ends_the_process, interrupt.ends_the_command):
            prepare()
            signal.raise_signal(signal.SIGINT)
        assert list(reading.items([1])) == [1]
    assert not interrupt.has_come


def test_an_interrupt_comes_between_two_items_and_not_into_what_makes_them() -> None:
    left = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        os.kill(os.getpid(), signal.SIGINT)
        left.wait(PATIENCE_S)

    with Interruptible[int]() as reading:
        items = reading.items(source())
        assert next(items) == 1
        with pytest.raises(click.Abort):
            next(items)
        left.set()


def test_items_end_as_their_source_does() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with Interruptible[int]() as reading:
        assert list(reading.items([1, 2])) == [1, 2]
        items = reading.items(source())
        assert next(items) == 1
        with pytest.raises(LookupError, match="no more"):
            next(items)

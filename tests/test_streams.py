"""What a command does when a shell gives it streams that cannot be used: full, closed, or left by their reader."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.playing_router import ANSWER, PlayingRouter, serving
from tests.test_cli import COMMAND, NOBODY, PATIENCE_S, started

SHELL = "/bin/sh"
EXAMPLE = Path(__file__).resolve().parent.parent / "router_service/config/example.yaml"


@pytest.fixture(scope="module")
def router() -> Iterator[str]:
    """The address of a playing router, which is a playing prober too."""
    with serving(PlayingRouter()) as address:
        yield address


def shell(*arguments: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run a command as typed into a shell, with a redirection behind it."""
    line = f"{shlex.join([*COMMAND, *arguments])} {redirection}"
    return subprocess.run([SHELL, "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


ANSWERING = [
    ["complete", "hi"],
    ["complete", "hi", "--json"],
    ["complete", "hi", "--stream"],
    ["providers"],
    ["--help"],
]


@pytest.mark.parametrize("arguments", [*ANSWERING, ["providers", "--json"], ["top", "--once"]], ids=" ".join)
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_answer_that_cannot_be_written_is_exit_1_and_one_line(
    router: str, arguments: list[str], redirection: str, reason: str
) -> None:
    done = shell(*_at(router, arguments), redirection=redirection)
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last) == (1, f"signalbox: the answer cannot be written: {reason}")
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("arguments", ANSWERING, ids=" ".join)
def test_answer_that_nobody_reads_is_exit_130_and_quiet(router: str, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [*COMMAND, *_at(router, arguments)], stdout=pipe, stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False
        )
    assert (done.returncode, done.stderr) == (130, b"")


def test_failure_that_json_cannot_tell_is_told_to_people() -> None:
    done = shell("complete", "hi", "--json", "--address", NOBODY, redirection=">/dev/full")
    assert done.returncode == 3
    assert f"the router at {NOBODY} cannot be reached" in done.stderr
    assert "Exception" not in done.stderr


def test_interrupt_after_the_reader_left_is_quiet(router: str) -> None:
    with started("complete", "hang-midway", "--stream", "--json", "--address", router) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert process.stderr.read().strip() == ""


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_people_who_cannot_be_told_change_nothing(router: str, redirection: str) -> None:
    done = shell("complete", "hi", "--address", router, redirection=redirection)
    assert (done.returncode, done.stdout) == (0, f"{ANSWER}\n")
    failed = shell("complete", "hi", "--json", "--address", NOBODY, redirection=redirection)
    assert (failed.returncode, json.loads(failed.stdout)["error"]["code"]) == (3, "UNAVAILABLE")


def test_prompt_that_cannot_be_read_is_exit_2(router: str) -> None:
    done = shell("complete", "-", "--address", router, redirection="<&-")
    assert done.returncode == 2
    assert "the prompt cannot be read from standard input: Bad file descriptor" in done.stderr


def test_closed_streams_are_not_given_to_sockets() -> None:
    program = (
        "import os; from router_service.commands import streams; streams.prepare(); "
        "print([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)], file=open(os.environ['SEEN'], 'w'))"
    )
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    line = f"{shlex.join([sys.executable, '-c', program])} <&- >&- 2>&-"
    environment = os.environ | {"SEEN": f"/dev/fd/{writing}"}
    with os.fdopen(reading) as seen:
        subprocess.run([SHELL, "-c", line], env=environment, pass_fds=[writing], timeout=PATIENCE_S, check=True)
        os.close(writing)
        assert seen.read().strip() == str(["/dev/null"] * 3)


def _at(address: str, arguments: list[str]) -> list[str]:
    match arguments[0]:
        case "complete":
            return [*arguments, "--address", address]
        case "providers":
            return [*arguments, "--prober-address", address, "--config", str(EXAMPLE)]
        case "top":
            return [*arguments, "--prober-address", address]
        case _:
            return arguments

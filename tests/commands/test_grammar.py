"""What the command line takes: its help loads nothing of what does the work, and it says what the work does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
from signalbox_client import client

from router_service.cli import SUBCOMMANDS, signalbox
from router_service.commands.grammar import complete
from router_service.commands.grammar.config import FORMS
from router_service.config import Form

SLOW = {"aiohttp", "asyncio", "google.protobuf", "grpc", "msgspec", "opentelemetry", "pydantic", "rich", "ssl"}
SLOW |= {"signalbox_client", "uvloop", "yaml", "router_service.config", "router_service.main"}
OF_THEIR_OWN = ("prober",)
"""Another program explains itself."""


def _paths(command: click.Command, ctx: click.Context, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the command line, by the words that lead to it."""
    yield path
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from _paths(found, ctx, (*path, name))


PATHS = [path for path in _paths(signalbox, click.Context(signalbox)) if path not in [(name,) for name in OF_THEIR_OWN]]


def test_every_subcommand_is_asked_for_its_help() -> None:
    assert {path[0] for path in PATHS if path} == set(SUBCOMMANDS) - set(OF_THEIR_OWN)


def test_help_needs_none_of_the_slow_imports() -> None:
    program = f"import sys; from router_service.cli import main; [main([*path, '--help']) for path in {PATHS}]; "
    shown, modules = _ran(program + "print(*sys.modules)")
    assert shown.count("\n  --help ") == len(PATHS) - 1, "the simulator writes its own, which says -h too"
    assert SLOW & modules == set()


def test_help_of_the_prober_needs_none_of_the_slow_imports() -> None:
    program = "import atexit, runpy, sys; atexit.register(lambda: print(*sys.modules)); sys.argv[1:] = ['--help']; "
    shown, modules = _ran(program + "runpy.run_module('prober', run_name='__main__')")
    assert "--prober-address" in shown
    assert SLOW & modules == set()


def _ran(program: str) -> tuple[str, set[str]]:
    """What a program wrote, and the modules that it named in its last line."""
    finished = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return finished.stdout, set(finished.stdout.splitlines()[-1].split())


def test_times_that_the_help_tells_are_those_of_the_client() -> None:
    assert complete.UNARY_TIMEOUT_S == client.UNARY_TIMEOUT_S
    assert complete.STREAM_TIMEOUT_S == client.STREAM_TIMEOUT_S


def test_forms_that_can_be_asked_for_are_those_that_can_be_written() -> None:
    assert set(FORMS.choices) == {form.value for form in Form}

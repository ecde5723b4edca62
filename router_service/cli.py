"""The `signalbox` command: names its subcommands, and turns whatever happens into an exit code and one clear line."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import click

from router_service.commands import streams
from router_service.commands.failure import ExitCode, Failure, Form, bug, failure_of, interruption, tell, unwritten
from router_service.interrupt import Interrupt

_LOGGER = logging.getLogger(__name__)


SUBCOMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "up": "Run everything here: simulator, prober and router, with a demonstration.",
        "serve": "Run the router.",
        "prober": "Run the prober.",
        "simulate": "Run the simulated providers.",
        "complete": "Run one prompt through the router.",
        "route": "Ask where a request would go, and why.",
        "models": "List the models, their prices and their health.",
        "providers": "List the providers, their keys and their health.",
        "config": "Check, show, export and import configurations.",
        "keys": "Make keys for callers.",
        "demo": "Play scenarios with simulated providers and check them.",
        "top": "Watch the health of all targets.",
        "completion": "Write the script that lets a shell complete commands, options and names.",
    }
)
"""What the list of commands says about each; what it takes is in a module of its name."""


class Subcommands(click.Group):
    """A group that imports a subcommand when it is run, so that `signalbox --help` need not import gRPC."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        found: click.Command = importlib.import_module(f"router_service.commands.grammar.{cmd_name}").command
        return found

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(cls=Subcommands)
@click.version_option(package_name="signalbox", prog_name="signalbox")
@click.pass_obj
def signalbox(interrupt: Interrupt | None) -> None:
    """An LLM router: picks the provider that serves each request best right now, and accounts for it."""
    if interrupt is not None:  # click comes here once the subcommand's module is loaded
        interrupt.ends_the_command()


def main(arguments: Sequence[str] | None = None, interrupt: Interrupt | None = None) -> int:
    """Run the command line, of this process if none is given, and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    form = Form.JSON if "--json" in given else Form.TEXT
    _prepare()
    try:
        code = _run(given, interrupt)
    except streams.OutputLost as lost:
        streams.discard(sys.stdout)
        return _end(unwritten(lost), Form.TEXT)
    except Failure as failure:
        return _end(interruption() if _has_come(interrupt) else failure, form)
    return ExitCode.INTERRUPTED if _has_come(interrupt) else code


def _has_come(interrupt: Interrupt | None) -> bool:
    """Whatever the command made of it: an interrupt may be raised where a library turns it into something else."""
    return interrupt is not None and interrupt.has_come


def _end(failure: Failure, form: Form) -> int:
    tell(failure, form)
    return failure.ending


def _run(arguments: list[str], interrupt: Interrupt | None) -> int:
    """The subcommand's own exit code. Raises Failure, and OutputLost where the answer could not be written."""
    try:
        code = signalbox.main(arguments, prog_name="signalbox", standalone_mode=False, obj=interrupt)
    except streams.OutputLost:
        raise
    except click.Abort as error:
        raise interruption() from error
    except click.ClickException as error:
        raise failure_of(error) from error
    except Exception as error:
        _LOGGER.debug("no command expects this", exc_info=True)
        raise bug(error) from error
    return code if isinstance(code, int) else ExitCode.GOOD


def _prepare() -> None:
    """The streams, and the logs as the environment wants them; before gRPC is imported, which looks.

    The C core of gRPC writes to stderr in a form of its own what we tell in ours. Whoever looks for a fault in it sets
    the variable.
    """
    streams.prepare()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if os.environ.get("SIGNALBOX_LOG_LEVEL", "").lower() == "debug":
        logging.basicConfig(level=logging.DEBUG)

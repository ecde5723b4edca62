"""Programs of ours that run by themselves: their command lines, and how this process becomes one."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def become(module: str, arguments: Sequence[str]) -> None:
    """Replace this process by `python -m module`; it keeps the process id, the terminal and the signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, module_command(module, arguments))


def tethered_command(module: str, arguments: Sequence[str], *, stop_s: float) -> tuple[str, ...]:
    """The command line for a module of ours that ends with this process, also where that is killed; it then has
    `stop_s` seconds to stop.
    """
    return tuple(module_command("router_service.commands.tethered", [str(stop_s), module, *arguments]))


def module_command(module: str, arguments: Sequence[str]) -> list[str]:
    """The command line for a module of ours. -P keeps a directory of the same name where it is typed out of the way."""
    return [sys.executable, "-P", "-m", module, *arguments]

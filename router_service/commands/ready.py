"""The ready file of those who serve: whether it can be written is found out before they start."""

from __future__ import annotations

from pathlib import Path

from router_service.commands.failure import usage_failure
from router_service.rpc.process import CannotSayReady, check_ready_file


def check_ready(path: Path) -> None:
    """That the ready file cannot be written is said at once, and not when everything runs. Raises a Failure."""
    try:
        check_ready_file(path)
    except CannotSayReady as error:
        raise usage_failure(str(error), field="--ready-file") from error

"""How a command ends when it does not end well: an exit code, one clear line, or the error document of --json."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import assert_never

import click

from router_service.commands.streams import OutputLost, discard, say


class ExitCode(IntEnum):
    """What scripts go by. FAILED: something was not as expected, a bug of ours included."""

    GOOD = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    UPSTREAM = 5
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One thing that is wrong, and with what: a field of a request, an option, a place in the configuration."""

    field: str
    description: str


class Failure(click.ClickException):
    """A command's end that is no success. `code` is the name of a gRPC status, `reason` that of an ErrorReason, or
    USAGE or UNREACHABLE where no router was asked or none answered. `beside` are JSON documents that stand next to
    the error, by name.
    """

    def __init__(
        self,
        message: str,
        *,
        ending: ExitCode,
        code: str,
        reason: str = "",
        request_id: str = "",
        objections: Sequence[Objection] = (),
        advice: str = "",
    ) -> None:
        super().__init__(message)
        self.ending = ending
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.objections = tuple(objections)
        self.advice = advice
        self.beside: dict[str, str] = {}


def failure_of(error: click.ClickException) -> Failure:
    """Any complaint of the command line itself as the Failure that it is."""
    if isinstance(error, Failure):
        return error
    return usage_failure(error.format_message(), field=_parameter(error))


def usage_failure(message: str, *, field: str = "") -> Failure:
    """A command that was called in a way that cannot be meant."""
    objections = [Objection(field=field, description=message)] if field else []
    advice = "`signalbox COMMAND --help` says what a command takes"
    return Failure(
        message, ending=ExitCode.USAGE, code="INVALID_ARGUMENT", reason="USAGE", objections=objections, advice=advice
    )


def interruption() -> Failure:
    """Somebody pressed Ctrl-C, or whoever read the output went away."""
    return Failure("interrupted", ending=ExitCode.INTERRUPTED, code="CANCELLED", reason="CALLER_CANCELLED")


def unwritten(lost: OutputLost) -> Failure:
    """The answer is lost, because nobody reads it any more or because there is no room for it."""
    if lost.is_reader_gone:
        return interruption()
    return Failure(f"the answer cannot be written: {lost}", ending=ExitCode.FAILED, code="DATA_LOSS")


def bug(error: Exception) -> Failure:
    """Something that no command expects. Its text stays out: nobody knows what it tells."""
    return Failure(
        f"an internal error ({type(error).__name__}); nothing is known to be wrong with the command",
        ending=ExitCode.FAILED,
        code="INTERNAL",
        reason="INTERNAL",
        advice="run it again with SIGNALBOX_LOG_LEVEL=debug to see where it happened",
    )


class Form(IntEnum):
    """For whom a failure is told."""

    TEXT = 0
    JSON = 1


def tell(failure: Failure, form: Form) -> None:
    """A line and advice on stderr, or the error document on stdout, which falls back to the former."""
    match form:
        case Form.JSON:
            try:
                click.echo(json.dumps(_document(failure), ensure_ascii=False))
            except OutputLost:
                discard(sys.stdout)
                _tell_people(failure)
        case Form.TEXT:
            _tell_people(failure)
        case _:
            assert_never(form)


def _tell_people(failure: Failure) -> None:
    """Who interrupted a command knows that already."""
    if failure.ending is ExitCode.INTERRUPTED:
        return
    by_another = failure.ending in (ExitCode.REFUSED, ExitCode.UPSTREAM)
    reason = f" [{failure.reason or failure.code}]" if by_another else ""
    say(f"signalbox: {failure.message}{reason}")
    if failure.advice:
        say(f"  {failure.advice}")


def _document(failure: Failure) -> dict[str, object]:
    violations = [{"field": o.field, "description": o.description} for o in failure.objections]
    return {
        "error": {
            "code": failure.code,
            "reason": failure.reason,
            "message": failure.message,
            "request_id": failure.request_id,
            "field": violations[0]["field"] if violations else "",
            "violations": violations,
        },
        **{name: json.loads(document) for name, document in failure.beside.items()},
    }


def _parameter(error: click.ClickException) -> str:
    if isinstance(error, click.BadParameter) and error.param is not None:
        return error.param.opts[0]
    return getattr(error, "option_name", "")

"""`signalbox config`: check a configuration, show what it comes to, write it out, or begin with another program's."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from router_service import config
from router_service.commands.chains import table
from router_service.commands.configuration import as_failures, find_config
from router_service.commands.failure import ExitCode, usage_failure
from router_service.commands.streams import say
from router_service.commands.tables import console, counted
from router_service.config import Checked, Form, Problem
from router_service.files import read_file
from router_service.registry import known, registered

PLAIN_WIDTH = 160
"""Where no terminal says otherwise: chains of several targets stand in a line or two."""


def check(flag: str | None, *, as_json: bool) -> ExitCode:
    """Write every mistake, what is in vain, and the chains of the configuration that `flag` stands for."""
    path = find_config(flag)
    checked = _check(path)
    if as_json:
        click.echo(json.dumps(_document(checked), ensure_ascii=False))
        return ExitCode.GOOD if checked.is_good else ExitCode.USAGE
    for problem in checked.errors:
        click.echo(told(problem))
    for warning in checked.warnings:
        click.echo(f"warning: {warning}")
    if not checked.is_good:
        say(f"{counted(len(checked.errors), 'mistake')} in {path or 'the shipped configuration'}")
        return ExitCode.USAGE
    shown = console(plain_width=PLAIN_WIDTH)
    shown.print(table(checked.chains, width=shown.width))
    say(f"{path or 'the shipped configuration'} is good, version {checked.version}")
    return ExitCode.GOOD


def show(flag: str | None, form: str) -> None:
    """Write the configuration in force."""
    with as_failures():
        text = config.shown(find_config(flag), environ=os.environ, form=Form(form), strategies=known())
    click.echo(text, nl=False)


def schema() -> None:
    """Write the JSON schema."""
    click.echo(json.dumps(config.schema(), indent=2, ensure_ascii=False))


def export(flag: str | None, form: str) -> None:
    """Write the configuration as one file."""
    with as_failures():
        text = config.exported(find_config(flag), form=Form(form), strategies=known())
    click.echo(text, nl=False)


def carry_over(file: Path, *, origin: str) -> None:
    """Write another program's configuration as one of ours, and name what has no place in it."""
    try:
        content = read_file(file)
    except OSError as error:
        raise usage_failure(f"{file} cannot be read: {error.strerror}", field="FILE") from error
    with as_failures():
        imported = config.imported(content, file=str(file))
    click.echo(imported.text, nl=False)
    for line in imported.left_out:
        say(str(line))
    say(f"{counted(len(imported.left_out), 'line')} of {origin}'s {file} could not be carried")


def told(problem: Problem) -> str:
    """`file:line: path: message. hint`, each part where there is one."""
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    what = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return f"{where}: {what}. {_sentence(problem.hint)}" if problem.hint else f"{where}: {what}."


def _check(path: Path | None) -> Checked:
    """It plans, and so it needs the strategies that others registered as well as their names."""
    found = registered()
    checked = config.check(path, environ=os.environ, today=datetime.now(UTC).date(), strategies=found.strategies)
    return replace(checked, warnings=found.complaints + checked.warnings)


def _document(checked: Checked) -> dict[str, object]:
    """The documented shape."""
    return {
        "ok": checked.is_good,
        "errors": [asdict(problem) for problem in checked.errors],
        "warnings": list(checked.warnings),
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"

"""`signalbox config`: check a configuration, show what it comes to, write it out, or begin with another program's."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from router_service import config
from router_service.commands import options
from router_service.commands.chains import table
from router_service.commands.configuration import as_failures, find_config
from router_service.commands.failure import ExitCode, usage_failure
from router_service.commands.streams import say
from router_service.commands.tables import console, counted
from router_service.config import Checked, Form, Imported, Problem
from router_service.files import read_file

FOREIGN = click.Choice(["litellm"])
PLAIN_WIDTH = 160
"""Where no terminal says otherwise: chains of several targets stand in a line or two."""
FORMS = click.Choice([form.value for form in Form])


@click.group("config")
def command() -> None:
    """Check, show, export and import configurations. None of it needs a running router."""


@command.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.config
def check_command(*, as_json: bool, config: str | None) -> int:
    """Name every mistake in a configuration, what of it is in vain, and the targets that each task gets.

    The table has a line for each chain: the targets in the order to try them for a typical request of that task and
    those budget tiers, as if all of them were healthy. Exit code 2 says that there are mistakes.
    """
    path = find_config(config)
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


@command.command("show")
@click.option("--format", "form", type=FORMS, default=Form.YAML.value, show_default=True)
@options.config
def show_command(*, form: str, config: str | None) -> None:
    """Write the configuration in force, every default spelt out. Keys are never part of it, only where they lie."""
    click.echo(_shown(find_config(config), Form(form)), nl=False)


@command.command("schema")
def schema_command() -> None:
    """Write the JSON schema of the file, for editors that complete and check while one types."""
    click.echo(json.dumps(config.schema(), indent=2, ensure_ascii=False))


@command.command("export")
@click.option("--format", "form", type=FORMS, default=Form.YAML.value, show_default=True)
@options.config
def export_command(*, form: str, config: str | None) -> None:
    """Write the configuration as one file that stands alone: what it extends is in it, defaults are left out."""
    click.echo(_exported(find_config(config), Form(form)), nl=False)


@command.command("import")
@click.option("--from", "origin", type=FOREIGN, required=True, help="Whose configuration it is.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_command(*, origin: str, file: Path) -> None:
    """Turn another program's configuration FILE into one of ours, on stdout; what has no place in it is named."""
    try:
        content = read_file(file)
    except OSError as error:
        raise usage_failure(f"{file} cannot be read: {error.strerror}", field="FILE") from error
    imported = _imported(content, file)
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
    return config.check(path, environ=os.environ, today=datetime.now(UTC).date())


def _shown(path: Path | None, form: Form) -> str:
    with as_failures():
        return config.shown(path, environ=os.environ, form=form)


def _exported(path: Path | None, form: Form) -> str:
    with as_failures():
        return config.exported(path, form=form)


def _imported(content: bytes, file: Path) -> Imported:
    with as_failures():
        return config.imported(content, file=str(file))


def _document(checked: Checked) -> dict[str, object]:
    """The documented shape."""
    return {
        "ok": checked.is_good,
        "errors": [asdict(problem) for problem in checked.errors],
        "warnings": list(checked.warnings),
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"

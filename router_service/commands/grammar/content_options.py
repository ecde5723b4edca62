"""The options that add to a prompt: tools, a schema for the answer, pictures, and how hard to think."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router_service.commands.grammar import options
from router_service.interrupt import loading

if TYPE_CHECKING:
    from signalbox.v1.chat_pb2 import Tool

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def content_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that asks for a completion; it is handed their Content as `content`."""

    @click.option(
        "--tool",
        "tools",
        multiple=True,
        type=_FILE,
        callback=_tools,
        metavar="FILE",
        help='A tool that the model may call, as JSON: {"name": …, "description": …, "parameters": SCHEMA}, or a list.',
    )
    @click.option(
        "--schema", type=_FILE, callback=_schema, metavar="FILE", help="A JSON schema that the answer follows."
    )
    @click.option(
        "--image",
        "pictures",
        multiple=True,
        callback=_pictures,
        metavar="PATH",
        help="A picture, or its https address.",
    )
    @click.option(
        "--reasoning-effort",
        default="",
        callback=options.utf8,
        metavar="WORD",
        help="How hard to think, as low or high.",
    )
    @wraps(command)
    def run(
        *args: Any,
        tools: tuple[Tool, ...],
        schema: str,
        pictures: tuple[bytes | str, ...],
        reasoning_effort: str,
        **others: Any,
    ) -> None:
        with loading():
            from router_service.commands.content import Content
        content = Content(tools=tools, schema=schema, pictures=pictures, reasoning_effort=reasoning_effort)
        command(*args, content=content, **others)

    return run


def _tools(_ctx: click.Context, _param: click.Parameter, paths: Sequence[Path]) -> tuple[Tool, ...]:
    with loading():
        from router_service.commands.content import tools_in
    return tools_in(paths)


def _schema(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> str:
    with loading():
        from router_service.commands.content import schema_in
    return schema_in(path)


def _pictures(_ctx: click.Context, _param: click.Parameter, sources: Sequence[str]) -> tuple[bytes | str, ...]:
    with loading():
        from router_service.commands.content import pictures_at
    return pictures_at(sources)

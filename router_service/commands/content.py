"""What goes with a prompt: tools, a schema for the answer, pictures, and how hard to think."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from signalbox.v1.chat_pb2 import ROLE_USER, Tool
from signalbox.v1.router_pb2 import CompleteRequest
from signalbox_client import showing, tool

from router_service.files import read_file

HTTPS = "https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the options hold. `schema` is JSON as text, empty where there is none."""

    tools: tuple[Tool, ...]
    schema: str
    pictures: tuple[bytes | str, ...]
    reasoning_effort: str

    def added_to(self, request: CompleteRequest) -> CompleteRequest:
        """The request with all of it; pictures go with the last words of its user."""
        request.tools.extend(self.tools)
        if self.schema:
            request.response_format.json_schema.schema_json = self.schema
        if self.reasoning_effort:
            request.generation.reasoning_effort = self.reasoning_effort
        if self.pictures:
            asked = request.messages[-1]
            assert asked.role == ROLE_USER, "a prompt is its user's words"
            asked.CopyFrom(showing(asked.content, *self.pictures))
        return request


def tools_in(paths: Sequence[Path]) -> tuple[Tool, ...]:
    """The tools in these files, one or a list in each. Raises click.BadParameter, as all of these do."""
    return tuple(found for path in paths for found in _tools_in(path))


def schema_in(path: Path | None) -> str:
    """The JSON object in a file, as text."""
    if path is None:
        return ""
    value = _json(path)
    if not isinstance(value, dict):
        raise click.BadParameter(f"{path} holds no JSON object")
    return json.dumps(value)


def pictures_at(sources: Sequence[str]) -> tuple[bytes | str, ...]:
    """The bytes of files; addresses as they are."""
    return tuple(source if source.startswith(HTTPS) else _bytes(Path(source)) for source in sources)


def _tools_in(path: Path) -> Sequence[Tool]:
    value = _json(path)
    return [_tool(item, path) for item in (value if isinstance(value, list) else [value])]


def _tool(value: object, path: Path) -> Tool:
    """As the contract has it, or in the envelope that OpenAI's API puts around it."""
    inner = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise click.BadParameter(f"{path} holds no tool with a name")
    description, parameters = inner.get("description", ""), inner.get("parameters")
    if not isinstance(description, str) or not isinstance(parameters, Mapping | None):
        raise click.BadParameter(f"{path}: description has to be a text, and parameters a JSON object")
    return tool(inner["name"], description, parameters, strict=inner.get("strict") is True)


def _json(path: Path) -> object:
    try:
        value: object = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is no JSON") from error
    return value


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise click.BadParameter("this is no path") from error

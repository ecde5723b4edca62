"""Answers for programs: protobuf messages as JSON on stdout, one a line."""

from __future__ import annotations

import click
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message


def write_message(message: Message) -> None:
    """Protobuf JSON with the field names of the .proto files, in one line."""
    click.echo(document_of(message))


def document_of(message: Message) -> str:
    """What `write_message` writes."""
    return MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)

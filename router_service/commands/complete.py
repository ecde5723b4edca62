"""`signalbox complete`: one completion, streamed to the terminal or whole."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import TypeAlias

import click
from signalbox.v1.chat_pb2 import Message
from signalbox.v1.router_pb2 import CompleteRequest, CompleteResponse, Delta, Done, StreamCompleteResponse
from signalbox_client import CompletionStream, put_together
from signalbox_client.client import STREAM_TIMEOUT_S, UNARY_TIMEOUT_S
from signalbox_client.request import completion

from router_service.commands.calling import router_client
from router_service.commands.content import Content
from router_service.commands.documents import write_message
from router_service.commands.failure import usage_failure
from router_service.commands.figures import summary
from router_service.commands.interruptible import Interruptible
from router_service.commands.streams import say

ShowStream: TypeAlias = Callable[[Iterable[StreamCompleteResponse], CompletionStream], None]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could move the cursor or retitle the window: a model's answer may not work the terminal that shows it."""


def request_of(prompt: str, *, model: str, max_output_tokens: int | None, content: Content) -> CompleteRequest:
    """The request that the options and the prompt make; `-` reads the prompt from standard input."""
    return content.added_to(completion(read_prompt(prompt), model=model, max_output_tokens=max_output_tokens))


def show(
    request: CompleteRequest,
    address: str | None,
    *,
    is_stream: bool | None,
    as_json: bool,
    timeout_s: float | None,
) -> None:
    """Run a request and write its answer. A terminal gets a stream, unless `is_stream` says otherwise."""
    if is_stream is None:
        is_stream = sys.stdout.isatty() and not as_json
    if is_stream:
        _stream(request, address, timeout_s=timeout_s or STREAM_TIMEOUT_S, show=_show_events if as_json else _show_text)
    else:
        _whole(request, address, timeout_s=timeout_s or UNARY_TIMEOUT_S, as_json=as_json)


def read_prompt(prompt: str) -> str:
    """The prompt itself; what cannot be read, or is no text, would only fail later, and less clearly."""
    try:
        if prompt == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        prompt.encode("utf-8")
    except UnicodeError as error:
        raise usage_failure("the prompt is not UTF-8 text") from error
    except OSError as error:
        raise usage_failure(f"the prompt cannot be read from standard input: {error.strerror}") from error
    return prompt


def _stream(request: CompleteRequest, address: str | None, *, timeout_s: float, show: ShowStream) -> None:
    with (
        Interruptible[StreamCompleteResponse]() as reading,
        router_client(address) as client,
        client.stream(request, timeout_s=timeout_s) as stream,
    ):
        show(reading.items(stream), stream)


def _whole(request: CompleteRequest, address: str | None, *, timeout_s: float, as_json: bool) -> None:
    with Interruptible[CompleteResponse]() as reading, router_client(address) as client:
        (response,) = reading.items(client.complete(each, timeout_s=timeout_s) for each in [request])
    if as_json:
        write_message(response)
        return
    _show_message(response.message)
    say(summary(response))


def _show_message(message: Message) -> None:
    """Its text, and a line for each call that it wants made."""
    if message.content or not message.tool_calls:
        click.echo(_fit_to_show(message.content))
    for call in message.tool_calls:
        click.echo(_fit_to_show(f"{call.name}({call.arguments_json})"))


def _show_events(events: Iterable[StreamCompleteResponse], _stream: CompletionStream) -> None:
    for event in events:
        write_message(event)


def _show_text(events: Iterable[StreamCompleteResponse], stream: CompletionStream) -> None:
    """The text as it comes. Its last line is ended however the stream ends, so that an error has a line of its own."""
    last = "\n"
    others: list[Delta] = []
    try:
        for event in events:
            if piece := event.delta.content:
                click.echo(_fit_to_show(piece), nl=False)
                last = piece[-1]
            if event.delta.tool_call_deltas:
                others.append(Delta(tool_call_deltas=event.delta.tool_call_deltas))
    finally:
        if last != "\n":
            click.echo()
    if others:
        _show_message(put_together(others))
    done = stream.done or Done()
    first = done.time_to_first_token if done.HasField("time_to_first_token") else None
    say(summary(done.response, first))


def _fit_to_show(text: str) -> str:
    return _CONTROL.sub("�", text) if sys.stdout.isatty() else text

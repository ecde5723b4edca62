"""The OpenAI chat dialect, which most vendors speak: requests out, unary and streamed answers in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from router_service.core.catalog import Target
from router_service.core.chat import (
    Completion,
    Delta,
    Message,
    Prompt,
    Reasoning,
    Role,
    StreamEnd,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from router_service.core.errors import BadResponse, ResponseTooLarge, Stage, UpstreamError
from router_service.providers import openai_errors
from router_service.providers import openai_shapes as shapes
from router_service.providers.dialect import HttpCall, HttpHead
from router_service.providers.openai_finish import finish_reason
from router_service.providers.openai_request import encoded
from router_service.providers.openai_shapes import ANSWERS
from router_service.providers.sse import Event, EventSplitter, EventTooLarge

NAME = "openai"
MAX_EVENT_BYTES = 8 * 1024 * 1024
TERMINAL = b"[DONE]"


class OpenAIDialect:
    """Encodes for and decodes from `/chat/completions`."""

    def encode(self, prompt: Prompt, target: Target, *, attempt_id: str, is_stream: bool) -> HttpCall:
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if is_stream else "application/json",
            "x-request-id": attempt_id,
        }
        if target.provider.key:
            headers["authorization"] = f"Bearer {target.provider.key.reveal()}"
        return HttpCall(
            method="POST",
            url=f"{target.provider.base_url}/chat/completions",
            headers=headers,
            body=encoded(prompt, target.model.id, is_stream=is_stream),
        )

    def decode(self, body: bytes) -> Completion:
        try:
            answer = ANSWERS.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise BadResponse(_shape(e), stage=Stage.DECODE, maybe_billed=True) from None
        usage, model = _usage(answer.usage), answer.model or ""
        message = Message(role=Role.ASSISTANT)
        try:
            if answer.error:
                raise openai_errors.inside_success(answer.error)
            if answer.kind == shapes.ERROR:
                raise openai_errors.told_inside_success(body)
            choice = _choice(answer)
            message = _message(choice.message, model)
            finish = finish_reason(choice.finish_reason)
        except UpstreamError as error:
            error.found_in(usage, output_characters=message.characters())
            raise
        return Completion(message=message, finish_reason=finish, usage=usage, model=model)

    def decoder(self) -> OpenAIStreamDecoder:
        return OpenAIStreamDecoder()

    def failure(self, head: HttpHead, body: bytes) -> UpstreamError:
        return openai_errors.failure(head, body)


class OpenAIStreamDecoder:
    """Holds what one stream has said so far."""

    __slots__ = ("_failure", "_finish_reason", "_is_done", "_model", "_splitter", "_usage")

    def __init__(self) -> None:
        self._splitter = EventSplitter(max_event_bytes=MAX_EVENT_BYTES)
        self._finish_reason: str | None = None
        self._usage: shapes.Usage | None = None
        self._model = ""
        self._is_done = False
        self._failure: UpstreamError | None = None

    def feed(self, data: bytes) -> Sequence[Delta]:
        deltas: list[Delta] = []
        if self._is_done or self._failure is not None:
            return deltas
        try:
            for event in self._splitter.feed(data):
                if event.data.strip():  # without data it is a ping: no event of this dialect, and nobody's silence ends
                    deltas.append(self._event(event))
                if self._is_done:
                    break
        except EventTooLarge as e:
            self._failure = ResponseTooLarge(str(e), stage=Stage.DECODE, maybe_billed=True)
        except UpstreamError as e:
            self._failure = e
        return deltas

    def usage(self) -> Usage | None:
        return _usage(self._usage)

    def end(self) -> StreamEnd | None:
        if self._failure is not None:
            raise self._failure
        if not self._is_done:
            return None
        return StreamEnd(finish_reason=finish_reason(self._finish_reason), usage=self.usage(), model=self._model)

    def _event(self, event: Event) -> Delta:
        if event.is_error:
            raise openai_errors.told_inside_success(event.data)
        if event.data.strip() == TERMINAL:
            self._is_done = True
            return _NOTHING
        try:
            chunk = ANSWERS.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise BadResponse(_shape(e), stage=Stage.DECODE, maybe_billed=True) from None
        groq = chunk.x_groq
        if usage := chunk.usage or (groq and groq.usage):
            self._usage = usage
        if error := chunk.error or (groq and groq.error):
            raise openai_errors.inside_success(error)
        if chunk.kind == shapes.ERROR:
            raise openai_errors.told_inside_success(event.data)
        if not self._model and chunk.model:
            self._model = chunk.model
        choice = _first(chunk)
        if choice is None:
            return _NOTHING
        if choice.finish_reason and self._finish_reason is None:
            self._finish_reason = choice.finish_reason
        return _NOTHING if choice.delta is None else _delta(choice.delta)


_NOTHING = Delta()


def _choice(answer: shapes.Answer) -> shapes.Choice:
    choice = _first(answer)
    if choice is None or choice.message is None:
        raise BadResponse("the answer has no choice with a message", stage=Stage.DECODE, maybe_billed=True)
    return choice


def _first(answer: shapes.Answer) -> shapes.Choice | None:
    for choice in answer.choices or ():
        if choice.index in shapes.FIRST:
            return choice
    return None


def _message(text: shapes.Text | None, model: str) -> Message:
    assert text is not None
    calls = text.tool_calls or []
    thought = text.reasoning_content or text.reasoning
    return Message(
        role=Role.ASSISTANT,
        content=text.content or text.refusal or "",
        tool_calls=tuple(
            ToolCall(id=c.id or "", name=c.function.name or "", arguments_json=c.function.arguments or "")
            for c in calls
            if c.function is not None
        ),
        reasoning=(Reasoning(text=thought, dialect=NAME, model=model),) if thought else (),
    )


def _delta(text: shapes.Text) -> Delta:
    content = text.content or text.refusal or ""
    reasoning = text.reasoning_content or text.reasoning or ""
    if not text.tool_calls:
        return Delta(content, reasoning) if content or reasoning else _NOTHING
    return Delta(content, reasoning, tuple(_tool_call_delta(c, i) for i, c in enumerate(text.tool_calls)))


def _tool_call_delta(call: shapes.ToolCall, position: int) -> ToolCallDelta:
    """Clones of the API leave the index out; the position in the list is what they mean."""
    function = call.function or shapes.ToolFunction()
    return ToolCallDelta(
        index=position if call.index is None else call.index,
        id=call.id or "",
        name=function.name or "",
        arguments_json_fragment=function.arguments or "",
    )


def _usage(usage: shapes.Usage | None) -> Usage | None:
    if usage is None:
        return None
    into = usage.prompt_tokens_details or shapes.InputDetails()
    out = usage.completion_tokens_details or shapes.OutputDetails()
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cached_input_tokens=into.cached_tokens or usage.prompt_cache_hit_tokens or 0,
        cache_write_tokens=into.cache_write_tokens or 0,
        reasoning_tokens=out.reasoning_tokens or 0,
    )


def _shape(error: Exception) -> str:
    """Where the answer is not what it should be. msgspec names the path and the types, never a value of the body."""
    if isinstance(error, msgspec.ValidationError):
        return f"the answer has the wrong shape: {error}"
    return "the answer is not valid JSON"

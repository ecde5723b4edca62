"""Streamed answers of the OpenAI dialect: chunks in, deltas out, and whether the whole of it came."""

from __future__ import annotations

from collections.abc import Sequence

from router_service.core.catalog import Target
from router_service.core.chat import Delta, Reasoning, StreamEnd, ToolCallDelta, Usage
from router_service.core.errors import ResponseTooLarge, Stage, UpstreamError
from router_service.providers import openai_errors
from router_service.providers import openai_shapes as shapes
from router_service.providers.openai_calls import Calls, calls_in
from router_service.providers.openai_finish import is_an_end
from router_service.providers.openai_reading import content_of, end_of, first_choice, read, thought_of, usage_of
from router_service.providers.openai_state import Details, opaque
from router_service.providers.sse import Event, EventSplitter, EventTooLarge

MAX_EVENT_BYTES = 8 * 1024 * 1024
TERMINAL = b"[DONE]"


class OpenAIStreamDecoder:
    """Holds what one stream has said so far."""

    __slots__ = (
        "_calls",
        "_details",
        "_failure",
        "_finish_reason",
        "_has_said",
        "_has_thought",
        "_is_done",
        "_model",
        "_splitter",
        "_target",
        "_usage",
    )

    def __init__(self, target: Target) -> None:
        self._target = target
        self._splitter = EventSplitter(max_event_bytes=MAX_EVENT_BYTES)
        self._finish_reason: str | None = None
        self._usage: shapes.Usage | None = None
        self._model = ""
        self._calls = Calls(target)
        self._details = Details()
        self._has_said = False
        self._has_thought = False
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
        return usage_of(self._usage)

    def has_finished(self) -> bool:
        return is_an_end(self._finish_reason)

    def end(self) -> StreamEnd | None:
        if self._failure is not None:
            raise self._failure
        if not self._is_done:
            return None
        finish = end_of(self._finish_reason, has_calls=self._calls.has_any, is_empty=not self._has_said)
        return StreamEnd(finish_reason=finish, usage=self.usage(), model=self._model)

    def _event(self, event: Event) -> Delta:
        if event.is_error:
            raise openai_errors.told_inside_success(event.data)
        if event.data.strip() == TERMINAL:
            self._is_done = True
            return self._said(self._reasoning_end())
        chunk = read(event.data)
        groq = chunk.x_groq
        if usage := chunk.usage or (groq and groq.usage):
            self._usage = usage
        if error := chunk.error or (groq and groq.error):
            raise openai_errors.inside_success(error)
        if chunk.kind == shapes.ERROR:
            raise openai_errors.told_inside_success(event.data)
        if not self._model and chunk.model:
            self._model = chunk.model
        choice = first_choice(chunk)
        if choice is None:
            return _NOTHING
        if choice.finish_reason and self._finish_reason is None:
            self._finish_reason = choice.finish_reason
        return _NOTHING if choice.delta is None else self._said(self._delta(choice.delta, chunk.id))

    def _said(self, delta: Delta) -> Delta:
        self._has_said = self._has_said or bool(delta)
        return delta

    def _delta(self, text: shapes.Text, answer_id: str | None) -> Delta:
        content, reasoning = content_of(text), thought_of(text)
        if text.reasoning_details:
            self._details.add(text.reasoning_details)
        if reasoning:
            self._has_thought = True
        calls: tuple[ToolCallDelta, ...] = ()
        if pieces := calls_in(text):
            calls = tuple([delta for piece in pieces if (delta := self._calls.heard(piece, answer_id))])
        return Delta(content, reasoning, calls) if content or reasoning or calls else _NOTHING

    def _reasoning_end(self) -> Delta:
        """A stream's reasoning is one block, as that of a whole answer; only its end shows that no more of it comes."""
        state = opaque(self._details.state(), self._target)
        if state is None and not self._has_thought:
            return _NOTHING
        return Delta(reasoning_end=Reasoning(text="", dialect=shapes.NAME, model=self._model, opaque_state=state))


_NOTHING = Delta()

"""How a stream that broke goes on at another target: what was delivered, what is asked then, and what of it is new."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from router_service.core.chat import Delta, Message, Prompt, ResponseKind, Role, StreamEnd
from router_service.core.decision.question import length_left
from router_service.core.errors import Diverged, Stage
from router_service.core.splice import DivergedError, Splice
from router_service.core.tokens import profile, typical


class Transcript:
    """What was delivered of a stream, as far as another target needs it to go on."""

    __slots__ = ("_has_tool_calls", "_is_text_last", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_text_last = False
        self._has_tool_calls = False

    def add(self, delta: Delta) -> None:
        self._pieces.append(delta.content)
        self._has_tool_calls = self._has_tool_calls or bool(delta.tool_calls)
        self._is_text_last = bool(delta.content)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def can_be_continued(self, prompt: Prompt) -> bool:
        """Whether plain text is all that was under way: no tool call, no thought, and no form to be kept to."""
        wanted = prompt.response_format
        is_free_text = wanted is None or wanted.kind is ResponseKind.TEXT
        return is_free_text and self._is_text_last and not self._has_tool_calls


def continued(prompt: Prompt, text: str) -> Prompt:
    """The prompt that lets a model go on after `text`, with what is left of the answer's length."""
    messages = (*prompt.messages, Message(role=Role.ASSISTANT, content=text))
    limit = prompt.generation.max_output_tokens
    if limit is None:
        return replace(prompt, messages=messages)
    generation = replace(prompt.generation, max_output_tokens=length_left(limit, written_tokens(text)))
    return replace(prompt, messages=messages, generation=generation)


def written_tokens(text: str) -> int:
    """What an answer's text comes to, as the prompts of decisions are estimated; 0 where nothing was written."""
    answer = Prompt(messages=(Message(role=Role.ASSISTANT, content=text),))
    return typical(replace(profile(answer), messages=0)) if text else 0


async def spliced(
    events: AsyncGenerator[Delta | StreamEnd, None], delivered: str
) -> AsyncGenerator[Delta | StreamEnd, None]:
    """The events of a stream that goes on after `delivered`, without what they repeat of it. Raises Diverged where
    they repeat it only at first: whoever begins anew in other words says twice what he cannot take back.
    """
    splice = Splice(delivered)
    async with aclosing(events):
        async for event in events:
            try:
                new = _new(event, splice)
            except DivergedError as error:
                text = "the provider began the answer anew and went on in another way"
                raise Diverged(text, stage=Stage.STREAM, maybe_billed=True) from error
            for part in new:
                yield part


def _new(event: Delta | StreamEnd, splice: Splice) -> Sequence[Delta | StreamEnd]:
    """What of an event is new; before an end and a tool's call, what was held back until then."""
    if isinstance(event, StreamEnd):
        rest = splice.rest()
        return (Delta(rest), event) if rest else (event,)
    content = splice.feed(event.content)
    if event.tool_calls:
        content += splice.rest()
    new = replace(event, content=content)
    return (new,) if new else ()

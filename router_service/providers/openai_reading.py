"""What an OpenAI-style answer says, whole or streamed, in whichever of its vendors' ways it is written."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from router_service.core.chat import FinishReason, Usage
from router_service.core.errors import BadResponse, ContentFiltered, Stage
from router_service.providers import openai_shapes as shapes
from router_service.providers.openai_finish import finish_reason

MAX_MADE_ID = 64


def read(data: bytes) -> shapes.Answer:
    """A whole answer or a stream's chunk. Raises BadResponse."""
    try:
        return shapes.ANSWERS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadResponse(_shape(e), stage=Stage.DECODE, maybe_billed=True) from None


def first_choice(answer: shapes.Answer) -> shapes.Choice | None:
    for choice in answer.choices or ():
        if choice.index in shapes.FIRST:
            return choice
    return None


def content_of(text: shapes.Text) -> str:
    if isinstance(text.content, list):
        return "".join([piece.text or "" for piece in text.content]) or text.refusal or ""
    return text.content or text.refusal or ""


def thought_of(text: shapes.Text) -> str:
    if said := text.reasoning_content or text.reasoning:
        return said
    return "".join(_thoughts(text.content)) if isinstance(text.content, list) else ""


def arguments_of(function: shapes.ToolFunction) -> str:
    written = function.arguments
    return msgspec.json.encode(written).decode() if isinstance(written, dict) else written or ""


def made_id(answer_id: str | None, number: int) -> str:
    """For a call that its vendor gave no id: its result has to name it."""
    return f"call_{answer_id[:MAX_MADE_ID]}_{number}" if answer_id else f"call_{number}"


def end_of(word: str | None, *, has_calls: bool, is_empty: bool) -> FinishReason:
    """Raises as `finish_reason` does. A vendor that says no more than that the model stopped may have left out that it
    waits for its tools; one that says so and names none has lost them. What a filter left nothing of is no answer.
    """
    reason = finish_reason(word)
    if reason is FinishReason.CONTENT_FILTER and is_empty:
        text = "the provider's content filter let nothing of the answer through"
        raise ContentFiltered(text, stage=Stage.DECODE, maybe_billed=True)
    if reason is FinishReason.TOOL_CALLS and not has_calls:
        raise BadResponse("the model stopped to call a tool, and called none", stage=Stage.DECODE, maybe_billed=True)
    return FinishReason.TOOL_CALLS if reason is FinishReason.STOP and has_calls else reason


def usage_of(usage: shapes.Usage | None) -> Usage | None:
    if usage is None:
        return None
    into = usage.prompt_tokens_details or shapes.InputDetails()
    out = usage.completion_tokens_details or shapes.OutputDetails()
    cached, written = into.cached_tokens or usage.prompt_cache_hit_tokens or 0, into.cache_write_tokens or 0
    reasoning = out.reasoning_tokens or 0
    left_out = _input_left_out(usage, cached + written, reasoning)
    return Usage(
        input_tokens=min(usage.prompt_tokens + left_out, shapes.MAX_TOKENS),
        output_tokens=_output_tokens(usage, reasoning, left_out),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def _input_left_out(usage: shapes.Usage, cached: int, reasoning: int) -> int:
    """How many of the input's tokens the prompt's do not hold. Some vendors count those that were cached, or written
    to the cache, in the total alone: so it is where the total exceeds its parts by just as many, or by no fewer though
    the prompt could not hold them.
    """
    if not isinstance(usage.total_tokens, int):
        return 0
    excess = usage.total_tokens - usage.prompt_tokens - usage.completion_tokens
    is_beside = excess in (cached, cached + reasoning) or excess >= cached > usage.prompt_tokens
    return cached if is_beside else 0


def _output_tokens(usage: shapes.Usage, reasoning: int, input_left_out: int) -> int:
    """Reasoning included. Some vendors leave it out of the completion's tokens, and have it in the total alone, or
    nowhere but in its own count.
    """
    written, total = usage.completion_tokens, usage.total_tokens
    if (told := usage.prompt_tokens + input_left_out) and isinstance(total, int):
        written = max(written, total - told)
    return min(written if written >= reasoning else written + reasoning, shapes.MAX_TOKENS)


def _thoughts(pieces: Iterable[shapes.Piece]) -> Iterable[str]:
    for piece in pieces:
        match piece.thinking:
            case str() as text:
                yield text
            case list() as inner:
                yield from [one.text or "" for one in inner]


def _shape(error: Exception) -> str:
    """Where the answer is not what it should be. msgspec names the path and the types, never a value of the body."""
    if isinstance(error, msgspec.ValidationError):
        return f"the answer has the wrong shape: {error}"
    return "the answer is not valid JSON"

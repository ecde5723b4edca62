"""Why a model stopped, from the words that vendors of the OpenAI dialect use for it, their own ones included."""

from __future__ import annotations

from router_service.core.chat import FinishReason
from router_service.core.errors import BadResponse, ServerFailed, Stage

_MEANINGS = {
    FinishReason.STOP: "stop eos eos_token end_turn stop_sequence complete completed done",
    FinishReason.LENGTH: "length max_length model_length max_tokens max_output_tokens model_context_window_exceeded",
    FinishReason.TOOL_CALLS: "tool_calls tool_call tool_use function_call",
    FinishReason.CONTENT_FILTER: "content_filter content_filtered guardrail_intervened refusal safety image_safety "
    "recitation blocklist prohibited_content spii model_armor language sensitive",
}
_REASONS = {word: reason for reason, words in _MEANINGS.items() for word in words.split()}
_OUT_OF_RESOURCES = "insufficient_system_resource"
_FAULTS = frozenset(["error", "failed", "abort", "aborted", "cancelled", "canceled", "timeout", "other"])
_MALFORMED = "malformed_"


def is_an_end(word: str | None) -> bool:
    """Whether the word says that the answer is all that there will be of it."""
    return (word or "").lower() in _REASONS


def finish_reason(word: str | None) -> FinishReason:
    """Raises ServerFailed or BadResponse where the word says that the model failed, where there is none, and where it
    is unknown: an answer that may have been cut short must not look whole.
    """
    said = (word or "").lower()
    if (reason := _REASONS.get(said)) is not None:
        return reason
    if said == _OUT_OF_RESOURCES:
        raise ServerFailed("the provider ran out of resources inside its answer", stage=Stage.STREAM, maybe_billed=True)
    if said in _FAULTS or said.startswith(_MALFORMED):
        raise BadResponse("the provider ended the answer with an error", stage=Stage.STREAM, maybe_billed=True)
    what = "has a finish reason that is not known" if said else "has no finish reason"
    raise BadResponse(f"the answer {what}", stage=Stage.DECODE, maybe_billed=True)

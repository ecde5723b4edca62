"""What is sent in the OpenAI chat dialect: the JSON of a request, whole or streamed."""

from __future__ import annotations

import msgspec

from router_service.core.chat import Generation, Message, Prompt, Role

_ENCODER = msgspec.json.Encoder()


def encoded(prompt: Prompt, model: str, *, is_stream: bool) -> bytes:
    request: dict[str, object] = {"model": model, "messages": [_written(m) for m in prompt.messages]}
    request.update(_written_generation(prompt.generation))
    if is_stream:
        request["stream"] = True
        request["stream_options"] = {"include_usage": True}
    return _ENCODER.encode(request)


def _written(message: Message) -> dict[str, str]:
    written = {"role": message.role.value, "content": message.content or "".join(p.text for p in message.parts)}
    if message.name:
        written["name"] = message.name
    if message.role is Role.TOOL:
        written["tool_call_id"] = message.tool_call_id
    return written


def _written_generation(generation: Generation) -> dict[str, object]:
    """Only what the caller set: a provider's own defaults stay in force."""
    fields: dict[str, object] = {
        "max_completion_tokens": generation.max_output_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "seed": generation.seed,
        "frequency_penalty": generation.frequency_penalty,
        "presence_penalty": generation.presence_penalty,
        "stop": list(generation.stop) or None,
        "reasoning_effort": generation.reasoning_effort or None,
    }
    return {name: value for name, value in fields.items() if value is not None}

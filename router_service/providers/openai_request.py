"""What is sent in the OpenAI chat dialect: the JSON of a request, whole or streamed."""

from __future__ import annotations

import msgspec

from router_service.core.catalog import Target
from router_service.core.chat import (
    Generation,
    Prompt,
    ResponseFormat,
    ResponseKind,
    Tool,
    ToolChoice,
    ToolChoiceMode,
)
from router_service.core.deviations import Deviations, OutputLimitField, SeedField
from router_service.providers.openai_messages import written

_ENCODER = msgspec.json.Encoder()
_OUTPUT_LIMIT_FIELDS = {
    OutputLimitField.MAX_COMPLETION_TOKENS: ("max_completion_tokens",),
    OutputLimitField.MAX_TOKENS: ("max_tokens",),
    OutputLimitField.BOTH: ("max_completion_tokens", "max_tokens"),
}
_SEED_FIELDS = {SeedField.SEED: ("seed",), SeedField.RANDOM_SEED: ("random_seed",), SeedField.NONE: ()}
_NO_ARGUMENTS = msgspec.Raw(b'{"type":"object","properties":{}}')
_ANY_OBJECT = msgspec.Raw(b'{"type":"object"}')
_USUAL_NAME = "answer"


def encoded(prompt: Prompt, target: Target, *, is_stream: bool) -> bytes:
    deviations = target.provider.deviations
    request: dict[str, object] = {
        "model": target.model.id,
        "messages": [written(message, target) for message in prompt.messages],
    }
    request.update(_written_generation(prompt.generation, deviations))
    if prompt.tools:
        request.update(_written_tools(prompt, deviations))
    if prompt.response_format is not None and prompt.response_format.kind is not ResponseKind.TEXT:
        request["response_format"] = _written_format(prompt.response_format, deviations)
    if is_stream:
        request["stream"] = True
    if is_stream and deviations.asks_for_stream_usage:
        request["stream_options"] = {"include_usage": True}
    return _ENCODER.encode(request)


def _written_generation(generation: Generation, deviations: Deviations) -> dict[str, object]:
    """Only what the caller set: a provider's own defaults stay in force."""
    fields: dict[str, object] = {
        **dict.fromkeys(_OUTPUT_LIMIT_FIELDS[deviations.output_limit_field], generation.max_output_tokens),
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        **dict.fromkeys(_SEED_FIELDS[deviations.seed_field], generation.seed),
        "frequency_penalty": generation.frequency_penalty,
        "presence_penalty": generation.presence_penalty,
        "stop": list(generation.stop) or None,
        "reasoning_effort": generation.reasoning_effort or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _written_tools(prompt: Prompt, deviations: Deviations) -> dict[str, object]:
    """Whoever passes over a choice and may not call a tool must not know of any."""
    choice = prompt.tool_choice
    if not deviations.minds_tool_choice:
        is_forbidden = choice is not None and choice.mode is ToolChoiceMode.NONE
        return {} if is_forbidden else {"tools": [_tool(tool) for tool in prompt.tools]}
    fields: dict[str, object] = {"tools": [_tool(tool) for tool in prompt.tools]}
    if choice is not None:
        fields["tool_choice"] = _choice(choice)
    return fields


def _tool(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = _schema(tool.parameters_json) if tool.parameters_json else _NO_ARGUMENTS
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> object:
    if choice.mode is ToolChoiceMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode.value


def _written_format(form: ResponseFormat, deviations: Deviations) -> dict[str, object]:
    if form.kind is ResponseKind.JSON_OBJECT and deviations.has_json_object:
        return {"type": "json_object"}
    schema = _schema(form.schema_json) if form.kind is ResponseKind.JSON_SCHEMA else _ANY_OBJECT
    described: dict[str, object] = {"name": form.name or _USUAL_NAME, "schema": schema}
    if form.strict:
        described["strict"] = True
    return {"type": "json_schema", "json_schema": described}


def _schema(text: str) -> msgspec.Raw:
    """As its caller wrote it, which is known to be JSON: the order of a schema's keys is the order of the answer's."""
    return msgspec.Raw(text.encode())

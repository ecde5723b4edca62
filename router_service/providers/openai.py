"""The OpenAI chat dialect, which most vendors speak: requests out, unary and streamed answers in."""

from __future__ import annotations

from router_service.core.catalog import Target
from router_service.core.chat import Completion, Message, Prompt, Reasoning, Role
from router_service.core.errors import BadResponse, Stage, UpstreamError
from router_service.providers import openai_errors
from router_service.providers import openai_shapes as shapes
from router_service.providers.dialect import HttpCall, HttpHead
from router_service.providers.openai_calls import calls_in, whole
from router_service.providers.openai_reading import content_of, end_of, first_choice, read, thought_of, usage_of
from router_service.providers.openai_request import encoded
from router_service.providers.openai_state import details_state, opaque
from router_service.providers.openai_stream import OpenAIStreamDecoder


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
            body=encoded(prompt, target, is_stream=is_stream),
        )

    def decode(self, body: bytes, target: Target) -> Completion:
        answer = read(body)
        usage, model = usage_of(answer.usage), answer.model or ""
        message = Message(role=Role.ASSISTANT)
        try:
            if answer.error:
                raise openai_errors.inside_success(answer.error)
            if answer.kind == shapes.ERROR:
                raise openai_errors.told_inside_success(body)
            choice = _choice(answer)
            message = _message(choice.message, answer, target)
            is_empty = not (message.content or message.tool_calls or message.reasoning)
            finish = end_of(choice.finish_reason, has_calls=bool(message.tool_calls), is_empty=is_empty)
        except UpstreamError as error:
            error.found_in(usage, output_characters=message.characters())
            raise
        return Completion(message=message, finish_reason=finish, usage=usage, model=model)

    def decoder(self, target: Target) -> OpenAIStreamDecoder:
        return OpenAIStreamDecoder(target)

    def failure(self, head: HttpHead, body: bytes) -> UpstreamError:
        return openai_errors.failure(head, body)


def _choice(answer: shapes.Answer) -> shapes.Choice:
    choice = first_choice(answer)
    if choice is None or choice.message is None:
        raise BadResponse("the answer has no choice with a message", stage=Stage.DECODE, maybe_billed=True)
    return choice


def _message(text: shapes.Text | None, answer: shapes.Answer, target: Target) -> Message:
    assert text is not None
    thought, state = thought_of(text), opaque(details_state(text.reasoning_details), target)
    block = Reasoning(text=thought, dialect=shapes.NAME, model=answer.model or "", opaque_state=state)
    return Message(
        role=Role.ASSISTANT,
        content=content_of(text),
        tool_calls=whole(calls_in(text), answer.id, target),
        reasoning=(block,) if thought or state is not None else (),
    )

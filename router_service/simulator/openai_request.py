"""Requests of the OpenAI dialect: read, checked as the vendor checks them, and refused in the vendor's form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import msgspec

from router_service.core.simulation import Behaviour

Limit = Annotated[int, msgspec.Meta(ge=1)]


class Part(msgspec.Struct):
    """One part of a message's content; only text counts."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    """One message of the conversation."""

    role: str
    content: str | list[Part] | None = None

    def text(self) -> str:
        """Return the content's text."""
        match self.content:
            case None:
                return ""
            case str() as text:
                return text
            case parts:
                return "".join(part.text for part in parts)


class StreamOptions(msgspec.Struct):
    """What the caller wants of a stream."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The fields of a chat completion request that change the answer; others are read over."""

    model: str = ""
    messages: list[Message] = []  # msgspec copies an empty default for each value
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    seed: int | None = None

    def limit(self) -> int | None:
        """Return the most tokens that the caller accepts; the newer field wins."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    def prompt(self) -> str:
        """Return the text of the last user message, or of the last message if no user speaks."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text()
        return self.messages[-1].text()

    def wants_usage(self) -> bool:
        """Return whether a stream ends with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage

    def input_tokens(self) -> int:
        """Return the prompt's size: a token for each four characters, and never none."""
        characters = sum(len(message.text()) for message in self.messages)
        return max(1, -(-characters // 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error answer in the vendor's form."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None


class RequestRefused(Exception):
    """The request gets an error answer."""

    def __init__(self, refusal: Refusal) -> None:
        """Carry the answer."""
        super().__init__(refusal.message)
        self.refusal = refusal


def read_chat(body: bytes) -> ChatRequest:
    """Decode and check a chat completion request. Raises RequestRefused."""
    try:
        chat = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise RequestRefused(_invalid(str(error))) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RequestRefused(
            Refusal(status=400, message="We could not parse the JSON body of your request.")
        ) from error
    if not chat.model:
        raise RequestRefused(_missing("model"))
    if not chat.messages:
        raise RequestRefused(_missing("messages"))
    return chat


def check_key(behaviour: Behaviour, authorization: str) -> None:
    """Check the `authorization` header where the behaviour asks for a key. Raises RequestRefused."""
    if not behaviour.requires_key:
        return
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        message = "You didn't provide an API key. Send it in an Authorization header using Bearer auth."
    elif behaviour.key and key.strip() != behaviour.key:
        message = "Incorrect API key provided."
    else:
        return
    raise RequestRefused(Refusal(status=401, message=message, code="invalid_api_key"))


def check_model(behaviour: Behaviour, model: str) -> None:
    """Check that the provider has the model, where the behaviour is strict. Raises RequestRefused."""
    if behaviour.strict_models and model not in behaviour.models:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise RequestRefused(Refusal(status=404, message=message, code="model_not_found", param="model"))


_DECODER = msgspec.json.Decoder(ChatRequest)
_AT_PATH = re.compile(r" - at `\$\.?(.*)`$")


def _missing(name: str) -> Refusal:
    message = f"Missing required parameter: '{name}'."
    return Refusal(status=400, message=message, param=name, code="missing_required_parameter")


def _invalid(problem: str) -> Refusal:
    found = _AT_PATH.search(problem)
    path = found.group(1) if found else None
    what = (problem[: found.start()] if found else problem).replace("`", "")
    if path is None:
        return Refusal(status=400, message=f"Invalid request: {what}.", code="invalid_type")
    return Refusal(status=400, message=f"Invalid value for '{path}': {what}.", code="invalid_type", param=path)

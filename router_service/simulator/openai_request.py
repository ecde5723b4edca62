"""Requests of the OpenAI dialect: read, checked as the vendor checks them, and refused in the vendor's form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from router_service.core.simulation import Behaviour

Limit = Annotated[int, msgspec.Meta(ge=1)]


class ImageUrl(msgspec.Struct):
    """Where a picture is: an address, or the picture itself as a data URL."""

    url: str


class Part(msgspec.Struct):
    """One part of a message's content; only its text counts as tokens."""

    type: str
    text: str = ""
    image_url: ImageUrl | None = None


class Function(msgspec.Struct):
    """A tool as it is offered, or a call of it as it was made; `arguments` are the call's, as text."""

    name: str
    parameters: dict[str, Any] | None = None
    arguments: str = ""


class Tool(msgspec.Struct):
    """A tool that the model may call."""

    type: str
    function: Function


class ToolCall(msgspec.Struct):
    """A call that the model made in a turn before; `extra_content` holds its signature."""

    id: str
    function: Function
    extra_content: dict[str, Any] | None = None


class JsonSchema(msgspec.Struct):
    """A schema that the answer has to follow."""

    name: str
    schema: dict[str, Any]


class ResponseFormat(msgspec.Struct):
    """The form of the answer."""

    type: str
    json_schema: JsonSchema | None = None


class Message(msgspec.Struct):
    """One message of the conversation."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str = ""
    reasoning_details: list[dict[str, Any]] | None = None

    def parts(self) -> list[Part]:
        """Return the parts of a content that has any."""
        return self.content if isinstance(self.content, list) else []

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
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None

    def limit(self) -> int | None:
        """Return the most tokens that the caller accepts; the newer field wins."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    def prompt(self) -> str:
        """Return the text of the last user message, or of the last message if no user speaks."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text()
        return self.messages[-1].text()

    def forced_tool(self) -> str | None:
        """Return the name of the tool that has to be called, nothing where any will do, and None where none has to."""
        match self.tool_choice:
            case "required":
                return ""
            case {"function": {"name": str(name)}}:
                return name
            case _:
                return None

    def form(self) -> dict[str, Any] | None:
        """Return the schema that the answer has to follow; an empty one where any object will do."""
        match self.response_format:
            case ResponseFormat(type="json_schema", json_schema=JsonSchema() as asked):
                return asked.schema
            case ResponseFormat(type="json_object"):
                return {}
            case _:
                return None

    def pictures(self) -> int:
        """Return how many pictures the conversation shows."""
        return sum(part.image_url is not None for message in self.messages for part in message.parts())

    def signatures(self) -> set[str]:
        """Return everything signed that comes back."""
        found = {str(d.get("data", "")) for message in self.messages for d in message.reasoning_details or ()}
        calls = [call for message in self.messages for call in message.tool_calls or ()]
        return found | {str(call.extra_content.get("signature", "")) for call in calls if call.extra_content}

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
    _check_results(chat)
    _check_pictures(chat)
    return chat


def check_signatures(chat: ChatRequest, signature: str) -> None:
    """Check that nothing comes back that another provider signed. Raises RequestRefused."""
    if not chat.signatures() <= {signature}:
        message = "Invalid signature: this was not written here."
        raise RequestRefused(Refusal(status=400, message=message, code="invalid_value", param="messages"))


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


def _check_results(chat: ChatRequest) -> None:
    called: set[str] = set()
    for number, message in enumerate(chat.messages):
        called.update(call.id for call in message.tool_calls or ())
        if message.role == "tool" and message.tool_call_id not in called:
            message_text = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
            raise RequestRefused(Refusal(status=400, message=message_text, param=f"messages[{number}].role"))


def _check_pictures(chat: ChatRequest) -> None:
    for part in (part for message in chat.messages for part in message.parts() if part.image_url is not None):
        url = part.image_url.url if part.image_url else ""
        if not (url.startswith("https://") or _DATA_URL.match(url)):
            raise RequestRefused(Refusal(status=400, message="Invalid image URL.", code="invalid_image_url"))


_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]")
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

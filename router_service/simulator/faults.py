"""The fault grammar: `name[=value][;name=value…]`, read into one immutable value."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated

import msgspec


class Shape(Enum):
    """A body that is JSON, yet not what the dialect promises."""

    NULL_CHOICES = "null-choices"
    EMPTY_CHOICES = "empty-choices"
    STRING_USAGE = "string-usage"
    NO_USAGE = "no-usage"
    DEEP = "deep"
    NAN = "nan"
    HUGE_NUMBER = "huge-number"
    DUPLICATE_KEYS = "duplicate-keys"


Status = Annotated[int, msgspec.Meta(ge=300, le=599)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
BodyMebibytes = Annotated[int, msgspec.Meta(ge=1, le=4096)]
LineMebibytes = Annotated[int, msgspec.Meta(ge=1, le=256)]  # a line is held in memory, a body is not
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)]
HeaderText = Annotated[str, msgspec.Meta(pattern=r"^[ -~]+\Z")]


class Fault(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What goes wrong with one answer; without a name set, nothing does.

    The grammar's names are the fields' names with `-` for `_`; the comments say what each does.
    """

    status: Status | None = None  # an error answer, or the redirect's status
    retry_after: HeaderText | None = None  # the header of an error answer, as written
    code: HeaderText | None = None  # `error.code` of an error answer
    type: HeaderText | None = None  # `error.type` of an error answer
    redirect: HeaderText | None = None  # 307 to this URL, or `status`
    html: bool = False  # an HTML page with 200
    slow: Seconds = 0.0  # added before the head

    reset: bool = False  # RST before any byte
    close_after_request: bool = False  # FIN before any byte
    silence: bool = False  # not one byte, and the connection stays open
    stall: bool = False  # the head, and never a body

    # The following count events of a stream, and bytes of any other body.
    reset_after: Count | None = None
    stall_after: Count | None = None
    truncate_after: Count | None = None  # FIN with the HTTP framing unfinished
    truncate_bytes: Count | None = None  # body bytes, after which a body framed by FIN ends
    error_event_after: Count | None = None  # an error event, then the end of the body, then FIN

    trickle: Seconds = 0.0  # one byte of the body each time
    one_byte: bool = False  # one byte a chunk and a write
    garbage: bool = False  # malformed JSON; in a stream one such event after the first token
    shape: Shape | None = None  # wrong shape; in a stream one such event after the first token
    wrong_content_type: bool = False  # text/html
    ignore_stream: bool = False  # a stream was asked for, plain JSON is given
    no_done: bool = False
    no_finish: bool = False
    usage_in_every_chunk: bool = False
    crlf: bool = False
    bare_cr: bool = False
    comments: bool = False
    pings_only: bool = False
    bom: bool = False
    multi_line_data: bool = False
    huge_line: LineMebibytes | None = None  # the whole text in one event
    body_mib: BodyMebibytes | None = None  # a text of this size in tokens of 16 KiB
    endless: bool = False


NO_FAULT = Fault()
MODEL_SEPARATOR = "!"


class FaultError(ValueError):
    """The text is not a fault; the message names the part that is wrong and what is expected."""


def parse_fault(text: str) -> Fault:
    """Read a fault from its text; the empty text is no fault. Raises FaultError."""
    values: dict[str, str | bool] = {}
    for part in text.split(";") if text.strip() else ():
        name, equals, value = part.strip().partition("=")
        _check_part(part.strip(), name, value if equals else None)
        if name in values:
            raise FaultError(f"{name}: is given twice; give it once")
        values[name] = value if equals else True
    _check_one_ending(values.keys() & _ENDINGS)
    try:
        return msgspec.convert(values, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise FaultError(_named(error, values)) from error


def split_model(name: str) -> tuple[str, str]:
    """Part a requested model name into the model's own name and the fault's text, which may be empty."""
    model, _, fault = name.partition(MODEL_SEPARATOR)
    return model, fault


_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Fault)}
_FLAGS = frozenset(name for name, field in _FIELDS.items() if field.type is bool)
_ENDINGS = frozenset(
    {"reset", "close-after-request", "silence", "stall", "reset-after", "stall-after", "truncate-after"}
    | {"truncate-bytes", "error-event-after", "endless", "pings-only"}
)
_AT_FIELD = re.compile(r" - at `\$\.([a-z-]+)`$")


def _check_part(part: str, name: str, value: str | None) -> None:
    if name not in _FIELDS:
        raise FaultError(f"{part or 'an empty part'}: no such fault; there are {', '.join(_FIELDS)}")
    if name in _FLAGS and value is not None:
        raise FaultError(f"{part}: {name} takes no value")
    if name not in _FLAGS and not value:
        raise FaultError(f"{part}: {name} needs a value, as in {name}={_EXAMPLES.get(name, '1')}")


def _check_one_ending(endings: set[str]) -> None:
    # An answer ends in one way only; `endless` with a cut is refused too, because the cut alone says it.
    if len(endings) > 1:
        raise FaultError(f"{', '.join(sorted(endings))}: an answer ends in one way; name one of them")


def _named(error: msgspec.ValidationError, values: dict[str, str | bool]) -> str:
    message = str(error)
    found = _AT_FIELD.search(message)
    if found is None:
        return message
    name = found.group(1)
    return f"{name}={values[name]}: {message[: found.start()].replace('`', '')}"


_EXAMPLES = {
    "status": "429",
    "code": "rate_limit_exceeded",
    "type": "requests",
    "redirect": "http://127.0.0.1:1/",
    "shape": "null-choices",
}

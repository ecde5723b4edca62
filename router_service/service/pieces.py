"""A stretch of a stream cut into messages that every caller can receive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from router_service.core.chat import Delta, ToolCallDelta

MAX_DELTA_CHARACTERS = 250_000
"""A character has at most four bytes, and callers' libraries receive 4 MiB unless told otherwise."""
FRAME_CHARACTERS = 32
"""What a piece of a tool call takes besides its texts, on the safe side."""


def in_pieces(delta: Delta) -> Sequence[Delta]:
    """As it is, or cut so that each message stays well below what a caller's library receives."""
    if len(delta.content) + len(delta.reasoning) + sum([_size(c) for c in delta.tool_calls]) <= MAX_DELTA_CHARACTERS:
        return (delta,)
    pieces = [Delta(reasoning=piece) for piece in _cut(delta.reasoning)]
    pieces += [Delta(piece) for piece in _cut(delta.content)]
    pieces += [Delta(tool_calls=calls) for calls in _parted(delta.tool_calls)]
    return [*pieces, Delta(reasoning_end=delta.reasoning_end)] if delta.reasoning_end is not None else pieces


def _parted(calls: Sequence[ToolCallDelta]) -> Iterator[tuple[ToolCallDelta, ...]]:
    """As many to a message as go in; an argument that is too long for one goes on in the next."""
    part: list[ToolCallDelta] = []
    size = 0
    for piece in (piece for call in calls for piece in _call_in_pieces(call)):
        if part and size + _size(piece) > MAX_DELTA_CHARACTERS:
            yield tuple(part)
            part, size = [], 0
        part.append(piece)
        size += _size(piece)
    if part:
        yield tuple(part)


def _call_in_pieces(call: ToolCallDelta) -> Iterator[ToolCallDelta]:
    """Id, name and opaque state come once, with the first piece; fragments are concatenated by index."""
    first, *others = _cut(call.arguments_json_fragment) or [""]
    yield replace(call, arguments_json_fragment=first)
    for fragment in others:
        yield ToolCallDelta(index=call.index, arguments_json_fragment=fragment)


def _cut(text: str) -> list[str]:
    return [text[i : i + MAX_DELTA_CHARACTERS] for i in range(0, len(text), MAX_DELTA_CHARACTERS)]


def _size(call: ToolCallDelta) -> int:
    state = 0 if call.opaque_state is None else len(call.opaque_state.data)
    return FRAME_CHARACTERS + len(call.id) + len(call.name) + len(call.arguments_json_fragment) + state

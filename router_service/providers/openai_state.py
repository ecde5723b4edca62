"""What vendors of the OpenAI dialect want echoed unchanged: the details of reasoning, and what stands beside a call.

It is kept as JSON. What comes back has been in a caller's hands: whatever is not of its kind is left out, so that
nobody writes more into a request than a vendor has written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from router_service.core.catalog import Target
from router_service.core.chat import OpaqueState
from router_service.core.errors import ResponseTooLarge, Stage

MAX_STATE_BYTES = 1024 * 1024
"""Of one call, or of one answer's reasoning: callers' libraries receive messages of 4 MiB unless told otherwise."""

Detail: TypeAlias = dict[str, Any]
_GROWING = ("text", "summary", "data")
"""The texts of a detail that a stream brings piece by piece."""


class Details:
    """The details of a stream's reasoning, put together again from its pieces."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[Detail] = []

    def add(self, value: object) -> None:
        """A piece goes on with the detail of its index and type, else with the last one where that is of its type."""
        for piece in _details_in(value):
            if (known := self._continued(piece)) is None:
                self._found.append(dict(piece))
                continue
            for name, news in piece.items():
                known[name] = _joined(known.get(name), news) if name in _GROWING else _kept(known.get(name), news)

    def state(self) -> bytes:
        """As JSON; empty where there is none."""
        return written(self._found) if self._found else b""

    def _continued(self, piece: Detail) -> Detail | None:
        kind, index = piece.get("type"), piece.get("index")
        if index is None:
            last = self._found[-1] if self._found else None
            return last if last is not None and last.get("type") == kind and "data" not in piece else None
        for known in self._found:
            if known.get("index") == index and known.get("type") == kind:
                return known
        return None


def opaque(data: bytes, target: Target) -> OpaqueState | None:
    """What `target` wrote, marked with its id; None where that is nothing."""
    return OpaqueState(origin=target.id, data=data) if data else None


def details_state(value: object) -> bytes:
    """The details of a whole answer as JSON; empty where there is none."""
    found = _details_in(value)
    return written(found) if found else b""


def extra_state(value: object) -> bytes:
    """What stands beside a call as JSON; empty where there is nothing."""
    return written(value) if isinstance(value, dict) and value else b""


def read_details(data: bytes) -> Sequence[object]:
    return _details_in(_read(data))


def read_extra(data: bytes) -> object:
    value = _read(data)
    return value if isinstance(value, dict) else None


def written(value: object) -> bytes:
    """Raises ResponseTooLarge."""
    data = msgspec.json.encode(value)
    if len(data) > MAX_STATE_BYTES:
        text = f"the provider wants more than {MAX_STATE_BYTES} bytes echoed"
        raise ResponseTooLarge(text, stage=Stage.DECODE, maybe_billed=True)
    return data


def _read(data: bytes) -> object:
    try:
        found: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found


def _details_in(value: object) -> Sequence[Detail]:
    found: Iterable[object] = value if isinstance(value, list) else ()
    return [item for item in found if isinstance(item, dict) and item]


def _joined(before: object, news: object) -> object:
    return before + news if isinstance(before, str) and isinstance(news, str) else _kept(before, news)


def _kept(before: object, news: object) -> object:
    return before if news is None else news

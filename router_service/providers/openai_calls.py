"""Tool calls of the OpenAI dialect: from a whole answer, and put in order from the pieces of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from router_service.core.catalog import Target
from router_service.core.chat import ToolCall, ToolCallDelta
from router_service.providers import openai_shapes as shapes
from router_service.providers.openai_reading import arguments_of, made_id
from router_service.providers.openai_state import extra_state, opaque


def whole(calls: Iterable[shapes.ToolCall], answer_id: str | None, target: Target) -> tuple[ToolCall, ...]:
    """Those of an answer that came at once."""
    named = [(call, call.function) for call in calls if call.function is not None]
    return tuple(
        ToolCall(
            id=call.id or made_id(answer_id, number),
            name=function.name or "",
            arguments_json=arguments_of(function),
            opaque_state=opaque(extra_state(call.extra_content), target),
        )
        for number, (call, function) in enumerate(named)
    )


class Calls:
    """Tells which call each piece of a stream belongs to, and passes id, name and opaque state on once.

    A vendor's index counts, where it gives one; some give none, some give all calls the same, and some repeat id and
    name with every piece. So a piece with a name and an id of its own begins a call, whatever its index says.
    """

    __slots__ = ("_by_id", "_by_index", "_heard", "_target")

    def __init__(self, target: Target) -> None:
        self._target = target
        self._heard: list[_Heard] = []
        self._by_index: dict[int, _Heard] = {}
        self._by_id: dict[str, _Heard] = {}

    @property
    def has_any(self) -> bool:
        return bool(self._heard)

    def heard(self, piece: shapes.ToolCall, answer_id: str | None) -> ToolCallDelta | None:
        """What the piece adds; None where it says nothing new."""
        function = piece.function or shapes.ToolFunction()
        call = self._continued(piece, function)
        if call is None:
            if piece.function is None and not piece.id:
                return None
            call = self._begun(piece, answer_id)
        delta = ToolCallDelta(
            index=call.number,
            id=call.id if not call.is_told else "",
            name=(function.name or "") if not call.name else "",
            arguments_json_fragment=arguments_of(function),
            opaque_state=None if call.has_state else opaque(extra_state(piece.extra_content), self._target),
        )
        is_news = not call.is_told or delta.name or delta.arguments_json_fragment or delta.opaque_state is not None
        call.is_told, call.name = True, call.name or delta.name
        call.has_state = call.has_state or delta.opaque_state is not None
        return delta if is_news else None

    def _continued(self, piece: shapes.ToolCall, function: shapes.ToolFunction) -> _Heard | None:
        if piece.index is not None:
            known = self._by_index.get(piece.index)
            is_another = known is not None and piece.id and function.name and known.vendor_id not in ("", piece.id)
            return None if is_another else known
        if piece.id:
            return self._by_id.get(piece.id)
        return self._heard[-1] if self._heard and not function.name else None

    def _begun(self, piece: shapes.ToolCall, answer_id: str | None) -> _Heard:
        number = len(self._heard)
        call = _Heard(number=number, id=piece.id or made_id(answer_id, number), vendor_id=piece.id or "")
        self._heard.append(call)
        if piece.index is not None:
            self._by_index[piece.index] = call
        if piece.id:
            self._by_id[piece.id] = call
        return call


@dataclass(slots=True, kw_only=True)
class _Heard:
    """A call under way; `vendor_id` is empty where its id is ours."""

    number: int
    id: str
    vendor_id: str
    name: str = ""
    is_told: bool = False
    has_state: bool = False

"""Tool calls of the OpenAI dialect: from a whole answer, and put in order from the pieces of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from router_service.core.catalog import Target
from router_service.core.chat import OpaqueState, ToolCall, ToolCallDelta
from router_service.providers import openai_shapes as shapes
from router_service.providers.openai_arguments import Arguments
from router_service.providers.openai_reading import arguments_of, made_id
from router_service.providers.openai_state import extra_state, opaque


def calls_in(text: shapes.Text) -> Sequence[shapes.ToolCall]:
    """Those of a message or a delta, a single one in the older form included."""
    if text.tool_calls:
        return text.tool_calls
    return () if text.function_call is None else (shapes.ToolCall(function=text.function_call),)


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

    Vendors number calls in many ways: some give no index, some give all calls the same or each piece another, some give
    no ids, and some repeat id and name with every piece, or the whole call at its end. So it is id and name that tell
    calls apart first, and where both are silent or the same, whether the arguments are whole: a name after that begins
    a call. A call is told of once more than its id is known.
    """

    __slots__ = ("_by_id", "_by_index", "_last", "_target", "_told")

    def __init__(self, target: Target) -> None:
        self._target = target
        self._by_index: dict[int, _Heard] = {}
        self._by_id: dict[str, _Heard] = {}
        self._last: _Heard | None = None
        self._told = 0

    @property
    def has_any(self) -> bool:
        return self._told > 0

    def heard(self, piece: shapes.ToolCall, answer_id: str | None) -> ToolCallDelta | None:
        """What the piece adds; None where it says nothing new."""
        said = _said(piece)
        call = self._known(said)
        if call is not None and call.repeats(said):
            return None
        if call is None or call.is_followed_by(said):
            if not (said.id or said.name or said.arguments):
                return None
            call = self._begun(said)
        state = None if call.has_state else opaque(extra_state(piece.extra_content), self._target)
        return self._news(call, said, state, answer_id)

    def _known(self, said: _Said) -> _Heard | None:
        """The call in whose place the piece stands: that of its id, else of its index, else the last one."""
        if said.id in self._by_id:
            return self._by_id[said.id]
        if said.index in self._by_index:
            return self._by_index[said.index]
        has_own_place = said.id or said.index is not None
        return None if said.name and has_own_place else self._last

    def _begun(self, said: _Said) -> _Heard:
        """A call with an id that another one has already gets one of ours: a result has to name its call."""
        call = self._last = _Heard(vendor_id="" if said.id in self._by_id else said.id)
        if said.index is not None:
            self._by_index[said.index] = call
        if said.id:
            self._by_id[said.id] = call
        return call

    def _news(
        self, call: _Heard, said: _Said, state: OpaqueState | None, answer_id: str | None
    ) -> ToolCallDelta | None:
        name = "" if call.name else said.name
        if not (name or said.arguments or state is not None):
            return None
        id = ""
        if call.number is None:
            call.number, self._told = self._told, self._told + 1
            id = call.vendor_id or made_id(answer_id, call.number)
        call.name, call.has_state = call.name or name, call.has_state or state is not None
        call.arguments.add(said.arguments)
        return ToolCallDelta(
            index=call.number, id=id, name=name, arguments_json_fragment=said.arguments, opaque_state=state
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one piece says; empty is nothing."""

    index: int | None
    id: str
    name: str
    arguments: str


@dataclass(slots=True, kw_only=True, eq=False)
class _Heard:
    """A call under way; `vendor_id` is empty where its id is ours, and `number` is None until it is told of."""

    vendor_id: str
    number: int | None = None
    name: str = ""
    arguments: Arguments = field(default_factory=Arguments)
    has_state: bool = False

    def repeats(self, said: _Said) -> bool:
        """Whether the piece is this whole call once more."""
        has_place = said.id in ("", self.vendor_id) and (said.id or said.index is not None)
        is_alike = bool(has_place and said.arguments) and said.name in ("", self.name)
        return is_alike and self.arguments.are(said.arguments) and self.arguments.are_whole()

    def is_followed_by(self, said: _Said) -> bool:
        """Whether the piece belongs to another call, although it stands in this one's place."""
        if said.id and self.vendor_id and said.id != self.vendor_id:
            return bool(said.name) or self.arguments.are_whole()
        if not said.name or not self.name:
            return False
        if said.name == self.name:
            return bool(said.arguments.strip()) and self.arguments.are_whole()
        return said.index is None or self.arguments.are_blank or self.arguments.are_whole()


def _said(piece: shapes.ToolCall) -> _Said:
    function = piece.function or shapes.ToolFunction()
    return _Said(index=piece.index, id=piece.id or "", name=function.name or "", arguments=arguments_of(function))

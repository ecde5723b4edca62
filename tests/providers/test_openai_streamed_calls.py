"""Tool calls of a stream, in all the ways in which vendors number, name and repeat them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.chat import FinishReason, ToolCall
from router_service.core.errors import BadResponse
from router_service.providers.openai_arguments import Arguments
from tests.providers.openai_bodies import Json, answer, choice, chunk, decoded, lines, streamed

F, G = ("f", '{"x":1}'), ("g", '{"y":2}')
NOTHING = object()


def piece(
    name: str | None = None, arguments: str | None = None, *, index: int | None = None, id: object = NOTHING
) -> Json:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    found: dict[str, object] = {"function": function}
    if index is not None:
        found["index"] = index
    if id is not NOTHING:
        found["id"] = id
    return found


def spoken(events: Sequence[Sequence[Json]]) -> list[ToolCall]:
    """The calls that a caller puts together from a stream of these pieces, each inner list in one event."""
    told = [json.dumps({"id": "c1", "choices": [{"delta": {"tool_calls": list(pieces)}}]}) for pieces in events]
    deltas, end = streamed([lines(*told, chunk("", "tool_calls"), "[DONE]")])
    assert end is not None
    assert end.finish_reason is FinishReason.TOOL_CALLS
    calls: dict[int, ToolCall] = {}
    for delta in [delta for event in deltas for delta in event.tool_calls]:
        call = calls.get(delta.index, ToolCall(id="", name="", arguments_json=""))
        assert bool(delta.id) == (not call.id), "an id comes once, and with the first piece"
        calls[delta.index] = ToolCall(
            id=call.id + delta.id,
            name=call.name + delta.name,
            arguments_json=call.arguments_json + delta.arguments_json_fragment,
        )
    assert list(calls) == list(range(len(calls)))
    return list(calls.values())


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([[piece(*F, index=0, id="")], [piece(*G, index=0, id="")]], [F, G], id="one-index-empty-ids"),
        pytest.param([[piece(*F, index=0)], [piece(*G, index=0)]], [F, G], id="one-index-no-ids"),
        pytest.param([[piece(*F, index=0), piece(*G, index=0)]], [F, G], id="one-index-no-ids-together"),
        pytest.param([[piece(*F), piece(*G)]], [F, G], id="neither-index-nor-id"),
        pytest.param([[piece(*F)], [piece(*F)]], [F, F], id="neither-index-nor-id-twice-the-same"),
        pytest.param([[piece(*F, index=0)], [piece("f", '{"x":2}', index=0)]], [F, ("f", '{"x":2}')], id="one-name"),
        pytest.param([[piece("f", "", index=0)], [piece(*G, index=0)]], [("f", ""), G], id="no-arguments"),
        pytest.param(
            [[piece("f", '{"x"', index=0)], [piece("f", ":1}", index=0)], [piece(*G, index=0)]],
            [F, G],
            id="name-with-every-piece",
        ),
        pytest.param([[piece("f", '{"x"', id="")], [piece("f", ":1}", id="")]], [F], id="name-again-without-index"),
        pytest.param([[piece("f", '{"x"')], [piece(None, ":1}")], [piece("f", "")]], [F], id="name-again-at-the-end"),
        pytest.param(
            [[piece(*F, index=0, id="A")], [piece(index=0, id="B")], [piece(*G, index=0)]], [F, G], id="id-before-name"
        ),
        pytest.param(
            [[piece(*F, index=0, id="A")], [piece(None, "", index=0, id="B")]], [F], id="id-of-a-call-that-never-comes"
        ),
        pytest.param(
            [[piece("f", '{"x"', index=0, id="A")], [piece(None, ":1}", index=1, id="A")]], [F], id="rising-index"
        ),
        pytest.param([[piece("f", '{"x"', index=0)], [piece(None, ":1}", index=1)]], [F], id="rising-index-no-ids"),
        pytest.param([[piece(*F, index=0, id="A")], [piece(*F, index=0, id="A")]], [F], id="resent"),
        pytest.param([[piece(*F, index=0)], [piece(None, F[1], index=0)]], [F], id="arguments-resent"),
        pytest.param([[piece(*F, index=0, id="A")], [piece(*G, index=1, id="A")]], [F, G], id="one-id"),
        pytest.param(
            [
                [piece("f", "", index=0, id="A"), piece("g", "", index=1, id="B")],
                [piece(None, '{"y"', index=1)],
                [piece(None, '{"x"', index=0)],
                [piece(None, ":2}", index=1), piece(None, ":1}", index=0)],
            ],
            [F, G],
            id="interleaved",
        ),
    ],
)
def test_calls_are_told_apart(events: Sequence[Sequence[Json]], expected: Sequence[tuple[str, str]]) -> None:
    calls = spoken(events)
    assert [(call.name, call.arguments_json) for call in calls] == expected
    assert len({call.id for call in calls}) == len(calls), "a result has to name its call"


def test_an_id_that_came_before_its_name_is_the_calls() -> None:
    calls = spoken([[piece(*F, index=0, id="A")], [piece(index=0, id="B")], [piece(*G, index=0)]])
    assert [call.id for call in calls] == ["A", "B"]


def test_the_older_form_of_a_call_is_read() -> None:
    told = [{"function_call": {"name": "f", "arguments": '{"x"'}}, {"function_call": {"arguments": ":1}"}}]
    events = [json.dumps({"choices": [{"delta": delta}]}) for delta in told]
    deltas, end = streamed([lines(*events, chunk("", "function_call"), "[DONE]")])
    pieces = [call for delta in deltas for call in delta.tool_calls]
    assert [(call.index, call.name, call.arguments_json_fragment) for call in pieces] == [
        (0, "f", '{"x"'),
        (0, "", ":1}"),
    ]
    assert end is not None
    assert end.finish_reason is FinishReason.TOOL_CALLS

    whole = decoded(answer(choices=choice("function_call", function_call={"name": "f", "arguments": F[1]})))
    assert [(call.name, call.arguments_json) for call in whole.message.tool_calls] == [F]
    assert whole.finish_reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("text", ["", "Let me see."])
def test_who_stops_for_a_call_and_makes_none_has_failed(text: str) -> None:
    with pytest.raises(BadResponse, match="called none"):
        decoded(answer(choices=choice("tool_calls", content=text)))
    with pytest.raises(BadResponse, match="called none"):
        streamed([lines(chunk(text, "tool_calls"), "[DONE]")])


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(alphabet='{}[]"\\a \n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='{}[]"\\a'), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(alphabet='{}[]"\\a'), JSON, min_size=1), st.lists(st.integers(0, 200)))
def test_an_object_is_whole_at_its_end_and_not_before(value: dict[str, object], cuts: list[int]) -> None:
    text = json.dumps(value)
    places = sorted({0, len(text), *[cut for cut in cuts if cut < len(text)]})
    arguments = Arguments()
    assert not arguments.are_whole()
    for start, end in pairwise(places):
        arguments.add(text[start:end])
        assert arguments.are_whole() == (end == len(text))
    assert arguments.are(text)
    assert not arguments.are(text + " ")

"""Stretches of a stream in messages: each of them small enough, nothing lost, nothing twice."""

from __future__ import annotations

import pytest

from router_service.core.chat import Delta, ToolCallDelta
from router_service.service.pieces import MAX_DELTA_CHARACTERS, in_pieces

LONG = "x" * (2 * MAX_DELTA_CHARACTERS + 5)


def call(index: int, fragment: str, *, id: str = "") -> ToolCallDelta:
    return ToolCallDelta(index=index, id=id, name="f" if id else "", arguments_json_fragment=fragment)


@pytest.mark.parametrize(
    ("delta", "pieces"),
    [
        pytest.param(Delta("Hi", "Hm", (call(0, "{}", id="c"),)), 1, id="short"),
        pytest.param(Delta(LONG), 3, id="content"),
        pytest.param(Delta("", LONG), 3, id="reasoning"),
        pytest.param(Delta("Hi", "Hm", (call(0, LONG, id="c"),)), 5, id="arguments"),
        pytest.param(Delta(tool_calls=(call(0, LONG, id="c"), call(1, "{}", id="d"))), 3, id="two-calls"),
        pytest.param(Delta(tool_calls=tuple(call(i, "") for i in range(50_000))), 7, id="many-empty-calls"),
        pytest.param(Delta(tool_calls=tuple(call(i, "", id="c" * 65_000) for i in range(9))), 3, id="long-ids"),
    ],
)
def test_pieces(delta: Delta, pieces: int) -> None:
    found = in_pieces(delta)
    assert len(found) == pieces
    assert "".join(p.content for p in found) == delta.content
    assert "".join(p.reasoning for p in found) == delta.reasoning
    assert _joined([c for p in found for c in p.tool_calls]) == _joined(list(delta.tool_calls))
    assert all(_bytes(p) < 1_500_000 for p in found)


def _joined(calls: list[ToolCallDelta]) -> dict[int, tuple[str, str, str]]:
    whole: dict[int, tuple[str, str, str]] = {}
    for c in calls:
        id, name, arguments = whole.get(c.index, ("", "", ""))
        whole[c.index] = (id + c.id, name + c.name, arguments + c.arguments_json_fragment)
    return whole


def _bytes(delta: Delta) -> int:
    texts = [delta.content, delta.reasoning, *(c.id + c.name + c.arguments_json_fragment for c in delta.tool_calls)]
    return sum(len(text.encode()) for text in texts) + 16 * len(delta.tool_calls)

"""`signalbox models`: all targets of a router, page by page, for people and for programs."""

from __future__ import annotations

import pytest
from signalbox.v1 import admin_pb2

from tests.commands.conftest import Played, Run
from tests.commands.playing import NAMES, target


def test_json_has_the_documented_shape(run: Run, played: Played) -> None:
    output = run("models", "--json", "--address", played.address)
    items = output.document()["items"]
    assert (output.code, output.err) == (0, "")
    assert [item["target"] for item in items] == list(NAMES), "all pages are read"
    assert items[0] == {
        "target": "groq/openai/gpt-oss-120b",
        "provider": "groq",
        "model": "openai/gpt-oss-120b",
        "context": 131_072,
        "prices": {"input": 0.15, "output": 0.6, "cached_input": None, "cache_write": None},
        "capabilities": ["tools"],
        "state": "ready",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("availability", "state"),
    [
        (admin_pb2.AVAILABILITY_NO_KEY, "no_key"),
        (admin_pb2.AVAILABILITY_DISABLED, "off"),
        (admin_pb2.AVAILABILITY_UNSUPPORTED, "unsupported"),
    ],
)
def test_state_and_reason(run: Run, played: Played, availability: admin_pb2.Availability.ValueType, state: str) -> None:
    found = target("azure/gpt-5")
    found.availability, found.availability_detail = availability, "for some reason"
    found.ClearField("prices")
    found.context_tokens = 0
    played.router.targets = [found]
    [item] = run("models", "--json", "--address", played.address).document()["items"]
    assert (item["state"], item["reason"], item["context"]) == (state, "for some reason", None)
    assert item["prices"] == {"input": None, "output": None, "cached_input": None, "cache_write": None}
    shown = run("models", "--address", played.address)
    assert state.replace("_", " ") in shown.out
    assert shown.err == "1 target, 0 ready\n"


def test_table_names_every_target(run: Run, played: Played) -> None:
    output = run("models", "--address", played.address)
    assert output.code == 0
    assert "\x1b" not in output.out
    for name in NAMES:
        assert name in output.out
    for word in ("healthy", "131k", "0.15", "0.6", "fast", "tools"):
        assert word in output.out
    assert output.err == "3 targets, 3 ready\n"


def test_provider_narrows_the_list(run: Run, played: Played) -> None:
    [item] = run("models", "--provider", "groq", "--json", "--address", played.address).document()["items"]
    assert item["target"] == NAMES[0]


def test_task_sorts_by_match_and_leaves_out_what_does_not_suit(run: Run, played: Played) -> None:
    tagged = [target("a/m"), target("b/m"), target("c/m"), target("d/m")]
    tagged[1].task_match["reasoning"] = 0.9
    tagged[2].ClearField("task_match")
    tagged[3].capabilities.append("embedding")
    played.router.targets = tagged
    items = run("models", "--task", "reasoning", "--json", "--address", played.address).document()["items"]
    assert [item["target"] for item in items] == ["b/m", "c/m"], "one without tags suits everything middling"
    shown = run("models", "--task", "reasoning", "--address", played.address).out
    assert "90%" in shown


def test_absent_router_is_exit_3(run: Run) -> None:
    assert run("models", "--address", "127.0.0.1:1").code == 3

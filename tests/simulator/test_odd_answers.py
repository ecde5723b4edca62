"""Answers that are odd or malformed, though their connection is not: framing of events, shapes, lacks and labels."""

from __future__ import annotations

import hashlib
import json
import math

import pytest

from .harness import Simulator, chat_body, payloads, stream_body, streamed_text

EVENTS_IN_ALL = 28  # the role, 24 tokens, the finish, the usage, [DONE]


@pytest.mark.parametrize("prompt", ["plain", "unicode please"])
@pytest.mark.parametrize(
    "fault",
    ["crlf", "bare-cr", "comments", "bom", "multi-line-data", "one-byte", "usage-in-every-chunk", "huge-line=1",
     "comments;crlf;bom;multi-line-data;one-byte", "no-finish", "wrong-content-type", "body-mib=1"],
)  # fmt: skip
def test_odd_stream_has_the_whole_text(simulator: Simulator, attempt: str, prompt: str, fault: str) -> None:
    answer = simulator.chat(stream_body(prompt), fault=fault, attempt=attempt)
    events = payloads(answer.content)
    row = simulator.row(attempt)
    assert row["text_sha256"] == hashlib.sha256(streamed_text(events).encode()).hexdigest()
    assert (row["events"], events[-1], row["terminal"]) == (len(events), b"[DONE]", True)


@pytest.mark.parametrize(
    ("fault", "mark"),
    [
        ("crlf", b"}\r\n\r\ndata: "),
        ("bare-cr", b"}\r\rdata: "),
        ("comments", b"\n\n: ping\n"),
        ("bom", b"\xef\xbb\xbfdata: "),
        ("multi-line-data", b"data: {\ndata: "),
        ("usage-in-every-chunk", b'"completion_tokens":7,'),
        ("huge-line=1", b"x" * 1024 * 1024),
    ],
)
def test_odd_stream_is_odd(simulator: Simulator, fault: str, mark: bytes) -> None:
    assert mark in simulator.chat(stream_body(), fault=fault).content


@pytest.mark.parametrize(("fault", "kept"), [("no-done", EVENTS_IN_ALL - 1), ("no-finish", EVENTS_IN_ALL - 1)])
def test_stream_lacks_an_event(simulator: Simulator, attempt: str, fault: str, kept: int) -> None:
    content = simulator.chat(stream_body(), fault=fault, attempt=attempt).content
    assert len(payloads(content)) == kept
    assert (b"[DONE]" in content, b'"stop"' in content) == (fault != "no-done", fault != "no-finish")
    assert simulator.row(attempt)["terminal"] is (fault != "no-done")


def test_garbage_in_a_stream_is_one_event_after_the_first_token(simulator: Simulator, attempt: str) -> None:
    events = payloads(simulator.chat(stream_body(), fault="garbage", attempt=attempt).content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(events[2])
    assert len(events) == EVENTS_IN_ALL + 1
    assert streamed_text(events[:2]).startswith("Reply ")
    streamed_text(events[3:])


def test_garbage_in_a_body_is_no_json(simulator: Simulator, attempt: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        simulator.chat(chat_body(), fault="garbage", attempt=attempt).json()
    assert simulator.row(attempt)["terminal"] is False


@pytest.mark.parametrize(
    "shape", ["null-choices", "empty-choices", "string-usage", "no-usage", "deep", "nan", "huge-number"]
)
def test_shape_is_wrong_in_a_body(simulator: Simulator, shape: str) -> None:
    content = simulator.chat(chat_body(), fault=f"shape={shape}").content
    if shape == "deep":
        assert b"[" * 2000 in content
        return
    body = json.loads(content)
    choices, usage = body["choices"], body.get("usage")
    match shape:
        case "null-choices":
            assert choices is None
        case "empty-choices":
            assert choices == []
        case "string-usage":
            assert isinstance(usage, str)
        case "no-usage":
            assert usage is None
        case _:
            assert not math.isfinite(usage["prompt_tokens"])


@pytest.mark.parametrize("shape", ["null-choices", "empty-choices", "deep", "nan", "huge-number", "duplicate-keys"])
def test_shape_is_wrong_in_one_event(simulator: Simulator, shape: str) -> None:
    events = payloads(simulator.chat(stream_body(), fault=f"shape={shape}").content)
    assert len(events) == EVENTS_IN_ALL + 1
    streamed_text(events[:2] + events[3:])


def test_duplicate_keys_are_in_the_body(simulator: Simulator) -> None:
    content = simulator.chat(chat_body(), fault="shape=duplicate-keys").content
    json.loads(content)
    assert content.count(b'"choices":') == 2


@pytest.mark.parametrize(("shape", "usages"), [("no-usage", 0), ("string-usage", 1)])
def test_usage_is_wrong_in_a_stream(simulator: Simulator, shape: str, usages: int) -> None:
    events = payloads(simulator.chat(stream_body(), fault=f"shape={shape}").content)
    said = [json.loads(event)["usage"] for event in events[:-1]]
    assert [usage for usage in said if usage is not None] == ["plenty"] * usages


def test_html_comes_with_200(simulator: Simulator, attempt: str) -> None:
    answer = simulator.chat(chat_body(), fault="html", attempt=attempt)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.content.startswith(b"<!DOCTYPE html>")
    assert simulator.row(attempt)["terminal"] is False


def test_content_type_can_be_wrong(simulator: Simulator) -> None:
    answer = simulator.chat(chat_body(), fault="wrong-content-type")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.json()["object"] == "chat.completion"


def test_json_can_come_where_a_stream_was_asked_for(simulator: Simulator) -> None:
    answer = simulator.chat(stream_body(), fault="ignore-stream")
    assert (answer.headers["content-type"], answer.json()["object"]) == ("application/json", "chat.completion")


@pytest.mark.parametrize("fault", ["body-mib=4", "body-mib=4;bom"])
def test_large_body_has_its_stated_length(simulator: Simulator, attempt: str, fault: str) -> None:
    answer = simulator.chat(chat_body(), fault=fault, attempt=attempt)
    assert len(answer.content) == int(answer.headers["content-length"]) > 4 * 1024 * 1024
    text = json.loads(answer.content.removeprefix(b"\xef\xbb\xbf"))["choices"][0]["message"]["content"]
    row = simulator.row(attempt)
    assert (row["text_sha256"], row["terminal"]) == (hashlib.sha256(text.encode()).hexdigest(), True)
    assert row["output_tokens"] == 256

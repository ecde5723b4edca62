"""Chat completions and model lists without faults, over real connections."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import anyio
import httpx
import pytest

from .harness import (
    PATIENCE_S,
    Simulator,
    chat_body,
    payloads,
    raw_chat,
    read_answers,
    read_to_end,
    request_headers,
    stream_body,
    streamed_text,
)


def test_unary_has_the_vendor_shape(simulator: Simulator, attempt: str) -> None:
    answer = simulator.chat(chat_body("x" * 41), attempt=attempt)
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert body["id"].startswith("chatcmpl-")
    assert (body["object"], body["model"]) == ("chat.completion", "sim-model")
    [choice] = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (11, 24, 35)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert_row_tells(simulator, attempt, choice["message"]["content"], events=0, stream=False)


@pytest.mark.parametrize("prompt", ["plain", "unicode please"])
def test_stream_has_the_vendor_shape(simulator: Simulator, attempt: str, prompt: str) -> None:
    answer = simulator.chat(stream_body(prompt), attempt=attempt)
    *events, done = payloads(answer.content)
    first, *tokens, finish, usage = [json.loads(event) for event in events]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert len(tokens) == 24
    assert all(event["object"] == "chat.completion.chunk" and event["usage"] is None for event in (first, *tokens))
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 24)
    assert done == b"[DONE]"
    assert len({event["id"] for event in (first, *tokens, finish, usage)}) == 1
    assert_row_tells(simulator, attempt, streamed_text(events), events=28, stream=True)


def test_stream_without_usage_asked_for_has_none(simulator: Simulator) -> None:
    events = payloads(simulator.chat(chat_body(stream=True)).content)
    assert len(events) == 27
    assert not any(b'"usage"' in event for event in events)


def test_stream_and_unary_say_the_same(simulator: Simulator) -> None:
    unary = simulator.chat(chat_body("unicode, the same")).json()["choices"][0]["message"]["content"]
    assert streamed_text(payloads(simulator.chat(stream_body("unicode, the same")).content)) == unary
    assert unary != simulator.chat(chat_body("unicode, the other")).json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("fields", "tokens", "reason"),
    [
        ({"max_tokens": 3}, 3, "length"),
        ({"max_completion_tokens": 4}, 4, "length"),
        ({"max_tokens": 9, "max_completion_tokens": 4}, 4, "length"),
        ({"max_tokens": 500}, 24, "stop"),
        ({"max_tokens": None}, 24, "stop"),
    ],
)
def test_limit_cuts_the_answer(simulator: Simulator, fields: dict[str, Any], tokens: int, reason: str) -> None:
    body = simulator.chat(chat_body(**fields)).json()
    assert (body["usage"]["completion_tokens"], body["choices"][0]["finish_reason"]) == (tokens, reason)


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("", 1),
        ("abcd", 1),
        ("abcde", 2),
        ("駅" * 8, 2),
        ([{"type": "text", "text": "abcde"}, {"type": "image_url"}], 2),
        (None, 1),
    ],
)
def test_prompt_is_counted_by_characters(simulator: Simulator, content: object, tokens: int) -> None:
    body = simulator.chat({"model": "m", "messages": [{"role": "user", "content": content}]}).json()
    assert body["usage"]["prompt_tokens"] == tokens


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "model", "missing_required_parameter"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        ({"model": "m", "messages": []}, "messages", "missing_required_parameter"),
        ({"model": "m", "messages": "x"}, "messages", "invalid_type"),
        ({"model": "m", "messages": [{"content": "x"}]}, "messages[0]", "invalid_type"),
        (chat_body(max_tokens=0), "max_tokens", "invalid_type"),
        (chat_body(stream="yes"), "stream", "invalid_type"),
        (b"{", None, None),
        (b"", None, None),
        (b'{"model":"\xff"}', None, None),
        (b"[]", None, "invalid_type"),
    ],
)
def test_bad_request_is_refused_as_the_vendor_does(
    simulator: Simulator, body: dict[str, Any] | bytes, param: str | None, code: str | None
) -> None:
    answer = simulator.chat(body)
    error = answer.json()["error"]
    if param is not None and param.startswith("messages["):
        param = error["param"] if error["param"].startswith("messages[") else param
    assert (answer.status_code, error["type"], error["param"], error["code"]) == (
        400,
        "invalid_request_error",
        param,
        code,
    )
    assert error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/fast/v1/embeddings", 404),
        ("GET", "/", 404),
        ("GET", "/fast", 404),
        ("GET", "/fast/v1/chat/completions", 405),
        ("POST", "/fast/v1/models", 405),
    ],
)
def test_other_path_is_refused_in_the_vendor_form(simulator: Simulator, method: str, path: str, status: int) -> None:
    answer = simulator.client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong", 401), ("right", 200)])
def test_key_is_asked_for_where_the_behaviour_says_so(simulator: Simulator, key: str, status: int) -> None:
    assert simulator.chat(chat_body(), provider="keyed", key=key).status_code == status
    assert simulator.chat(chat_body(), provider="fast", key=key).status_code == 200


def test_strict_provider_knows_its_models_only(simulator: Simulator) -> None:
    listed = simulator.client.get("/strict/v1/models").json()
    assert (listed["object"], [model["id"] for model in listed["data"]]) == ("list", ["one", "two"])
    assert simulator.chat(chat_body(model="two"), provider="strict").status_code == 200
    refused = simulator.chat(chat_body(model="three"), provider="strict")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


def test_latency_comes_before_the_head(simulator: Simulator, attempt: str) -> None:
    assert simulator.chat(stream_body(), provider="late", attempt=attempt).status_code == 200
    row = simulator.row(attempt)
    assert 0.14 <= row["first_byte_s"] - row["started"] < 0.15 + PATIENCE_S


def test_tokens_come_at_their_pace(simulator: Simulator, attempt: str) -> None:
    body = json.dumps(stream_body()).encode()
    sizes: list[int] = []
    with simulator.client.stream("POST", "/paced/v1/chat/completions", content=body) as answer:
        sizes.extend(len(payloads(data)) for data in answer.iter_raw())
    # Eleven gaps of 10 ms; the role goes with the first token, and the ending with the last.
    assert sum(sizes) == 16
    assert len(sizes) >= 3


@pytest.mark.parametrize("is_stream", [False, True])
def test_paced_answer_takes_its_time(simulator: Simulator, attempt: str, is_stream: bool) -> None:
    simulator.chat(chat_body(stream=is_stream), provider="paced", attempt=attempt)
    row = simulator.row(attempt)
    assert 0.105 <= row["ended_s"] - row["started"] < 0.11 + PATIENCE_S


def test_connection_is_kept(own_simulator: Simulator) -> None:
    for _ in range(5):
        own_simulator.chat(chat_body())
        own_simulator.chat(stream_body())
    assert own_simulator.counts()["accepted"] == 1


def test_early_requests_are_answered_in_order(simulator: Simulator) -> None:
    with simulator.connect() as connection:
        slow, quick = raw_chat(chat_body(model="slow"), provider="late"), raw_chat(chat_body(model="quick"))
        connection.sendall(slow + quick + quick)
        answers = read_answers(connection, 3)
    models = [part.partition(b'"')[0] for part in answers.split(b'"model":"')[1:]]
    assert models == [b"slow", b"quick", b"quick"]


def test_client_that_wants_no_connection_kept_gets_fin(simulator: Simulator) -> None:
    request = raw_chat(chat_body()).replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    with simulator.connect() as connection:
        connection.sendall(request)
        answer, ending = read_to_end(connection)
    assert ending == "fin"
    assert b"connection: close" in answer


def test_body_in_chunks_and_in_single_bytes_is_read(simulator: Simulator) -> None:
    content = json.dumps(chat_body()).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in content) + b"0\r\n\r\n"
    fields = b"host: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n"
    head = b"POST /fast/v1/chat/completions HTTP/1.1\r\n%b\r\n" % fields
    with simulator.connect() as connection:
        for byte in head:
            connection.send(bytes([byte]))
        connection.sendall(chunks)
        answer = read_answers(connection, 1)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_large_prompt_is_read_and_a_larger_one_refused(simulator: Simulator) -> None:
    assert simulator.chat(chat_body("x" * (8 * 1024 * 1024))).json()["usage"]["prompt_tokens"] == 2 * 1024 * 1024
    assert simulator.chat(b"x" * (64 * 1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize(
    "rubbish", [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"]
)
def test_what_is_no_http_is_refused(simulator: Simulator, rubbish: bytes) -> None:
    with simulator.connect() as connection:
        connection.sendall(rubbish)
        answer, ending = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert ending == "fin"


@pytest.mark.anyio
async def test_ten_streams_at_once_do_not_wait_for_each_other(simulator: Simulator, attempt: str) -> None:
    texts: dict[int, str] = {}

    async def stream(client: httpx.AsyncClient, number: int) -> None:
        headers = request_headers(attempt=f"{attempt}.{number}")
        body = stream_body(f"unicode {number}")
        answer = await client.post("/leisurely/v1/chat/completions", json=body, headers=headers)
        texts[number] = streamed_text(payloads(answer.content))

    async with (
        httpx.AsyncClient(base_url=f"http://{simulator.address}", trust_env=False, timeout=PATIENCE_S) as client,
        anyio.create_task_group() as group,
    ):
        for number in range(10):
            group.start_soon(stream, client, number)
    assert len(set(texts.values())) == 10
    rows = [simulator.row(f"{attempt}.{number}") for number in range(10)]
    assert max(row["started"] for row in rows) < min(row["ended_s"] for row in rows)


def assert_row_tells(simulator: Simulator, attempt: str, text: str, *, events: int, stream: bool) -> None:
    """Check that the log agrees with the answer that was received."""
    row = simulator.row(attempt)
    assert row["text_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (row["events"], row["stream"], row["output_tokens"], row["status"]) == (events, stream, 24, 200)
    assert (row["terminal"], row["closed_by"], row["complete_request"]) == (True, "none", True)
    assert (row["provider"], row["model"], row["path"], row["fault"]) == ("fast", "sim-model", "chat", "")
    assert row["started"] <= row["first_byte_s"] <= row["ended_s"]

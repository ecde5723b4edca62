"""Each fault, as a client sees it and as the log tells it."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import pytest

from .harness import (
    PATIENCE_S,
    QUIET_S,
    Simulator,
    body_of,
    chat_body,
    payloads,
    raw_chat,
    read_to_end,
    stream_body,
    streamed_text,
)

EVENTS_IN_ALL = 28  # the role, 24 tokens, the finish, the usage, [DONE]


def talk(simulator: Simulator, body: dict[str, Any], *, fault: str, attempt: str, ending: str) -> tuple[bytes, str]:
    """Send one request over a raw connection, and return the answer and how it ended.

    Only where the connection is expected to stay `open` does a short silence count as the end.
    """
    with simulator.connect() as connection:
        connection.sendall(raw_chat(body, fault=fault, attempt=attempt))
        return read_to_end(connection, quiet_s=QUIET_S if ending == "open" else PATIENCE_S)


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code"),
    [
        ("status=429;retry-after=2", 429, "requests", "rate_limit_exceeded"),
        ("status=429;type=insufficient_quota;code=insufficient_quota", 429, "insufficient_quota", "insufficient_quota"),
        ("status=401", 401, "invalid_request_error", "invalid_api_key"),
        ("status=404", 404, "invalid_request_error", "model_not_found"),
        ("status=500", 500, "server_error", None),
        ("status=529", 529, "server_error", "overloaded"),
        ("status=400;code=context_length_exceeded", 400, "invalid_request_error", "context_length_exceeded"),
    ],
)
@pytest.mark.parametrize("body", [chat_body(), stream_body()], ids=["unary", "stream"])
def test_status_is_an_error_answer(
    simulator: Simulator, attempt: str, body: dict[str, Any], fault: str, status: int, kind: str, code: str | None
) -> None:
    answer = simulator.chat(body, fault=fault, attempt=attempt)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (status, kind, code)
    assert answer.headers.get("retry-after") == ("2" if "retry-after" in fault else None)
    row = simulator.row(attempt)
    assert (row["status"], row["fault"], row["input_tokens"], row["output_tokens"]) == (status, fault, 0, 0)
    assert (row["terminal"], row["closed_by"]) == (True, "none")


def test_fault_comes_from_the_model_name_first(simulator: Simulator, attempt: str) -> None:
    answer = simulator.chat(chat_body(model="m!status=503;retry-after=soon"), fault="status=500", attempt=attempt)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "soon")
    row = simulator.row(attempt)
    assert (row["model"], row["fault"]) == ("m", "status=503;retry-after=soon")


@pytest.mark.parametrize("body", [chat_body(model="m!explode"), chat_body()])
def test_fault_that_is_none_is_refused_by_name(simulator: Simulator, body: dict[str, Any]) -> None:
    answer = simulator.chat(body, fault="explode")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("explode: no such fault")


def test_fault_also_meets_the_model_list(simulator: Simulator, attempt: str) -> None:
    headers = {"x-sim-fault": "status=503", "x-request-id": attempt}
    assert simulator.client.get("/fast/v1/models", headers=headers).status_code == 503
    assert simulator.row(attempt)["path"] == "models"
    broken = simulator.client.get("/fast/v1/models", headers={"x-sim-fault": "garbage"})
    with pytest.raises(json.JSONDecodeError):
        broken.json()


@pytest.mark.parametrize(
    ("fault", "status"), [("redirect=http://127.0.0.1:9/x", 307), ("redirect=file:///;status=301", 301)]
)
def test_redirect_names_the_other_place(simulator: Simulator, fault: str, status: int) -> None:
    answer = simulator.chat(chat_body(), fault=fault)
    assert (answer.status_code, answer.headers["location"]) == (status, fault.partition("=")[2].partition(";")[0])


def test_slow_adds_to_the_time_before_the_head(simulator: Simulator, attempt: str) -> None:
    simulator.chat(chat_body(), fault="slow=0.1;status=500", attempt=attempt)
    row = simulator.row(attempt)
    assert 0.095 <= row["first_byte_s"] - row["started"] < 0.1 + PATIENCE_S


@pytest.mark.parametrize(
    ("fault", "ending", "closed_by"),
    [("reset", "reset", "server"), ("close-after-request", "fin", "server"), ("silence", "open", "client")],
)
@pytest.mark.parametrize("body", [chat_body(), stream_body()], ids=["unary", "stream"])
def test_no_byte_comes(
    simulator: Simulator, attempt: str, body: dict[str, Any], fault: str, ending: str, closed_by: str
) -> None:
    assert talk(simulator, body, fault=fault, attempt=attempt, ending=ending) == (b"", ending)
    row = simulator.row(attempt)
    assert (row["status"], row["first_byte_s"], row["closed_by"], row["terminal"]) == (0, None, closed_by, False)
    assert (row["complete_request"], row["events"], row["output_tokens"], row["text_sha256"]) == (True, 0, 0, "")
    assert row["input_tokens"] > 0


@pytest.mark.parametrize(
    ("fault", "ending", "closed_by"),
    [
        ("reset-after=3", "reset", "server"),
        ("stall-after=3", "open", "client"),
        ("truncate-after=3", "fin", "server"),
        ("error-event-after=3", "fin", "server"),
    ],
)
def test_stream_breaks_off_after_events(
    simulator: Simulator, attempt: str, fault: str, ending: str, closed_by: str
) -> None:
    answer, seen = talk(simulator, stream_body(), fault=fault, attempt=attempt, ending=ending)
    events = payloads(body_of(answer))
    has_error = fault.startswith("error")
    if has_error:
        assert set(json.loads(events.pop())["error"]) == {"message", "type", "param", "code"}
    assert (len(events), seen) == (3, ending)
    assert answer.endswith(b"0\r\n\r\n") is has_error
    row = simulator.row(attempt)
    assert (row["events"], row["output_tokens"], row["terminal"], row["closed_by"]) == (
        3 + has_error,
        2,
        False,
        closed_by,
    )
    assert row["text_sha256"] == hashlib.sha256(streamed_text(events).encode()).hexdigest()


@pytest.mark.parametrize(
    ("fault", "ending"), [("reset-after=40", "reset"), ("stall-after=40", "open"), ("truncate-after=40", "fin")]
)
def test_unary_body_breaks_off_after_bytes(simulator: Simulator, attempt: str, fault: str, ending: str) -> None:
    answer, seen = talk(simulator, chat_body(), fault=fault, attempt=attempt, ending=ending)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (len(body), seen) == (40, ending)
    assert int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]) > 40
    row = simulator.row(attempt)
    assert (row["status"], row["output_tokens"], row["terminal"], row["text_sha256"]) == (200, 0, False, "")


@pytest.mark.parametrize("fault", ["reset-after=28", "stall-after=99", "truncate-after=28", "error-event-after=28"])
def test_break_behind_the_end_breaks_nothing(simulator: Simulator, attempt: str, fault: str) -> None:
    assert len(payloads(simulator.chat(stream_body(), fault=fault, attempt=attempt).content)) == EVENTS_IN_ALL
    row = simulator.row(attempt)
    assert (row["terminal"], row["closed_by"]) == (True, "none")


@pytest.mark.parametrize("body", [chat_body(), stream_body()], ids=["unary", "stream"])
def test_stall_sends_the_head_alone(simulator: Simulator, attempt: str, body: dict[str, Any]) -> None:
    answer, ending = talk(simulator, body, fault="stall", attempt=attempt, ending="open")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert ending == "open"
    assert (simulator.row(attempt)["status"], simulator.row(attempt)["closed_by"]) == (200, "client")


@pytest.mark.parametrize("body", [chat_body(), stream_body()], ids=["unary", "stream"])
def test_cut_by_bytes_ends_a_well_framed_body(simulator: Simulator, attempt: str, body: dict[str, Any]) -> None:
    answer = simulator.chat(body, fault="truncate-bytes=333", attempt=attempt)
    assert len(answer.content) == 333
    row = simulator.row(attempt)
    assert (row["terminal"], row["closed_by"]) == (False, "server")


def test_cut_by_bytes_may_part_a_character(simulator: Simulator) -> None:
    whole = simulator.chat(stream_body("unicode")).content
    at = next(number for number, byte in enumerate(whole) if byte >= 0xE0) + 1
    with pytest.raises(UnicodeDecodeError):
        simulator.chat(stream_body("unicode"), fault=f"truncate-bytes={at}").content.decode()


def test_single_bytes_are_chunks_of_their_own(simulator: Simulator, attempt: str) -> None:
    answer, _ = talk(simulator, stream_body(max_tokens=1), fault="one-byte", attempt=attempt, ending="open")
    chunks = answer.partition(b"\r\n\r\n")[2]
    assert chunks.startswith(b"1\r\nd\r\n1\r\na\r\n")


def test_trickle_sends_a_byte_at_a_time(simulator: Simulator, attempt: str) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(stream_body(), fault="trickle=0.05", attempt=attempt))
        received, sent_s = b"", time.monotonic()
        while len(body_of(received)) < 5:
            received += connection.recv(65536)
    # Four gaps; the timers may be early by their grain.
    assert time.monotonic() - sent_s > 0.18
    row = simulator.row(attempt)
    assert (row["events"], row["closed_by"]) == (0, "client")


def test_pings_alone_never_become_an_event(simulator: Simulator, attempt: str) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(stream_body(), fault="pings-only", attempt=attempt))
        received = b""
        while body_of(received).count(b": ping\n\n") < 3:
            received += connection.recv(65536)
    assert payloads(body_of(received)) == []
    assert simulator.row(attempt)["events"] == 0


@pytest.mark.parametrize("body", [chat_body(), stream_body()], ids=["unary", "stream"])
def test_endless_answer_goes_on_until_the_client_leaves(
    simulator: Simulator, attempt: str, body: dict[str, Any]
) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(body, fault="endless", attempt=attempt))
        received = 0
        while received < 4 * 1024 * 1024:
            received += len(connection.recv(262144))
        # Others are served meanwhile.
        assert simulator.chat(chat_body()).status_code == 200
    row = simulator.row(attempt)
    assert (row["terminal"], row["closed_by"]) == (False, "client")
    assert row["output_tokens"] > 10_000

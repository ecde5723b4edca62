"""The log as outside witness: what it says of clients that leave, of unfinished requests and of the server's end."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .harness import LEAVE_BOUND_S, PATIENCE_S, Simulator, chat_body, raw_chat, request_headers, stream_body

FIELDS = [
    "time", "connection", "attempt_id", "provider", "model", "complete_request", "status", "events", "input_tokens",
    "output_tokens", "terminal", "closed_by", "text_sha256",
    "path", "stream", "fault", "started", "first_byte_s", "ended_s",
]  # fmt: skip


def test_row_has_exactly_its_fields(simulator: Simulator, attempt: str) -> None:
    simulator.chat(chat_body(), attempt=attempt)
    assert list(simulator.row(attempt)) == FIELDS


@pytest.mark.parametrize("way", ["fin", "reset"])
@pytest.mark.parametrize("fault", ["stall-after=3", "silence", "slow=30"])
def test_client_that_leaves_is_seen_at_once(simulator: Simulator, attempt: str, way: str, fault: str) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(stream_body(), attempt=attempt, fault=fault))
        wait_in_flight(simulator, 1)
        left_s = simulator.counts()["now_s"]
        if way == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    row = simulator.row(attempt)
    assert row["closed_by"] == "client"
    assert left_s <= row["ended_s"] <= left_s + LEAVE_BOUND_S
    assert (row["events"], row["status"]) == ((3, 200) if fault == "stall-after=3" else (0, 0))
    wait_in_flight(simulator, 0)


def test_client_that_leaves_between_tokens_is_told_of_by_how_far_it_came(simulator: Simulator, attempt: str) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(stream_body(), provider="paced", attempt=attempt))
        received = b""
        while received.count(b"data: ") < 4:
            received += connection.recv(65536)
    row = simulator.row(attempt)
    assert row["closed_by"] == "client"
    assert 4 <= row["events"] < 16
    assert row["output_tokens"] == row["events"] - 1


def test_unfinished_request_has_a_row(simulator: Simulator, attempt: str) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(chat_body(), attempt=attempt)[:-5])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    row = simulator.row(attempt)
    assert (row["complete_request"], row["status"], row["closed_by"], row["path"]) == (False, 0, "client", "chat")


def test_early_request_that_was_never_answered_has_a_row(simulator: Simulator, attempt: str) -> None:
    with simulator.connect() as connection:
        connection.sendall(raw_chat(chat_body(), fault="silence") + raw_chat(chat_body(), attempt=attempt))
        wait_in_flight(simulator, 1)
    row = simulator.row(attempt)
    assert (row["complete_request"], row["status"], row["closed_by"]) == (True, 0, "client")


def test_refused_request_has_a_row(simulator: Simulator, attempt: str) -> None:
    simulator.chat(b"{", attempt=attempt)
    row = simulator.row(attempt)
    assert (row["status"], row["model"], row["complete_request"], row["input_tokens"]) == (400, "", True, 0)


def test_model_probe_has_a_row(simulator: Simulator, attempt: str) -> None:
    simulator.client.get("/fast/v1/models?limit=3", headers=request_headers(attempt=attempt))
    row = simulator.row(attempt)
    assert (row["path"], row["provider"], row["status"], row["terminal"]) == ("models", "fast", 200, True)


def test_log_reads_on_and_drops_the_oldest(start_simulator: Callable[..., Simulator]) -> None:
    own = start_simulator("--log-capacity", "3")
    for number in range(5):
        own.chat(chat_body(), attempt=f"a{number}")
    answer = own.client.get("/_sim/log?after=3")
    assert [json.loads(line)["attempt_id"] for line in answer.content.splitlines()] == ["a3", "a4"]
    assert (answer.headers["x-sim-next"], answer.headers["x-sim-dropped"]) == ("5", "2")
    assert own.client.get("/_sim/log?after=5").content == b""


def test_log_file_has_what_was_open_when_the_server_was_stopped(
    start_simulator: Callable[..., Simulator], tmp_path: Path
) -> None:
    path = tmp_path / "log.ndjson"
    own = start_simulator("--log", str(path))
    own.chat(chat_body(), attempt="whole")
    with own.connect() as connection:
        connection.sendall(raw_chat(stream_body(), attempt="open", fault="stall-after=2"))
        wait_in_flight(own, 1)
        assert own.stop() == 0
    rows = {row["attempt_id"]: row for row in map(json.loads, path.read_bytes().splitlines())}
    assert (rows["whole"]["terminal"], rows["whole"]["closed_by"]) == (True, "none")
    assert (rows["open"]["terminal"], rows["open"]["closed_by"], rows["open"]["events"]) == (False, "server", 2)


def wait_in_flight(simulator: Simulator, number: int) -> None:
    """Wait until that many requests are being answered."""
    give_up_s = time.monotonic() + PATIENCE_S
    while simulator.counts()["in_flight"] != number:
        assert time.monotonic() < give_up_s, f"there are not {number} requests in flight"
        time.sleep(0.002)

"""A simulator process and the plain clients that tests talk to it with."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

# A shared machine gets three times as long.
SLACK = 3.0 if os.environ.get("CI") else 1.0
PATIENCE_S = 5.0 * SLACK
LEAVE_BOUND_S = 0.25 * SLACK
QUIET_S = 0.3

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A running simulator; `client` speaks to it and keeps its connections."""

    address: str
    process: subprocess.Popen[bytes]
    client: httpx.Client

    def chat(
        self, body: Json | bytes, *, provider: str = "fast", attempt: str = "", fault: str = "", key: str = ""
    ) -> httpx.Response:
        """Send a chat completion request and return the whole answer."""
        headers = request_headers(attempt=attempt, fault=fault, key=key)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(f"/{provider}/v1/chat/completions", content=content, headers=headers)

    def rows(self, attempt: str) -> list[Json]:
        """Return the log's rows of one attempt."""
        lines = self.client.get("/_sim/log").content.splitlines()
        return [row for row in map(json.loads, lines) if row["attempt_id"] == attempt]

    def row(self, attempt: str) -> Json:
        """Return the only row of one attempt, as soon as the log has it."""
        give_up_s = time.monotonic() + PATIENCE_S
        while not (rows := self.rows(attempt)):
            assert time.monotonic() < give_up_s, f"the log has no row of {attempt}"
            time.sleep(0.005)
        assert len(rows) == 1
        return rows[0]

    def counts(self) -> Json:
        """Return the counts of connections."""
        counts: Json = self.client.get("/_sim/connections").json()
        return counts

    def stop(self, *, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end and return its exit code."""
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def connect(self) -> socket.socket:
        """Return a raw connection."""
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), PATIENCE_S)


@contextmanager
def running_simulator(directory: Path, arguments: Sequence[str] = ()) -> Iterator[Simulator]:
    """Start a simulator process on a free port, and end it afterwards."""
    ready = directory / "ready.json"
    command = [sys.executable, "-m", "router_service.simulator", "--simulator-address", "127.0.0.1:0"]
    complaints = directory / "stderr"
    with complaints.open("wb") as stderr:
        process = subprocess.Popen([*command, "--ready-file", str(ready), *arguments], stderr=stderr)
    try:
        address = _wait_ready(ready, process)
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=PATIENCE_S) as client:
            yield Simulator(address=address, process=process, client=client)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_S)
    assert complaints.read_text() == f"The simulator serves at {address}.\n"


def _wait_ready(path: Path, process: subprocess.Popen[bytes]) -> str:
    give_up_s = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert process.poll() is None, "the simulator ended before it was ready"
        assert time.monotonic() < give_up_s, "the simulator did not become ready"
        time.sleep(0.01)
    said = json.loads(path.read_bytes())
    assert said["pid"] == process.pid
    address: str = said["simulator"]
    return address


def chat_body(prompt: str = "How does a signal work?", *, model: str = "sim-model", **fields: object) -> dict[str, Any]:
    """Return a chat completion request."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


def stream_body(
    prompt: str = "How does a signal work?", *, model: str = "sim-model", **fields: object
) -> dict[str, Any]:
    """Return a request for a stream with usage."""
    return chat_body(prompt, model=model, stream=True, stream_options={"include_usage": True}, **fields)


def request_headers(*, attempt: str = "", fault: str = "", key: str = "") -> dict[str, str]:
    """Return the headers of a request, without those that are empty."""
    headers = {"x-request-id": attempt, "x-sim-fault": fault, "authorization": f"Bearer {key}" if key else ""}
    return {"content-type": "application/json"} | {name: value for name, value in headers.items() if value}


def raw_chat(body: Json, *, provider: str = "fast", attempt: str = "", fault: str = "") -> bytes:
    """Return a chat completion request as bytes for a raw connection."""
    content = json.dumps(body).encode()
    headers = request_headers(attempt=attempt, fault=fault) | {"content-length": str(len(content)), "host": "simulator"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /{provider}/v1/chat/completions HTTP/1.1\r\n{lines}\r\n".encode() + content


def read_to_end(connection: socket.socket, *, quiet_s: float = PATIENCE_S) -> tuple[bytes, str]:
    """Read until the server ends the connection (`fin` or `reset`) or says nothing for `quiet_s` (`open`)."""
    connection.settimeout(quiet_s)
    received = b""
    while True:
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            return received, "reset"
        except TimeoutError:
            return received, "open"
        if not data:
            return received, "fin"
        received += data


def read_answers(connection: socket.socket, count: int) -> bytes:
    """Read so many answers whose bodies have a stated length."""
    received, rest = b"", b""
    while count:
        data = connection.recv(65536)
        assert data, "the server ended the connection"
        received, rest = received + data, rest + data
        while (size := _first_answer_size(rest)) is not None:
            rest, count = rest[size:], count - 1
    return received


def _first_answer_size(data: bytes) -> int | None:
    head, end, body = data.partition(b"\r\n\r\n")
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return len(head) + len(end) + length if end and len(body) >= length else None


def body_of(answer: bytes) -> bytes:
    """Return the body of a raw answer, chunks joined, as far as it came."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return rest
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def payloads(body: bytes) -> list[bytes]:
    """Return the data of each whole server-sent event of a body."""
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[bytes] = []
    for event in text.split(b"\n\n")[:-1]:
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            found.append(b"\n".join(lines))
    return found


def streamed_text(events: Sequence[bytes]) -> str:
    """Return the text of a stream's deltas."""
    parsed = [json.loads(event) for event in events if event != b"[DONE]"]
    deltas = [choice["delta"] for event in parsed for choice in event.get("choices") or ()]
    return "".join(delta.get("content") or "" for delta in deltas)

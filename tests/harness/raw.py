"""A provider of raw bytes for a router process: what each path answers is the test's own choice, however wrong."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from signalbox.v1 import router_pb2_grpc

from tests.harness import processes, settings
from tests.harness.processes import wait_until
from tests.harness.stack import RECEIVE_ALL

USAGE: Mapping[str, object] = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def whole(text: str = "hello", finish: str | None = "stop", **fields: object) -> bytes:
    """A unary answer, its framing included."""
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}]
    body = json.dumps({"choices": choices, "usage": USAGE, **fields}).encode()
    return head("200 OK", "content-type: application/json", f"content-length: {len(body)}") + body


def delta(text: str = "", finish: str | None = None, **fields: object) -> bytes:
    """One event of a stream."""
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]
    return event({"choices": choices, **fields})


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
CHUNKED = head("200 OK", "content-type: text/event-stream", "transfer-encoding: chunked")
END = b"0\r\n\r\n"


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(*events: bytes) -> bytes:
    """A streamed answer that is whole by HTTP's framing, all of it in one piece."""
    return CHUNKED + framed(b"".join(events)) + END


@dataclass(frozen=True, slots=True)
class Case:
    """What one provider answers, in pieces `pause_s` apart; `keeps` the connection after it.

    `first` is what the first request of all gets instead; `once` closes a kept connection `holds_s` after its second
    request came.
    `entry` is what else the configuration says of the provider.
    """

    unary: Sequence[bytes] = ()
    streamed: Sequence[bytes] = ()
    keeps: bool = False
    pause_s: float = 0.02
    first: Sequence[bytes] | None = None
    once: bool = False
    holds_s: float = 0.0
    entry: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class RawProviders:
    """Answers by the first part of the path, and counts and keeps the requests of each."""

    cases: Mapping[str, Case]
    address: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, dict[str, object]] = field(default_factory=dict)


@contextmanager
def raw_providers(cases: Mapping[str, Case]) -> Iterator[RawProviders]:
    """Serves for as long as the block lasts."""
    raw = RawProviders(cases)
    is_over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            is_first = True
            while (line := self.rfile.readline()) and self.answer(line.decode(), is_kept=not is_first):
                is_first = False

        def answer(self, line: str, *, is_kept: bool) -> bool:
            headers = b"".join(iter(self.rfile.readline, b"\r\n"))
            length = re.search(rb"(?i)content-length: (\d+)", headers)
            name = line.split()[1].split("/")[1]
            body = json.loads(self.rfile.read(int(length[1]))) if length else {}
            raw.calls[name] += 1
            raw.bodies[name] = body
            case = raw.cases[name]
            if is_kept and case.once:
                is_over.wait(case.holds_s)
                return False
            pieces = case.streamed if body.get("stream") else case.unary
            if case.first is not None and raw.calls[name] == 1:
                pieces = case.first
            for number, piece in enumerate(pieces):
                if number:
                    is_over.wait(case.pause_s)
                self.wfile.write(piece)
            return case.keeps and bool(pieces)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that leaves is within its rights."""

    with Server(("127.0.0.1", 0), Handler) as server:
        raw.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield raw
        finally:
            is_over.set()
            server.shutdown()
            thread.join(5)


@dataclass(frozen=True, slots=True)
class RawStack:
    """A router on raw providers, with one target for each case, called `CASE/chat-small`."""

    raw: RawProviders
    router: processes.Process
    stub: router_pb2_grpc.RouterStub

    def logged(self, request_id: str) -> dict[str, object]:
        """The log's line on a request, whatever became of it."""
        wait_until(lambda: f'"{request_id}"' in self.router.stderr(), within_s=5, what="the request is on record")
        [line] = [json.loads(line) for line in self.router.stderr().splitlines() if f'"{request_id}"' in line]
        assert isinstance(line, dict)
        return line


@contextmanager
def routing_to_each(raw: RawProviders, **sections: Mapping[str, object]) -> Iterator[RawStack]:
    with processes.short_directory() as directory:
        providers = [
            {**settings.provider(name, f"http://{raw.address}/{name}/v1", prices=(1.0, 2.0)), **case.entry}
            for name, case in raw.cases.items()
        ]
        config = settings.write(directory, providers, **sections)
        router = processes.router(directory, config)
        with (
            processes.running(router),
            grpc.insecure_channel(router.ready["router"], RECEIVE_ALL) as channel,
        ):
            yield RawStack(raw, router, router_pb2_grpc.RouterStub(channel))

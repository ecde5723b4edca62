"""How the clients connect: waiting, restarts, TLS, sockets, keys, the environment and the trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from signalbox_client import (
    AdminClient,
    AsyncAdminClient,
    AsyncClient,
    AsyncHealthClient,
    Client,
    HealthClient,
    StreamInterrupted,
    Unreachable,
)

from .callers import OpenCaller
from .conftest import Served
from .playing_router import ANSWER, PATIENCE_S, PlayingRouter, serving

KEY = "k-for-tests"


@pytest.fixture
def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def doomed() -> Iterator[subprocess.Popen[str]]:
    """A playing router in a process of its own, which a test may kill; its address is the first line that it says."""
    command = [sys.executable, "-m", "tests.clients.playing_router", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_router_that_comes_later_is_waited_for(open_caller: OpenCaller, free_address: str) -> None:
    is_over = threading.Event()

    def start_later() -> None:
        is_over.wait(0.3)
        with serving(PlayingRouter(), free_address):
            is_over.wait(PATIENCE_S)

    server = threading.Thread(target=start_later)
    server.start()
    try:
        with open_caller(free_address) as caller:
            assert caller.complete("hello").message.content == ANSWER
    finally:
        is_over.set()
        server.join()


def test_restart_of_the_router_is_survived(open_caller: OpenCaller, free_address: str) -> None:
    with open_caller(free_address, channels=1) as caller:
        for _ in range(2):
            with serving(PlayingRouter(), free_address):
                assert caller.complete("hello").message.content == ANSWER


def test_absent_router_is_unreachable_without_waiting(open_caller: OpenCaller, free_address: str) -> None:
    with open_caller(free_address, wait_for_ready=False) as caller, pytest.raises(Unreachable):
        caller.complete("hello", timeout_s=20)


def test_kill_of_the_router_cuts_a_stream_visibly(open_caller: OpenCaller, doomed: subprocess.Popen[str]) -> None:
    assert doomed.stdout is not None
    address = doomed.stdout.readline().strip()
    killer = threading.Timer(0.3, os.kill, (doomed.pid, signal.SIGKILL))
    with open_caller(address) as caller:
        killer.start()
        reading = caller.read("hang-midway")
    killer.join()
    assert reading.text == ANSWER
    assert isinstance(reading.error, StreamInterrupted)


def test_unix_socket_is_an_address(open_caller: OpenCaller, tmp_path: Path) -> None:
    with serving(PlayingRouter(), f"unix:{tmp_path}/router.sock") as address, open_caller(address) as caller:
        assert caller.complete("hello").message.content == ANSWER


def test_tls_trusts_the_named_authority_alone(open_caller: OpenCaller, tmp_path: Path) -> None:
    key, certificate = _make_certificate(tmp_path, "ours")
    _, foreign = _make_certificate(tmp_path, "foreign")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    with serving(PlayingRouter(), credentials=credentials) as address:
        with open_caller(address, ca=str(certificate)) as caller:
            assert caller.complete("hello").message.content == ANSWER
        with open_caller(address, ca=str(foreign), wait_for_ready=False) as caller, pytest.raises(Unreachable):
            caller.complete("hello")


def test_own_certificate_is_shown_where_the_router_asks_for_one(
    open_caller: OpenCaller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = _make_certificate(tmp_path, "ours")
    own_key, own = _make_certificate(tmp_path, "own")
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())], own.read_bytes(), require_client_auth=True
    )
    with serving(PlayingRouter(), credentials=credentials) as address:
        with open_caller(address, ca=str(certificate), wait_for_ready=False) as caller, pytest.raises(Unreachable):
            caller.complete("hello")
        monkeypatch.setenv("SIGNALBOX_CA", str(certificate))
        monkeypatch.setenv("SIGNALBOX_CERT", str(own))
        monkeypatch.setenv("SIGNALBOX_CERT_KEY", str(own_key))
        with open_caller(address) as caller:
            assert caller.complete("hello").message.content == ANSWER
        own.write_text(own.read_text() + own_key.read_text())
        monkeypatch.delenv("SIGNALBOX_CERT_KEY")
        with open_caller(address) as caller:
            assert caller.complete("hello").message.content == ANSWER


def test_certificate_without_tls_is_a_mistake(tmp_path: Path) -> None:
    _, own = _make_certificate(tmp_path, "own")
    with pytest.raises(ValueError, match="SIGNALBOX_CA"):
        Client("127.0.0.1:1", cert=own)


def test_unix_socket_is_never_encrypted(
    open_caller: OpenCaller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, certificate = _make_certificate(tmp_path, "ours")
    monkeypatch.setenv("SIGNALBOX_CA", str(certificate))
    with serving(PlayingRouter(), f"unix:{tmp_path}/router.sock") as address, open_caller(address) as caller:
        assert caller.complete("hello").message.content == ANSWER


def test_key_and_trace_travel_with_each_call(served: Served) -> None:
    span = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1)))
    token = context.attach(trace.set_span_in_context(span))
    try:
        with Client(served.address, api_key=KEY) as client:
            client.complete("hello")
    finally:
        context.detach(token)
    [call] = served.router.calls
    assert call.metadata["authorization"] == f"Bearer {KEY}"
    assert call.metadata["traceparent"] == f"00-{0xA1:032x}-{0xB2:016x}-01"


def test_environment_names_router_and_key(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_ADDRESS", served.address)
    monkeypatch.setenv("SIGNALBOX_API_KEY", KEY)
    with Client() as client:
        client.complete("hello")
    assert served.router.calls[0].metadata["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("address", ["router.example:50051", "10.1.2.3:50051", "dns:///router.example:443"])
def test_key_does_not_leave_the_machine_in_the_clear(address: str) -> None:
    with pytest.raises(ValueError, match="in the clear") as caught:
        Client(address, api_key=KEY)
    assert KEY not in str(caught.value)
    Client(address, api_key=KEY, allow_plaintext_key=True).close()
    Client(address).close()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/r.sock", "dns:///127.0.0.1:1"])
def test_key_may_go_to_this_machine(address: str) -> None:
    HealthClient(address, api_key=KEY).close()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_client_refuses_to_have_no_channel(kind: type[Client] | type[AsyncClient]) -> None:
    with pytest.raises(ValueError, match="channels"):
        kind(channels=0)


def test_each_client_closes_what_it_opened(served: Served) -> None:
    with Client(served.address) as client, HealthClient(served.address) as health, AdminClient(served.address) as admin:
        client.complete("hello")
        health.get_snapshot()
    for call in (lambda: client.complete("hello"), health.get_snapshot, lambda: admin.get_target("alder/small")):
        with pytest.raises(ValueError, match="closed"):
            call()


@pytest.mark.anyio
async def test_each_client_for_asyncio_closes_what_it_opened(served: Served) -> None:
    async with AsyncClient(served.address, api_key=KEY) as client:
        assert ("authorization", f"Bearer {KEY}") in client.metadata()
        await client.complete("hello")
    async with AsyncHealthClient(served.address) as health:
        await health.get_snapshot()
    async with AsyncAdminClient(served.address):
        """It never called, so there is nothing to close."""
    for call in (lambda: client.complete("hello"), health.get_snapshot):
        with pytest.raises(grpc.aio.UsageError, match="closed"):
            await call()


def test_client_imports_nothing_of_the_router_and_no_tracing() -> None:
    program = "import sys, signalbox_client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"router_service", "prober", "opentelemetry"} & set(finished.stdout.split())


def _make_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A key and a certificate for this machine, good for a day."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "1", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate

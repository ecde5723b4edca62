"""TLS and certificates with real processes: grpcurl, our clients, the health feed, and ports that stay shut."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from signalbox.v1 import health_feed_pb2, health_feed_pb2_grpc
from signalbox_client import Client, HealthClient, Refused, SignalboxError, Unreachable

from router_service.core.catalog import Catalog
from router_service.core.settings import ServerSettings, Settings, TlsSettings
from router_service.core.tenant import ApiKey, Tenant
from router_service.rpc.access import Leniency
from router_service.rpc.call import CallFrame
from router_service.rpc.guard import Guard
from router_service.rpc.server import CannotListen, new_server
from tests.harness import keys, processes, settings
from tests.harness.certificates import Authority, Certificate
from tests.harness.processes import Process, wait_until
from tests.harness.stack import refused
from tests.harness.tools import tool

SOON_S = 15.0
TENANTS = [
    keys.tenant("web"),
    keys.tenant("ops", role="operator"),
    keys.tenant("router", role="health_reporter"),
]
TLS = {"cert": "server.pem", "key": "server.key"}
ANSWER = (
    b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], '
    b'"usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
)
HELLO = '{"messages": [{"role": "ROLE_USER", "content": "Hello"}]}'


@dataclass(frozen=True, slots=True)
class Site:
    """A simulator, and a directory with an authority, a server's certificate and a client's."""

    directory: Path
    simulator: str
    authority: Authority
    client: Certificate

    def config(self, **sections: object) -> Path:
        return settings.write(self.directory, settings.simulated(self.simulator), **sections)  # type: ignore[arg-type]

    def grpcurl(self, address: str, method: str, *more: str, data: str = "{}") -> subprocess.CompletedProcess[str]:
        command = [tool("grpcurl"), *more, "-d", data, address, method]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with processes.short_directory() as directory:
        authority = Authority(directory)
        authority.certificate("server")
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            yield Site(directory, simulator.ready["simulator"], authority, authority.certificate("client"))


def test_router_and_prober_behind_certificates_and_keys(site: Site) -> None:
    """Both ports want a certificate of the authority; then the key decides."""
    tls = {**TLS, "client_ca": "authority.pem"}
    config = site.config(server={"tls": tls, "drain_s": 1, "lame_duck_s": 0}, tenants=TENANTS)
    prober, router = processes.prober(site.directory, config), processes.router(site.directory, config)
    trusting = ("-cacert", str(site.authority.ca))
    shown = (*trusting, "-cert", str(site.client.cert), "-key", str(site.client.key))
    web = (*shown, "-H", f"authorization: Bearer {keys.key('web')}")
    with processes.running(prober, router):
        address, feed = router.ready["router"], prober.ready["prober"]
        complete = "signalbox.v1.Router/Complete"
        assert '"target": "alder/chat-small"' in site.grpcurl(address, complete, *web, data=HELLO).stdout
        assert "Unauthenticated" in site.grpcurl(address, complete, *shown, data=HELLO).stderr
        assert "PermissionDenied" in site.grpcurl(address, "signalbox.v1.Admin/ListTargets", *web).stderr
        assert "SERVING" in site.grpcurl(address, "grpc.health.v1.Health/Check", *shown).stdout
        assert site.grpcurl(address, complete, *trusting, data=HELLO).returncode != 0
        assert site.grpcurl(address, complete, "-plaintext", "-max-time", "5", data=HELLO).returncode != 0
        assert "PermissionDenied" in site.grpcurl(feed, "signalbox.v1.HealthFeed/GetSnapshot", *web).stderr
        with HealthClient(
            feed, api_key=keys.key("ops"), ca=site.authority.ca, cert=site.client.cert, cert_key=site.client.key
        ) as watcher:
            assert watcher.get_snapshot().targets
        with Client(address, ca=site.authority.ca, wait_for_ready=False) as stranger, pytest.raises(Unreachable):
            stranger.complete("Hello")
        wait_until(lambda: "health reports to the prober: up" in router.stderr(), within_s=SOON_S, what="the socket")
    assert "Traceback" not in router.stderr() + prober.stderr()


def test_a_far_prober_asks_its_routers_for_a_key(site: Site) -> None:
    """By TCP as from another machine: encrypted, and with the role that may report."""
    access = {"ca": "authority.pem", "api_key_env": "PROBER_KEY"}
    config = site.config(server={"tls": TLS}, tenants=TENANTS, prober={**settings.QUICK_PROBER, "access": access})
    prober = processes.prober(site.directory, config)
    with processes.running(prober):
        feed = prober.ready["prober"]
        for tenant, told in (("router", "health reports to the prober: up"), ("web", "lost (PERMISSION_DENIED)")):
            with processes.running(watching_router(site, config, feed, {"PROBER_KEY": keys.key(tenant)})) as _:
                log = site.directory / f"router-{keys.key(tenant)}.log"
                wait_until(lambda log=log, told=told: told in log.read_text(), within_s=SOON_S, what=told)  # type: ignore[misc]
        with HealthClient(feed, ca=site.authority.ca) as stranger, pytest.raises(Refused) as caught:
            stranger.get_snapshot()
        assert caught.value.reason == "CREDENTIALS"


def watching_router(site: Site, config: Path, feed: str, environment: Mapping[str, str]) -> Process:
    router = processes.router(site.directory, config, environment=environment)
    router.name = f"router-{environment['PROBER_KEY']}"
    router.command = [*router.command, "--prober-address", feed]
    router.ready = {}
    return router


def test_a_certificate_alone_lets_report_where_there_are_no_tenants(site: Site) -> None:
    config = site.config(server={"tls": {**TLS, "client_ca": "authority.pem"}})
    prober = processes.prober(site.directory, config)
    with processes.running(prober):
        pair = (site.client.key.read_bytes(), site.client.cert.read_bytes())
        credentials = grpc.ssl_channel_credentials(site.authority.ca.read_bytes(), *pair)
        with grpc.secure_channel(prober.ready["prober"], credentials) as channel:
            stub = health_feed_pb2_grpc.HealthFeedStub(channel)
            answer = stub.Report(health_feed_pb2.ReportRequest(reporter_id="router-1", sequence=1), timeout=5)
            assert answer.accepted_sequence == 1
            assert stub.GetSnapshot(health_feed_pb2.GetSnapshotRequest(), timeout=5).snapshot.targets


def test_a_certificate_of_another_name_does_not_speak_for_a_reporter(site: Site) -> None:
    config = site.config(server={"tls": {**TLS, "client_ca": "authority.pem"}})
    renewed, meddler = site.authority.certificate("client"), site.authority.certificate("meddler")
    prober = processes.prober(site.directory, config)
    with processes.running(prober):
        address = prober.ready["prober"]
        assert _report(site, address, site.client, sequence=1) == 1
        assert _report(site, address, meddler, sequence=5_000) == 5_000
        assert _report(site, address, renewed, sequence=2) == 2
        for shown, wanted in ((renewed, 2), (meddler, 5_000)):
            wait_until(
                lambda shown=shown, wanted=wanted: _progress(site, address, shown) == [wanted],  # type: ignore[misc]
                within_s=SOON_S,
                what=f"report {wanted} in the snapshot of who sent it, and no other's",
            )
        with pytest.raises(grpc.RpcError) as caught:
            _report(site, address, renewed, sequence=2**40)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def _progress(site: Site, address: str, shown: Certificate) -> list[int]:
    with _channel(site, address, shown) as channel:
        request = health_feed_pb2.GetSnapshotRequest()
        answer = health_feed_pb2_grpc.HealthFeedStub(channel).GetSnapshot(request, timeout=5)
    return [reporter.merged_sequence for reporter in answer.snapshot.reporters]


def _channel(site: Site, address: str, shown: Certificate) -> grpc.Channel:
    pair = (shown.key.read_bytes(), shown.cert.read_bytes())
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(site.authority.ca.read_bytes(), *pair))


def _report(site: Site, address: str, shown: Certificate, *, sequence: int) -> int:
    with _channel(site, address, shown) as channel:
        request = health_feed_pb2.ReportRequest(reporter_id="router-1", sequence=sequence)
        return health_feed_pb2_grpc.HealthFeedStub(channel).Report(request, timeout=5).accepted_sequence


def test_encryption_alone_lets_nobody_report(site: Site) -> None:
    prober = processes.prober(site.directory, site.config(server={"tls": TLS}))
    with processes.running(prober):
        credentials = grpc.ssl_channel_credentials(site.authority.ca.read_bytes())
        with grpc.secure_channel(prober.ready["prober"], credentials) as channel:
            stub = health_feed_pb2_grpc.HealthFeedStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Report(health_feed_pb2.ReportRequest(reporter_id="router-1", sequence=1), timeout=5)
    assert (refused(caught.value).code.name, refused(caught.value).info.reason) == ("PERMISSION_DENIED", "ROLE")
    assert "client certificate" in refused(caught.value).message


def test_a_port_for_other_machines_wants_more_than_a_flag(site: Site) -> None:
    config = site.config(tenants=TENANTS)
    for command in ("serve", "prober"):
        flag = {"serve": "--router-address", "prober": "--prober-address"}[command]
        done = start(site, command, "--config", str(config), flag, "0.0.0.0:0")
        assert done.returncode == 2
        assert "in the clear" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_certificate_that_cannot_be_served_is_told_at_the_start(site: Site) -> None:
    config = site.config(server={"tls": {"cert": "server.pem", "key": "client.key"}})
    for command in ("serve", "prober"):
        done = start(site, command, "--config", str(config))
        assert done.returncode == 2
        assert "belonging together" in done.stderr
        assert "Traceback" not in done.stderr
        assert "Unclosed" not in done.stderr


def test_a_router_does_not_send_its_key_in_the_clear(site: Site) -> None:
    access = {"api_key_env": "PATH"}  # any variable that is surely set
    config = site.config(prober={**settings.QUICK_PROBER, "access": access})
    done = start(site, "serve", "--config", str(config), "--prober-address", "192.0.2.1:50052")
    assert done.returncode == 2
    assert "192.0.2.1:50052 in the clear" in done.stderr
    assert "Traceback" not in done.stderr


def start(site: Site, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [processes.SIGNALBOX, command, *arguments, "--data-dir", str(site.directory)]
    return subprocess.run(line, capture_output=True, text=True, timeout=20, check=False, cwd=site.directory)


@contextmanager
def tls_provider(site: Site, newest: ssl.TLSVersion) -> Iterator[str]:
    """A provider with a good certificate that speaks no newer TLS; gives its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.directory / "server.pem", site.directory / "server.key")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_1, newest

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A handshake that fails is what is tested."""

    with Server(("127.0.0.1", 0), Provider) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_no_provider_is_spoken_to_in_less_than_tls_1_2(site: Site) -> None:
    """Nor through a proxy that the environment names: nobody listens there."""
    environment = {
        "SSL_CERT_FILE": str(site.authority.ca),
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1"),
    }
    for newest, outcome in ((ssl.TLSVersion.TLSv1_1, "UPSTREAM_TLS"), (ssl.TLSVersion.TLSv1_2, "")):
        with tls_provider(site, newest) as address:
            config = settings.write(site.directory, [settings.provider("alder", f"https://{address}/v1")])
            router = processes.router(site.directory, config, environment=environment)
            with processes.running(router), Client(router.ready["router"], channels=1) as client:
                assert reason_of(client) == outcome


def reason_of(client: Client) -> str:
    """Why a completion failed; empty where it did not."""
    try:
        client.complete("Hello")
    except SignalboxError as error:
        return error.reason
    return ""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("has_tls", "has_keys", "is_let"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_a_guard_listens_far_with_keys_and_encryption(
    site: Site, *, has_tls: bool, has_keys: bool, is_let: bool
) -> None:
    tls = TlsSettings(cert=site.directory / "server.pem", key=site.directory / "server.key")
    tenants = (Tenant(name="web", keys=(ApiKey(digest=bytes(32)),)),) if has_keys else ()
    made = Settings(catalog=Catalog(()), server=ServerSettings(tls=tls if has_tls else None), tenants=tenants)
    guard = Guard(made, "0.0.0.0:0", allow_remote=False, leniency=Leniency())
    server = new_server(CallFrame(None, access=guard.access), max_message_mib=1)
    if is_let:
        assert guard.listen(server).startswith("0.0.0.0:")
    else:
        with pytest.raises(CannotListen, match="configure"):
            guard.listen(server)
    await server.stop(0)

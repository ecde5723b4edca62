"""The stage of the matrix: one router, a faulty provider for every trial, and one that is well."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from signalbox.v1 import admin_pb2_grpc, router_pb2, router_pb2_grpc

from tests.faults.fault import Place, Trial
from tests.faults.scripts import well
from tests.harness import processes, settings
from tests.harness.certificates import Authority
from tests.harness.hosts import Host, Hosts, closed_port, full_port
from tests.harness.name_server import asking, name_server
from tests.harness.stack import RECEIVE_ALL, Refused, refused

KEY = "sk-canary-of-the-matrix"
CAP_MIB = 4
SECOND = "zelkova"
"""The provider that is well: the dearest, so that it is the second wherever there is another."""
IN_ORDER = {"weights": {"health": 0, "latency": 0, "quota": 0}, "max_output_mib": CAP_MIB}


@dataclass(slots=True)
class Played:
    """What became of one call. `text` and `pieces` are what was delivered."""

    host: Host | None
    pieces: list[str] = field(default_factory=list)
    end: router_pb2.CompleteResponse | Refused | None = None
    took_s: float = 0.0
    grew_mib: float = 0.0
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def answer(self) -> router_pb2.CompleteResponse:
        assert isinstance(self.end, router_pb2.CompleteResponse), self.end
        return self.end

    @property
    def refusal(self) -> Refused:
        assert isinstance(self.end, Refused), self.end
        return self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`elsewhere` is where redirects lead, `fillers` are the ports of those who fill the full backlog of `full`."""

    router: processes.Process
    stub: router_pb2_grpc.RouterStub
    admin: admin_pb2_grpc.AdminStub
    hosts: Mapping[str, Host]
    elsewhere: Host
    full: int
    fillers: frozenset[int]

    def play(self, trial: Trial) -> Played:
        """One call that meets the fault: a single attempt, or at most two where there is a second target."""
        request = self.request(trial)
        request.routing.max_attempts = 2 if trial.has_second else 1
        return self.call(trial, request)

    def request(self, trial: Trial) -> router_pb2.CompleteRequest:
        allowed = [trial.provider, SECOND] if trial.has_second else [trial.provider]
        routing = router_pb2.Routing(model="small", allowed_providers=allowed)
        request = router_pb2.CompleteRequest(routing=routing)
        request.messages.add(role=1, content="hello, canary-of-the-prompt")
        return request

    def call(self, trial: Trial, request: router_pb2.CompleteRequest) -> Played:
        """That request in the trial's form, to its end."""
        played = Played(self.hosts.get(trial.provider))
        before_mib = 0.0 if trial.fault.most_mib is None else peak_forgotten_mib(self.router)
        began = time.monotonic()
        try:
            if trial.is_stream:
                self._stream(played, request, trial.fault.timeout_s)
            else:
                played.end = self.stub.Complete(request, timeout=trial.fault.timeout_s)
                played.pieces.append(played.end.message.content)
        except grpc.RpcError as error:
            played.end = refused(error)
        played.took_s = time.monotonic() - began
        played.grew_mib = 0.0 if trial.fault.most_mib is None else memory_mib(self.router, "VmHWM") - before_mib
        return played

    def _stream(self, played: Played, request: router_pb2.CompleteRequest, timeout_s: float) -> None:
        call = self.stub.StreamComplete(router_pb2.StreamCompleteRequest(request=request), timeout=timeout_s)
        try:
            for event in call:
                if event.HasField("delta"):
                    played.pieces.append(event.delta.content)
                    if played.host is not None:
                        played.host.saw()
                if event.HasField("done"):
                    played.end = event.done.response
        finally:
            played.metadata = {str(key): str(value) for key, value in call.initial_metadata() or ()}


def peak_forgotten_mib(process: processes.Process) -> float:
    """Begin to measure the process's peak of memory anew; gives what it holds now."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return memory_mib(process, "VmRSS")


def memory_mib(process: processes.Process, kind: str) -> float:
    """What the kernel says that it holds: `VmRSS` now, `VmHWM` at most."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{kind}:")]
    return int(line.split()[1]) / 1024


@contextmanager
def staged(trials: Sequence[Trial]) -> Iterator[Stage]:
    """All the trials' providers behind one router, for as long as the block lasts."""
    with processes.short_directory() as directory, closed_port() as closed, full_port() as (full, fillers):
        authority = Authority(directory)
        hosts = Hosts(_contexts(authority))
        played = {t.provider: hosts.add(t.fault.script) for t in trials if t.fault.place is Place.HOST}
        second = hosts.add(well)
        ports = {Place.CLOSED: closed, Place.FULL: full}
        at = {t.provider: ports.get(t.fault.place) or played[t.provider].port for t in trials}
        healthy = settings.provider(SECOND, f"http://127.0.0.1:{second.port}/v1", prices=(9.0, 9.0))
        config = settings.write(directory, [*(_provider(t, at[t.provider]) for t in trials), healthy], routing=IN_ORDER)
        trusting = {"CANARY_KEY": KEY, "SSL_CERT_FILE": str(authority.ca)}
        with name_server() as names, hosts.serving():
            router = asking(names, processes.router(directory, config, environment=trusting))
            with (
                processes.running(router),
                grpc.insecure_channel(router.ready["router"], RECEIVE_ALL) as channel,
            ):
                yield Stage(
                    router=router,
                    stub=router_pb2_grpc.RouterStub(channel),
                    admin=admin_pb2_grpc.AdminStub(channel),
                    hosts=played,
                    elsewhere=hosts.elsewhere,
                    full=full,
                    fillers=fillers,
                )


def _provider(trial: Trial, port: int) -> dict[str, object]:
    url = trial.fault.url.format(port=port)
    more: dict[str, object] = {"timeouts_s": trial.fault.limits_s, "key_env": ["CANARY_KEY"]}
    return settings.provider(trial.provider, url, prices=(1.0, 2.0), **more)


def _contexts(authority: Authority) -> Mapping[str, ssl.SSLContext]:
    stranger = Authority(authority.ca.parent, "stranger")
    made = {
        "trusted": authority.certificate("trusted"),
        "expired": authority.certificate("expired", days=-1),
        "other-host": authority.certificate("other-host", names="DNS:elsewhere.example"),
        "self-signed": stranger.own,
        "stranger": stranger.certificate("of-a-stranger"),
    }
    contexts = {}
    for name, certificate in made.items():
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(certificate.cert, certificate.key)
    return contexts

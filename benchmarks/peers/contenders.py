"""Who is measured: Signalbox, LiteLLM's proxy, Portkey's gateway, each started as its makers say, with one worker."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import httpx
import yaml

from benchmarks import sse, streams
from benchmarks.h2load import GRPC_HEADERS, JSON_HEADERS, Shot
from benchmarks.pair import CONNECTIONS
from benchmarks.payload import ANSWER_TOKENS, MODEL, PROVIDER, Ask
from benchmarks.processes import MeasurementFailed, Process, listening
from benchmarks.report import ROOT
from benchmarks.rig import Rig
from benchmarks.streams import Read

COMPLETIONS = "/v1/chat/completions"
LITELLM, PORTKEY = ROOT / ".tools/litellm", ROOT / ".tools/portkey"
LOOPBACK = Path(__file__).with_name("portkey") / "loopback.cjs"
ANSWERS_WITHIN_S = 60.0
LOOK_EVERY_S = 0.02
Reading: TypeAlias = Callable[[int, int], Coroutine[None, None, Read]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of them, up and warm enough to have answered once. `read` takes how many streams, and the tokens of each."""

    name: str
    version: str
    protocol: str
    processes: tuple[Process, ...]
    first_answer_s: float
    shot: Shot
    read: Reading

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self.processes)

    def resident_mib(self) -> float:
        """Memory of the process that serves."""
        return self.processes[0].resident_mib()


Starting: TypeAlias = Callable[[Rig], AbstractContextManager[Contender]]


@contextmanager
def signalbox(rig: Rig) -> Iterator[Contender]:
    """With its prober, which counts. Asked over gRPC, since that is what it speaks."""
    ask = Ask(output_tokens=ANSWER_TOKENS, is_stream=False)

    async def read(count: int, tokens: int) -> Read:
        message = Ask(output_tokens=tokens, is_stream=True).to_router()
        return await streams.read_many(router.address, message, streams=count, connections=CONNECTIONS, is_router=True)

    with rig.router() as router:
        yield Contender(
            name="signalbox",
            version=version("signalbox"),
            protocol="gRPC",
            processes=router.processes,
            first_answer_s=router.first_answer_s,
            shot=Shot(url=router.complete_url, body=ask.to_router(), headers=GRPC_HEADERS),
            read=read,
        )


@contextmanager
def litellm(rig: Rig) -> Iterator[Contender]:
    """One uvicorn worker, quiet, without a database or a key, with the price list that came with it."""
    config = rig.scratch / "litellm.yaml"
    served = {"model": f"openai/{MODEL}", "api_base": f"http://{rig.simulator}/{PROVIDER}/v1", "api_key": "none"}
    settings = {
        "model_list": [{"model_name": MODEL, "litellm_params": served}],
        "litellm_settings": {"telemetry": False},
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
    }
    config.write_text(yaml.safe_dump(settings))
    port = _free_port()
    program = [str(LITELLM / "bin/litellm"), "--config", str(config)]
    command = [*program, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with _started(rig, "litellm", command, port=port, environment=quiet) as process:
        yield _over_http(process, _litellm_version(), JSON_HEADERS)


@contextmanager
def portkey(rig: Rig) -> Iterator[Contender]:
    """The provider is named with each request, as the gateway without its makers' service wants it."""
    node = shutil.which("node")
    if node is None:
        raise MeasurementFailed("node is missing; Portkey's gateway needs Node.js 20 or later")
    package = PORTKEY / "node_modules/@portkey-ai/gateway"
    port = _free_port()
    program = [node, "--require", str(LOOPBACK), str(package / "build/start-server.js")]
    headers = {
        **JSON_HEADERS,
        "authorization": "Bearer none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://{rig.simulator}/{PROVIDER}/v1",
    }
    production = {"NODE_ENV": "production"}
    command = [*program, f"--port={port}", "--headless"]
    with _started(rig, "portkey", command, port=port, environment=production) as process:
        release = json.loads((package / "package.json").read_bytes())["version"]
        yield _over_http(process, release, headers)


PEERS: tuple[Starting, ...] = (litellm, portkey)


def _started(
    rig: Rig, name: str, command: list[str], *, port: int, environment: Mapping[str, str]
) -> AbstractContextManager[Process]:
    if not Path(command[0]).exists():
        raise MeasurementFailed(f"{command[0]} is missing; make bench-peers installs it")
    only = {"PATH": os.environ["PATH"], **environment}
    return listening(name, command, port=port, environment=only, core=rig.server_core, scratch=rig.scratch)


def _over_http(process: Process, release: str, headers: Mapping[str, str]) -> Contender:
    url = f"http://{process.address}{COMPLETIONS}"
    body = Ask(output_tokens=ANSWER_TOKENS, is_stream=False).to_upstream()
    return Contender(
        name=process.name,
        version=release,
        protocol="HTTP/1.1",
        processes=(process,),
        first_answer_s=_first_answer_s(process, url, body, headers),
        shot=Shot(url=url, body=body, headers=headers, is_http1=True),
        read=partial(_read, url, headers),
    )


async def _read(url: str, headers: Mapping[str, str], count: int, tokens: int) -> Read:
    return await sse.read_many(url, Ask(output_tokens=tokens, is_stream=True).to_upstream(), headers, streams=count)


def _first_answer_s(process: Process, url: str, body: bytes, headers: Mapping[str, str]) -> float:
    """From its start as a process to its first whole answer."""
    with httpx.Client(timeout=ANSWERS_WITHIN_S, trust_env=False) as http:
        while (now := time.monotonic()) - process.spawned < ANSWERS_WITHIN_S:
            process.must_live()
            try:
                http.post(url, content=body, headers=dict(headers)).raise_for_status()
                return time.monotonic() - process.spawned
            except httpx.ConnectError:
                time.sleep(LOOK_EVERY_S)
    raise MeasurementFailed(f"{process.name} did not answer within {now - process.spawned:.0f} s")


def _litellm_version() -> str:
    """Read from where it is installed: it lives in an environment of its own."""
    [found] = LITELLM.glob("lib/python*/site-packages/litellm-*.dist-info")
    return found.name.removeprefix("litellm-").removesuffix(".dist-info")


def _free_port() -> int:
    """Neither of them takes port 0 and tells what it became."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""Secrets and prompts with a mark on them, searched for in everything that router, prober and command line write."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from signalbox.v1 import health_feed_pb2, health_feed_pb2_grpc, router_pb2, router_pb2_grpc

from tests.harness import keys, processes, settings
from tests.harness.collector import Collector, collecting
from tests.harness.processes import Process, wait_until
from tests.harness.stack import asking, raw_provider, streaming

MARKS = {
    "a prompt": "canary-prompt-51f7",
    "a caller's key": keys.key("canary"),
    "a stranger's key": "sb-canary-stranger-99ad",
    "a provider's key": "sk-canary-provider-7c21",
    "the key to a prober": "sb-canary-prober-03be",
}
PROMPT, PROVIDER_KEY, STRANGER = MARKS["a prompt"], MARKS["a provider's key"], MARKS["a stranger's key"]
ANGRY_BODY = f'{{"error": {{"message": "Incorrect API key {PROVIDER_KEY} for {PROMPT}", "code": "x"}}}}'
ANGRY = (
    f"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nx-echo: {PROMPT}\r\n"
    f"content-length: {len(ANGRY_BODY)}\r\n\r\n{ANGRY_BODY}"
).encode()
"""A provider that repeats what it was sent, as some do."""
ENVIRONMENT = {
    "CANARY_KEY": MARKS["a provider's key"],
    "PROBER_KEY": MARKS["the key to a prober"],
    "SIGNALBOX_LOG_LEVEL": "debug",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Processes that have their own directory, into which nobody else writes but the file of the configuration."""

    directory: Path
    config: Path
    router: Process
    prober: Process
    collector: Collector

    def commands(self) -> Iterator[tuple[str, str]]:
        """What the command line says of the configuration and of the running processes."""
        prober = ["--prober-address", self.prober.ready["prober"]]
        named = ["--config", str(self.config)]
        address = ["--address", self.router.ready["router"]]
        environment = {**ENVIRONMENT, "SIGNALBOX_API_KEY": MARKS["a caller's key"]}
        for line in (
            *(["config", what, *named] for what in ("check", "show", "export")),
            *(["config", what, *named, "--format", "json"] for what in ("show", "export")),
            ["providers", *named, *prober],
            ["models", *address],
            ["models", "--json", *address],
            ["route", "--explain", *address, PROMPT],
            ["complete", *address, "--model", "angry", PROMPT],
            ["complete", *address, "--model", "angry", "--json", PROMPT],
            ["top", "--once", *prober],
        ):
            done = run(line, environment, self.directory)
            assert done.stdout + done.stderr
            yield " ".join(line[:2]), done.stdout + done.stderr


@contextmanager
def scene() -> Iterator[Scene]:
    with (
        processes.short_directory() as elsewhere,
        processes.short_directory() as directory,
        collecting() as (collector, endpoint),
        raw_provider(ANGRY) as angry,
    ):
        simulator = processes.simulator(elsewhere)
        with processes.running(simulator):
            base_url = f"http://{simulator.ready['simulator']}/alder/v1"
            limits = [{"unit": "requests", "per": "day", "max": 1000}]
            alder = settings.provider("alder", base_url, key_env="CANARY_KEY", limits=limits)
            birch = settings.provider("birch", f"http://{angry}/v1", key_env="CANARY_KEY")
            config = settings.write(
                directory,
                [alder, {**birch, "models": [{"id": "angry"}]}],
                tenants=[keys.tenant("canary", role="admin")],  # type: ignore[arg-type]
                telemetry={
                    "otlp_endpoint": endpoint,
                    "sample_ratio": 1,
                    "metrics_address": "127.0.0.1:0",
                    "prober_metrics_address": "127.0.0.1:0",
                },
                prober={**settings.QUICK_PROBER, "access": {"api_key_env": "PROBER_KEY"}},
            )
            prober = processes.prober(directory, config)
            prober.environment = ENVIRONMENT
            router = processes.router(directory, config, environment=ENVIRONMENT)
            with processes.running(prober, router):
                yield Scene(directory, config, router, prober, collector)


def run(line: list[str], environment: Mapping[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    outer = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "SIGNALBOX_DATA_DIR": str(directory)}
    command = [processes.SIGNALBOX, *line]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False, env={**outer, **environment}, cwd=directory
    )


def call_in_every_way(scene: Scene) -> Iterator[tuple[str, str]]:
    """Calls that go well and calls that fail; gives all that the failed ones are told."""
    own = keys.bearer("canary")
    stranger = (("authorization", f"Bearer {STRANGER}"),)
    with grpc.insecure_channel(scene.router.ready["router"]) as channel:
        stub = router_pb2_grpc.RouterStub(channel)
        assert stub.Complete(asking(PROMPT, model="small"), timeout=10, metadata=own).target == "alder/chat-small"
        assert list(stub.StreamComplete(streaming(PROMPT, model="small"), timeout=10, metadata=own))
        misshapen = asking(PROMPT)
        misshapen.messages.add(role=99, content=PROMPT)
        unbuilt = asking(PROMPT)
        unbuilt.session_id = PROMPT
        raw: Any = channel.unary_unary("/signalbox.v1.Router/Complete")
        for what, call in {
            "an angry provider": lambda: stub.Complete(asking(PROMPT, model="angry"), timeout=10, metadata=own),
            "a stream from it": lambda: list(
                stub.StreamComplete(streaming(PROMPT, model="angry"), timeout=10, metadata=own)
            ),
            "a role that is none": lambda: stub.Complete(misshapen, timeout=10, metadata=own),
            "a field that is not built": lambda: stub.Complete(unbuilt, timeout=10, metadata=own),
            "no message": lambda: raw(b"\x1a\x7f" + PROMPT.encode(), timeout=10, metadata=own),
            "a deadline": lambda: stub.Complete(asking(PROMPT), timeout=0.001, metadata=own),
            "a stranger": lambda: stub.Complete(asking(PROMPT), timeout=10, metadata=stranger),
            "nobody": lambda: stub.Complete(asking(PROMPT), timeout=10),
            "a method that is not built": lambda: stub.Embed(
                router_pb2.EmbedRequest(inputs=[PROMPT]), timeout=10, metadata=own
            ),
        }.items():
            with pytest.raises(grpc.RpcError) as caught:
                call()  # type: ignore[no-untyped-call]
            assert isinstance(caught.value, grpc.Call)
            yield what, f"{caught.value.details()} {caught.value.trailing_metadata()} {caught.value!r}"
    with grpc.insecure_channel(scene.prober.ready["prober"]) as channel:
        feed = health_feed_pb2_grpc.HealthFeedStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            feed.GetSnapshot(health_feed_pb2.GetSnapshotRequest(), timeout=10, metadata=stranger)
        yield "the prober's refusal", repr(caught.value)
        snapshot = feed.GetSnapshot(health_feed_pb2.GetSnapshotRequest(), timeout=10, metadata=own)
        yield "a snapshot", str(snapshot)


def written(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """Every file of the data directory but the sockets: logs, ready files, databases and what lies beside them."""
    for path in scene.directory.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(scene.directory)), path.read_bytes()


def metrics(scene: Scene) -> Iterator[tuple[str, bytes]]:
    for process in (scene.router, scene.prober):
        with urlopen(f"http://{process.ready['metrics']}/metrics", timeout=10) as answer:
            yield f"metrics of {process.name}", answer.read()


def found_in(places: Iterator[tuple[str, bytes]]) -> list[str]:
    """Where a mark stands, as it is or in base64."""
    return [
        f"{what} in {place}"
        for place, content in places
        for what, mark in MARKS.items()
        if mark.encode() in content or base64.b64encode(mark.encode())[:-4] in content
    ]


def test_no_key_and_no_prompt_is_in_anything_that_is_written() -> None:
    with scene() as playing:
        said = [(what, text.encode()) for what, text in (*call_in_every_way(playing), *playing.commands())]
        said += [*metrics(playing), arguments(playing.router), arguments(playing.prober)]
        wait_until(lambda: len(playing.collector.named("signalbox.v1.Router/Complete")) > 2, within_s=15, what="spans")
        for process in (playing.router, playing.prober):
            process.end()
        spans = [(f"the span {s.span.name}", s.span.SerializeToString()) for s in playing.collector.spans]
        files = dict(written(playing))
        assert {"router.log", "prober.log", "router.ready", "quota.db", "prober.epoch"} <= files.keys()
        assert b"request finished" in files["router.log"]
        assert any(name.startswith("the span signalbox.v1.HealthFeed") or "probe" in name for name, _ in spans)
        assert found_in(iter([*said, *spans, *files.items()])) == []


def arguments(process: Process) -> tuple[str, bytes]:
    return f"the arguments of {process.name}", Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_the_search_finds_what_it_looks_for() -> None:
    places = [("a log", f"said {PROMPT}".encode()), ("a header", base64.b64encode(PROMPT.encode()))]
    assert found_in(iter(places)) == ["a prompt in a log", "a prompt in a header"]

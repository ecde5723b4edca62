"""What is set up for a run: the upstream and the collector on the load's core, and what is measured on the other."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
import yaml

from benchmarks.judge import Judge
from benchmarks.payload import ANSWER_TOKENS, COMPLETE, MODEL, PROVIDER, STREAM_COMPLETE, Ask
from benchmarks.processes import MeasurementFailed, Process, serving
from benchmarks.streams import first_answer

TARGETS = {PROVIDER: (0.10, 0.40), "birch": (0.15, 0.60), "cedar": (0.50, 1.50)}
"""The providers of the router's configuration, with prices in USD per million tokens. The first is the cheapest."""

SAMPLE_RATIO = 0.01
STREAM_TOKENS = 512
SERVE = """\
import sys
from pathlib import Path
from router_service.main import ServeOptions, serve
config, address, prober, _, ready = sys.argv[1:]
sys.exit(serve(ServeOptions(config=config, router_address=address, prober_address=prober, ready_file=Path(ready),
                            lame_duck_s=0.0)))
"""
"""What `signalbox serve` comes to, without the command line's own start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a load is sent to: the router with its prober, or the floor. `processes` are all whose CPU time counts."""

    address: str
    processes: tuple[Process, ...]
    first_answer_s: float
    """From its start as a process to its first whole answer."""
    answer_bytes: int
    resident_mib: float
    is_router: bool

    @property
    def complete_url(self) -> str:
        return f"http://{self.address}{COMPLETE}"

    @property
    def stream_url(self) -> str:
        return f"http://{self.address}{STREAM_COMPLETE}"

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self.processes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What stays for the whole run."""

    simulator: str
    collector: str
    judge: Judge
    server_core: int
    load_core: int
    scratch: Path

    @property
    def upstream_url(self) -> str:
        return f"http://{self.simulator}/{PROVIDER}/v1/chat/completions"

    @contextmanager
    def router(self) -> Iterator[Subject]:
        """A fresh router, with its prober where there is one."""
        config = self.scratch / "signalbox.yaml"
        config.write_text(yaml.safe_dump(_config(self.simulator, self.collector)))
        with ExitStack() as stack:
            prober = stack.enter_context(self._prober(config))
            address = prober.address if prober else f"unix:{self.scratch}/prober.sock"
            arguments = ["-c", SERVE, str(config), "127.0.0.1:0", address]
            router = stack.enter_context(self._measured("router", arguments, address_key="router"))
            yield _subject(router, others=(prober,) if prober else (), is_router=True)

    @contextmanager
    def floor(self, *, answer_bytes: int) -> Iterator[Subject]:
        """A fresh floor, whose single answers are as long as the router's."""
        upstream = ["--upstream", self.upstream_url, "--stream-tokens", str(STREAM_TOKENS)]
        arguments = ["-m", "benchmarks.floor", *upstream, "--answer-bytes", str(answer_bytes)]
        with self._measured("floor", arguments, address_key="router") as floor:
            yield _subject(floor, others=(), is_router=False)

    @contextmanager
    def _prober(self, config: Path) -> Iterator[Process | None]:
        if not has_prober():
            yield None
            return
        arguments = ["-m", "prober", "--config", str(config), "--data-dir", str(self.scratch / "prober")]
        arguments += ["--prober-address", "127.0.0.1:0"]
        with self._measured("prober", arguments, address_key="prober") as prober:
            yield prober

    @contextmanager
    def _measured(self, name: str, arguments: list[str], *, address_key: str) -> Iterator[Process]:
        with serving(name, arguments, core=self.server_core, scratch=self.scratch, address_key=address_key) as process:
            yield process


@contextmanager
def rig(scratch: Path) -> Iterator[Rig]:
    """Set up. This process and its load generators move to the load's core for good."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise MeasurementFailed("two cores are needed: one for the server, one for the load and the upstream")
    server_core, load_core = cores[:2]
    os.sched_setaffinity(0, {load_core})
    with ExitStack() as stack:
        simulator, collector = (
            stack.enter_context(serving(key, arguments, core=load_core, scratch=scratch, address_key=key)).address
            for key, arguments in (
                ("simulator", ["-m", "router_service.simulator", "--simulator-address", "127.0.0.1:0"]),
                ("collector", ["-m", "benchmarks.collector"]),
            )
        )
        yield Rig(
            simulator=simulator,
            collector=collector,
            judge=Judge(simulator),
            server_core=server_core,
            load_core=load_core,
            scratch=scratch,
        )


def has_prober() -> bool:
    """Whether the prober is part of this tree."""
    return importlib.util.find_spec("prober.__main__") is not None


def _subject(process: Process, *, others: tuple[Process, ...], is_router: bool) -> Subject:
    ask = Ask(output_tokens=ANSWER_TOKENS, is_stream=False)
    answer = uvloop.run(first_answer(process.address, ask.to_router()))
    return Subject(
        address=process.address,
        processes=(process, *others),
        first_answer_s=time.monotonic() - process.spawned,
        answer_bytes=len(answer),
        resident_mib=process.resident_mib(),
        is_router=is_router,
    )


def _config(simulator: str, collector: str) -> dict[str, object]:
    providers = [
        {
            "name": name,
            "dialect": "openai",
            "base_url": f"http://{simulator}/{name}/v1",
            "tier": "fast_cloud",
            "models": [{"id": MODEL, "prices": {"input": input_price, "output": output_price}}],
        }
        for name, (input_price, output_price) in TARGETS.items()
    ]
    telemetry = {"otlp_endpoint": f"http://{collector}", "sample_ratio": SAMPLE_RATIO}
    return {"version": 1, "providers": providers, "telemetry": telemetry}

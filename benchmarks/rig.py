"""What is set up for a run: the upstream and the collector on the load's core, and what is measured on the other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
import yaml

from benchmarks.judge import Judge
from benchmarks.payload import ANSWER_TOKENS, COMPLETE, MODEL, PROVIDER, ROUTE, Ask, route_request
from benchmarks.processes import MeasurementFailed, Process, serving
from benchmarks.streams import first_answer

TARGETS = {PROVIDER: (0.10, 0.40), "birch": (0.15, 0.60), "cedar": (0.50, 1.50)}
"""The providers of the router's configuration, with prices in USD per million tokens. The first is the cheapest."""

SAMPLE_RATIO = 0.01
STREAM_TOKENS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a load is sent to: the router with its prober, or the floor. `processes` are all whose CPU time counts."""

    address: str
    processes: tuple[Process, ...]
    first_answer_s: float
    """From its start as a process to its first whole answer."""
    answer_bytes: int
    plan_bytes: int
    resident_at_rest_mib: float
    is_router: bool

    @property
    def complete_url(self) -> str:
        return f"http://{self.address}{COMPLETE}"

    @property
    def route_url(self) -> str:
        return f"http://{self.address}{ROUTE}"

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self.processes)

    def resident_mib(self) -> float:
        """Memory of the one that serves, now."""
        return self.processes[0].resident_mib()


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
        """A fresh router and the prober beside it, on the same core, since a router is not run without one."""
        config, data = self.scratch / "signalbox.yaml", self.scratch / "data"
        config.write_text(yaml.safe_dump(_config(self.simulator, self.collector)))
        both = ["--config", str(config), "--data-dir", str(data)]
        probe = ["-m", "prober", *both, "--prober-address", "127.0.0.1:0"]
        route = ["-m", "router_service", "serve", *both, "--router-address", "127.0.0.1:0", "--lame-duck", "0"]
        with self._measured("prober", probe) as prober, self._measured("router", route) as router:
            yield _subject(router, beside=(prober,), is_router=True)

    @contextmanager
    def floor(self, *, answer_bytes: int, plan_bytes: int) -> Iterator[Subject]:
        """A fresh floor, whose single answers are as long as the router's."""
        upstream = ["--upstream", self.upstream_url, "--stream-tokens", str(STREAM_TOKENS)]
        sizes = ["--answer-bytes", str(answer_bytes), "--plan-bytes", str(plan_bytes)]
        arguments = ["-m", "benchmarks.floor", *upstream, *sizes]
        with self._measured("floor", arguments) as floor:
            yield _subject(floor, beside=(), is_router=False)

    @contextmanager
    def _measured(self, name: str, arguments: Sequence[str]) -> Iterator[Process]:
        with serving(name, arguments, core=self.server_core, scratch=self.scratch) as process:
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
        simulate = ["-m", "router_service.simulator", "--simulator-address", "127.0.0.1:0"]
        simulator = stack.enter_context(serving("simulator", simulate, core=load_core, scratch=scratch))
        collect = ["-m", "benchmarks.collector"]
        collector = stack.enter_context(serving("collector", collect, core=load_core, scratch=scratch))
        judge = stack.enter_context(closing(Judge(simulator.address)))
        yield Rig(
            simulator=simulator.address,
            collector=collector.address,
            judge=judge,
            server_core=server_core,
            load_core=load_core,
            scratch=scratch,
        )


def _subject(process: Process, *, beside: tuple[Process, ...], is_router: bool) -> Subject:
    ask = Ask(output_tokens=ANSWER_TOKENS, is_stream=False)
    answer = uvloop.run(first_answer(process.address, COMPLETE, ask.to_router()))
    first_answer_s = time.monotonic() - process.spawned
    plan = uvloop.run(first_answer(process.address, ROUTE, route_request()))
    return Subject(
        address=process.address,
        processes=(process, *beside),
        first_answer_s=first_answer_s,
        plan_bytes=len(plan),
        answer_bytes=len(answer),
        resident_at_rest_mib=process.resident_mib(),
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

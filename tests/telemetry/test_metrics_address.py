"""Where the page of metrics is: by flag, by configuration, nowhere, and what follows where that is not to be had."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from router_service.core.settings import ROUTER_METRICS
from tests.harness import processes, settings
from tests.harness.metrics import scraped
from tests.harness.processes import SIGNALBOX, Process

PATIENCE_S = 20.0
PROVIDERS = [settings.provider("alder", "http://127.0.0.1:1/v1")]
PARTS = {"serve": "router", "prober": "prober"}


@pytest.fixture
def directory() -> Iterator[Path]:
    with processes.short_directory() as directory:
        yield directory


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


def process(directory: Path, part: str, *flags: str, telemetry: Mapping[str, object] | None = None) -> Process:
    config = settings.write(directory, PROVIDERS, telemetry=telemetry or {})
    name = PARTS[part]
    command = [SIGNALBOX, part, "--config", str(config), f"--{name}-address", "127.0.0.1:0", *flags]
    return Process(command=[*command, "--data-dir", str(directory)], directory=directory, name=name)


@pytest.mark.parametrize("part", PARTS)
def test_the_ready_file_tells_the_address(part: str, directory: Path) -> None:
    started = process(directory, part, "--metrics-address", "127.0.0.1:0")
    with processes.running(started):
        assert scraped(started.ready["metrics"]).has("signalbox_log_lines_lost_total")


@pytest.mark.parametrize("part", PARTS)
def test_nowhere_is_an_address_too(part: str, directory: Path) -> None:
    nowhere = {"metrics_address": "", "prober_metrics_address": ""}
    with processes.running(started := process(directory, part, telemetry=nowhere)):
        assert "metrics" not in started.ready


def test_the_usual_address_may_be_taken_by_another_router(directory: Path) -> None:
    host, _, port = ROUTER_METRICS.rpartition(":")
    with socket.socket() as other:
        with suppress(OSError):  # then somebody else has it already
            other.bind((host, int(port)))
            other.listen()
        with processes.running(started := process(directory, "serve")):
            assert "metrics" not in started.ready
    assert f"cannot serve metrics on {ROUTER_METRICS}" in started.stderr()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("address", ["{taken}", "0.0.0.0:0", "nonsense"])
def test_any_other_is_insisted_on(part: str, address: str, taken: str, directory: Path) -> None:
    wanted = address.format(taken=taken)
    command = process(directory, part, "--metrics-address", wanted).command
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert wanted in ended.stderr
    assert "Traceback" not in ended.stderr

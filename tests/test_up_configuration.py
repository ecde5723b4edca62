"""Which configuration `signalbox up` runs: what is named, else what ships, else the simulated providers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from router_service.config import load
from tests.config.files import TODAY
from tests.harness.processes import SIGNALBOX, Process, running, short_directory

FREE = [word for name in ("router", "prober", "simulator") for word in (f"--{name}-address", "127.0.0.1:0")]
FILE = "version: 1\nproviders: [{name: a, base_url: http://127.0.0.1:1, models: [{id: m}]}]\n"


def test_without_configuration_and_keys_the_simulated_providers_run_and_it_is_said() -> None:
    with short_directory() as directory:
        up = Process(command=[SIGNALBOX, "up", *FREE], directory=directory, name="up", environment=_without_keys())
        with running(up):
            assert "simulator" in up.ready
            assert "no key of a shipped provider: running on simulated providers" in up.stderr()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--simulated", "--llm7"], "exclude each other"),
        (["--simulated", "--config", "signalbox.yaml"], "exclude each other"),
        (["--llm7", "--config", "signalbox.yaml"], "exclude each other"),
        (["--llm7"], "write into signalbox.yaml: providers: [{name: llm7, enabled: true}]"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_refused(tmp_path: Path, arguments: Sequence[str], told: str) -> None:
    (tmp_path / "signalbox.yaml").write_text(FILE)
    ended = subprocess.run(
        [SIGNALBOX, "up", *FREE, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert told in " ".join(ended.stderr.split())


def test_llm7_is_off_as_shipped_and_one_line_away(tmp_path: Path) -> None:
    def is_on(path: Path | None) -> bool:
        settings = load(path, environ={}, today=TODAY)
        return next(p.is_callable for p in settings.catalog.providers if p.name == "llm7")

    file = tmp_path / "signalbox.yaml"
    file.write_text("version: 1\nextends: shipped\nproviders: [{name: llm7, enabled: true}]\n")
    assert (is_on(None), is_on(file)) == (False, True)


def _without_keys() -> dict[str, str]:
    """Variables of shipped providers, emptied."""
    shipped = load(None, environ={}, today=TODAY).catalog.providers
    names = [name for provider in shipped for name in provider.key_env]
    return {name: "" for name in (*names, "SIGNALBOX_CONFIG") if name in os.environ}

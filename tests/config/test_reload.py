"""Loading again: which files matter, and that everything is read anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from router_service.config import Watch, load, simulated, watched
from router_service.core.settings import Settings

from .files import SMALL, TODAY


def _load(path: Path | None, **environ: str) -> Settings:
    return load(path, environ=environ, today=TODAY)


def test_the_file_and_the_key_files_are_watched(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.yaml"
    other = f"  - {{name: b, base_url: https://b.example, key_file: {tmp_path}/absolute.key, models: [{{id: m}}]}}\n"
    path.write_text(f"{SMALL}    key_file: keys/alder.key\n{other}")
    expected = (path, tmp_path / "keys" / "alder.key", tmp_path / "absolute.key")
    assert watched(path, _load(path)) == expected


def test_of_what_ships_nothing_is_watched() -> None:
    assert watched(None, _load(None)) == ()
    assert watched(simulated(), _load(simulated())) == (simulated(),)


def test_keys_are_read_anew_from_files_and_environment(tmp_path: Path) -> None:
    path, key = tmp_path / "signalbox.yaml", tmp_path / "alder.key"
    path.write_text(f"{SMALL}    key_file: alder.key\n    key_env: ALDER_KEY\n")
    assert not _load(path).catalog.providers[0].is_usable
    key.write_text("first")
    assert _load(path).catalog.providers[0].key.reveal() == "first"
    key.write_text("second")
    assert _load(path).catalog.providers[0].key.reveal() == "second"
    assert _load(path, ALDER_KEY="third").catalog.providers[0].key.reveal() == "third"


@pytest.mark.anyio
async def test_what_waits_for_a_restart_is_told_against_the_start(caplog: pytest.LogCaptureFixture) -> None:
    started = _load(None)
    server = replace(started, server=replace(started.server, drain_s=7.0))
    both = replace(server, prober=replace(server.prober, interval_s=7.0))
    to_load = [server, both, server, started]
    expected = ["server", "server, prober and health", "server", ""]
    adopted: asyncio.Queue[Settings] = asyncio.Queue()
    watch = Watch(started, load=lambda: to_load[0], files=lambda _: (), adopt=adopted.put)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        for named in expected:
            caplog.clear()
            watch.ask()
            assert await adopted.get() == to_load.pop(0)
            told = [record.getMessage() for record in caplog.records if "from the next start on" in record.getMessage()]
            assert told == ([f"what changed in {named} holds from the next start on"] if named else [])
        running.cancel()


def test_the_same_files_load_to_equal_settings() -> None:
    assert _load(None) == _load(None)

"""Loading again: which files matter, and that everything is read anew."""

from __future__ import annotations

from pathlib import Path

from router_service.config import load, simulated, watched
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


def test_the_same_files_load_to_equal_settings() -> None:
    assert _load(None) == _load(None)

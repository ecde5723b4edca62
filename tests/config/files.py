"""Writes configuration files for tests, and loads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from router_service.config import ConfigError, load
from router_service.core.settings import Settings

SMALL = """\
version: 1
providers:
  - name: alder
    base_url: https://api.example.com/v1
    models: [{id: chat-small}]
"""
"""The least that can be loaded."""


TODAY = date(2026, 11, 21)


def load_text(
    directory: Path,
    text: str | bytes,
    environ: Mapping[str, str] | None = None,
    *,
    shipped: str | None = None,
    today: date = TODAY,
) -> Settings:
    path = directory / "signalbox.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, environ=environ or {}, today=today, shipped=None if shipped is None else shipped.encode())


def mistakes_in(directory: Path, text: str | bytes) -> ConfigError:
    """The error that loading `text` ends in."""
    with pytest.raises(ConfigError) as caught:
        load_text(directory, text)
    assert caught.value.problems
    return caught.value


def the_mistake_in(directory: Path, text: str | bytes) -> tuple[int, str, str, str]:
    """Line, path, message and hint of the only problem in `text`."""
    error = mistakes_in(directory, text)
    (problem,) = error.problems
    return problem.line, problem.path, problem.message, problem.hint

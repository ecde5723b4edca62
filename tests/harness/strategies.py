"""Distributions that register strategies, as an installer leaves them: a directory to stand on PYTHONPATH."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from router_service.registry import GROUP


def installed(directory: Path, name: str, entries: Mapping[str, str], **modules: str) -> Path:
    """The distribution `name` in `directory`, whose modules have the given sources; returns the directory."""
    metadata = directory / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[{GROUP}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
    )
    for module, source in modules.items():
        (directory / f"{module}.py").write_text(source)
    return directory

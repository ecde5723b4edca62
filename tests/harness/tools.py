"""Programs that others wrote and tests use: found on the path or in .tools, else the test says how to get them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str, *, how: str = "make tools") -> str:
    """The program's path. Where it is missing the test is skipped with the way to get it; in CI that is a failure."""
    path = os.pathsep.join([str(ROOT / ".tools/bin"), str(ROOT / ".tools/node_modules/.bin"), os.environ["PATH"]])
    found = shutil.which(name, path=path)
    if found is None:
        message = f"{name} is not installed; get it with: {how}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found

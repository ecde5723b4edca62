"""`signalbox keys new`: a key that nobody can guess, shown once, and the lines that let it in."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from router_service.core.tenant import Role
from tests.commands.conftest import Run
from tests.config.files import SMALL, load_text


def test_key_goes_to_stdout_and_its_lines_let_it_in(run: Run, tmp_path: Path) -> None:
    done = run("keys", "new", "--tenant", "batch", "--role", "operator", "--expires", "2031-02-03")
    key = done.out.strip()
    assert re.fullmatch(r"sb-[A-Za-z0-9_-]{43}", key)
    assert key not in done.err
    lines = done.err[done.err.index("tenants:") :]
    assert yaml.safe_load(lines)["tenants"][0]["name"] == "batch"
    settings = load_text(tmp_path, SMALL + lines)
    [found] = settings.tenants[0].keys
    assert (found.digest, found.role) == (hashlib.sha256(key.encode()).digest(), Role.OPERATOR)
    assert found.expires_s is not None


def test_json_has_all_of_it(run: Run) -> None:
    made = json.loads(run("keys", "new", "--json").out)
    assert made.keys() == {"key", "hash", "tenant", "role", "expires"}
    assert made["hash"] == f"sha256:{hashlib.sha256(made['key'].encode()).hexdigest()}"
    assert (made["tenant"], made["role"], made["expires"]) == ("web", "caller", "")


def test_no_key_comes_twice(run: Run) -> None:
    assert run("keys", "new").out != run("keys", "new").out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--role", "king"), "king"), (("--expires", "soon"), "soon"), (("--tenant", "Web Team"), "small letters")],
)
def test_what_the_configuration_would_refuse_is_refused(run: Run, arguments: tuple[str, ...], told: str) -> None:
    done = run("keys", "new", *arguments)
    assert done.code == 2
    assert not done.out
    assert told in done.err

"""What a shell offers when somebody presses Tab, asked of the shells themselves where they are installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """\
version: 1
providers:
  - {name: alder, dialect: openai, base_url: "simulator:/alder/v1", models: [{id: small, alias: [quick]}, {id: large}]}
  - {name: cedar, dialect: openai, base_url: "simulator:/cedar/v1", models: [{id: "ash3.1:8b"}, {id: "ash3.1:70b"}]}
  - {name: birch, dialect: openai, base_url: "https://birch.example/v1", key_env: BIRCH_KEY, models: [{id: small}]}
"""
OFFERS = [
    ("comp", {"complete", "completion"}),
    ("complete --st", {"--stream"}),
    ("complete --model a", {"alder/small", "alder/large"}),
    ("complete --model q", {"quick"}),
    ("complete --model bi", set()),
    ("complete --model cedar/a", {"cedar/ash3.1:8b", "cedar/ash3.1:70b"}),
    ("complete --model cedar/ash3.1:", {"8b", "70b"}),
    ("complete --model cedar/ash3.1:7", {"70b"}),
    ("complete --model cedar/ash3.1:70b --st", {"--stream"}),
    ("route --deny b", {"birch"}),
    ("models --provider ", {"alder", "birch", "cedar"}),
    ("demo no", {"normal"}),
]
"""What is typed, and what is offered for its last word, behind its last colon; birch's key is missing."""
PRESS_TAB = """
source {script}
COMP_WORDS=({words}); COMP_CWORD={count}; COMP_LINE={line}; COMP_POINT={point}
_signalbox_completion signalbox
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a configuration, and with `signalbox` on the search path."""
    (tmp_path / "signalbox.yaml").write_text(CONFIG)
    program = tmp_path / "signalbox"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m router_service "$@"\n')
    program.chmod(0o755)
    return tmp_path


def _run(home: Path, *command: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNALBOX_", "BIRCH_"))}
    environment = {**environment, **variables, "PATH": f"{home}:{environment['PATH']}"}
    finished = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True)
    assert finished.stderr == ""
    return finished.stdout


@pytest.mark.parametrize(("typed", "offered"), OFFERS)
def test_bash_offers_what_may_come_next(home: Path, typed: str, offered: set[str]) -> None:
    script = home / "completion.bash"
    script.write_text(_run(home, "signalbox", "completion", "bash"))
    line = f"signalbox {typed}"
    words = [part for word in line.split(" ") for part in re.split("(:)", word) if part or not word]
    pressed = PRESS_TAB.format(
        script=script,
        words=shlex.join(words),
        count=len(words) - 1,
        line=shlex.quote(line),
        point=len(line),
    )
    assert set(filter(None, _run(home, "bash", "--norc", "-c", pressed).splitlines())) == offered


def test_bash_registers_the_completion_when_its_script_is_read(home: Path) -> None:
    said = _run(home, "bash", "--norc", "-c", 'eval "$(signalbox completion bash)"; complete -p signalbox')
    assert said.strip().endswith("signalbox")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_one_that_its_shell_can_read(home: Path, shell: str) -> None:
    script = home / f"completion.{shell}"
    script.write_text(_run(home, "signalbox", "completion", shell))
    assert "_SIGNALBOX_COMPLETE" in script.read_text()
    if shutil.which(shell):
        _run(home, shell, "-n", str(script))


@pytest.mark.parametrize(
    ("shell", "variables"),
    [
        ("zsh", {"COMP_WORDS": "signalbox complete --model al", "COMP_CWORD": "3"}),
        ("fish", {"COMP_WORDS": "signalbox complete --model al", "COMP_CWORD": "al"}),
    ],
)
def test_other_shells_get_the_same_names(home: Path, shell: str, variables: dict[str, str]) -> None:
    said = _run(home, "signalbox", _SIGNALBOX_COMPLETE=f"{shell}_complete", **variables)
    assert "alder/small" in said
    assert "alder/large" in said


def test_broken_configuration_offers_no_names_and_says_nothing(home: Path) -> None:
    (home / "signalbox.yaml").write_text("version: 2\n")
    variables = {"COMP_WORDS": "signalbox complete --model ", "COMP_CWORD": "3"}
    assert _run(home, "signalbox", _SIGNALBOX_COMPLETE="bash_complete", **variables).strip() == ""

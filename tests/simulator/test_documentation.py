"""What docs/simulator.md says, held against the simulator: every line is typed, every table is complete."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from router_service.simulator.faults import Fault, Shape, parse_fault
from router_service.simulator.log import LogRow
from router_service.simulator.schedule import Rule

from .harness import PATIENCE_S, Simulator, chat_body

TEXT = (Path(__file__).resolve().parents[2] / "docs/simulator.md").read_text()
PRINTED = "127.0.0.1:8790"


def _section(title: str) -> str:
    """A section of the second level, with those below it."""
    [section] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(section)


def _first_cells(title: str) -> list[str]:
    """What stands as code in the first column of a section's tables, without a value."""
    return re.findall(r"^\| `([a-z0-9_-]+)", _section(title), re.MULTILINE)


def _typed() -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        yield from (line for line in block.splitlines() if line.startswith("curl"))


def test_each_line_can_be_typed(own_simulator: Simulator) -> None:
    own_simulator.chat(chat_body())
    for line in _typed():
        typed = line.replace(PRINTED, own_simulator.address)
        done = subprocess.run(["/bin/sh", "-c", typed], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, line
        documents = [msgspec.json.decode(document) for document in done.stdout.splitlines()]
        assert documents, line
        assert "x-sim-fault" in line or not any("error" in document for document in documents), done.stdout


def test_each_fault_is_listed_once_with_an_example() -> None:
    listed = _first_cells("Faults")
    assert sorted(listed) == sorted(field.encode_name for field in msgspec.structs.fields(Fault))
    examples = re.findall(r"^\| `.*\| `([^`]+)` \|$", _section("Faults"), re.MULTILINE)
    assert len(examples) == len(listed)
    for name, example in zip(listed, examples, strict=True):
        assert name in example
        assert parse_fault(example) != Fault()
    assert all(f"`{shape.value}`" in _section("Faults") for shape in Shape)


def test_each_field_of_a_rule_and_of_a_row_is_listed() -> None:
    assert sorted(_first_cells("Schedule")) == sorted(field.name for field in msgspec.structs.fields(Rule))
    assert _first_cells("Log") == [field.name for field in msgspec.structs.fields(LogRow)]


def test_each_endpoint_exists(simulator: Simulator) -> None:
    for line in re.findall(r"^\| `GET.*?`.*", _section("Endpoints"), re.MULTILINE):
        [path] = re.findall(r"(/\S+?)`", line.partition(" | ")[0])
        answer = simulator.client.get(path.replace("PROVIDER", "alder"))
        assert answer.status_code == 200, path

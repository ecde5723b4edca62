"""The README's first minute, typed as it is printed, against what `signalbox up` starts.

The printed ports are used where they are free, as on a new machine; else the same lines run on other ports.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from signalbox_client.endpoint import endpoint

from tests.harness import processes
from tests.harness.processes import SIGNALBOX, Process, wait_until
from tests.harness.tools import ROOT, tool

README = (ROOT / "README.md").read_text()
PRINTED = {"router": "127.0.0.1:50051", "prober": "127.0.0.1:50052", "simulator": "127.0.0.1:8790"}
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)

BIN = str(Path(SIGNALBOX).parent)
PATH = ":".join(directory for directory in os.environ["PATH"].split(":") if directory != BIN)
"""Nothing of the virtual environment is found by its bare name, as in a terminal that was just opened."""


@dataclass(frozen=True, slots=True)
class Running:
    up: Process
    directory: Path

    def type(self, line: str) -> str:
        """Run a line of the README and return what it prints; it must succeed."""
        for name, address in PRINTED.items():
            line = line.replace(address, self.up.ready[name])
        environment = {
            **os.environ,
            "PATH": f"{Path(tool('grpcurl')).parent}:{PATH}",
            "SIGNALBOX_ADDRESS": self.up.ready["router"],
        }
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, timeout=30, check=False, cwd=ROOT, env=environment
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with processes.short_directory() as directory:
        command = [SIGNALBOX, "up", "--simulated", *_ports()]
        up = Process(command=command, directory=directory, name="up", environment={"PATH": PATH})
        with processes.running(up):
            yield Running(up, directory)


def _ports() -> list[str]:
    if all(_is_free(address) for address in PRINTED.values()):
        return []
    return [word for name in PRINTED for word in (f"--{name}-address", "127.0.0.1:0")]


def _is_free(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, int(port)))
        except OSError:
            return False
        return True


def block_with(word: str) -> list[str]:
    """The lines of the README's one shell block that holds `word`."""
    [block] = [b for b in BLOCKS if word in b]
    return [line for line in block.split("\n") if line]


def test_up_shows_a_completion_and_a_stream_and_what_to_type(running: Running) -> None:
    wait_until(lambda: "Ctrl-C stops" in running.up.stderr(), within_s=15, what="the demonstration is over")
    shown = running.up.stderr()
    assert re.search(r"completion +alder/chat-small · [\d.]+ ms · [\d.]+ USD · 1 attempt", shown)
    assert re.search(r"stream +alder/chat-small · [\d.]+ ms · first token [\d.]+ ms", shown)
    assert "grpcurl -plaintext" in shown


def test_what_up_says_to_type_can_be_typed(running: Running) -> None:
    wait_until(lambda: "Ctrl-C stops" in running.up.stderr(), within_s=15, what="the demonstration is over")
    advice = running.up.stderr().partition("In another terminal:")[2]
    complete, top, listing, call, broken, mended = re.findall(r"^  (\S.*)$", advice, re.MULTILINE)
    assert running.type(complete).strip()
    assert "alder/chat-small" in running.type(f"{top} --once")
    assert "signalbox.v1.Router" in running.type(listing)
    assert '"target"' in running.type(call)
    assert '"status=503"' in running.type(broken)
    assert running.type(mended) == '{"rules":[]}'
    assert f"in `{top}`" in advice


def test_grpcurl_as_printed(running: Running) -> None:
    listing, description, answer, plan, stream, check, snapshot = map(running.type, block_with("grpcurl"))
    assert "signalbox.v1.Router" in listing
    assert "rpc Complete" in description
    assert '"target": "alder/chat-small"' in answer
    assert '"candidates"' in plan
    assert '"done"' in stream
    assert '"status": "SERVING"' in check
    assert '"target": "cedar/chat-small"' in snapshot


def test_a_broken_provider_as_printed(running: Running) -> None:
    _broken, answer, _mended = map(running.type, block_with("_sim/faults"))
    assert '"target":"birch/chat-small"' in answer.replace('": "', '":"').replace('":"birch', '":"birch')
    assert "UPSTREAM_5XX" in answer


def test_the_command_line_as_printed(running: Running) -> None:
    complete, route, providers, top = block_with("signalbox top")
    assert running.type(complete).strip()
    assert "alder/chat-small" in running.type(route)
    assert top.endswith("signalbox top")
    prober = f"--prober-address {running.up.ready['prober']}"
    assert "alder" in running.type(f"{providers} {prober}")
    assert "alder/chat-small" in running.type(f"{top} --once {prober}")


def test_the_configuration_as_printed(running: Running) -> None:
    check, models = block_with("signalbox config check")
    [shipped] = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "extends" in block]
    path = running.directory / "signalbox.yaml"
    path.write_text(shipped)
    assert "chat" in running.type(f"{check} --config {path}")
    assert "alder/chat-small" in running.type(models)


def test_python_as_printed(running: Running) -> None:
    plain, with_tools = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed = run_python(running, plain)
    assert "alder/chat-small" in printed or "birch/chat-small" in printed
    said, form, seen = run_python(running, with_tools).splitlines()
    assert said.startswith("Reply ")
    assert json.loads(form) == {"colour": "signal"}
    assert " I see 1 picture. " in seen


def run_python(running: Running, code: str) -> str:
    (running.directory / "example.py").write_text(code.replace(PRINTED["router"], running.up.ready["router"]))
    return running.type(f".venv/bin/python {running.directory}/example.py")


def test_every_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^make (\w+)", "\n".join(BLOCKS), re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    assert {"run", "test", "bench"} <= targets
    assert all(re.search(rf"^{t}:", makefile, re.MULTILINE) for t in targets)


def test_every_requirement_has_a_state() -> None:
    rows = re.findall(r"^\| ([A-Z]\d[^|]*)\|[^|]*\| (?:yes|in part|–)", README, re.MULTILINE)
    named = {name for row in rows for name in _spelt_out(row.strip())}
    numbers = {"R": 11, "P": 6, "D": 13, "E": 12, "Q": 7, "H": 7, "A": 7, "O": 10}
    assert named == {f"{letter}{n}" for letter, last in numbers.items() for n in range(1, last + 1)} - {"O8"}


def _spelt_out(row: str) -> Iterator[str]:
    """Ids of a row: `D1`, `E6, E7` and `D1 – D3` alike; O8 is a number that no requirement has."""
    for part in row.split(", "):
        letter, first, last = re.fullmatch(r"([A-Z])(\d+)(?: – [A-Z](\d+))?", part).groups()  # type: ignore[union-attr]
        yield from (f"{letter}{n}" for n in range(int(first), int(last or first) + 1) if f"{letter}{n}" != "O8")


def test_both_pages_name_what_the_client_retries() -> None:
    terms = endpoint("127.0.0.1:1", api_key="", ca="", is_patient=True, allow_plaintext_key=False)
    policy = json.loads(str(dict(terms.options(0))["grpc.service_config"]))["methodConfig"][0]["retryPolicy"]
    for page in (README, (ROOT / "clients/python/README.md").read_text()):
        [told] = [text for text in page.split("\n\n") if re.search(r"(client retries|gRPC itself repeats)", text)]
        assert set(re.findall(r"\b[A-Z]{8,}\b", told)) == set(policy["retryableStatusCodes"])

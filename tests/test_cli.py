"""The `signalbox` command: exit codes, what goes to stdout and what to stderr, and the processes that it keeps."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from router_service.cli import SUBCOMMANDS, main
from router_service.commands.figures import seconds, usd
from router_service.commands.invocation import program
from router_service.commands.metrics_page import read
from router_service.supervisor import Part, PartFailed, Supervisor
from tests.clients.playing_router import ANSWER, ESCAPES, TARGET, PlayingRouter, serving
from tests.harness import keys
from tests.harness.stack import routing

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30.0
SOON_S = 2.0
"""At once, on a busy machine; any part's own time to stop is longer."""
COMMAND = [sys.executable, "-P", "-m", "router_service"]
NOBODY = "127.0.0.1:1"

FAILURES = [
    ("fail:invalid", 4, "INVALID_ARGUMENT", "INVALID_REQUEST"),
    ("fail:nobody", 4, "FAILED_PRECONDITION", "NO_ELIGIBLE_TARGET"),
    ("fail:blocked", 4, "RESOURCE_EXHAUSTED", "PROVIDERS_RATE_LIMITED"),
    ("garbled", 4, "INVALID_ARGUMENT", ""),
    ("fail:refused", 5, "UNAVAILABLE", "UPSTREAM_CONNECT"),
    ("fail:key", 5, "INTERNAL", "UPSTREAM_CREDENTIALS"),
    ("fail:late", 5, "DEADLINE_EXCEEDED", "CALLER_DEADLINE"),
    ("fail:busy", 5, "UNAVAILABLE", "ROUTER_OVERLOADED"),
    ("bare", 3, "UNAVAILABLE", "UNREACHABLE"),
]

MISUSES: list[Sequence[str]] = [
    ["nonsense"],
    ["complete"],
    ["complete", "a", "b"],
    ["complete", "a", "--nonsense"],
    ["complete", "a", "--timeout", "0"],
    ["complete", "a", "--timeout", "nan"],
    ["complete", "a", "--timeout", "soon"],
    ["complete", "a", "--timeout", "inf"],
    ["complete", "a", "--max-output-tokens", "0"],
    ["complete", "a", "--max-output-tokens", "2147483648"],
    ["complete", "a", "--model", "\udcff"],
    ["complete", "a", "--address", "\udcff"],
    ["complete", "\udcff"],
    ["providers", "--config", "/nowhere/signalbox.yaml"],
    ["top", "--prober-address", "\udcff"],
    ["top", "--data-dir", "d" * 300],
    ["complete", "a", "--address", "127.0.0.1:99999"],
    ["route", "a", "--address", "127.0.0.1:0"],
    ["models", "--address", "[::1]:70000"],
    ["providers", "--address", "127.0.0.1:99999"],
    ["providers", "--prober-address", "127.0.0.1:99999"],
    ["top", "--prober-address", "127.0.0.1:99999"],
    ["top", "--metrics-address", "127.0.0.1:99999"],
    ["serve", "--log-level", "loud"],
    ["serve", "--prober-address", "127.0.0.1:99999"],
    ["serve", "--simulator-address", "127.0.0.1:0"],
    ["serve", "--lame-duck", "inf"],
    ["serve", "--simulator-address", "nowhere"],
    ["serve", "--config", "/nowhere/signalbox.yaml"],
    ["up", "--config", "/nowhere/signalbox.yaml"],
    ["simulate", "--config", "/nowhere/signalbox.yaml"],
    ["simulate", "--nonsense"],
    ["simulate", "--simulator-address", "0.0.0.0:0"],
]

CONFIG = """\
version: 1
providers:
  - {name: alder, dialect: openai, base_url: "simulator:/alder/v1", models: [{id: chat-small}, {id: chat-large}]}
  - {name: birch, dialect: openai, base_url: "https://birch.example/v1", key_env: BIRCH_KEY, models: [{id: chat-small}]}
"""


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SIGNALBOX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def router() -> Iterator[str]:
    """The address of a playing router, which is a playing prober too."""
    with serving(PlayingRouter()) as address:
        yield address


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left: its exit code, what it answered, and what it told people."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Output]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_here(*arguments: str) -> Output:
        code = main(arguments)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Output(code, captured.out, captured.err)

    return run_here


def test_complete_answers_on_stdout_and_sums_up_on_stderr(run: Run, router: str) -> None:
    output = run("complete", "hello", "--address", router)
    assert (output.code, output.out) == (0, f"{ANSWER}\n")
    assert output.err == f"{TARGET} · 150 ms · first token 20 ms · 0.0000016 USD · 1 attempt\n"


def test_complete_streams_the_same_text(run: Run, router: str) -> None:
    output = run("complete", "hello", "--stream", "--address", router)
    assert (output.code, output.out) == (0, f"{ANSWER}\n")
    assert "first token 20 ms" in output.err


def test_complete_as_json_is_one_response(run: Run, router: str) -> None:
    output = run("complete", "hello", "--json", "--address", router)
    document = output.document()
    assert (output.code, output.err) == (0, "")
    assert document["message"] == {"role": "ROLE_ASSISTANT", "content": ANSWER}
    assert (document["finish_reason"], document["cost_usd_nanos"]) == ("FINISH_REASON_STOP", "1600")


def test_complete_as_json_stream_is_an_event_a_line(run: Run, router: str) -> None:
    output = run("complete", "hello", "--json", "--stream", "--address", router)
    assert [next(iter(event)) for event in output.documents()] == ["started", "delta", "delta", "delta", "done"]
    assert output.documents()[-1]["done"]["response"]["target"] == TARGET


def test_a_port_that_is_none_is_told_for_the_environment_as_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_ADDRESS", "127.0.0.1:99999")
    output = run("complete", "hello")
    assert output.code == 2
    assert "from 1 to 65535" in output.err


def test_complete_finds_the_router_in_the_environment(run: Run, router: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_ADDRESS", router)
    assert run("complete", "hello").code == 0


@pytest.mark.parametrize("mode", [[], ["--stream"]], ids=["whole", "stream"])
@pytest.mark.parametrize(("prompt", "code", "status", "reason"), FAILURES)
def test_failed_completion_has_its_exit_code_and_one_clear_line(
    run: Run, router: str, prompt: str, code: int, status: str, reason: str, mode: Sequence[str]
) -> None:
    output = run("complete", prompt, *mode, "--address", router)
    assert (output.code, output.out) == (code, "")
    assert output.err.startswith("signalbox: ")
    assert len(output.err.splitlines()) <= 2
    assert ("cannot be reached" if reason == "UNREACHABLE" else reason) in output.err


@pytest.mark.parametrize(("prompt", "code", "status", "reason"), FAILURES)
def test_failed_completion_as_json_is_an_error_document(
    run: Run, router: str, prompt: str, code: int, status: str, reason: str
) -> None:
    output = run("complete", prompt, "--json", "--address", router)
    error = output.document()["error"]
    assert (output.code, output.err) == (code, "")
    assert set(error) == {"code", "reason", "message", "request_id", "field", "violations"}
    assert (error["code"], error["reason"]) == (status, reason)
    assert reason not in error["message"] or not reason, "it has a field of its own"
    assert error["request_id"] == ("" if reason in ("", "UNREACHABLE") else "r-1")


@pytest.mark.parametrize(
    ("key", "command", "told"),
    [
        ("", "route", "$SIGNALBOX_API_KEY; `signalbox keys new` makes one"),
        (keys.key("web"), "models", "does not allow it; `signalbox keys new --role`"),
    ],
)
def test_missing_key_and_wrong_role_are_exit_4_with_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, key: str, command: str, told: str
) -> None:
    with routing(names=("alder",), tenants=[keys.tenant("web")]) as stack:  # type: ignore[arg-type]
        if key:
            monkeypatch.setenv("SIGNALBOX_API_KEY", key)
        arguments = [command, *(["hello"] if command == "route" else []), "--address", stack.address]
        output = run(*arguments)
    assert (output.code, output.out) == (4, "")
    assert told in output.err


def test_error_document_names_the_field(run: Run, router: str) -> None:
    error = run("complete", "fail:invalid", "--json", "--address", router).document()["error"]
    assert error["field"] == "generation.temperature"
    assert error["violations"] == [{"field": "generation.temperature", "description": "3 is above 2"}]


@pytest.mark.parametrize("prompt", ["cut", "fail:broken", "fail:large"])
def test_interrupted_stream_shows_what_came_and_that_it_is_not_all(run: Run, router: str, prompt: str) -> None:
    output = run("complete", prompt, "--stream", "--address", router)
    assert (output.code, output.out) == (5, f"{ANSWER}\n")
    assert output.err.startswith("signalbox: the ")
    documents = run("complete", prompt, "--stream", "--json", "--address", router).documents()
    assert [next(iter(document)) for document in documents] == ["started", "delta", "delta", "delta", "error"]


def test_unreachable_router_is_exit_3_with_what_to_do(run: Run) -> None:
    output = run("complete", "hello", "--address", NOBODY)
    assert (output.code, output.out) == (3, "")
    assert f"the router at {NOBODY} cannot be reached" in output.err
    assert "signalbox up" in output.err


def test_unreachable_prober_as_json_is_an_error_document(run: Run) -> None:
    output = run("top", "--json", "--prober-address", NOBODY)
    assert (output.code, output.err) == (3, "")
    assert output.document()["error"]["code"] == "UNAVAILABLE"


def test_most_output_tokens_that_a_request_can_ask_for(run: Run, router: str) -> None:
    assert run("complete", "hello", "--max-output-tokens", str(2**31 - 1), "--address", router).code == 0


@pytest.mark.parametrize("arguments", MISUSES, ids=ascii)
def test_misuse_is_exit_2_and_says_how(run: Run, arguments: Sequence[str]) -> None:
    output = run(*arguments)
    assert (output.code, output.out) == (2, "")
    assert output.err


def test_misuse_as_json_is_an_error_document(run: Run) -> None:
    error = run("complete", "hello", "--json", "--timeout", "soon").document()["error"]
    assert (error["code"], error["reason"], error["field"]) == ("INVALID_ARGUMENT", "USAGE", "--timeout")


def test_key_is_not_sent_in_the_clear(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_API_KEY", "k-secret")
    output = run("complete", "hello", "--address", "router.example:50051")
    assert output.code == 2
    assert "SIGNALBOX_CA" in output.err
    assert "k-secret" not in output.err


def test_help_names_every_subcommand_and_each_explains_itself(run: Run) -> None:
    overview = run("--help")
    assert overview.code == 0
    for name in SUBCOMMANDS:
        assert f"\n  {name} " in overview.out
    for name in ("complete", "models", "providers", "route", "serve", "top", "up"):
        assert f"signalbox {name} [OPTIONS]" in run(name, "--help").out


def test_version_is_told(run: Run) -> None:
    output = run("--version")
    assert output.code == 0
    assert output.out.startswith("signalbox, version ")


def test_program_of_its_own_gets_all_arguments() -> None:
    finished = subprocess.run([*COMMAND, "prober", "--help"], capture_output=True, text=True, timeout=PATIENCE_S)
    assert finished.returncode == 0
    assert "--prober-address" in finished.stdout


def test_simulate_explains_itself_under_its_own_name(run: Run) -> None:
    output = run("simulate", "--help")
    assert output.code == 0
    assert "usage: signalbox simulate " in output.out
    assert "--config FILE" in output.out


SIMULATOR = """
simulator:
  seed: 7
  behaviours:
    alder: {output_tokens: 3}
"""


@pytest.mark.parametrize(
    ("arguments", "tokens"),
    [(["--config", "mine.yaml"], 3), ([], 5), (["--config", "mine.yaml", "--behaviour", "mine.json"], 4)],
    ids=["configuration", "signalbox.yaml", "behaviours"],
)
def test_simulate_plays_what_is_configured(tmp_path: Path, arguments: Sequence[str], tokens: int) -> None:
    (tmp_path / "mine.yaml").write_text(CONFIG + SIMULATOR)
    (tmp_path / "signalbox.yaml").write_text(CONFIG + SIMULATOR.replace("output_tokens: 3", "output_tokens: 5"))
    (tmp_path / "mine.json").write_text('{"alder": {"output_tokens": 4}}')
    with _simulating(tmp_path, *arguments) as address:
        body = b'{"model": "chat-small", "messages": [{"role": "user", "content": "hello"}]}'
        request = urllib.request.Request(f"http://{address}/alder/v1/chat/completions", data=body)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert json.load(answer)["usage"]["completion_tokens"] == tokens


def test_simulate_with_a_broken_configuration_names_the_mistake(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(f"{CONFIG}simulator: {{seed: -1}}\n")
    output = run("simulate", "--config", str(file))
    assert output.code == 2
    assert "simulator.seed" in output.err


def test_providers_as_json_have_the_documented_shape(run: Run, router: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(CONFIG)
    output = run("providers", "--json", "--config", str(file), "--prober-address", router)
    alder, birch = output.document()["items"]
    assert (output.code, output.err) == (0, "")
    assert alder == {
        "name": "alder",
        "dialect": "openai",
        "tier": "premium",
        "state": "ready",
        "key_env": [],
        "key_page": None,
        "models": ["chat-small", "chat-large"],
        "health": "healthy",
        "free_left": None,
        "last_probe": {"time": "2023-11-14T22:13:18Z", "ok": True, "total_ms": 6.0, "error": None},
    }
    assert (birch["state"], birch["key_env"], birch["health"]) == ("no_key", ["BIRCH_KEY"], "unknown")
    assert birch["last_probe"]["error"] == "SERVER_ERROR 503"


def test_providers_without_a_prober_say_that_health_is_unknown(run: Run) -> None:
    output = run("providers", "--address", NOBODY, "--prober-address", NOBODY)
    assert output.code == 0
    assert "signalbox: health is unknown: the prober at" in output.err
    assert [line.split()[0] for line in output.out.splitlines()] == ["provider", "alder", "birch", "cedar"]
    assert output.out.count("unknown") == 3


def test_broken_configuration_names_every_mistake(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("version: 2\nproviders: []\nnonsense: 1\n")
    output = run("providers", "--config", str(file))
    assert output.code == 2
    assert f"{file}:1: version" in output.err
    assert f"{file}:3: nonsense" in output.err
    error = run("providers", "--json", "--config", str(file)).document()["error"]
    assert error["reason"] == "INVALID_CONFIG"
    assert {violation["field"] for violation in error["violations"]} >= {"version", "nonsense"}


def test_top_once_shows_each_target(run: Run, router: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # whoever runs these tests side by side has it
    output = run("top", "--once", "--prober-address", router)
    heading, ill, well = output.out.splitlines()
    assert max(map(len, output.out.splitlines())) < 160, "a pipe is not filled with blanks"
    assert output.code == 0
    assert heading.split("  ")[0].strip() == "target"
    for word in (TARGET, "healthy", "100%", "99.5%", "120 ms", "480 ms", "40 ms", "6 ms, 2 s ago"):
        assert word in well
    for word in (
        "birch/chat-small",
        "unhealthy",
        "0%",
        "SERVER_ERROR 503",
        "failed, 1 s ago",
        "rate limited for 1.5 s",
    ):
        assert word in ill


def test_top_once_as_json_is_a_snapshot(run: Run, router: str) -> None:
    document = run("top", "--once", "--json", "--prober-address", router).document()
    assert (document["epoch"], document["targets"][0]["target"]) == ("7", TARGET)


def test_top_goes_on_after_the_feed_broke_until_it_is_interrupted(router: str) -> None:
    with started("top", "--json", "--prober-address", router) as process:
        assert process.stdout is not None
        sequences = [json.loads(process.stdout.readline())["sequence"] for _ in range(4)]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert process.stderr is not None
        said = process.stderr.read()
    assert sequences == ["1", "2", "1", "2"], "the playing prober ends each watch after two snapshots"
    assert "trying again" in said
    assert "Traceback" not in said


def test_top_on_a_terminal_is_a_table_that_changes(router: str) -> None:
    addresses = ["--prober-address", router, "--metrics-address", NOBODY]
    texts = [TARGET, "snapshot 2", "the prober is gone", f"no figures from {NOBODY}"]
    code, shown = _on_a_terminal(["top", *addresses], interrupt_at=texts)
    assert code == 130
    assert all(text in shown for text in texts)
    assert "\x1b[31m" in shown, "what is unhealthy is red"
    assert "Traceback" not in shown


def test_top_on_a_terminal_without_colours(router: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    code, shown = _on_a_terminal(["top", "--prober-address", router], interrupt_at=["snapshot 2"])
    assert code == 130
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_complete_on_a_terminal_streams_and_defuses_escapes(router: str) -> None:
    code, shown = _on_a_terminal(["complete", "escape", "--address", router])
    assert code == 0
    assert ESCAPES not in shown
    assert "�]0;mine�red\r\n" in shown


def test_complete_reads_its_prompt_from_standard_input(router: str) -> None:
    command = [*COMMAND, "complete", "-", "--address", router]
    finished = subprocess.run(command, input=b"hello", capture_output=True, timeout=PATIENCE_S)
    assert (finished.returncode, finished.stdout.decode()) == (0, f"{ANSWER}\n")
    broken = subprocess.run(command, input=b"\xff\xfe\xff", capture_output=True, timeout=PATIENCE_S)
    assert broken.returncode == 2
    assert b"not UTF-8" in broken.stderr


def test_interrupt_ends_a_completion_quietly(router: str) -> None:
    with started("complete", "hang-midway", "--stream", "--address", router) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(len("Trains")) == "Trains"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert process.stderr.read().strip() == ""


def test_reader_that_leaves_ends_a_command_quietly(router: str) -> None:
    with started("top", "--json", "--prober-address", router) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 130
        assert "Error" not in process.stderr.read()


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "0 USD"), (1, "0.000000001 USD"), (1_500_000_000, "1.5 USD"), (-20, "-0.00000002 USD"), (10**10, "10 USD")],
)
def test_money_is_shown_exactly(nanos: int, text: str) -> None:
    assert usd(nanos) == text


@pytest.mark.parametrize(
    ("value_s", "text"),
    [
        (0.0, "0 µs"),
        (0.00085, "850 µs"),
        (0.0123, "12.3 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1 s"),
        (4.561, "4.56 s"),
        (120.4, "120 s"),
    ],
)
def test_times_are_shown_in_a_fitting_unit(value_s: float, text: str) -> None:
    assert seconds(value_s) == text


def test_up_shows_a_demonstration_survives_a_death_and_stops_all(run: Run, tmp_path: Path) -> None:
    with _up(tmp_path) as up:
        assert set(up.ready) == {"pid", "router", "prober", "metrics", "simulator"}
        assert up.ready["pid"] == up.process.pid
        _wait_until(lambda: "Ctrl-C stops everything." in up.said())
        pids = {name: _part(tmp_path, name)["pid"] for name in ("simulator", "prober", "router")}
        os.kill(pids["router"], signal.SIGKILL)
        _wait_until(lambda: _is_restarted(tmp_path, pids["router"]))
        pids["router restarted"] = _part(tmp_path, "router")["pid"]
        output = run("complete", "hello", "--json", "--address", up.ready["router"])
        assert output.code == 0, output.out
        assert output.document()["model"] == "chat-small"
        reading = read(up.ready["metrics"], at_s=0.0)  # the router that was started again is there, too
        assert reading.requests["OK"] >= 1
        assert {target for target, _ in reading.attempts} == {output.document()["target"]}
        assert reading.durations[float("inf")] >= 1
        assert reading.cost_usd > 0
        known = ["--address", up.ready["router"], "--data-dir", str(tmp_path / "data")]
        rows = run("providers", "--json", *known)
        assert {item["health"] for item in rows.document()["items"]} <= {"healthy", "unknown"}
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(PATIENCE_S) == 130
    assert not [name for name, pid in pids.items() if _is_running(pid)]
    assert not list((tmp_path / "data").glob("up-*"))
    demonstration = r"completion  \w+/chat-small · .* · 1 attempt\n  stream      \w+/chat-small · .* · \d+ pieces\n"
    assert re.search(demonstration, up.said())
    assert "router ended (SIGKILL); it is started again" in up.said()
    assert "Traceback" not in up.said()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_up_starts_no_simulator_that_nobody_needs(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "real.yaml"
    file.write_text(CONFIG.replace("simulator:/alder/v1", f"http://{NOBODY}/v1"))
    with _up(tmp_path, "--no-demo", "--log-level", "info", "--config", str(file)) as up:
        assert set(up.ready) == {"pid", "router", "prober", "metrics"}
        assert run("complete", "hello", "--address", up.ready["router"]).code != 0
        _wait_until(lambda: "request finished" in up.said())
        assert "--log-level info" in up.said(), "it says how to see them"
        pids = [_part(tmp_path, name)["pid"] for name in ("prober", "router")]
        up.process.send_signal(number)
        assert up.process.wait(PATIENCE_S) == 0
    assert not [pid for pid in pids if _is_running(pid)]


def test_up_that_cannot_serve_ends_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        finished = subprocess.run(
            [*_up_command(tmp_path), "--router-address", address], capture_output=True, text=True, timeout=PATIENCE_S
        )
    assert finished.returncode == 2
    assert address in finished.stderr
    assert "signalbox: router ended before it served (exit code 2)" in finished.stderr
    said = " ".join(finished.stderr.split())
    assert f"another instance seems to run, since something serves at {address}; stop it, or give this one" in said
    assert not {"Traceback", "add_port.cc"} & set(re.split(r"[\s:]", finished.stderr)), "not in gRPC's own words"
    assert not list((tmp_path / "data").glob("up-*"))


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["up", "--data-dir", "/proc/nothing"], "/proc/nothing"),
        (["up", "--ready-file", "/proc/nothing/ready"], "/proc/nothing/ready"),
        (["serve", "--ready-file", "/proc/nothing/ready"], "/proc/nothing/ready"),
        (["simulate", "--ready-file", "/proc/nothing/ready"], "--ready-file: /proc/nothing/ready cannot be written"),
        (["simulate", "--ready-file", "{file}/ready"], "--ready-file: {file}/ready cannot be written: Not a directory"),
        (["up", "--data-dir", "{file}"], "{file}"),
        (["serve", "--ready-file", "{file}/ready"], "{file}/ready"),
    ],
    ids=" ".join,
)
def test_place_that_cannot_be_written_to_is_exit_2_and_named(
    run: Run, tmp_path: Path, arguments: Sequence[str], path: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    output = run(*(argument.format(file=file) for argument in arguments))
    assert (output.code, output.out) == (2, "")
    assert path.format(file=file) in output.err
    assert list(tmp_path.iterdir()) == [file], "nothing was started"


def test_up_on_a_full_disk_names_the_file_and_leaves_nothing_running(tmp_path: Path) -> None:
    # A limit of no bytes to a file stands for the disk: Python ignores the signal, and writing fails.
    line = f"ulimit -f 0; {shlex.join(_up_command(tmp_path))}"
    finished = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert finished.returncode == 2
    assert re.search(r"signalbox: .*/behaviours\.json cannot be written: File too large", finished.stderr)
    assert not list((tmp_path / "data").glob("up-*"))


@pytest.mark.parametrize(
    ("invoked", "path", "typed"),
    [
        ("bin/signalbox", "/usr/bin", "bin/signalbox"),
        ("{directory}/bin/signalbox", "/usr/bin", "{directory}/bin/signalbox"),
        ("bin/signalbox", "/usr/bin:{directory}/bin", "signalbox"),
        ("bin/signalbox", "{directory}/other", "bin/signalbox"),
        ("router_service/cli.py", "/usr/bin", "{directory}/bin/signalbox"),
    ],
)
def test_program_is_named_as_a_shell_finds_it(tmp_path: Path, invoked: str, path: str, typed: str) -> None:
    for place in (tmp_path / "bin", tmp_path / "other"):
        place.mkdir()
        (place / "signalbox").touch(mode=0o755)
    python = str(tmp_path / "bin" / "python")
    named = program(invoked.format(directory=tmp_path), python, path.format(directory=tmp_path))
    assert named == typed.format(directory=tmp_path)


def test_program_that_is_not_installed_is_named_as_a_module(tmp_path: Path) -> None:
    python = str(tmp_path / "my python")
    assert program("router_service/cli.py", python, "") == f"'{python}' -m router_service"


def test_up_that_is_killed_takes_its_parts_along(tmp_path: Path) -> None:
    with _up(tmp_path, "--no-demo") as up:
        addresses = [address for name, address in up.ready.items() if name != "pid"]
        assert len(addresses) == 4
        assert all(map(_is_served, addresses))
        up.process.kill()
        up.process.wait(PATIENCE_S)
        _wait_until(lambda: not any(map(_is_served, addresses)))
    assert "Traceback" not in up.said()


def test_up_that_is_told_twice_ends_at_once(tmp_path: Path) -> None:
    with _up(tmp_path, "--no-demo") as up:
        pids = {name: _part(tmp_path, name)["pid"] for name in ("simulator", "prober", "router")}
        os.kill(pids["prober"], signal.SIGSTOP)  # the router is stopped before it, and then it is waited for
        up.process.send_signal(signal.SIGINT)
        _wait_until(lambda: not _is_running(pids["router"]))
        told_at = time.monotonic()
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(PATIENCE_S) == 130
        assert time.monotonic() - told_at < SOON_S
    assert not [name for name, pid in pids.items() if _is_running(pid)]


PLAYED = """#!/bin/sh
trap 'sleep 0.2; echo stopped; exit 130' INT
echo started
while :; do sleep 0.02; done
"""


def test_make_run_ends_quietly_and_last_when_it_is_interrupted(tmp_path: Path) -> None:
    with _making(tmp_path, PLAYED) as make:
        assert make.stdout is not None
        assert make.stdout.readline() == "started\n"
        os.killpg(make.pid, signal.SIGINT)  # as a terminal does it: make, its shell and the command
        make.wait(PATIENCE_S)
        assert make.stdout.read() == "stopped\n"


def test_make_run_keeps_the_exit_code_of_what_went_wrong(tmp_path: Path) -> None:
    with _making(tmp_path, "#!/bin/sh\nexit 3\n") as make:
        assert make.wait(PATIENCE_S) != 0
        assert make.stdout is not None
        assert "Error 3" in make.stdout.read()


STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[sys.argv.index("--ready-file") + 1]).write_text('{"stubborn": "here:1"}')
time.sleep(60)
"""


def test_supervisor_kills_what_does_not_stop(tmp_path: Path) -> None:
    said: list[str] = []

    async def start_and_stop() -> str:
        supervisor = Supervisor(tmp_path, said.append)
        try:
            return await supervisor.start(_python_part("stubborn", STUBBORN))
        finally:
            await supervisor.stop()

    assert asyncio.run(start_and_stop()) == "here:1"
    assert said == ["stubborn did not stop within 0.2 s and is killed"]


def test_supervisor_tells_how_a_part_failed_to_start(tmp_path: Path) -> None:
    async def start() -> None:
        await Supervisor(tmp_path, print).start(_python_part("hasty", "raise SystemExit(7)"))

    with pytest.raises(PartFailed, match=r"hasty ended before it served \(exit code 7\)") as caught:
        asyncio.run(start())
    assert caught.value.exit_code == 7


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, gone at the end."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _making(directory: Path, program: str) -> Iterator[subprocess.Popen[str]]:
    """`make run` with `program` in the place of signalbox, and nothing to set up."""
    (directory / "signalbox").write_text(program)
    (directory / "signalbox").chmod(0o755)
    command = ["make", "--directory", str(ROOT), "--no-print-directory", "--old-file=setup", "run", f"BIN={directory}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _on_a_terminal(arguments: Sequence[str], *, interrupt_at: Sequence[str] = ()) -> tuple[int, str]:
    """Run a command on a pseudo-terminal to its end, or until it has shown these texts and is interrupted; its exit
    code and what it showed.
    """
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "160", "LINES": "40", "TERM": "xterm"}
    shown = b""
    with subprocess.Popen([*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        alarm = threading.Timer(PATIENCE_S, process.kill)
        alarm.start()
        try:
            while piece := _read_terminal(ours):
                shown += piece
                if interrupt_at and all(text.encode() in shown for text in interrupt_at):
                    process.send_signal(signal.SIGINT)
                    interrupt_at = ()
            code = process.wait(PATIENCE_S)
        finally:
            alarm.cancel()
            process.kill()
            os.close(ours)
    return code, shown.decode()


def _read_terminal(terminal: int) -> bytes:
    """What a terminal shows next; Linux says with an error that nobody holds its other side any more."""
    try:
        return os.read(terminal, 65536)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


def _up_command(directory: Path) -> list[str]:
    free = "127.0.0.1:0"
    flags = ["--prober-address", free, "--simulator-address", free, "--data-dir", str(directory / "data")]
    return [*COMMAND, "up", "--router-address", free, "--metrics-address", free, *flags]


@contextmanager
def _simulating(directory: Path, *arguments: str) -> Iterator[str]:
    """The address of a running `signalbox simulate`, which Ctrl-C ends with 130 and without a traceback."""
    ready_file = directory / "simulator.ready"
    command = [*COMMAND, "simulate", "--simulator-address", "127.0.0.1:0", "--ready-file", str(ready_file), *arguments]
    with subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_until(lambda: ready_file.exists() or process.poll() is not None)
            yield str(json.loads(ready_file.read_bytes())["simulator"])
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Up:
    """A running `signalbox up`: its process, its ready document and the file that takes what it says."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    log: Path

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def _up(directory: Path, *arguments: str) -> Iterator[Up]:
    """`signalbox up` on free ports, serving; ended by force where the test did not end it."""
    ready_file, log = directory / "ready.json", directory / "up.log"
    command = [*_up_command(directory), "--ready-file", str(ready_file), *arguments]
    with log.open("wb") as errors, subprocess.Popen(command, stderr=errors) as process:
        try:
            _wait_until(lambda: ready_file.exists() or process.poll() is not None)
            yield Up(process, json.loads(ready_file.read_bytes()), log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)


def _part(directory: Path, name: str) -> dict[str, Any]:
    [file] = (directory / "data").glob(f"up-*/{name}.json")
    document: dict[str, Any] = json.loads(file.read_bytes())
    return document


def _is_restarted(directory: Path, old_pid: int) -> bool:
    files = list((directory / "data").glob("up-*/router.json"))
    return bool(files) and json.loads(files[0].read_bytes())["pid"] != old_pid


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is_served(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return False
    return True


def _wait_until(has_come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not has_come():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def _python_part(name: str, program: str) -> Part:
    command = (sys.executable, "-c", program)
    return Part(name=name, command=command, address_flag="--address", address="here:0", stop_s=0.2)

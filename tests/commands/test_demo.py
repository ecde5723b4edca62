"""`signalbox demo`: its checks and reports, a scenario over real processes, and that it leaves nothing running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from router_service import config
from router_service.commands.demo import playing, stage, traffic
from router_service.commands.demo.checks import Check, at_least, at_most, near, none_of, same
from router_service.commands.demo.failing import back_after_s, share_of
from router_service.commands.demo.report import document, show, verdict
from router_service.commands.demo.scenario import Result, Scenario
from router_service.commands.demo.scenarios import SCENARIOS
from router_service.commands.demo.simulator import Row
from router_service.commands.tables import console
from tests.commands.conftest import Run
from tests.harness.processes import wait_until

COMMAND = [sys.executable, "-P", "-m", "router_service", "demo"]
PATIENCE_S = 60.0
HERE = Path(playing.__file__).parent
HELD = Check(what="answers", expected="2", seen="2", ok=True)
FAILED = Check(what="answers", expected="2", seen="1", ok=False)


@pytest.mark.parametrize(
    ("check", "ok", "expected", "seen"),
    [
        (same("w", {"groq": 20}, {"groq": 20}), True, "groq 20", "groq 20"),
        (same("w", {"groq": 20}, {"groq": 19, "local": 1}), False, "groq 20", "groq 19, local 1"),
        (same("w", ["a", "b"], ["b", "a"]), False, "a, b", "b, a"),
        (same("w", 0.0, 0.0), True, "0", "0"),
        (same("w", {"groq": 1}, {}), False, "groq 1", "none"),
        (at_most("w", 0.5, 0.5, "s"), True, "at most 0.5 s", "0.5 s"),
        (at_most("w", 30, float("inf"), "s"), False, "at most 30 s", "inf s"),
        (at_least("w", 1, 0.99, "s"), False, "at least 1 s", "0.99 s"),
        (near("w", 0.5, 0.549, tolerance=0.1, unit="s"), True, "0.5 s ± 10%", "0.549 s"),
        (near("w", 0.5, 0.44, tolerance=0.1, unit="s"), False, "0.5 s ± 10%", "0.44 s"),
        (none_of("w", []), True, "none", "none"),
        (none_of("w", ["a", "b", "c", "d"]), False, "none", "4: a, b, c"),
    ],
)
def test_check(check: Check, ok: bool, expected: str, seen: str) -> None:
    assert (check.ok, check.expected, check.seen) == (ok, expected, seen)


def test_document_has_the_documented_shape() -> None:
    results = [_result("normal", HELD), _result("speed", HELD, FAILED), _result("empty")]
    assert document(results, 7) == {
        "ok": False,
        "seed": 7,
        "scenarios": [
            {"name": "normal", "ok": True, "seconds": 1.25, "checks": [_shown(HELD)]},
            {"name": "speed", "ok": False, "seconds": 1.25, "checks": [_shown(HELD), _shown(FAILED)]},
            {"name": "empty", "ok": False, "seconds": 1.25, "checks": []},
        ],
    }
    assert verdict(results) == "1 of 3 scenarios hold"


def test_report_names_what_was_expected_where_it_was_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    show(_result("speed", HELD, FAILED), console())
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "speed  FAILED  1.2 s"
    assert "  ok      answers  2" in lines
    assert "  FAILED  answers  1 (expected 2)" in lines


def test_there_are_nine_scenarios_and_each_configuration_is_good() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == 9
    for name in {scenario.configuration for scenario in SCENARIOS}:
        checked = config.check(HERE / name, environ={}, today=date(2026, 11, 21))
        assert (checked.errors, checked.warnings) == ((), ()), name


def test_free_scenarios_have_one_rule_and_the_windows_of_a_day_differ_in_bounds_alone() -> None:
    tiers, days = (
        config.load(HERE / name, environ={}, today=date(2026, 11, 21))
        for name in ("free_tiers.yaml", "day_windows.yaml")
    )
    assert [rule.name for rule in tiers.policy.rules] == ["development stays local"]
    assert tiers.policy == days.policy
    assert [t.model for t in tiers.catalog.targets] == [t.model for t in days.catalog.targets]
    for ours, theirs in zip(tiers.catalog.providers, days.catalog.providers, strict=True):
        assert replace(ours, limits=(), max_concurrency=50) == theirs


def test_prompt_has_the_size_that_the_simulator_counts() -> None:
    assert len(traffic.prompt(500)) == 500 * traffic.CHARACTERS_PER_TOKEN


def test_share_of_the_first_choice_and_when_it_is_back() -> None:
    """Away from 10 s to 25 s after the start, all of it back from then on."""
    rows = [_row(n / 2, "cloudflare" if 20 <= n < 50 else "groq") for n in range(120)]
    assert share_of(rows, 0, 10) == 1
    assert share_of(rows, 10, 25) == 0
    assert back_after_s(rows, recovered_s=20, wanted=0.9) == pytest.approx(5, abs=0.5)
    assert back_after_s([_row(n, "cloudflare") for n in range(60)], recovered_s=20, wanted=0.9) == float("inf")


def test_name_that_is_none_is_exit_2(run: Run) -> None:
    output = run("demo", "nonsense")
    assert (output.code, output.out) == (2, "")
    assert run("demo", "--seed", "-1").code == 2


def test_scenario_that_cannot_be_played_says_why() -> None:
    async def play(_stage: object, _rng: object) -> list[Check]:
        raise AssertionError("nothing was staged")

    broken = Scenario(name="broken", about="has no configuration", configuration="nowhere.yaml", play=play)
    result = asyncio.run(playing.play(broken, 1))
    assert not result.ok
    [check] = result.checks
    assert "simulator ended before it served (exit code 2)" in check.seen
    assert "nowhere.yaml" in check.seen


@pytest.mark.slow
def test_compliance_holds_over_real_processes(run: Run) -> None:
    output = run("demo", "compliance", "--json", "--seed", "3")
    document = output.document()
    assert (output.code, document["ok"], document["seed"]) == (0, True, 3), output.out
    [scenario] = document["scenarios"]
    assert scenario["name"] == "compliance"
    assert all(check["ok"] for check in scenario["checks"])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_end_leaves_a_process(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Neither does a long path of the directory for temporary files, in which no Unix socket has room."""
    temporary = tmp_path / ("long" * 25)
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [*COMMAND, "outage"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as demo:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while len(children := _children(demo.pid)) < 3:
                assert demo.poll() is None, demo.stderr and demo.stderr.read()
                assert time.monotonic() < deadline, "three processes"
                time.sleep(0.05)
            demo.send_signal(number)
            assert demo.wait(PATIENCE_S) == code
            assert demo.stderr is not None
            assert "Traceback" not in demo.stderr.read()
        finally:
            demo.kill()
    within_s = 0.0 if code == 130 else PATIENCE_S  # whoever was killed could not wait for them
    wait_until(lambda: not any(map(_runs, children)), within_s=within_s, what="the processes are gone")


def test_too_long_a_path_for_sockets_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    temporary = tmp_path / ("long" * 25)
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(stage, "SHORT_TEMPORARY", tmp_path / "missing")
    result = asyncio.run(playing.play(SCENARIOS[0], 1))
    [check] = result.checks
    assert "set TMPDIR to a directory with a shorter path" in check.seen
    assert str(temporary) in check.seen


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie, which only waits for somebody to take notice of its end."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _result(name: str, *checks: Check) -> Result:
    return Result(name=name, about="something", seconds=1.25, checks=checks)


def _shown(check: Check) -> dict[str, object]:
    return {"what": check.what, "expected": check.expected, "seen": check.seen, "ok": check.ok}


def _row(started_s: float, provider: str) -> Row:
    return Row(
        request_id="r",
        attempt=1,
        provider=provider,
        status=200,
        input_tokens=1,
        output_tokens=1,
        started_s=started_s,
        ended_s=started_s,
    )


def _children(parent: int) -> list[int]:
    """The processes that were started by `parent` and still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found

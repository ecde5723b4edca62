"""Strategies of other distributions, installed beside a real router: named in requests, configuration and votes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from signalbox.v1 import router_pb2, router_pb2_grpc

from router_service.registry import GROUP
from tests.harness import processes, settings, strategies
from tests.harness.processes import SIGNALBOX, Process
from tests.harness.stack import asking, refused

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
ALDER, BIRCH, CEDAR = "alder/chat-small", "birch/chat-small", "cedar/chat-small"
GOOD = """
from router_service.core.decision.strategies import Option, Setting, Strategy

def last_name(option: Option, setting: Setting) -> float:
    return float(ord(option.offer.target.provider.name[0]))

def failing(option: Option, setting: Setting) -> float:
    raise RuntimeError("told to nobody")

def lacking(policy):
    return "" if policy.shares else "routing.shares"

reverse = Strategy(name="reverse", describes="the end of the alphabet", scorers=((last_name, 1.0),))
failing = Strategy(name="failing", describes="nothing", scorers=((failing, 1.0),))
needy = Strategy(name="needy", describes="shares", scorers=((last_name, 1.0),), needs=lacking)
nameless = Strategy(name="another", describes="nothing", scorers=())
nothing = "reverse"
"""
ENTRIES = {name: f"acme:{name}" for name in ("reverse", "failing", "needy")}
ENSEMBLE = {"strategy": "ensemble", "votes": {"reverse": 3, "cost_optimized": 1}}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ours, in a directory of its own, and many that cannot be taken."""
    directory = tmp_path_factory.mktemp("plugins")
    strategies.installed(
        directory,
        "acme-strategies",
        ENTRIES,
        acme=GOOD,
        broken="import nowhere_at_all",
        quits="import sys; sys.exit(3)",
    )
    broken = {
        "points": "acme:reverse",
        "Bad Name": "acme:reverse",
        "absent": "broken:strategy",
        "quitting": "quits:strategy",
        "missing": "acme:missing",
        "nothing": "acme:nothing",
        "nameless": "acme:nameless",
        "reverse": "acme:reverse",
    }
    strategies.installed(directory, "zeta-strategies", broken)
    return directory


@contextmanager
def serving(plugins: Path, **routing: object) -> Iterator[tuple[router_pb2_grpc.RouterStub, Process]]:
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            config = _written(directory, simulator.ready["simulator"], routing)
            router = processes.router(directory, config, environment={"PYTHONPATH": str(plugins)})
            with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
                yield router_pb2_grpc.RouterStub(channel), router


def _written(directory: Path, simulator: str, routing: Mapping[str, object]) -> Path:
    return settings.write(directory, settings.simulated(simulator), routing=routing)


def _planned(stub: router_pb2_grpc.RouterStub, strategy: str = "") -> router_pb2.Plan:
    request = router_pb2.RouteRequest(routing=router_pb2.Routing(strategy=strategy), estimated_input_tokens=1000)
    return stub.Route(request, timeout=10).plan


def _completed(stub: router_pb2_grpc.RouterStub, strategy: str = "") -> str:
    request = asking()
    request.routing.strategy = strategy
    return stub.Complete(request, timeout=10).target


@pytest.fixture(scope="module")
def served(plugins: Path) -> Iterator[tuple[router_pb2_grpc.RouterStub, Process]]:
    with serving(plugins, **ENSEMBLE) as pair:
        yield pair


def test_a_request_names_a_registered_strategy(served: tuple[router_pb2_grpc.RouterStub, Process]) -> None:
    plan = _planned(served[0], "reverse")
    assert [plan.target, *plan.fallbacks] == [CEDAR, BIRCH, ALDER]
    assert plan.strategy == "reverse"
    assert plan.reason.startswith(f"{CEDAR} is the first by the end of the alphabet")
    assert _completed(served[0], "reverse") == CEDAR


def test_a_registered_strategy_votes(served: tuple[router_pb2_grpc.RouterStub, Process]) -> None:
    plan = _planned(served[0])
    assert (plan.strategy, plan.target) == ("ensemble", CEDAR)
    assert _completed(served[0]) == CEDAR


def test_a_failing_strategy_leaves_it_to_points_and_is_logged_once(
    served: tuple[router_pb2_grpc.RouterStub, Process],
) -> None:
    stub, router = served
    for _ in range(3):
        plan = _planned(stub, "failing")
        assert [plan.target, *plan.fallbacks] == [ALDER, BIRCH, CEDAR]
        assert plan.strategy == "points"
        assert "points decided, since the strategy 'failing' raised RuntimeError;" in plan.reason
        assert _completed(stub, "failing") == ALDER
    _wait_for(router, "the strategy 'failing' raised RuntimeError at acme.py:8; points decide in its place")
    assert router.stderr().count("raised RuntimeError") == 1
    assert "told to nobody" not in router.stderr()


def test_an_unknown_one_is_refused_with_all_that_there_are(
    served: tuple[router_pb2_grpc.RouterStub, Process],
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        _planned(served[0], "nameless")
    assert "reverse, round_robin" in refused(error.value).fields["routing.strategy"]
    with pytest.raises(grpc.RpcError) as error:
        _planned(served[0], "needy")
    assert "lacks routing.shares" in refused(error.value).fields["routing.strategy"]


def test_what_cannot_be_taken_is_said_at_the_start_and_stops_nobody(
    served: tuple[router_pb2_grpc.RouterStub, Process],
) -> None:
    lines = [line for line in served[1].stderr().splitlines() if "is left out" in line]
    assert sorted(lines) == sorted(
        [
            "the strategy 'points' of zeta-strategies is left out: it has the name of a built-in one; "
            "register it by another name",
            "the strategy 'Bad Name' of zeta-strategies is left out: that is no name; in entry_points.txt, "
            "NAME = MODULE:VALUE with small letters, digits, - and _",
            "the strategy 'absent' of zeta-strategies is left out: 'broken:strategy' cannot be loaded, "
            "ModuleNotFoundError; see what `python -c 'import broken'` says where the router is installed",
            "the strategy 'quitting' of zeta-strategies is left out: 'quits:strategy' cannot be loaded, "
            "SystemExit; see what `python -c 'import quits'` says where the router is installed",
            "the strategy 'missing' of zeta-strategies is left out: 'acme:missing' cannot be loaded, "
            "AttributeError; see what `python -c 'import acme'` says where the router is installed",
            "the strategy 'nothing' of zeta-strategies is left out: it is no Strategy but a str; "
            "let it name a value of router_service.core.decision.strategies.Strategy",
            "the strategy 'nameless' of zeta-strategies is left out: the value has another name; give both the same",
            "the strategy 'reverse' of zeta-strategies is left out: acme-strategies has registered one of that name; "
            "uninstall one of the two",
        ]
    )


def test_the_documented_example_works(tmp_path: Path) -> None:
    blocks = re.findall(
        r"```(toml|python)\n(.*?)```", PAGE.read_text().partition("## Strategies of your own")[2], re.DOTALL
    )
    (_, entries), (_, source) = blocks
    group = tomllib.loads(entries)["project"]["entry-points"][GROUP]
    plugins = strategies.installed(tmp_path, "acme", group, acme_strategies=source)
    with serving(plugins, strategy="calm_and_cheap") as (stub, _):
        plan = _planned(stub)
        assert (plan.strategy, plan.target) == ("calm_and_cheap", ALDER)


def test_a_reload_takes_a_registered_name(plugins: Path) -> None:
    with serving(plugins) as (stub, router):
        assert _planned(stub).strategy == "points"
        config = router.directory / "signalbox.yaml"
        config.write_text(config.read_text().replace("routing:\n", "routing:\n  strategy: reverse\n"))
        router.signal(signal.SIGHUP)
        processes.wait_until(lambda: _planned(stub).strategy == "reverse", within_s=10, what="the new strategy")
        assert router.stderr().count("is left out") == 8, "nothing is loaded or told again"


def _wait_for(router: Process, text: str) -> None:
    processes.wait_until(lambda: text in router.stderr(), within_s=5, what=text)


def _check(config: Path, plugins: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SIGNALBOX, *(command or ("config", "check", "--json")), "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(plugins)},
    )


def test_a_check_plans_by_a_registered_strategy_and_tells_what_is_wrong_with_it(plugins: Path, tmp_path: Path) -> None:
    config = _written(tmp_path, "127.0.0.1:1", {"strategy": "failing"})
    told = json.loads(_check(config, plugins).stdout)
    assert told["ok"]
    assert "the strategy 'failing' raised RuntimeError at acme.py:8; points decide in its place" in told["warnings"]
    assert sum("is left out" in warning for warning in told["warnings"]) == 8


@pytest.mark.parametrize(
    ("routing", "path", "hint"),
    [
        ({"strategy": "revers"}, "routing.strategy", "did you mean reverse?"),
        ({"strategy": "absent"}, "routing.strategy", "allowed: "),
        ({"strategy": "needy"}, "routing.strategy", "it needs routing.shares"),
        ({"votes": {"revers": 1}}, "routing.votes.revers", "did you mean reverse?"),
    ],
)
def test_a_check_tells_mistakes(
    plugins: Path, tmp_path: Path, routing: Mapping[str, object], path: str, hint: str
) -> None:
    (error,) = json.loads(_check(_written(tmp_path, "127.0.0.1:1", routing), plugins).stdout)["errors"]
    assert error["path"] == path
    assert hint in error["hint"]


def test_who_does_not_decide_takes_the_name_and_runs_no_code(tmp_path: Path) -> None:
    plugins = strategies.installed(tmp_path / "plugins", "acme", {"noisy": "noisy:own"}, noisy="print('RUN')")
    config = _written(tmp_path, "127.0.0.1:1", {"strategy": "noisy", "votes": {"noisy": 1}})
    shown = _check(config, plugins, "config", "show")
    assert shown.returncode == 0, shown.stderr
    assert "strategy: noisy" in shown.stdout
    assert "RUN" not in shown.stdout
    prober = processes.prober(tmp_path, config)
    prober.environment = {"PYTHONPATH": str(plugins)}
    with processes.running(prober):
        assert "RUN" not in prober.stderr()

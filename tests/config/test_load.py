"""Good files: which one is taken, and the settings that it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.config import find, load, simulated
from router_service.core.catalog import Prices, Timeouts
from router_service.core.settings import (
    DeepSettings,
    HealthRules,
    ProberSettings,
    RoutingSettings,
    ServerSettings,
    TelemetrySettings,
)
from router_service.core.simulation import Behaviour

from .files import SMALL, TODAY, load_text

EVERYTHING_BUILT = """\
version: 1
server: {address: "unix:/run/signalbox/router.sock", drain_s: 1, lame_duck_s: 0, max_message_mib: 16, max_prompt_mib: 4,
         max_in_flight: 7, default_deadline_s: 10, max_deadline_s: 20, slow_reader_s: 5, reflection: false,
         tls: {cert: , key: }}
tenants: []
prober: {address: "[::1]:1", interval_s: 1, confirm_s: 0.1, timeout_s: 2, stale_s: 3, ignore_s: 4, report_s: 0.5,
         deep: {enabled: true, max_usd_per_day: 0.1, interval_s: 60}}
health: {down_after: 4, recovery_shares: [0.5, 1], cooldown_s: 1, slow_factor: 3}
providers:
  - {name: groq-eu, dialect: openai, base_url: https://api.example.com/v1/, key_env: [FIRST_KEY, SECOND_KEY],
     tier: fast_cloud, timeouts_s: {connect: 1, first_byte: 2, gap: 3, answer: 4},
     models: [{id: openai/gpt-oss-120b, alias: [fast, default], prices: {input: 0.15, output: 0.6, cached_input: 0}}]}
routing: {max_attempts: 2, max_output_mib: 1, rules: []}
budgets: {}
telemetry: {otlp_endpoint: "http://127.0.0.1:4317", sample_ratio: 1, content: true, metrics_address: "",
            prober_metrics_address: "0.0.0.0:9", allow_remote: true}
simulator: {seed: 5, log_path: sim.log, behaviours: {alder: {latency_s: 0.5, models: [a, b]}}}
"""


def test_the_flag_comes_before_the_variable_and_that_before_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"SIGNALBOX_CONFIG": "variable.yaml"}
    assert find(None, {}) is None
    (tmp_path / "signalbox.yaml").write_text(SMALL)
    assert find(None, {}) == Path("signalbox.yaml")
    assert find(None, {"SIGNALBOX_CONFIG": ""}) == Path("signalbox.yaml")
    assert find(None, environ) == Path("variable.yaml")
    assert find("flag.yaml", environ) == Path("flag.yaml")


def test_a_dangling_link_is_not_taken_for_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signalbox.yaml").symlink_to(tmp_path / "gone.yaml")
    assert find(None, {}) == Path("signalbox.yaml")


def test_the_simulated_file_stands_for_three_simulated_providers() -> None:
    settings = load(simulated(), environ={}, today=TODAY, simulator_address="127.0.0.1:4711")
    assert [target.id for target in settings.catalog.targets] == [
        f"{n}/chat-small" for n in ("alder", "birch", "cedar")
    ]
    assert [target.model.prices for target in settings.catalog.named("small")] == [
        Prices(input=0.10, output=0.40),
        Prices(input=0.15, output=0.60),
        Prices(input=0.50, output=1.50),
    ]
    alder = settings.catalog.providers[0]
    assert (alder.base_url, alder.tier) == ("http://127.0.0.1:4711/alder/v1", "fast_cloud")
    assert alder.timeouts == Timeouts(connect_s=2.0, first_byte_s=5.0, answer_s=30.0)
    assert all(provider.is_usable for provider in settings.catalog.providers)
    assert settings.simulator.address == "127.0.0.1:4711"
    assert settings.warnings == ()


def test_what_a_file_leaves_out_has_the_defaults_of_core(tmp_path: Path) -> None:
    settings = load_text(tmp_path, SMALL)
    assert settings.server == ServerSettings()
    assert settings.prober == ProberSettings()
    assert settings.routing == RoutingSettings()
    assert settings.telemetry == TelemetrySettings()
    assert settings.simulator.behaviours == {"*": Behaviour()}
    assert settings.catalog.providers[0].timeouts == Timeouts()
    assert settings.catalog.targets[0].model.prices == Prices()


def test_every_key_that_is_built_reaches_the_settings(tmp_path: Path) -> None:
    settings = load_text(tmp_path, EVERYTHING_BUILT, {"SECOND_KEY": "k"})
    assert settings.warnings == ()
    assert settings.server == ServerSettings(
        address="unix:/run/signalbox/router.sock",
        drain_s=1.0,
        lame_duck_s=0.0,
        max_message_mib=16,
        max_prompt_mib=4,
        max_in_flight=7,
        default_deadline_s=10.0,
        max_deadline_s=20.0,
        slow_reader_s=5.0,
        reflection=False,
    )
    assert settings.prober == ProberSettings(
        address="[::1]:1",
        interval_s=1.0,
        confirm_s=0.1,
        timeout_s=2.0,
        stale_s=3.0,
        ignore_s=4.0,
        report_s=0.5,
        deep=DeepSettings(is_enabled=True, max_usd_nanos_per_day=100_000_000, interval_s=60.0),
        rules=HealthRules(down_after=4, recovery_shares=(0.5, 1.0), cooldown_s=1.0, slow_factor=3.0),
    )
    (target,) = settings.catalog.targets
    assert target.provider.base_url == "https://api.example.com/v1"
    assert target.provider.timeouts == Timeouts(connect_s=1.0, first_byte_s=2.0, gap_s=3.0, answer_s=4.0)
    assert target.model.aliases == ("fast", "default")
    assert target.model.prices == Prices(input=0.15, output=0.6, cached_input=0.0)
    assert settings.routing == RoutingSettings(max_attempts=2, max_output_mib=1)
    assert settings.telemetry == TelemetrySettings(
        otlp_endpoint="http://127.0.0.1:4317",
        sample_ratio=1.0,
        content=True,
        metrics_address="",
        prober_metrics_address="0.0.0.0:9",
        allow_remote=True,
    )
    assert settings.simulator.seed == 5
    assert settings.simulator.log_path == tmp_path / "sim.log"
    assert settings.simulator.behaviours["alder"] == Behaviour(latency_s=0.5, models=("a", "b"))


def test_the_version_tells_contents_apart_and_nothing_else(tmp_path: Path) -> None:
    version = load_text(tmp_path, SMALL).catalog.version
    assert len(version) == 12
    assert set(version) <= set("0123456789abcdef")
    same = "# A comment.\n" + SMALL.replace("    models: [{id: chat-small}]", "    models:\n      - id: chat-small")
    assert load_text(tmp_path, same).catalog.version == version
    assert load_text(tmp_path, SMALL + "server: {drain_s: 25}\n").catalog.version == version
    assert load_text(tmp_path, SMALL + "server: {drain_s: 26}\n").catalog.version != version


def test_the_version_does_not_depend_on_keys(tmp_path: Path) -> None:
    text = SMALL + "    key_env: ALDER_KEY\n"
    without = load_text(tmp_path, text).catalog.version
    assert load_text(tmp_path, text, {"ALDER_KEY": "k"}).catalog.version == without

"""Mistakes in values: each is found, named with its line and path, and comes with a hint; all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.config import ConfigError

from .files import SMALL, load_text, mistakes_in, the_mistake_in

SEVEN = """\
version: 1
server:
  adress: 127.0.0.1:50051
  drain_s: "25"
providers:
  - name: alder
    dialect: openia
    base_url: ftp://api.example.com/v1
    models:
      - id: chat-small
        prices: {input: -1}
  - name: alder
    base_url: https://api.example.com/v1
    models: []
"""


def test_seven_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    error = mistakes_in(tmp_path, SEVEN)
    assert [(problem.line, problem.path) for problem in error.problems] == [
        (3, "server.adress"),
        (4, "server.drain_s"),
        (7, "providers[0].dialect"),
        (8, "providers[0].base_url"),
        (11, "providers[0].models[0].prices.input"),
        (12, "providers[1].name"),
        (14, "providers[1].models"),
    ]
    assert all(problem.hint for problem in error.problems)


def test_an_error_reads_as_one_line_for_each_mistake(tmp_path: Path) -> None:
    lines = str(mistakes_in(tmp_path, SEVEN)).splitlines()
    file = tmp_path / "signalbox.yaml"
    assert lines[0] == f"{file}:3: server.adress: is not a known key (did you mean address?)"
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("addition", "path", "hint"),
    [
        ("server: {drain: 3}", "server.drain", "did you mean drain_s?"),
        ("zebra: 3", "zebra", "known here: version, extends, server"),
        ("server: {max_in_flight: 0}", "server.max_in_flight", "at least 1"),
        ("server: {max_in_flight: 1.5}", "server.max_in_flight", "for example max_in_flight: 10000"),
        ("server: {drain_s: .inf}", "server.drain_s", "for example drain_s: 25"),
        ("server: {drain_s: true}", "server.drain_s", "for example drain_s: 25"),
        ("server: {reflection: 'yes'}", "server.reflection", "true or false"),
        ("server: {address: localhost}", "server.address", "HOST:PORT"),
        ("server: [1]", "server", ""),
        ("telemetry: {sample_ratio: 2}", "telemetry.sample_ratio", "at most 1"),
        ("telemetry: {otlp_endpoint: 'http://a:b@c'}", "telemetry.otlp_endpoint", "key_env"),
        ("prober: {interval_s: 0}", "prober.interval_s", "at least 0.01"),
        ("health: {recovery_shares: [0.5, 0.2, 1]}", "health.recovery_shares", "[0.05, 0.25, 1]"),
        ("health: {recovery_shares: []}", "health.recovery_shares", "[0.05, 0.25, 1]"),
        ("routing: {strategy: point}", "routing.strategy", "did you mean points?"),
        ("routing: {weights: {costs: 2}}", "routing.weights.costs", "did you mean cost?"),
        ("routing: {weights: {cost: 11}}", "routing.weights.cost", "at most 10"),
        ("routing: {votes: {ensemble: 1}}", "routing.votes.ensemble", "any other strategy"),
        ("routing: {votes: {balance: 1}}", "routing.votes.balance", "did you mean balanced?"),
        ("routing: {votes: {points: 0}}", "routing.votes", "above 0"),
        ("routing: {balance: {cost: 0, latency: 0, quality: 0}}", "routing.balance", "above 0"),
        ("routing: {strategy: weighted}", "routing.strategy", "shares:"),
        ("routing: {strategy: priority}", "routing.strategy", "priorities:"),
        ("routing: {max_attempts: .inf, chain_length: 6}", "routing.max_attempts", "for example max_attempts: 4"),
        ("routing: {chain_length: 5}", "routing.chain_length", "at least 6"),
        ("routing: {max_attempts: 7, chain_length: 8}", "routing.chain_length", "at least 9"),
        (
            "routing: {environment_points: {production: {local: 21}}}",
            "routing.environment_points.production.local",
            "20",
        ),
        ("routing: {budget_tier: cheap}", "routing.budget_tier", "allowed: free"),
        ("routing: {rules: [{name: a}, {name: a}]}", "routing.rules[1].name", "line 6"),
        ("routing: {rules: [{when: {task: ragg}}]}", "routing.rules[0].when.task[0]", "did you mean rag?"),
        ("routing: {rules: [{when: {task: [rag, 3]}}]}", "routing.rules[0].when.task[1]", "allowed: chat"),
        ("routing: {rules: [{when: {complexity: hard}}]}", "routing.rules[0].when.complexity[0]", "unknown"),
        (
            "routing: {rules: [{when: {input_tokens_over: 9, input_tokens_max: 9}}]}",
            "routing.rules[0].when.input_tokens_max",
            "at least 10",
        ),
        ("routing: {rules: [{onyl: [a]}]}", "routing.rules[0].onyl", "did you mean only?"),
        ("routing: {rules: [{only: ['a b']}]}", "routing.rules[0].only[0]", "tier:local"),
        ("budgets: {zone: Berlin}", "budgets.zone", "Europe/Berlin"),
        ("budgets: {zone: ../passwd}", "budgets.zone", "Europe/Berlin"),
        ("budgets: {daily_usd: -1}", "budgets.daily_usd", "at least 0"),
        ("budgets: {providers: {adler: {daily_usd: 1}}}", "budgets.providers.adler", "did you mean alder?"),
        ("simulator: {behaviours: {Alder: {}}}", "simulator.behaviours.Alder", "a simulated provider's name"),
        ("<<: {}", "<<", "an alias can stand for a whole value"),
    ],
)
def test_a_mistake_comes_with_a_hint(tmp_path: Path, addition: str, path: str, hint: str) -> None:
    line, where, _, told = the_mistake_in(tmp_path, f"{SMALL}{addition}\n")
    assert (line, where) == (6, path)
    assert hint in told


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("{base_url: https://a.example, models: [{id: m}]}", "name"),
        ("{name: b, models: [{id: m}]}", "base_url"),
        ("{name: b, base_url: https://a.example}", "models"),
        ("{name: B/c, base_url: https://a.example, models: [{id: m}]}", "name"),
        ("{name: no, base_url: https://a.example, models: [{id: m}]}", "name"),
        ("{name: b, base_url: https://a.example, models: [{id: a b}]}", "models[0].id"),
        ("{name: b, base_url: https://a.example, models: [{id: m, alias: auto}]}", "models[0].alias[0]"),
        ("{name: b, base_url: https://a.example, models: [{id: m}, {id: m}]}", "models[1].id"),
        ("{name: b, base_url: https://a.example, models: [{id: m}], tier: fast-cloud}", "tier"),
        ("{name: b, base_url: https://a.example, models: [{id: m}], key_env: 3}", "key_env"),
        ("{name: b, base_url: http://a.example, models: [{id: m}], key_env: K}", "base_url"),
        ("{name: b, base_url: http://a.example, models: [{id: m}], key_file: k}", "base_url"),
        ("{name: b, base_url: https://a.example, models: [{id: m, replacement: n}]}", "models[0].replacement"),
        ("{name: b, base_url: https://a.example, models: [{id: m, replacement: m}]}", "models[0].replacement"),
        ("{name: b, base_url: https://a.example, models: [{id: m, retires: soon}]}", "models[0].retires"),
        ("{name: b, base_url: https://a.example, models: [{id: m, retires: 2027-02-30}]}", "models[0].retires"),
        ("{name: b, base_url: https://a.example, models: [{id: m, quality: {all: 1}}]}", "models[0].quality.all"),
        ("{name: b, base_url: https://a.example, models: [{id: m, quality: {chat: 8}}]}", "models[0].quality.chat"),
        ("{name: b, base_url: https://a.example, models: [{id: m, kind: text}]}", "models[0].kind"),
        (
            "{name: b, base_url: http://b, models: [{id: m, speed: {first_token_s: 2, first_token_p90_s: 1}}]}",
            "models[0].speed.first_token_p90_s",
        ),
        (
            "{name: b, base_url: https://a.example, models: [{id: m, prices: {long_context: {input: 2}}}]}",
            "models[0].prices.long_context.from_input_tokens",
        ),
        ("{name: b, base_url: https://a.example, models: [{id: m}], sla: 101}", "sla"),
        ("{name: b, base_url: https://a.example, models: [{id: m}], dialect: grpc}", "dialect"),
        ("{name: b, base_url: https://a.example, models: [{id: m}], overflow: pay}", "overflow"),
        ("{name: b, base_url: https://a.example, models: [{id: m}], key_page: keys}", "key_page"),
        (
            "{name: b, base_url: https://a.example, models: [{id: m}], limits: [{unit: words, per: day, max: 1}]}",
            "limits[0].unit",
        ),
        (
            "{name: b, base_url: https://a.example, models: [{id: m}], limits: [{unit: tokens, per: day, max: 1.5}]}",
            "limits[0]",
        ),
        (
            "{name: b, base_url: https://a.example, models: [{id: m}], limits: [{unit: usd, per: day, max: 2000000}]}",
            "limits[0]",
        ),
        (
            "{name: b, base_url: http://b, models: [{id: m}], free: {unit: tokens, per: day, max: 1, models: [n]}}",
            "free.models[0]",
        ),
    ],
)
def test_a_provider_with_a_mistake_is_named(tmp_path: Path, provider: str, path: str) -> None:
    text = SMALL + f"  - {provider}\n"
    line, where, message, hint = the_mistake_in(tmp_path, text)
    assert (line, where) == (6, f"providers[1].{path}")
    assert message
    assert hint


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("server: {default_deadline_s: 4000}", "server.default_deadline_s"),
        ("server: {max_deadline_s: 10}", "server.max_deadline_s"),
        ("server: {max_prompt_mib: 64}", "server.max_prompt_mib"),
        ("prober: {interval_s: 20}", "prober.interval_s"),
        ("prober: {stale_s: 20, ignore_s: 10}", "prober.stale_s"),
        ("health: {cooldown_s: 600}", "health.cooldown_s"),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(tmp_path: Path, section: str, path: str) -> None:
    _, where, message, _ = the_mistake_in(tmp_path, f"{SMALL}{section}\n")
    assert where == path
    assert "than" in message


@pytest.mark.parametrize(
    "path", ["server.address", "prober.address", "telemetry.metrics_address", "telemetry.prober_metrics_address"]
)
def test_listening_beyond_this_machine_must_be_asked_for(tmp_path: Path, path: str) -> None:
    section, key = path.split(".")
    _, where, _, hint = the_mistake_in(tmp_path, f"{SMALL}{section}: {{{key}: '0.0.0.0:50051'}}\n")
    assert where == path
    assert f"{section}.allow_remote: true" in hint
    load_text(tmp_path, f"{SMALL}{section}: {{{key}: '0.0.0.0:50051', allow_remote: true}}\n")


@pytest.mark.parametrize("version", ["2", "true", "1.0", "'1'"])
def test_another_version_is_refused(tmp_path: Path, version: str) -> None:
    line, path, _, hint = the_mistake_in(tmp_path, SMALL.replace("version: 1", f"version: {version}"))
    assert (line, path) == (1, "version")
    assert "version: 1" in hint


def test_a_crosscheck_is_not_hidden_by_a_mistake_in_the_same_provider(tmp_path: Path) -> None:
    text = SMALL + "  - {name: alder, base_url: http://a.example, key_env: K, tier: 7, models: [{id: m}]}\n"
    paths = [problem.path for problem in mistakes_in(tmp_path, text).problems]
    assert paths == ["providers[1].base_url", "providers[1].name", "providers[1].tier"]


def test_a_variable_that_names_no_environment_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, SMALL, {"SIGNALBOX_ENV": "staging"})
    assert str(caught.value).startswith("$SIGNALBOX_ENV: names no environment (development or production; ")


@pytest.mark.parametrize(
    ("more", "path", "hint"),
    [
        ("routing: {weights: {cost: .nan}}", "routing.weights.cost", "for example cost: 2"),
        ("budgets: {providers: {alder: 3}}", "budgets.providers.alder", 'for example alder: {"daily_usd": 5}'),
        ("routing: {weights: 3}", "routing.weights", 'for example weights: {"cost": 2}'),
    ],
)
def test_a_value_under_a_free_key_has_an_example_of_its_own(tmp_path: Path, more: str, path: str, hint: str) -> None:
    _, where, _, told = the_mistake_in(tmp_path, f"{SMALL}{more}\n")
    assert (where, told) == (path, hint)

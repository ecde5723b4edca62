"""What a start tells of that is no mistake: providers that are skipped, and what is configured for nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import SMALL, load_text, the_mistake_in


def _provider(name: str, more: str) -> str:
    return f"  - {{name: {name}, base_url: https://{name}.example, models: [{{id: m}}], {more}}}\n"


def _warnings(directory: Path, more: str, **environ: str) -> tuple[str, ...]:
    return load_text(directory, SMALL + more, environ).warnings


def test_a_provider_without_a_key_is_skipped_with_a_line_that_says_where_to_get_one(tmp_path: Path) -> None:
    entry = _provider("groq", "key_env: [GROQ_API_KEY, GROQ_KEY], key_page: https://groq.example/keys")
    assert _warnings(tmp_path, entry) == (
        "groq is skipped: no key in GROQ_API_KEY or GROQ_KEY; get one at https://groq.example/keys",
    )
    assert _warnings(tmp_path, entry, GROQ_KEY="k") == ()


def test_many_providers_without_keys_share_a_line(tmp_path: Path) -> None:
    entries = "".join(_provider(name, f"key_env: {name.upper()}_KEY") for name in ("a", "b", "c", "d"))
    (line,) = _warnings(tmp_path, entries)
    assert "4 providers are skipped" in line
    assert "a (A_KEY), b (B_KEY), c (C_KEY), d (D_KEY)" in line


def test_a_provider_that_is_switched_off_is_not_talked_of(tmp_path: Path) -> None:
    assert _warnings(tmp_path, _provider("groq", "key_env: GROQ_API_KEY, enabled: false")) == ()


def test_an_address_may_hold_variables(tmp_path: Path) -> None:
    entry = "  - {name: b, base_url: 'https://api.example/${ACCOUNT}/${PART:-v1}', key_env: K, models: [{id: m}]}\n"
    provider = load_text(tmp_path, SMALL + entry, {"ACCOUNT": "me", "K": "k"}).catalog.providers[1]
    assert (provider.base_url, provider.is_usable) == ("https://api.example/me/v1", True)
    assert _warnings(tmp_path, entry, K="k") == (
        "b is skipped: no ACCOUNT in the environment, which its address needs",
    )
    assert "no ACCOUNT in the environment, which its address needs, and no key in K" in _warnings(tmp_path, entry)[0]


def test_a_variable_may_hold_the_beginning_of_an_address(tmp_path: Path) -> None:
    entry = "  - {name: b, base_url: '${ENDPOINT}/openai/v1', key_env: K, models: [{id: m}]}\n"
    environ = {"ENDPOINT": "https://mine.example/", "K": "k"}
    assert load_text(tmp_path, SMALL + entry, environ).catalog.providers[1].base_url == "https://mine.example/openai/v1"


@pytest.mark.parametrize(
    ("url", "value", "told"),
    [
        ("${X}/v1", "mine.example", "is not an http or https URL"),
        ("${X}/v1", "http://mine.example", "would send the key over plain http"),
        ("${X}/v1", "https://u:sk-canary@mine.example", "holds a user name or a password"),
        ("https://${X}.example/v1", "evil.example/sk-canary", "characters of X that no address has there"),
        ("https://${X}.example/v1", "a b", "characters of X that no address has there"),
    ],
)
def test_a_variable_that_makes_no_address_skips_its_provider(tmp_path: Path, url: str, value: str, told: str) -> None:
    entry = f"  - {{name: b, base_url: '{url}', key_env: K, models: [{{id: m}}]}}\n"
    settings = load_text(tmp_path, SMALL + entry, {"X": value, "K": "k"})
    assert not settings.catalog.providers[1].is_usable
    (line,) = settings.warnings
    assert line.startswith("b is skipped: ")
    assert told in line
    assert "canary" not in line


@pytest.mark.parametrize("url", ["${X", "${}", "https://${X:-}/v1", "${1X}/v1", "$X/v1", "ftp://${X}"])
def test_what_is_no_variable_is_refused(tmp_path: Path, url: str) -> None:
    entry = f"  - {{name: b, base_url: '{url}', models: [{{id: m}}]}}\n"
    _, path, _, _ = the_mistake_in(tmp_path, SMALL + entry)
    assert path == "providers[1].base_url"


def test_dialects_that_are_not_built_share_a_line(tmp_path: Path) -> None:
    entries = (
        _provider("a", "dialect: anthropic")
        + _provider("b", "dialect: gemini")
        + _provider("c", "key_env: K, dialect: azure")
    )
    lines = _warnings(tmp_path, entries)
    assert "a, b: planned with and not called, since their dialects are not built yet" in lines


@pytest.mark.parametrize(
    ("routing", "path"),
    [
        ("rules: [{only: [alder, nobody]}]", "routing.rules[0].only[1]"),
        ("rules: [{prefer: ['tier:local', alder]}]", "routing.rules[0].prefer[0]"),
        ("rules: [{when: {task: rag}}, {prefer: ['other/*']}]", "routing.rules[1].prefer[0]"),
        ("priorities: [alder/chat-small, 'role:complex']", "routing.priorities[1]"),
        ("shares: {alder: 1, adler: 2}", "routing.shares.adler"),
    ],
)
def test_a_selector_of_nothing_is_told_with_its_line(tmp_path: Path, routing: str, path: str) -> None:
    (line,) = _warnings(tmp_path, f"routing: {{{routing}}}\n")
    assert line.startswith(f"{tmp_path / 'signalbox.yaml'}:6: {path}: means no ")


@pytest.mark.parametrize(
    "selector", ["alder", "chat-small", "alder/chat-small", "alder/*", "tier:premium", "free", "*/chat-?mall"]
)
def test_a_selector_of_something_is_not_told(tmp_path: Path, selector: str) -> None:
    assert _warnings(tmp_path, f"routing: {{rules: [{{prefer: ['{selector}']}}]}}\n") == ()


@pytest.mark.parametrize(
    ("more", "refused", "passed_over"),
    [
        *(
            (more, "what matches is refused", "nothing is preferred")
            for more in (
                "enabled: false",
                "key_env: K",
                "base_url: 'https://${X}.example'",
                "dialect: cohere, key_env: K",
            )
        ),
        ("dialect: cohere", "targets that are served in plans only", "targets that are preferred in plans only"),
    ],
)
def test_a_rule_that_nobody_can_serve_is_told(tmp_path: Path, more: str, refused: str, passed_over: str) -> None:
    entry = (
        f"  - {{name: b, models: [{{id: m}}], {more}{'' if 'base_url' in more else ', base_url: https://b.example'}}}\n"
    )
    rules = (
        "routing: {rules: [{name: x, only: [b]}, {name: y, prefer: [b/m]}, {prefer: [b]}, {prefer: [b, alder]}, {}]}\n"
    )
    lines = [line for line in _warnings(tmp_path, entry + rules) if line.startswith("rule")]
    assert [line.split(": ")[:2] for line in lines] == [
        ["rule 'x'", lines[0].split(": ")[1]],
        ["rules 'y', 'rule 3'", lines[1].split(": ")[1]],
    ]
    assert refused in lines[0]
    assert passed_over in lines[1]
    assert ("not built" in lines[0]) is ("not built" in lines[1]) is (more == "dialect: cohere")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tolls", "tools"),
        ("tool", "tools"),
        ("visionn", "vision"),
        ("json-schema", "json_schema"),
        ("function_calling", "tools"),
        ("thinking", "reasoning"),
    ],
)
def test_a_capability_that_is_misspelt_is_told_with_its_line(tmp_path: Path, name: str, meant: str) -> None:
    entry = f"  - {{name: b, base_url: https://b.example, models: [{{id: m, capabilities: [tools, {name}]}}]}}\n"
    (line,) = _warnings(tmp_path, entry)
    assert line.startswith(f"{tmp_path / 'signalbox.yaml'}:6: providers[1].models[0].capabilities[1]: ")
    assert line.endswith(f"did you mean {meant}?")


def test_a_capability_of_ones_own_is_not_told(tmp_path: Path) -> None:
    entry = (
        "  - {name: b, base_url: https://b.example, "
        "models: [{id: m, capabilities: [vision, json_object, audio, web_search, our-legal-corpus]}]}\n"
    )
    assert _warnings(tmp_path, entry) == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{prefer: [alder]}", "{when: {task: rag}, prefer: [alder]}"),
        ("{when: {task: [rag, chat]}, prefer: [alder]}", "{when: {task: rag, region: eu}, prefer: [alder]}"),
        ("{when: {region: eu}, only: [alder]}", "{when: {region: [eu-west, eu]}, only: [alder]}"),
        ("{when: {input_tokens_over: 10}}", "{when: {input_tokens_over: 10, input_tokens_max: 20}}"),
        ("{when: {input_tokens_max: 20}}", "{when: {input_tokens_max: 20}}"),
        ("{when: {labels: {a: b}}}", "{when: {labels: {a: b, c: d}, speed_critical: true}}"),
        ("{when: {technical: true}, only: [alder]}", "{when: {technical: true, environment: production}}"),
        ("{when: {complexity: [unknown, simple]}}", "{when: {complexity: unknown, budget_tier: low}}"),
    ],
)
def test_a_rule_behind_a_wider_one_is_told_with_its_line(tmp_path: Path, first: str, second: str) -> None:
    rules = f"routing:\n  rules:\n    - {first}\n    - {{when: {{over_budget: true, task: testing}}}}\n    - {second}\n"
    told = [line for line in _warnings(tmp_path, rules) if "never applies" in line and "rules[2]" in line]
    assert told == [
        f"{tmp_path / 'signalbox.yaml'}:10: routing.rules[2]: never applies, since rule 1, in line 8, matches all that "
        "it would (put it before that one, or narrow that one down)"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{when: {task: rag}, prefer: [alder]}", "{prefer: [alder]}"),
        ("{when: {task: rag}, prefer: [alder]}", "{when: {task: [rag, chat]}, prefer: [alder]}"),
        ("{when: {region: eu-west}}", "{when: {region: eu}}"),
        ("{when: {input_tokens_over: 10}}", "{when: {input_tokens_over: 9}}"),
        ("{when: {input_tokens_max: 20}}", "{when: {input_tokens_over: 10}}"),
        ("{when: {labels: {a: b}}}", "{when: {labels: {a: c}}}"),
        ("{when: {technical: true}}", "{when: {technical: false}}"),
        ("{prefer: [alder]}", "{only: [alder]}"),
    ],
)
def test_a_rule_that_still_applies_to_some_is_not_told(tmp_path: Path, first: str, second: str) -> None:
    assert _warnings(tmp_path, f"routing: {{rules: [{first}, {second}]}}\n") == ()


@pytest.mark.parametrize(
    ("when", "path", "hint"),
    [
        ("tenant: wbe", "when.tenant", "did you mean web?"),
        ("tenant: [web, nobody]", "when.tenant[1]", "add the tenant to `tenants`, or remove the rule"),
    ],
)
def test_a_rule_for_a_tenant_that_is_none_is_told(tmp_path: Path, when: str, path: str, hint: str) -> None:
    tenants = f"tenants: [{{name: web, keys: [{{hash: 'sha256:{'0' * 64}'}}]}}]\n"
    (line,) = _warnings(tmp_path, f"{tenants}routing: {{rules: [{{when: {{{when}}}, prefer: [alder]}}]}}\n")
    expected = f"{tmp_path / 'signalbox.yaml'}:7: routing.rules[0].{path}: is no tenant of this file ({hint})"
    assert line == expected
    assert _warnings(tmp_path, f"{tenants}routing: {{rules: [{{when: {{tenant: web}}}}]}}\n") == ()


def test_a_limit_of_nothing_is_told(tmp_path: Path) -> None:
    limits = "limits: [{unit: requests, per: minute, max: 5}, {unit: tokens, per: day, max: 0}]"
    told = _warnings(tmp_path, _provider("b", f"{limits}, free: {{unit: usd, per: day, max: 0.0}}"))
    assert [line.partition(" (")[0] for line in told] == [
        f"{tmp_path / 'signalbox.yaml'}:6: providers[1].limits[1].max: allows nothing at all",
        f"{tmp_path / 'signalbox.yaml'}:6: providers[1].free.max: gives nothing at all",
    ]

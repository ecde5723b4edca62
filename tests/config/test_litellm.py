"""A LiteLLM configuration carried over: what of it stands in ours, and that every other line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.config import ConfigError, Imported, imported
from router_service.core.catalog import Kind, Prices
from router_service.core.quota import Limit, Unit
from router_service.core.settings import Settings
from router_service.core.windows import Per

from .files import load_text

CANARY = "sk-canary-7f3a"
SHIPPED = b"""\
version: 1
providers:
  - name: openai
    base_url: https://api.openai.com/v1
    key_env: [OPENAI_API_KEY]
    tier: premium
    region: us
    compliance: [soc2]
    models:
      - {id: gpt-new, alias: [smart], context: 1000, prices: {input: 2, output: 8}, capabilities: [tools, vision]}
  - {name: azure, dialect: azure, base_url: "${AZURE_ENDPOINT}/openai/v1", key_env: AZURE_KEY, models: [{id: d}]}
  - {name: together, base_url: https://api.together.ai/v1, key_env: TOGETHER_KEY, models: [{id: o/big}]}
  - {name: ollama, base_url: http://127.0.0.1:11434/v1, tier: local, models: [{id: llama}]}
  - {name: anthropic, dialect: anthropic, base_url: https://api.anthropic.com, key_env: A_KEY, models: [{id: claude-x}]}
"""
WHOLE = """\
model_list:
  - model_name: gpt
    litellm_params:
      model: openai/gpt-new
      api_key: os.environ/MY_OPENAI_KEY
      rpm: 60
      tpm: 1000
      weight: 2
      temperature: 0.2
  - model_name: gpt
    litellm_params: {model: azure/deployed, weight: 1, api_base: os.environ/MY_ENDPOINT, api_key: os.environ/MY_KEY}
    model_info: {mode: chat, input_cost_per_token: 2.5e-06, output_cost_per_token: 0.00001, max_input_tokens: 128000,
      cache_read_input_token_cost: 2.5e-07, cache_creation_input_token_cost: 3.0e-06, supports_vision: true, id: mine}
  - model_name: big
    litellm_params: {model: together_ai/o/big}
  - model_name: local
    litellm_params: {model: ollama_chat/llama, api_base: "http://localhost:11434"}
  - model_name: bare
    litellm_params: {model: claude-x}
  - model_name: vectors
    litellm_params: {model: openai/embed, api_base: "http://10.0.0.5:8000/v1"}
    model_info: {mode: embedding}
  - model_name: "*"
    litellm_params: {model: openai/*}
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {smart: gpt, none: absent}
  fallbacks: [{gpt: [big, local]}, {big: [gpt]}, {absent: [gpt]}]
  num_retries: 2
litellm_settings:
  drop_params: true
  fallbacks: [{big: [local]}]
general_settings:
  master_key: sk-canary-7f3a
environment_variables: {SECRET: sk-canary-7f3a}
callbacks: [x]
"""


PRICES = Prices(input=2.5, output=10, cached_input=0.25, cache_write=3)


def _imported(text: str) -> Imported:
    return imported(text.encode(), file="litellm.yaml", shipped=SHIPPED)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"MY_OPENAI_KEY": "a", "MY_ENDPOINT": "https://mine.example/", "MY_KEY": "b", "A_KEY": "c"}
    return load_text(tmp_path, _imported(WHOLE).text, environ)


def test_each_deployment_is_a_target(settings: Settings) -> None:
    assert [(target.id, target.provider.base_url) for target in settings.catalog.targets] == [
        ("openai/gpt-new", "https://api.openai.com/v1"),
        ("azure/deployed", "https://mine.example/openai/v1"),
        ("together/o/big", "https://api.together.ai/v1"),
        ("ollama/llama", "http://localhost:11434/v1"),
        ("anthropic/claude-x", "https://api.anthropic.com"),
        ("openai-2/embed", "http://10.0.0.5:8000/v1"),
    ]


def test_keys_stay_names_of_variables(settings: Settings) -> None:
    keys = {provider.name: provider.key_env for provider in settings.catalog.providers}
    assert keys == {
        "openai": ("MY_OPENAI_KEY",),
        "azure": ("MY_KEY",),
        "together": ("TOGETHER_KEY",),
        "ollama": (),
        "anthropic": ("A_KEY",),
        "openai-2": (),
    }


def test_names_aliases_and_fallbacks_are_aliases(settings: Settings) -> None:
    named = {
        name: [target.id for target in settings.catalog.named(name)]
        for name in ("gpt", "smart", "big", "local", "bare")
    }
    assert named == {
        "gpt": ["openai/gpt-new", "azure/deployed", "together/o/big", "ollama/llama"],
        "smart": ["openai/gpt-new", "azure/deployed"],
        "big": ["together/o/big", "ollama/llama"],
        "local": ["ollama/llama"],
        "bare": ["anthropic/claude-x"],
    }


def test_fallbacks_come_after_what_they_step_in_for(settings: Settings) -> None:
    (rule,) = settings.policy.rules
    assert rule.prefer == ("openai/gpt-new", "azure/deployed", "together/o/big", "ollama/llama")


def test_another_address_is_not_certified_as_the_shipped_one_is(settings: Settings) -> None:
    regions = {provider.name: (provider.region, provider.compliance) for provider in settings.catalog.providers}
    assert regions["openai"] == ("us", frozenset({"soc2"}))
    assert regions["openai-2"] == ("", frozenset())


def test_weights_rates_and_facts_are_carried(settings: Settings) -> None:
    assert (settings.policy.strategy, settings.policy.shares) == (
        "weighted",
        {"openai/gpt-new": 2, "azure/deployed": 1},
    )
    known, told, vectors = (settings.catalog.by_id[id] for id in ("openai/gpt-new", "azure/deployed", "openai-2/embed"))
    assert known.provider.limits == (
        Limit(unit=Unit.REQUESTS, per=Per.MINUTE, max=60, models=frozenset({"gpt-new"})),
        Limit(unit=Unit.TOKENS, per=Per.MINUTE, max=1000, models=frozenset({"gpt-new"})),
    )
    assert (known.model.prices, known.model.context_tokens) == (Prices(input=2, output=8), 1000)
    assert known.model.capabilities == {"tools", "vision"}
    assert (told.model.prices, told.model.context_tokens) == (PRICES, 128_000)
    assert (told.model.capabilities, told.provider.dialect) == (frozenset({"vision"}), "azure")
    assert vectors.model.kind is Kind.EMBEDDING


def test_every_line_that_is_not_carried_is_named() -> None:
    left = [(line.line, line.path) for line in _imported(WHOLE).left_out]
    assert left == [
        (9, "model_list[0].litellm_params.temperature"),
        (13, "model_list[1].model_info.id"),
        (23, "model_list[6]"),
        (23, "model_list[6].model_name"),
        (24, "model_list[6].litellm_params.model"),
        (27, "router_settings.model_group_alias.none"),
        (28, "router_settings.fallbacks[1].big[0]"),
        (28, "router_settings.fallbacks[2].absent[0]"),
        (29, "router_settings.num_retries"),
        (31, "litellm_settings.drop_params"),
        (34, "general_settings.master_key"),
        (35, "environment_variables.SECRET"),
        (36, "callbacks"),
    ]


def test_a_line_that_is_not_carried_says_where_and_why() -> None:
    first = str(_imported(WHOLE).left_out[0])
    assert first.startswith("litellm.yaml:9: model_list[0].litellm_params.temperature: not carried over: ")


def test_no_literal_key_is_carried_or_shown() -> None:
    text = f"model_list: [{{model_name: a, litellm_params: {{model: openai/a, api_key: {CANARY}}}}}]\n"
    for done in (_imported(text), _imported(WHOLE)):
        assert CANARY not in done.text
        assert all(CANARY not in str(line) for line in done.left_out)
    (line,) = _imported(text).left_out
    assert "OPENAI_API_KEY" in line.why


@pytest.mark.parametrize(
    ("params", "key_env"),
    [
        (f"{{model: openai/a, api_key: {CANARY}, api_base: 'https://api.openai.com/v1/'}}", ("OPENAI_API_KEY",)),
        (f"{{model: openai/a, api_key: {CANARY}, api_base: 'https://else.example/v1'}}", ("KEY_FOR_ELSE_EXAMPLE_V1",)),
        (f"{{model: openai/a, api_key: {CANARY}, api_base: os.environ/ELSE}}", ("KEY_FOR_ELSE",)),
        ("{model: openai/a, api_base: 'https://else.example/v1'}", ()),
        ("{model: openai/a, api_base: 'https://else.example/v1', api_key: os.environ/PAIRED}", ("PAIRED",)),
        ("{model: o/big, custom_llm_provider: together_ai}", ("TOGETHER_KEY",)),
        ("{model: gpt-new, custom_llm_provider: together_ai, api_key: os.environ/PAIRED}", ("PAIRED",)),
    ],
)
def test_a_key_goes_to_no_address_that_it_was_not_paired_with(
    tmp_path: Path, params: str, key_env: tuple[str, ...]
) -> None:
    text = _imported(f"model_list: [{{model_name: a, litellm_params: {params}}}]\n").text
    environ = {"ELSE": "https://else.example", "PAIRED": "a", "TOGETHER_KEY": "b", "OPENAI_API_KEY": "c"}
    (provider,) = load_text(tmp_path, text, environ).catalog.providers
    assert provider.key_env == key_env
    assert (provider.base_url == "https://api.together.ai/v1") == ("together" in params)


def test_two_addresses_never_share_the_variable_of_a_literal_key() -> None:
    bases = ("https://a-b.example/v1", "https://a.b.example/v1", "https://a-b.example/v1")
    entries = [
        f"{{model_name: m{n}, litellm_params: {{model: openai/m{n}, api_key: {CANARY}, api_base: '{base}'}}}}"
        for n, base in enumerate(bases)
    ]
    done = _imported(f"model_list: [{', '.join(entries)}]\n")
    variables = [line.why.rpartition(" ")[2] for line in done.left_out]
    assert variables == ["KEY_FOR_A_B_EXAMPLE_V1", "KEY_FOR_A_B_EXAMPLE_V1_2", "KEY_FOR_A_B_EXAMPLE_V1"]


def test_the_same_model_under_two_names_is_one_target(tmp_path: Path) -> None:
    text = """\
model_list:
  - {model_name: one, litellm_params: {model: openai/gpt-new}}
  - {model_name: two, litellm_params: {model: openai/gpt-new}}
  - {model_name: gpt-new, litellm_params: {model: openai/gpt-new}}
"""
    (target,) = load_text(tmp_path, _imported(text).text).catalog.targets
    assert target.model.aliases == ("one", "two")


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ("{model: unknown/x}", "litellm_params.model"),
        ("{model: x}", "litellm_params.model"),
        ("{model: 3}", "litellm_params.model"),
        ("{model: openai/x, api_base: nowhere}", "litellm_params.api_base"),
        ("{model: openai/x, api_base: 'http://far.example', api_key: os.environ/K}", "litellm_params.api_base"),
    ],
)
def test_a_deployment_without_a_home_is_named(params: str, path: str) -> None:
    good = "{model_name: ok, litellm_params: {model: openai/ok}}"
    text = f"model_list: [{good}, {{model_name: a, litellm_params: {params}}}]"
    done = _imported(text)
    named = {line.path: line.why for line in done.left_out}
    cause = path.rpartition(".")[2]
    assert named["model_list[1]"] == f"this deployment is left out, since its {cause} cannot be carried over"
    assert f"model_list[1].{path}" in named
    assert "name: openai" in done.text


def test_a_deployment_that_is_left_out_is_named_with_every_line_of_it() -> None:
    text = """\
model_list:
  - {model_name: ok, litellm_params: {model: openai/ok}}
  - model_name: gpt
    litellm_params:
      model: azure/gpt
      api_base: "http://far.example"
      api_key: sk-canary-7f3a
      api_version: "2024"
      rpm: 7
    model_info: {mode: chat}
"""
    done = _imported(text)
    assert [(line.line, line.path.removeprefix("model_list[1]")) for line in done.left_out] == [
        (3, ""),
        (5, ".litellm_params.model"),
        (6, ".litellm_params.api_base"),
        (7, ".litellm_params.api_key"),
        (8, ".litellm_params.api_version"),
        (9, ".litellm_params.rpm"),
        (10, ".model_info"),
    ]
    assert "plain http" in done.left_out[2].why
    assert {line.why for line in done.left_out[3:]} == {"its deployment is left out"}


@pytest.mark.parametrize(
    "text", ["a: 1\n", "[]\n", "model_list: []\n", "model_list: [{model_name: '*'}]\n", "{", "\x00"]
)
def test_what_holds_nothing_to_carry_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        _imported(text)

"""Whatever a file holds, validating it ends well or in a ConfigError."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router_service.config import ConfigError, imported
from router_service.config.build import build
from router_service.config.overlay import laid_over
from router_service.config.source import parse
from router_service.config.surroundings import Surroundings
from router_service.config.validate import validate

from .files import SMALL, TODAY

# Keys of a real file, so that junk gets past the parser and into every later step.
KEYS = st.sampled_from(
    [
        *("version", "server", "tenants", "prober", "health", "providers", "routing", "budgets", "telemetry"),
        *("simulator", "name", "base_url", "key_env", "key", "models", "id", "alias", "prices", "input", "tier"),
        *("limits", "free", "rules", "when", "only", "behaviours", "deep", "weights", "address", "tls", "<<", "*"),
        *("extends", "enabled", "quality", "capabilities", "speed", "retires", "replacement", "unit", "per", "max"),
        *("weights", "shares", "votes", "priorities", "balance", "chain_length", "max_attempts", "strategy", "zone"),
        *("daily_usd", "task", "complexity", "prefer", "cost", "default", "chat", "dialect", "environment"),
        *("recovery_shares", "interval_s", "tasks", "labels", "keys", "timeouts_s", "allow_remote", "max_deadline_s"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            *("1", "auto", "openai", "http://a.example", "simulator:/a", "unix:", "0.0.0.0:1", "9" * 400, "9" * 5000),
            *("shipped", "day", "usd", "weighted", "alder", "chat-small", "2027-01-31", "UTC", "${A}/v1", ".inf"),
        ]
    ),
)
AROUND = Surroundings(environ={}, directory=Path(), simulator_address="127.0.0.1:1", today=TODAY)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=24,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_junk_in_the_shape_of_a_configuration_raises_nothing_but_config_errors(document: dict[str, object]) -> None:
    _check(_as_yaml(document).encode())


def test_numbers_beyond_floats_raise_nothing_but_config_errors() -> None:
    huge = "9" * 400
    _check(
        f"{SMALL}server: {{max_prompt_mib: {huge}, drain_s: {huge}}}\nhealth: {{recovery_shares: [{huge}]}}\n".encode()
    )


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!#|>'\"%@` \n\t,?<\\0", max_size=80).map(str.encode))
def test_junk_bytes_raise_nothing_but_config_errors(content: bytes) -> None:
    _check(content)


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0, max_value=len(SMALL)), st.integers(min_value=0, max_value=len(SMALL)))
def test_a_torn_file_raises_nothing_but_config_errors(start: int, end: int) -> None:
    _check((SMALL[:start] + SMALL[end:]).encode())


def _check(content: bytes) -> None:
    """Alone, and laid over a file that is good by itself."""
    shipped = parse(SMALL.encode(), file="shipped.yaml")
    for lay in (None, shipped):
        with suppress(ConfigError):
            source = parse(content, file="junk.yaml")
            merged = source if lay is None else laid_over(lay, source)
            build(validate(merged), merged, AROUND)


def _as_yaml(value: object) -> str:
    """Flow style, written by hand so that text stands bare and becomes whatever YAML makes of it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_as_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_yaml, value)) + "]"
    return "" if value is None else str(value)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(KEYS, VALUES, max_size=6))
def test_junk_in_a_section_raises_nothing_but_config_errors(
    routing: dict[str, object], model: dict[str, object]
) -> None:
    text = f"version: 1\nproviders: [{{name: alder, base_url: https://a.example, models: [{_as_yaml(model)}]}}]\n"
    _check(f"{text}routing: {_as_yaml(routing)}\nbudgets: {_as_yaml(model)}\n".encode())


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_junk_is_no_litellm_configuration_either(document: dict[str, object]) -> None:
    content = _as_yaml({"model_list": [{"model_name": "a", "litellm_params": document}], "router_settings": document})
    with suppress(ConfigError):
        imported(content.encode(), file="junk.yaml", shipped=SMALL.encode())

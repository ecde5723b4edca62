"""LiteLLM's model_info, on top of what the shipped configuration knows of the model."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.config.litellm_names import Home
from router_service.config.problem import Loc
from router_service.config.remainder import Remainder
from router_service.config.source import Value
from router_service.config.values import at

MODEL_KEYS = (
    "kind",
    "roles",
    "tasks",
    "quality",
    "capabilities",
    "rejects",
    "context",
    "max_output",
    "prices",
    "speed",
    "retires",
)
PRICES: Mapping[str, str] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
}
SIZES: Mapping[str, str] = {"max_input_tokens": "context", "max_output_tokens": "max_output"}
CAPABILITIES: Mapping[str, str] = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_response_schema": "json_schema",
    "supports_reasoning": "reasoning",
}
KINDS: Mapping[str, str] = {"chat": "chat", "completion": "chat", "embedding": "embedding"}
TOKENS_PER_PRICE = 1_000_000
DEAREST_TOKEN_USD = 0.1
MOST_TOKENS = 100_000_000


def model_entry(home: Home, info: Value, loc: Loc, remainder: Remainder) -> dict[str, Value]:
    """The model's entry; what `info` says counts more than what ships."""
    known = home.known_model if isinstance(home.known_model, dict) else {}
    entry: dict[str, Value] = {"id": home.model, **{key: known[key] for key in MODEL_KEYS if key in known}}
    used = {*_prices(info, entry), *_sizes(info, entry), *_capabilities(info, entry), *_kind(info, entry)}
    remainder.rest(info, loc, used, "it has no counterpart, or is none that can be carried")
    return entry


def _prices(info: Value, entry: dict[str, Value]) -> set[str]:
    found = {key: price for key in PRICES if (price := _usd(at(info, key))) is not None}
    if found:
        shipped = entry.get("prices")
        given: dict[str, Value] = {PRICES[key]: _per_million(price) for key, price in found.items()}
        entry["prices"] = {**(shipped if isinstance(shipped, dict) else {}), **given}
    return set(found)


def _sizes(info: Value, entry: dict[str, Value]) -> set[str]:
    found = {key: size for key in SIZES if isinstance(size := at(info, key), int) and 0 < size <= MOST_TOKENS}
    entry.update({SIZES[key]: size for key, size in found.items()})
    return set(found)


def _capabilities(info: Value, entry: dict[str, Value]) -> set[str]:
    found = {key: has for key in CAPABILITIES if isinstance(has := at(info, key), bool)}
    if found:
        shipped, told = entry.get("capabilities"), {CAPABILITIES[key] for key in found}
        names = [name for name in shipped if str(name) not in told] if isinstance(shipped, list) else []
        entry["capabilities"] = [*names, *(CAPABILITIES[key] for key, has in found.items() if has)]
    return set(found)


def _kind(info: Value, entry: dict[str, Value]) -> set[str]:
    mode = at(info, "mode")
    if not isinstance(mode, str) or mode not in KINDS:
        return set()
    entry["kind"] = KINDS[mode]
    return {"mode"}


def _usd(price: Value) -> float | None:
    """What a token costs. YAML takes 1e-06 for text, which LiteLLM reads as a number all the same."""
    try:
        usd = float(price) if isinstance(price, int | float | str) else -1.0
    except ValueError:
        return None
    return usd if 0 <= usd <= DEAREST_TOKEN_USD else None


def _per_million(usd: float) -> float:
    """Rounded, since a price per token times a million ends in dust."""
    return float(f"{usd * TOKENS_PER_PRICE:.10g}")

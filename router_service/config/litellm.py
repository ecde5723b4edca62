"""Carries a LiteLLM configuration over: models, names, limits, fallbacks. It names every line that it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

from router_service.config.export import Form, written
from router_service.config.litellm_models import Models
from router_service.config.litellm_routing import routing_of
from router_service.config.load import source_of
from router_service.config.problem import ConfigError, Problem
from router_service.config.remainder import LeftOut, Remainder
from router_service.config.source import Source, Value, parse
from router_service.config.validate import validate
from router_service.config.values import at, items

SECTIONS = ("model_list", "router_settings", "litellm_settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A configuration in YAML, and what of the foreign one is not in it, in the order of its lines."""

    text: str
    left_out: tuple[LeftOut, ...]


def imported(content: bytes, *, file: str, shipped: bytes | None = None) -> Imported:
    """The configuration that stands for LiteLLM's `content`; `file` is what messages call it.

    Addresses, tiers and prices that LiteLLM knows by itself come from the shipped configuration. No key is carried,
    only the names of variables. Raises ConfigError where nothing could be carried, or the result would not load.
    """
    source = parse(content, file=file)
    if source.problems:
        raise ConfigError(source.problems)
    remainder = Remainder(source)
    models = Models(remainder, source_of(None, shipped).data)
    for loc, entry in items(at(source.data, "model_list"), ("model_list",)):
        models.add(entry, loc)
    if not models.providers:
        raise ConfigError([_nothing(source)])
    routing = routing_of(source.data, models, remainder)
    _leave_the_rest(source.data, remainder)
    document: dict[str, Value] = {"version": 1, "providers": list(models.providers)}
    if routing:
        document["routing"] = routing
    text = written(document, Form.YAML)
    validate(parse(text.encode(), file="(imported)"))
    return Imported(text=text, left_out=remainder.in_order())


def _nothing(source: Source) -> Problem:
    has_models = at(source.data, "model_list") is not None
    message = "none of its models can be carried over" if has_models else "is no LiteLLM configuration"
    return source.problem(("model_list",) if has_models else (), message, "it needs a model_list of known providers")


def _leave_the_rest(data: Value, remainder: Remainder) -> None:
    for key, section in data.items() if isinstance(data, dict) else ():
        if key in SECTIONS or section is None:
            continue
        if isinstance(section, dict):
            remainder.rest(section, (key,), (), _WHY.get(key, "it has no counterpart"))
        else:
            remainder.note((key,), _WHY.get(key, "it has no counterpart"))


_WHY = {
    "general_settings": "it belongs to LiteLLM's proxy; see server and tenants in docs/configuration.md",
    "environment_variables": "set variables in the environment, where keys belong",
}

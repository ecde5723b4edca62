"""Behaviours as JSON: one object by name, read with every mistake named, and written back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from typing import Any, get_type_hints

import msgspec

from router_service.core.simulation import (
    ANY_PROVIDER,
    LATENCIES,
    PROVIDER_FIELDS,
    Behaviour,
    Latency,
    LatencyChange,
    Limit,
)

MAX_OUTPUT_TOKENS = 1_000_000
MAX_ITEMS = 100


class BehaviourError(ValueError):
    """The behaviours cannot be used; the message names each wrong field, one a line."""


def parse_behaviours(body: bytes) -> dict[str, Behaviour]:
    """Read `{"fast": {"latency_s": 0.05}, "fast/large": {"latency_s": 2}, "*": {}}`. Raises BehaviourError."""
    try:
        named = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise BehaviourError(f"behaviours: want one object by provider name: {_plain(error)}") from error
    behaviours: dict[str, Behaviour] = {}
    problems: list[str] = []
    for name, raw in named.items():
        try:
            behaviours[name] = _parse_one(raw, is_target=_is_target(name))
        except BehaviourError as error:
            problems.extend(f"behaviours.{name}{line}" for line in str(error).splitlines())
    if problems:
        raise BehaviourError("\n".join(problems))
    return behaviours


def show_behaviours(behaviours: Mapping[str, Behaviour]) -> bytes:
    """Return the JSON that `parse_behaviours` reads; a key that is set shows as stars."""
    shown = {name: msgspec.to_builtins(behaviour) for name, behaviour in behaviours.items()}
    for one in shown.values():
        one["key"] = "***" if one["key"] else ""
    return msgspec.json.encode(shown)


_PLAIN = Behaviour()
_TYPES: Mapping[str, Any] = get_type_hints(Behaviour)
_AT_PATH = re.compile(r" - at \$(.*)$")


def _is_target(name: str) -> bool:
    provider, slash, model = name.partition("/")
    if not provider or (slash and (not model or provider == ANY_PROVIDER)):
        raise BehaviourError(f": want a provider, provider/model, or {ANY_PROVIDER}")
    return bool(slash)


def _parse_one(raw: msgspec.Raw, *, is_target: bool) -> Behaviour:
    # Problems are lines of `.field: what is wrong`, to go behind the behaviour's own path.
    given = _read_object(raw)
    problems = [f".{name}: no such field; there are {', '.join(sorted(_TYPES))}" for name in given.keys() - _TYPES]
    read: dict[str, Any] = {}
    # Each field is read by itself, so that one wrong field does not hide the next.
    for name in given.keys() & _TYPES.keys():
        try:
            read[name] = _read_field(name, given[name])
        except BehaviourError as error:
            problems.append(f".{name}{error}")
    behaviour = Behaviour(**read)
    problems.extend(f".{name}: {want}" for name in read if (want := _out_of_range(name, behaviour)))
    problems.extend(_contradictions(behaviour, is_target=is_target))
    if problems:
        raise BehaviourError("\n".join(sorted(problems)))
    return behaviour


def _read_field(name: str, raw: msgspec.Raw) -> object:
    match name:
        case "latency":
            return _read_latency(raw)
        case "latency_changes":
            return _read_items(raw, LatencyChange)
        case "limits":
            return _read_items(raw, Limit)
        case _:
            return _read(raw, _TYPES[name])


def _read_latency(raw: msgspec.Raw) -> Latency | None:
    if bytes(raw) == b"null":
        return None
    given = _read_object(raw)
    shape = _read(given.get("shape", msgspec.Raw(b'""')), str)
    if shape not in LATENCIES:
        raise BehaviourError(f".shape: want one of {', '.join(LATENCIES)}")
    latency: Latency = _read_strictly(raw, LATENCIES[shape])
    return latency


def _read_items(raw: msgspec.Raw, kind: type[LatencyChange | Limit]) -> tuple[object, ...]:
    items = _read(raw, list[msgspec.Raw])
    if len(items) > MAX_ITEMS:
        raise BehaviourError(f": want at most {MAX_ITEMS}")
    read: list[object] = []
    for number, item in enumerate(items):
        try:
            read.append(_read_strictly(item, kind))
        except BehaviourError as error:
            raise BehaviourError(f"[{number}]{error}") from error
    return tuple(read)


def _read_strictly(raw: msgspec.Raw, kind: type) -> Any:
    # msgspec reads over fields that a dataclass does not have.
    names = [field.name for field in fields(kind)]
    for name in _read_object(raw):
        if name not in names:
            raise BehaviourError(f".{name}: no such field; there are {', '.join(names)}")
    return _read(raw, kind)


def _read_object(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    given: dict[str, msgspec.Raw] = _read(raw, dict[str, msgspec.Raw])
    return given


def _read(raw: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        found = _AT_PATH.search(str(error).replace("`", ""))
        raise BehaviourError(f"{found.group(1) if found else ''}: {_plain(error)}") from error


def _out_of_range(name: str, behaviour: Behaviour) -> str:
    match name:
        case "latency_s" | "tokens_per_s" | "input_neurons_per_million" | "output_neurons_per_million":
            value: float = getattr(behaviour, name)
            return "" if isfinite(value) and value >= 0.0 else "want a number from 0 up"
        case "latency_jitter":
            return "" if 0.0 <= behaviour.latency_jitter <= 1.0 else "want a share from 0 to 1"
        case "output_tokens":
            is_good = 1 <= behaviour.output_tokens <= MAX_OUTPUT_TOKENS
            return "" if is_good else f"want 1 to {MAX_OUTPUT_TOKENS}"
        case "max_concurrency":
            is_good = behaviour.max_concurrency is None or behaviour.max_concurrency >= 1
            return "" if is_good else "want a number from 1 up, or null"
        case "max_waiting":
            return "" if behaviour.max_waiting >= 0 else "want a number from 0 up"
        case _:
            return ""


def _contradictions(behaviour: Behaviour, *, is_target: bool) -> list[str]:
    problems: list[str] = []
    if behaviour.latency is not None and (behaviour.latency_s or behaviour.latency_jitter):
        problems.append(".latency: goes without latency_s and latency_jitter")
    if len(set(behaviour.limits)) < len(behaviour.limits):
        problems.append(".limits: the same limit stands twice")
    if is_target:
        alien = [name for name in PROVIDER_FIELDS if getattr(behaviour, name) != getattr(_PLAIN, name)]
        problems.extend(f".{name}: belongs to the provider's own behaviour" for name in alien)
    return problems


def _plain(error: msgspec.DecodeError) -> str:
    return str(error).replace("`", "").partition(" - at $")[0]

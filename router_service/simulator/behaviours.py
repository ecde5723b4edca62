"""Behaviours as JSON: one object by provider name, read with every mistake named, and written back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import isfinite

import msgspec

from router_service.core.simulation import Behaviour

MAX_OUTPUT_TOKENS = 1_000_000


class BehaviourError(ValueError):
    """The behaviours cannot be used; the message names each wrong field, one a line."""


def parse_behaviours(body: bytes) -> dict[str, Behaviour]:
    """Read `{"fast": {"latency_s": 0.05}, "*": {}}`. Raises BehaviourError."""
    try:
        providers = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise BehaviourError(f"behaviours: want one object by provider name: {_plain(error)}") from error
    behaviours: dict[str, Behaviour] = {}
    problems: list[str] = []
    for provider, raw in providers.items():
        try:
            behaviours[provider] = _parse_one(raw)
        except BehaviourError as error:
            problems.extend(f"behaviours.{provider}{line}" for line in str(error).splitlines())
    if problems:
        raise BehaviourError("\n".join(problems))
    return behaviours


def show_behaviours(behaviours: Mapping[str, Behaviour]) -> bytes:
    """Return the JSON that `parse_behaviours` reads; a key that is set shows as stars."""
    shown = {name: msgspec.to_builtins(behaviour) for name, behaviour in behaviours.items()}
    for one in shown.values():
        one["key"] = "***" if one["key"] else ""
    return msgspec.json.encode(shown)


_NAMES = frozenset(field.name for field in fields(Behaviour))


def _parse_one(raw: msgspec.Raw) -> Behaviour:
    # Problems are lines of `.field: what is wrong`, to go behind the provider's own path.
    try:
        given = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise BehaviourError(f": {_plain(error)}") from error
    problems = [f".{name}: no such field; there are {', '.join(sorted(_NAMES))}" for name in given.keys() - _NAMES]
    # Each field is read by itself, so that one wrong field does not hide the next.
    for name in given.keys() & _NAMES:
        try:
            behaviour = msgspec.json.decode(b'{"%b":%b}' % (name.encode(), bytes(given[name])), type=Behaviour)
            problems.extend(_out_of_range(name, behaviour))
        except msgspec.DecodeError as error:
            problems.append(f".{name}: {_plain(error)}")
    if problems:
        raise BehaviourError("\n".join(sorted(problems)))
    return msgspec.json.decode(raw, type=Behaviour)


def _out_of_range(name: str, behaviour: Behaviour) -> list[str]:
    match name:
        case "latency_s" | "tokens_per_s":
            value = behaviour.latency_s if name == "latency_s" else behaviour.tokens_per_s
            is_good, want = isfinite(value) and value >= 0.0, "want a number from 0 up"
        case "latency_jitter":
            is_good, want = 0.0 <= behaviour.latency_jitter <= 1.0, "want a share from 0 to 1"
        case "output_tokens":
            is_good, want = 1 <= behaviour.output_tokens <= MAX_OUTPUT_TOKENS, f"want 1 to {MAX_OUTPUT_TOKENS}"
        case _:
            is_good, want = True, ""
    return [] if is_good else [f".{name}: {want}"]


def _plain(error: msgspec.DecodeError) -> str:
    return str(error).replace("`", "").partition(" - at $")[0]

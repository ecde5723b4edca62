"""Puts the validator's findings into words: what is wrong with a value, and what would be right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from router_service.config.outline import field_at, keys_at
from router_service.config.problem import NO_CHOICE, SIMILARITY, Loc, Problem, Refusal, nearest
from router_service.config.source import Source


def explain(error: ErrorDetails, source: Source) -> Problem:
    """The problem that a pydantic error stands for. Neither text repeats the value that was given."""
    loc: Loc = tuple(step for step in error["loc"] if step != "[key]")
    match error["type"]:
        case "missing":
            return source.problem(loc, "is missing", _example(loc))
        case "extra_forbidden":
            return source.problem(loc, *_unknown_key(loc))
        case "value_error":
            cause = _context(error)["error"]
            hint = cause.hint if isinstance(cause, Refusal) else _example(loc)
            return source.problem(loc, str(cause), hint)
        case "literal_error":
            return source.problem(loc, NO_CHOICE, _nearest_value(error))
        case kind:
            return source.problem(loc, *_plain(kind, error, loc))


_WANTED: Mapping[str, str] = {
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "bool_type": "is neither true nor false",
    "list_type": "is not a list",
    "dict_type": "is not a mapping",
    "model_type": "is not a mapping",
    "finite_number": "is not a finite number",
}
_KEY_WORDS = frozenset(
    {"key", "keys", "api_key", "apikey", "api_keys", "token", "secret", "password", "authorization", "bearer", "auth"}
)


def _plain(kind: str, error: ErrorDetails, loc: Loc) -> tuple[str, str]:
    """Message and hint of what concerns one value's type or bounds."""
    match kind:
        case "greater_than_equal":
            return "is too small", f"at least {_context(error)['ge']:g}{_or_example(loc)}"
        case "greater_than":
            return "is too small", f"more than {_context(error)['gt']:g}{_or_example(loc)}"
        case "less_than_equal":
            return "is too large", f"at most {_context(error)['le']:g}{_or_example(loc)}"
        case "too_short":
            return "is empty", _example(loc)
        case "too_long":
            return "has too many items", f"at most {_context(error)['max_length']}"
        case "string_type":
            hint = _example(loc) if error["input"] is None or isinstance(error["input"], list | dict) else _QUOTES
            return _WANTED[kind], hint
        case "model_type" if not loc:
            return "the file is not a mapping of keys", "begin with `version: 1` and a list of `providers:`"
        case _:
            return _WANTED.get(kind, "is not valid"), _example(loc)


_QUOTES = "put it in quotes"


def _unknown_key(loc: Loc) -> tuple[str, str]:
    key, known = str(loc[-1]), keys_at(loc)
    if key.lower() in _KEY_WORDS and "key_env" in known:
        return (
            "keys do not stand in this file",
            "put the key into an environment variable and name that: key_env: EXAMPLE_API_KEY",
        )
    if key == "<<":
        return "merging with << is not supported", "an alias can stand for a whole value"
    if near := get_close_matches(key, known, n=1, cutoff=SIMILARITY):
        return "is not a known key", f"did you mean {near[0]}?"
    return "is not a known key", f"known here: {', '.join(known)}"


def _nearest_value(error: ErrorDetails) -> str:
    allowed = str(_context(error)["expected"]).replace("'", "")
    return nearest(str(error["input"]), allowed.replace(" or ", ", ").split(", "))


def _example(loc: Loc) -> str:
    """`for example base_url: https://api.example.com/v1`, from the schema."""
    field = field_at(loc)
    key = next((step for step in reversed(loc) if isinstance(step, str)), "")
    if field is None:
        return ""
    if field.annotation in (bool, bool | None):
        return "true or false"
    if not field.examples:
        return ""
    first = field.examples[0]
    if isinstance(first, dict) and isinstance(loc[-1], str) and field_at(loc[:-1]) is field:
        first = next(iter(first.values()))
    # JSON is YAML too.
    return f"for example {key}: {first if isinstance(first, str) else json.dumps(first)}"


def _or_example(loc: Loc) -> str:
    example = _example(loc)
    return f", {example}" if example else ""


def _context(error: ErrorDetails) -> Mapping[str, object]:
    return error.get("ctx", {})

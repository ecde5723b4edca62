"""The file's format as JSON schema, for editors that complete and check it while one types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

from router_service.config.document import Document

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Json]:
    """The schema that `load` goes by, except for checks that take more than one value.

    Keys that may be left out may also stand without a value, as `load` has it.
    """
    generated = cast("dict[str, Json]", Document.model_json_schema(mode="validation"))
    sections = generated.get("$defs")
    for section in [generated, *(sections.values() if isinstance(sections, dict) else ())]:
        _let_blanks_stand(section)
    _let_overlays_be_short(generated)
    return {"$schema": DIALECT, **generated, "title": "Signalbox configuration"}


def _let_overlays_be_short(whole: dict[str, Json]) -> None:
    """What the shipped configuration says need not be said again by a file that is laid over it."""
    sections = whole["$defs"]
    assert isinstance(sections, dict), "the file has sections"
    for name, needed in _NEEDED_EVEN_THEN.items():
        section = sections[name]
        assert isinstance(section, dict), "a section is described by a mapping"
        section["required"] = list(needed)
    whole["required"] = ["version"]
    whole["if"] = {"properties": {"extends": {"const": "shipped"}}, "required": ["extends"]}
    whole["else"] = {
        "required": ["providers"],
        "properties": {"providers": {"items": {"required": ["name", "base_url", "models"]}}},
    }


_NEEDED_EVEN_THEN: Mapping[str, tuple[str, ...]] = {"ProviderEntry": ("name",), "FreeEntry": (), "LongContextEntry": ()}


def _let_blanks_stand(section: Json) -> None:
    if not isinstance(section, dict):
        return
    properties, required = section.get("properties"), section.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return
    for key, field in properties.items():
        if key not in required and isinstance(field, dict):
            properties[key] = _or_null(field)


def _or_null(field: dict[str, Json]) -> dict[str, Json]:
    """What describes the field stays outside, where editors look for it."""
    about: dict[str, Json] = {
        key: field[key] for key in ("title", "description", "default", "examples") if key in field
    }
    rest = {key: value for key, value in field.items() if key not in about}
    choices = rest.get("anyOf")
    if set(rest) == {"anyOf"} and isinstance(choices, list):
        return {**about, "anyOf": [*(choice for choice in choices if choice != _NULL), _NULL]}
    return {**about, "anyOf": [rest, _NULL]}


_NULL: Json = {"type": "null"}

"""The JSON schema for editors, and the page that describes each key: both say what the loader does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from router_service.config import schema
from router_service.config.document import Document
from router_service.config.fields import Section

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
FILES = Path(__file__).parents[2] / "router_service" / "config"


def test_the_schema_is_json_and_refuses_unknown_keys() -> None:
    whole = json.loads(json.dumps(schema()))
    assert whole["additionalProperties"] is False
    assert whole["required"] == ["version"]
    assert all(section["additionalProperties"] is False for section in whole["$defs"].values())


def test_the_schema_asks_for_less_where_a_file_is_laid_over_the_shipped_one() -> None:
    whole = json.loads(json.dumps(schema()))
    assert whole["if"] == {"properties": {"extends": {"const": "shipped"}}, "required": ["extends"]}
    assert whole["else"]["required"] == ["providers"]
    assert whole["else"]["properties"]["providers"]["items"]["required"] == ["name", "base_url", "models"]
    assert [
        whole["$defs"][name]["required"] for name in ("ProviderEntry", "ModelEntry", "LimitEntry", "FreeEntry")
    ] == [
        ["name"],
        ["id"],
        ["unit", "per", "max"],
        [],
    ]


def test_the_schema_describes_every_key() -> None:
    whole = json.loads(json.dumps(schema()))
    for section in (whole, *whole["$defs"].values()):
        assert all(field.get("description") for field in section["properties"].values())


def test_the_schema_lets_a_key_stand_without_a_value_unless_it_is_required() -> None:
    whole = json.loads(json.dumps(schema()))
    for key, field in whole["$defs"]["ProviderEntry"]["properties"].items():
        assert ({"type": "null"} in field.get("anyOf", [])) is (key not in ("name", "base_url", "models"))


def test_the_schema_takes_one_name_for_a_list_of_one() -> None:
    whole = json.loads(json.dumps(schema()))
    kinds = [choice["type"] for choice in whole["$defs"]["ProviderEntry"]["properties"]["key_env"]["anyOf"]]
    assert kinds == ["string", "array", "null"]


def test_the_page_describes_every_key_and_no_other() -> None:
    described = _rows_of_the_page()
    expected = {(path, key): field for path, key, field in _fields(Document, "")}
    assert described.keys() == expected.keys()
    for place, field in expected.items():
        default, meaning = described[place]
        assert meaning == field.description, place
        assert default == _default(field), place


@pytest.mark.parametrize("name", ["example.yaml", "simulated.yaml"])
def test_the_page_shows_the_files_to_begin_with(name: str) -> None:
    assert f"```yaml\n{(FILES / name).read_text()}```" in PAGE.read_text()


def _rows_of_the_page() -> dict[tuple[str, str], tuple[str, str]]:
    """Default and meaning, by section and key."""
    rows: dict[tuple[str, str], tuple[str, str]] = {}
    section = ""
    for line in PAGE.read_text().splitlines():
        if heading := re.fullmatch(r"## `(.+)`", line):
            section = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)` \| .+ \| (.+) \| (.+) \|", line):
            rows[section, row[1]] = (row[2], row[3])
    return rows


def _fields(section: type[Section], path: str) -> Iterator[tuple[str, str, FieldInfo]]:
    for key, field in section.model_fields.items():
        yield path, key, field
        if inside := _section_in(field.annotation):
            origin = get_origin(field.annotation)
            suffix = "[]" if origin is list else ".NAME" if origin is dict else ""
            yield from _fields(inside, f"{path}.{key}{suffix}".removeprefix("."))


def _section_in(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, Section) else None
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value in (None, "", [], {}) or isinstance(value, Section):
        return "–"
    if isinstance(value, str):
        return f"`{value}`"
    return f"`{json.dumps(value)}`" if isinstance(value, bool | list | dict) else f"{value:.10g}"

"""Finds its way in the schema: which section, and which of its fields, a place in the file belongs to."""

from __future__ import annotations

from typing import get_args, get_origin

from pydantic.fields import FieldInfo

from router_service.config.document import Document
from router_service.config.fields import Section
from router_service.config.problem import Loc


def keys_at(loc: Loc) -> tuple[str, ...]:
    """The keys that the section around `loc` has; empty where there is none."""
    section, _ = _descend(loc[:-1])
    return tuple(section.model_fields) if section else ()


def field_at(loc: Loc) -> FieldInfo | None:
    """The field that `loc` is the value of, or an item in the value of."""
    return _descend(loc)[1]


def _descend(loc: Loc) -> tuple[type[Section] | None, FieldInfo | None]:
    """The section that the value at `loc` is, if it is one, and the last field on the way to it."""
    section: type[Section] | None = Document
    field: FieldInfo | None = None
    is_free_key = False
    for step in loc:
        if isinstance(step, int) or is_free_key:
            is_free_key = False
            continue
        field = section.model_fields.get(step) if section else None
        section = _section_in(field.annotation) if field else None
        is_free_key = field is not None and get_origin(field.annotation) is dict
    return (None if is_free_key else section), field


def _section_in(annotation: object) -> type[Section] | None:
    """`ModelEntry` for `list[ModelEntry]`, `ModelEntry | None` and the like."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, Section) else None
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)

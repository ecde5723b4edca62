"""Documents that follow a JSON schema: as small as it allows, and the same each time."""

from __future__ import annotations

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
MAX_DEPTH = 16
MAX_ITEMS = 8
USUAL_TEXT, USUAL_NUMBER = "signal", 7


def document(schema: object, root: object = None, depth: int = 0) -> object:
    """What `schema` accepts, as far as it keeps to what models are usually asked for; every property that it names has
    a value. `root` is where its references lead.
    """
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return {} if depth == 0 else None
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum"), list) and choices:
        return choices[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(inner := schema.get(key), list) and inner:
            return document(inner[0], root, depth + 1)
    if isinstance(reference := schema.get("$ref"), str):
        return document(_referred(reference, root), root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Schema, root: object, depth: int) -> object:
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "string":
            return USUAL_TEXT.ljust(_count(schema, "minLength", 10_000), "l")
        case "integer":
            return int(_least(schema))
        case "number":
            return _least(schema)
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            items = _count(schema, "minItems", MAX_ITEMS) or 1
            return [document(schema.get("items", {"type": "string"}), root, depth + 1)] * items
        case _:
            properties = schema.get("properties")
            named = properties if isinstance(properties, dict) else {}
            return {name: document(inner, root, depth + 1) for name, inner in named.items()}


def _referred(reference: str, root: object) -> object:
    found = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def _least(schema: Schema) -> float:
    least = schema.get("minimum", schema.get("exclusiveMinimum", USUAL_NUMBER))
    step = 1 if "exclusiveMinimum" in schema else 0
    return least + step if isinstance(least, int | float) else USUAL_NUMBER


def _count(schema: Schema, key: str, most: int) -> int:
    least = schema.get(key)
    return min(least, most) if isinstance(least, int) else 0

"""Writes the configuration that a file stands for as a file of its own, in YAML or JSON. There are no keys in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import Path

import yaml

from router_service.config.build import environment_of
from router_service.config.document import Document
from router_service.config.load import source_of
from router_service.config.validate import validate
from router_service.core.decision.strategies import BUILT_IN

LINE_LENGTH = 120


class Form(Enum):
    """What a configuration is written in. JSON is YAML too, so both can be loaded."""

    YAML = "yaml"
    JSON = "json"


def exported(
    path: Path | None, *, form: Form, shipped: bytes | None = None, strategies: Collection[str] = BUILT_IN
) -> str:
    """What the file at `path` says, and what it extends, in one file that stands alone. Defaults are left out.

    It loads to the same settings from the same directory, which relative paths start from. `strategies` are the names
    that the file may use. Raises ConfigError.
    """
    document = _document(path, shipped, strategies)
    return written(document.model_dump(mode="json", exclude_defaults=True, exclude={"extends"}), form)


def shown(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    form: Form,
    shipped: bytes | None = None,
    strategies: Collection[str] = BUILT_IN,
) -> str:
    """The same with every default spelt out, and with the environment that callers are in who name none."""
    document = _document(path, shipped, strategies)
    content = document.model_dump(mode="json", exclude_none=True, exclude={"extends"})
    content["routing"]["environment"] = environment_of(document, environ).value
    return written(content, form)


def written(content: Mapping[str, object], form: Form) -> str:
    match form:
        case Form.JSON:
            return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        case Form.YAML:
            # Collections that hold no others go into one line each.
            return yaml.dump(
                dict(content),
                Dumper=_PlainDumper,
                sort_keys=False,
                allow_unicode=True,
                default_flow_style=None,
                width=LINE_LENGTH,
            )


class _PlainDumper(yaml.SafeDumper):
    """Writes what stands in several places out in each of them."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _document(path: Path | None, shipped: bytes | None, strategies: Collection[str]) -> Document:
    return validate(source_of(path, shipped), strategies)

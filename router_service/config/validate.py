"""Holds a file against the schema, and tells every mistake in it at once."""

from __future__ import annotations

from pydantic import ValidationError

from router_service.config.crosschecks import crosschecks
from router_service.config.document import Document
from router_service.config.explain import explain
from router_service.config.problem import ConfigError, Problem
from router_service.config.source import Source


def validate(source: Source) -> Document:
    """Raises ConfigError with every problem: those of the YAML, of single values, and between values."""
    problems: list[Problem] = [*source.problems, *crosschecks(source)]
    try:
        document = Document.model_validate(source.data)
    except ValidationError as e:
        problems.extend(explain(error, source) for error in e.errors(include_url=False))
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return document

"""Holds a file against the schema, and tells every mistake in it at once."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError

from router_service.config.crosschecks import crosschecks
from router_service.config.document import Document
from router_service.config.explain import explain
from router_service.config.problem import ConfigError, Problem
from router_service.config.source import Source
from router_service.core.decision.strategies import BUILT_IN


def validate(source: Source, strategies: Collection[str] = BUILT_IN) -> Document:
    """Raises ConfigError with every problem: those of the YAML, of single values, and between values. `strategies` are
    the names that may stand for one.
    """
    problems: list[Problem] = [*source.problems, *crosschecks(source)]
    try:
        document = Document.model_validate(source.data, context=strategies)
    except ValidationError as e:
        problems.extend(explain(error, source) for error in e.errors(include_url=False))
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return document

"""What a cue is: a phrase that speaks for a task, or for a sign of how hard or how technical a request is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum

from router_service.core.task import TaskType


class Sign(Enum):
    """What words tell besides the task."""

    TECHNICAL = "technical"
    REFACTORING = "refactoring"
    DEMANDING = "demanding"
    EASY = "easy"


Meaning = TaskType | Sign
"""The tables map a meaning to its phrases, in lower case and separated by commas, under their weights.

A weight is 4 where a phrase names the meaning outright, 3 where it is seldom anything else, 2 where it leans to it, 1
where it hints; 6 settles it. The longest phrase that matches wins, so "code review" is not "code".
"""

LANGUAGES = frozenset(
    {"english", "german", "french", "spanish", "italian", "portuguese", "dutch", "polish", "swedish", "danish"}
    | {"norwegian", "finnish", "russian", "ukrainian", "czech", "greek", "turkish", "arabic", "hebrew", "hindi"}
    | {"japanese", "chinese", "korean", "vietnamese", "thai", "indonesian", "latin", "hungarian", "romanian"}
    | {"mandarin", "catalan", "irish", "welsh", "persian", "bengali", "urdu", "swahili"}
)
"""Named after into, to or in, they speak for a translation."""

POLITE = frozenset(
    {"please", "can", "could", "would", "will", "you", "me", "i", "i'd", "we", "like", "want", "need", "to", "help"}
    | {"just", "now", "so", "ok", "okay", "hey", "the", "a", "an", "my", "our", "this", "bitte", "kannst", "könntest"}
    | {"du", "mir", "por", "favor", "puedes", "s'il", "te", "plaît", "peux", "tu"}
)
"""They take up no room: a word says less the further it stands from the start, these not counted."""

MODIFIERS = frozenset(
    {
        "simple",
        "basic",
        "short",
        "small",
        "tiny",
        "little",
        "quick",
        "single",
        "new",
        "good",
        "nice",
        "clean",
        "efficient",
    }
    | {
        "complex",
        "complicated",
        "robust",
        "fast",
        "optimized",
        "optimised",
        "recursive",
        "generic",
        "custom",
        "reusable",
    }
    | {"me", "us", "complete", "full", "einfache", "sencilla", "simples"}
    | {"python", "javascript", "typescript", "java", "rust", "golang", "c++", "c#", "ruby", "php", "kotlin", "bash"}
)
"""A phrase is found with any of them between its words: "write a simple function" is "write a function"."""

_WEIGHT = re.compile(r"^\s*(\d+\.\d):", re.MULTILINE)


def phrases(table: Mapping[Meaning, str]) -> Iterator[tuple[str, Meaning, float]]:
    """Every phrase of a table with its meaning and weight."""
    for meaning, text in table.items():
        _, *pairs = _WEIGHT.split(text)
        for weight, listed in zip(pairs[::2], pairs[1::2], strict=True):
            yield from ((" ".join(phrase.split()), meaning, float(weight)) for phrase in listed.split(","))

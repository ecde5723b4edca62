"""How hard a request is: a position on one scale, from its task, its words, and how much it asks for at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from router_service.core.inference.cues import Sign
from router_service.core.inference.excerpt import Excerpt
from router_service.core.task import Complexity, TaskType

_BASE: Mapping[TaskType, float] = {
    TaskType.CHAT: -0.9,
    TaskType.REASONING: 0.6,
    TaskType.CODE_GENERATION: -0.6,
    TaskType.CLASSIFICATION: -3.2,
    TaskType.SUMMARIZATION: -1.3,
    TaskType.RAG: -0.4,
    TaskType.VISION: -0.8,
    TaskType.WEB_SEARCH: -1.1,
    TaskType.CREATIVE_WRITING: -0.3,
    TaskType.TRANSLATION: -1.2,
    TaskType.ANALYSIS: -0.1,
    TaskType.SIMPLE_QA: -3.0,
    TaskType.TESTING: -0.3,
    TaskType.DOCUMENTATION: -0.5,
    TaskType.GENERAL: -1.0,
}
_ABOUT_MATERIAL = frozenset(
    {TaskType.TRANSLATION, TaskType.SUMMARIZATION, TaskType.CLASSIFICATION, TaskType.RAG, TaskType.ANALYSIS, None}
)
"""What follows the instruction is their material; for every other task it is more of the instruction."""
_UNKNOWN_BASE = -1.0
_EASY_LIMIT, _HARD_LIMIT = -1.0, 1.0
_SLOPE = 2.4
_TYPICAL_CHARACTERS = 90
_PER_DOUBLING = 0.6
_PER_CLAUSE = 0.12
_MOST_CLAUSES = 10
_PER_SIGN = 0.45
_PER_DOUBLING_OF_MATERIAL = 0.15
_MATERIAL_CHARACTERS = 1_000

_STOPS = ",;:，；、："
_AND = re.compile(r"\b(?:and|und|y|et)\b")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)


def grade(excerpt: Excerpt, task: TaskType | None, strengths: Mapping[str, float]) -> tuple[Complexity, float]:
    """The likeliest complexity and its probability, from an ordered logistic model with two limits."""
    score = _score(excerpt, task, strengths)
    simple = _logistic(_SLOPE * (_EASY_LIMIT - score))
    complex_ = _logistic(_SLOPE * (score - _HARD_LIMIT))
    odds = {
        Complexity.SIMPLE: simple,
        Complexity.MEDIUM: max(0.0, 1.0 - simple - complex_),
        Complexity.COMPLEX: complex_,
    }
    best = max(odds, key=lambda grade: odds[grade])
    return best, odds[best]


def _score(excerpt: Excerpt, task: TaskType | None, strengths: Mapping[str, float]) -> float:
    base = _UNKNOWN_BASE if task is None else _BASE.get(task, _UNKNOWN_BASE)
    asked = "\n".join(s.text for s in excerpt.segments if s.weight >= 0.8 or task not in _ABOUT_MATERIAL)
    signs = min(6.0, strengths[Sign.DEMANDING.value]) - min(6.0, strengths[Sign.EASY.value])
    return (
        base
        + _PER_DOUBLING * math.log2((len(asked) + 20) / _TYPICAL_CHARACTERS)
        + _PER_CLAUSE * min(_MOST_CLAUSES, _clauses(asked))
        + _PER_SIGN * signs
        + _PER_DOUBLING_OF_MATERIAL * max(0.0, math.log2((excerpt.characters + 1) / _MATERIAL_CHARACTERS))
    )


def _clauses(text: str) -> int:
    """Commas and their like, words that join, and the marks of a list's items."""
    items = _ITEM.findall(text) if "\n" in text or not text[:1].isalpha() else ()
    return sum(map(text.count, _STOPS)) + len(_AND.findall(text)) + len(items)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))

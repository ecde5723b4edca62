"""What a request is for and how hard it is, told from its prompt in microseconds, with how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from router_service.core.chat import Prompt
from router_service.core.inference.complexity import grade
from router_service.core.inference.cues import Sign
from router_service.core.inference.excerpt import Excerpt, Segment, excerpt
from router_service.core.inference.lexicon import Tally
from router_service.core.inference.structure import shape
from router_service.core.task import Complexity, TaskType

MIN_CONFIDENCE = 0.5
MIN_COMPLEXITY_CONFIDENCE = 0.5

_TASKS = tuple(task for task in TaskType if task is not TaskType.EMBEDDING)
_TASK_NAMES = tuple(task.value for task in _TASKS)
_weight = attrgetter("weight")
_MATERIAL_SHARE = 0.25
_MOST_STRENGTH = 12.0
_NOTHING_KNOWN = 1.2
_SYSTEM_DECIDES = 3.0
_FOLLOW_UP_WEIGHT = 0.6
_TECHNICAL_TASKS = frozenset({TaskType.CODE_GENERATION, TaskType.TESTING})
_TECHNICAL_STRENGTH = 1.9
_REFACTORING_STRENGTH = 1.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What was inferred, None where the confidence is too low to be used.

    A confidence is the chance, from 0 to 1, that the likeliest value is right by the tables' own account, and is given
    whether it was used or not. docs/inference.md has what it was worth on prompts that others wrote.
    """

    task: TaskType | None
    complexity: Complexity | None
    confidence: float
    complexity_confidence: float
    is_technical: bool
    is_refactoring: bool


def infer(
    prompt: Prompt,
    *,
    min_confidence: float = MIN_CONFIDENCE,
    min_complexity_confidence: float = MIN_COMPLEXITY_CONFIDENCE,
) -> Inference:
    """Infer task and complexity. The same prompt always gives the same answer, and a long one costs no more.

    EMBEDDING is never inferred: it is asked for by its own method, not by the words of a prompt.
    """
    seen = excerpt(prompt)
    strengths = _strengths(seen)
    task, confidence = _likeliest(strengths)
    complexity, complexity_confidence = grade(seen, task if confidence >= min_confidence else None, strengths)
    return Inference(
        task=task if confidence >= min_confidence else None,
        complexity=complexity if complexity_confidence >= min_complexity_confidence else None,
        confidence=confidence,
        complexity_confidence=complexity_confidence,
        is_technical=strengths[Sign.TECHNICAL.value] >= _TECHNICAL_STRENGTH or task in _TECHNICAL_TASKS,
        is_refactoring=strengths[Sign.REFACTORING.value] >= _REFACTORING_STRENGTH,
    )


def _strengths(seen: Excerpt) -> Mapping[str, float]:
    """How strongly words and shape speak for each task and sign."""
    tally = Tally()
    segments = sorted(seen.segments, key=_weight, reverse=True)
    if seen.system.text:
        tally.read(seen.system)
        if any(tally.strengths[name] >= _SYSTEM_DECIDES for name in _TASK_NAMES):
            # Under a system message that says what to do with every message, the message itself is material.
            segments = [Segment(text=s.text, weight=s.weight * _MATERIAL_SHARE) for s in segments]
    for segment in segments:
        tally.read(segment)
    if seen.is_follow_up:
        tally.read(Segment(text=seen.earlier.text, weight=_FOLLOW_UP_WEIGHT))
    strengths = tally.strengths
    for meaning, weight in shape(seen):
        strengths[meaning.value] += weight
    strengths[TaskType.SIMPLE_QA.value] *= _brevity(seen)
    return strengths


def _brevity(seen: Excerpt) -> float:
    """A question that takes long to ask has no short answer: 1 up to 80 characters, down to a third from 240 on."""
    return max(1 / 3, min(1.0, 80 / max(1, seen.characters)))


def _likeliest(strengths: Mapping[str, float]) -> tuple[TaskType, float]:
    """The strongest task and its share in a softmax over all tasks and the chance that none of them is meant."""
    weights = [math.exp(min(strengths[name], _MOST_STRENGTH)) for name in _TASK_NAMES]
    best = max(range(len(_TASKS)), key=weights.__getitem__)
    return _TASKS[best], weights[best] / (sum(weights) + math.exp(_NOTHING_KNOWN))

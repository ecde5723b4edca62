"""What the shape of a prompt says apart from its words: pictures, code, traces, passages, links, tables, questions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from router_service.core.inference.cues import LANGUAGES, Meaning, Sign
from router_service.core.inference.excerpt import Excerpt, has_any
from router_service.core.task import TaskType

_SHORT_QUESTION_CHARACTERS = 110
_PROBLEM_CHARACTERS = 700
_OPTIONS_WITHIN_CHARACTERS = 500
_QUANTITIES = 2
_FOLLOW_UP_WEIGHT = 0.6
_LINES = 40

_TRACE_MARKS = (
    *("Traceback (most recent", "goroutine ", "panic: ", "SIGSEGV", "Caused by: ", "Error: ", "Exception: "),
    *("\n\tat ", "\n    at ", "\n  at "),
)
_TAG_MARKS = ("<context", "<doc", "<entry", "<passage", "<source", "<chunk", "<excerpt", "chunk_id", "--- excerpt")
_PASSAGE_SIGNS = (":", "：", "<", "[", "(", "_", "--- ")
"""Labels, references and tags of passages all have one of these."""
_PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp")
_ARROWS = ("->", "=>", "→")

# Every repetition is bounded and every pattern tried at known places, so that no text makes them slow.
_PASSAGE_LABEL = re.compile(
    r"[^\w\n]{0,4}(?:context|kontext|contexte|contexto|passages?|documents?|doc|sources?|excerpts?|retrieved"
    r"|search results|text|资料|上下文)\b[^\n:：]{0,12}[:：]",
    re.IGNORECASE,
)
_QUESTION_LABEL = re.compile(r"[^\w\n]{0,4}(?:user )?(?:question|query|frage|pregunta|问题)\s?[:：]", re.IGNORECASE)
_REFERENCE = re.compile(r"[^\w\n]?(?:\[[\w-]{1,6}\]|\(\d{1,3}\)|S\d{1,3}:|[A-Za-z]{3,12} (?:\d{1,2}|[A-F]):)")
_TABLE_ROW = re.compile(r"[^,;\t|]{1,60}(?:[,;\t|][^,;\t|\d]{0,30}\d[^,;\t|]{0,30}){2}|\S{0,12}\d\d:\d\d:\d\d\s.*\d")
_OPTIONS = re.compile(
    r"\b(?:as|of|between|into|from|labels?|categor\w{1,4}|topics?|best|list)\b[^.\n]{0,40}?[:\[(]?"
    r"\s?\w{1,20}, [\w /]{1,20}(?:,| or |\bo\b|\])"
)
_CHOICE = re.compile(r"\w or \w[^.?!\n]{0,40}\?")
_ASKS = re.compile(
    r"\W{0,2}(?:what|who|whose|when|where|which|is|are|was|does|did|has|can a"
    r"|how (?:many|much|far|tall|old|long|high|deep|big|fast))\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(r"\d+|\b(?:two|three|four|five|six|half|twice|third|each|all|some|every|than)\b", re.IGNORECASE)
_EQUATION = re.compile(r"\b[a-z0-9)]\s?[-+*/^]\s?[a-z0-9(]\S{0,20}\s?=|=\s?-?\d{1,9}\s?[a-z]\b", re.IGNORECASE)
_PAIR = re.compile(r"\b([A-Za-z]{4,12})\s{0,2}(?:->|=>|→)\s{0,2}([A-Za-z]{4,12})\b")


def shape(excerpt: Excerpt) -> Iterator[tuple[Meaning, float]]:
    """What each sign in the shape of a prompt votes for, and how strongly, on the scale of the cues."""
    yield from _pictures(excerpt)
    yield from _code(excerpt)
    yield from _passages(f"{excerpt.system.text}\n{excerpt.raw}", 1.0)
    if excerpt.is_follow_up:
        yield from _passages(excerpt.earlier_raw, _FOLLOW_UP_WEIGHT)
    yield from _links(excerpt.raw)
    yield from _form(excerpt.raw)
    yield from _options(excerpt)
    yield from _question(excerpt)
    yield from _problem(excerpt)


def _pictures(excerpt: Excerpt) -> Iterator[tuple[Meaning, float]]:
    if excerpt.has_image:
        yield TaskType.VISION, 14.0
    elif excerpt.has_earlier_image:
        yield TaskType.VISION, 3.0


def _code(excerpt: Excerpt) -> Iterator[tuple[Meaning, float]]:
    if has_any(_TRACE_MARKS, excerpt.raw):
        yield TaskType.REASONING, 5.0
        yield Sign.TECHNICAL, 3.0
        yield Sign.DEMANDING, 3.0
    if excerpt.has_code:
        yield Sign.TECHNICAL, 3.0
        yield TaskType.REASONING, 1.0
        yield TaskType.CODE_GENERATION, 1.5
        yield TaskType.TESTING, 0.5
        yield TaskType.DOCUMENTATION, 0.5
    elif "```" in excerpt.earlier_raw:
        yield Sign.TECHNICAL, 3.0
        yield TaskType.CODE_GENERATION, 1.0


def _passages(text: str, weight: float) -> Iterator[tuple[Meaning, float]]:
    """Passages that were retrieved before, and the question about them."""
    if not has_any(_PASSAGE_SIGNS, text):
        return
    lines = _lines(text)
    lowered = text.lower()
    is_marked = has_any(_TAG_MARKS, lowered) or any(_PASSAGE_LABEL.match(line) for line in lines)
    if is_marked:
        yield TaskType.RAG, 2.5 * weight
    if is_marked and "?" in text:
        yield TaskType.RAG, 1.0 * weight
    if any(_QUESTION_LABEL.match(line) for line in lines):
        yield (TaskType.RAG if is_marked else TaskType.SIMPLE_QA), 2.0 * weight
    if sum(_REFERENCE.match(line) is not None for line in lines) > 1:
        yield TaskType.RAG, 1.5 * weight


def _lines(text: str) -> list[str]:
    """The lines of a text that say something, as many as need to be seen from its start and from its end."""
    lines = [line for line in text.split("\n") if line]
    return lines if len(lines) <= 2 * _LINES else lines[:_LINES] + lines[-_LINES:]


def _links(text: str) -> Iterator[tuple[Meaning, float]]:
    if "://" not in text:
        return
    if any(ending in text for ending in _PICTURE_ENDINGS):
        yield TaskType.VISION, 3.0
    else:
        yield TaskType.WEB_SEARCH, 5.0


def _form(text: str) -> Iterator[tuple[Meaning, float]]:
    if "\n" in text and sum(_TABLE_ROW.match(line) is not None for line in _lines(text)) > 1:
        yield TaskType.ANALYSIS, 1.5
    if has_any(_ARROWS, text) and any(_is_pair(match) for match in _PAIR.finditer(text)):
        yield TaskType.TRANSLATION, 5.0


def _options(excerpt: Excerpt) -> Iterator[tuple[Meaning, float]]:
    """Labels to choose from, in the message or the system's, and a choice that is put before a quotation."""
    if any("," in text and _OPTIONS.search(text, 0, _OPTIONS_WITHIN_CHARACTERS) for text in _texts(excerpt)):
        yield TaskType.CLASSIFICATION, 1.5
    if excerpt.has_quotation and any(_CHOICE.search(segment.text) for segment in excerpt.segments):
        yield TaskType.CLASSIFICATION, 2.5


def _texts(excerpt: Excerpt) -> tuple[str, str]:
    return excerpt.raw, excerpt.system.text


def _is_pair(match: re.Match[str]) -> bool:
    return match[1].lower() in LANGUAGES and match[2].lower() in LANGUAGES


def _question(excerpt: Excerpt) -> Iterator[tuple[Meaning, float]]:
    """A short question that opens like one usually wants a fact."""
    if excerpt.characters > _SHORT_QUESTION_CHARACTERS or not excerpt.segments:
        return
    if _ASKS.match(excerpt.segments[0].text):
        yield TaskType.SIMPLE_QA, 1.5 * (1.0 - excerpt.characters / (2 * _SHORT_QUESTION_CHARACTERS))


def _problem(excerpt: Excerpt) -> Iterator[tuple[Meaning, float]]:
    """Statements with quantities in them and a question after them are a problem to be worked out."""
    text = excerpt.raw.rstrip()
    if len(text) > _PROBLEM_CHARACTERS or excerpt.has_code:
        return
    if "=" in text and _EQUATION.search(text):
        yield TaskType.REASONING, 2.5
    if text.endswith("?") and any(end in text for end in (". ", ", ", "; ", ".\n")):
        yield TaskType.REASONING, 1.0 + (2.0 if len(_QUANTITY.findall(text)) >= _QUANTITIES else 0.0)

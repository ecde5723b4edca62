"""Cues in a form that is fast to search: one dictionary look-up a word, the longest phrase first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from router_service.core.inference.chinese_words import CHINESE_WORDS
from router_service.core.inference.cues import LANGUAGES, MODIFIERS, POLITE, Meaning, Sign, phrases
from router_service.core.inference.excerpt import Segment
from router_service.core.inference.sign_words import SIGN_WORDS
from router_service.core.inference.task_words import TASK_WORDS
from router_service.core.task import TaskType

_WORD = re.compile(r"\w+(?:'\w+)?[+#]*")
_LEAD_FACTOR = 1.3
_HALVING_WORDS = 14.0
_CHARACTERS_PER_WORD = 2
_GOVERNING_VOTE = 3.5
_GOVERNED_FACTOR = 0.6
_WORDS_LOOKED_AHEAD = 10


class Tally:
    """How strongly each meaning was found so far. A phrase counts once, so read what weighs most first."""

    __slots__ = ("_governs", "_seen", "strengths")

    def __init__(self) -> None:
        self.strengths: dict[str, float] = dict(_NOTHING)
        self._seen: set[_Cue] = set()
        self._governs = ""

    def read(self, segment: Segment) -> None:
        """Count the cues of a segment: what opens it names its purpose, and what comes later says less and less.

        The decay is for tasks alone; a technical word is as technical at the end. A strong verb that opens an
        instruction governs it: in "condense the changelog" the changelog is what is condensed.
        """
        if not segment.text:
            return
        self._read_words(_words(segment.text), segment.weight)
        if not segment.text.isascii():
            self._read_chinese(segment)

    def _read_words(self, words: list[str], weight: float) -> None:
        position, passed, end = 0, 0, 0
        find = _longest if MODIFIERS.isdisjoint(words) else _longest_through_modifiers
        for at in [at for at, word in enumerate(words) if word in _CUES]:
            cue, after = find(words, at) if at >= end else (None, end)
            if cue is not None:
                position += len([word for word in words[passed:at] if word not in POLITE])
                self._count(cue, weight, position)
                if after > at + 1 + len(cue.rest):
                    self._count_modifiers(words[at + 1 : after], weight, position)
                passed, end = at, after

    def _count_modifiers(self, words: list[str], weight: float, position: int) -> None:
        """Those that stand inside a phrase: "simple" still says that it is easy."""
        for cue in [_CUES[word][""][0] for word in words if word in MODIFIERS and "" in _CUES.get(word, ())]:
            self._count(cue, weight, position)

    def _read_chinese(self, segment: Segment) -> None:
        for match in _CHINESE.finditer(segment.text):
            self._count(_CHINESE_CUES[match[0]], segment.weight, match.start() // _CHARACTERS_PER_WORD)

    def _count(self, cue: _Cue, weight: float, position: int) -> None:
        if cue in self._seen:
            return
        self._seen.add(cue)
        strength = weight * _LEAD_FACTOR / (1.0 + position / _HALVING_WORDS)
        for name, vote in cue.tasks:
            self.strengths[name] += vote * strength * (1.0 if self._governs in ("", name) else _GOVERNED_FACTOR)
            if position == 0 and vote >= _GOVERNING_VOTE and weight == 1.0:
                self._governs = name
        for name, vote in cue.signs:
            self.strengths[name] += vote * weight


@dataclass(frozen=True, slots=True, eq=False)
class _Cue:
    """The rest of a phrase after its first word, and what the whole of it votes for, by the meanings' values."""

    rest: tuple[str, ...]
    tasks: tuple[tuple[str, float], ...]
    signs: tuple[tuple[str, float], ...]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


def _longest(words: list[str], at: int) -> tuple[_Cue | None, int]:
    """The longest phrase that starts at a word, found by the word that follows, "" standing for the word alone; and
    the place after it.
    """
    phrases_by_next = _CUES[words[at]]
    following = words[at + 1] if at + 1 < len(words) else ""
    for cue in phrases_by_next.get(following, ()):
        if tuple(words[at + 1 : at + 1 + len(cue.rest)]) == cue.rest:
            return cue, at + 1 + len(cue.rest)
    alone = phrases_by_next.get("")
    return (alone[0] if alone else None), at + 1


def _longest_through_modifiers(words: list[str], at: int) -> tuple[_Cue | None, int]:
    """The same, also with modifiers left out between the words of a phrase, where that makes a longer one."""
    cue, after = _longest(words, at)
    near = range(at + 1, min(len(words), at + _WORDS_LOOKED_AHEAD))
    places = [at, *(place for place in near if words[place] not in MODIFIERS)]
    other, size = _longest([words[place] for place in places], 0)
    if other is None or (cue is not None and len(other.rest) <= len(cue.rest)):
        return cue, after
    return other, places[size - 1] + 1


def _translations() -> Iterator[tuple[str, Meaning, float]]:
    for language in sorted(LANGUAGES):
        for preposition, weight in (("into", 3.5), ("to", 3.0), ("in", 2.0)):
            yield f"{preposition} {language}", TaskType.TRANSLATION, weight
        yield f"{language} word for", TaskType.TRANSLATION, 4.0


def _compiled() -> Mapping[str, Mapping[str, tuple[_Cue, ...]]]:
    """Every phrase under its first two words, the longest first. A phrase keeps the signs of the words in it."""
    votes: dict[tuple[str, ...], list[tuple[Meaning, float]]] = defaultdict(list)
    for phrase, meaning, weight in chain(phrases(TASK_WORDS), phrases(SIGN_WORDS), _translations()):
        votes[tuple(_words(phrase))].append((meaning, weight))
    cues: dict[str, dict[str, tuple[_Cue, ...]]] = defaultdict(dict)
    for (first, *rest), meant in sorted(votes.items(), key=lambda item: -len(item[0])):
        inherited = [vote for word in (first, *rest) for vote in _signs(votes, word)] if rest else []
        following = rest[0] if rest else ""
        cue = _cue(tuple(rest), (*meant, *inherited))
        cues[first][following] = (*cues[first].get(following, ()), cue)
    return cues


def _signs(votes: Mapping[tuple[str, ...], list[tuple[Meaning, float]]], word: str) -> list[tuple[Meaning, float]]:
    return [vote for vote in votes.get((word,), ()) if isinstance(vote[0], Sign)]


def _compiled_chinese() -> Mapping[str, _Cue]:
    votes: dict[str, list[tuple[Meaning, float]]] = defaultdict(list)
    for phrase, meaning, weight in phrases(CHINESE_WORDS):
        votes[phrase].append((meaning, weight))
    return {phrase: _cue((), tuple(meant)) for phrase, meant in votes.items()}


def _cue(rest: tuple[str, ...], votes: tuple[tuple[Meaning, float], ...]) -> _Cue:
    return _Cue(
        rest=rest,
        tasks=tuple((meaning.value, weight) for meaning, weight in votes if isinstance(meaning, TaskType)),
        signs=tuple((meaning.value, weight) for meaning, weight in votes if isinstance(meaning, Sign)),
    )


_NOTHING: Mapping[str, float] = {meaning.value: 0.0 for meaning in (*TaskType, *Sign)}
_CUES = _compiled()
_CHINESE_CUES = _compiled_chinese()
_CHINESE = re.compile("|".join(sorted(_CHINESE_CUES, key=len, reverse=True)))

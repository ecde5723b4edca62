"""The text of an answer: recognisable sentences that depend only on the prompt and the seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from zlib import crc32

import msgspec

from router_service.core.settings import MIB

_FRAGMENT = 8
_BLOCK = b"x" * (16 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool that the model wants called, with its arguments as JSON."""

    name: str
    arguments: str

    def fragments(self) -> Sequence[str]:
        """The arguments in the pieces in which they are streamed, a token each."""
        return [self.arguments[i : i + _FRAGMENT] for i in range(0, len(self.arguments), _FRAGMENT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The tokens of one answer, twice: as UTF-8 text, and as they stand inside a JSON string.

    `thoughts` come before it, one word of plain letters each; `signature` is what the provider wants back with them.
    """

    texts: Sequence[bytes]
    quoted: Sequence[bytes]
    finish_reason: str
    thoughts: tuple[bytes, ...] = ()
    signature: str = ""
    calls: tuple[Call, ...] = ()

    @property
    def tokens(self) -> int:
        """All that the vendor bills as output."""
        return len(self.thoughts) + len(self.texts) + sum(len(call.fragments()) for call in self.calls)


def write_answer(prompt: str, *, seed: int, limit: int | None, length: int, remarks: tuple[bytes, ...] = ()) -> Answer:
    """Return an answer of `length` tokens, or of `limit` tokens if that is less.

    The first token carries a number made from the prompt and the seed, so that answers to different prompts are not
    mistaken for each other; `remarks` follow it. A prompt with the word `unicode` gets letters beyond ASCII, CJK,
    U+2028 and escapes.
    """
    if limit == 0:
        return Answer(texts=(), quoted=(), finish_reason="length")
    count = length if limit is None else min(limit, length)
    mark = crc32(prompt.encode("utf-8", "replace"), seed & 0xFFFFFFFF)
    ring = _UNICODE if "unicode" in prompt.lower() else _PLAIN
    opening = b"Reply %08x:" % mark
    return Answer(
        texts=_around((opening, *remarks), ring.texts, mark, count),
        quoted=_around((opening, *remarks), ring.quoted, mark, count),
        finish_reason="stop" if limit is None or length <= limit else "length",
    )


def write_document(text: str, *, limit: int | None) -> Answer:
    """Return `text`, which is JSON in ASCII, in tokens of a few characters, at most `limit` of them."""
    pieces = [text[i : i + _FRAGMENT] for i in range(0, len(text), _FRAGMENT)]
    kept = pieces if limit is None else pieces[:limit]
    return Answer(
        texts=tuple(piece.encode() for piece in kept),
        quoted=tuple(json.dumps(piece)[1:-1].encode() for piece in kept),
        finish_reason="stop" if len(kept) == len(pieces) else "length",
    )


def write_line(mebibytes: int) -> Answer:
    """Return an answer whose only token has that many MiB."""
    line = (b"x" * (mebibytes * MIB),)
    return Answer(texts=line, quoted=line, finish_reason="stop")


def write_bulk(mebibytes: int) -> Answer:
    """Return an answer of that many MiB in tokens of 16 KiB, which all share one block of memory."""
    blocks = tuple(repeat(_BLOCK, mebibytes * MIB // len(_BLOCK)))
    return Answer(texts=blocks, quoted=blocks, finish_reason="stop")


def _around(opening: Sequence[bytes], ring: Sequence[bytes], mark: int, count: int) -> Sequence[bytes]:
    start = mark % len(ring)
    rounds = (count + start) // len(ring) + 1
    return [*opening, *(list(ring) * rounds)[start : start + count - 1]][:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ring:
    texts: Sequence[bytes]
    quoted: Sequence[bytes]


# One token is a word with the space before it; of the ideographs, each is a token.
_TOKENS = re.compile("\\s*(?:[\u3040-\u9fff]|[^\\s\u3040-\u9fff]+)")

_SENTENCES = (
    " The signal at the north box shows clear, so the express may pass. A goods train waits in the loop until the line"
    " ahead is free. Every lever is numbered, and every pull is written in the book. When two trains ask for one"
    " junction, the earlier bell decides. The driver reads the arm by day and the lamp by night. Nothing moves on a"
    " word that was not repeated back."
)

_FAR_SENTENCES = (
    " Der Wärter in Zürich grüßt den Führer, und le mécanicien répète l'ordre à voix haute."
    " 列車は次の駅で停まります。信号は青です。 Ο σταθμός είναι ανοιχτός. Потяг прибуває вчасно."
    "\u2028A line separator stands before this sentence. 🚂 pulls 🚃🚃,"
    ' "right away", says the guard \\ and\nthe bell rings.'
)


def _ring(text: str, *, is_escaped_in_turn: bool) -> _Ring:
    words = _TOKENS.findall(text)
    # Vendors differ in what they escape, so every second token of the far sentences is escaped down to ASCII.
    quoted = [
        json.dumps(word)[1:-1].encode() if is_escaped_in_turn and number % 2 else msgspec.json.encode(word)[1:-1]
        for number, word in enumerate(words)
    ]
    return _Ring(texts=tuple(word.encode() for word in words), quoted=tuple(quoted))


_PLAIN = _ring(_SENTENCES, is_escaped_in_turn=False)
_UNICODE = _ring(_FAR_SENTENCES, is_escaped_in_turn=True)

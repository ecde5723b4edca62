"""Text that goes on where other text broke off, freed of what it repeats."""

from __future__ import annotations

TELLING_CHARACTERS = 20
"""A shorter stretch that stands at the end of one text and the beginning of the other may do so by chance."""


PARAGRAPH = "\n\n"
LONG_CHARACTERS = 60
"""A phrase of this length that stands inside a text is said again by who says the text again; a shorter one also by
who goes on with it, such as the rows of a table.
"""


class DivergedError(Exception):
    """A continuation says again what was delivered, and then goes on in another way: it cannot be joined."""


class Splice:
    """What of a continuation is new. It may begin with all of `delivered` again, or with its last stretch; both are
    left out, also where they differ in white space. Text is held back for as long as it may turn out to be such a
    repetition.

    Whether a continuation repeats the whole of a very short text, or only begins like it, cannot be told: it is taken
    for a repetition, since nothing may be delivered twice.
    """

    __slots__ = ("_at", "_delivered", "_held", "_is_through", "_squeezed_delivered", "_squeezed_held")

    def __init__(self, delivered: str) -> None:
        self._delivered, self._squeezed_delivered = delivered, _squeezed(delivered)
        self._held = self._squeezed_held = ""
        self._at = 0
        self._is_through = not delivered

    def feed(self, text: str) -> str:
        """As much of the text so far as is surely new and was not given out before. Raises DivergedError."""
        if self._is_through:
            return text
        self._held += text
        self._squeezed_held += _squeezed(text)
        self._at = self._squeezed_delivered.find(self._squeezed_held, self._at)
        return "" if self._at >= 0 else self.rest()

    def rest(self) -> str:
        """What was held back and is new after all; nothing is held back any more. Raises DivergedError."""
        self._is_through = True
        held, squeezed = self._held, self._squeezed_held
        self._held = self._squeezed_held = ""
        if repeated := _repeated(held, self._delivered):
            return held[repeated:]
        if repeated := _repeated(squeezed, self._squeezed_delivered):
            rest = _after(held, repeated)
            return rest.lstrip() if self._delivered[-1].isspace() else rest
        paragraph = self._delivered.rstrip().rpartition(PARAGRAPH)[2]
        if _begins_anew(held, self._delivered, paragraph):
            raise DivergedError
        if _begins_anew(squeezed, self._squeezed_delivered, _squeezed(paragraph)):
            raise DivergedError
        return held


def _repeated(text: str, delivered: str) -> int:
    """How many characters at the beginning of `text` are not new."""
    if text.startswith(delivered):
        return len(delivered)
    if len(text) < TELLING_CHARACTERS:
        return 0
    if delivered.startswith(text):
        return len(text)  # it began anew and came to its end sooner
    beginning = text[:TELLING_CHARACTERS]
    at = delivered.find(beginning, max(0, len(delivered) - len(text)))
    while at >= 0:
        if text.startswith(delivered[at:]):
            return len(delivered) - at
        at = delivered.find(beginning, at + 1)
    return 0


def _begins_anew(text: str, delivered: str, last_paragraph: str) -> bool:
    """Whether who wrote `text` said it all again, or the last paragraph, or so much of what lies between that chance
    and a text's own repetitions do not explain it.
    """
    if len(text) >= LONG_CHARACTERS and text[:LONG_CHARACTERS] in delivered:
        return True
    beginning = text[:TELLING_CHARACTERS]
    return len(text) >= TELLING_CHARACTERS and (delivered.startswith(beginning) or last_paragraph.startswith(beginning))


def _squeezed(text: str) -> str:
    """Without its white space."""
    return "".join(text.split())


def _after(text: str, count: int) -> str:
    """What follows the first `count` characters that are no white space."""
    places = (place for place, character in enumerate(text) if not character.isspace())
    last = next(place for number, place in enumerate(places, start=1) if number == count)
    return text[last + 1 :]

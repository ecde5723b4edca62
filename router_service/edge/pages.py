"""Lists in pages: how many entries one holds, and the token with which the next one goes on."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from router_service.core.errors import Violation

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 1000
MARK_BYTES = 8
MAX_TOKEN_CHARACTERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """At most `size` entries that come after the key `after`, which is empty on the first page.

    It names the last entry and not a number of entries, so that what is added or removed in between shifts nothing.
    """

    size: int
    after: str
    mark: bytes
    """Stands for all else that the request asks, so that a token of another request is known for one."""

    def token(self, last: str) -> str:
        """The token of the page that follows the entry with this key."""
        return urlsafe_b64encode(self.mark + last.encode()).decode()


def objections(page_size: int) -> Iterator[Violation]:
    """What is wrong with a page's size."""
    if not 0 <= page_size <= MAX_PAGE_SIZE:
        yield Violation("page_size", f"is {page_size}; must be 0 to {MAX_PAGE_SIZE}")


def read(page_size: int, token: str, *, question: str) -> Page | None:
    """The page that a token asks for; None where the token is not from an answer to the same `question`."""
    mark = sha256(question.encode()).digest()[:MARK_BYTES]
    size = page_size or DEFAULT_PAGE_SIZE
    if not token:
        return Page(size=size, after="", mark=mark)
    if len(token) > MAX_TOKEN_CHARACTERS:
        return None
    try:
        decoded = urlsafe_b64decode(token.encode("ascii"))
        after = decoded[MARK_BYTES:].decode()
    except (binascii.Error, ValueError):
        return None
    return Page(size=size, after=after, mark=mark) if decoded[:MARK_BYTES] == mark and after else None

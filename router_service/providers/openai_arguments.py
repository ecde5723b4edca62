"""The arguments of a tool's call as a stream brings them, and whether they are a whole JSON object by now."""

from __future__ import annotations

import re

_MARKS = re.compile(r"""\\.|["{}\[\]]""", re.DOTALL)
"""An escaped character, or one that opens or closes something."""


class Arguments:
    """Reads each piece at most once, and only when somebody asks: most streams name their calls so well that nobody
    does.
    """

    __slots__ = ("_depth", "_is_in_string", "_pieces", "_read", "_rest")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._read = 0
        self._rest = ""
        self._depth = 0
        self._is_in_string = False

    def add(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)

    @property
    def are_blank(self) -> bool:
        return not any(map(str.strip, self._pieces))

    def are_whole(self) -> bool:
        """Whether all that was opened is closed. What is no JSON at all may be taken for an object, or never be one."""
        for piece in self._pieces[self._read :]:
            self._scan(self._rest + piece)
        self._read = len(self._pieces)
        return not self.are_blank and not self._depth and not self._is_in_string and not self._rest

    def are(self, text: str) -> bool:
        return sum(map(len, self._pieces)) == len(text) and "".join(self._pieces) == text

    def _scan(self, text: str) -> None:
        """The backslash at a piece's end escapes what the next one begins with."""
        end = 0
        for mark in _MARKS.finditer(text):
            end = mark.end()
            match mark[0]:
                case '"':
                    self._is_in_string = not self._is_in_string
                case "{" | "[" if not self._is_in_string:
                    self._depth += 1
                case "}" | "]" if not self._is_in_string:
                    self._depth -= 1
        self._rest = "\\" if text.endswith("\\") and end < len(text) else ""

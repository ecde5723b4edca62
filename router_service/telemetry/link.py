"""Whether a way out of the process works. It logs a change, never a try."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class Link:
    """`what` names the way, for people. Used from the one thread that sends."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.is_lost = False

    def told(self, *, is_taken: bool) -> None:
        """Something was sent; whether it was taken."""
        if is_taken and self.is_lost:
            logger.info("%s: up again", self._what)
        elif not is_taken and not self.is_lost:
            logger.warning("%s: lost; everything else goes on, and it is tried again", self._what)
        self.is_lost = not is_taken

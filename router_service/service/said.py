"""What a stream says to its caller besides its text: where it begins, and where it goes on after a break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from router_service.core.attempt import Answer, Attempt
from router_service.core.catalog import Target
from router_service.core.chat import Delta


@dataclass(frozen=True, slots=True)
class Started:
    """The first thing a stream says: which target it comes from, and the attempts that failed before it."""

    target: Target
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """The attempt under way broke after something had been delivered, and Resumed follows."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Resumed:
    """Another target goes on from the text so far. Targets are by id."""

    from_target: str
    to_target: str
    delivered_characters: int


Said: TypeAlias = Started | Delta | Broken | Resumed | Answer
"""Started Delta* (Broken Resumed Delta*)* Answer."""

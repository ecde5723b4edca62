"""How little a model can be asked for: a ladder of recipes, each more generous than the one before."""

from __future__ import annotations

from dataclasses import dataclass

from router_service.core.catalog import Model
from router_service.core.chat import Generation, Message, Prompt, Role

QUESTION = "Reply with the single word: ok"
LEAST_INPUT_TOKENS, MOST_INPUT_TOKENS = 16, 256
"""What the question may be billed as, with whatever a vendor puts around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to ask for next to nothing."""

    max_output_tokens: int
    reasoning_effort: str = ""

    def prompt(self) -> Prompt:
        generation = Generation(max_output_tokens=self.max_output_tokens, reasoning_effort=self.reasoning_effort)
        return Prompt(messages=(Message(role=Role.USER, content=QUESTION),), generation=generation)


LADDER = (
    Recipe(max_output_tokens=1),
    Recipe(max_output_tokens=16),
    Recipe(max_output_tokens=64, reasoning_effort="minimal"),
    Recipe(max_output_tokens=64, reasoning_effort="none"),
    Recipe(max_output_tokens=256, reasoning_effort="low"),
    Recipe(max_output_tokens=1024),
)
"""Some models refuse a limit of one token, or answer nothing within it. Those that reason spend their limit on thoughts
first, unless they are told to be brief about it, which each understands in a word of its own; the last resort is room.
"""

FIRST_FOR_REASONING = 2


def first_rung(model: Model) -> int:
    """Where on the ladder to begin with a model of which nothing is known but the catalogue's word."""
    return FIRST_FOR_REASONING if "reasoning" in model.capabilities else 0

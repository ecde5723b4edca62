"""Where a provider departs from the dialect that it speaks: what is sent to it is spelt accordingly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OutputLimitField(Enum):
    """The field of a request that bounds the answer's length. Many providers pass over the one they do not know."""

    MAX_COMPLETION_TOKENS = "max_completion_tokens"
    MAX_TOKENS = "max_tokens"
    BOTH = "both"


class SeedField(Enum):
    """The field of a request that holds the seed; NONE where the provider takes none."""

    SEED = "seed"
    RANDOM_SEED = "random_seed"
    NONE = "none"


class ToolCallIds(Enum):
    """The ids of tool calls that a provider takes back: any, or those of nine letters and digits alone."""

    ANY = "any"
    NINE_CHARACTERS = "nine_characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviations:
    """A provider's own spelling of OpenAI's dialect; the defaults are OpenAI's."""

    output_limit_field: OutputLimitField = OutputLimitField.MAX_COMPLETION_TOKENS
    seed_field: SeedField = SeedField.SEED
    asks_for_stream_usage: bool = True
    fetches_images: bool = True
    """Whether it fetches a picture from the address that a prompt names."""
    minds_tool_choice: bool = True
    """False where it passes over what is said of whether and which tool has to be called."""
    has_json_object: bool = True
    """False where any JSON object has to be asked for by a schema that every object follows."""
    wants_reasoning_back: bool = False
    """Whether each of a model's turns has to come back with what it thought."""
    tool_call_ids: ToolCallIds = ToolCallIds.ANY

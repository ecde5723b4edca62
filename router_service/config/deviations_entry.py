"""How a provider departs from the dialect that it speaks, as it stands in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from router_service.config.fields import Section
from router_service.core.deviations import Deviations, OutputLimitField, SeedField


class DeviationsEntry(Section):
    """Where a provider takes OpenAI's dialect otherwise than OpenAI does."""

    output_limit_field: Literal["max_completion_tokens", "max_tokens", "both"] = Field(
        default="max_completion_tokens",
        description="The field by which it takes the longest answer; many know only `max_tokens`.",
        examples=["max_tokens"],
    )
    seed_field: Literal["seed", "random_seed", "none"] = Field(
        default="seed", description="The field by which it takes a seed; with `none` it is sent none."
    )
    stream_usage: bool = Field(
        default=True,
        description="Whether a stream has to ask for its usage, by `stream_options`; some refuse or do not know that.",
    )

    def deviations(self) -> Deviations:
        """The deviations that the entry stands for."""
        return Deviations(
            output_limit_field=OutputLimitField(self.output_limit_field),
            seed_field=SeedField(self.seed_field),
            asks_for_stream_usage=self.stream_usage,
        )

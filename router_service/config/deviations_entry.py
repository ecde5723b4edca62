"""How a provider departs from the dialect that it speaks, as it stands in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from router_service.config.fields import Section
from router_service.core.deviations import Deviations, OutputLimitField, SeedField, ToolCallIds


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
    image_uri: bool | None = Field(
        default=None,
        description="Whether it fetches pictures by their address; without it, all do but those of the tier `local`, "
        "which would fetch from inside the operator's network.",
        examples=[False],
    )
    tool_choice: bool = Field(
        default=True, description="Whether it minds `tool_choice`; with `false`, no tool can be forced."
    )
    json_object: bool = Field(
        default=True,
        description="Whether it knows the form `json_object`; with `false`, it is asked for one by a schema.",
    )
    reasoning_back: bool = Field(
        default=False,
        description="Whether each of the model's turns has to come back with its `reasoning_content`.",
    )
    tool_call_ids: Literal["any", "nine_characters"] = Field(
        default="any", description="The ids of tool calls that it takes: any, or those of nine letters and digits."
    )

    def deviations(self, *, is_local: bool) -> Deviations:
        """The deviations that the entry stands for, at a provider that the operator runs or not."""
        return Deviations(
            output_limit_field=OutputLimitField(self.output_limit_field),
            seed_field=SeedField(self.seed_field),
            asks_for_stream_usage=self.stream_usage,
            fetches_images=not is_local if self.image_uri is None else self.image_uri,
            minds_tool_choice=self.tool_choice,
            has_json_object=self.json_object,
            wants_reasoning_back=self.reasoning_back,
            tool_call_ids=ToolCallIds(self.tool_call_ids),
        )

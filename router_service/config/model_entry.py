"""A model as it stands in the file: what it can do, what it costs, and when its provider gives it up."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from router_service.config.choices import Role, Setting, Task, TaskOrDefault
from router_service.config.fields import (
    Aliases,
    Day,
    ModelId,
    Name,
    PositiveSeconds,
    Section,
    Share,
    Tokens,
    TokensPerSecond,
    UsdPerMillion,
)
from router_service.core.catalog import Retired


class RetiredEntry(Section):
    """A model that a provider no longer serves. Who asks for it is told so, and what to ask for instead."""

    id: ModelId = Field(description="The name that the provider knew the model by.", examples=["gpt-last"])
    since: Day = Field(description="The first day on which the provider does not serve it.", examples=["2026-10-23"])
    replacement: ModelId | None = Field(
        default=None,
        description="What to ask for instead: a model's name, an alias or a target, of any provider.",
        examples=["gpt-next"],
    )

    def retired(self) -> Retired:
        """The model that the entry stands for."""
        return Retired(id=self.id, since=date.fromisoformat(self.since), replacement=self.replacement or "")


class LongContextEntry(Section):
    """What a long prompt makes of the prices: they hold for the whole request. What is left out is unknown."""

    from_input_tokens: Tokens = Field(description="The prompt's length from which on they hold.", examples=[200000])
    input: UsdPerMillion | None = Field(default=None, description="Price of the prompt's tokens.", examples=[4])
    output: UsdPerMillion | None = Field(default=None, description="Price of the answer's tokens.", examples=[15])
    cached_input: UsdPerMillion | None = Field(
        default=None, description="Price of prompt tokens that the provider had cached.", examples=[0.2]
    )
    cache_write: UsdPerMillion | None = Field(
        default=None, description="Price of prompt tokens that the provider writes to its cache.", examples=[5]
    )


class PricesEntry(Section):
    """What a model's tokens cost, in USD per million. A price that is left out is unknown, which is not free."""

    input: UsdPerMillion | None = Field(default=None, description="Price of the prompt's tokens.", examples=[0.15])
    output: UsdPerMillion | None = Field(default=None, description="Price of the answer's tokens.", examples=[0.6])
    cached_input: UsdPerMillion | None = Field(
        default=None,
        description="Price of prompt tokens that the provider had cached; without it they cost as much as others.",
        examples=[0.075],
    )
    cache_write: UsdPerMillion | None = Field(
        default=None,
        description="Price of prompt tokens that the provider writes to its cache; else they cost as much as others.",
        examples=[0.1875],
    )
    long_context: LongContextEntry | None = Field(
        default=None,
        description="Other prices for long prompts.",
        examples=[{"from_input_tokens": 200000, "input": 4, "output": 15}],
    )


class SpeedEntry(Section):
    """How fast something usually is, until it is measured. What is left out is taken from the wider entry."""

    first_token_s: PositiveSeconds | None = Field(
        default=None, description="The median time to the first token.", examples=[0.2]
    )
    first_token_p90_s: PositiveSeconds | None = Field(
        default=None, description="What nine in ten first tokens stay under.", examples=[0.5]
    )
    tokens_per_s: TokensPerSecond | None = Field(
        default=None, description="How fast the tokens come then.", examples=[500]
    )


class ModelEntry(Section):
    """A model that a provider offers."""

    id: ModelId = Field(description="The name that the provider knows the model by.", examples=["openai/gpt-oss-120b"])
    alias: Aliases = Field(
        default=[],
        description="Other names that callers may ask for, one or a list; several targets may share one.",
        examples=["fast"],
    )
    kind: Literal["chat", "embedding"] = Field(default="chat", description="Whether it makes text or vectors.")
    enabled: bool = Field(default=True, description="Whether it may be used.")
    roles: list[Role] = Field(
        default=[],
        description="What the model is meant for; one for another complexity matches a task half as well.",
        examples=[["default"]],
    )
    tasks: dict[Task, Share] = Field(
        default={},
        description="How well the model suits each task; with any, it suits the others not at all.",
        examples=[{"chat": 0.7}],
    )
    quality: dict[TaskOrDefault, Share] = Field(
        default={},
        description="The quality to expect for each task, and for all others as `default`, until answers are rated.",
        examples=[{"default": 0.8, "rag": 0.85}],
    )
    capabilities: list[Name] = Field(
        default=[],
        description="What the model can do beyond plain chat: `tools`, `vision`, `json_schema`, `json_object`, "
        "`reasoning`, or a name of your own that callers ask for.",
        examples=[["tools", "json_schema"]],
    )
    rejects: list[Setting] = Field(
        default=[],
        description="What the model refuses to be told: it is left out, or by `routing.unsupported_fields` the model "
        "is passed over; `reasoning_off` is the effort `none`. Whoever forces a tool is never sent to one that rejects "
        "`forced_tool_choice`, nor a prompt that ends with an assistant's message to one that rejects "
        "`assistant_prefill`.",
        examples=[["temperature", "top_p"]],
    )
    context: Tokens | None = Field(
        default=None,
        description="The window that prompt and answer share; without it, it is unknown.",
        examples=[131072],
    )
    max_output: Tokens | None = Field(default=None, description="The longest answer.", examples=[32768])
    prices: PricesEntry = Field(
        default=PricesEntry(),
        description="List prices, which order the targets and make the bill.",
        examples=[{"input": 0.15, "output": 0.6}],
    )
    speed: SpeedEntry = Field(
        default=SpeedEntry(), description="How fast it usually is.", examples=[{"first_token_s": 0.2}]
    )
    retires: Day | None = Field(
        default=None, description="The first day on which the provider no longer serves it.", examples=["2027-01-31"]
    )
    replacement: ModelId | None = Field(
        default=None, description="The model of the same provider that takes its place then.", examples=["gpt-next"]
    )

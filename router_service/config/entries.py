"""Providers and their models as they stand in the file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from router_service.config.fields import (
    Aliases,
    BaseUrl,
    Concurrency,
    EnvironmentNames,
    ModelId,
    Name,
    PositiveSeconds,
    Section,
    Share,
    Text,
    Tokens,
    Unbuilt,
    UsdPerMillion,
)
from router_service.core.catalog import Timeouts

# The defaults stand once, in core.
_TIMEOUTS = Timeouts()

Task = Literal[
    "chat",
    "reasoning",
    "code_generation",
    "classification",
    "embedding",
    "summarization",
    "rag",
    "vision",
    "web_search",
    "creative_writing",
    "translation",
    "analysis",
    "simple_qa",
    "testing",
    "documentation",
    "general",
]


class PricesEntry(Section):
    """What a model's tokens cost, in USD per million. A price that is left out is unknown, which is not free."""

    input: UsdPerMillion | None = Field(default=None, description="Price of the prompt's tokens.", examples=[0.15])
    output: UsdPerMillion | None = Field(default=None, description="Price of the answer's tokens.", examples=[0.6])
    cached_input: UsdPerMillion | None = Field(
        default=None,
        description="Price of prompt tokens that the provider had cached; without it they cost as much as others.",
        examples=[0.075],
    )


class ModelEntry(Section):
    """A model that a provider offers."""

    id: ModelId = Field(description="The name that the provider knows the model by.", examples=["openai/gpt-oss-120b"])
    alias: Aliases = Field(
        default=[],
        description="Other names that callers may ask for, one or a list; several targets may share one.",
        examples=["fast"],
    )
    prices: PricesEntry = Field(
        default=PricesEntry(),
        description="List prices, which order the targets and make the bill.",
        examples=[{"input": 0.15, "output": 0.6}],
    )
    context: Annotated[Tokens | None, Unbuilt.WARNED] = Field(
        default=None, description="The context window in tokens.", examples=[131072]
    )
    capabilities: Annotated[list[Name], Unbuilt.WARNED] = Field(
        default=[], description="What the model can do beyond plain chat.", examples=[["tools", "json_schema"]]
    )
    roles: Annotated[list[Literal["default", "complex", "reasoning"]], Unbuilt.WARNED] = Field(
        default=[], description="What the model is meant for.", examples=[["default"]]
    )
    tasks: Annotated[dict[Task, Share], Unbuilt.WARNED] = Field(
        default={}, description="How well the model is suited to each task.", examples=[{"chat": 0.7}]
    )


class TimeoutsEntry(Section):
    """How long one attempt may take. The caller's deadline binds as well."""

    connect: PositiveSeconds = Field(
        default=_TIMEOUTS.connect_s, description="To look the host up, connect and shake hands.", examples=[2]
    )
    first_byte: PositiveSeconds = Field(
        default=_TIMEOUTS.first_byte_s,
        description="From the request to the first event of a streamed answer.",
        examples=[15],
    )
    gap: PositiveSeconds = Field(
        default=_TIMEOUTS.gap_s, description="Between two events of a streamed answer.", examples=[20]
    )
    answer: PositiveSeconds = Field(
        default=_TIMEOUTS.answer_s, description="From the request to the whole of a unary answer.", examples=[120]
    )


class WindowEntry(Section):
    """An amount in a window of time."""

    unit: Name = Field(description="What is counted.", examples=["requests"])
    per: Literal["second", "minute", "hour", "day", "month"] = Field(
        description="The window, which starts anew by itself.", examples=["minute"]
    )
    max: Annotated[int, Field(ge=0, le=10**15)] = Field(description="How many fit into one window.", examples=[30])


class ProviderEntry(Section):
    """An account at someone's API."""

    name: Name = Field(description="What the provider is called in target ids, logs and metrics.", examples=["groq"])
    dialect: Literal["openai"] = Field(
        default="openai", description="The wire format that the provider speaks.", examples=["openai"]
    )
    base_url: BaseUrl = Field(
        description="Where the provider's API begins; http is for private hosts, or where no key is sent.",
        examples=["https://api.example.com/v1"],
    )
    key_env: EnvironmentNames = Field(
        default=[],
        description="Environment variables that may hold the key; the first one set counts.",
        examples=["GROQ_API_KEY"],
    )
    key_file: Text | None = Field(
        default=None,
        description="A file that holds the key, beside this one unless absolute, for when no variable does.",
        examples=["/run/secrets/groq"],
    )
    tier: Literal["local", "fast_cloud", "premium", "gateway"] = Field(
        default="premium", description="What kind of provider it is.", examples=["fast_cloud"]
    )
    timeouts_s: TimeoutsEntry = Field(
        default=TimeoutsEntry(),
        description="How long one attempt may take.",
        examples=[{"first_byte": 15, "answer": 120}],
    )
    models: list[ModelEntry] = Field(
        min_length=1,
        description="The models that the provider is called for.",
        examples=[[{"id": "openai/gpt-oss-120b"}]],
    )
    region: Annotated[Name | None, Unbuilt.WARNED] = Field(
        default=None, description="Where the provider computes.", examples=["eu"]
    )
    compliance: Annotated[list[Literal["gdpr", "eu_data_residency", "soc2", "hipaa"]], Unbuilt.WARNED] = Field(
        default=[], description="What the provider is certified for.", examples=[["gdpr"]]
    )
    limits: Annotated[list[WindowEntry], Unbuilt.WARNED] = Field(
        default=[],
        description="What the provider allows in a window of time.",
        examples=[[{"unit": "requests", "per": "minute", "max": 30}]],
    )
    free: Annotated[WindowEntry | None, Unbuilt.WARNED] = Field(
        default=None,
        description="What the provider gives for nothing in a window of time.",
        examples=[{"unit": "requests", "per": "day", "max": 14400}],
    )
    overflow: Annotated[Literal["stop", "paid"] | None, Unbuilt.WARNED] = Field(
        default=None, description="What happens once the free window is used up.", examples=["stop"]
    )
    max_concurrency: Annotated[Concurrency | None, Unbuilt.WARNED] = Field(
        default=None, description="How many calls may be under way at once.", examples=[50]
    )

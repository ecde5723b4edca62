"""Providers as they stand in the file, each with its models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from router_service.config.choices import Compliance, Dialect, Tier
from router_service.config.deviations_entry import DeviationsEntry
from router_service.config.fields import (
    BaseUrl,
    Concurrency,
    EnvironmentNames,
    Name,
    Percent,
    PositiveSeconds,
    Section,
    Text,
    WebPage,
)
from router_service.config.limit_entry import FreeEntry, LimitEntry
from router_service.config.model_entry import ModelEntry, RetiredEntry, SpeedEntry
from router_service.core.catalog import Timeouts

# The defaults stand once, in core.
_TIMEOUTS = Timeouts()


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


class ProviderEntry(Section):
    """An account at someone's API."""

    name: Name = Field(description="What the provider is called in target ids, logs and metrics.", examples=["groq"])
    enabled: bool = Field(default=True, description="Whether it may be used.")
    dialect: Dialect = Field(
        default="openai",
        description="The wire format that it speaks. Only `openai` is run so far; Route plans for the others too.",
        examples=["openai"],
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
    key_page: WebPage | None = Field(
        default=None,
        description="Where one gets a key, for the line that says that there is none.",
        examples=["https://console.example.com/keys"],
    )
    tier: Tier = Field(default="premium", description="What kind of provider it is.", examples=["fast_cloud"])
    region: Name | None = Field(
        default=None, description="Where the provider computes; `eu-west` is in `eu`.", examples=["eu"]
    )
    compliance: list[Compliance] = Field(
        default=[], description="What the provider is certified for.", examples=[["gdpr"]]
    )
    sla: Percent | None = Field(
        default=None, description="The uptime that a contract promises; without it, there is none.", examples=[99.9]
    )
    open_weights: bool = Field(
        default=False, description="Whether its models are open, as `open_weights` selects them."
    )
    unpriced: bool = Field(default=False, description="Whether nothing that it serves has a price.")
    limits: Annotated[list[LimitEntry], Field(max_length=100)] = Field(
        default=[],
        description="What the provider allows in windows of time.",
        examples=[[{"unit": "requests", "per": "minute", "max": 30}]],
    )
    free: FreeEntry | None = Field(
        default=None,
        description="What the provider gives for nothing in a window of time.",
        examples=[{"unit": "requests", "per": "day", "max": 14400}],
    )
    overflow: Literal["stop", "paid"] = Field(
        default="stop",
        description="What follows once the free window is used up: no calls, or calls at the list price.",
        examples=["stop"],
    )
    pacing: bool = Field(
        default=False, description="Whether its quota is spread over the window instead of being used up first."
    )
    max_concurrency: Concurrency | None = Field(
        default=None, description="How many calls may be under way at each of its targets.", examples=[50]
    )
    speed: SpeedEntry = Field(
        default=SpeedEntry(), description="How fast its models usually are.", examples=[{"first_token_s": 0.2}]
    )
    deviations: DeviationsEntry = Field(
        default=DeviationsEntry(),
        description="Where it takes the dialect otherwise than OpenAI does.",
        examples=[{"output_limit_field": "max_tokens"}],
    )
    timeouts_s: TimeoutsEntry = Field(
        default=TimeoutsEntry(),
        description="How long one attempt may take.",
        examples=[{"first_byte": 15, "answer": 120}],
    )
    models: Annotated[list[ModelEntry], Field(min_length=1, max_length=10_000)] = Field(
        description="The models that the provider is called for.",
        examples=[[{"id": "openai/gpt-oss-120b"}]],
    )
    retired: Annotated[list[RetiredEntry], Field(max_length=10_000)] = Field(
        default=[],
        description="Models that it has given up, for the answer to those who still ask for them.",
        examples=[[{"id": "gpt-last", "since": "2026-10-23", "replacement": "gpt-next"}]],
    )

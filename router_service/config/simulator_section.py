"""The simulated providers' part of the file."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from router_service.config.fields import Concurrency, ModelId, Seconds, Section, Share, Text
from router_service.config.problem import Refusal
from router_service.core.simulation import (
    LATENCIES,
    PROVIDER_FIELDS,
    Behaviour,
    ChangeShape,
    Latency,
    LatencyChange,
    Limit,
    LimitStyle,
    LimitUnit,
    SimulatorSettings,
    WindowLength,
    is_percentile,
)

# The defaults stand once, in core.
_BEHAVIOUR, _SIMULATOR = Behaviour(), SimulatorSettings()

_PERCENTILE = r"p[0-9]{1,3}(\.[0-9]{1,6})?"
_PLAYED = r"\*|[a-z0-9][a-z0-9_-]{0,62}(/[!-~]{1,200})?"


def _checked_percentile(name: str) -> str:
    if not is_percentile(name):
        raise Refusal("is not a percentile", "p0 to p100, such as p50 or p99.9")
    return name


def _checked_played(name: str) -> str:
    if not re.fullmatch(_PLAYED, name):
        raise Refusal("is not a name", "a simulated provider's name, provider/model, or * for all others")
    return name


Percentile = Annotated[
    str, AfterValidator(_checked_percentile), WithJsonSchema({"type": "string", "pattern": f"^{_PERCENTILE}$"})
]
Played = Annotated[
    str, AfterValidator(_checked_played), WithJsonSchema({"type": "string", "pattern": f"^({_PLAYED})$"})
]
Factor = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Amount = Annotated[int, Field(ge=0, le=10**15)]
Rate = Annotated[float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]


class LatencyEntry(Section):
    """A distribution of latencies; each shape has its own keys."""

    shape: Literal["constant", "uniform", "normal", "lognormal", "percentiles"] = Field(
        description="Which distribution it is.", examples=["lognormal"]
    )
    value_s: Seconds | None = Field(default=None, description="constant: what it always is.", examples=[0.5])
    low_s: Seconds | None = Field(default=None, description="uniform: the least.", examples=[0.2])
    high_s: Seconds | None = Field(default=None, description="uniform: the most.", examples=[0.8])
    mean_s: Seconds | None = Field(default=None, description="normal: the middle.", examples=[1.0])
    deviation_s: Seconds | None = Field(
        default=None, description="normal: the standard deviation; what would be below 0 is 0.", examples=[0.2]
    )
    median_s: Seconds | None = Field(default=None, description="lognormal: the middle.", examples=[0.5])
    p95_s: Seconds | None = Field(
        default=None, description="lognormal: what 95 of 100 answers stay under.", examples=[1.5]
    )
    percentiles_s: dict[Percentile, Seconds] | None = Field(
        default=None,
        description="percentiles: times by percentile, with straight lines between them.",
        examples=[{"p50": 0.4, "p95": 1.2, "p99": 3}],
    )

    @model_validator(mode="after")
    def _check(self) -> LatencyEntry:
        kind, given = LATENCIES[self.shape], self.model_dump(exclude_none=True)
        known = {field.name: field.default is MISSING for field in fields(kind)}
        wanted = ", ".join(name for name, is_needed in known.items() if is_needed)
        if not given.keys() <= known.keys() or not given.keys() >= {name for name in known if known[name]}:
            raise Refusal("has not the keys of its shape", f"{self.shape} takes {wanted}")
        try:
            self.latency()
        except ValueError as e:
            raise Refusal(f"has a value that does not fit: {e}", f"{self.shape} takes {wanted}") from e
        return self

    def latency(self) -> Latency:
        """The distribution that the entry stands for."""
        return LATENCIES[self.shape](**self.model_dump(exclude_none=True))


class LatencyChangeEntry(Section):
    """A change of the latency in the course of time."""

    shape: Literal["step", "ramp", "spike"] = Field(
        description="A step comes at once and stays, a ramp grows and stays, a spike comes at once and goes.",
        examples=["spike"],
    )
    from_s: Seconds = Field(default=0.0, description="When it begins, after the simulator's start.", examples=[30])
    for_s: Seconds = Field(default=0.0, description="How long a ramp grows or a spike lasts.", examples=[10])
    factor: Factor = Field(default=1.0, description="What the latency is multiplied by.", examples=[4])
    add_s: Seconds = Field(default=0.0, description="What is then added to it.", examples=[1.5])

    @model_validator(mode="after")
    def _check(self) -> LatencyChangeEntry:
        try:
            self.change()
        except ValueError as e:
            raise Refusal(
                f"does not fit its shape: {e}", "for example {shape: spike, from_s: 30, for_s: 10, factor: 4}"
            ) from e
        return self

    def change(self) -> LatencyChange:
        """The change that the entry stands for."""
        return LatencyChange(
            shape=ChangeShape(self.shape), from_s=self.from_s, for_s=self.for_s, factor=self.factor, add_s=self.add_s
        )


class SimulatedLimit(Section):
    """An amount in a window of time, which begins with the first request after the last one's end."""

    unit: Literal["requests", "tokens", "neurons"] = Field(description="What is counted.", examples=["requests"])
    per: Literal["second", "minute", "hour", "day", "month"] = Field(
        description="How long a window is; a month has thirty days.", examples=["minute"]
    )
    max: Amount = Field(description="How much fits into one window.", examples=[30])

    def limit(self) -> Limit:
        """The limit that the entry stands for."""
        return Limit(unit=LimitUnit(self.unit), per=WindowLength(self.per), max=self.max)


LimitStyleName: TypeAlias = Literal["openai", "groq", "mistral", "openrouter", "cloudflare", "none"]


class BehaviourEntry(Section):
    """How one simulated provider, or one of its models, answers."""

    latency_s: Seconds = Field(
        default=_BEHAVIOUR.latency_s, description="From a request to the first token of its answer.", examples=[0.2]
    )
    latency_jitter: Share = Field(
        default=_BEHAVIOUR.latency_jitter, description="How far the latency varies, as a share of it.", examples=[0.1]
    )
    latency: LatencyEntry | None = Field(
        default=None,
        description="A distribution in place of the two keys above.",
        examples=[{"shape": "lognormal", "median_s": 0.5, "p95_s": 1.5}],
    )
    latency_changes: Annotated[list[LatencyChangeEntry], Field(max_length=100)] = Field(
        default=[],
        description="Steps, ramps and spikes of the latency.",
        examples=[[{"shape": "spike", "from_s": 30, "for_s": 10, "factor": 4}]],
    )
    tokens_per_s: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = Field(
        default=_BEHAVIOUR.tokens_per_s,
        description="How fast the other tokens follow; 0 sends them at once.",
        examples=[100],
    )
    output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=_BEHAVIOUR.output_tokens, description="The length of an answer in tokens.", examples=[24]
    )
    limits: Annotated[list[SimulatedLimit], Field(max_length=100)] = Field(
        default=[],
        description="What fits into windows of time; more is refused with 429.",
        examples=[[{"unit": "requests", "per": "minute", "max": 30}]],
    )
    limit_style: LimitStyleName = Field(
        default=_BEHAVIOUR.limit_style.value,
        description="Whose headers and errors tell of limits.",
        examples=["groq"],
    )
    input_neurons_per_million: Rate = Field(
        default=_BEHAVIOUR.input_neurons_per_million,
        description="Neurons for a million tokens of prompts, where a limit counts them.",
        examples=[27000],
    )
    output_neurons_per_million: Rate = Field(
        default=_BEHAVIOUR.output_neurons_per_million,
        description="Neurons for a million tokens of answers.",
        examples=[205000],
    )
    max_concurrency: Concurrency | None = Field(default=None, description="Answers under way at once.", examples=[50])
    max_waiting: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=_BEHAVIOUR.max_waiting,
        description="Requests that wait while that many are; the next is refused with 429.",
        examples=[100],
    )
    models: list[ModelId] = Field(
        default=list(_BEHAVIOUR.models), description="The models that the provider lists.", examples=[["chat-small"]]
    )
    strict_models: bool = Field(
        default=_BEHAVIOUR.strict_models, description="Whether names that it does not list are refused."
    )
    requires_key: bool = Field(default=_BEHAVIOUR.requires_key, description="Whether a call must bring some key.")

    @model_validator(mode="after")
    def _check(self) -> BehaviourEntry:
        if self.latency is not None and (self.latency_s or self.latency_jitter):
            raise Refusal("has two latencies", "latency goes without latency_s and latency_jitter")
        limits = [limit.limit() for limit in self.limits]
        if len(set(limits)) < len(limits):
            raise Refusal("has the same limit twice", "one limit for each unit, window and amount")
        return self

    def behaviour(self) -> Behaviour:
        """The behaviour that the entry stands for."""
        return Behaviour(
            latency_s=self.latency_s,
            latency_jitter=self.latency_jitter,
            latency=None if self.latency is None else self.latency.latency(),
            latency_changes=tuple(entry.change() for entry in self.latency_changes),
            tokens_per_s=self.tokens_per_s,
            output_tokens=self.output_tokens,
            limits=tuple(entry.limit() for entry in self.limits),
            limit_style=LimitStyle(self.limit_style),
            input_neurons_per_million=self.input_neurons_per_million,
            output_neurons_per_million=self.output_neurons_per_million,
            max_concurrency=self.max_concurrency,
            max_waiting=self.max_waiting,
            models=tuple(self.models),
            strict_models=self.strict_models,
            requires_key=self.requires_key,
        )


def _checked_targets(behaviours: dict[str, BehaviourEntry]) -> dict[str, BehaviourEntry]:
    for name, entry in behaviours.items():
        if "/" in name and not entry.model_fields_set.isdisjoint(PROVIDER_FIELDS):
            raise Refusal(
                "sets for a single model what belongs to its provider",
                f"with a provider's own name go {', '.join(PROVIDER_FIELDS)}",
            )
    return behaviours


class SimulatorSection(Section):
    """The simulated providers' server."""

    behaviours: Annotated[dict[Played, BehaviourEntry], AfterValidator(_checked_targets)] = Field(
        default={},
        description="How each of them answers, by name, or by `provider/model` for one model; `*` is the default.",
        examples=[{"*": {"latency_s": 0.2}}],
    )
    seed: Annotated[int, Field(ge=0, le=2**53)] = Field(
        default=_SIMULATOR.seed, description="Decides texts, latencies and the draws of faults.", examples=[0]
    )
    log_path: Text | None = Field(default=None, description="A file that its log is appended to.")
    log_capacity: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=_SIMULATOR.log_capacity, description="Rows of the log that it keeps in memory.", examples=[200000]
    )

"""The simulated providers' part of the file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from router_service.config.fields import ModelId, Seconds, Section, Share, SimulatedName, Text
from router_service.core.simulation import Behaviour, SimulatorSettings

# The defaults stand once, in core.
_BEHAVIOUR, _SIMULATOR = Behaviour(), SimulatorSettings()


class BehaviourEntry(Section):
    """How one simulated provider answers."""

    latency_s: Seconds = Field(
        default=_BEHAVIOUR.latency_s, description="From a request to the first token of its answer.", examples=[0.2]
    )
    latency_jitter: Share = Field(
        default=_BEHAVIOUR.latency_jitter, description="How far the latency varies, as a share of it.", examples=[0.1]
    )
    tokens_per_s: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = Field(
        default=_BEHAVIOUR.tokens_per_s,
        description="How fast the other tokens follow; 0 sends them at once.",
        examples=[100],
    )
    output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=_BEHAVIOUR.output_tokens, description="The length of an answer in tokens.", examples=[24]
    )
    models: list[ModelId] = Field(
        default=list(_BEHAVIOUR.models), description="The models that the provider lists.", examples=[["chat-small"]]
    )
    strict_models: bool = Field(
        default=_BEHAVIOUR.strict_models, description="Whether names that it does not list are refused."
    )
    requires_key: bool = Field(default=_BEHAVIOUR.requires_key, description="Whether a call must bring some key.")


class SimulatorSection(Section):
    """The simulated providers' server."""

    behaviours: dict[SimulatedName, BehaviourEntry] = Field(
        default={},
        description="How each of them answers, by name; `*` is the default.",
        examples=[{"*": {"latency_s": 0.2}}],
    )
    seed: Annotated[int, Field(ge=0, le=2**53)] = Field(
        default=_SIMULATOR.seed, description="Decides texts, jitter and the draws of faults.", examples=[0]
    )
    log_path: Text | None = Field(default=None, description="A file that its log is appended to.")
    log_capacity: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=_SIMULATOR.log_capacity, description="Rows of the log that it keeps in memory.", examples=[200000]
    )

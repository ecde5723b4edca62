"""Settings of the simulated providers: how each of them behaves, and where their server listens and keeps its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

ANY_PROVIDER = "*"
"""The name whose behaviour holds for every provider that has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one simulated provider answers when no fault is asked for.

    The head and the first token come `latency_s` seconds after the request was read, spread evenly over
    `latency_s * (1 ± latency_jitter)`. The other tokens follow at `tokens_per_s`; 0 sends them all at once. An answer
    that is not streamed arrives when its last token would have.
    """

    latency_s: float = 0.0
    latency_jitter: float = 0.0
    """A share from 0 to 1 of `latency_s`."""
    tokens_per_s: float = 0.0
    output_tokens: int = 24
    """The length of an answer in tokens, unless the request sets a lower limit."""
    models: tuple[str, ...] = ("sim-model",)
    """The models that the provider lists."""
    strict_models: bool = False
    """Whether a model that is not listed is refused with 404; otherwise every name is served."""
    requires_key: bool = False
    """Whether a request without a bearer key is refused with 401."""
    key: str = field(default="", repr=False)
    """With `requires_key`, the only key that is accepted; empty accepts every key."""


def _plain_behaviour() -> Mapping[str, Behaviour]:
    return MappingProxyType({ANY_PROVIDER: Behaviour()})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Everything that the simulator's server needs in order to start."""

    address: str = "127.0.0.1:8790"
    """`host:port`; port 0 takes a free one."""
    behaviours: Mapping[str, Behaviour] = field(default_factory=_plain_behaviour)
    """By provider name; `*` is the default."""
    log_path: Path | None = None
    """A file that each row of the request log is appended to, besides the log in memory."""
    seed: int = 0
    """Decides texts, jitter and the draws of the fault schedule."""
    log_capacity: int = 200_000
    """Rows kept in memory; the oldest are dropped and counted."""

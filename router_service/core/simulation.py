"""Settings of the simulated providers: how each of them behaves, and where their server listens and keeps its log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

ANY_PROVIDER = "*"
"""The name whose behaviour holds for every provider that has none of its own."""


class LimitStyle(Enum):
    """Whose words and headers tell of limits."""

    OPENAI = "openai"
    GROQ = "groq"
    """OpenAI's headers, with requests of the day and tokens of the minute; a request that can never fit gets 413."""
    MISTRAL = "mistral"
    OPENROUTER = "openrouter"
    CLOUDFLARE = "cloudflare"
    """Cloudflare's envelope, with error 3036 once the day's neurons are gone."""
    NONE = "none"
    """OpenAI's error and no header at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one simulated provider, or one of its models, answers when no fault is asked for.

    The head and the first token come after the latency, counted from the request's end: `latency_s`, spread evenly over
    `latency_s * (1 ± latency_jitter)`, or else a draw from `latency`. The other tokens follow at `tokens_per_s`; 0
    sends them all at once. An answer that is not streamed arrives when its last token would have.
    """

    latency_s: float = 0.0
    latency_jitter: float = 0.0
    """A share from 0 to 1 of `latency_s`."""
    latency: Latency | None = None
    """A distribution in place of `latency_s` and `latency_jitter`."""
    latency_changes: tuple[LatencyChange, ...] = ()
    """What happens to the latency in the course of time; those that overlap add up."""
    tokens_per_s: float = 0.0
    output_tokens: int = 24
    """The length of an answer in tokens, unless the request sets a lower limit."""
    limits: tuple[Limit, ...] = ()
    """What fits into a window of time; a request must fit into all of them."""
    limit_style: LimitStyle = LimitStyle.OPENAI
    input_neurons_per_million: float = 27_000.0
    """Neurons for a million prompt tokens; these two are about what Cloudflare asks for a model of 70 billion."""
    output_neurons_per_million: float = 205_000.0
    max_concurrency: int | None = None
    """Answers under way at once; None for any number."""
    max_waiting: int = 0
    """Requests that wait in turn while `max_concurrency` is reached; the next is refused with 429."""
    models: tuple[str, ...] = ("sim-model",)
    """The models that the provider lists."""
    strict_models: bool = False
    """Whether a model that is not listed is refused with 404; otherwise every name is served."""
    requires_key: bool = False
    """Whether a request without a bearer key is refused with 401."""
    key: str = field(default="", repr=False)
    """With `requires_key`, the only key that is accepted; empty accepts every key."""


PROVIDER_FIELDS = (
    *("limit_style", "max_concurrency", "max_waiting"),
    *("models", "strict_models", "requires_key", "key"),
)
"""What belongs to the account at the provider, so that a single model's behaviour cannot set it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantLatency:
    """Always the same."""

    shape: Literal["constant"] = "constant"
    value_s: float

    def __post_init__(self) -> None:
        """Raise ValueError for a time that is none."""
        _check_times({"value_s": self.value_s})


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformLatency:
    """Anything between two bounds, all of it equally likely."""

    shape: Literal["uniform"] = "uniform"
    low_s: float
    high_s: float

    def __post_init__(self) -> None:
        """Raise ValueError for bounds in the wrong order."""
        _check_times({"low_s": self.low_s, "high_s": self.high_s})
        if self.high_s < self.low_s:
            raise ValueError("high_s: want at least low_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalLatency:
    """A bell around the mean; what would fall below 0 is 0."""

    shape: Literal["normal"] = "normal"
    mean_s: float
    deviation_s: float

    def __post_init__(self) -> None:
        """Raise ValueError for a time that is none."""
        _check_times({"mean_s": self.mean_s, "deviation_s": self.deviation_s})


@dataclass(frozen=True, slots=True, kw_only=True)
class LognormalLatency:
    """The long tail of real servers, given by its middle and by what 95 of 100 answers stay under."""

    shape: Literal["lognormal"] = "lognormal"
    median_s: float
    p95_s: float

    def __post_init__(self) -> None:
        """Raise ValueError for a median of 0, or a tail below it."""
        _check_times({"median_s": self.median_s, "p95_s": self.p95_s})
        if not self.median_s:
            raise ValueError("median_s: want more than 0")
        if self.p95_s < self.median_s:
            raise ValueError("p95_s: want at least median_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentileLatency:
    """A measured distribution, such as `{"p50": 0.4, "p95": 1.2, "p99": 3}`.

    Between two percentiles runs a straight line; below the lowest and above the highest the time stays as it is there.
    """

    shape: Literal["percentiles"] = "percentiles"
    percentiles_s: Mapping[str, float]
    """By name, from p0 to p100."""

    def __post_init__(self) -> None:
        """Raise ValueError for a name that is no percentile, and for times that fall where percentiles rise."""
        if not self.percentiles_s:
            raise ValueError("percentiles_s: want one at least, such as p50")
        if not all(map(is_percentile, self.percentiles_s)):
            raise ValueError("percentiles_s: want names from p0 to p100, such as p99.9")
        _check_times({f"percentiles_s.{name}": time_s for name, time_s in self.percentiles_s.items()})
        times_s = [time_s for _, time_s in self.points()]
        if times_s != sorted(times_s):
            raise ValueError("percentiles_s: want times that rise with the percentiles")

    def points(self) -> list[tuple[float, float]]:
        """Return shares from 0 to 1 and their times, in rising order."""
        return sorted((float(name[1:]) / 100.0, time_s) for name, time_s in self.percentiles_s.items())


Latency: TypeAlias = ConstantLatency | UniformLatency | NormalLatency | LognormalLatency | PercentileLatency

LATENCIES: Mapping[str, type[Latency]] = MappingProxyType(
    {
        "constant": ConstantLatency,
        "uniform": UniformLatency,
        "normal": NormalLatency,
        "lognormal": LognormalLatency,
        "percentiles": PercentileLatency,
    }
)
"""The distributions by the name of their shape."""


class ChangeShape(Enum):
    """How a change of the latency comes and goes."""

    STEP = "step"
    """All of it from one moment on."""
    RAMP = "ramp"
    """Grows in a straight line for `for_s`, and stays."""
    SPIKE = "spike"
    """All of it for `for_s`, and none afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyChange:
    """A change of the latency: multiplied by `factor`, then longer by `add_s`, once the change is there in full."""

    shape: ChangeShape
    from_s: float = 0.0
    """When it begins, in seconds after the behaviours were set."""
    for_s: float = 0.0
    """How long a ramp grows or a spike lasts."""
    factor: float = 1.0
    add_s: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for times that do not go with the shape, and for a change that changes nothing."""
        _check_times({"from_s": self.from_s, "for_s": self.for_s, "factor": self.factor, "add_s": self.add_s})
        if self.shape is ChangeShape.STEP and self.for_s:
            raise ValueError("for_s: want none, because a step stays")
        if self.shape is not ChangeShape.STEP and not self.for_s:
            raise ValueError(f"for_s: want more than 0 for a {self.shape.value}")
        if self.factor == 1.0 and not self.add_s:
            raise ValueError("factor: want another than 1, or add_s")


class LimitUnit(Enum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    """Of the prompt and the answer together."""
    NEURONS = "neurons"
    """Cloudflare's measure of work."""


class WindowLength(Enum):
    """How long a limit's window is; a month has thirty days."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much fits into one window, which begins with the first request after the last window's end."""

    unit: LimitUnit
    per: WindowLength
    max: int
    """0 refuses everything."""

    def __post_init__(self) -> None:
        """Raise ValueError for a negative amount."""
        if self.max < 0:
            raise ValueError("max: want 0 or more")


def _plain_behaviour() -> Mapping[str, Behaviour]:
    return MappingProxyType({ANY_PROVIDER: Behaviour()})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """Everything that the simulator's server needs in order to start."""

    address: str = "127.0.0.1:8790"
    """`host:port`; port 0 takes a free one."""
    behaviours: Mapping[str, Behaviour] = field(default_factory=_plain_behaviour)
    """By provider, or by `provider/model` for how one model answers; `*` is the default."""
    log_path: Path | None = None
    """A file that each row of the request log is appended to, besides the log in memory."""
    seed: int = 0
    """Decides texts, latencies and the draws of the fault schedule."""
    log_capacity: int = 200_000
    """Rows kept in memory; the oldest are dropped and counted."""


def is_percentile(name: str) -> bool:
    """Return whether `name` is one of p0 to p100, with decimals or without."""
    return _PERCENTILE.fullmatch(name) is not None and float(name[1:]) <= 100.0


_PERCENTILE = re.compile(r"p[0-9]{1,3}(\.[0-9]{1,6})?")


def _check_times(times_s: Mapping[str, float]) -> None:
    for name, time_s in times_s.items():
        if not (isfinite(time_s) and time_s >= 0.0):
            raise ValueError(f"{name}: want a number from 0 up")

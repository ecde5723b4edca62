"""Providers, models and targets: what could be called, and on what terms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import cached_property

from router_service.core.deviations import Deviations, SeedField
from router_service.core.quota import Limit, Overflow
from router_service.core.task import TaskType
from router_service.core.vendors import vendor_at

LOCAL_TIER = "local"
FORCED_TOOL_CHOICE, IMAGE_URI = "forced_tool_choice", "image_uri"
"""Capabilities that follow from others where nothing says otherwise: to call a tool because it has to, and to look at
a picture at an address."""
ASSISTANT_PREFILL, REASONING_OFF = "assistant_prefill", "reasoning_off"
"""What newer models refuse: a prompt that ends with words of theirs, and the effort `none`. All others are taken to be
able to be sent the one and told the other; what comes of it is another matter, as CONTINUES_TEXT says.
"""
BUILT_DIALECTS = frozenset({"openai"})
"""The wire formats that requests can be sent in. Targets of others are planned with and never called."""

CONTINUES_TEXT = "continues_text"
"""The capability of going on after an assistant's message that ends the prompt.
Many vendors refuse one, or begin anew.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongContextPrices:
    """What a request costs from `from_input_tokens` on: the whole of it, not only what lies above."""

    from_input_tokens: int
    input: float | None = None
    output: float | None = None
    cached_input: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD per million tokens. None is unknown, which is never the same as free. Input that was read from the vendor's
    cache or is written to it costs what other input does where nothing else is said.
    """

    input: float | None = None
    output: float | None = None
    cached_input: float | None = None
    cache_write: float | None = None
    long_context: LongContextPrices | None = None

    @property
    def blended(self) -> float | None:
        """USD per million tokens at three of input to one of output; None where either price is unknown."""
        if self.input is None or self.output is None:
            return None
        return (3 * self.input + self.output) / 4

    def at(self, input_tokens: float) -> Prices:
        """The prices of a request of that length, which hold for all of its tokens."""
        long = self.long_context
        if long is None or input_tokens < long.from_input_tokens:
            return self
        return Prices(
            input=long.input, output=long.output, cached_input=long.cached_input, cache_write=long.cache_write
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast something usually is before anybody has measured it. None leaves it to the wider prior."""

    time_to_first_token_s: float | None = None
    time_to_first_token_p90_s: float | None = None
    tokens_per_second: float | None = None


class Kind(Enum):
    """What a model makes: text, or vectors."""

    CHAT = "chat"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds an attempt may take: to connect, to the first event of a stream, between two, for a unary answer."""

    connect_s: float = 2.0
    first_byte_s: float = 15.0
    gap_s: float = 20.0
    answer_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A credential. Its value is shown to nobody but the code that asks by name: repr and str mask it."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"

    __str__ = __repr__


NO_SECRET = Secret(_value="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A model that a provider does not serve from the day `since` on; callers go on asking for it by name."""

    id: str
    since: date
    replacement: str = ""
    """What to ask for instead: a model's name, an alias or a target's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An account at someone's API."""

    name: str
    dialect: str
    base_url: str
    key_env: tuple[str, ...] = ()
    key_file: str = ""
    key_page: str = ""
    """Where one gets a key."""
    missing_variables: tuple[str, ...] = ()
    """Environment variables that its address needs and that are not set."""
    key: Secret = Secret(_value="")
    tier: str = "premium"
    region: str = ""
    compliance: frozenset[str] = frozenset()
    timeouts: Timeouts = field(default_factory=Timeouts)
    is_enabled: bool = True
    is_spoken: bool = True
    """False where this router does not speak its dialect."""
    limits: tuple[Limit, ...] = ()
    free: Limit | None = None
    is_unpriced: bool = False
    """Whether nothing that it serves has a price, window or not."""
    overflow: Overflow = Overflow.STOP
    pacing: bool = False
    """Whether the quota is spread over its window instead of being used up before the next provider's begins."""
    max_concurrency: int | None = None
    """The most requests in flight at each of its targets; None bounds nothing."""
    sla: float | None = None
    """The uptime in per cent that a contract promises, for example 99.9; None where there is no contract."""
    open_weights: bool = False
    speed: Speed = field(default_factory=Speed)
    deviations: Deviations = field(default_factory=Deviations)

    @property
    def is_self_hosted(self) -> bool:
        """Whether the operator runs it."""
        return self.tier == LOCAL_TIER

    retired: tuple[Retired, ...] = ()

    @property
    def is_usable(self) -> bool:
        """False when its key, or a part of its address, is not in the environment: it is then skipped, no error."""
        return not self.missing_variables and (bool(self.key) or not (self.key_env or self.key_file))

    @property
    def is_callable(self) -> bool:
        """Whether anything is ever sent to it, a probe included."""
        return self.is_enabled and self.is_usable and self.dialect in BUILT_DIALECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is being run, as one provider offers it."""

    id: str
    aliases: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    context_tokens: int = 0
    """The window that prompt and answer share; 0 is unknown."""
    max_output_tokens: int | None = None
    prices: Prices = field(default_factory=Prices)
    kind: Kind = Kind.CHAT
    is_enabled: bool = True
    roles: frozenset[str] = frozenset()
    tasks: Mapping[TaskType, float] = field(default_factory=dict)
    """How well it suits a task, 0 to 1. A model with tags suits nothing else; one without any suits all middling."""
    quality: Mapping[TaskType, float] = field(default_factory=dict)
    """The quality expected of it for a task, 0 to 1, until feedback replaces it."""
    default_quality: float | None = None
    """The quality for tasks that `quality` leaves out; None leaves it to the tier."""
    speed: Speed = field(default_factory=Speed)
    retires: date | None = None
    replacement: str = ""
    rejects: frozenset[str] = frozenset()
    """What it refuses to be told although its dialect has a word for it: fields of a request's `Generation`,
    FORCED_TOOL_CHOICE, ASSISTANT_PREFILL and REASONING_OFF.
    """


@dataclass(frozen=True)
class Target:
    """A model at a provider: the thing a decision picks. Its id is `provider/model`."""

    provider: Provider
    model: Model

    @cached_property
    def id(self) -> str:
        return f"{self.provider.name}/{self.model.id}"

    @cached_property
    def vendor(self) -> str:
        """Whose API it is, as the GenAI conventions call it; where they do not, its provider's name."""
        return vendor_at(self.provider.base_url) or self.provider.name

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """What its model is said to be able to do, and what follows from that at its provider."""
        told, deviations = self.model.capabilities, self.provider.deviations
        found = set(told)
        if "json_schema" in told:
            found.add("json_object")
        if "tools" in told and deviations.minds_tool_choice and FORCED_TOOL_CHOICE not in self.model.rejects:
            found.add(FORCED_TOOL_CHOICE)
        if "vision" in told and deviations.fetches_images:
            found.add(IMAGE_URI)
        if ASSISTANT_PREFILL not in self.model.rejects:
            found.add(ASSISTANT_PREFILL)
        return frozenset(found)

    @cached_property
    def untaken_fields(self) -> frozenset[str]:
        """The fields of a request's `Generation` that it is never sent, and REASONING_OFF where it is not told that."""
        untaken = set(self.model.rejects)
        if self.provider.deviations.seed_field is SeedField.NONE:
            untaken.add("seed")
        if "reasoning" not in self.model.capabilities:
            untaken.add("reasoning_effort")
        return frozenset(untaken)

    def answers_to(self, name: str) -> bool:
        """Whether a caller who asked for `name` may mean this target: its id, its model's name, or an alias."""
        return name in (self.id, self.model.id) or name in self.model.aliases


@dataclass(frozen=True)
class Catalog:
    """All configured targets, those of skipped providers included."""

    targets: tuple[Target, ...]
    version: str = ""

    @cached_property
    def providers(self) -> tuple[Provider, ...]:
        return tuple({t.provider.name: t.provider for t in self.targets}.values())

    @cached_property
    def by_id(self) -> Mapping[str, Target]:
        return {t.id: t for t in self.targets}

    def spoken(self, dialects: Collection[str]) -> Catalog:
        """The same catalogue with every provider marked that speaks none of `dialects`; itself where there is none."""
        if all(p.dialect in dialects for p in self.providers):
            return self
        providers = {p.name: replace(p, is_spoken=p.dialect in dialects) for p in self.providers}
        return replace(self, targets=tuple(Target(providers[t.provider.name], t.model) for t in self.targets))

    def named(self, name: str) -> tuple[Target, ...]:
        """The targets a model name stands for; empty or `auto` stands for all of them."""
        if name in ("", "auto"):
            return self.targets
        return tuple(t for t in self.targets if t.answers_to(name))

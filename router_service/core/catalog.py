"""Providers, models and targets: what could be called, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD per million tokens. None is unknown, which is never the same as free."""

    input: float | None = None
    output: float | None = None
    cached_input: float | None = None

    @property
    def blended(self) -> float | None:
        """USD per million tokens at three of input to one of output; None where either price is unknown."""
        if self.input is None or self.output is None:
            return None
        return (3 * self.input + self.output) / 4


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An account at someone's API."""

    name: str
    dialect: str
    base_url: str
    key_env: tuple[str, ...] = ()
    key_file: str = ""
    key: Secret = Secret(_value="")
    tier: str = "premium"
    region: str = ""
    compliance: frozenset[str] = frozenset()
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def is_usable(self) -> bool:
        """False when it wants a key and there is none in the environment or the file: it is then skipped, no error."""
        return bool(self.key) or not (self.key_env or self.key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is being run, as one provider offers it."""

    id: str
    aliases: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    context_tokens: int = 0
    prices: Prices = field(default_factory=Prices)


@dataclass(frozen=True)
class Target:
    """A model at a provider: the thing a decision picks. Its id is `provider/model`."""

    provider: Provider
    model: Model

    @cached_property
    def id(self) -> str:
        return f"{self.provider.name}/{self.model.id}"

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

    def named(self, name: str) -> tuple[Target, ...]:
        """The targets a model name stands for; empty or `auto` stands for all of them."""
        if name in ("", "auto"):
            return self.targets
        return tuple(t for t in self.targets if t.answers_to(name))

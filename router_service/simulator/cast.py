"""The cast: the behaviours in force, with what each provider and target draws and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router_service.core.simulation import ANY_PROVIDER, Behaviour, Limit

from .latency import LatencySource
from .slots import Slots
from .windows import Cost, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What holds for the requests to one provider, or to one of its models that has a behaviour of its own."""

    account: Behaviour
    """The provider's: its key, its models, its limits' style."""
    answering: Behaviour
    """How its answers come: the model's own where there is one."""
    latency: LatencySource
    listing_latency: LatencySource
    """Of the model list: probes come when they come, and must not take the answers' draws."""
    windows: tuple[Window, ...]
    """The provider's and the model's: a request must fit into all."""
    slots: Slots | None
    """None where nothing bounds the answers under way."""

    def cost(self, *, input_tokens: int, output_tokens: int) -> Cost:
        """Return what an answer of this length takes from the limits."""
        rates = self.answering
        millionths = input_tokens * rates.input_neurons_per_million + output_tokens * rates.output_neurons_per_million
        return Cost(tokens=input_tokens + output_tokens, neurons=int(-(-millionths // 1_000_000)))


class Cast:
    """Finds the role of a request. Names are providers, or `provider/model` for a target."""

    def __init__(self, behaviours: Mapping[str, Behaviour], *, seed: int, now_s: float) -> None:
        """Put the behaviours in force at `now_s`, on the clock of the latencies."""
        self._seed = seed
        self._windows: dict[tuple[str, Limit], Window] = {}
        self._slots: dict[str, Slots] = {}
        self.recast(behaviours, now_s=now_s)

    @property
    def behaviours(self) -> Mapping[str, Behaviour]:
        """The behaviours in force, by name."""
        return self._behaviours

    def recast(self, behaviours: Mapping[str, Behaviour], *, now_s: float) -> None:
        """Replace all behaviours: draws and latency changes begin anew, limits that stay keep their counts."""
        self._behaviours = behaviours
        self._set_at_s = now_s
        self._windows = {
            (name, limit): window
            for (name, limit), window in self._windows.items()
            if limit in self._behaviour(name).limits
        }
        self._roles: dict[str, Role] = {}
        self._has_targets = any("/" in name for name in behaviours)
        self._other = self._role(ANY_PROVIDER, "")
        for name in behaviours.keys() - {ANY_PROVIDER}:
            provider, _, model = name.partition("/")
            self._roles[name] = self._role(provider, model)
        for name, slots in self._slots.items():
            self._bound(name, slots)

    def role(self, provider: str, model: str = "") -> Role:
        """Return what holds for a request."""
        if self._has_targets and (role := self._roles.get(f"{provider}/{model}")):
            return role
        return self._roles.get(provider) or self._unnamed(provider)

    def restart_windows(self) -> None:
        """Forget what every window has counted."""
        for window in self._windows.values():
            window.restart()

    def windows(self) -> list[tuple[str, Window]]:
        """Return every window with the name that it counts for."""
        return [(name, window) for (name, _), window in self._windows.items()]

    def slots(self) -> list[tuple[str, Slots]]:
        """Return the slots of each provider that is or was bounded."""
        return list(self._slots.items())

    def _unnamed(self, provider: str) -> Role:
        # Providers that share the default still count for themselves; without limits one role serves all of them.
        default = self._behaviour(ANY_PROVIDER)
        if not default.limits and default.max_concurrency is None:
            return self._other
        return self._roles.setdefault(provider, self._role(provider, ""))

    def _role(self, provider: str, model: str) -> Role:
        account = self._behaviour(provider)
        name = f"{provider}/{model}" if model else provider
        answering = self._behaviours.get(name, account)
        counted = [(provider, limit) for limit in account.limits]
        if model:
            counted += [(name, limit) for limit in answering.limits]
        # The default itself answers nobody where it has limits, so it counts nothing.
        is_counting = provider != ANY_PROVIDER
        return Role(
            account=account,
            answering=answering,
            latency=self._source(answering, f"chat/{name}"),
            listing_latency=self._source(account, f"models/{name}"),
            windows=tuple(map(self._window, counted)) if is_counting else (),
            slots=self._provider_slots(provider) if is_counting else None,
        )

    def _source(self, behaviour: Behaviour, name: str) -> LatencySource:
        return LatencySource(behaviour, seed=f"{self._seed}/{name}", set_at_s=self._set_at_s)

    def _window(self, key: tuple[str, Limit]) -> Window:
        return self._windows.setdefault(key, Window(key[1]))

    def _provider_slots(self, provider: str) -> Slots | None:
        if provider not in self._slots:
            if self._behaviour(provider).max_concurrency is None:
                return None
            self._bound(provider, self._slots.setdefault(provider, Slots()))
        return self._slots[provider]

    def _bound(self, name: str, slots: Slots) -> None:
        behaviour = self._behaviour(name)
        slots.bound(behaviour.max_concurrency, most_waiting=behaviour.max_waiting)

    def _behaviour(self, name: str) -> Behaviour:
        # A target without an entry has nothing of its own, so it does not take the default's limits.
        return self._behaviours.get(name) or (_PLAIN if "/" in name else self._behaviours.get(ANY_PROVIDER, _PLAIN))


_PLAIN = Behaviour()

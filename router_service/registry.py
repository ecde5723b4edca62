"""Strategies that other distributions register: each is an entry point in the group `signalbox.strategies`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from types import MappingProxyType

from router_service.core.decision.strategies import BUILT_IN, NAME, Known, Strategy

GROUP = "signalbox.strategies"
HOME = "router_service.core.decision.strategies"
MAX_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """All strategies by name, the built-in ones too; and of each one that was left out a line that says why."""

    strategies: Mapping[str, Strategy]
    complaints: tuple[str, ...]


def registered() -> Registered:
    """Load them. It runs the code of other distributions: once, when a process starts that decides."""
    found: dict[str, Strategy] = {}
    owners: dict[str, str] = {}
    complaints: list[str] = []
    for owner, entry in _entries():
        if owners.get(entry.name) == owner:
            continue  # the same distribution stands on the path a second time
        try:
            found[entry.name] = _strategy(entry, owners)
            owners[entry.name] = owner
        except _Unfit as unfit:
            name = repr(entry.name[:MAX_SHOWN_CHARACTERS])
            complaints.append(f"the strategy {name} of {owner} is left out: {unfit.why}; {unfit.remedy}")
    return Registered(strategies=MappingProxyType({**BUILT_IN, **found}), complaints=tuple(dict.fromkeys(complaints)))


def known() -> Known:
    """The same names as far as they can be told without running anybody's code, for who only reads configurations."""
    names = [entry.name for _, entry in _entries() if NAME.fullmatch(entry.name)]
    return MappingProxyType({**dict.fromkeys(names), **BUILT_IN})


class _Unfit(Exception):
    """Why an entry point gives no strategy, and what to do about it."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


def _entries() -> list[tuple[str, EntryPoint]]:
    """Distributions by name with what they register, in that order, so that it does not hang on the file system who of
    two is first. Most register nothing, and only one small file of theirs is read.
    """
    registering = [d for d in distributions() if f"[{GROUP}]" in (d.read_text("entry_points.txt") or "")]
    found = [(_named(d), entry) for d in registering for entry in d.entry_points.select(group=GROUP)]
    return sorted(found, key=lambda pair: (pair[0], pair[1].name))


def _named(distribution: Distribution) -> str:
    name = distribution.metadata["Name"]
    return str(name)[:MAX_SHOWN_CHARACTERS] if name else "a distribution without a name"


def _strategy(entry: EntryPoint, owners: Mapping[str, str]) -> Strategy:
    """What the entry point names. `owners` are the distributions that have registered one before, by its name."""
    if not NAME.fullmatch(entry.name):
        raise _Unfit("that is no name", "in entry_points.txt, NAME = MODULE:VALUE with small letters, digits, - and _")
    if entry.name in BUILT_IN:
        raise _Unfit("it has the name of a built-in one", "register it by another name")
    if entry.name in owners:
        raise _Unfit(f"{owners[entry.name]} has registered one of that name", "uninstall one of the two")
    try:
        found: object = entry.load()
    except (Exception, SystemExit) as error:
        module = entry.value.partition(":")[0][:MAX_SHOWN_CHARACTERS]
        why = f"{entry.value[:MAX_SHOWN_CHARACTERS]!r} cannot be loaded, {type(error).__name__}"
        raise _Unfit(why, f"see what `python -c 'import {module}'` says where the router is installed") from error
    if not isinstance(found, Strategy):
        raise _Unfit(f"it is no Strategy but a {type(found).__name__}", f"let it name a value of {HOME}.Strategy")
    if found.name != entry.name:
        raise _Unfit("the value has another name", "give both the same")
    return found

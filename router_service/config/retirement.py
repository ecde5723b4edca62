"""Models that their providers give up: a warning beforehand, and the replacement in their place afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from router_service.core.catalog import Model, Provider, Target
from router_service.core.quota import Limit

NOTICE = timedelta(days=30)


def after_retirement(
    targets: Sequence[Target], today: date, *, has_auto_upgrade: bool
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The targets as they are on that day, and a line on each that has retired or soon does.

    With auto-upgrade a retired model is switched off, and its replacement also goes by its names and roles. Without,
    it stays until the provider refuses it. Targets that are switched off anyway are not talked of.
    """
    by_id = {target.id: target for target in targets}
    heirs: dict[str, Target] = {}
    lines: list[str] = []
    remedy = "which is not in service" if has_auto_upgrade else "which routing.auto_upgrade: true puts in its place"
    for target in targets:
        if not _is_due(target, today + NOTICE):
            continue
        heir = _heir(target, by_id, today) if has_auto_upgrade and _is_due(target, today) else None
        if heir is not None:
            heirs[target.id] = heir
        lines.append(_line(target, today, heir, remedy))
    return _with_heirs(targets, heirs), tuple(lines)


def _is_due(target: Target, day: date) -> bool:
    retires, is_on = target.model.retires, target.model.is_enabled and target.provider.is_enabled
    return is_on and retires is not None and retires <= day


def _heir(target: Target, by_id: Mapping[str, Target], today: date) -> Target | None:
    """The first replacement, or replacement's replacement, that is in service; None where there is none."""
    seen = {target.id}
    while target.model.replacement:
        found = by_id.get(f"{target.provider.name}/{target.model.replacement}")
        if found is None or found.id in seen:
            return None
        if found.model.is_enabled and not _is_due(found, today):
            return found
        seen.add(found.id)
        target = found
    return None


def _line(target: Target, today: date, heir: Target | None, remedy: str) -> str:
    retires = target.model.retires
    assert retires is not None, "only what retires is talked of"
    if heir is not None:
        return f"{target.id} has retired on {retires}: {heir.id} takes its place"
    stand_in = (
        f"; its replacement is {target.provider.name}/{target.model.replacement}" if target.model.replacement else ""
    )
    if retires <= today:
        rest = f"{stand_in}, {remedy}" if stand_in else ""
        return f"{target.id} has retired on {retires}, and is used until its provider refuses it{rest}"
    return f"{target.id} retires on {retires}{stand_in}"


def _with_heirs(targets: Sequence[Target], heirs: Mapping[str, Target]) -> tuple[Target, ...]:
    if not heirs:
        return tuple(targets)
    providers = {
        name: _limits_passed_on(p, heirs) for name, p in {t.provider.name: t.provider for t in targets}.items()
    }
    return tuple(Target(providers[t.provider.name], _model_after(t, targets, heirs)) for t in targets)


def _model_after(target: Target, targets: Sequence[Target], heirs: Mapping[str, Target]) -> Model:
    model = target.model
    if target.id in heirs:
        return replace(model, is_enabled=False)
    left_to_it = [t for t in targets if t.id in heirs and heirs[t.id].id == target.id]
    names = [name for t in left_to_it for name in (t.id, t.model.id, *t.model.aliases)]
    roles = frozenset[str]().union(*(t.model.roles for t in left_to_it))
    return replace(model, aliases=tuple(dict.fromkeys([*model.aliases, *names])), roles=model.roles | roles)


def _limits_passed_on(provider: Provider, heirs: Mapping[str, Target]) -> Provider:
    """A limit that names a retired model holds for its replacement too."""
    heir_of = {id.removeprefix(f"{provider.name}/"): t.model.id for id, t in heirs.items() if t.provider is provider}

    def passed_on(limit: Limit) -> Limit:
        return replace(limit, models=limit.models | {heir_of[m] for m in limit.models if m in heir_of})

    free = None if provider.free is None else passed_on(provider.free)
    return replace(provider, limits=tuple(map(passed_on, provider.limits)), free=free)

"""The chains of a configuration as a table: per task, which targets in which order, for which budget tiers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.table import Table
from rich.text import Text

from router_service.commands.tables import bare_table
from router_service.config import Chain
from router_service.core.task import BudgetTier

NO_TIER = "none"
ALL_TIERS = "all"


def table(chains: Iterable[Chain], *, width: int) -> Table:
    """A line for each chain; half of the width, in characters, is the targets'.

    Tasks that come to the same in every tier share their lines, and so do tiers.
    """
    chains = list(chains)
    has_rules = any(chain.rule for chain in chains)
    shown = bare_table()
    shown.add_column("task", overflow="fold", max_width=max(16, width // 6))
    shown.add_column("budget tier", overflow="fold", max_width=max(10, width // 8))
    if has_rules:
        shown.add_column("rule", overflow="fold", max_width=max(14, width // 6))
    shown.add_column("targets in order", overflow="fold", ratio=1)
    tasks: dict[tuple[object, ...], list[list[Chain]]] = {}
    for _, of_task in groupby(chains, key=lambda chain: chain.task):
        found = list(of_task)
        tasks.setdefault(tuple((chain.rule, chain.targets) for chain in found), []).append(found)
    for alike in tasks.values():
        names = ", ".join(found[0].task.value.replace("_", " ") for found in alike)
        for tiers in _by_chain(alike[0]):
            rule = [tiers[0].rule] if has_rules else []
            shown.add_row(names, _tiers(tiers), *rule, _targets(tiers[0]))
            names = ""
    return shown


def _by_chain(chains: Iterable[Chain]) -> Iterable[list[Chain]]:
    alike: dict[tuple[str, tuple[str, ...]], list[Chain]] = {}
    for chain in chains:
        alike.setdefault((chain.rule, chain.targets), []).append(chain)
    return alike.values()


def _tiers(chains: list[Chain]) -> str:
    if len(chains) > len(BudgetTier):
        return ALL_TIERS
    return ", ".join(NO_TIER if chain.budget_tier is None else chain.budget_tier.value for chain in chains)


def _targets(chain: Chain) -> Text:
    if chain.targets:
        return Text(" → ".join(chain.targets))
    counts = ", ".join(f"{count} by {reason.replace('_', ' ')}" for reason, count in chain.rejected.items())
    return Text(f"nobody: {counts or 'there is no target'}", style="red")

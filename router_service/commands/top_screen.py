"""What `signalbox top` shows: how things stand in a few lines, and a row for each target, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from signalbox.v1.health_feed_pb2 import (
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_UNKNOWN,
    BlockReason,
    ProviderHealth,
    Snapshot,
    TargetHealth,
)

from router_service.commands.figures import MISSING, duration, seconds
from router_service.commands.metrics_page import BudgetFigure
from router_service.commands.provider_rows import WORST_FIRST
from router_service.commands.providers import STATE_STYLES, state_name
from router_service.commands.tables import bare_table, counted
from router_service.commands.traffic import Traffic

SILENT_AFTER_S = 3.0
"""A prober publishes at least once a second; from this age on its silence is told."""
STALE_AFTER_S = 5.0
"""A router's figures are read once a second; from this age on they are old."""
LATENCY_WIDTH, SHARE_WIDTH, MEDIAN_WIDTH, PROBE_WIDTH = 72, 96, 116, 136
"""From how many columns on there is room for the next ones."""
SHOWN_BUDGETS, LITTLE_LEFT = 3, 0.2
BLOCKED = "blocked"
"""Shown in the place of a state: a target may do well while its provider takes no requests."""
NOBODY = Snapshot()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that is on show. `silence` says why the prober cannot be heard, `router` why there are no figures of
    the router, or none since some time; both are empty where all is well. Ages are in seconds.
    """

    snapshot: Snapshot
    age_s: float = 0.0
    silence: str = ""
    traffic: Traffic | None = None
    router: str = ""

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """As many rows as the height has room for; on paper, which has none, all of them."""
        heading = [_health(self), *_router(self), Text()]
        height = options.height or len(self.snapshot.targets) + len(heading) + 2
        wrapped = sum(len(line.wrap(_console, options.max_width)) or 1 for line in heading)
        room = max(1, height - wrapped - 1)
        targets = worst_first(self.snapshot)
        yield from heading
        shown = table(targets if len(targets) <= room else targets[: room - 1], self, width=options.max_width)
        shown.expand = True  # so that columns keep their place while words come and go
        yield shown
        if len(targets) > room:
            yield Text(f"and {_counts(targets[room - 1 :])} more", style="dim")


def worst_first(snapshot: Snapshot) -> list[TargetHealth]:
    """Those that fail, those whose provider is blocked, the doubtful, the rest; in the prober's order among equals."""
    blocked = {provider.provider for provider in snapshot.providers if provider.blocked_for != Duration()}

    def rank(target: TargetHealth) -> tuple[bool, bool, int]:
        state = target.state or HEALTH_STATE_UNKNOWN
        return (state != HEALTH_STATE_UNHEALTHY, _provider(target) not in blocked, WORST_FIRST.index(state))

    return sorted(snapshot.targets, key=rank)


def table(targets: Sequence[TargetHealth], view: View, *, width: int) -> Table:
    """A row for each target; the more columns the wider it may be."""
    columns = _columns(view, width)
    shown = bare_table()
    for column in columns:
        match column:
            case "target":
                shown.add_column(column, no_wrap=True, overflow="ellipsis", max_width=max(16, width // 3))
            case "state" | "last probe":
                shown.add_column(column, no_wrap=True)
            case "why":
                shown.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1)
            case _:
                shown.add_column(column, justify="right", no_wrap=True)
    providers = {provider.provider: provider for provider in view.snapshot.providers}
    for target in targets:
        cells = _cells(target, view, providers.get(_provider(target)))
        shown.add_row(*[cells[column] for column in columns])
    return shown


def _columns(view: View, width: int) -> list[str]:
    """In the order in which they stand; a narrow terminal gets what it takes to see that something is wrong."""
    wanted = {
        "target": True,
        "state": True,
        "since": True,
        "share": width >= SHARE_WIDTH,
        "calls": view.traffic is not None and width >= LATENCY_WIDTH,
        "failed": view.traffic is not None,
        "success": view.traffic is None or width >= SHARE_WIDTH,
        "in flight": width >= SHARE_WIDTH,
        "p50": width >= MEDIAN_WIDTH,
        "p95": width >= LATENCY_WIDTH,
        "first token": width >= MEDIAN_WIDTH,
        "last probe": width >= PROBE_WIDTH,
        "why": True,
    }
    return [column for column, is_wanted in wanted.items() if is_wanted]


def _cells(target: TargetHealth, view: View, provider: ProviderHealth | None) -> dict[str, str | Text]:
    state = target.state or HEALTH_STATE_UNKNOWN
    is_current = view.traffic is not None and view.traffic.age_s < STALE_AFTER_S
    traffic = view.traffic.targets.get(target.target) if view.traffic and is_current else None
    block = _block(provider, view.age_s)
    is_blocked = bool(block) and state != HEALTH_STATE_UNHEALTHY
    since_s = target.state_age.ToNanoseconds() / 1e9 + view.age_s
    failed = "" if traffic is None or not traffic.per_s else f"{traffic.failed:.0%}"
    latency, first_token = target.latency, target.time_to_first_token
    return {
        "target": target.target,
        "state": Text(BLOCKED, style="yellow") if is_blocked else Text(state_name(state), STATE_STYLES.get(state, "")),
        "since": ago(since_s) if target.HasField("state_age") and not is_blocked else MISSING,
        "share": f"{target.traffic_share:.0%}",
        "calls": "" if traffic is None or not traffic.per_s else rate(traffic.per_s),
        "failed": Text(failed, style="red" if traffic and traffic.failed > 0 else ""),
        "success": f"{target.success_rate:.1%}" if target.samples > 0 else MISSING,
        "in flight": str(target.in_flight),
        "p50": duration(latency.p50) if latency.HasField("p50") else MISSING,
        "p95": duration(latency.p95) if latency.HasField("p95") else MISSING,
        "first token": duration(first_token.p50) if first_token.HasField("p50") else MISSING,
        "last probe": _last_probe(target, view),
        "why": _why(target, block),
    }


def _block(provider: ProviderHealth | None, age_s: float) -> str:
    """Why nobody may be sent to a provider, and for how long still; empty where one may."""
    if provider is None or (left_s := provider.blocked_for.ToNanoseconds() / 1e9 - age_s) <= 0:
        return ""
    reason = BlockReason.Name(provider.block_reason).removeprefix("BLOCK_REASON_").lower().replace("_", " ")
    return f"{reason} for {seconds(left_s)}"


def _why(target: TargetHealth, block: str) -> Text:
    """What keeps requests away from it; nothing where it does well."""
    parts = [block] if block else []
    if target.state != HEALTH_STATE_HEALTHY and target.last_error:
        parts.append(target.last_error)
        if target.consecutive_failures > 1:
            parts.append(f"{target.consecutive_failures} in a row")
    return Text(", ".join(parts), style="red" if target.state == HEALTH_STATE_UNHEALTHY else "yellow")


def _last_probe(target: TargetHealth, view: View) -> str:
    """Both times are the prober's, so that clocks may differ."""
    if not target.HasField("last_probe_time"):
        return MISSING
    age_s = (view.snapshot.produced_time.ToNanoseconds() - target.last_probe_time.ToNanoseconds()) / 1e9
    outcome = duration(target.last_probe.total) if target.last_probe.ok else "failed"
    return f"{outcome}, {ago(max(0.0, age_s) + view.age_s)} ago"


def _health(view: View) -> Text:
    """How many targets are how, and how far that can be trusted."""
    line = Text.assemble(("health  ", "bold"), _counts(view.snapshot.targets))
    if view.snapshot == NOBODY:
        line = Text.assemble(("health  ", "bold"), "no snapshot yet")
    if view.silence:
        return line.append(f" · {view.silence}; this is {ago(view.age_s)} old", style="bold red")
    if view.age_s >= SILENT_AFTER_S:
        return line.append(f" · the prober is silent; this is {ago(view.age_s)} old", style="bold red")
    return line.append(f" · epoch {view.snapshot.epoch}, snapshot {view.snapshot.sequence}", style="dim")


def _counts(targets: Iterable[TargetHealth]) -> Text:
    counts = Counter(target.state or HEALTH_STATE_UNKNOWN for target in targets)
    words = [
        (f"{counts[state]} {state_name(state)}", STATE_STYLES.get(state, "")) for state in WORST_FIRST if counts[state]
    ]
    return Text(", ").join([Text(*pair) for pair in words]) if words else Text("no targets")


def _router(view: View) -> list[Text]:
    """What the router does and what that costs; where its figures are missing or old, that and why."""
    traffic = view.traffic
    if traffic is None:
        hint = "; --metrics-address says where its page of metrics is"
        return [Text.assemble(("router  ", "bold"), (view.router + hint, "yellow"))] if view.router else []
    lines = [_work(traffic), _money(traffic)]
    if traffic.age_s >= STALE_AFTER_S:
        for line in lines:
            line.stylize("dim")
        lines.insert(0, Text(f"router  lost {ago(traffic.age_s)} ago: {view.router}", style="bold red"))
    return lines


def _work(traffic: Traffic) -> Text:
    line = Text.assemble(("router  ", "bold"), f"{rate(traffic.per_s)} requests")
    if traffic.failed:
        line.append(f" · {traffic.failed:.1%} failed ({', '.join(traffic.reasons[:2])})", style="red")
    if traffic.fallbacks_per_s:
        line.append(f" · {rate(traffic.fallbacks_per_s)} fallbacks", style="yellow")
    if traffic.p50_s is not None and traffic.p95_s is not None:
        line.append(f" · p50 {seconds(traffic.p50_s)}, p95 {seconds(traffic.p95_s)}")
    return line.append(f" · {traffic.in_flight} in flight · up {ago(traffic.up_s)}")


def _money(traffic: Traffic) -> Text:
    per_hour = traffic.cost_usd_per_s * 3600
    line = Text.assemble(("money   ", "bold"), f"{money(per_hour)} an hour · {money(traffic.cost_usd)} since its start")
    least_left = sorted(traffic.budgets, key=_share_left)
    for budget in least_left[:SHOWN_BUDGETS]:
        style = "red" if budget.left_usd <= 0 else "yellow" if _share_left(budget) < LITTLE_LEFT else ""
        line.append(f" · {_budget(budget)}", style=style)
    if len(least_left) > SHOWN_BUDGETS:
        line.append(f" · {counted(len(least_left) - SHOWN_BUDGETS, 'more budget')}", style="dim")
    return line


def _budget(budget: BudgetFigure) -> str:
    """What is spent of it, and what is left: `day: 0.5 of 10 USD spent, 9.5 left`."""
    whose = f"{budget.name} " if budget.name else ""
    spent = budget.limit_usd - budget.left_usd
    return f"{whose}{budget.per}: {spent:.4g} of {money(budget.limit_usd)} spent, {max(0.0, budget.left_usd):.4g} left"


def _share_left(budget: BudgetFigure) -> float:
    return budget.left_usd / budget.limit_usd if budget.limit_usd > 0 else 0.0


def _provider(target: TargetHealth) -> str:
    return target.target.partition("/")[0]


def rate(per_s: float) -> str:
    """`12.3/s`, or `4.2/min` where that is seldom."""
    if per_s >= 1:
        return f"{per_s:.3g}/s" if per_s < 1000 else f"{per_s:.0f}/s"
    return f"{per_s * 60:.2g}/min" if per_s else "0/s"


def ago(age_s: float) -> str:
    """`7 s`, `12 min`, `5 h` or `3 d`."""
    if age_s < 60:
        return f"{age_s:.0f} s"
    for size_s, most, unit in ((60, 60, "min"), (3600, 48, "h")):
        if age_s < size_s * most:
            return f"{age_s // size_s:.0f} {unit}"
    return f"{age_s // 86_400:.0f} d"


def money(usd: float) -> str:
    """An amount at a glance: four digits of it."""
    return f"{usd:.4g} USD"

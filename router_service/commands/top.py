"""`signalbox top`: the health of all targets, as it changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from signalbox.v1.health_feed_pb2 import (
    BlockReason,
    HealthState,
    ProviderHealth,
    Snapshot,
    TargetHealth,
)
from signalbox_client import DeadlineExceeded, HealthClient, StreamInterrupted, Unreachable

from router_service.commands.calling import find_prober, prober_client
from router_service.commands.documents import write_message
from router_service.commands.figures import MISSING, duration, seconds
from router_service.commands.interruptible import Interruptible
from router_service.commands.providers import STATE_STYLES, state_name
from router_service.commands.streams import say

PAUSE_S = 0.5
"""Between two attempts to reach a prober that went away."""
REDRAWS_PER_S = 2
SILENT_AFTER_S = 3.0
"""A prober publishes at least once a second; from this age on, a snapshot is shown with it."""
PLAIN_WIDTH = 140


def watch(flag: str | None, data_dir: Path, *, as_json: bool, is_once: bool) -> None:
    """Show the snapshots of the prober at `flag`, else at its usual place, until Ctrl-C or, once, the current one."""
    address = find_prober(flag, data_dir)
    if is_once or not (as_json or sys.stdout.isatty()):
        with prober_client(address) as client:
            snapshot = client.get_snapshot()
        _show_once(snapshot, as_json=as_json)
        return
    with Interruptible[Snapshot | Silence]() as reading, prober_client(address) as client:
        show = _write_documents if as_json else _show
        show(reading.items(_events(client)))


def table(snapshot: Snapshot, note: str = "") -> Table:
    """One row for each target; `note` stands beneath."""
    shown = Table(box=None, header_style="bold", caption=note or None, caption_justify="left")
    for heading in ("target", "state"):
        shown.add_column(heading)
    for heading in ("share", "success", "p50", "p95", "first token", "in flight"):
        shown.add_column(heading, justify="right")
    for heading in ("last probe", "blocked"):
        shown.add_column(heading)
    providers = {provider.provider: provider for provider in snapshot.providers}
    for target in snapshot.targets:
        shown.add_row(*_cells(target, snapshot, providers.get(target.target.partition("/")[0])))
    return shown


def _show_once(snapshot: Snapshot, *, as_json: bool) -> None:
    if as_json:
        write_message(snapshot)
    else:
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        Console(width=width).print(table(snapshot))


def _write_documents(events: Iterator[Snapshot | Silence]) -> None:
    for event in events:
        match event:
            case Snapshot():
                write_message(event)
            case Silence():
                say(f"signalbox: {event.why}; trying again")


def _show(events: Iterator[Snapshot | Silence]) -> None:
    screen = _Screen()
    with Live(get_renderable=screen.table, refresh_per_second=REDRAWS_PER_S, screen=False) as live:
        for event in events:
            screen.take(event)
            live.refresh()


@dataclass(frozen=True, slots=True)
class Silence:
    """The prober cannot be heard at the moment."""

    why: str


def _events(client: HealthClient) -> Iterator[Snapshot | Silence]:
    """Snapshots for ever. A prober that was never there raises; one that went away is a Silence, and is asked again."""
    has_heard = False
    while True:
        try:
            for snapshot in client.watch():
                has_heard = True
                yield snapshot
        except DeadlineExceeded:
            continue
        except (Unreachable, StreamInterrupted) as error:
            if not has_heard:
                raise
            yield Silence(f"the prober is gone: {error.message}")
            time.sleep(PAUSE_S)


class _Screen:
    """What is on show: the newest snapshot, and how old it is."""

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._arrived_at = time.monotonic()
        self._silence: Silence | None = None

    def take(self, event: Snapshot | Silence) -> None:
        match event:
            case Snapshot():
                self._snapshot, self._silence, self._arrived_at = event, None, time.monotonic()
            case Silence():
                self._silence = event

    def table(self) -> Table:
        age_s = time.monotonic() - self._arrived_at
        if self._silence is not None:
            return table(self._snapshot, f"{self._silence.why}; this is {age_s:.0f} s old")
        if age_s >= SILENT_AFTER_S:
            return table(self._snapshot, f"the prober is silent; this is {age_s:.0f} s old")
        return table(self._snapshot, f"epoch {self._snapshot.epoch}, snapshot {self._snapshot.sequence}")


def _cells(target: TargetHealth, snapshot: Snapshot, provider: ProviderHealth | None) -> tuple[str | Text, ...]:
    has_samples = target.samples > 0
    return (
        target.target,
        Text(state_name(target.state or HealthState.HEALTH_STATE_UNKNOWN), style=STATE_STYLES.get(target.state, "")),
        f"{target.traffic_share:.0%}",
        f"{target.success_rate:.1%}" if has_samples else MISSING,
        duration(target.latency.p50) if target.latency.HasField("p50") else MISSING,
        duration(target.latency.p95) if target.latency.HasField("p95") else MISSING,
        duration(target.time_to_first_token.p50) if target.time_to_first_token.HasField("p50") else MISSING,
        str(target.in_flight),
        _last_probe(target, snapshot),
        _block(provider),
    )


def _last_probe(target: TargetHealth, snapshot: Snapshot) -> str:
    """Both times are the prober's, so that clocks may differ."""
    if not target.HasField("last_probe_time"):
        return MISSING
    age_s = (snapshot.produced_time.ToNanoseconds() - target.last_probe_time.ToNanoseconds()) / 1e9
    outcome = duration(target.last_probe.total) if target.last_probe.ok else target.last_error or "failed"
    return f"{outcome}, {max(0.0, age_s):.0f} s ago"


def _block(provider: ProviderHealth | None) -> str:
    if provider is None or provider.blocked_for == Duration():
        return ""
    reason = BlockReason.Name(provider.block_reason).removeprefix("BLOCK_REASON_").lower()
    return f"{reason}, {seconds(provider.blocked_for.ToNanoseconds() / 1e9)}"

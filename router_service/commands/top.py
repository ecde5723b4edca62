"""`signalbox top`: the health of all targets, as it changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.live import Live
from signalbox.v1.health_feed_pb2 import Snapshot
from signalbox_client import DeadlineExceeded, HealthClient, StreamInterrupted, Unreachable

from router_service.commands.calling import find_prober, prober_client
from router_service.commands.documents import write_message
from router_service.commands.interruptible import Interruptible
from router_service.commands.streams import say
from router_service.commands.tables import console
from router_service.commands.top_screen import View, table, worst_first
from router_service.commands.traffic import TrafficWatch
from router_service.core.settings import ROUTER_METRICS

PAUSE_S = 0.5
"""Between two attempts to reach a prober that went away."""
REDRAWS_PER_S = 2
PLAIN_WIDTH = 200
"""Where no terminal says otherwise: what went wrong is not cut."""


def watch(flag: str | None, metrics: str | None, data_dir: Path, *, as_json: bool, is_once: bool) -> None:
    """Show what the prober at `flag` says, else that at its usual place, until Ctrl-C or, once, what it says now.

    A terminal also gets what the router does, by its page of metrics at `metrics`, else at the usual place of that.
    """
    address = find_prober(flag, data_dir)
    if is_once or not (as_json or sys.stdout.isatty()):
        with prober_client(address) as client:
            snapshot = client.get_snapshot()
        _show_once(snapshot, as_json=as_json)
        return
    with Interruptible[Snapshot | Silence]() as reading, prober_client(address) as client:
        events = reading.items(_events(client))
        if as_json:
            _write_documents(events)
        else:
            _show(events, TrafficWatch(metrics or ROUTER_METRICS))


def _show_once(snapshot: Snapshot, *, as_json: bool) -> None:
    if as_json:
        write_message(snapshot)
        return
    shown = console(plain_width=PLAIN_WIDTH)
    shown.print(table(worst_first(snapshot), View(snapshot=snapshot), width=shown.width))


def _write_documents(events: Iterator[Snapshot | Silence]) -> None:
    for event in events:
        match event:
            case Snapshot():
                write_message(event)
            case Silence():
                say(f"signalbox: {event.why}; trying again")


def _show(events: Iterator[Snapshot | Silence], router: TrafficWatch) -> None:
    """On the terminal's other page, so that what stood there before is there again afterwards."""
    router.start()
    screen = _Screen(router)
    with Live(get_renderable=screen.view, refresh_per_second=REDRAWS_PER_S, screen=True, console=console()) as live:
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
    """What is on show: the newest snapshot, how old it is, and what the router does."""

    def __init__(self, router: TrafficWatch) -> None:
        self._router = router
        self._snapshot = Snapshot()
        self._arrived_at = time.monotonic()
        self._silence = ""

    def take(self, event: Snapshot | Silence) -> None:
        match event:
            case Snapshot():
                self._snapshot, self._silence, self._arrived_at = event, "", time.monotonic()
            case Silence():
                self._silence = event.why

    def view(self) -> View:
        why = self._router.why_lost
        return View(
            snapshot=self._snapshot,
            age_s=time.monotonic() - self._arrived_at,
            silence=self._silence,
            traffic=self._router.traffic(),
            router=f"no figures from {self._router.address}, {why}" if why else "",
        )

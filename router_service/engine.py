"""What decides on requests and runs them, each part built once: all that lies behind the port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from router_service.core.budget import BudgetRules
from router_service.core.catalog import Catalog
from router_service.core.decision.strategies import Strategy
from router_service.core.events import Audience
from router_service.core.lessons import Lessons
from router_service.core.quota import QuotaRules
from router_service.core.settings import Settings
from router_service.core.slices import Slices
from router_service.core.windows import Clock
from router_service.health.board import HealthBoard
from router_service.health.entry import Entry
from router_service.health.statistics import Statistics
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.openai import OpenAIDialect
from router_service.service.admission import Admission
from router_service.service.allowances import Allowances
from router_service.service.execution import Execution
from router_service.service.objections import served_on_trial
from router_service.service.rooms import Rooms
from router_service.service.router import Router
from router_service.service.views import Present, Views
from router_service.store.quota import QuotaBook
from router_service.store.sqlite import SqliteQuotaStore
from router_service.store.terms import terms_of
from router_service.telemetry.attempt_metrics import AttemptMetrics
from router_service.telemetry.line_writer import LineWriter
from router_service.telemetry.outlets import Outlets
from router_service.telemetry.request_log import RequestLog
from router_service.telemetry.spans import SpanObserver

TICK_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Another configuration, with what is large of it made already."""

    settings: Settings
    entries: Mapping[str, Entry]
    lessons: Mapping[str, Lessons]
    terms: Sequence[QuotaRules]
    present: Present
    on_trial: Mapping[str, Catalog]


class Engine:
    """Built inside the running loop. It serves nobody before a first `adopt`."""

    def __init__(
        self,
        settings: Settings,
        *,
        strategies: Mapping[str, Strategy],
        data_dir: Path,
        lines: LineWriter,
        outlets: Outlets,
        rng: Random,
    ) -> None:
        self._transport = AiohttpTransport()
        self.dialects = {"openai": OpenAIDialect()}
        self.board = HealthBoard([], settings.prober, clock=time.monotonic)
        self.statistics = Statistics(self.board, clock=time.monotonic)
        self.quotas = _quotas(data_dir)
        self.rooms = Rooms(self.quotas)
        self.views = Views(
            dialects=self.dialects,
            strategies=strategies,
            board=self.board,
            statistics=lambda: self.statistics.current,
            quotas=self.quotas,
            rooms=self.rooms,
            turn=rng.randrange(1000),
        )
        self.allowances = Allowances()
        self.admission = Admission(max_in_flight=settings.server.max_in_flight)
        self.figures = AttemptMetrics()
        spans, shows_content = outlets.spans, settings.telemetry.content
        traced = [] if spans is None else [SpanObserver(spans, shows_content=shows_content)]
        self.audience = Audience(
            [self.board, self.statistics, self.allowances, RequestLog(lines), self.figures, *traced],
            [self.board, *traced],
        )
        self._execution = Execution(
            transport=self._transport, dialects=self.dialects, rooms=self.rooms, routing=settings.routing
        )
        self.router = Router(
            view=self.views.to_run,
            route_view=self.views.to_plan,
            execution=self._execution,
            admission=self.admission,
            audience=self.audience,
            max_attempts=settings.routing.max_attempts,
            rng=rng,
        )

    async def prepared(self, settings: Settings) -> Change:
        """What is large in another configuration is made beside the calls under way."""
        catalog, policy, tenants = settings.catalog, settings.policy, settings.tenants
        return Change(
            settings=settings,
            entries=await asyncio.to_thread(self.board.entries_for, [target.id for target in catalog.targets]),
            lessons=await asyncio.to_thread(self.statistics.lessons_for, catalog, policy),
            terms=await asyncio.to_thread(terms_of, catalog),
            present=await asyncio.to_thread(self.views.present_for, catalog, policy, tenants),
            on_trial=await asyncio.to_thread(served_on_trial, tenants, catalog),
        )

    def adopt(self, change: Change) -> Slices[None]:
        """Go by it from now on. Returns what may be done about it between others' turns."""
        settings = change.settings
        self.allowances.adopt(settings.tenants, change.on_trial)
        newcomers = self.board.adopt_in_slices(change.entries)
        next(newcomers, None)
        self.statistics.adopt(change.lessons)
        self.quotas.adopt(change.terms, settings.budgets)
        self.views.adopt(change.present)
        self.router.adopt(max_attempts=settings.routing.max_attempts)
        self._execution.adopt(settings.routing)
        return newcomers

    async def tick(self) -> None:
        """Let time pass for what stands still otherwise, until cancelled."""
        while True:
            self.board.tick()
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        await self.quotas.close()
        await self._transport.close()


def _quotas(data_dir: Path) -> QuotaBook:
    """Counts in the data directory's file, so that they outlive the process."""
    clock = Clock(wall=time.time, monotonic=time.monotonic)
    return QuotaBook([], BudgetRules(), store=SqliteQuotaStore(data_dir / "quota.db"), clock=clock)

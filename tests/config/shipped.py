"""The shipped configuration, loaded, and a view of it in which all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from random import Random

import router_service.config as config
from router_service.core.plan import Plan, View, plan
from router_service.core.request import Request
from router_service.core.settings import Settings
from router_service.core.windows import Clock
from router_service.store.memory import MemoryQuotaStore
from router_service.store.quota import QuotaBook
from router_service.store.terms import terms_of
from tests.harness.worked_examples import KEYS

CATALOG = Path(str(resources.files(config).joinpath("catalog.yaml")))
TAKEN_ON = date(2026, 11, 21)
NOON_S = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def shipped(environ: Mapping[str, str] = KEYS) -> Settings:
    """The configuration that runs where there is no other, on the day that its facts were taken."""
    return config.load(CATALOG, environ=environ, today=TAKEN_ON)


def full_view(settings: Settings) -> View:
    """Every window full, nothing spent, nobody ill, and no experiments."""
    clock = Clock(wall=lambda: NOON_S, monotonic=lambda: 0.0)
    book = QuotaBook(terms_of(settings.catalog), settings.budgets, store=MemoryQuotaStore(), clock=clock)
    return View(
        catalog=settings.catalog,
        policy=replace(settings.policy, exploration=0.0),
        quotas=book.standings(),
        budget=book.budget(),
    )


def planned(request: Request, view: View) -> Plan:
    return plan(request, view, Random(0))

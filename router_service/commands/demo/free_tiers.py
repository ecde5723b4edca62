"""Scenarios on free providers: who is chosen, that windows hold, and that it costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import fmean

from signalbox.v1.chat_pb2 import (
    ENVIRONMENT_DEVELOPMENT,
    TASK_TYPE_CHAT,
    TASK_TYPE_GENERAL,
    TASK_TYPE_REASONING,
)
from signalbox.v1.router_pb2 import Routing
from signalbox_client import AsyncClient

from router_service.commands.demo.checks import Check, at_least, at_most, near, none_of, same
from router_service.commands.demo.scenario import none_failed, served, usd
from router_service.commands.demo.simulator import Row, Simulator
from router_service.commands.demo.stage import Stage
from router_service.commands.demo.traffic import Heard, asks, at_once, at_rate, call

GROQ_S, OTHERS_S = 0.5, 1.0
SATURATING = 8
"""As many calls as Groq may have at once in the configuration."""
SATURATED_S, LOOK_AGAIN_S = 5.0, 0.005
DAYS_A_MONTH, MONTHS_A_YEAR = 30, 12
FLAT_PRICES = (("GPT-4", 30.0, 2.40), ("Claude", 15.0, 1.20), ("DeepSeek", 2.25, 0.18))
"""USD per million tokens of any kind, and what 80 000 tokens come to."""


async def normal(stage: Stage, rng: Random) -> Sequence[Check]:
    """Reasoning, what is urgent, and general questions while the first choice for those is saturated."""
    reasoning = asks("reasoning", 18, Routing(task_type=TASK_TYPE_REASONING))
    urgent = asks("urgent", SATURATING, Routing(task_type=TASK_TYPE_CHAT, speed_critical=True))
    general = asks("general", 4, Routing(task_type=TASK_TYPE_GENERAL))
    rng.shuffle(reasoning)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(at_once(stage.client, urgent))
        await _saturated(stage.simulator, len(urgent))
        others = group.create_task(at_once(stage.client, general))
        thinking = group.create_task(at_once(stage.client, reasoning))
    heard = [*first.result(), *others.result(), *thinking.result()]
    rows = await stage.simulator.rows()
    return [
        same("reasoning", {"openrouter": 18}, _of(rows, "reasoning")),
        same("speed-critical", {"groq": 8}, _of(rows, "urgent")),
        same("general, Groq being saturated", {"cloudflare": 4}, _of(rows, "general")),
        same("cost in USD", 0.0, usd(heard)),
        none_failed(heard),
    ]


async def quota(stage: Stage, _rng: Random) -> Sequence[Check]:
    """A free window of a day is used up to its last request, and the next one begins without a pause."""
    per_s = 20.0
    heard = await at_rate(stage.client, asks("reasoning", 250, Routing(task_type=TASK_TYPE_REASONING)), per_s=per_s)
    rows = await stage.simulator.rows()
    gaps = [later.started_s - earlier.started_s for earlier, later in pairwise(rows)]
    order = [row.provider for row in rows]
    last_of_openrouter = max((n for n, name in enumerate(order) if name == "openrouter"), default=0)
    first_of_groq = min((n for n, name in enumerate(order) if name == "groq"), default=len(order))
    return [
        same("answered by", {"openrouter": 200, "groq": 50}, served(rows)),
        none_of("requests over a limit", (r.provider for r in rows if r.status != 200)),
        at_most("calls to OpenRouter after the first to Groq", 0, max(0, last_of_openrouter - first_of_groq)),
        at_most("longest pause between calls", 0.5, max(gaps, default=0.0), "s"),
        same("cost in USD", 0.0, usd(heard)),
        none_failed(heard),
    ]


async def speed(stage: Stage, _rng: Random) -> Sequence[Check]:
    """What is urgent goes to the fastest; the others are asked by name, to see that they are slower."""
    urgent = Routing(task_type=TASK_TYPE_CHAT, speed_critical=True)
    heard = await at_once(stage.client, asks("urgent", 20, urgent), most=4)
    rows = await stage.simulator.rows()
    slower = await _others(stage.client)
    named = await stage.simulator.rows(of="named")
    return [
        same("answered by", {"groq": 20}, served(rows)),
        near("mean latency", GROQ_S, fmean([r.latency_s for r in rows] or [0.0]), tolerance=0.1, unit="s"),
        at_least("fastest of the others", OTHERS_S, min((r.latency_s for r in named), default=0.0), "s"),
        none_failed([*heard, *slower]),
    ]


async def development(stage: Stage, _rng: Random) -> Sequence[Check]:
    """What runs in development stays on the own machine, whatever it is."""
    kinds = {"chat": TASK_TYPE_CHAT, "reasoning": TASK_TYPE_REASONING, "general": TASK_TYPE_GENERAL}
    before = await stage.simulator.used()
    wanted = [
        ask
        for name, task in kinds.items()
        for ask in asks(name, 5, Routing(task_type=task, environment=ENVIRONMENT_DEVELOPMENT))
    ]
    heard = await at_once(stage.client, wanted)
    rows = await stage.simulator.rows()
    after = await stage.simulator.used()
    return [
        same("answered by", {"local": 15}, served(rows)),
        none_of("windows that were touched", (name for name in after if after[name] != before[name])),
        same("cost in USD", 0.0, usd(heard)),
        none_failed(heard),
    ]


async def cost(stage: Stage, rng: Random) -> Sequence[Check]:
    """A day's hundred requests for nothing, beside what paid models would have taken."""
    wanted = asks("chat", 100, Routing(task_type=TASK_TYPE_CHAT), input_tokens=500, output_tokens=300)
    rng.shuffle(wanted)
    heard = await at_once(stage.client, wanted, most=20)
    rows = [row for row in await stage.simulator.rows() if row.status == 200]
    tokens = sum(row.input_tokens + row.output_tokens for row in rows)
    spent = usd(heard)
    baselines = [(name, tokens * price / 1e6, wanted_usd) for name, price, wanted_usd in FLAT_PRICES]
    day = baselines[0][1] - spent
    return [
        same("requests", 100, len(rows)),
        same("tokens in", 50_000, sum(row.input_tokens for row in rows)),
        same("tokens out", 30_000, sum(row.output_tokens for row in rows)),
        same("cost in USD", 0.0, spent),
        *(same(f"{name} would have cost, in USD", f"{most:.2f}", f"{amount:.2f}") for name, amount, most in baselines),
        same("saved against GPT-4 in a day, in USD", "2.40", f"{day:.2f}"),
        same("in a month", "72.00", f"{day * DAYS_A_MONTH:.2f}"),
        same("in a year", "864.00", f"{day * DAYS_A_MONTH * MONTHS_A_YEAR:.2f}"),
        none_failed(heard),
    ]


def _of(rows: Sequence[Row], kind: str) -> object:
    return served(row for row in rows if row.request_id.startswith(kind))


async def _saturated(simulator: Simulator, wanted: int) -> None:
    """Wait until so many calls are under way; that they never were shows in the checks."""
    try:
        async with asyncio.timeout(SATURATED_S):
            while True:
                if await simulator.in_flight() >= wanted:
                    return
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        return


async def _others(client: AsyncClient) -> list[Heard]:
    """One question to each of the other providers, by its name."""
    names = ("openrouter", "cloudflare", "nvidia", "mistral", "local")
    wanted = [ask for name in names for ask in asks(f"named-{name}", 1, Routing(allowed_providers=[name]))]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(client, ask)) for ask in wanted]
    return [task.result() for task in tasks]

"""Callers: requests at once or at a steady rate, each with what its caller heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.v1.router_pb2 import PLAN_VIEW_BASIC, CompleteRequest, Routing
from signalbox_client import AsyncClient, SignalboxError, user

TIMEOUT_S = 60.0
CHARACTERS_PER_TOKEN = 4
"""How the simulator counts prompts."""
SENTENCE = "Signals keep trains apart so that each of them arrives. "


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to make. `request_id` is unique within a scenario; its beginning tells its kind."""

    request_id: str
    routing: Routing
    input_tokens: int = 14
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of a request as its caller saw it. `error` is the reason's name, and empty for an answer."""

    request_id: str
    provider: str = ""
    attempts: int = 0
    cost_usd_nanos: int = 0
    quality: float = 0.0
    error: str = ""
    message: str = ""


def asks(kind: str, count: int, routing: Routing, *, input_tokens: int = 14, output_tokens: int = 24) -> list[Ask]:
    """So many requests of one kind."""
    return [
        Ask(request_id=f"{kind}-{n:03}", routing=routing, input_tokens=input_tokens, output_tokens=output_tokens)
        for n in range(count)
    ]


async def at_once(client: AsyncClient, wanted: Sequence[Ask], *, most: int = 1000) -> list[Heard]:
    """All of them, in their order, with `most` under way at any time."""
    room = asyncio.Semaphore(most)

    async def one(ask: Ask) -> Heard:
        async with room:
            return await call(client, ask)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(ask)) for ask in wanted]
    return [task.result() for task in tasks]


async def at_rate(client: AsyncClient, wanted: Sequence[Ask], *, per_s: float) -> list[Heard]:
    """One after the other is due, whether or not the one before has been answered."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(ask: Ask, due: float) -> Heard:
        await asyncio.sleep(due - loop.time())
        return await call(client, ask)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(ask, began + n / per_s)) for n, ask in enumerate(wanted)]
    return [task.result() for task in tasks]


async def call(client: AsyncClient, ask: Ask) -> Heard:
    """One request; that it failed is an answer like any other."""
    request = CompleteRequest(
        request_id=ask.request_id,
        messages=[user(prompt(ask.input_tokens))],
        routing=ask.routing,
        plan_view=PLAN_VIEW_BASIC,
    )
    if ask.output_tokens is not None:
        request.generation.max_output_tokens = ask.output_tokens
    try:
        answer = await client.complete(request, timeout_s=TIMEOUT_S)
    except SignalboxError as error:
        reason = error.reason or error.code.name
        return Heard(request_id=ask.request_id, error=reason, message=error.message)
    return Heard(
        request_id=ask.request_id,
        provider=answer.provider,
        attempts=len(answer.attempts),
        cost_usd_nanos=answer.cost_usd_nanos,
        quality=answer.plan.expected_quality,
    )


def prompt(tokens: int) -> str:
    """A text of so many tokens as the simulator counts them."""
    wanted = tokens * CHARACTERS_PER_TOKEN
    return (SENTENCE * (wanted // len(SENTENCE) + 1))[:wanted]

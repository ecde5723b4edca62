"""What only the asyncio client has: cancellation, and many calls at once."""

from __future__ import annotations

import asyncio

import pytest
from signalbox_client import AsyncClient

from .conftest import Served
from .playing_router import ANSWER, PATIENCE_S, WORDS

pytestmark = pytest.mark.anyio


async def test_cancelling_the_task_ends_the_call(served: Served) -> None:
    async with AsyncClient(served.address) as client, asyncio.TaskGroup() as group:
        task = group.create_task(client.complete("hang"))
        assert await asyncio.to_thread(served.router.has_call.wait, PATIENCE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(served.router.calls[0].ended.wait, PATIENCE_S)


async def test_cancelling_the_reader_ends_the_stream(served: Served) -> None:
    pieces: list[str] = []
    has_read = asyncio.Event()

    async def read(client: AsyncClient) -> None:
        async with client.stream("hang-midway") as stream:
            async for piece in stream.text():
                pieces.append(piece)
                if len(pieces) == len(WORDS):
                    has_read.set()

    async with AsyncClient(served.address) as client, asyncio.TaskGroup() as group:
        task = group.create_task(read(client))
        async with asyncio.timeout(PATIENCE_S):
            await has_read.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(served.router.calls[0].ended.wait, PATIENCE_S)
    assert "".join(pieces) == ANSWER


async def test_many_calls_run_at_once(served: Served) -> None:
    async with AsyncClient(served.address) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.complete(f"call {n}")) for n in range(40)]
    assert {task.result().message.content for task in tasks} == {ANSWER}


async def test_stub_serves_what_has_no_short_form(served: Served) -> None:
    async with AsyncClient(served.address, api_key="k") as client:
        assert client.raw is not client.raw
        assert ("authorization", "Bearer k") in client.metadata()

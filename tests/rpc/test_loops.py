"""Loops that come and go beside each other in one process, as those of tests do."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from tests.clients import playing_router
from tests.rpc.playing import PATIENCE_S, asked, serving

pytestmark = pytest.mark.anyio


async def test_the_end_of_a_call_of_a_closed_loop_fails_nobody() -> None:
    router = playing_router.PlayingRouter()
    with playing_router.serving(router) as address:
        kept = await asyncio.to_thread(_left_behind, router, address)
        async with serving() as running:
            router.close()
            for _ in range(10):  # each has the events that came before it handled
                await running.stub.Complete(asked(), timeout=PATIENCE_S)
    del kept


def _left_behind(router: playing_router.PlayingRouter, address: str) -> object:
    """A call under way in a loop that is closed."""
    loop = asyncio.new_event_loop()

    async def begin() -> object:
        channel = grpc.aio.insecure_channel(address)
        prompt = chat_pb2.Message(role=chat_pb2.ROLE_USER, content="hang")
        call = router_pb2_grpc.RouterStub(channel).Complete(router_pb2.CompleteRequest(messages=[prompt]))
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.to_thread(router.has_call.wait)
        return channel, call

    kept = loop.run_until_complete(begin())
    loop.close()
    return kept

"""The administration's clients: all pages as one list, and one target."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from signalbox_client import AdminClient, AsyncAdminClient, Refused, Unreachable

from tests.commands.playing import NAMES, PlayingRouter, serving


@pytest.fixture
def address() -> Iterator[str]:
    with serving(PlayingRouter()) as address:
        yield address


def test_list_is_read_to_its_last_page(address: str) -> None:
    with AdminClient(address) as client:
        assert [target.id for target in client.list_targets()] == list(NAMES)
        assert [target.id for target in client.list_targets(provider="groq")] == [NAMES[0]]


def test_one_target(address: str) -> None:
    with AdminClient(address) as client:
        assert client.get_target(NAMES[1]).model == "openai/gpt-oss-120b"
        with pytest.raises(Refused) as caught:
            client.get_target("nobody/none")
    assert caught.value.reason == "UNKNOWN_TARGET"


def test_absent_router_is_unreachable() -> None:
    with AdminClient("127.0.0.1:1", wait_for_ready=False) as client, pytest.raises(Unreachable):
        next(client.list_targets())


@pytest.mark.anyio
async def test_async_list_is_read_to_its_last_page(address: str) -> None:
    async with AsyncAdminClient(address) as client:
        assert [target.id async for target in client.list_targets()] == list(NAMES)


@pytest.mark.anyio
async def test_async_one_target(address: str) -> None:
    async with AsyncAdminClient(address) as client:
        assert (await client.get_target(NAMES[0])).id == NAMES[0]
        with pytest.raises(Refused):
            await client.get_target("nobody/none")

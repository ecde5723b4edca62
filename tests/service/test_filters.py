"""A content filter's no, and whose requests go on to another target after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from router_service.core.errors import RequestFailed
from router_service.core.settings import RoutingSettings
from tests.core.examples import target
from tests.service.playing import Playing, asked, providers, succeed, write


async def is_filtered(_body: bytes, writer: asyncio.StreamWriter) -> None:
    said = b'{"error":{"code":"content_filter"}}'
    await write(writer, b"HTTP/1.1 400 X\r\ncontent-length: %d\r\n\r\n" % len(said), said)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("usually", "tenant", "goes_on"),
    [
        (False, "web", False),
        (True, "web", True),
        (False, "bold", True),
        (True, "careful", False),
        (True, "", True),
    ],
)
async def test_a_tenants_own_word_on_it_counts_before_the_servers(usually: bool, tenant: str, goes_on: bool) -> None:
    rules = RoutingSettings(
        content_filter_failover=usually, content_filter_failover_of={"bold": True, "careful": False}
    )
    async with providers(is_filtered, succeed) as stage:
        names = ("alder", "birch")
        targets = [target(f"{n}/x", price=p + 1.0, base_url=stage.addresses[p]) for p, n in enumerate(names)]
        router = Playing(*targets, rules=rules)
        request = replace(asked(), tenant=tenant)
        if goes_on:
            assert (await router.router.complete(request, None)).target.id == "birch/x"
        else:
            with pytest.raises(RequestFailed) as failed:
                await router.router.complete(request, None)
            assert failed.value.error.reason == "CONTENT_FILTERED"
        await router.transport.close()

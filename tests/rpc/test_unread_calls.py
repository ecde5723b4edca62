"""Calls that end before their message is read: who hears of them as what, and what they leave behind."""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider

from router_service.core.errors import AllowanceSpent
from router_service.core.events import AttemptFinished, RequestFinished, RouteFinished
from router_service.rpc.kept_out import MOST_TOLD, QUIET_S, KeptOut
from router_service.telemetry.calls import CallTracing
from tests.rpc.playing import PATIENCE_S, Serving, asked, info, serving
from tests.rpc.test_access import COMPLETE, KEY, access, bearer, tenant
from tests.rpc.test_call import Ended

pytestmark = pytest.mark.anyio

ROUTE, STREAM = "/signalbox.v1.Router/Route", "/signalbox.v1.Router/StreamComplete"
LIST, WATCH = "/signalbox.v1.Admin/ListTargets", "/signalbox.v1.HealthFeed/Watch"
NO_MESSAGE = b"\xff"
SAMPLED = ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01")


class Hearing:
    """Implements Observer."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    def attempt_finished(self, event: AttemptFinished) -> None:
        raise AssertionError("nobody was asked")

    def request_finished(self, event: RequestFinished) -> None:
        kind = "stream" if event.is_stream else "unary"
        self.heard.append((kind, event.outcome, event.request.tenant))

    def route_finished(self, event: RouteFinished) -> None:
        self.heard.append(("route", event.outcome, event.request.tenant))


class Counting:
    """Implements Turnstile and Place: one call at a time."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, bool]] = []
        self.under_way = 0
        self.came, self.left = asyncio.Event(), asyncio.Event()

    def enter(self, tenant: str, *, is_stream: bool) -> Counting:
        if self.under_way:
            raise AllowanceSpent("one at a time", subject=f"tenant:{tenant}", retry_after_s=2.0)
        self.entered.append((tenant, is_stream))
        self.under_way += 1
        self.came.set()
        return self

    def leave(self) -> None:
        self.under_way -= 1
        self.left.set()


async def reason(running: Serving, method: str, data: bytes, *metadata: tuple[str, str]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.raw(method, data, *metadata)
    return str(info(caught.value).reason)


@pytest.mark.parametrize(
    ("method", "heard"),
    [(COMPLETE, ["unary"]), (STREAM, ["stream"]), (ROUTE, ["route"]), (LIST, [])],
)
async def test_unread_calls_are_told_of_as_what_they_are(method: str, heard: list[str]) -> None:
    hearing = Hearing()
    async with serving(observer=hearing, access=access(tenant())) as running:
        assert await reason(running, method, b"") == "CREDENTIALS"
        assert await reason(running, method, NO_MESSAGE, bearer()) in ("MALFORMED_MESSAGE", "ROLE")
    assert hearing.heard == [
        each for kind in heard for each in ((kind, "CREDENTIALS", ""), (kind, "MALFORMED_MESSAGE", "web"))
    ]


@pytest.mark.parametrize(("method", "kind"), [(COMPLETE, "unary"), (STREAM, "stream"), (ROUTE, "route")])
async def test_who_leaves_before_its_message_has_come_is_told_of_as_that(method: str, kind: str) -> None:
    """Later and later, so that some leave while the call begins and some while it is waited for."""
    hearing, counting = Hearing(), Counting()
    async with serving(observer=hearing, access=access(tenant()), turnstile=counting) as running:
        opened: Any = running.channel.stream_stream(method, request_serializer=None, response_deserializer=None)
        for number in range(20):
            counting.came.clear()
            counting.left.clear()
            call = opened(metadata=[bearer()])
            async with asyncio.timeout(PATIENCE_S):
                await counting.came.wait()
                await asyncio.sleep(number * 0.0005)
                call.cancel()
                await counting.left.wait()
    assert hearing.heard == [(kind, "CANCELLED", "web")] * 20


async def test_who_is_over_its_bounds_is_refused_before_its_message_is_read() -> None:
    counting, hearing = Counting(), Hearing()
    async with serving(observer=hearing, access=access(tenant()), turnstile=counting) as running:
        counting.under_way = 1
        assert await reason(running, COMPLETE, NO_MESSAGE, bearer()) == "CALLER_QUOTA"
        assert hearing.heard == [("unary", "CALLER_QUOTA", "web")]
        counting.under_way = 0
        assert await reason(running, COMPLETE, NO_MESSAGE, bearer()) == "MALFORMED_MESSAGE"
        assert await reason(running, STREAM, NO_MESSAGE, bearer()) == "MALFORMED_MESSAGE"
        assert await reason(running, COMPLETE, b"") == "CREDENTIALS"
        assert await reason(running, LIST, b"", bearer()) == "ROLE"
    assert counting.entered == [("web", False), ("web", True)]
    assert counting.under_way == 0


async def test_a_call_leaves_its_place_however_it_ends() -> None:
    counting = Counting()
    async with serving(turnstile=counting) as running:
        for _ in range(20):
            await running.stub.Complete(asked(), timeout=PATIENCE_S)
            for how in ("refuse", "runtime-error"):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await running.stub.Complete(asked(how), timeout=PATIENCE_S)
                assert info(caught.value).reason in ("ROUTER_OVERLOADED", "INTERNAL")
        call = running.stub.Complete(asked("wait"))
        async with asyncio.timeout(PATIENCE_S):
            await running.router.waiting.wait()
        assert await reason(running, COMPLETE, b"") == "CALLER_QUOTA"
        counting.left.clear()
        call.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await counting.left.wait()
    assert counting.under_way == 0


@pytest.mark.parametrize(
    ("sample_ratio", "metadata", "is_of_its_caller"),
    [
        pytest.param(0.0, [SAMPLED], None, id="no-key"),
        pytest.param(0.0, [SAMPLED, bearer("sb-wrong")], None, id="wrong-key"),
        pytest.param(1.0, [SAMPLED], False, id="by-the-ratio"),
        pytest.param(0.0, [SAMPLED, bearer()], True, id="let-in"),
    ],
)
async def test_who_is_not_let_in_decides_nothing_of_traces(
    sample_ratio: float, metadata: list[tuple[str, str]], *, is_of_its_caller: bool | None
) -> None:
    ended, provider = Ended(), TracerProvider()
    provider.add_span_processor(ended)
    tracing = CallTracing(provider, sample_ratio=sample_ratio, rng=Random(1))
    async with serving(tracing=tracing, access=access(tenant())) as running:
        await reason(running, COMPLETE, NO_MESSAGE, *metadata)
        if is_of_its_caller is not None:
            assert ((await ended.span()).parent is not None) is is_of_its_caller
    assert ended.has_ended is (is_of_its_caller is not None)


async def test_a_flood_of_refusals_is_no_flood_of_lines(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(access=access(tenant())) as running:
        for _ in range(20):
            assert await reason(running, COMPLETE, b"") == "CREDENTIALS"
            assert await reason(running, LIST, b"", bearer()) == "ROLE"
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [
        "a caller at ipv4:127.0.0.1 was kept out of signalbox.v1.Router/Complete: CREDENTIALS",
        "tenant web was kept out of signalbox.v1.Admin/ListTargets: ROLE",
    ]
    assert KEY not in caplog.text


def test_what_went_untold_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    kept_out = KeptOut(clock=lambda: now)
    for _ in range(5):
        kept_out.note(WATCH, "", "ipv6:[::1]:4711", "CREDENTIALS")
    now = QUIET_S
    kept_out.note(WATCH, "", "ipv6:[::1]:4712", "CREDENTIALS")
    assert caplog.messages == [
        "a caller at ipv6:[::1] was kept out of signalbox.v1.HealthFeed/Watch: CREDENTIALS",
        "a caller at ipv6:[::1] was kept out of signalbox.v1.HealthFeed/Watch: CREDENTIALS; "
        "4 more since the last such line",
    ]
    caplog.clear()
    for host in range(2 * MOST_TOLD):
        kept_out.note(WATCH, "", f"ipv4:10.0.0.{host}:1", "CREDENTIALS")
    assert len(caplog.messages) == MOST_TOLD - 1

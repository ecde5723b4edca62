"""The frame around every call, over a real server: what callers hear of faults, and handlers of callers."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from signalbox.v1 import router_pb2

from router_service.rpc.status import DETAILS_KEY
from router_service.telemetry.calls import CallTracing
from tests.rpc.playing import BUGS, CANARY, PATIENCE_S, PlayingRouter, Serving, YieldingRouter, asked, info, serving

pytestmark = pytest.mark.anyio

COMPLETE = "/signalbox.v1.Router/Complete"
STREAM = "/signalbox.v1.Router/StreamComplete"
LEAVE_S = 2.0
REQUEST_ID = re.compile(r"req-[0-9a-f]{24}")
"""One that we made, which is by what the caller can ask about the call."""


@pytest.fixture
async def served() -> AsyncIterator[Serving]:
    async with serving() as running:
        yield running


async def complete(running: Serving, model: str = "") -> router_pb2.CompleteResponse:
    answer: router_pb2.CompleteResponse = await running.stub.Complete(asked(model), timeout=PATIENCE_S)
    return answer


async def stream(running: Serving, model: str = "") -> int:
    """Read a stream to its end and return how many messages came."""
    count = 0
    async for _ in running.stub.StreamComplete(
        router_pb2.StreamCompleteRequest(request=asked(model)), timeout=PATIENCE_S
    ):
        count += 1
    return count


class Ended(SpanProcessor):
    """The only span that ends, which it does just after the caller has heard."""

    def __init__(self) -> None:
        self._span: asyncio.Future[ReadableSpan] = asyncio.get_running_loop().create_future()

    def on_end(self, span: ReadableSpan) -> None:
        self._span.set_result(span)

    @property
    def has_ended(self) -> bool:
        return self._span.done()

    async def span(self) -> ReadableSpan:
        async with asyncio.timeout(PATIENCE_S):
            return await self._span


async def raw_stream(running: Serving, data: bytes) -> None:
    call: Any = running.channel.unary_stream(STREAM, request_serializer=None, response_deserializer=None)
    async for _ in call(data, timeout=PATIENCE_S):
        pass


async def test_good_calls_pass(served: Serving) -> None:
    assert (await complete(served)).request_id == "req-1"
    assert await stream(served) == 1


MALFORMED = [
    pytest.param(b"\xff\xff\xff", id="no-protobuf"),
    pytest.param(asked("a-model").SerializeToString()[:-3], id="cut"),
    pytest.param(b"\x0a\x02\xff\xfe", id="no-utf-8"),
    pytest.param(b"\x0a\xff\xff\xff\xff\x0f", id="a-length-beyond-the-end"),
    pytest.param(b"{}", id="json"),
]


@pytest.mark.parametrize("data", MALFORMED)
async def test_malformed_bytes_are_the_callers_fault(served: Serving, data: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.raw(COMPLETE, data)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(caught.value).reason == "MALFORMED_MESSAGE"
    assert REQUEST_ID.fullmatch(info(caught.value).metadata["request_id"])


@pytest.mark.parametrize("data", MALFORMED)
async def test_malformed_bytes_are_the_callers_fault_in_a_stream(served: Serving, data: bytes) -> None:
    nested = b"\x0a" + bytes([len(data)]) + data
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw_stream(served, nested)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(caught.value).reason == "MALFORMED_MESSAGE"


def unsent(running: Serving, method: str, timeout_s: float | None) -> Any:
    """A call that has begun and sent no message."""
    opened: Any = running.channel.stream_stream(method, request_serializer=None, response_deserializer=None)
    return opened(timeout=timeout_s)


async def said(call: Any) -> tuple[str, str]:
    """The code and the reason of a refused call that has sent no message."""
    async with asyncio.timeout(PATIENCE_S):
        status, reason = await call.code(), ""
        for key, value in await call.trailing_metadata():
            if key == DETAILS_KEY:
                detail = status_pb2.Status.FromString(value).details[0]
                reason = error_details_pb2.ErrorInfo.FromString(detail.value).reason
    return status.name, reason


@pytest.mark.parametrize("method", [COMPLETE, STREAM])
@pytest.mark.parametrize(
    ("timeout_s", "default_deadline_s", "max_deadline_s"),
    [pytest.param(None, 0.2, 60.0, id="no-deadline"), pytest.param(PATIENCE_S * 2, 60.0, 0.2, id="a-long-one")],
)
async def test_message_that_never_comes_is_waited_for_no_longer_than_a_call_may_take(
    method: str, timeout_s: float | None, default_deadline_s: float, max_deadline_s: float
) -> None:
    async with serving(default_deadline_s=default_deadline_s, max_deadline_s=max_deadline_s) as running:
        call = unsent(running, method, timeout_s)
        assert await said(call) == ("DEADLINE_EXCEEDED", "CALLER_DEADLINE")


async def test_message_that_never_comes_ends_with_its_own_deadline(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as running:
        call = unsent(running, COMPLETE, 0.2)
        assert (await said(call))[0] == "DEADLINE_EXCEEDED"
        assert (await complete(running)).request_id == "req-1"
    assert caplog.records == []


@pytest.mark.parametrize("method", [COMPLETE, STREAM])
async def test_call_without_a_message_is_the_callers_fault(served: Serving, method: str) -> None:
    call = unsent(served, method, PATIENCE_S)
    await call.done_writing()
    assert await said(call) == ("INVALID_ARGUMENT", "MALFORMED_MESSAGE")


async def test_caller_who_leaves_before_the_message_is_no_refusal(
    served: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    call = unsent(served, COMPLETE, PATIENCE_S)
    call.cancel()
    assert (await complete(served)).request_id == "req-1"
    assert caplog.records == []


async def test_unknown_fields_are_ignored(served: Serving) -> None:
    answer = await served.raw(COMPLETE, asked().SerializeToString() + b"\x92\xf4\x03\x03abc")
    assert router_pb2.CompleteResponse.FromString(answer).request_id == "req-1"


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("method", [complete, stream])
async def test_bug_tells_nothing_but_that_it_happened(
    served: Serving, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], bug: str, method: object
) -> None:
    assert callable(method)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(served, bug)
    error = caught.value
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == "an internal error; nothing is wrong with the request"
    assert info(error).reason == "INTERNAL"
    told = f"{error.details()}{error.debug_error_string()}{error.trailing_metadata()}"
    assert "Traceback" not in told
    written = caplog.text + "".join(capfd.readouterr())
    assert CANARY not in told + written
    ours = [record for record in caplog.records if record.name == "router_service.rpc.call"]
    assert len(ours) == 1
    assert type(BUGS[bug]).__name__ in ours[0].getMessage()
    assert "playing.py" in ours[0].getMessage(), "the log says where"


async def test_fault_that_the_service_wrapped_is_logged_by_its_cause(
    served: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await complete(served, "fault")
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert info(caught.value).metadata["request_id"] == "req-1"
    assert "RuntimeError" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("method", [complete, stream])
async def test_error_of_ours_becomes_its_status(
    served: Serving, caplog: pytest.LogCaptureFixture, method: object
) -> None:
    assert callable(method)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(served, "refuse")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info(caught.value).reason == "ROUTER_OVERLOADED"
    assert info(caught.value).metadata["request_id"] == "req-1", "the handler's own"
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_handler_may_abort_by_itself(served: Serving) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await complete(served, "abort")
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "not here")


@pytest.mark.parametrize("method", ["/signalbox.v1.Router/Nothing", "/signalbox.v1.Nobody/Complete", "/", "/x"])
async def test_unknown_method(served: Serving, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.raw(method, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_unbuilt_method_says_so(served: Serving, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.Route(router_pb2.RouteRequest(), timeout=PATIENCE_S)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert (caught.value.details() or "").startswith("signalbox.v1.Router/Route is not built yet")
    assert info(caught.value).reason == "NOT_BUILT"
    assert REQUEST_ID.fullmatch(info(caught.value).metadata["request_id"])
    assert caplog.records == []


async def test_unbuilt_stream_says_so(served: Serving) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in served.stub.BatchComplete(router_pb2.BatchCompleteRequest(), timeout=PATIENCE_S):
            pass
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert (caught.value.details() or "").startswith("signalbox.v1.Router/BatchComplete is not built yet")


async def test_message_over_the_limit_is_refused_by_the_library() -> None:
    async with serving(max_message_mib=1) as running:
        request = router_pb2.CompleteRequest(request_id="x" * 2 * 1024 * 1024)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.Complete(request, timeout=PATIENCE_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await complete(running)).request_id == "req-1"


async def test_caller_who_leaves_is_heard_of_in_a_unary_handler(served: Serving) -> None:
    call = served.stub.Complete(asked("wait"))
    async with asyncio.timeout(PATIENCE_S):
        await served.router.waiting.wait()
    call.cancel()
    async with asyncio.timeout(LEAVE_S):
        await served.router.ended.wait()


@pytest.mark.parametrize("router", [PlayingRouter, YieldingRouter])
async def test_caller_who_leaves_is_heard_of_in_a_stream(router: type[PlayingRouter]) -> None:
    async with serving(router()) as running:
        call = running.stub.StreamComplete(router_pb2.StreamCompleteRequest(request=asked("wait")))
        async with asyncio.timeout(PATIENCE_S):
            await running.router.waiting.wait()
        call.cancel()
        async with asyncio.timeout(LEAVE_S):
            await running.router.ended.wait()


@pytest.mark.parametrize("router", [PlayingRouter, YieldingRouter])
async def test_caller_who_leaves_is_heard_of_in_a_blocked_write(
    router: type[PlayingRouter], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(router()) as running:
        call = running.stub.StreamComplete(router_pb2.StreamCompleteRequest(request=asked("never-read")))
        async with asyncio.timeout(PATIENCE_S):
            await running.router.waiting.wait()
        call.cancel()
        async with asyncio.timeout(LEAVE_S):
            await running.router.ended.wait()
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_deadline_ends_a_handler(served: Serving) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.Complete(asked("wait"), timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(LEAVE_S):
        await served.router.ended.wait()


async def test_generator_streams_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(YieldingRouter()) as running:
        assert await stream(running) == 2
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream(running, "refuse")
        assert info(caught.value).reason == "ROUTER_OVERLOADED"
    assert caplog.records == []


async def test_leftover_calls_hear_that_the_router_stops(served: Serving) -> None:
    unary = served.stub.Complete(asked("wait"))
    async with asyncio.timeout(PATIENCE_S):
        await served.router.waiting.wait()
    served.frame.end_leftovers()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unary
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info(caught.value).reason == "ROUTER_DRAINING"
    assert REQUEST_ID.fullmatch(info(caught.value).metadata["request_id"])
    assert served.router.ended.is_set()


@pytest.mark.parametrize(
    ("model", "code", "is_fault"),
    [("", "OK", False), ("refuse", "UNAVAILABLE", True), ("runtime-error", "INTERNAL", True)],
)
async def test_span_has_the_status_that_the_caller_saw(model: str, code: str, *, is_fault: bool) -> None:
    ended, provider = Ended(), TracerProvider()
    provider.add_span_processor(ended)
    async with serving(tracing=CallTracing(provider, sample_ratio=1.0, rng=Random(1))) as running:
        try:
            await complete(running, model)
        except grpc.aio.AioRpcError as error:
            assert error.code().name == code
    span = await ended.span()
    assert span.name == "signalbox.v1.Router/Complete"
    attributes = dict(span.attributes or {})
    assert attributes["rpc.response.status_code"] == code
    assert span.status.is_ok is not is_fault
    assert CANARY not in span.to_json()


async def test_malformed_call_is_no_fault_of_the_server() -> None:
    ended, provider = Ended(), TracerProvider()
    provider.add_span_processor(ended)
    async with serving(tracing=CallTracing(provider, sample_ratio=1.0, rng=Random(1))) as running:
        with pytest.raises(grpc.aio.AioRpcError):
            await running.raw(COMPLETE, b"\xff")
    span = await ended.span()
    assert dict(span.attributes or {})["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert span.status.is_ok

"""The frame around every call: a span, a guard against malformed bytes, one place where errors become statuses.

grpc.aio shows a caller that leaves in two shapes to a handler that awaits `context.write`: CancelledError where it
waits for something else, an InternalError of the library where it is blocked in the write. Both leave here as
CancelledError, since a handler that swallows it leaks memory inside the library.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.trace import Span

from router_service.core.chat import Prompt
from router_service.core.errors import (
    CallerDeadline,
    Draining,
    Facts,
    InternalFault,
    MalformedMessage,
    RequestFailed,
    SignalboxError,
    Stage,
)
from router_service.core.events import Observer, RequestFinished, RouteFinished
from router_service.core.request import Request
from router_service.rpc.access import Access, current_caller, rights
from router_service.rpc.kept_out import KeptOut
from router_service.rpc.request_id import REQUEST_ID, new_request_id
from router_service.rpc.status import Refusal, refusal
from router_service.rpc.turnstile import Turnstile
from router_service.telemetry.call_metrics import CallMetrics
from router_service.telemetry.calls import CallTracing, current_span

logger = logging.getLogger(__name__)

OURS, ROUTER = "/signalbox.", "/signalbox.v1.Router/"
ROUTE = f"{ROUTER}Route"
CANCELLED = "CANCELLED"
LEAVING_S = 0.1
"""How long a caller may be heard of as leaving after its message has ended: the library tells of the latter first."""

# The stubs know these as generics, the library does not: hence the quotes.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Behaviour = Callable[[Any, Context], Awaitable[Any]]


class CallFrame:
    """One per server. Methods that take a stream (reflection) pass unframed.

    Whoever reads a request tells the observers of its end. `observer` hears from here of the Router's that nobody read:
    their callers were not let in, their bytes were no message, or their method is not built. `access` says who may
    call; without one, everybody may. At the Router's methods callers then pass `turnstile`, before their message is
    read: what they send may be large, and is of no use to who is over its bounds.

    It does an interceptor's work without being one: gRPC would ask an interceptor anew at each call, which costs a
    twentieth of a Complete, while the answer for a method never changes.

    It reads each request itself, as one of a stream is read: the library waits for a unary call's message before it
    calls anybody, for as long as the caller likes. A call without a deadline has `default_deadline_s` to send it, and
    none has more than `max_deadline_s`.
    """

    def __init__(
        self,
        tracing: CallTracing | None,
        observer: Observer | None = None,
        *,
        calls: CallMetrics | None = None,
        access: Access | None = None,
        turnstile: Turnstile | None = None,
        default_deadline_s: float = 300.0,
        max_deadline_s: float = 3600.0,
    ) -> None:
        self._access = access
        self._turnstile = turnstile
        self._kept_out = KeptOut()
        self._tracing = tracing
        self._calls = calls
        self._observer = observer
        self._default_deadline_s = default_deadline_s
        self._max_deadline_s = max_deadline_s
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_ending = False

    def end_leftovers(self) -> None:
        """End the calls still running: each of them hears that the router drains."""
        self._is_ending = True
        for task in self._tasks:
            task.cancel()

    def around(self, method: str, handler: Handler) -> Handler:
        """The handler of `method` (`/package.Service/Name`) with the frame around it."""
        if handler.request_streaming:
            return handler
        guarded = _guarded(handler.request_deserializer)
        if not handler.response_streaming:
            behaviour = self._run(method, cast(Behaviour, handler.unary_unary), is_stream=False)
            return grpc.stream_unary_rpc_method_handler(behaviour, guarded, handler.response_serializer)
        inner = cast(Behaviour, handler.unary_stream)
        written = _written(inner) if inspect.isasyncgenfunction(inner) else inner
        behaviour = self._run(method, written, is_stream=True)
        return grpc.stream_stream_rpc_method_handler(behaviour, guarded, handler.response_serializer)

    def _run(self, method: str, inner: Behaviour, *, is_stream: bool) -> Behaviour:
        is_ours, is_routers = method.startswith(OURS), method.startswith(ROUTER)
        tracing = self._tracing if is_ours else None
        observer, turnstile = (self._observer, self._turnstile) if is_routers else (None, None)
        calls = self._calls.of(method) if is_ours and self._calls is not None else None
        access, allowed = self._access if is_ours else None, rights(method)

        async def run(_requests: object, context: Context) -> Any:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            started = time.monotonic()
            span: Span | None = None
            code = grpc.StatusCode.OK
            try:
                if access is not None:
                    try:
                        access.admit(method, allowed, context)
                    except SignalboxError as e:
                        span = tracing.begin(method, None) if tracing else None
                        self._kept_out.note(method, current_caller().tenant, context.peer(), e.reason)
                        raise
                span = tracing.begin(method, context) if tracing else None
                return await self._serve(inner, context, turnstile, is_stream=is_stream)
            except (asyncio.CancelledError, grpc.aio.InternalError) as e:
                code = grpc.StatusCode.CANCELLED
                if self._is_ending:
                    code = grpc.StatusCode.UNAVAILABLE
                    _tell_unread(observer, method, Draining.reason, started, is_stream=is_stream)
                    await _abort(context, refusal(_named(Draining("this router stopped before the call was done"))))
                _tell_unread(observer, method, CANCELLED, started, is_stream=is_stream)
                raise (e if isinstance(e, asyncio.CancelledError) else asyncio.CancelledError()) from e
            except SignalboxError as e:
                _tell_unread(observer, method, e.reason, started, is_stream=is_stream)
                failed = _named(e)
                if isinstance(failed.error, InternalFault):
                    _log_bug(method, e.__cause__)
                refused = refusal(failed)
                code = refused.code
                await _abort(context, refused)
            except grpc.aio.AbortError:
                code = grpc.StatusCode.UNKNOWN
                raise
            except Exception as e:  # noqa: BLE001 - the root of a call: whatever is wrong with us ends here
                code = grpc.StatusCode.INTERNAL
                _tell_unread(observer, method, InternalFault.reason, started, is_stream=is_stream)
                _log_bug(method, e)
                facts = Facts(request_id=REQUEST_ID.get(), was_sent=True, maybe_billed=True)  # assumed, not known
                await _abort(context, refusal(RequestFailed(InternalFault(), facts)))
            finally:
                self._tasks.discard(task)
                if calls is not None:
                    calls.ended(code, time.monotonic() - started)
                if span is not None and tracing is not None:
                    tracing.end(span, code)

        return run

    async def _serve(self, inner: Behaviour, context: Context, turnstile: Turnstile | None, *, is_stream: bool) -> Any:
        """The call itself, for as long as it has its place."""
        place = None if turnstile is None else turnstile.enter(current_caller().tenant, is_stream=is_stream)
        try:
            return await inner(await self._request(context), context)
        finally:
            if place is not None:
                place.leave()

    async def _request(self, context: Context) -> Any:
        """The call's message. Raises CallerDeadline and MalformedMessage, and CancelledError where the caller left."""
        try:
            async with asyncio.timeout(self._patience_s(context.time_remaining())):
                request = await context.read()
        except TimeoutError:
            raise CallerDeadline(Stage.ADMISSION) from None
        if isinstance(request, _Malformed):
            raise MalformedMessage(request.text)
        if request is grpc.aio.EOF:
            await asyncio.sleep(LEAVING_S)
            if context.cancelled() or context.done():
                raise asyncio.CancelledError
            raise MalformedMessage("the call has no message")
        return request

    def _patience_s(self, left_s: float | None) -> float | None:
        """How long a message may take. None where the caller's own deadline is the sooner end."""
        if left_s is None:
            return min(self._default_deadline_s, self._max_deadline_s)
        return None if left_s <= self._max_deadline_s else self._max_deadline_s


class _Malformed:
    """Stands in for a message that could not be decoded: a deserializer that raises would end in a bare UNKNOWN."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _guarded(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    assert deserialize is not None

    def guarded(data: bytes) -> Any:
        try:
            return deserialize(data)
        except (DecodeError, UnicodeDecodeError, ValueError):
            text = "the bytes are not the message that this method takes, or a string in it is not UTF-8"
            return _Malformed(f"{text}; check the message type and its encoding")

    return guarded


def _written(generator: Callable[[Any, Context], Any]) -> Behaviour:
    """An async generator as a coroutine that writes, so that a caller who leaves is heard of in this task."""

    async def write_all(request: Any, context: Context) -> None:
        async with aclosing(generator(request, context)) as responses:
            async for response in responses:
                await context.write(response)

    return write_all


def _tell_unread(observer: Observer | None, method: str, outcome: str, started: float, *, is_stream: bool) -> None:
    """The last word on a call whose request nobody read. It gets an id here, by which its caller can name it."""
    if REQUEST_ID.get():
        return
    request_id = new_request_id()
    REQUEST_ID.set(request_id)
    if observer is None:
        return
    request = Request(
        request_id=request_id, prompt=Prompt(messages=()), deadline=started, tenant=current_caller().tenant
    )
    latency_s = time.monotonic() - started
    if method == ROUTE:
        observer.route_finished(
            RouteFinished(request=request, plan=None, latency_s=latency_s, outcome=outcome, trace=current_span())
        )
        return
    observer.request_finished(
        RequestFinished(
            request=request,
            is_stream=is_stream,
            plan=None,
            attempts=(),
            latency_s=latency_s,
            delivered_chunks=0,
            outcome=outcome,
            trace=current_span(),
        )
    )


def _named(error: SignalboxError) -> RequestFailed:
    """The error with the facts of its request, the id at least."""
    failed = error if isinstance(error, RequestFailed) else RequestFailed(error, Facts(request_id=REQUEST_ID.get()))
    if failed.facts.request_id:
        return failed
    return RequestFailed(failed.error, replace(failed.facts, request_id=REQUEST_ID.get()))


async def _abort(context: Context, refused: Refusal) -> NoReturn:
    await context.abort(refused.code, refused.message, refused.trailers)
    raise AssertionError("abort always raises")


def _log_bug(method: str, error: BaseException | None) -> None:
    """Where it happened, and nothing of what it was about: the text of a foreign error may hold a prompt or a key."""
    frames = "".join(traceback.format_tb(error.__traceback__ if error else None))
    logger.error("%s failed with %s:\n%s", method, type(error).__name__, frames)

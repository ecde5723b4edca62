"""An answer while it is written, for callers with and without asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc
from signalbox.v1.router_pb2 import (
    CompleteResponse,
    Delta,
    Done,
    Started,
    StreamCompleteRequest,
    StreamCompleteResponse,
)

from .content import put_together
from .errors import cut_short, from_rpc

if TYPE_CHECKING:
    from grpc import _CallIterator

    Call = _CallIterator[StreamCompleteResponse]
    AsyncCall = grpc.aio.UnaryStreamCall[StreamCompleteRequest, StreamCompleteResponse]


class CompletionStream:
    """The events of one streamed completion, or its text alone.

    Iterate over it for the events: `started`, `delta`, `attempt_failed`, `resumed`, `done`. Leaving the loop early, or
    the `with` block, ends the call and with it the spending. Every way in which an answer stays incomplete raises a
    SignalboxError, so a loop that ends has seen all of it.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._progress = _Progress()

    @property
    def started(self) -> Started | None:
        """Who answers; None until its event was read."""
        return self._progress.started

    @property
    def done(self) -> Done | None:
        """The facts of the whole answer; None until its event was read."""
        return self._progress.done

    def __iter__(self) -> Generator[StreamCompleteResponse]:
        try:
            for event in self._call:
                if self._progress.saw(event):
                    yield event
        except grpc.RpcError as error:
            raise from_rpc(error, has_begun=self._progress.has_begun) from error
        finally:
            self._call.cancel()
        self._progress.check_whole()

    def text(self) -> Generator[str]:
        """The pieces of the answer's text as they arrive."""
        for event in self:
            if event.delta.content:
                yield event.delta.content

    def response(self) -> CompleteResponse:
        """The whole answer once it is there, with the message that the pieces make."""
        deltas = [event.delta for event in self if event.HasField("delta")]
        return self._progress.response(deltas)

    def close(self) -> None:
        """End the call, if it has not ended."""
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncCompletionStream:
    """CompletionStream for asyncio: `async for` over it or over `text()`, inside `async with` where it may be left."""

    def __init__(self, call: AsyncCall) -> None:
        self._call = call
        self._progress = _Progress()

    @property
    def started(self) -> Started | None:
        """Who answers; None until its event was read."""
        return self._progress.started

    @property
    def done(self) -> Done | None:
        """The facts of the whole answer; None until its event was read."""
        return self._progress.done

    async def __aiter__(self) -> AsyncGenerator[StreamCompleteResponse]:
        try:
            async for event in self._call:
                if self._progress.saw(event):
                    yield event
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, has_begun=self._progress.has_begun) from error
        finally:
            self._call.cancel()
        self._progress.check_whole()

    async def text(self) -> AsyncGenerator[str]:
        """The pieces of the answer's text as they arrive."""
        async for event in self:
            if event.delta.content:
                yield event.delta.content

    async def response(self) -> CompleteResponse:
        """The whole answer once it is there, with the message that the pieces make."""
        deltas = [event.delta async for event in self if event.HasField("delta")]
        return self._progress.response(deltas)

    def close(self) -> None:
        """End the call, if it has not ended. A call that is merely forgotten would run until its deadline."""
        self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Progress:
    """How far a stream has come."""

    def __init__(self) -> None:
        self.has_begun = False
        self.started: Started | None = None
        self.done: Done | None = None

    def saw(self, event: StreamCompleteResponse) -> bool:
        """Take note of an event; False for one of a kind that a newer server has and this client does not know."""
        self.has_begun = True
        match event.WhichOneof("event"):
            case None:
                return False
            case "started":
                self.started = event.started
            case "done":
                self.done = event.done
        return True

    def response(self, deltas: Iterable[Delta]) -> CompleteResponse:
        whole = CompleteResponse()
        whole.CopyFrom(self.done.response if self.done else whole)
        whole.message.CopyFrom(put_together(deltas))
        return whole

    def check_whole(self) -> None:
        if self.done is None:
            raise cut_short()

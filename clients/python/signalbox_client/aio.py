"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from signalbox.v1.router_pb2 import CompleteResponse, Plan, PlanView, Routing, StreamCompleteRequest
from signalbox.v1.router_pb2_grpc import RouterStub

from .client import STREAM_TIMEOUT_S, UNARY_TIMEOUT_S
from .connection import AsyncConnection
from .endpoint import CHANNELS, bounded, endpoint, router_address
from .errors import from_rpc
from .request import Prompt, Question, completion, question
from .stream import AsyncCompletionStream

if TYPE_CHECKING:
    from signalbox.v1.router_pb2_grpc import RouterAsyncStub


class AsyncClient(AsyncConnection):
    """Client for asyncio, with the same names, arguments and errors; only channels of one's own it does not take. It
    belongs to the loop of its first call.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        cert: str | Path | None = None,
        cert_key: str | Path | None = None,
        channels: int = CHANNELS,
        wait_for_ready: bool = True,
        allow_plaintext_key: bool = False,
    ) -> None:
        to = endpoint(
            router_address(address),
            api_key=api_key,
            ca=ca,
            cert=cert,
            cert_key=cert_key,
            is_patient=wait_for_ready,
            allow_plaintext_key=allow_plaintext_key,
        )
        super().__init__(to, channels)
        self._stubs: Iterator[RouterAsyncStub] | None = None

    async def complete(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        max_output_tokens: int | None = None,
        timeout_s: float = UNARY_TIMEOUT_S,
        request_id: str = "",
        routing: Routing | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> CompleteResponse:
        """One whole answer; cancelling the task that awaits it ends the call. Raises a SignalboxError."""
        request = completion(
            prompt,
            model=model,
            max_output_tokens=max_output_tokens,
            request_id=request_id,
            routing=routing,
            labels=labels,
        )
        call = self.raw.Complete(request, timeout=bounded(timeout_s), metadata=self.metadata())
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    async def route(
        self,
        prompt: Question = None,
        *,
        model: str = "",
        max_output_tokens: int | None = None,
        estimated_input_tokens: int | None = None,
        view: PlanView.ValueType | None = None,
        max_candidates: int | None = None,
        timeout_s: float = UNARY_TIMEOUT_S,
        routing: Routing | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Plan:
        """What the router would do with a prompt, and why; nothing is run or billed. Raises a SignalboxError."""
        request = question(
            prompt,
            model=model,
            max_output_tokens=max_output_tokens,
            estimated_input_tokens=estimated_input_tokens,
            view=view,
            max_candidates=max_candidates,
            routing=routing,
            labels=labels,
        )
        call = self.raw.Route(request, timeout=bounded(timeout_s), metadata=self.metadata())
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()
        return answer.plan

    def stream(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        max_output_tokens: int | None = None,
        timeout_s: float = STREAM_TIMEOUT_S,
        request_id: str = "",
        routing: Routing | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> AsyncCompletionStream:
        """An answer while it is written. Reading from it raises a SignalboxError unless it comes to its end."""
        request = completion(
            prompt,
            model=model,
            max_output_tokens=max_output_tokens,
            request_id=request_id,
            routing=routing,
            labels=labels,
        )
        call = self.raw.StreamComplete(
            StreamCompleteRequest(request=request), timeout=bounded(timeout_s), metadata=self.metadata()
        )
        return AsyncCompletionStream(call)

    @property
    def raw(self) -> RouterAsyncStub:
        """The generated stub on the next channel, for the methods that have no short form here.

        Its calls raise grpc.aio.AioRpcError and carry only what they are given: pass `timeout` and
        `metadata=metadata()`, and cancel each in a `finally`, since gRPC never collects a forgotten one.
        """
        if self._stubs is None:
            self._stubs = cycle([RouterStub(channel) for channel in self._opened()])
        return next(self._stubs)

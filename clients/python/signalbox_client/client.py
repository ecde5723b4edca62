"""The client for programs without asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import grpc
from signalbox.v1.router_pb2 import CompleteResponse, Plan, PlanView, Routing, StreamCompleteRequest
from signalbox.v1.router_pb2_grpc import RouterStub

from .connection import Connection
from .endpoint import CHANNELS, bounded, endpoint, router_address
from .errors import from_rpc
from .request import Prompt, Question, completion, question
from .stream import CompletionStream

UNARY_TIMEOUT_S = 60.0
STREAM_TIMEOUT_S = 300.0


class Client(Connection):
    """A router, called from threads. One client serves a whole process and all its threads; close it at the end.

    `address` is the router's, else SIGNALBOX_ADDRESS, else 127.0.0.1:50051. `api_key` (else SIGNALBOX_API_KEY) goes out
    as a bearer key; `ca` (else SIGNALBOX_CA) names a PEM file and turns TLS on; `cert` and `cert_key` (else
    SIGNALBOX_CERT and _CERT_KEY) name those of the caller's own certificate, where the router asks for one. `channels`
    is the number of connections, over which calls are spread in turn, or channels of the caller's own. With
    `wait_for_ready`, a call waits within its deadline for a router that is not there yet; without it, such a call fails
    as Unreachable within some two seconds. A key goes to another machine only over TLS, unless `allow_plaintext_key`
    says that something else encrypts the connection.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        cert: str | Path | None = None,
        cert_key: str | Path | None = None,
        channels: int | Sequence[grpc.Channel] = CHANNELS,
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
        self._stubs = cycle([RouterStub(channel) for channel in self._channels])

    def complete(
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
        """One whole answer. `model` is a name, an alias or a target's id; empty lets the router choose.

        Raises a SignalboxError.
        """
        request = completion(
            prompt,
            model=model,
            max_output_tokens=max_output_tokens,
            request_id=request_id,
            routing=routing,
            labels=labels,
        )
        try:
            return self.raw.Complete(request, timeout=bounded(timeout_s), metadata=self.metadata())
        except grpc.RpcError as error:
            raise from_rpc(error) from error

    def route(
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
        """What the router would do with a prompt, and why; nothing is run or billed.

        `estimated_input_tokens` may stand for the prompt, or corrects what the router would make of it. `view` is
        PLAN_VIEW_FULL for a plan with up to `max_candidates` targets, their points and why others are rejected. The
        plan's `decision_id` can be run for some minutes, with `Routing(decision_id=…)`. Raises a SignalboxError.
        """
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
        try:
            return self.raw.Route(request, timeout=bounded(timeout_s), metadata=self.metadata()).plan
        except grpc.RpcError as error:
            raise from_rpc(error) from error

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
    ) -> CompletionStream:
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
        return CompletionStream(call)

    @property
    def raw(self) -> RouterStub:
        """The generated stub on the next channel, for the methods that have no short form here.

        Its calls raise grpc.RpcError and carry only what they are given: pass `timeout` and `metadata=metadata()`.
        """
        return next(self._stubs)

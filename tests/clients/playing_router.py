"""A gRPC server that plays router and prober: what a prompt asks for happens, and what arrived is kept.

It also runs as a process, `python -m tests.clients.playing_router PORT`, for tests that kill it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from signalbox.v1 import chat_pb2, health_feed_pb2, health_feed_pb2_grpc, router_pb2, router_pb2_grpc

from router_service.core import errors
from router_service.core.errors import Facts, RequestFailed, Stage
from router_service.core.outcome import BlockReason
from router_service.rpc.status import refusal

PATIENCE_S = 10.0
TARGET = "alder/chat-small"
WORDS = ("Trains ", "wait ", "here ✓.")
ANSWER = "".join(WORDS)
ESCAPES = "\x1b]0;mine\x07red"
"""Retitles the window of a terminal that lets it."""

FAILURES: Mapping[str, errors.SignalboxError] = {
    "invalid": errors.InvalidRequest([errors.Violation("generation.temperature", "3 is above 2")]),
    "nobody": errors.NoTarget(
        "no target may serve this", rejected={"health": 2}, first=[errors.Rejected(TARGET, "health")]
    ),
    "blocked": errors.ProvidersBlocked(blocked={"alder": BlockReason.RATE_LIMITED}, retry_after_s=2.5),
    "refused": errors.AttemptsFailed([(TARGET, errors.ConnectFailed("refused", stage=Stage.CONNECT))]),
    "key": errors.AttemptsFailed([(TARGET, errors.BadCredentials("401", stage=Stage.FIRST_BYTE))]),
    "broken": errors.StreamInterrupted(errors.ServerFailed("reset", stage=Stage.STREAM, maybe_billed=True)),
    "large": errors.ResponseTooLarge("the provider sent more than 16 MiB", stage=Stage.STREAM, maybe_billed=True),
    "slow": errors.SlowReader(30.0),
    "late": errors.CallerDeadline(Stage.FIRST_BYTE),
    "busy": errors.Overloaded("too many calls in flight"),
}

MIDWAY = frozenset({"broken", "large", "slow"})
"""These fail once the answer has been delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it arrived; `ended` is set when it is over, however it ended."""

    request: router_pb2.CompleteRequest
    metadata: Mapping[str, str | bytes]
    peer: str
    time_left_s: float
    arrived_at: float
    ended: threading.Event


@dataclass(slots=True)
class PlayingRouter(router_pb2_grpc.RouterServicer):
    """Answers every prompt with ANSWER; one that begins with `fail:NAME` fails so, and these do as they say: `cut` (a
    stream without its end), `escape` (answers with ESCAPES), `hang`, `hang-midway`, `flaky` (fails twice before it
    answers), `later:MS` (fails once, and says when to come again), `new-event`, `garbled` (details that nobody can
    read), `bare` (UNAVAILABLE without a reason).
    """

    calls: list[Call] = field(default_factory=list)
    has_call: threading.Event = field(default_factory=threading.Event)
    questions: list[router_pb2.RouteRequest] = field(default_factory=list)

    def close(self) -> None:
        """Let go of the calls that hang."""
        for call in self.calls:
            call.ended.set()

    def Route(self, request: router_pb2.RouteRequest, context: grpc.ServicerContext) -> router_pb2.RouteResponse:
        self.questions.append(request)
        if request.messages and (name := request.messages[-1].content.removeprefix("fail:")) in FAILURES:
            _fail(context, name)
        return router_pb2.RouteResponse(plan=router_pb2.Plan(target=TARGET, decision_id="dec-1"))

    def Complete(
        self, request: router_pb2.CompleteRequest, context: grpc.ServicerContext
    ) -> router_pb2.CompleteResponse:
        self._play(request, context)
        return _response(request, ANSWER)

    def StreamComplete(
        self, request: router_pb2.StreamCompleteRequest, context: grpc.ServicerContext
    ) -> Iterator[router_pb2.StreamCompleteResponse]:
        prompt = self._play(request.request, context)
        yield _event(started=router_pb2.Started(request_id=request.request.request_id, target=TARGET))
        for word in [ESCAPES] if prompt == "escape" else WORDS:
            yield _event(delta=router_pb2.Delta(content=word))
        match prompt:
            case "fail:broken" | "fail:large" | "fail:slow":
                _fail(context, prompt.removeprefix("fail:"))
            case "cut":
                return
            case "hang-midway":
                self.calls[-1].ended.wait(PATIENCE_S)
            case "new-event":
                yield _event()
        response = _response(request.request, "")
        yield _event(done=router_pb2.Done(response=response, time_to_first_token=Duration(nanos=20_000_000)))

    def _play(self, request: router_pb2.CompleteRequest, context: grpc.ServicerContext) -> str:
        call = Call(
            request=request,
            metadata=dict(context.invocation_metadata()),
            peer=context.peer(),
            time_left_s=context.time_remaining() or 0.0,
            arrived_at=time.monotonic(),
            ended=threading.Event(),
        )
        context.add_callback(call.ended.set)
        self.calls.append(call)
        self.has_call.set()
        prompt = request.messages[-1].content
        match prompt.partition(":"):
            case ("fail", _, name) if name not in MIDWAY:
                _fail(context, name)
            case ("flaky", _, _) if len(self.calls) < 3:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
            case ("later", _, delay_ms) if len(self.calls) < 2:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", delay_ms),))
                context.abort(grpc.StatusCode.UNAVAILABLE, "come again")
            case ("bare", _, _):
                context.set_trailing_metadata((("grpc-retry-pushback-ms", "-1"),))
                context.abort(grpc.StatusCode.UNAVAILABLE, "nobody says why")
            case ("garbled", _, _):
                context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unreadable details")
            case ("hang", _, _):
                call.ended.wait(PATIENCE_S)
        return prompt


class PlayingProber(health_feed_pb2_grpc.HealthFeedServicer):
    """Serves one snapshot after another, two to a watch."""

    def GetSnapshot(
        self, _request: health_feed_pb2.GetSnapshotRequest, _context: grpc.ServicerContext
    ) -> health_feed_pb2.GetSnapshotResponse:
        return health_feed_pb2.GetSnapshotResponse(snapshot=snapshot(1))

    def Watch(
        self, _request: health_feed_pb2.WatchRequest, context: grpc.ServicerContext
    ) -> Iterator[health_feed_pb2.WatchResponse]:
        yield health_feed_pb2.WatchResponse(snapshot=snapshot(1))
        yield health_feed_pb2.WatchResponse(snapshot=snapshot(2))
        context.abort(grpc.StatusCode.UNAVAILABLE, "the prober restarts")


@contextmanager
def serving(
    router: PlayingRouter, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    """Serve the router and a prober; gives the address."""
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    router_pb2_grpc.add_RouterServicer_to_server(router, server)
    health_feed_pb2_grpc.add_HealthFeedServicer_to_server(PlayingProber(), server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        router.close()
        server.stop(0).wait(PATIENCE_S)


def snapshot(sequence: int) -> health_feed_pb2.Snapshot:
    """A snapshot of two targets, one well and one not."""
    made = health_feed_pb2.Snapshot(epoch=7, sequence=sequence, prober_id="playing")
    made.produced_time.FromSeconds(1_700_000_000)
    well = made.targets.add(
        target=TARGET,
        state=health_feed_pb2.HEALTH_STATE_HEALTHY,
        traffic_share=1.0,
        success_rate=0.995,
        samples=12.5,
        in_flight=3,
    )
    well.latency.p50.FromMilliseconds(120)
    well.latency.p95.FromMilliseconds(480)
    well.time_to_first_token.p50.FromMilliseconds(40)
    well.last_probe_time.FromSeconds(1_699_999_998)
    well.last_probe.total.FromMilliseconds(6)
    well.last_probe.ok = True
    ill = made.targets.add(
        target="birch/chat-small", state=health_feed_pb2.HEALTH_STATE_UNHEALTHY, last_error="SERVER_ERROR 503"
    )
    ill.last_probe_time.FromSeconds(1_699_999_999)
    ill.last_probe.total.FromMilliseconds(4)
    blocked = made.providers.add(provider="birch", block_reason=health_feed_pb2.BLOCK_REASON_RATE_LIMITED)
    blocked.blocked_for.FromMilliseconds(1500)
    return made


def _fail(context: grpc.ServicerContext, name: str) -> NoReturn:
    facts = Facts(request_id="r-1", target=TARGET, attempts=1, was_sent=True)
    answer = refusal(RequestFailed(FAILURES[name], facts))
    context.set_trailing_metadata(answer.trailers)
    context.abort(answer.code, answer.message)


def _response(request: router_pb2.CompleteRequest, text: str) -> router_pb2.CompleteResponse:
    response = router_pb2.CompleteResponse(
        request_id=request.request_id or "r-made",
        message=chat_pb2.Message(role=chat_pb2.ROLE_ASSISTANT, content=text),
        finish_reason=chat_pb2.FINISH_REASON_STOP,
        usage=chat_pb2.Usage(input_tokens=4, output_tokens=3),
        target=TARGET,
        provider="alder",
        model="chat-small",
        cost_usd_nanos=1_600,
    )
    response.latency.FromMilliseconds(150)
    response.attempts.add(target=TARGET, outcome=chat_pb2.OUTCOME_OK).time_to_first_token.FromMilliseconds(20)
    return response


def _event(
    *,
    started: router_pb2.Started | None = None,
    delta: router_pb2.Delta | None = None,
    done: router_pb2.Done | None = None,
) -> router_pb2.StreamCompleteResponse:
    return router_pb2.StreamCompleteResponse(started=started, delta=delta, done=done)


def _main(port: str) -> None:
    with serving(PlayingRouter(), f"127.0.0.1:{port}") as address:
        print(address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(sys.argv[1])

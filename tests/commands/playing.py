"""A gRPC server that plays the router to commands that ask for decisions and targets; it keeps what it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from signalbox.v1 import admin_pb2, admin_pb2_grpc, chat_pb2, health_feed_pb2, router_pb2, router_pb2_grpc

from router_service.core import errors
from router_service.core.errors import Facts, RequestFailed
from router_service.rpc.status import refusal

PATIENCE_S = 10.0
FACTORS = (
    ("cost", 27.3, 30.0, "USD for a million tokens of this mix, 0.00012 USD for the request"),
    ("quota", 20.0, 20.0, "no limit"),
    ("health", -12.5, 30.0, "share of successes that is certain; 3 failures in a row"),
    ("latency", 6.2, 10.0, "seconds to the end of the answer"),
    ("task_match", 10.5, 15.0, "how well it suits the task"),
    ("environment", 10.0, 20.0, "production"),
    ("capabilities", 10.0, 10.0, "nothing is preferred"),
)
NAMES = ("groq/openai/gpt-oss-120b", "together/openai/gpt-oss-120b", "anthropic/claude-sonnet-4-6")


@dataclass(slots=True)
class PlayingRouter(router_pb2_grpc.RouterServicer, admin_pb2_grpc.AdminServicer):
    """Route answers with a plan; a prompt `nobody` gets a plan without a target in the full view, else a refusal."""

    routes: list[router_pb2.RouteRequest] = field(default_factory=list)
    targets: list[admin_pb2.Target] = field(default_factory=lambda: [target(name) for name in NAMES])

    def Route(self, request: router_pb2.RouteRequest, context: grpc.ServicerContext) -> router_pb2.RouteResponse:
        self.routes.append(request)
        is_impossible = any(message.content == "nobody" for message in request.messages)
        if is_impossible and request.view != router_pb2.PLAN_VIEW_FULL:
            nobody = errors.NoTarget(
                "no target may serve this", rejected={"REGION": 2}, first=[errors.Rejected("birch/m", "REGION")]
            )
            told = refusal(RequestFailed(nobody, Facts(request_id="req-1")))
            context.set_trailing_metadata(told.trailers)
            context.abort(told.code, told.message)
        made = impossible() if is_impossible else plan()
        if request.view != router_pb2.PLAN_VIEW_FULL:
            del made.candidates[:]
        return router_pb2.RouteResponse(plan=made)

    def ListTargets(
        self, request: admin_pb2.ListTargetsRequest, _context: grpc.ServicerContext
    ) -> admin_pb2.ListTargetsResponse:
        """A page holds one target, so that whoever reads one page misses the others."""
        wanted = [t for t in self.targets if request.provider in ("", t.provider)]
        place = int(request.page_token or 0)
        following = str(place + 1) if place + 1 < len(wanted) else ""
        return admin_pb2.ListTargetsResponse(targets=wanted[place : place + 1], next_page_token=following)

    def GetTarget(
        self, request: admin_pb2.GetTargetRequest, context: grpc.ServicerContext
    ) -> admin_pb2.GetTargetResponse:
        found = next((t for t in self.targets if t.id == request.target), None)
        if found is None:
            told = refusal(errors.UnknownTarget(request.target))
            context.set_trailing_metadata(told.trailers)
            context.abort(told.code, told.message)
        return admin_pb2.GetTargetResponse(target=found)


@contextmanager
def serving(router: PlayingRouter) -> Iterator[str]:
    """Serve it; gives the address."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    router_pb2_grpc.add_RouterServicer_to_server(router, server)
    admin_pb2_grpc.add_AdminServicer_to_server(router, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait(PATIENCE_S)


def target(name: str) -> admin_pb2.Target:
    """A target that may be called, with prices, and tagged for chat."""
    provider, _, model = name.partition("/")
    made = admin_pb2.Target(
        id=name,
        provider=provider,
        model=model,
        aliases=["fast"],
        capabilities=["tools"],
        task_match={"chat": 0.7},
        context_tokens=131_072,
        availability=admin_pb2.AVAILABILITY_ENABLED,
        prices=admin_pb2.Prices(
            input_usd_nanos_per_million_tokens=150_000_000, output_usd_nanos_per_million_tokens=600_000_000
        ),
    )
    made.health.state = health_feed_pb2.HEALTH_STATE_HEALTHY
    return made


def plan() -> router_pb2.Plan:
    """Two targets that could serve, and three that may not."""
    made = router_pb2.Plan(
        target=NAMES[0],
        fallbacks=[NAMES[1]],
        strategy="points",
        rule="simple chat",
        reason=f"{NAMES[0]} has 71.5 points, most of them for cost 27.3, quota 20.0, task match 10.5.",
        task_type=chat_pb2.TASK_TYPE_CHAT,
        complexity=chat_pb2.COMPLEXITY_SIMPLE,
        inferred=True,
        inference_confidence=0.82,
        estimated_cost_usd_nanos=120_000,
        expected_quality=0.7,
        decision_id="d-1",
    )
    made.expected_latency.FromMilliseconds(640)
    made.snapshot.source = router_pb2.SNAPSHOT_SOURCE_PROBER
    made.snapshot.age.FromMilliseconds(800)
    for place, name in enumerate(NAMES[:2]):
        provider, _, model = name.partition("/")
        candidate = made.candidates.add(
            target=name, provider=provider, model=model, preference_class=place, score=71.5 - 8 * place
        )
        for factor, points, most, note in FACTORS:
            candidate.factors.add(name=factor, points=points, max_points=most, value=1.0, note=note)
    _reject(made, NAMES[2], router_pb2.REJECTION_REASON_BUDGET_TIER, "it costs 6 USD per million tokens, over 1.5")
    _reject(made, "azure/gpt-5", router_pb2.REJECTION_REASON_DISABLED, "there is no key for azure")
    _reject(made, "bedrock/nova", router_pb2.REJECTION_REASON_DISABLED, "there is no key for bedrock")
    made.rejected_by_reason.add(reason=router_pb2.REJECTION_REASON_DISABLED, count=9)
    made.rejected_by_reason.add(reason=router_pb2.REJECTION_REASON_BUDGET_TIER, count=1)
    return made


def impossible() -> router_pb2.Plan:
    """Nobody may serve."""
    made = router_pb2.Plan(strategy="points", reason="No target may serve this request: 2 by region.")
    for name in ("alder/m", "birch/m"):
        _reject(made, name, router_pb2.REJECTION_REASON_REGION, "it runs in us, and eu is demanded")
    made.rejected_by_reason.add(reason=router_pb2.REJECTION_REASON_REGION, count=2)
    return made


def _reject(plan: router_pb2.Plan, name: str, reason: router_pb2.RejectionReason.ValueType, detail: str) -> None:
    provider, _, model = name.partition("/")
    candidate = plan.candidates.add(target=name, provider=provider, model=model)
    candidate.rejection.reason = reason
    candidate.rejection.detail = detail

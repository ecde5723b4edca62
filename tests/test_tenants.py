"""Tenants through the gRPC interface: who they are, what serves them, and how much they may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from signalbox.v1 import admin_pb2, admin_pb2_grpc, chat_pb2, router_pb2
from signalbox_client import AdminClient, Client, Refused

from tests.harness import keys, settings
from tests.harness.processes import wait_until
from tests.harness.stack import Stack, asking, refused, routing, streaming

SOON_S = 15.0
SLOW = {"cedar": {"tokens_per_s": 10, "output_tokens": 200}}
TENANTS = [
    keys.tenant("web"),
    keys.tenant("ops", role="operator"),
    keys.tenant("sensor", role="health_reporter"),
    keys.tenant("paced", requests_per_minute=2),
    keys.tenant("clumsy", requests_per_minute=2),
    keys.tenant("brief", tokens_per_minute=1),
    keys.tenant("single", concurrency=1, only=["cedar"]),
    keys.tenant("birches", only=["birch"]),
    keys.tenant("lost", only=["yew"]),
    keys.tenant("poor", budget_usd_per_day=0.00001),
    keys.tenant("thrifty", free_only=True),
    keys.tenant("watched", requests_per_minute=1, only=["birch"], log_only=True),
]
NAMES = ("alder", "birch", "cedar")
IN_ORDER = {"strategy": "priority", "priorities": list(NAMES)}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with routing(behaviours=SLOW, names=NAMES, tenants=TENANTS, routing=IN_ORDER) as running:  # type: ignore[arg-type]
        yield running


def complete(stack: Stack, tenant: str, *, model: str = "") -> router_pb2.CompleteResponse:
    request = asking(model=model, max_output_tokens=5)
    return stack.stub.Complete(request, timeout=10, metadata=keys.bearer(tenant))


def refusal(stack: Stack, tenant: str, *, model: str = "") -> tuple[str, str, grpc.RpcError]:
    with pytest.raises(grpc.RpcError) as caught:
        complete(stack, tenant, model=model)
    told = refused(caught.value)
    assert keys.key(tenant) not in told.message
    return told.code.name, told.info.reason, caught.value


def quota(error: grpc.RpcError) -> str:
    """The subject of a QuotaFailure."""
    assert isinstance(error, grpc.Call)
    status = status_pb2.Status.FromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])
    failure = error_details_pb2.QuotaFailure()
    assert any(detail.Unpack(failure) for detail in status.details)
    return failure.violations[0].subject


def test_only_who_has_a_key_is_served(stack: Stack) -> None:
    assert complete(stack, "web").target == "alder/chat-small"
    before = len(stack.witness.rows())
    assert refusal(stack, "nobody")[:2] == ("UNAUTHENTICATED", "CREDENTIALS")
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Complete(asking(), timeout=10)
    assert refused(caught.value).facts["request_id"].startswith("req-")
    assert refused(caught.value).pushback_ms == "-1"
    with pytest.raises(grpc.RpcError) as caught:
        list(stack.stub.StreamComplete(streaming(), timeout=10, metadata=keys.bearer("nobody")))
    assert refused(caught.value).info.reason == "CREDENTIALS"
    assert len(stack.witness.rows()) == before


def test_roles_say_which_services_are_open(stack: Stack) -> None:
    admin = admin_pb2_grpc.AdminStub(stack.channel)
    listed = admin.ListTargets(admin_pb2.ListTargetsRequest(), timeout=10, metadata=keys.bearer("ops"))
    assert len(listed.targets) == len(NAMES)
    for tenant in ("web", "sensor"):
        with pytest.raises(grpc.RpcError) as caught:
            admin.ListTargets(admin_pb2.ListTargetsRequest(), timeout=10, metadata=keys.bearer(tenant))
        assert (refused(caught.value).code.name, refused(caught.value).info.reason) == ("PERMISSION_DENIED", "ROLE")
    with pytest.raises(grpc.RpcError) as caught:
        admin.ReloadConfig(admin_pb2.ReloadConfigRequest(), timeout=10, metadata=keys.bearer("ops"))
    assert refused(caught.value).info.reason == "ROLE"
    assert refusal(stack, "sensor")[1] == "ROLE"
    assert complete(stack, "ops").target


def test_our_client_sends_its_key(stack: Stack) -> None:
    with Client(stack.address, api_key=keys.key("web"), channels=1) as client:
        assert client.complete("Hello").target == "alder/chat-small"
    with Client(stack.address, api_key="sb-wrong", channels=1) as client, pytest.raises(Refused) as caught:
        client.complete("Hello")
    assert (caught.value.reason, caught.value.retry_after_s) == ("CREDENTIALS", None)
    with AdminClient(stack.address, api_key=keys.key("ops")) as operator:
        assert operator.get_target("alder/chat-small").id == "alder/chat-small"


def test_requests_of_a_minute_are_counted(stack: Stack) -> None:
    for _ in range(2):
        complete(stack, "paced")
    code, reason, error = refusal(stack, "paced")
    told = refused(error)
    assert (code, reason, quota(error)) == ("RESOURCE_EXHAUSTED", "CALLER_QUOTA", "tenant:paced")
    assert told.retry_s is not None
    assert 20 < told.retry_s <= 30
    assert told.pushback_ms == str(round(told.retry_s * 1000))
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Route(router_pb2.RouteRequest(estimated_input_tokens=5), timeout=10, metadata=keys.bearer("paced"))
    assert refused(caught.value).info.reason == "CALLER_QUOTA"
    complete(stack, "web")


def test_invalid_requests_are_counted_too(stack: Stack) -> None:
    told = []
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as caught:
            stack.stub.Complete(router_pb2.CompleteRequest(), timeout=10, metadata=keys.bearer("clumsy"))
        told.append(refused(caught.value).info.reason)
    assert told == ["INVALID_REQUEST", "INVALID_REQUEST", "CALLER_QUOTA"]


def test_tokens_of_a_minute_are_paid_afterwards(stack: Stack) -> None:
    complete(stack, "brief")
    code, reason, error = refusal(stack, "brief")
    assert (code, reason, quota(error)) == ("RESOURCE_EXHAUSTED", "CALLER_QUOTA", "tenant:brief")
    assert "tokens a minute" in refused(error).message


def test_requests_at_once_are_counted_and_given_back(stack: Stack) -> None:
    first = stack.stub.StreamComplete(streaming(), timeout=20, metadata=keys.bearer("single"))
    next(first)
    code, reason, error = refusal(stack, "single")
    assert (code, reason, refused(error).retry_s) == ("RESOURCE_EXHAUSTED", "CALLER_QUOTA", 1.0)
    with pytest.raises(grpc.RpcError) as caught:
        next(stack.stub.StreamComplete(streaming(), timeout=20, metadata=keys.bearer("single")))
    assert (refused(caught.value).code.name, refused(caught.value).info.reason) == (
        "RESOURCE_EXHAUSTED",
        "STREAM_LIMIT",
    )
    first.cancel()

    def is_free() -> bool:
        try:
            return complete(stack, "single").target == "cedar/chat-small"
        except grpc.RpcError:
            return False

    wait_until(is_free, within_s=SOON_S, what="a cancelled stream leaves its place")


def test_targets_of_others_do_not_exist(stack: Stack) -> None:
    assert complete(stack, "birches").target == "birch/chat-small"
    assert refusal(stack, "birches", model="alder/chat-small")[:2] == ("NOT_FOUND", "UNKNOWN_TARGET")
    asked = router_pb2.RouteRequest(estimated_input_tokens=5, view=router_pb2.PLAN_VIEW_FULL)
    plan = stack.stub.Route(asked, timeout=10, metadata=keys.bearer("birches")).plan
    assert [c.target for c in plan.candidates] == ["birch/chat-small"]
    assert refusal(stack, "lost")[:2] == ("FAILED_PRECONDITION", "NO_ELIGIBLE_TARGET")


def test_a_decision_is_its_tenants_alone(stack: Stack) -> None:
    asked = router_pb2.RouteRequest(estimated_input_tokens=5)
    plan = stack.stub.Route(asked, timeout=10, metadata=keys.bearer("web")).plan
    request = asking()
    request.routing.decision_id = plan.decision_id
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Complete(request, timeout=10, metadata=keys.bearer("ops"))
    assert refused(caught.value).info.reason == "UNKNOWN_DECISION"
    assert stack.stub.Complete(request, timeout=10, metadata=keys.bearer("web")).target == plan.target


def test_money_of_a_tenant_is_bounded(stack: Stack) -> None:
    complete(stack, "poor")
    with pytest.raises(grpc.RpcError) as caught:
        for _ in range(10):
            complete(stack, "poor")
    assert (refused(caught.value).info.reason, quota(caught.value)) == ("CALLER_QUOTA", "tenant:poor")
    assert refusal(stack, "thrifty")[1] == "NO_ELIGIBLE_TARGET"
    complete(stack, "web")


def test_what_is_only_logged_is_served(stack: Stack) -> None:
    for _ in range(3):
        assert complete(stack, "watched").target == "alder/chat-small"
    named = router_pb2.Routing(model="cedar/chat-small")
    asked = router_pb2.RouteRequest(estimated_input_tokens=5, routing=named)
    assert stack.stub.Route(asked, timeout=10, metadata=keys.bearer("watched")).plan.target == "cedar/chat-small"
    for told in (
        "watched has used up its 1 requests a minute",
        "alder/chat-small is none that may serve it",
        "no target that serves watched answers to the model 'cedar/chat-small'",
    ):
        wait_until(lambda told=told: told in stack.router.stderr(), within_s=SOON_S, what=told)  # type: ignore[misc]


def test_keys_come_and_go_without_a_restart() -> None:
    pace = {"*": {"tokens_per_s": 8}}
    with routing(names=("alder",), behaviours=pace, tenants=[keys.tenant("old")]) as running:  # type: ignore[arg-type]
        stream = running.stub.StreamComplete(streaming(), timeout=20, metadata=keys.bearer("old"))
        next(stream)
        replace_tenants(running, [keys.tenant("new")])
        wait_until(lambda: is_served(running, "new"), within_s=SOON_S, what="the new key")
        assert not is_served(running, "old")
        [*_, last] = stream
        assert last.done.response.finish_reason == chat_pb2.FINISH_REASON_STOP


def replace_tenants(stack: Stack, tenants: list[dict[str, object]]) -> None:
    """In place of the old file at once, as editors and deployments do it."""
    fresh = stack.router.directory / "fresh"
    fresh.mkdir()
    providers = settings.simulated(stack.simulator.ready["simulator"], ("alder",))
    written = settings.write(fresh, providers, tenants=tenants)  # type: ignore[arg-type]
    written.replace(stack.router.directory / "signalbox.yaml")


def is_served(stack: Stack, tenant: str) -> bool:
    try:
        return bool(complete(stack, tenant).target)
    except grpc.RpcError:
        return False

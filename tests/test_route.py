"""Route over gRPC, against a real router on simulated providers: what it decides, how it explains it, and its plans."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from signalbox.v1 import chat_pb2, router_pb2

from tests.harness import processes, settings
from tests.harness.processes import wait_until
from tests.harness.stack import Refused, Stack, asking, refused, routing, streaming
from tests.harness.witness import Witness

ALDER, BIRCH, CEDAR = "alder/chat-small", "birch/chat-small", "cedar/chat-small"
FULL = router_pb2.PLAN_VIEW_FULL
FACTORS = ["cost", "quota", "health", "latency", "task_match", "environment", "capabilities"]
UNBLOCKED = {"down_after": 1000, "degraded_ratio": 1.0, "healthy_ratio": 0.0}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with routing(names=("alder", "birch", "cedar"), health=UNBLOCKED) as stack:
        yield stack


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    yield
    stack.witness.mend()
    stack.witness.forget()


def question(wishes: Mapping[str, object] | None = None, **fields: object) -> router_pb2.RouteRequest:
    """A question about 1 000 tokens, unless `fields` say otherwise, in protobuf JSON."""
    whole = {"estimated_input_tokens": 1000, **fields, "routing": wishes or {}}
    return json_format.ParseDict(whole, router_pb2.RouteRequest())


def route(stack: Stack, wishes: Mapping[str, object] | None = None, **fields: object) -> router_pb2.Plan:
    return stack.stub.Route(question(wishes, **fields), timeout=10).plan


def route_refused(stack: Stack, wishes: Mapping[str, object] | None = None, **fields: object) -> Refused:
    with pytest.raises(grpc.RpcError) as error:
        stack.stub.Route(question(wishes, **fields), timeout=10)
    return refused(error.value)


def test_the_short_form_has_everything_but_the_candidates(stack: Stack) -> None:
    plan = route(stack)
    assert [plan.target, *plan.fallbacks] == [ALDER, BIRCH, CEDAR]
    assert (plan.strategy, plan.rule, len(plan.candidates)) == ("points", "", 0)
    assert plan.reason.startswith(f"{ALDER} has ")
    assert plan.task_type == chat_pb2.TASK_TYPE_UNSPECIFIED
    assert not plan.inferred
    assert not plan.HasField("inference_confidence")
    assert plan.estimated_cost_usd_nanos == 1000 * 100 + 300 * 400
    assert plan.estimated_cost_usd_nanos_per_million_tokens == 175_000_000
    assert plan.expected_latency.ToNanoseconds() == 1_670_000_000
    assert plan.expected_quality == 0.7
    assert plan.snapshot.source in (router_pb2.SNAPSHOT_SOURCE_NONE, router_pb2.SNAPSHOT_SOURCE_PASSIVE)
    assert not plan.snapshot.HasField("age")
    assert plan.config_version
    assert plan.decision_id
    assert list(plan.rejected_by_reason) == []


def test_the_full_form_explains_every_target(stack: Stack) -> None:
    plan = route(stack, {"denied_providers": ["cedar"]}, view=FULL)
    assert [c.target for c in plan.candidates] == [ALDER, BIRCH, CEDAR]
    first, _, last = plan.candidates
    assert (first.provider, first.model, first.preference_class) == ("alder", "chat-small", 0)
    assert [f.name for f in first.factors] == FACTORS
    assert first.score == pytest.approx(sum(f.points for f in first.factors))
    assert all(f.points <= f.max_points and f.note for f in first.factors)
    assert not first.HasField("rejection")
    assert list(last.factors) == []
    assert last.rejection.reason == router_pb2.REJECTION_REASON_PROVIDER_NOT_ALLOWED
    assert last.rejection.detail == "the request denies cedar"
    assert [(c.reason, c.count) for c in plan.rejected_by_reason] == [
        (router_pb2.REJECTION_REASON_PROVIDER_NOT_ALLOWED, 1)
    ]


def test_no_more_candidates_than_asked_for(stack: Stack) -> None:
    plan = route(stack, {"denied_providers": ["cedar"]}, view=FULL, max_candidates=1)
    assert [c.target for c in plan.candidates] == [ALDER]
    assert [c.count for c in plan.rejected_by_reason] == [1]


def test_the_rejected_are_counted_in_the_short_form_too(stack: Stack) -> None:
    plan = route(stack, {"max_cost_usd_nanos": str(1000 * 150 + 300 * 600), "required_capabilities": []})
    assert [plan.target, *plan.fallbacks] == [ALDER, BIRCH]
    assert [(c.reason, c.count) for c in plan.rejected_by_reason] == [(router_pb2.REJECTION_REASON_COST_PER_REQUEST, 1)]


def test_task_and_complexity_are_inferred_where_they_are_left_out(stack: Stack) -> None:
    text = "Translate the following sentence into French: The train is late."
    messages = [{"role": "ROLE_USER", "content": text}]
    plan = stack.stub.Route(json_format.ParseDict({"messages": messages}, router_pb2.RouteRequest()), timeout=10).plan
    assert plan.task_type == chat_pb2.TASK_TYPE_TRANSLATION
    assert plan.inferred
    assert 0.5 <= plan.inference_confidence <= 1
    given = route(stack, {"task_type": "TASK_TYPE_CHAT", "complexity": "COMPLEXITY_SIMPLE"}, messages=messages)
    assert (given.task_type, given.complexity) == (chat_pb2.TASK_TYPE_CHAT, chat_pb2.COMPLEXITY_SIMPLE)
    assert not given.inferred
    assert not given.HasField("inference_confidence")


def test_the_length_of_the_content_goes_into_the_cost(stack: Stack) -> None:
    def cost(words: int) -> int:
        pb = router_pb2.RouteRequest(generation=chat_pb2.Generation(max_output_tokens=1))
        pb.messages.add(role=chat_pb2.ROLE_USER, content="The train is late. " * words)
        return stack.stub.Route(pb, timeout=10).plan.estimated_cost_usd_nanos

    assert cost(1000) == pytest.approx(100 * 5 * 1000, rel=0.2)
    assert cost(10_000) == pytest.approx(10 * cost(1000), rel=0.01)


@pytest.mark.parametrize(
    ("wishes", "fields", "reason"),
    [
        ({"region": "eu"}, {}, "region"),
        ({"required_compliance": ["hipaa"]}, {}, "compliance"),
        ({"region": "us", "requires_sla": True}, {}, "region"),
        ({"requires_sla": True}, {}, "sla"),
        ({"required_capabilities": ["vision"]}, {}, "capability"),
        ({"task_type": "TASK_TYPE_EMBEDDING"}, {}, "capability"),
        ({"budget_tier": "BUDGET_TIER_FREE"}, {}, "budget_tier"),
        ({"max_cost_usd_nanos": "1"}, {}, "cost_per_request"),
        ({"max_latency": "0.1s"}, {}, "latency"),
        ({"min_quality": 0.99}, {}, "quality"),
        ({"denied_providers": ["alder", "birch", "cedar"]}, {}, "provider_not_allowed"),
        ({}, {"tools": [{"name": "f"}]}, "capability"),
        ({}, {"response_format": {"json_object": {}}}, "capability"),
    ],
)
def test_an_impossible_request_is_refused_with_counts_per_reason(
    stack: Stack, wishes: Mapping[str, object], fields: Mapping[str, object], reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Route(question(wishes, **fields), timeout=10)
    error = refused(caught.value)
    assert (error.code.name, error.info.reason) == ("FAILED_PRECONDITION", "NO_ELIGIBLE_TARGET")
    assert error.message == f"no target may serve this request; rejected: 3 by {reason}"
    assert (error.facts["stage"], error.facts["attempts"], error.pushback_ms) == ("select", "0", "-1")
    violations = precondition(caught.value)
    assert violations[0] == (reason, "targets", "3")
    assert [(kind, subject) for kind, subject, _ in violations[1:]] == [
        (reason, f"target:{target}") for target in (ALDER, BIRCH, CEDAR)
    ]
    assert all(detail for _, _, detail in violations[1:])


@pytest.mark.parametrize("wishes", [{"region": "eu"}, {"max_cost_usd_nanos": "1"}])
def test_the_full_form_of_an_impossible_request_tells_all(stack: Stack, wishes: Mapping[str, object]) -> None:
    plan = route(stack, wishes, view=FULL)
    assert (plan.target, list(plan.fallbacks), plan.decision_id) == ("", [], "")
    assert not plan.HasField("estimated_cost_usd_nanos")
    assert plan.reason.startswith("No target may serve this request: 3 by ")
    assert [c.target for c in plan.candidates] == [ALDER, BIRCH, CEDAR]
    assert all(c.rejection.detail for c in plan.candidates)


@pytest.mark.parametrize("view", [router_pb2.PLAN_VIEW_BASIC, FULL])
def test_a_model_that_nobody_has_is_not_found(stack: Stack, view: int) -> None:
    error = route_refused(stack, {"model": "gpt-99"}, view=view)
    assert (error.code.name, error.info.reason) == ("NOT_FOUND", "UNKNOWN_TARGET")
    assert "'gpt-99'" in error.message
    assert (error.facts["stage"], error.pushback_ms) == ("select", "-1")


def test_a_strategy_that_does_not_exist_is_named(stack: Stack) -> None:
    error = route_refused(stack, {"strategy": "cheapest"})
    assert (error.code.name, error.info.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert error.fields["routing.strategy"].startswith("'cheapest' is none; use one of balanced, cost_optimized")


def test_a_question_without_content_and_estimate_is_refused(stack: Stack) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Route(router_pb2.RouteRequest(), timeout=10)
    error = refused(caught.value)
    assert error.code.name == "INVALID_ARGUMENT"
    assert list(error.fields) == ["messages"]
    assert error.facts["request_id"]


@pytest.mark.parametrize("strategy", ["cost_optimized", "round_robin", "ensemble"])
def test_a_strategy_by_name_decides(stack: Stack, strategy: str) -> None:
    plan = route(stack, {"strategy": strategy}, view=FULL)
    assert plan.strategy == strategy
    assert plan.candidates[0].factors[0].name == strategy


def test_round_robin_is_even_also_between_other_requests(stack: Stack) -> None:
    """The same for what is run, for what is told, and for a decision that is told and then run."""
    told: Counter[str] = Counter()
    run: Counter[str] = Counter()
    for _ in range(9):
        plan = route(stack, {"strategy": "round_robin"})
        told[plan.target] += 1
        decided, turned = asking(), asking()
        decided.routing.decision_id, turned.routing.strategy = plan.decision_id, "round_robin"
        assert stack.stub.Complete(decided, timeout=10).target == plan.target
        route(stack)
        run[stack.stub.Complete(turned, timeout=10).target] += 1
        stack.stub.Complete(asking(), timeout=10)
    assert set(told.values()) == set(run.values()) == {3}


def test_a_deadline_that_priors_call_impossible_is_tried_and_refused_once_that_was_measured() -> None:
    """Nobody has timed the target yet, and only a call can tell how fast it is."""

    def refusal(stack: Stack) -> str:
        try:
            stack.stub.Route(question(), timeout=0.3)
        except grpc.RpcError as error:
            return refused(error).message
        return ""

    with routing(names=("alder",), health=UNBLOCKED, behaviours={"*": {"latency_s": 0.6}}) as stack:
        assert route(stack).expected_latency.ToTimedelta().total_seconds() > 1.0, "a prior far beyond the deadline"
        assert refusal(stack) == ""
        for _ in range(3):
            stack.stub.Complete(asking(), timeout=10)
        wait_until(lambda: bool(refusal(stack)), within_s=5, what="the time was learnt")
        assert refusal(stack) == "no target may serve this request; rejected: 1 by deadline"


@pytest.mark.parametrize(
    ("wishes", "field", "told"),
    [
        (
            {"denied_providers": ["aldr"]},
            "routing.denied_providers",
            "'aldr' is no provider of this router; did you mean alder?",
        ),
        ({"allowed_providers": ["alder", "zzz"]}, "routing.allowed_providers", "known here: alder, birch, cedar"),
        ({"required_capabilities": ["visionn"]}, "routing.required_capabilities", "did you mean vision?"),
    ],
)
def test_a_name_that_stands_for_nothing_is_the_callers_mistake(
    stack: Stack, wishes: Mapping[str, object], field: str, told: str
) -> None:
    request = asking()
    json_format.ParseDict(dict(wishes), request.routing)
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Complete(request, timeout=10)
    for error in (route_refused(stack, wishes), refused(caught.value)):
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert field in error.message
        assert told in error.message


def test_route_runs_nothing_and_says_so(stack: Stack) -> None:
    answer, call = stack.stub.Route.with_call(question(), timeout=10)
    metadata = {key: str(value) for key, value in (*call.initial_metadata(), *call.trailing_metadata())}
    assert metadata["x-signalbox-target"] == answer.plan.target
    assert (metadata["x-signalbox-attempts"], metadata["x-signalbox-cost-usd-nanos"]) == ("0", "0")
    assert stack.witness.rows() == []
    request_id = metadata["x-signalbox-request-id"]
    wait_until(lambda: request_id in stack.router.stderr(), within_s=5, what="the log line")
    [line] = [json.loads(text) for text in stack.router.stderr().splitlines() if request_id in text]
    assert (line["message"], line["outcome"], line["target"]) == ("route finished", "OK", ALDER)
    assert line["decision_id"] == answer.plan.decision_id


def test_a_decision_is_run_as_it_was_told(stack: Stack) -> None:
    plan = route(stack, {"denied_providers": ["alder"], "strategy": "cost_optimized"})
    request = asking()
    request.routing.decision_id = plan.decision_id
    assert stack.stub.Complete(request, timeout=10).target == plan.target == BIRCH
    request.routing.denied_providers.append("birch")
    assert stack.stub.Complete(request, timeout=10).target == CEDAR


def test_a_decision_fails_over_along_its_own_chain(stack: Stack) -> None:
    stack.witness.break_provider("birch", "status=500")
    request = asking()
    request.routing.decision_id = route(stack, {"denied_providers": ["alder"]}).decision_id
    answer = stack.stub.Complete(request, timeout=10)
    assert [a.target for a in answer.attempts] == [BIRCH, CEDAR]


def test_a_decision_of_which_nobody_is_left_is_refused_for_those_alone(stack: Stack) -> None:
    request = asking()
    request.routing.decision_id = route(stack, {"allowed_providers": ["alder"]}).decision_id
    request.routing.region = "eu"
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Complete(request, timeout=10)
    assert refused(caught.value).message == "no target may serve this request; rejected: 1 by region"


def test_a_decision_that_is_unknown_is_not_found(stack: Stack) -> None:
    request = asking()
    request.routing.decision_id = "dec-0"
    with pytest.raises(grpc.RpcError) as caught:
        stack.stub.Complete(request, timeout=10)
    error = refused(caught.value)
    assert (error.code.name, error.info.reason) == ("NOT_FOUND", "UNKNOWN_DECISION")
    assert "'dec-0'" in error.message


@pytest.mark.parametrize(("view", "candidates"), [(router_pb2.PLAN_VIEW_BASIC, 0), (FULL, 3)])
def test_an_answer_holds_its_plan_where_it_was_asked_for(stack: Stack, view: int, candidates: int) -> None:
    request = asking()
    request.plan_view = view  # type: ignore[assignment]
    answer = stack.stub.Complete(request, timeout=10)
    assert (answer.plan.target, len(answer.plan.candidates)) == (ALDER, candidates)
    again = asking()
    again.routing.decision_id = answer.plan.decision_id
    assert stack.stub.Complete(again, timeout=10).target == ALDER


def test_the_end_of_a_stream_holds_its_plan_where_it_was_asked_for(stack: Stack) -> None:
    request = streaming()
    request.request.plan_view = router_pb2.PLAN_VIEW_BASIC
    *_, last = stack.stub.StreamComplete(request, timeout=10)
    assert last.done.response.plan.target == ALDER


def test_an_answer_has_no_plan_unless_it_was_asked_for(stack: Stack) -> None:
    assert not stack.stub.Complete(asking(), timeout=10).HasField("plan")


CONFIGURED = {
    "rules": [{"name": "summaries", "when": {"task": "summarization"}, "prefer": ["cedar"]}],
    "exploration": 0.0,
    "priorities": ["birch", "cedar"],
}


@pytest.fixture(scope="module")
def configured() -> Iterator[Stack]:
    """A provider with one request a day, one whose dialect is not spoken here, and a rule."""
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            alder, birch, cedar = settings.simulated(simulator.ready["simulator"])
            alder["limits"] = [{"unit": "requests", "per": "day", "max": 1}]
            birch["dialect"] = "anthropic"
            config = settings.write(directory, [alder, birch, cedar], routing=CONFIGURED)
            router = processes.router(directory, config)
            with (
                Witness(simulator.ready["simulator"]) as witness,
                processes.running(router),
                grpc.insecure_channel(router.ready["router"]) as channel,
            ):
                yield Stack(router, simulator, witness, channel)


def test_a_rule_puts_its_targets_first(configured: Stack) -> None:
    plan = route(configured, {"task_type": "TASK_TYPE_SUMMARIZATION"}, view=FULL)
    assert (plan.target, plan.rule) == (CEDAR, "summaries")
    assert [c.preference_class for c in plan.candidates] == [0, 1, 1]
    assert "the rule 'summaries' prefers cedar" in plan.reason


def test_a_dialect_that_is_not_spoken_is_decided_on_and_not_run(configured: Stack) -> None:
    assert route(configured, {"allowed_providers": ["birch"]}).target == BIRCH
    with pytest.raises(grpc.RpcError) as caught:
        configured.stub.Complete(asking(model=BIRCH), timeout=10)
    error = refused(caught.value)
    assert (error.code.name, error.info.reason) == ("FAILED_PRECONDITION", "NO_ELIGIBLE_TARGET")
    why = {subject: detail for _, subject, detail in precondition(caught.value)}
    assert "does not speak the dialect anthropic" in why[f"target:{BIRCH}"]


def test_a_plan_that_begins_where_nobody_can_call_says_so_and_so_does_its_run(configured: Stack) -> None:
    plan = route(configured, {"strategy": "priority"})
    assert (plan.target, list(plan.fallbacks)) == (BIRCH, [CEDAR, ALDER])
    assert "it is planned only, since this router does not speak the dialect anthropic yet;" in plan.reason
    request = asking()
    request.plan_view = router_pb2.PLAN_VIEW_BASIC
    request.routing.decision_id = plan.decision_id
    answer = configured.stub.Complete(request, timeout=10)
    assert answer.target == CEDAR
    assert f"of the plan {BIRCH} may not be called here now;" in answer.plan.reason
    assert "planned only" not in route(configured, {"denied_providers": ["birch"]}).reason


def test_a_limit_that_is_used_up_says_when_it_is_filled_again(configured: Stack) -> None:
    assert configured.stub.Complete(asking(model=ALDER), timeout=10).target == ALDER
    for error in (
        route_refused(configured, {"model": ALDER}),
        complete_refused(configured, asking(model=ALDER)),
    ):
        assert (error.code.name, error.info.reason) == ("RESOURCE_EXHAUSTED", "PROVIDERS_RATE_LIMITED")
        assert error.retry_s is not None
        assert 0 < error.retry_s <= 24 * 3600
        assert "alder has no room in its limits" in error.message
    plan = route(configured, view=FULL)
    assert plan.target in (BIRCH, CEDAR)
    assert [(c.reason, c.count) for c in plan.rejected_by_reason] == [(router_pb2.REJECTION_REASON_QUOTA, 1)]


def complete_refused(stack: Stack, request: router_pb2.CompleteRequest) -> Refused:
    with pytest.raises(grpc.RpcError) as error:
        stack.stub.Complete(request, timeout=10)
    return refused(error.value)


def precondition(error: grpc.RpcError) -> list[tuple[str, str, str]]:
    """Type, subject and description of what a status says of the targets."""
    assert isinstance(error, grpc.Call)
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    found = error_details_pb2.PreconditionFailure()
    for detail in status.details:
        detail.Unpack(found)
    return [(v.type, v.subject, v.description) for v in found.violations]

"""From core values to the wire: answers, stream events and bills."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.attempt import Answer, Attempt
from router_service.core.chat import Delta, FinishReason, Reasoning, Usage
from router_service.core.outcome import Outcome
from router_service.core.plan import Plan
from router_service.edge import plans
from router_service.edge.durations import NANOS, duration
from router_service.edge.opaque import marked
from router_service.edge.requests import USUAL_CANDIDATES
from router_service.service.said import Broken, Resumed, Said, Started

OUTCOMES = {o: chat_pb2.Outcome.Value(f"OUTCOME_{o.name}") for o in Outcome}
FINISH_REASONS = {f: chat_pb2.FinishReason.Value(f"FINISH_REASON_{f.name}") for f in FinishReason}


def answer(value: Answer, plan_view: int = router_pb2.PLAN_VIEW_UNSPECIFIED) -> router_pb2.CompleteResponse:
    """The whole of an answer, with as much of its plan as was asked for. A streamed one has an empty message: its text
    has been delivered already.
    """
    target = value.target
    response = router_pb2.CompleteResponse(
        request_id=value.request_id,
        finish_reason=FINISH_REASONS[value.finish_reason],
        usage=usage(value.usage),
        target=target.id,
        provider=target.provider.name,
        model=target.model.id,
        cost_usd_nanos=value.cost_usd_nanos,
        attempts=[attempt(a) for a in value.attempts],
        latency=duration(value.latency_s),
    )
    response.message.role = chat_pb2.ROLE_ASSISTANT
    response.message.content = value.message.content
    for call in value.message.tool_calls:
        state = marked(call.opaque_state)
        response.message.tool_calls.add(
            id=call.id, name=call.name, arguments_json=call.arguments_json, opaque_state=state
        )
    response.message.reasoning.extend([reasoning(block) for block in value.message.reasoning])
    if plan_view != router_pb2.PLAN_VIEW_UNSPECIFIED and value.plan is not None:
        shown = USUAL_CANDIDATES if plan_view == router_pb2.PLAN_VIEW_FULL else 0
        response.plan.CopyFrom(plans.plan(value.plan, candidates=shown))
    return response


def event(
    value: Said, request_id: str, plan_view: int = router_pb2.PLAN_VIEW_UNSPECIFIED
) -> router_pb2.StreamCompleteResponse:
    match value:
        case Delta():
            return router_pb2.StreamCompleteResponse(delta=_delta(value))
        case Started():
            attempts = [attempt(a) for a in value.attempts]
            started = router_pb2.Started(request_id=request_id, target=value.target.id, attempts=attempts)
            return router_pb2.StreamCompleteResponse(started=started)
        case Broken():
            broken = router_pb2.AttemptFailed(attempt=attempt(value.attempt))
            return router_pb2.StreamCompleteResponse(attempt_failed=broken)
        case Resumed():
            resumed = router_pb2.Resumed(
                from_target=value.from_target,
                to_target=value.to_target,
                delivered_characters=value.delivered_characters,
            )
            return router_pb2.StreamCompleteResponse(resumed=resumed)
        case Answer():
            done = router_pb2.Done(response=answer(value, plan_view))
            if value.time_to_first_token_s is not None:
                done.time_to_first_token.CopyFrom(duration(value.time_to_first_token_s))
            return router_pb2.StreamCompleteResponse(done=done)


def attempt(value: Attempt) -> router_pb2.Attempt:
    pb = router_pb2.Attempt(
        target=value.target.id,
        outcome=OUTCOMES[value.outcome],
        error_reason=value.error_reason,
        status_code=value.status_code,
        start_time=Timestamp(seconds=int(value.start_time), nanos=int(value.start_time % 1 * NANOS)),
        latency=duration(value.latency_s),
        cost_usd_nanos=value.cost_usd_nanos,
        maybe_billed=value.maybe_billed,
        hedged=value.is_hedged,
        dropped_fields=value.dropped_fields,
    )
    if value.usage is not None:
        pb.usage.CopyFrom(usage(value.usage))
    if value.time_to_first_token_s is not None:
        pb.time_to_first_token.CopyFrom(duration(value.time_to_first_token_s))
    return pb


def reasoning(value: Reasoning) -> chat_pb2.Reasoning:
    return chat_pb2.Reasoning(
        text=value.text, dialect=value.dialect, model=value.model, opaque_state=marked(value.opaque_state)
    )


def usage(value: Usage) -> chat_pb2.Usage:
    return chat_pb2.Usage(
        input_tokens=value.input_tokens,
        output_tokens=value.output_tokens,
        cached_input_tokens=value.cached_input_tokens,
        cache_write_tokens=value.cache_write_tokens,
        reasoning_tokens=value.reasoning_tokens,
        estimated=value.estimated,
    )


def trailers(value: Answer) -> tuple[tuple[str, str], ...]:
    return (
        ("x-signalbox-target", value.target.id),
        ("x-signalbox-attempts", str(len(value.attempts))),
        ("x-signalbox-cost-usd-nanos", str(value.cost_usd_nanos)),
        ("x-signalbox-overhead-ms", _milliseconds(value.overhead.total_s)),
    )


def plan_trailers(value: Plan, *, overhead_s: float) -> tuple[tuple[str, str], ...]:
    """Those of a decision that nobody ran."""
    return (
        ("x-signalbox-target", value.targets[0].id if value.targets else ""),
        ("x-signalbox-attempts", "0"),
        ("x-signalbox-cost-usd-nanos", "0"),
        ("x-signalbox-overhead-ms", _milliseconds(overhead_s)),
    )


def _milliseconds(duration_s: float) -> str:
    """To the microsecond: the router's own part is often less than a millisecond."""
    return f"{duration_s * 1000:.3f}"


def _delta(value: Delta) -> router_pb2.Delta:
    pb = router_pb2.Delta(content=value.content, reasoning=value.reasoning)
    for call in value.tool_calls:
        pb.tool_call_deltas.add(
            index=call.index,
            id=call.id,
            name=call.name,
            arguments_json_fragment=call.arguments_json_fragment,
            opaque_state=marked(call.opaque_state),
        )
    if value.reasoning_end is not None:
        pb.reasoning_end.CopyFrom(reasoning(value.reasoning_end))
    return pb

"""A stream that broke after delivery: who goes on, what he is asked, what the caller reads, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from router_service.core.catalog import CONTINUES_TEXT, Target
from router_service.core.chat import Delta, Generation, ResponseFormat, ResponseKind
from router_service.core.errors import RequestFailed
from router_service.core.request import Request, Routing
from router_service.service.said import Broken, Resumed, Said, Started
from tests.core.decision.making import made
from tests.core.examples import prompt
from tests.service.playing import DONE, ROLE, Answering, Playing, Stage, asked, fail, providers, said, streaming, text

RESUMED = Routing(resume_on_failure=True)
BREAKS = streaming(ROLE, text("The quick brown "), text("fox jumps "), breaks=True)
GOES_ON = streaming(ROLE, text("over the "), text("lazy dog.", "stop"), DONE)
BEGINS_ANEW = streaming(ROLE, text("The quick "), text("brown fox jumps over the lazy dog.", "stop"), DONE)
BREAKS_AGAIN = streaming(ROLE, text("over "), breaks=True)
BREAKS_OFF_ITS_END = streaming(ROLE, text("The quick brown "), text("fox.", "stop"), breaks=True)
SAYS_IT_DIFFERENTLY = streaming(ROLE, text("The quick brown fox jumped over a cat.", "stop"), DONE)
BREAKS_THE_LINES = streaming(ROLE, text("The quick brown fox jumps\\n"), text("over the lazy dog.", "stop"), DONE)
BREAKS_AT_ONCE = streaming(ROLE, breaks=True)
ENDS = streaming(ROLE, text("the lazy dog.", "stop"), DONE)
WHOLE = "The quick brown fox jumps over the lazy dog."
LONG = "lorem ipsum " * 2_000
LONG_TOKENS = 24_000 / 4.65
BREAKS_LATE = streaming(ROLE, text(LONG), text("dolor "), breaks=True)
CALLS_A_TOOL = b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"f"}}]}}]}\n\n'
THINKS = b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n'


def targets(stage: Stage, *, capable: str = CONTINUES_TEXT) -> list[Target]:
    found = []
    for number, (name, address) in enumerate(zip(("alder", "birch", "cedar"), stage.addresses, strict=False)):
        base = made(f"{name}/x", price=number + 1.0, capabilities=capable)
        found.append(Target(base.provider.__class__(name=name, dialect="openai", base_url=address), base.model))
    return found


def kinds(events: list[Said]) -> list[str]:
    return [type(e).__name__ for e in events if not isinstance(e, Delta)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answerings", "outcomes", "breaks"),
    [
        ((BREAKS, GOES_ON), "INTERRUPTED OK", 1),
        ((BREAKS, BEGINS_ANEW), "INTERRUPTED OK", 1),
        ((BREAKS, fail, GOES_ON), "INTERRUPTED SERVER_ERROR OK", 1),
        ((BREAKS, BREAKS_AT_ONCE, GOES_ON), "INTERRUPTED BAD_RESPONSE OK", 1),
        ((BREAKS, BREAKS_AGAIN, ENDS), "INTERRUPTED INTERRUPTED OK", 2),
        ((BREAKS, SAYS_IT_DIFFERENTLY, GOES_ON), "INTERRUPTED CANCELLED OK", 1),
        ((BREAKS, BREAKS_THE_LINES), "INTERRUPTED OK", 1),
    ],
)
async def test_the_text_goes_on_and_nothing_comes_twice(
    answerings: tuple[Answering, ...], outcomes: str, breaks: int
) -> None:
    async with providers(*answerings) as stage:
        router = Playing(*targets(stage))
        events = await router.stream(RESUMED)
        assert said(events) == WHOLE
        assert kinds(events) == ["Started", *["Broken", "Resumed"] * breaks, "Answer"]
        assert [outcome for _, outcome in router.books.outcomes] == outcomes.split()
        assert [e.is_resumption for e in router.books.ended] == [False, *[True] * (len(outcomes.split()) - 1)]
        first = events[0]
        assert isinstance(first, Started)
        assert first.target.provider.name == "alder"
        delivered, source = "", "alder/x"
        for before, event in pairwise(events):
            delivered += before.content if isinstance(before, Delta) else ""
            if isinstance(event, Resumed):
                assert isinstance(before, Broken)
                assert before.attempt.outcome.name == "INTERRUPTED"
                assert (event.from_target, event.delivered_characters) == (source, len(delivered))
                source = event.to_target
        [request] = router.books.requests
        assert request.attempts[-1].target.id == source
        assert all(a.usage is not None for a in request.attempts if a.outcome.name == "INTERRUPTED")
        await router.check_nothing_is_left(stage)
        await router.transport.close()


@pytest.mark.anyio
async def test_the_next_target_is_given_the_text_so_far_and_what_is_left_of_the_length() -> None:
    async with providers(BREAKS, GOES_ON) as stage:
        router = Playing(*targets(stage))
        request = asked(RESUMED)
        limited = prompt("hello", generation=Generation(max_output_tokens=100))
        asking = Request(
            request_id=request.request_id, prompt=limited, deadline=request.deadline, routing=request.routing
        )
        events = [event async for event in router.router.stream(asking, None)]
        sent = json.loads(stage.bodies[1][0])
        so_far = "The quick brown fox jumps "
        assert sent["messages"][-1] == {"role": "assistant", "content": so_far}
        assert sent["max_completion_tokens"] == 100 - round(len(so_far) / 4.65)
        answer = events[-1]
        assert not isinstance(answer, Delta | Started | Broken | Resumed)
        assert answer.usage.output_tokens == sum(a.usage.output_tokens for a in answer.attempts if a.usage)
        assert answer.usage.input_tokens == (answer.attempts[0].usage or answer.usage).input_tokens
        assert answer.cost_usd_nanos == sum(a.cost_usd_nanos for a in answer.attempts) > 0
        await router.transport.close()


def in_windows(found: Sequence[Target], *context_tokens: int) -> list[Target]:
    return [
        replace(target, model=replace(target.model, context_tokens=tokens))
        for target, tokens in zip(found, context_tokens, strict=True)
    ]


@pytest.mark.anyio
async def test_who_goes_on_has_a_window_for_what_was_written() -> None:
    async with providers(BREAKS_LATE, GOES_ON, GOES_ON) as stage:
        router = Playing(*in_windows(targets(stage), 4_000, 5_000, 6_000))
        events = await router.stream(RESUMED)
        assert said(events).endswith("dolor over the lazy dog.")
        assert router.books.outcomes == [("alder", "INTERRUPTED"), ("cedar", "OK")]
        assert stage.bodies[1] == []
        await router.check_nothing_is_left(stage)
        await router.transport.close()


@pytest.mark.anyio
@pytest.mark.parametrize(("cents", "is_resumed"), [(1, False), (2, True)])
async def test_what_was_written_is_paid_for_again_by_who_goes_on(cents: int, is_resumed: bool) -> None:
    """Alder wrote for 0.6 cents, and birch asks 1.1 to read that."""
    routing = Routing(resume_on_failure=True, max_cost_usd_nanos=cents * 10**7)
    async with providers(BREAKS_LATE, GOES_ON) as stage:
        router = Playing(*targets(stage)[:2])
        if is_resumed:
            await router.stream(routing)
        else:
            with pytest.raises(RequestFailed) as failed:
                await router.stream(routing)
            assert failed.value.error.reason == "STREAM_INTERRUPTED"
        [request] = router.books.requests
        assert len(stage.bodies[1]) == len(request.attempts) - 1 == is_resumed
        assert sum(a.cost_usd_nanos for a in request.attempts) <= cents * 10**7
        if is_resumed:
            usage = request.attempts[1].usage
            assert usage is not None
            assert usage.input_tokens == pytest.approx(LONG_TOKENS, rel=0.02)
        await router.check_nothing_is_left(stage)
        await router.transport.close()


SCHEMA = ResponseFormat(kind=ResponseKind.JSON_SCHEMA, name="a", schema_json="{}")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("first", "routing", "capable", "extra"),
    [
        (BREAKS, Routing(), CONTINUES_TEXT, {}),
        (BREAKS, RESUMED, "", {}),
        (BREAKS, Routing(resume_on_failure=True, max_attempts=1), CONTINUES_TEXT, {}),
        (BREAKS, Routing(resume_on_failure=True, disable_fallback=True), CONTINUES_TEXT, {}),
        (BREAKS, RESUMED, f"{CONTINUES_TEXT} json_schema", {"response_format": SCHEMA}),
        (streaming(text("Hm. "), CALLS_A_TOOL, breaks=True), RESUMED, CONTINUES_TEXT, {}),
        (streaming(THINKS, breaks=True), RESUMED, CONTINUES_TEXT, {}),
        (BREAKS_OFF_ITS_END, RESUMED, CONTINUES_TEXT, {}),
    ],
)
async def test_a_stream_that_cannot_go_on_ends_as_one_that_broke(
    first: Answering, routing: Routing, capable: str, extra: Mapping[str, ResponseFormat]
) -> None:
    async with providers(first, GOES_ON) as stage:
        router = Playing(*targets(stage, capable=capable))
        base = asked(routing)
        question = prompt("hello")
        if "response_format" in extra:
            question = type(question)(messages=question.messages, response_format=extra["response_format"])
        request = Request(request_id="req-1", prompt=question, deadline=base.deadline, routing=routing)
        with pytest.raises(RequestFailed) as failed:
            async for _ in router.router.stream(request, None):
                pass
        assert failed.value.error.reason == "STREAM_INTERRUPTED"
        assert router.books.outcomes == [("alder", "INTERRUPTED")]
        assert stage.bodies[1] == []
        await router.check_nothing_is_left(stage)
        await router.transport.close()


@pytest.mark.anyio
async def test_where_nobody_can_go_on_the_caller_hears_of_the_break() -> None:
    async with providers(BREAKS, fail, fail) as stage:
        router = Playing(*targets(stage))
        with pytest.raises(RequestFailed) as failed:
            await router.stream(RESUMED)
        error, facts = failed.value.error, failed.value.facts
        assert error.reason == "STREAM_INTERRUPTED"
        assert "terminal event" in str(error) or "broke" in str(error)
        assert (facts.attempts, facts.delivered_chunks) == (3, 2)
        await router.check_nothing_is_left(stage)
        await router.transport.close()

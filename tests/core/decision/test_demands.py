"""What a request's content keeps away, and whom its echoes put first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from router_service.core.catalog import Model, Provider, Target
from router_service.core.chat import (
    Generation,
    Image,
    Message,
    OpaqueState,
    Part,
    Prompt,
    Reasoning,
    ResponseFormat,
    ResponseKind,
    Role,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
)
from router_service.core.decision.demands import demanded, origin
from router_service.core.deviations import Deviations
from router_service.core.plan import Plan, Rejection
from router_service.core.request import Routing
from router_service.core.task import TaskType
from tests.core.decision.making import STILL, asked, decided, made, viewed

HELLO = Message(role=Role.USER, content="Hello")
CALL = ToolCall(id="1", name="f", arguments_json="{}")
TOOLS = (Tool(name="f"),)


def showing(image: Image) -> Prompt:
    return Prompt(messages=(Message(role=Role.USER, parts=(Part(text="See"), Part(image=image))),))


@pytest.mark.parametrize(
    ("prompt", "task", "capabilities"),
    [
        (Prompt(messages=(HELLO,)), None, set()),
        (Prompt(messages=(HELLO,)), TaskType.VISION, {"vision"}),
        (Prompt(messages=(HELLO,), tools=TOOLS), None, {"tools"}),
        (Prompt(messages=(HELLO, Message(role=Role.ASSISTANT, tool_calls=(CALL,)))), None, {"tools"}),
        (Prompt(messages=(Message(role=Role.TOOL, content="4", tool_call_id="1"),)), None, {"tools"}),
        (Prompt(messages=(HELLO,), tools=TOOLS, tool_choice=ToolChoice()), None, {"tools"}),
        (
            Prompt(messages=(HELLO,), tools=TOOLS, tool_choice=ToolChoice(mode=ToolChoiceMode.REQUIRED)),
            None,
            {"tools", "forced_tool_choice"},
        ),
        (
            Prompt(messages=(HELLO,), tools=TOOLS, tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name="f")),
            None,
            {"tools", "forced_tool_choice"},
        ),
        (showing(Image(data=b"a", media_type="image/png")), None, {"vision"}),
        (showing(Image(uri="https://x/y")), None, {"vision", "image_uri"}),
        (Prompt(messages=(HELLO,), response_format=ResponseFormat()), None, set()),
        *(
            (Prompt(messages=(HELLO,), response_format=ResponseFormat(kind=kind)), None, {kind.value})
            for kind in (ResponseKind.JSON_OBJECT, ResponseKind.JSON_SCHEMA)
        ),
    ],
)
def test_demands(prompt: Prompt, task: TaskType | None, capabilities: set[str]) -> None:
    assert demanded(prompt, task) == capabilities


def able(id: str, capabilities: str, *, rejects: Iterable[str] = (), deviations: Deviations | None = None) -> Target:
    provider = Provider(name="", dialect="openai", base_url="", deviations=deviations or Deviations())
    return made(id, capabilities=capabilities, provider=provider, model=Model(id="", rejects=frozenset(rejects)))


def plan_for(
    targets: Iterable[Target], prompt: Prompt, *, refuses: bool = False, routing: Routing | None = None
) -> Plan:
    request = replace(asked(routing), prompt=prompt)
    return decided(request, viewed(*targets, policy=replace(STILL, refuses_unsupported=refuses)))


def test_whoever_cannot_be_forced_and_whoever_fetches_nothing_is_turned_away() -> None:
    forced = Prompt(messages=(HELLO,), tools=TOOLS, tool_choice=ToolChoice(mode=ToolChoiceMode.REQUIRED))
    targets = (
        able("a/m", "tools"),
        able("b/m", "tools", rejects=["forced_tool_choice"]),
        able("c/m", "tools", deviations=Deviations(minds_tool_choice=False)),
    )
    found = plan_for(targets, forced)
    assert [t.id for t in found.targets] == ["a/m"]
    assert set(found.rejected.values()) == {Rejection.CAPABILITY}
    assert found.refusal("b/m").detail == "it lacks forced_tool_choice"

    lookers = (able("a/m", "vision"), able("b/m", "vision", deviations=Deviations(fetches_images=False)))
    assert [t.id for t in plan_for(lookers, showing(Image(uri="https://x/y"))).targets] == ["a/m"]
    assert len(plan_for(lookers, showing(Image(data=b"a", media_type="image/png"))).targets) == 2


def test_whoever_takes_no_prefill_is_not_sent_words_to_go_on_with() -> None:
    targets = (able("a/m", ""), able("b/m", "", rejects=["assistant_prefill"]))
    begun = Prompt(messages=(HELLO, Message(role=Role.ASSISTANT, content="Once")))
    found = plan_for(targets, begun)
    assert [t.id for t in found.targets] == ["a/m"]
    assert found.refusal("b/m").detail == "it lacks assistant_prefill"
    answered = Prompt(messages=(*begun.messages, HELLO))
    assert len(plan_for(targets, answered).targets) == 2


def test_an_answer_longer_than_a_model_gives_turns_it_away_only_where_that_is_the_policy() -> None:
    targets = (
        made("a/m", model=Model(id="", max_output_tokens=4_096)),
        made("b/m", model=Model(id="", max_output_tokens=16_000)),
        made("c/m"),
    )
    long = Prompt(messages=(HELLO,), generation=Generation(max_output_tokens=16_000))
    assert len(plan_for(targets, long).targets) == 3
    found = plan_for(targets, long, refuses=True)
    assert {t.id for t in found.targets} == {"b/m", "c/m"}
    assert found.rejected["a/m"] is Rejection.CAPABILITY
    assert found.refusal("a/m").detail == "its answers end at 4 096 tokens, and max_output_tokens is 16000"
    assert len(plan_for(targets, Prompt(messages=(HELLO,)), refuses=True).targets) == 3


def test_a_setting_that_is_not_taken_turns_away_only_where_that_is_the_policy() -> None:
    targets = (able("a/m", "reasoning", rejects=["temperature"]), able("b/m", "reasoning"), able("c/m", ""))
    set_both = Prompt(messages=(HELLO,), generation=Generation(temperature=0.0, reasoning_effort="low"))
    assert len(plan_for(targets, set_both).targets) == 3
    found = plan_for(targets, set_both, refuses=True)
    assert [t.id for t in found.targets] == ["b/m"]
    assert found.refusal("a/m").detail == "it does not take temperature"
    assert found.refusal("c/m").detail == "it does not take reasoning_effort"
    assert len(plan_for(targets, Prompt(messages=(HELLO,)), refuses=True).targets) == 3


def said_by(*origins: str) -> Prompt:
    turns = [
        Message(
            role=Role.ASSISTANT,
            content="Hi",
            reasoning=(Reasoning(text="", dialect="openai", opaque_state=OpaqueState(origin=o, data=b"[]")),),
        )
        for o in origins
    ]
    return Prompt(messages=(HELLO, *turns, HELLO))


def test_who_wrote_the_last_echo_comes_first_whatever_else_is_preferred() -> None:
    targets = (made("a/m", price=1.0), made("b/m", price=50.0), made("c/m", tier="local"))
    assert origin(said_by("a/m", "b/m")) == "b/m"
    for routing in (None, Routing(prefer_self_hosted=True), Routing(strategy="cost_optimized")):
        assert plan_for(targets, said_by("a/m", "b/m"), routing=routing).targets[0].id == "b/m"
    found = plan_for(targets, said_by("gone/m"), routing=Routing(prefer_self_hosted=True))
    assert found.targets[0].id == "c/m", "whoever is gone changes nothing"


def test_a_signed_call_has_an_origin_too() -> None:
    call = replace(CALL, opaque_state=OpaqueState(origin="b/m", data=b"{}"))
    assert origin(Prompt(messages=(HELLO, Message(role=Role.ASSISTANT, tool_calls=(call,))))) == "b/m"
    assert origin(Prompt(messages=(HELLO,))) == ""

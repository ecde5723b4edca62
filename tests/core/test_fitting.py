"""What of a request's settings a target is not told, and what it is able to do without saying so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

import pytest

from router_service.core.catalog import ASSISTANT_PREFILL, FORCED_TOOL_CHOICE, IMAGE_URI, REASONING_OFF, Target
from router_service.core.chat import Generation, Prompt
from router_service.core.deviations import Deviations, SeedField
from router_service.core.fitting import ADJUSTABLE, OUTPUT_LIMIT, adjusted, fitted
from tests.core.examples import prompt, target

ALL = Generation(
    max_output_tokens=7,
    temperature=0.0,
    top_p=1.0,
    seed=0,
    stop=("x",),
    frequency_penalty=0.0,
    presence_penalty=0.0,
    reasoning_effort="low",
)
REASONING = "reasoning"


def able(*capabilities: str, rejects: Iterable[str] = (), deviations: Deviations | None = None) -> Target:
    plain = target("groq/llama", deviations=deviations)
    model = replace(plain.model, capabilities=frozenset(capabilities), rejects=frozenset(rejects))
    return Target(plain.provider, model)


def test_every_field_but_the_length_may_be_left_out() -> None:
    assert {*ADJUSTABLE, OUTPUT_LIMIT} == {field.name for field in fields(Generation)}
    assert adjusted(ALL) == frozenset(ADJUSTABLE)
    assert adjusted(Generation(max_output_tokens=1)) == frozenset()


@pytest.mark.parametrize("name", ADJUSTABLE)
def test_what_a_model_rejects_is_left_out_and_named(name: str) -> None:
    asked = Prompt(messages=prompt().messages, generation=ALL)
    left, dropped = fitted(asked, able(REASONING, rejects=[name, FORCED_TOOL_CHOICE]))
    assert dropped == (name,)
    assert adjusted(left.generation) == frozenset(ADJUSTABLE) - {name}
    assert left.generation.max_output_tokens == 7
    assert left.messages == asked.messages


@pytest.mark.parametrize(
    ("to", "dropped"),
    [
        (able(REASONING), ()),
        (able(), ("reasoning_effort",)),
        (able(REASONING, deviations=Deviations(seed_field=SeedField.NONE)), ("seed",)),
        (able(rejects=["top_p", "temperature"]), ("temperature", "top_p", "reasoning_effort")),
    ],
)
def test_what_a_target_has_no_word_for_is_left_out(to: Target, dropped: tuple[str, ...]) -> None:
    assert fitted(prompt(generation=ALL), to)[1] == dropped


@pytest.mark.parametrize(("effort", "dropped"), [("none", ("reasoning_effort",)), ("low", ())])
def test_a_model_that_always_reasons_is_not_told_to_leave_it(effort: str, dropped: tuple[str, ...]) -> None:
    asked = prompt(generation=Generation(reasoning_effort=effort))
    assert fitted(asked, able(REASONING, rejects=[REASONING_OFF]))[1] == dropped
    assert fitted(asked, able(REASONING))[1] == ()
    assert (REASONING_OFF in adjusted(asked.generation)) == bool(dropped)


@pytest.mark.parametrize(("asked", "sent"), [(16_000, 4_096), (4_097, 4_096), (4_096, 4_096), (1, 1), (None, None)])
def test_a_length_that_no_answer_of_the_model_has_is_lowered_and_named(asked: int | None, sent: int | None) -> None:
    plain = able(REASONING, rejects=["top_p"])
    limited = Target(plain.provider, replace(plain.model, max_output_tokens=4_096))
    left, dropped = fitted(prompt(generation=Generation(max_output_tokens=asked, top_p=0.5)), limited)
    assert left.generation == Generation(max_output_tokens=sent)
    assert dropped == (("top_p",) if sent == asked else ("top_p", OUTPUT_LIMIT))


def test_what_is_not_set_is_not_left_out() -> None:
    asked = prompt(generation=Generation(top_p=0.5))
    left, dropped = fitted(asked, able(rejects=["temperature"]))
    assert left is asked
    assert dropped == ()


@pytest.mark.parametrize(
    ("to", "capabilities"),
    [
        (able(), set()),
        (able("json_schema"), {"json_schema", "json_object"}),
        (able("tools"), {"tools", FORCED_TOOL_CHOICE}),
        (able("tools", rejects=[FORCED_TOOL_CHOICE]), {"tools"}),
        (able("tools", deviations=Deviations(minds_tool_choice=False)), {"tools"}),
        (able("vision"), {"vision", IMAGE_URI}),
        (able("vision", deviations=Deviations(fetches_images=False)), {"vision"}),
        (able("tools", rejects=[ASSISTANT_PREFILL]), {"tools", FORCED_TOOL_CHOICE}),
    ],
)
def test_what_follows_from_what_a_model_is_said_to_do(to: Target, capabilities: set[str]) -> None:
    prefill = set() if ASSISTANT_PREFILL in to.model.rejects else {ASSISTANT_PREFILL}
    assert to.capabilities == capabilities | prefill

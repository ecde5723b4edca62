"""Inference of task and complexity: the words of the specification, floors on labelled prompts, and odd texts.

The floors guard against regressions. They are no estimate of accuracy on other people's prompts, which is far lower:
one author wrote prompts and tables. docs/inference.md has the figures for prompts that others wrote.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.chat import Image, Message, Part, Prompt, Role
from router_service.core.inference import Inference, infer
from router_service.core.task import Complexity, TaskType
from tests.core.examples import prompt
from tests.core.prompts import LabelledPrompt, filler, labelled_prompts
from tests.harness.specified_prompts import SPECIFIED, Class

LABELLED = labelled_prompts()
HALVES = {
    "development": [labelled for labelled in LABELLED if not labelled.is_held_out],
    "held out": [labelled for labelled in LABELLED if labelled.is_held_out],
}
SPECIFIED_PROMPTS = [pytest.param(text, named, id=text) for named in SPECIFIED for text in named.prompts]


@pytest.mark.parametrize(("text", "named"), SPECIFIED_PROMPTS)
def test_the_words_of_the_specification(text: str, named: Class) -> None:
    found = infer(prompt(text))
    assert (found.task, found.complexity) == (named.task, named.complexity)


def test_the_labelled_set_is_large_and_balanced() -> None:
    assert len(LABELLED) >= 200
    for task in TaskType:
        expected = 0 if task is TaskType.EMBEDDING else 15
        assert sum(labelled.task is task for labelled in LABELLED) >= expected, task
    for complexity in Complexity:
        assert sum(labelled.complexity is complexity for labelled in LABELLED) >= 60
    assert sum(bool(labelled.hard) for labelled in LABELLED) >= 80


@pytest.mark.parametrize("half", HALVES)
def test_task_accuracy_on_labelled_prompts(half: str) -> None:
    found = [(labelled.task, infer(labelled.prompt, min_confidence=0.0).task) for labelled in HALVES[half]]
    assert _share(task is inferred for task, inferred in found) >= 0.9
    by_task = defaultdict(list)
    for task, inferred in found:
        by_task[task].append(task is inferred)
    assert {task.value: _share(hits) for task, hits in by_task.items() if _share(hits) < 0.7} == {}


@pytest.mark.parametrize("half", HALVES)
def test_confidence_keeps_its_word_on_labelled_prompts(half: str) -> None:
    found = [(labelled.task, infer(labelled.prompt)) for labelled in HALVES[half]]
    confident = [(task, inferred) for task, inferred in found if inferred.task is not None]
    assert len(confident) / len(found) >= 0.85
    right = _share(task is inferred.task for task, inferred in confident)
    assert right >= 0.93
    assert right >= sum(inferred.confidence for _, inferred in confident) / len(confident) - 0.05


@pytest.mark.parametrize("half", HALVES)
def test_complexity_technical_and_refactoring_on_labelled_prompts(half: str) -> None:
    found = [(labelled, infer(labelled.prompt)) for labelled in HALVES[half]]
    assert _share(labelled.complexity is inferred.complexity for labelled, inferred in found) >= 0.74
    assert _share(labelled.is_technical == inferred.is_technical for labelled, inferred in found) >= 0.9
    assert _share(labelled.is_refactoring == inferred.is_refactoring for labelled, inferred in found) >= 0.97
    assert not any(_is_opposite(labelled, inferred) for labelled, inferred in found)


def _is_opposite(labelled: LabelledPrompt, inferred: Inference) -> bool:
    return {labelled.complexity, inferred.complexity} == {Complexity.SIMPLE, Complexity.COMPLEX}


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return sum(counted) / len(counted)


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Translate into Spanish: 'Summarize the report and write unit tests.'", TaskType.TRANSLATION),
        ("Summarize in one sentence: 'Translate this poem, she said, and debug my code.'", TaskType.SUMMARIZATION),
        ("Classify the sentiment: 'Write a poem, they said. It was not fun.'", TaskType.CLASSIFICATION),
    ],
)
def test_what_is_quoted_is_not_what_is_asked(text: str, task: TaskType) -> None:
    assert infer(prompt(text)).task is task


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Do not write code. Just tell me a joke about Python.", TaskType.CREATIVE_WRITING),
        ("Don't translate this, summarize it: la casa", TaskType.SUMMARIZATION),
        ("I don't want a poem. Summarize the text instead: the river rose", TaskType.SUMMARIZATION),
        ("不要写代码，给我讲一个笑话", TaskType.CREATIVE_WRITING),
        ("Don't forget to write unit tests for the parser", TaskType.TESTING),
        ("Users do not see the page. Debug it.", TaskType.REASONING),
        ("请分别翻译这两个句子", TaskType.TRANSLATION),
    ],
)
def test_what_is_not_to_be_done_is_not_what_is_asked(text: str, task: TaskType) -> None:
    assert infer(prompt(text)).task is task


@pytest.mark.parametrize(
    ("plain", "modified"),
    [
        ("Write a function that reverses a string", "Write a simple function that reverses a string"),
        ("Write a function that reverses a string", "Write me a small, clean Python function that reverses a string"),
        ("Write unit tests for the parser", "Write short unit tests for the parser"),
    ],
)
def test_an_adjective_does_not_take_the_task_away(plain: str, modified: str) -> None:
    without, with_it = infer(prompt(plain)), infer(prompt(modified))
    assert with_it.task is without.task is not None
    assert with_it.confidence >= without.confidence - 0.05


@pytest.mark.parametrize("greeting", ["Hello, ", "Hi! ", "Good morning. ", "Hi ", "你好，"])
def test_a_greeting_is_not_what_a_request_is_for(greeting: str) -> None:
    assert infer(prompt(f"{greeting}can you write a function that reverses a string?")).task is TaskType.CODE_GENERATION


@pytest.mark.parametrize("text", ["", " ", "\n\n", ".", "42", "xqzt vbnm"])
def test_nothing_to_go_by_is_no_task(text: str) -> None:
    found = infer(prompt(text))
    assert found.task is None
    assert found.confidence < 0.5


def test_no_messages_at_all_is_no_task() -> None:
    assert infer(Prompt(messages=())).task is None


def test_a_threshold_of_the_caller_applies() -> None:
    text = prompt("Write a haiku about the first snow.")
    assert infer(text).task is TaskType.CREATIVE_WRITING
    unsure = infer(text, min_confidence=1.0, min_complexity_confidence=1.0)
    assert (unsure.task, unsure.complexity) == (None, None)
    assert unsure.confidence == infer(text).confidence


def test_an_instruction_is_found_behind_a_long_text() -> None:
    assert infer(prompt(f"{filler(100_000)}\n\nSummarize the text above.")).task is TaskType.SUMMARIZATION


def test_a_picture_is_vision_whatever_is_asked_of_it() -> None:
    picture = Part(image=Image(data=b"\x89PNG", media_type="image/png"))
    asked = Message(role=Role.USER, parts=(Part(text="Translate the sign."), picture))
    assert infer(Prompt(messages=(asked,))).task is TaskType.VISION


def test_the_system_message_decides_what_a_message_is_for() -> None:
    system = Message(role=Role.SYSTEM, content="You are a translator. Translate everything from English to Korean.")
    user = Message(role=Role.USER, content="Can you write me a function that sorts a list?")
    assert infer(Prompt(messages=(system, user))).task is TaskType.TRANSLATION


@given(text=st.text(max_size=400))
def test_any_text_gives_the_same_probabilities_twice(text: str) -> None:
    found = infer(prompt(text))
    assert found == infer(prompt(text))
    assert 0.0 < found.confidence <= 1.0
    assert 0.0 < found.complexity_confidence <= 1.0
    assert found.task is not TaskType.EMBEDDING


@pytest.mark.parametrize(
    "unit", ["a", " \n", "\t", "a_", "f(", '"a ', "'a ", ": ; ", "as a, b", "1,", "```", "[a] ", "a?"]
)
def test_no_text_makes_it_slow(unit: str) -> None:
    """A quadratic pattern would take seconds here; the bound is a hundred times what is usual, for a busy machine."""
    text = prompt(unit * 100_000)
    started = time.perf_counter()
    infer(text)
    assert time.perf_counter() - started < 0.1

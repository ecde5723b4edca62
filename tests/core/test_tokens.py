"""The token estimate: its error against real tokenizers before and after learning, and what it learns from."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.chat import Image, Message, Part, Prompt, Role, Tool, ToolCall
from router_service.core.tokens import IMAGE_TOKENS, MESSAGE_TOKENS, Script, TextProfile, TokenEstimator, profile, seeds
from tests.core.examples import prompt
from tests.core.token_texts import texts

TOKENIZERS = [("gpt-4o", "o200k_base"), ("gpt-4", "cl100k_base")]
KINDS = ["text", "code", "cjk"]
DRAWS = range(5)

# The tokenizers' package reads its data in a way that Python 3.11 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")


@cache
def _tokenizer(encoding: str) -> Callable[[str], list[int]]:
    # Imported by name: the package has no type marker.
    encode: Callable[[str], list[int]] = import_module("bpe_openai").get_encoding(encoding).encode_ordinary
    return encode


def _counted(text: str, encoding: str) -> int:
    """What a provider would report for a prompt of one message."""
    return len(_tokenizer(encoding)(text)) + MESSAGE_TOKENS


def _errors(estimator: TokenEstimator, model: str, encoding: str, seen: list[str]) -> list[float]:
    return [abs(estimator.estimate(model, profile(prompt(t))) / _counted(t, encoding) - 1) for t in seen]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("model", "encoding"), TOKENIZERS)
def test_median_error_before_and_after_fifty_answers(model: str, encoding: str, kind: str) -> None:
    before: list[float] = []
    after: list[float] = []
    for draw in DRAWS:
        estimator = TokenEstimator()
        unseen = texts(kind, count=40, seed=100 + draw)
        before += _errors(estimator, model, encoding, unseen)
        for text in texts(kind, count=50, seed=200 + draw):
            estimator.learn(model, profile(prompt(text)), _counted(text, encoding))
        after += _errors(estimator, model, encoding, unseen)
    assert median(before) <= 0.15
    assert median(after) <= 0.08


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_a_model_of_no_known_family_is_learnt_too(encoding: str) -> None:
    estimator = TokenEstimator()
    for kind in KINDS:
        for text in texts(kind, count=50, seed=7):
            estimator.learn("vendor/new-model", profile(prompt(text)), _counted(text, encoding))
    for kind in KINDS:
        unseen = texts(kind, count=60, seed=8)
        assert median(_errors(estimator, "vendor/new-model", encoding, unseen)) <= 0.13


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("The council met in March and again in June.", Script.LATIN),
        ("Über die Ursache ist noch nichts bekannt, drei Häuser brannten ab.", Script.ACCENTED),
        ("def area(w, h):\n    return {'area': w * h}", Script.CODE),
        ("```\nplain words between fences\n```", Script.CODE),
        ("昨天下午市政府宣布", Script.HAN),
        ("어제오후시청은", Script.SYLLABIC),
        ("0123456789", Script.DIGITS),
        ("Городской совет", Script.OTHER),
    ],
)
def test_most_of_a_text_is_of_its_script(text: str, script: Script) -> None:
    counted = profile(prompt(text)).characters
    assert max(counted, key=lambda key: counted[key]) is script


@given(text=st.text(alphabet=st.characters(exclude_characters="`"), max_size=2_000))
def test_every_character_counts_once_but_for_indentation(text: str) -> None:
    counted = profile(prompt(text)).characters
    assert len(text) - text.count("  ") <= sum(counted.values()) <= len(text)
    assert min(counted.values()) >= 0


def test_a_long_text_is_sampled_and_counts_in_full() -> None:
    text = "The council met in March. " * 20_000
    counted = profile(prompt(text)).characters
    assert sum(counted.values()) == pytest.approx(len(text), rel=0.001)


@pytest.mark.parametrize("unit", ["word ", "```", "公司", "aé你か", "{", "1", "\n"])
def test_no_text_makes_it_slow(unit: str) -> None:
    text = prompt(unit * (400_000 // len(unit)))
    started = time.perf_counter()
    profile(text)
    assert time.perf_counter() - started < 0.2


def test_tools_calls_frames_and_pictures_count() -> None:
    bare = Prompt(messages=(Message(role=Role.USER, content="Hello"),))
    picture = Part(image=Image(data=b"\x89PNG", media_type="image/png"))
    call = ToolCall(id="1", name="search", arguments_json='{"query": "weather in Leeds"}')
    full = Prompt(
        messages=(
            Message(role=Role.USER, parts=(Part(text="Hello"), picture)),
            Message(role=Role.ASSISTANT, tool_calls=(call,)),
        ),
        tools=(Tool(name="search", parameters_json='{"type": "object"}'),),
    )
    estimator = TokenEstimator()
    more = estimator.estimate("m", profile(full)) - estimator.estimate("m", profile(bare))
    assert more > MESSAGE_TOKENS + IMAGE_TOKENS


def test_an_empty_prompt_has_a_token() -> None:
    assert TokenEstimator().estimate("m", profile(Prompt(messages=()))) == 1


def test_prose_teaches_nothing_about_han() -> None:
    estimator = TokenEstimator()
    chinese = profile(prompt("昨天下午市政府宣布" * 50))
    before = estimator.estimate("m", chinese)
    prose = profile(prompt("The council met in March. " * 50))
    for _ in range(50):
        estimator.learn("m", prose, 2 * estimator.estimate("m", prose))
    assert estimator.estimate("m", chinese) == before


@pytest.mark.parametrize("input_tokens", [0, -5, 3])
def test_reports_that_cannot_be_true_teach_nothing(input_tokens: int) -> None:
    estimator = TokenEstimator()
    prose = profile(prompt("The council met in March. " * 50))
    before = estimator.estimate("m", prose)
    estimator.learn("m", prose, input_tokens)
    assert estimator.estimate("m", prose) == before


def test_pictures_and_tiny_prompts_teach_nothing() -> None:
    estimator = TokenEstimator()
    for odd in (TextProfile(characters={Script.LATIN: 2_000}, images=1), profile(prompt("Hello"))):
        before = estimator.estimate("m", odd)
        estimator.learn("m", odd, 5_000)
        assert estimator.estimate("m", odd) == before


@given(reports=st.lists(st.integers(min_value=1, max_value=10**9), max_size=60))
def test_no_report_takes_the_ratios_out_of_their_bounds(reports: list[int]) -> None:
    estimator = TokenEstimator(weight=1.0)
    prose = TextProfile(characters={Script.LATIN: 12_000})
    for reported in reports:
        estimator.learn("m", prose, reported)
    assert 1_000 <= estimator.estimate("m", prose) <= 60_000


def test_the_model_learnt_longest_ago_is_forgotten_first() -> None:
    estimator = TokenEstimator(most_models=2)
    prose = TextProfile(characters={Script.LATIN: 4_000})
    fresh = estimator.estimate("a", prose)
    for model in ("a", "b", "a", "c"):
        estimator.learn(model, prose, 3_000)
    assert estimator.estimate("b", prose) == fresh
    assert estimator.estimate("a", prose) > fresh


@pytest.mark.parametrize(
    ("model", "like"),
    [("openai/gpt-4o-mini", "gpt-5"), ("openai/gpt-oss-120b", "gpt-5"), ("gpt-4.1", "gpt-5"), ("gpt-4-turbo", "gpt-4")],
)
def test_seeds_go_by_family(model: str, like: str) -> None:
    assert seeds(model) == seeds(like)
    assert seeds(model) != seeds("anything-else")

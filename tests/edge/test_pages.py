"""Pages of lists: sizes, tokens that lead on, and tokens that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.edge import pages


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (1000, 1000)])
def test_size(asked: int, size: int) -> None:
    page = pages.read(asked, "", question="q")
    assert page is not None
    assert (page.size, page.after) == (size, "")
    assert not list(pages.objections(asked))


@pytest.mark.parametrize("asked", [-1, 1001])
def test_size_out_of_range_is_named(asked: int) -> None:
    [violation] = pages.objections(asked)
    assert violation.field == "page_size"
    assert str(asked) in violation.description


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_token_leads_to_the_entry_after_the_last(last: str) -> None:
    first = pages.read(0, "", question="q")
    assert first is not None
    following = pages.read(0, first.token(last), question="q")
    assert following is not None
    assert following.after == last


@given(st.text(max_size=100))
def test_token_that_is_none_is_refused_without_a_word_of_python(token: str) -> None:
    page = pages.read(0, token, question="q")
    assert page is None or not token


def test_token_of_another_question_is_refused() -> None:
    first = pages.read(0, "", question="q")
    assert first is not None
    assert pages.read(0, first.token("a"), question="r") is None
    assert pages.read(0, "A" * 5000, question="q") is None

"""Nothing that was delivered is delivered twice, and nothing that is new is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.splice import TELLING_CHARACTERS, DivergedError, Splice

SENTENCE = "The quick brown fox jumps over the lazy dog, and then"


RULE = "| --- | --- | --- | --- |\n"
TABLE = f"Table one\n| a | b | c | d |\n{RULE}| 1 | 2 | 3 | 4 |\n\nTable two\n| e | f | g | h |\n"


def spliced(delivered: str, pieces: Sequence[str]) -> str:
    splice = Splice(delivered)
    return "".join([splice.feed(piece) for piece in pieces]) + splice.rest()


@pytest.mark.parametrize(
    ("delivered", "continuation", "new"),
    [
        (SENTENCE, " it sleeps.", " it sleeps."),
        (SENTENCE, SENTENCE + " it sleeps.", " it sleeps."),
        (SENTENCE, "over the lazy dog, and then it sleeps.", " it sleeps."),
        (SENTENCE, "and then it sleeps.", "and then it sleeps."),
        (SENTENCE, SENTENCE[:30], ""),
        (SENTENCE, "", ""),
        (SENTENCE, "The quick brown cat.", "The quick brown cat."),
        ("", "Anything.", "Anything."),
        ("hel", "lo", "lo"),
        ("hel", "hello", "lo"),
        ("na" * 40, "na" * 40 + "!", "!"),
        ("na" * 40, "na" * 15 + "!", "!"),
        ("The quick brown fox jumps ", "The quick brown fox jumps\n\nover it.", "over it."),
        (SENTENCE, "The quick  brown fox jumps over\nthe lazy dog, and then it sleeps.", " it sleeps."),
        (SENTENCE, "over the\nlazy dog, and then it sleeps.", " it sleeps."),
        (SENTENCE, "The quick brown fox\njumps over", ""),
        (SENTENCE, "brown fox jumps over a cat.", "brown fox jumps over a cat."),
        (TABLE, f"{RULE}| 5 | 6 | 7 | 8 |\n", f"{RULE}| 5 | 6 | 7 | 8 |\n"),
    ],
)
def test_what_is_repeated_is_left_out(delivered: str, continuation: str, new: str) -> None:
    for size in (1, 3, 1000):
        pieces = [continuation[i : i + size] for i in range(0, len(continuation), size)]
        assert spliced(delivered, pieces) == new


LONG = "".join(f"Word {number} of many. " for number in range(20))


@pytest.mark.parametrize(
    ("delivered", "continuation"),
    [
        (SENTENCE, "The quick brown fox jumps over a sleeping cat."),
        (SENTENCE, "The quick brown fox jumped."),
        (SENTENCE, "The\nquick\nbrown\nfox\njumps over a cat."),
        (f"Once upon a time.\n\n{SENTENCE}", "The quick brown fox jumps over a sleeping cat."),
        (f"Once upon a time.\n\n{SENTENCE}\n\n", "The\nquick brown fox jumps over a sleeping cat."),
        (LONG, f"{LONG[40:120]}And no more of them."),
        (LONG, LONG[40:120]),
    ],
)
def test_what_says_the_same_again_in_other_words_is_not_joined(delivered: str, continuation: str) -> None:
    for size in (1, 3, 1000):
        with pytest.raises(DivergedError):
            spliced(delivered, [continuation[i : i + size] for i in range(0, len(continuation), size)])


@given(st.text(min_size=1), st.text(), st.integers(0, 100), st.lists(st.integers(1, 7)))
def test_a_repetition_of_any_length_that_tells_is_left_out(
    delivered: str, new: str, begin: int, sizes: list[int]
) -> None:
    begin = max(0, min(begin, len(delivered) - TELLING_CHARACTERS))
    continuation, pieces = delivered[begin:] + new, list[str]()
    while continuation:
        size = sizes.pop() if sizes else 5
        pieces.append(continuation[:size])
        continuation = continuation[size:]
    found = spliced(delivered, pieces)
    assert new.endswith(found), "nothing is made up, and nothing comes twice"


@given(st.text(alphabet="abc", min_size=1, max_size=60), st.text(alphabet="xyz", max_size=60))
def test_what_is_new_from_its_first_character_is_given_out_at_once(delivered: str, new: str) -> None:
    splice = Splice(delivered)
    assert "".join([splice.feed(character) for character in new]) == new
    assert splice.rest() == ""


def test_a_megabyte_that_repeats_itself_is_soon_told_apart() -> None:
    delivered = "a" * 1_000_000
    assert spliced(delivered, ["a" * 250_000] * 3 + ["b"]) == "b"

"""Files that are no good YAML, or none that one should read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from router_service.config import ConfigError, load
from router_service.config.source import MAX_BYTES

from .files import SMALL, TODAY, load_text, mistakes_in, the_mistake_in


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    line, _, message, _ = the_mistake_in(tmp_path, SMALL + "server: {drain_s: 3\ntelemetry: {}\n")
    assert line == 7
    assert message.startswith("not YAML: ")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_is_told_so(tmp_path: Path, text: str) -> None:
    assert the_mistake_in(tmp_path, text)[2] in ("the file is empty", "the file is not a mapping of keys")


@pytest.mark.parametrize("text", ["- 1\n", "hello\n", "3\n"])
def test_a_file_of_something_else_is_told_so(tmp_path: Path, text: str) -> None:
    assert the_mistake_in(tmp_path, text)[2] == "the file is not a mapping of keys"


def test_a_repeated_key_is_refused_at_its_second_place(tmp_path: Path) -> None:
    line, path, _, hint = the_mistake_in(tmp_path, SMALL + "version: 1\n")
    assert (line, path) == (6, "version")
    assert "line 1" in hint


def test_repeated_keys_do_not_hide_other_mistakes(tmp_path: Path) -> None:
    problems = mistakes_in(tmp_path, SMALL + "version: 1\nserver: {drain_s: -1}\n").problems
    assert [problem.line for problem in problems] == [6, 7]


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    assert "1 MiB" in the_mistake_in(tmp_path, SMALL + "#" * MAX_BYTES)[2]


def test_bytes_that_are_no_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    line, _, message, _ = the_mistake_in(tmp_path, SMALL.encode() + b"# caf\xe9\n")
    assert (line, message) == (6, "the file is not UTF-8")


def test_a_control_character_is_refused_with_its_line(tmp_path: Path) -> None:
    line, _, message, _ = the_mistake_in(tmp_path, "# é\n" + SMALL + "# \x00\n")
    assert (line, message) == (7, "the line holds a control character")


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    assert load_text(tmp_path, b"\xef\xbb\xbf" + SMALL.encode()).catalog.targets


@pytest.mark.parametrize("tagged", ["!!python/name:os.system x", "!secret x", "!!binary aGk=", "!!set {a}", "!x []"])
def test_tags_are_refused(tmp_path: Path, tagged: str) -> None:
    messages = [problem.message for problem in mistakes_in(tmp_path, f"{SMALL}server: {tagged}\n").problems]
    assert "carries a tag" in messages


def test_an_alias_stands_for_its_value(tmp_path: Path) -> None:
    text = SMALL + (
        "    timeouts_s: &quick {connect: 1}\n"
        "  - {name: birch, base_url: https://b.example, timeouts_s: *quick, models: [{id: m}]}\n"
    )
    assert [target.provider.timeouts.connect_s for target in load_text(tmp_path, text).catalog.targets] == [1.0, 1.0]


def test_aliases_that_expand_without_end_are_refused(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)]
    assert "too many values" in the_mistake_in(tmp_path, "a0: &a0 [1]\n" + "".join(levels))[2]


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "[" * 100_000, "- " * 100_000, "{a: " * 10_000])
def test_deep_nesting_is_refused(tmp_path: Path, text: str) -> None:
    assert "deep" in the_mistake_in(tmp_path, text)[2]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "no such file"),
        (lambda path: path.parent, "is a directory"),
        (lambda path: path.parent / "nul\0", "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], Path], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(make(tmp_path / "absent.yaml"), environ={}, today=TODAY)

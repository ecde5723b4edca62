"""The parts that need no socket: behaviours as JSON, texts, the log, and addresses."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router_service.core.simulation import Behaviour
from router_service.simulator.answers import write_answer, write_bulk
from router_service.simulator.behaviours import BehaviourError, parse_behaviours, show_behaviours
from router_service.simulator.log import LogFile, LogRow, RequestLog
from router_service.simulator.server import split_address


def row(attempt_id: str) -> LogRow:
    """Return a row that differs from others in its attempt id."""
    return LogRow(
        time=datetime(2026, 1, 1, tzinfo=UTC),
        connection=1,
        attempt_id=attempt_id,
        provider="p",
        model="m",
        complete_request=True,
        status=200,
        events=0,
        input_tokens=1,
        output_tokens=1,
        terminal=True,
        closed_by="none",
        text_sha256="",
        path="chat",
        stream=False,
        fault="",
        started=0.0,
        first_byte_s=None,
        ended_s=0.0,
    )


def test_behaviours_read_with_defaults() -> None:
    read = parse_behaviours(b'{"fast": {"latency_s": 0.05, "models": ["a"]}, "*": {}}')
    assert read == {"fast": Behaviour(latency_s=0.05, models=("a",)), "*": Behaviour()}


def test_behaviours_name_every_wrong_field_at_once() -> None:
    body = b'{"a": {"latency_s": "x", "latency_jitter": 2, "colour": 1}, "b": {"output_tokens": 0}, "c": 3}'
    with pytest.raises(BehaviourError) as caught:
        parse_behaviours(body)
    heads = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert heads == ["behaviours.a.colour", "behaviours.a.latency_jitter", "behaviours.a.latency_s",
                     "behaviours.b.output_tokens", "behaviours.c"]  # fmt: skip


@pytest.mark.parametrize("body", [b"[]", b"", b'{"a": '])
def test_behaviours_that_are_no_object_are_refused(body: bytes) -> None:
    with pytest.raises(BehaviourError, match="behaviours: want one object by provider name"):
        parse_behaviours(body)


def test_behaviours_never_show_a_key() -> None:
    behaviours = {"a": Behaviour(requires_key=True, key="canary")}
    assert b"canary" not in show_behaviours(behaviours)
    assert "canary" not in repr(behaviours)


def test_answer_depends_on_prompt_and_seed_alone() -> None:
    one = write_answer("hello", seed=1, limit=None, length=24)
    assert one == write_answer("hello", seed=1, limit=None, length=24)
    assert one.texts != write_answer("hello", seed=2, limit=None, length=24).texts
    assert one.texts != write_answer("Hello", seed=1, limit=None, length=24).texts


@pytest.mark.parametrize(
    ("limit", "length", "tokens", "reason"),
    [
        (None, 24, 24, "stop"),
        (5, 24, 5, "length"),
        (24, 24, 24, "stop"),
        (99, 24, 24, "stop"),
        (None, 5000, 5000, "stop"),
        (1, 1, 1, "stop"),
    ],
)
def test_answer_has_the_length_asked_for(limit: int | None, length: int, tokens: int, reason: str) -> None:
    answer = write_answer("hello", seed=0, limit=limit, length=length)
    assert (len(answer.texts), len(answer.quoted), answer.finish_reason) == (tokens, tokens, reason)


@pytest.mark.parametrize("prompt", ["plain", "unicode please"])
def test_answer_is_the_same_text_inside_json(prompt: str) -> None:
    answer = write_answer(prompt, seed=0, limit=None, length=200)
    quoted = json.loads(b'"' + b"".join(answer.quoted) + b'"')
    assert quoted == b"".join(answer.texts).decode()


def test_answer_to_a_unicode_prompt_has_the_hard_characters() -> None:
    text = b"".join(write_answer("Unicode please", seed=0, limit=None, length=200).texts).decode()
    assert {"\u2028", "駅", "ü", "🚂", '"', "\\", "\n"} <= set(text)


def test_bulk_has_its_size_without_taking_its_memory() -> None:
    answer = write_bulk(1024)
    assert sum(map(len, answer.texts)) == 1024 * 1024 * 1024
    assert len({id(text) for text in answer.texts}) == 1


def test_log_drops_the_oldest_and_counts_them() -> None:
    log = RequestLog(capacity=3, file=None)
    for number in range(5):
        log.append(row(str(number)))
    rows, following = log.read(0)
    assert [json.loads(line)["attempt_id"] for line in rows.splitlines()] == ["2", "3", "4"]
    assert (following, log.dropped) == (5, 2)


def test_log_reads_on_from_a_number_also_after_it_was_emptied() -> None:
    log = RequestLog(capacity=10, file=None)
    log.append(row("a"))
    _, following = log.read(0)
    log.empty()
    log.append(row("b"))
    rows, last = log.read(following)
    assert ([json.loads(line)["attempt_id"] for line in rows.splitlines()], last) == (["b"], 2)
    assert log.read(last) == (b"", 2)


@pytest.mark.anyio
async def test_log_file_has_every_row_after_it_was_closed(tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    file = LogFile(path.open("ab"), asyncio.get_running_loop())
    for number in range(2500):
        file.append(row(str(number)))
    file.close()
    assert [json.loads(line)["attempt_id"] for line in path.read_bytes().splitlines()] == [
        str(number) for number in range(2500)
    ]


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:8790", ("127.0.0.1", 8790)), ("localhost:0", ("localhost", 0)), ("[::1]:1", ("::1", 1))],
)
def test_address_parts(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", "8790", ":8790", "host:", "host:x", "host:65536"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="want host:port"):
        split_address(address)

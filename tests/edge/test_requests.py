"""From the wire to core values: every complaint by its field and text, and nothing asked for silently ignored."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as PbMessage
from hypothesis import given
from hypothesis import strategies as st
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.attempt import Answer
from router_service.core.chat import (
    FinishReason,
    Generation,
    Message,
    OpaqueState,
    Part,
    Reasoning,
    Role,
    ToolCall,
    Usage,
)
from router_service.core.errors import InvalidRequest, NotBuilt
from router_service.core.request import Request, Routing
from router_service.edge import requests, responses
from router_service.edge.requests import RUNNABLE, Arrival, Limits
from tests.core.examples import target

SLOWER_IN_CI = 3 if os.environ.get("CI") == "true" else 1
USER = chat_pb2.Message(role=chat_pb2.ROLE_USER, content="Hello")
MESSAGES: Mapping[str, type[PbMessage]] = {
    "CompleteRequest": router_pb2.CompleteRequest,
    "Message": chat_pb2.Message,
    "Part": chat_pb2.Part,
    "Reasoning": chat_pb2.Reasoning,
    "ToolCall": chat_pb2.ToolCall,
    "Generation": chat_pb2.Generation,
    "Routing": router_pb2.Routing,
}


def asked(**fields: object) -> router_pb2.CompleteRequest:
    """A request that is good, save for the fields given, in protobuf JSON."""
    whole = {"messages": [{"role": "ROLE_USER", "content": "Hello"}], **fields}
    return json_format.ParseDict(whole, router_pb2.CompleteRequest())


def read(pb: router_pb2.CompleteRequest, *, max_prompt_bytes: int = 1000) -> Request:
    limits = Limits(max_prompt_bytes=max_prompt_bytes, max_attempts=4)
    return requests.completion(pb, Arrival(request_id="req-1", deadline=50.0), limits)


def complaints(pb: router_pb2.CompleteRequest, *, max_prompt_bytes: int = 1000) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        read(pb, max_prompt_bytes=max_prompt_bytes)
    return [(v.field, v.description) for v in caught.value.violations]


def test_least_request() -> None:
    request = read(asked())
    assert request.request_id == "req-1"
    assert request.deadline == 50.0
    assert request.prompt.messages == (Message(role=Role.USER, content="Hello"),)
    assert request.prompt.generation == Generation()
    assert request.routing == Routing()
    assert request.labels == {}


def test_everything_that_is_built_arrives() -> None:
    pb = asked(
        request_id="r-1",
        messages=[
            {"role": "ROLE_SYSTEM", "content": "Brief."},
            {"role": "ROLE_USER", "parts": [{"text": "a"}, {"text": "b"}], "name": "ann"},
            {"role": "ROLE_ASSISTANT", "content": "Hi"},
        ],
        generation={
            "max_output_tokens": 7,
            "temperature": 0.0,
            "top_p": 1.0,
            "seed": -3,
            "stop": ["END", "e" * 256],
            "frequency_penalty": -2.0,
            "presence_penalty": 2.0,
        },
        routing={
            "model": "fast",
            "allowed_providers": ["a", "b"],
            "denied_providers": ["c"],
            "max_attempts": 2,
            "disable_fallback": True,
            "hedge": True,
            "resume_on_failure": True,
        },
        labels={"team": "web"},
    )
    request = read(pb)
    assert request.prompt.messages == (
        Message(role=Role.SYSTEM, content="Brief."),
        Message(role=Role.USER, parts=(Part(text="a"), Part(text="b")), name="ann"),
        Message(role=Role.ASSISTANT, content="Hi"),
    )
    assert request.prompt.generation == Generation(
        max_output_tokens=7,
        temperature=0.0,
        top_p=1.0,
        seed=-3,
        stop=("END", "e" * 256),
        frequency_penalty=-2.0,
        presence_penalty=2.0,
    )
    assert request.routing == Routing(
        model="fast",
        allowed_providers=frozenset({"a", "b"}),
        denied_providers=frozenset({"c"}),
        max_attempts=2,
        disable_fallback=True,
        hedge=True,
        resume_on_failure=True,
    )
    assert request.labels == {"team": "web"}


def test_what_is_unset_stays_unset_and_zero_is_set() -> None:
    assert read(asked(generation={})).prompt.generation == Generation()
    generation = read(asked(generation={"temperature": 0, "seed": 0})).prompt.generation
    assert (generation.temperature, generation.seed, generation.top_p) == (0.0, 0, None)


NO_MESSAGE = 'must hold at least one message, for example {"messages": [{"role": "ROLE_USER", "content": "Hello"}]}'
ROLES = "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT or ROLE_TOOL"
EFFORT = "must be a word such as low, medium or high, or unset"
STOPS = "must hold at most 16 texts, each of 1 to 256 characters"


@pytest.mark.parametrize(
    ("fields", "field", "description"),
    [
        ({"messages": []}, "messages", NO_MESSAGE),
        ({"messages": [{"content": "a"}]}, "messages[0].role", f"must be set: {ROLES}"),
        ({"messages": [{"role": 99, "content": "a"}]}, "messages[0].role", f"99 is no value of Role: {ROLES}"),
        (
            {"messages": [{"role": "ROLE_TOOL", "content": "a"}]},
            "messages[0].tool_call_id",
            "must be set: the id of the call that ROLE_TOOL answers",
        ),
        ({"messages": [{"role": "ROLE_USER"}]}, "messages[0].content", "must not be empty"),
        (
            {"messages": [{"role": "ROLE_USER", "content": "a", "parts": [{"text": "b"}]}]},
            "messages[0].parts",
            "cannot be given together with content: use one of them",
        ),
        (
            {"messages": [{"role": "ROLE_USER", "content": "a", "reasoning": [{"text": "b"}]}]},
            "messages[0].reasoning",
            "belongs to ROLE_ASSISTANT alone",
        ),
        ({"messages": [{"role": "ROLE_USER", "parts": [{}]}]}, "messages[0].parts[0]", "must be a text or an image"),
        (
            {"messages": [{"role": "ROLE_USER", "content": "ł" * 501}]},
            "messages",
            "hold 1002 bytes of text; at most 1000: shorten the prompt",
        ),
        (
            {"messages": [{"role": "ROLE_USER", "parts": [{"text": "a" * 600}, {"text": "b" * 401}]}]},
            "messages",
            "hold 1001 bytes of text; at most 1000: shorten the prompt",
        ),
        (
            {"messages": [{"role": "ROLE_USER", "content": "a" * 990, "name": "ł" * 6}]},
            "messages",
            "hold 1002 bytes of text; at most 1000: shorten the prompt",
        ),
        (
            {"messages": [{"role": "ROLE_ASSISTANT", "content": "a" * 500, "reasoning": [{"text": "b" * 501}]}]},
            "messages",
            "hold 1001 bytes of text; at most 1000: shorten the prompt",
        ),
        (
            {"messages": [{"role": "ROLE_USER", "content": "a", "name": "n" * 65}]},
            "messages[0].name",
            "is 65 characters long; at most 64",
        ),
        (
            {"generation": {"max_output_tokens": 0}},
            "generation.max_output_tokens",
            "is 0; must be 1 to 2147483647, or unset",
        ),
        (
            {"generation": {"max_output_tokens": -1}},
            "generation.max_output_tokens",
            "is -1; must be 1 to 2147483647, or unset",
        ),
        ({"generation": {"temperature": 2.1}}, "generation.temperature", "is 2.1; must be 0.0 to 2.0, or unset"),
        ({"generation": {"temperature": -0.1}}, "generation.temperature", "is -0.1; must be 0.0 to 2.0, or unset"),
        ({"generation": {"temperature": "NaN"}}, "generation.temperature", "is nan; must be 0.0 to 2.0, or unset"),
        ({"generation": {"temperature": "Infinity"}}, "generation.temperature", "is inf; must be 0.0 to 2.0, or unset"),
        ({"generation": {"top_p": 1.1}}, "generation.top_p", "is 1.1; must be 0.0 to 1.0, or unset"),
        (
            {"generation": {"frequency_penalty": 3}},
            "generation.frequency_penalty",
            "is 3.0; must be -2.0 to 2.0, or unset",
        ),
        (
            {"generation": {"presence_penalty": -3}},
            "generation.presence_penalty",
            "is -3.0; must be -2.0 to 2.0, or unset",
        ),
        ({"generation": {"top_p": 0.0}}, "generation.top_p", "is 0.0; must be above 0.0, up to 1.0, or unset"),
        ({"generation": {"reasoning_effort": "very hard"}}, "generation.reasoning_effort", EFFORT),
        ({"generation": {"reasoning_effort": "l" * 33}}, "generation.reasoning_effort", EFFORT),
        ({"generation": {"stop": ["x"] * 17}}, "generation.stop", STOPS),
        ({"generation": {"stop": ["x", ""]}}, "generation.stop", STOPS),
        ({"generation": {"stop": ["x", "y" * 257]}}, "generation.stop", STOPS),
        ({"routing": {"model": "m" * 257}}, "routing.model", "is 257 characters long; at most 256"),
        (
            {"routing": {"allowed_providers": ["a"] * 65}},
            "routing.allowed_providers",
            "must hold at most 64 names, none of them empty",
        ),
        (
            {"routing": {"denied_providers": [""]}},
            "routing.denied_providers",
            "must hold at most 64 names, none of them empty",
        ),
        ({"routing": {"max_attempts": 0}}, "routing.max_attempts", "is 0; must be 1 to 4, or unset"),
        ({"routing": {"max_attempts": -5}}, "routing.max_attempts", "is -5; must be 1 to 4, or unset"),
        ({"routing": {"max_attempts": 5}}, "routing.max_attempts", "is 5; must be 1 to 4, or unset"),
        ({"labels": {str(i): "" for i in range(17)}}, "labels", "holds 17 labels; at most 16"),
        (
            {"labels": {"": "x"}},
            "labels['']",
            "must have a key of 1 to 63 and a value of at most 256 characters",
        ),
        (
            {"labels": {"k" * 64: "x"}},
            f"labels['{'k' * 63}']",
            "must have a key of 1 to 63 and a value of at most 256 characters",
        ),
        (
            {"labels": {"team": "x" * 257}},
            "labels['team']",
            "must have a key of 1 to 63 and a value of at most 256 characters",
        ),
        ({"request_id": "a b"}, "request_id", "must be 1 to 128 letters, digits or any of - _ . :"),
        ({"request_id": "a" * 129}, "request_id", "must be 1 to 128 letters, digits or any of - _ . :"),
        ({"request_id": "a\n"}, "request_id", "must be 1 to 128 letters, digits or any of - _ . :"),
        ({"request_id": "é"}, "request_id", "must be 1 to 128 letters, digits or any of - _ . :"),
        ({"routing": {"task_type": 99}}, "routing.task_type", "99 is no value of TaskType"),
        ({"routing": {"budget_tier": -1}}, "routing.budget_tier", "-1 is no value of BudgetTier"),
        ({"cache": 99}, "cache", "99 is no value of CacheMode"),
        ({"plan_view": 99}, "plan_view", "99 is no value of PlanView"),
    ],
)
def test_violation(fields: dict[str, object], field: str, description: str) -> None:
    assert complaints(asked(**fields)) == [(field, description)]


def test_too_many_messages() -> None:
    pb = router_pb2.CompleteRequest(messages=[USER] * 10_001)
    assert complaints(pb, max_prompt_bytes=10**6) == [("messages", "holds 10001 messages; at most 10000")]


def test_parts_are_counted_over_all_messages() -> None:
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(text="a")] * 5_001)
    pb = router_pb2.CompleteRequest(messages=[message] * 2)
    found = [("messages", "hold 10002 parts; at most 10000 of all messages together")]
    assert complaints(pb, max_prompt_bytes=10**6) == found


@pytest.mark.parametrize(
    "pb",
    [
        pytest.param(router_pb2.CompleteRequest(messages=[chat_pb2.Message()] * 500_000), id="messages"),
        pytest.param(
            router_pb2.CompleteRequest(messages=[chat_pb2.Message(parts=[chat_pb2.Part()] * 500_000)]), id="parts"
        ),
        pytest.param(
            router_pb2.CompleteRequest(messages=[USER], routing=router_pb2.Routing(allowed_providers=["x"] * 500_000)),
            id="providers",
        ),
        pytest.param(
            router_pb2.CompleteRequest(messages=[USER], generation=chat_pb2.Generation(stop=["x"] * 500_000)),
            id="stops",
        ),
        pytest.param(router_pb2.CompleteRequest(messages=[chat_pb2.Message()] * 10_000), id="mistakes"),
    ],
)
def test_a_list_that_is_far_too_long_is_not_walked(pb: router_pb2.CompleteRequest) -> None:
    def took_s() -> float:
        started = time.perf_counter()
        assert complaints(pb)
        return time.perf_counter() - started

    assert min(took_s() for _ in range(3)) < 0.01 * SLOWER_IN_CI


def test_whoever_makes_very_many_mistakes_hears_of_a_hundred() -> None:
    pb = router_pb2.CompleteRequest(messages=[chat_pb2.Message(content="a")] * 1000)
    assert [field for field, _ in complaints(pb)] == [f"messages[{i}].role" for i in range(100)]


def test_all_complaints_come_at_once_and_before_what_is_not_built() -> None:
    pb = asked(
        messages=[{"content": "a"}, {"role": "ROLE_USER"}],
        generation={"temperature": 9},
        routing={"max_attempts": 0, "task_type": 99, "complexity": 98, "mock": True},
        session_id="s",
    )
    assert sorted(field for field, _ in complaints(pb)) == [
        "generation.temperature",
        "messages[0].role",
        "messages[1].content",
        "routing.complexity",
        "routing.max_attempts",
        "routing.task_type",
    ]


LIMITS = [
    {"request_id": "a-Z_0.:" + "x" * 121},
    {"labels": {"k" * 63: "v" * 256}},
    {"routing": {"max_attempts": 4}},
]


@pytest.mark.parametrize("at_the_limit", LIMITS)
def test_limits_are_allowed(at_the_limit: dict[str, object]) -> None:
    assert isinstance(read(asked(**at_the_limit)), Request)


@pytest.mark.parametrize("given_id", ["a", "req-1.2:3_4", "x" * 128])
def test_callers_request_id_is_kept(given_id: str) -> None:
    assert requests.request_id(asked(request_id=given_id)) == given_id


@pytest.mark.parametrize("given_id", ["", "a b", "x" * 129, "a\r\nx-evil: 1"])
def test_request_id_is_made_where_there_is_none_of_use(given_id: str) -> None:
    made = {requests.request_id(asked(request_id=given_id)) for _ in range(100)}
    assert len(made) == 100
    assert all(requests.REQUEST_ID.fullmatch(one) for one in made)


def unbuilt() -> Iterator[tuple[str, str]]:
    """Every field that does nothing yet: its message and its name."""
    for name, message in MESSAGES.items():
        for field in message.DESCRIPTOR.fields:
            if field.name not in RUNNABLE[name]:
                yield name, field.name


PLACES: dict[str, Callable[[router_pb2.CompleteRequest], tuple[PbMessage, str]]] = {
    "CompleteRequest": lambda pb: (pb, ""),
    "Routing": lambda pb: (pb.routing, "routing."),
}


def set_to_something(message: PbMessage, field: Any) -> None:
    """Set a field to a value that is not its default, of whatever type it is."""
    value: object
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            value = b"x" if field.type == FieldDescriptor.TYPE_BYTES else "x"
        case FieldDescriptor.CPPTYPE_BOOL:
            value = True
        case FieldDescriptor.CPPTYPE_MESSAGE:
            value = None
        case _:
            value = 1
    if is_map(field):
        getattr(message, field.name)["x"] = 1.0
    elif field.is_repeated:
        getattr(message, field.name).add() if value is None else getattr(message, field.name).append(value)
    elif value is None:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, value)


def is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


@pytest.mark.parametrize(("message", "name"), list(unbuilt()))
def test_field_that_does_nothing_yet_is_refused_by_name(message: str, name: str) -> None:
    pb = asked()
    place, path = PLACES[message](pb)
    set_to_something(place, place.DESCRIPTOR.fields_by_name[name])
    with pytest.raises(NotBuilt) as caught:
        read(pb)
    assert str(caught.value).startswith(f"what the field {path}{name} asks for is not built yet")


def test_every_built_field_exists() -> None:
    assert set(RUNNABLE) == set(MESSAGES)
    for name, fields in RUNNABLE.items():
        assert fields <= set(MESSAGES[name].DESCRIPTOR.fields_by_name), name


def test_an_answer_is_taken_back_as_it_was_given() -> None:
    state = OpaqueState(origin="openrouter/deepseek/r1", data=b"\x00\n[]\xff")
    message = Message(
        role=Role.ASSISTANT,
        content="Hi",
        reasoning=(
            Reasoning(text="Because.", dialect="openai", model="o9"),
            Reasoning(text="", dialect="openai", opaque_state=state),
        ),
        tool_calls=(ToolCall(id="1", name="f", arguments_json="{}", opaque_state=replace(state, data=b"")),),
    )
    answer = responses.answer(
        Answer(
            request_id="req-0",
            message=message,
            finish_reason=FinishReason.STOP,
            usage=Usage(),
            target=target(),
            attempts=(),
            latency_s=1.0,
        )
    )
    pb = router_pb2.CompleteRequest(messages=[USER, answer.message, USER])
    assert read(pb).prompt.messages[1] == message


@given(st.floats(), st.floats(), st.integers(-(2**31), 2**31 - 1))
def test_numbers_that_pass_are_finite_and_in_range(temperature: float, top_p: float, max_output_tokens: int) -> None:
    pb = router_pb2.CompleteRequest(messages=[USER])
    pb.generation.temperature, pb.generation.top_p = temperature, top_p
    pb.generation.max_output_tokens = max_output_tokens
    try:
        generation = read(pb).prompt.generation
    except InvalidRequest:
        return
    assert generation.temperature is not None
    assert generation.top_p is not None
    assert math.isfinite(generation.temperature)
    assert 0 <= generation.temperature <= 2
    assert 0 < generation.top_p <= 1
    assert (generation.max_output_tokens or 0) >= 1


@given(st.binary(max_size=200))
def test_any_message_is_a_request_or_refused(data: bytes) -> None:
    pb = router_pb2.CompleteRequest()
    try:
        pb.ParseFromString(data)
    except Exception:  # noqa: BLE001 - what is no message does not get here
        return
    try:
        read(pb)
    except (InvalidRequest, NotBuilt) as error:
        assert json.dumps(str(error))

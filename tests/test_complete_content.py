"""`signalbox complete` with tools, a schema and pictures, and the same from Python, through a router and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from signalbox.v1.chat_pb2 import ToolCall
from signalbox_client import (
    AsyncClient,
    Client,
    arguments,
    completion,
    following,
    result,
    showing,
    tool,
    user,
)

from router_service.cli import main
from tests.harness import settings
from tests.harness.stack import Stack, routing

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with routing(names=("alder",), model=settings.ABLE) as running:
        yield running


def write(path: Path, value: object) -> str:
    path.write_text(json.dumps(value))
    return str(path)


@pytest.mark.parametrize("mode", ["--stream", "--no-stream"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_call_is_shown_as_a_line(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, is_wrapped: bool
) -> None:
    plain = {"name": "weather", "description": "Tells it.", "parameters": PARAMETERS}
    file = write(tmp_path / "tool.json", [{"type": "function", "function": plain}] if is_wrapped else plain)
    assert main(["complete", "Ask weather", "--tool", file, mode, "--address", stack.address]) == 0
    assert capsys.readouterr().out == 'weather({"city":"signal"})\n'


def test_a_schema_is_followed_and_pictures_are_seen(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["complete", "Look", "--no-stream", "--address", stack.address]
    assert main([*asked, "--schema", write(tmp_path / "schema.json", SCHEMA)]) == 0
    assert json.loads(capsys.readouterr().out) == {"n": 7}
    (tmp_path / "a.png").write_bytes(PNG)
    assert main([*asked, "--image", str(tmp_path / "a.png"), "--image", "https://example.com/b.png"]) == 0
    assert " I see 2 pictures. " in capsys.readouterr().out
    assert main([*asked, "--reasoning-effort", "low", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["message"]["reasoning"][0]["text"] == "Let me see which"


@pytest.mark.parametrize(
    ("option", "content", "what"),
    [
        ("--tool", "{", "is no JSON"),
        ("--tool", "[7]", "holds no tool with a name"),
        ("--tool", '{"description": "d"}', "holds no tool with a name"),
        ("--tool", '{"name": "f", "parameters": []}', "parameters a JSON object"),
        ("--schema", "[]", "holds no JSON object"),
        ("--schema", "\ud800", "is no JSON"),
        ("--schema", "[" * 100_000, "is no JSON"),
    ],
)
def test_files_that_will_not_do_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, content: str, what: str
) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert main(["complete", "hello", option, str(file)]) == 2
    said = capsys.readouterr()
    assert what in " ".join(said.err.split())
    assert said.out == ""


@pytest.mark.parametrize("option", ["--tool", "--schema", "--image"])
def test_files_that_are_not_there_are_told_of(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["complete", "hello", option, "nowhere.json"]) == 2
    assert "nowhere.json" in capsys.readouterr().err


def test_a_conversation_with_a_tool_in_python(stack: Stack) -> None:
    weather = tool("weather", "Tells it.", PARAMETERS)
    with Client(stack.address) as client:
        turns = [user("Ask weather")]
        answer = client.complete(completion(turns, tools=[weather]))
        [call] = answer.message.tool_calls
        assert arguments(call) == {"city": "signal"}
        turns += [answer.message, result(call, "rain")]
        request = completion(turns, tools=[weather])
        whole = client.stream(request).response()
        assert whole.message == client.complete(request).message
        assert whole.target == "alder/chat-small"
        assert whole.usage.output_tokens == 24


@pytest.mark.anyio
async def test_a_form_and_a_picture_in_python_with_asyncio(stack: Stack) -> None:
    async with AsyncClient(stack.address) as client:
        request = completion([showing("See", PNG)], response_format=following(SCHEMA, name="n"))
        answer = await client.complete(request)
        assert json.loads(answer.message.content) == {"n": 7}
        assert (await client.stream(request).response()).message == answer.message
        seen = await client.complete([showing("See", PNG, "https://example.com/b.png")])
        assert " I see 2 pictures. " in seen.message.content


@pytest.mark.parametrize("text", ["[]", "{", "7"])
def test_arguments_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"arguments|Expecting"):
        arguments(ToolCall(name="f", arguments_json=text))
    assert arguments(ToolCall(name="f")) == {}

"""Streams as a caller of OpenAI's dialect reads them: server-sent events over HTTP/1.1, many at once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping

import aiohttp
import msgspec

from benchmarks.processes import MeasurementFailed
from benchmarks.streams import READ_WITHIN_S, Read

DATA = b"data: "
LAST = b"[DONE]"


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)


async def read_many(url: str, body: bytes, headers: Mapping[str, str], *, streams: int) -> Read:
    """Open all streams at once, each on a connection of its own, and read them to their ends.

    A message is an event that brings text, so that the counts of all who are measured mean the same.
    """
    began = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with (
            asyncio.timeout(READ_WITHIN_S),
            aiohttp.ClientSession(connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            readers = [group.create_task(_read(session, url, body, headers)) for _ in range(streams)]
    except ExceptionGroup as failed:
        raise MeasurementFailed(f"streams from {url}: {failed.exceptions[0]}") from failed
    seconds = time.perf_counter() - began
    pieces = [reader.result() for reader in readers]
    texts = frozenset(hashlib.sha256("".join(own).encode()).hexdigest() for own in pieces)
    return Read(seconds=seconds, messages=sum(len(own) for own in pieces), texts=texts)


async def _read(session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]) -> list[str]:
    """The pieces of one stream's text. Raises MeasurementFailed where it was refused or cut."""
    async with session.post(url, data=body, headers=headers) as response:
        events = [event async for event in _events(response.content)]
    if response.status != 200 or not events or events[-1] != LAST:
        raise MeasurementFailed(f"one was refused or cut, status {response.status}")
    chunks = (msgspec.json.decode(event, type=_Chunk) for event in events[:-1])
    return [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    async for line in content:
        if line.startswith(DATA):
            yield line.removeprefix(DATA).strip()

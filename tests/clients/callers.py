"""The two clients behind one face, so that one suite holds for both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from signalbox_client import (
    PLAN_VIEW_FULL,
    AsyncClient,
    Client,
    CompleteResponse,
    Plan,
    Prompt,
    Question,
    SignalboxError,
    StreamCompleteResponse,
)

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading a stream: its events, and the error that ended it, if one did."""

    events: tuple[StreamCompleteResponse, ...]
    error: SignalboxError | None

    @property
    def text(self) -> str:
        return "".join(event.delta.content for event in self.events)


class Caller(Protocol):
    """A client, whichever it is."""

    def complete(self, prompt: Prompt, *, timeout_s: float = TIMEOUT_S) -> CompleteResponse: ...

    def route(self, prompt: Question, *, estimated_input_tokens: int | None = None) -> Plan:
        """Asked for in full, with two candidates at most."""
        ...

    def read(self, prompt: Prompt, *, timeout_s: float = TIMEOUT_S) -> Reading: ...

    def first_piece(self, prompt: Prompt) -> str:
        """Read one piece of text, then leave the stream."""
        ...


@dataclass(frozen=True, slots=True)
class SyncCaller:
    """Client as it is."""

    client: Client

    def complete(self, prompt: Prompt, *, timeout_s: float = TIMEOUT_S) -> CompleteResponse:
        return self.client.complete(prompt, timeout_s=timeout_s)

    def route(self, prompt: Question, *, estimated_input_tokens: int | None = None) -> Plan:
        return self.client.route(
            prompt,
            model="small",
            max_output_tokens=9,
            estimated_input_tokens=estimated_input_tokens,
            view=PLAN_VIEW_FULL,
            max_candidates=2,
            timeout_s=TIMEOUT_S,
            labels={"technical": "true"},
        )

    def read(self, prompt: Prompt, *, timeout_s: float = TIMEOUT_S) -> Reading:
        events: list[StreamCompleteResponse] = []
        try:
            with self.client.stream(prompt, timeout_s=timeout_s) as stream:
                events.extend(stream)
        except SignalboxError as error:
            return Reading(events=tuple(events), error=error)
        return Reading(events=tuple(events), error=None)

    def first_piece(self, prompt: Prompt) -> str:
        for piece in self.client.stream(prompt).text():
            return piece
        raise AssertionError("the stream had no text")


@dataclass(frozen=True, slots=True)
class AsyncCaller:
    """AsyncClient, driven from outside its loop."""

    client: AsyncClient
    runner: asyncio.Runner

    def complete(self, prompt: Prompt, *, timeout_s: float = TIMEOUT_S) -> CompleteResponse:
        return self.runner.run(self.client.complete(prompt, timeout_s=timeout_s))

    def route(self, prompt: Question, *, estimated_input_tokens: int | None = None) -> Plan:
        return self.runner.run(
            self.client.route(
                prompt,
                model="small",
                max_output_tokens=9,
                estimated_input_tokens=estimated_input_tokens,
                view=PLAN_VIEW_FULL,
                max_candidates=2,
                timeout_s=TIMEOUT_S,
                labels={"technical": "true"},
            )
        )

    def read(self, prompt: Prompt, *, timeout_s: float = TIMEOUT_S) -> Reading:
        return self.runner.run(self._read(prompt, timeout_s))

    def first_piece(self, prompt: Prompt) -> str:
        return self.runner.run(self._first_piece(prompt))

    async def _read(self, prompt: Prompt, timeout_s: float) -> Reading:
        events: list[StreamCompleteResponse] = []
        keep = events.append
        try:
            async with self.client.stream(prompt, timeout_s=timeout_s) as stream:
                async for event in stream:
                    keep(event)
        except SignalboxError as error:
            return Reading(events=tuple(events), error=error)
        return Reading(events=tuple(events), error=None)

    async def _first_piece(self, prompt: Prompt) -> str:
        async with self.client.stream(prompt) as stream:
            async for piece in stream.text():
                return piece
        raise AssertionError("the stream had no text")


@contextmanager
def sync_caller(address: str, *, wait_for_ready: bool = True, channels: int = 4, ca: str = "") -> Iterator[Caller]:
    """A Client for one test."""
    with Client(address, channels=channels, wait_for_ready=wait_for_ready, ca=ca) as client:
        yield SyncCaller(client)


@contextmanager
def async_caller(address: str, *, wait_for_ready: bool = True, channels: int = 4, ca: str = "") -> Iterator[Caller]:
    """An AsyncClient and its loop for one test."""
    with asyncio.Runner() as runner:
        client = AsyncClient(address, channels=channels, wait_for_ready=wait_for_ready, ca=ca)
        yield AsyncCaller(client, runner)
        runner.run(client.close())


class OpenCaller(Protocol):
    """Opens one of the two clients for an address."""

    def __call__(
        self, address: str, *, wait_for_ready: bool = True, channels: int = 4, ca: str = ""
    ) -> AbstractContextManager[Caller]: ...

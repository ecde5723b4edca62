"""Callers at a steady rate, each call on record: what it asked, what it heard, and when."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass

from signalbox.v1.chat_pb2 import Outcome
from signalbox.v1.router_pb2 import Attempt
from signalbox_client import AsyncClient, CompleteResponse, SignalboxError

UNARY_PER_S, STREAMS = 50, 20
TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt as its caller was told of it; times are the wall clock's."""

    target: str
    outcome: str
    status: int
    began: float
    ended: float
    tokens: tuple[int, int]
    is_estimated: bool
    cost_usd_nanos: int
    maybe_billed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as its caller saw it. `text_sha256` is of what was delivered, whole or not; of a call that failed only
    the number of its attempts is known.
    """

    request_id: str
    is_stream: bool
    began: float
    ended: float
    error: str
    target: str
    tried: tuple[Tried, ...]
    attempts: int
    has_delivered: bool
    text_sha256: str
    tokens: tuple[int, int]
    cost_usd_nanos: int
    ended_at: float
    """By the wall clock, as `began_at`; the other two are monotonic."""

    @property
    def began_at(self) -> float:
        return self.ended_at - (self.ended - self.began)


class Load:
    """50 unary calls a second and 20 streams at any time, through our own client, in a thread of its own."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._numbers = iter(range(1, 10_000_000))
        self.calls: list[Call] = []

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """No new calls; returns when the last one has ended."""
        self._stop.set()
        self._thread.join(3 * TIMEOUT_S)
        assert not self._thread.is_alive(), "a call hangs"

    def since(self, began: float) -> list[Call]:
        return [c for c in self.calls if c.began >= began]

    def errors(self) -> Counter[str]:
        return Counter(c.error for c in self.calls if c.error)

    async def _run(self) -> None:
        async with AsyncClient(self._address) as client, asyncio.TaskGroup() as group:
            for _ in range(STREAMS):
                group.create_task(self._streams(client))
            due = time.monotonic()
            while not self._stop.is_set():
                group.create_task(self._unary(client))
                due += 1 / UNARY_PER_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _streams(self, client: AsyncClient) -> None:
        while not self._stop.is_set():
            await self._stream(client)

    async def _unary(self, client: AsyncClient) -> None:
        request_id, began = f"u-{next(self._numbers)}", time.monotonic()
        try:
            answer = await client.complete("a question", request_id=request_id, timeout_s=TIMEOUT_S)
        except SignalboxError as e:
            self._record(request_id, began, error=e)
            return
        self._record(request_id, began, response=answer, text=answer.message.content)

    async def _stream(self, client: AsyncClient) -> None:
        request_id, began, text = f"s-{next(self._numbers)}", time.monotonic(), ""
        stream = client.stream("a longer question", request_id=request_id, timeout_s=TIMEOUT_S)
        try:
            async for piece in stream.text():
                text += piece
        except SignalboxError as e:
            target = stream.started.target if stream.started else ""
            self._record(request_id, began, error=e, text=text, is_stream=True, target=target)
            return
        assert stream.done is not None
        self._record(request_id, began, response=stream.done.response, text=text, is_stream=True)

    def _record(
        self,
        request_id: str,
        began: float,
        *,
        response: CompleteResponse | None = None,
        error: SignalboxError | None = None,
        text: str = "",
        is_stream: bool = False,
        target: str = "",
    ) -> None:
        told = response or CompleteResponse(target=target)
        self.calls.append(
            Call(
                request_id=request_id,
                is_stream=is_stream,
                began=began,
                ended=time.monotonic(),
                error=_name(error) if error else "",
                target=told.target,
                tried=tuple(_tried(a) for a in told.attempts),
                attempts=int(error.metadata.get("attempts", 0)) if error else len(told.attempts),
                has_delivered=bool(text),
                text_sha256=hashlib.sha256(text.encode()).hexdigest(),
                tokens=(told.usage.input_tokens, told.usage.output_tokens),
                cost_usd_nanos=told.cost_usd_nanos,
                ended_at=time.time(),
            )
        )


def _tried(attempt: Attempt) -> Tried:
    began = attempt.start_time.ToNanoseconds() / 1e9
    return Tried(
        target=attempt.target,
        outcome=Outcome.Name(attempt.outcome).removeprefix("OUTCOME_"),
        status=attempt.status_code,
        began=began,
        ended=began + attempt.latency.ToNanoseconds() / 1e9,
        tokens=(attempt.usage.input_tokens, attempt.usage.output_tokens),
        is_estimated=attempt.usage.estimated,
        cost_usd_nanos=attempt.cost_usd_nanos,
        maybe_billed=attempt.maybe_billed,
    )


def _name(error: SignalboxError) -> str:
    return f"{error.code.name} {error.reason}".strip()

"""Callers at a steady rate, each call on record: what it asked, what it heard, and when."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass

from signalbox_client import AsyncClient, SignalboxError

UNARY_PER_S, STREAMS = 50, 20
TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as its caller saw it. `text_sha256` is of what was delivered, whole or not."""

    request_id: str
    is_stream: bool
    began: float
    ended: float
    error: str
    target: str
    attempts: tuple[str, ...]
    has_delivered: bool
    text_sha256: str
    input_tokens: int
    output_tokens: int


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
            self._record(request_id, began, error=_name(e))
            return
        self._record(
            request_id,
            began,
            text=answer.message.content,
            target=answer.target,
            attempts=tuple(a.target for a in answer.attempts),
            usage=(answer.usage.input_tokens, answer.usage.output_tokens),
        )

    async def _stream(self, client: AsyncClient) -> None:
        request_id, began, text = f"s-{next(self._numbers)}", time.monotonic(), ""
        stream = client.stream("a longer question", request_id=request_id, timeout_s=TIMEOUT_S)
        try:
            async for piece in stream.text():
                text += piece
        except SignalboxError as e:
            target = stream.started.target if stream.started else ""
            self._record(request_id, began, error=_name(e), text=text, is_stream=True, target=target)
            return
        assert stream.done is not None
        response = stream.done.response
        self._record(
            request_id,
            began,
            text=text,
            is_stream=True,
            target=response.target,
            attempts=tuple(a.target for a in response.attempts),
            usage=(response.usage.input_tokens, response.usage.output_tokens),
        )

    def _record(
        self,
        request_id: str,
        began: float,
        *,
        error: str = "",
        text: str = "",
        is_stream: bool = False,
        target: str = "",
        attempts: tuple[str, ...] = (),
        usage: tuple[int, int] = (0, 0),
    ) -> None:
        self.calls.append(
            Call(
                request_id=request_id,
                is_stream=is_stream,
                began=began,
                ended=time.monotonic(),
                error=error,
                target=target,
                attempts=attempts,
                has_delivered=bool(text),
                text_sha256=hashlib.sha256(text.encode()).hexdigest(),
                input_tokens=usage[0],
                output_tokens=usage[1],
            )
        )


def _name(error: SignalboxError) -> str:
    return f"{error.code.name} {error.reason}".strip()

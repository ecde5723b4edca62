"""The simulated providers' own word, over their control interface: the log, the windows, and faults to show."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 10.0
CHAT = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call for a completion as a provider saw it; times are in seconds after the simulator's start."""

    request_id: str
    attempt: int
    """1 for the first attempt of its request."""
    provider: str
    status: int
    input_tokens: int
    output_tokens: int
    started_s: float
    ended_s: float

    @property
    def latency_s(self) -> float:
        return self.ended_s - self.started_s


class Simulator:
    """One running simulator at `address`."""

    def __init__(self, address: str) -> None:
        self._base = f"http://{address}/_sim"
        # A proxy of the environment has nothing to do with this machine's own address.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def rows(self, *, of: str = "") -> list[Row]:
        """The calls for completions in the order of their begin, or those of requests whose id begins with `of`."""
        text = (await self._send("GET", "log")).decode()
        documents = [json.loads(line) for line in text.splitlines() if line]
        rows = [_row(document) for document in documents if document["path"] == CHAT]
        return sorted((row for row in rows if row.request_id.startswith(of)), key=lambda row: row.started_s)

    async def used(self) -> Mapping[str, int]:
        """What each provider's windows have counted, all of them together; providers without windows are left out."""
        items = json.loads(await self._send("GET", "limits"))["items"]
        return {item["name"]: sum(window["used"] for window in item["windows"]) for item in items}

    async def in_flight(self) -> int:
        """Requests that are not answered to their end."""
        return int(json.loads(await self._send("GET", "connections"))["in_flight"])

    async def now_s(self) -> float:
        """The moment on the log's scale."""
        return float(json.loads(await self._send("GET", "connections"))["now_s"])

    async def show(self, faults: Sequence[Mapping[str, object]]) -> None:
        """Replace all faults; `from_s` and `for_s` count from now."""
        await self._send("POST", "faults", {"rules": list(faults)})

    async def _send(self, method: str, what: str, body: Mapping[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._base}/{what}", data=data, method=method)
        return await asyncio.to_thread(self._read, request)

    def _read(self, request: urllib.request.Request) -> bytes:
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read()
        return content


def _row(document: Mapping[str, Any]) -> Row:
    request_id, _, attempt = document["attempt_id"].rpartition(".")
    return Row(
        request_id=request_id,
        attempt=int(attempt) if attempt.isdigit() else 0,
        provider=document["provider"],
        status=document["status"],
        input_tokens=document["input_tokens"],
        output_tokens=document["output_tokens"],
        started_s=document["started"],
        ended_s=document["ended_s"],
    )

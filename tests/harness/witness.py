"""The simulator's own word: its log, its connections, and the faults it is told to show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request as the simulator saw it, less what tests do not ask for."""

    time: str
    attempt_id: str
    provider: str
    path: str
    status: int
    events: int
    input_tokens: int
    output_tokens: int
    terminal: bool
    closed_by: str
    text_sha256: str
    started: float
    ended_s: float
    stream: bool

    @property
    def came_at(self) -> float:
        """When its first byte came, by the wall clock."""
        return datetime.fromisoformat(self.time).timestamp()


class Witness:
    """One simulator, asked over HTTP."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=f"http://{address}", timeout=5, trust_env=False)

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def rows(self, *, path: str = "chat") -> list[Row]:
        response = self._client.get("/_sim/log").raise_for_status()
        rows = [json.loads(line) for line in response.text.split("\n") if line]
        return [Row(**{name: row[name] for name in Row.__slots__}) for row in rows if row["path"] == path]

    def sockets(self) -> int:
        """Open connections to the simulator, less the one that asks."""
        return self._connections()["open"] - 1

    def in_flight(self) -> int:
        """Requests that the simulator has not answered to their end."""
        return self._connections()["in_flight"]

    def _connections(self) -> Mapping[str, int]:
        counts: Mapping[str, int] = self._client.get("/_sim/connections").raise_for_status().json()
        return counts

    def break_provider(self, provider: str, fault: str, **rule: float | str) -> None:
        self.show([{"provider": provider, "fault": fault, **rule}])

    def show(self, rules: Sequence[Mapping[str, object]]) -> None:
        self._client.post("/_sim/faults", json={"rules": list(rules)}).raise_for_status()

    def mend(self) -> None:
        self._client.delete("/_sim/faults").raise_for_status()

    def forget(self) -> None:
        self._client.delete("/_sim/log").raise_for_status()

"""The judge: the simulator's own log, which says what reached the upstream and what it answered in full."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import msgspec

from benchmarks.processes import MeasurementFailed

ASK_WITHIN_S = 30.0


class _Row(msgspec.Struct):
    path: str
    status: int
    terminal: bool
    output_tokens: int
    text_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """What the upstream answered since the log was emptied: whole answers, their tokens, and their texts' hashes."""

    answers: int
    output_tokens: int
    texts: frozenset[str]


class Judge:
    """Speaks with the simulator's control interface."""

    def __init__(self, simulator: str) -> None:
        """`simulator` is its HOST:PORT."""
        self._http = httpx.Client(base_url=f"http://{simulator}/_sim/", timeout=ASK_WITHIN_S, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def pace(self, *, tokens_per_s: float, output_tokens: int) -> None:
        """Have every provider answer without delay and at that rate; 0 is as fast as it goes."""
        everyone = {"*": {"tokens_per_s": tokens_per_s, "output_tokens": output_tokens}}
        self._http.post("behaviours", json=everyone).raise_for_status()

    def begin(self) -> None:
        """Forget what was."""
        self._http.delete("log").raise_for_status()

    def expect(self, calls: int, *, what: str) -> Witnessed:
        """What was seen since `begin`. Raises MeasurementFailed unless exactly `calls` were made and all went well.

        The load generator counts a gRPC error as a success; here such a call is missing, cut, or made twice.
        """
        response = self._http.get("log").raise_for_status()
        lines = msgspec.json.Decoder(_Row).decode_lines(response.content)
        rows = [row for row in lines if row.path == "chat"]
        good = [row for row in rows if row.status == httpx.codes.OK and row.terminal]
        if len(good) != calls or len(rows) != calls or response.headers["x-sim-dropped"] != "0":
            raise MeasurementFailed(
                f"{what}: {calls} calls were made, the upstream saw {len(rows)} and answered {len(good)} in full; "
                "such a run measures something else"
            )
        texts = frozenset(row.text_sha256 for row in good)
        return Witnessed(answers=len(good), output_tokens=sum(row.output_tokens for row in good), texts=texts)

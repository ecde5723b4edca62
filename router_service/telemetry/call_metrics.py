"""How long gRPC calls take and how they end, by the RPC conventions."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from router_service.telemetry.calls import SERVER_FAULTS
from router_service.telemetry.instruments import Family, Histogram, Instrument, Kind, Spread

CALL_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
CALL_DURATION = Instrument(
    name="rpc.server.call.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="How long a call was served, a stream to its end, and the status that its caller saw.",
    labels=("rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"),
    bounds=CALL_BOUNDS,
)
INSTRUMENTS = (CALL_DURATION,)


class CallMetrics:
    """The calls of a server's methods; only methods that the server has are ever asked for."""

    def __init__(self) -> None:
        self._methods: dict[str, MethodCalls] = {}

    def of(self, method: str) -> MethodCalls:
        """Where the calls of `method` (`/package.Service/Name`) are counted."""
        return self._methods.setdefault(method, MethodCalls(method.removeprefix("/")))

    def families(self) -> Iterator[Family]:
        """Everything that was counted so far; a source of a Meter."""
        yield Family(CALL_DURATION, [s for calls in self._methods.values() for s in calls.spreads()])


class MethodCalls:
    """One method's calls, by status."""

    __slots__ = ("_by_code", "_method", "_ok")

    def __init__(self, method: str) -> None:
        self._method = method
        self._ok = Histogram(CALL_BOUNDS)
        self._by_code = {grpc.StatusCode.OK: self._ok}

    def ended(self, code: grpc.StatusCode, duration_s: float) -> None:
        """A call is over; `code` is what its caller saw."""
        if code is grpc.StatusCode.OK:  # nearly all are, and an enum's hash is slow
            self._ok.observe(duration_s)
        else:
            self._by_code.setdefault(code, Histogram(CALL_BOUNDS)).observe(duration_s)

    def spreads(self) -> list[Spread]:
        return [
            durations.spread("grpc", self._method, code.name, code.name if code in SERVER_FAULTS else "")
            for code, durations in self._by_code.items()
            if durations.count
        ]

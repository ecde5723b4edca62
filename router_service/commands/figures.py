"""How figures look to people: times, money, and the line that sums a completion up."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from signalbox.v1.chat_pb2 import FINISH_REASON_LENGTH, OUTCOME_OK, Outcome
from signalbox.v1.router_pb2 import Attempt, CompleteResponse

MISSING = "–"


def summary(response: CompleteResponse, time_to_first_token: Duration | None = None) -> str:
    """Target, time, time to the first token, cost and attempts of an answer, in one line."""
    parts = [response.target or "no target", duration(response.latency)]
    first = _first_token(response) if time_to_first_token is None else time_to_first_token
    if first is not None:
        parts.append(f"first token {duration(first)}")
    parts += [usd(response.cost_usd_nanos), _attempts(response)]
    if response.finish_reason == FINISH_REASON_LENGTH:
        parts.append("cut at the limit of output tokens")
    return " · ".join(parts)


def duration(value: Duration) -> str:
    """`850 µs`, `12.3 ms` or `4.56 s`."""
    return seconds(value.ToNanoseconds() / 1e9)


def seconds(value_s: float) -> str:
    """As `duration`, of seconds."""
    if value_s < 0.001:
        return f"{value_s * 1e6:.0f} µs"
    if value_s < 0.9995:
        return f"{value_s * 1e3:.3g} ms"
    return f"{value_s:.3g} s" if value_s < 100 else f"{value_s:.0f} s"


def usd(nanos: int) -> str:
    """An amount of 1e-9 USD, exactly: `0.0000016 USD`."""
    sign, (whole, rest) = "-" if nanos < 0 else "", divmod(abs(nanos), 1_000_000_000)
    digits = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"{sign}{digits} USD"


def _first_token(response: CompleteResponse) -> Duration | None:
    for attempt in response.attempts:
        if attempt.outcome == OUTCOME_OK and attempt.HasField("time_to_first_token"):
            return attempt.time_to_first_token
    return None


def _attempts(response: CompleteResponse) -> str:
    if response.cached or response.replayed:
        return "answered from the cache" if response.cached else "replayed"
    count = len(response.attempts)
    text = f"{count} attempt{'' if count == 1 else 's'}"
    failed = [_failed(attempt) for attempt in response.attempts if attempt.outcome != OUTCOME_OK]
    return f"{text} ({', '.join(failed)})" if failed else text


def _failed(attempt: Attempt) -> str:
    return f"{attempt.target}: {attempt.error_reason or Outcome.Name(attempt.outcome).removeprefix('OUTCOME_')}"

"""How vendors tell of their limits: the header lines of every answer, and the answer to a request that does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import msgspec

from router_service.core.simulation import LimitStyle, LimitUnit, WindowLength

from . import openai_answer
from .openai_request import Refusal
from .windows import Cost, Window
from .wire import header


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRefusal:
    """An error answer in the words of one vendor; `fields` are header lines."""

    status: int = 429
    fields: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment on the clock of the windows and on the wall clock, which some vendors name."""

    window_s: float
    epoch_s: float


def limit_fields(style: LimitStyle, windows: Sequence[Window], cost: Cost, now: Moment) -> bytes:
    """Return the header lines that tell how much is left."""
    match style:
        case LimitStyle.OPENAI | LimitStyle.GROQ:
            return b"".join(_openai_fields(style, windows, unit, now) for unit in _OPENAI_UNITS)
        case LimitStyle.MISTRAL:
            return _mistral_fields(windows, cost, now)
        case LimitStyle.OPENROUTER:
            return _openrouter_fields(windows, now)
        case LimitStyle.CLOUDFLARE | LimitStyle.NONE:
            return b""


def refuse_for_limit(
    style: LimitStyle, windows: Sequence[Window], full: Window, cost: Cost, *, model: str, now: Moment
) -> LimitRefusal:
    """Return the answer to a request that does not fit into the window `full`."""
    fields = limit_fields(style, windows, cost, now)
    wait_s = full.wait_s(now.window_s)
    may_ever_fit = full.may_ever_fit(cost)
    if may_ever_fit:
        fields += _retry_fields(style, wait_s)
    return LimitRefusal(
        status=413 if style is LimitStyle.GROQ and not may_ever_fit else 429,
        fields=fields,
        body=_limit_body(style, full, _limit_text(full, cost, model, wait_s, now), now),
    )


def refuse_for_concurrency(style: LimitStyle, *, most: int) -> LimitRefusal:
    """Return the answer to a request that finds every slot and every place in the queue taken."""
    fields = _retry_fields(style, 1.0)
    if style is LimitStyle.CLOUDFLARE:
        return LimitRefusal(fields=fields, body=_cloudflare_body(3040, "Capacity temporarily exceeded."))
    message = f"Too many requests at once: {most} are being answered."
    return LimitRefusal(fields=fields, body=_openai_body(message, "requests"))


def go_duration(seconds: float) -> str:
    """Return a time in the way of Go: `120ms`, `2.5s`, `6m0s`, `23h59m59s`."""
    millis = max(0, ceil(seconds * 1000.0 - 1e-6))
    if 0 < millis < 1000:
        return f"{millis}ms"
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{millis / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


_OPENAI_UNITS = (LimitUnit.REQUESTS, LimitUnit.TOKENS)
_GROQ_WINDOWS = {LimitUnit.REQUESTS: WindowLength.DAY, LimitUnit.TOKENS: WindowLength.MINUTE}


def _openai_fields(style: LimitStyle, windows: Sequence[Window], unit: LimitUnit, now: Moment) -> bytes:
    usual = _GROQ_WINDOWS.get(unit) if style is LimitStyle.GROQ else None
    window = _tightest([window for window in windows if window.limit.per is usual], unit, now)
    window = window or _tightest(windows, unit, now)
    if window is None:
        return b""
    name = unit.value.encode()
    reset = go_duration(window.resets_in_s(now.window_s) or 0.0).encode()
    return b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n" % (
        name,
        window.limit.max,
        name,
        window.remaining(now.window_s),
        name,
        reset,
    )


def _mistral_fields(windows: Sequence[Window], cost: Cost, now: Moment) -> bytes:
    lines = b""
    for unit, short in ((LimitUnit.REQUESTS, b"req"), (LimitUnit.TOKENS, b"tokens")):
        for per in WindowLength:
            if window := _tightest([window for window in windows if window.limit.per is per], unit, now):
                name = b"%b-%b" % (short, per.value.encode())
                left = window.remaining(now.window_s)
                lines += b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\n" % (
                    name,
                    window.limit.max,
                    name,
                    left,
                )
    return lines + b"x-ratelimit-tokens-query-cost: %d\r\n" % cost.tokens if lines else b""


def _openrouter_fields(windows: Sequence[Window], now: Moment) -> bytes:
    standing = _openrouter_standing(windows, now)
    return b"".join(header(name.encode(), value) for name, value in standing.items())


def _openrouter_standing(windows: Sequence[Window], now: Moment) -> Mapping[str, str]:
    window = _tightest(windows, LimitUnit.REQUESTS, now)
    if window is None:
        return {}
    reset_ms = int((now.epoch_s + (window.resets_in_s(now.window_s) or 0.0)) * 1000.0)
    left = window.remaining(now.window_s)
    return {
        "X-RateLimit-Limit": str(window.limit.max),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": str(reset_ms),
    }


def _tightest(windows: Sequence[Window], unit: LimitUnit, now: Moment) -> Window | None:
    counted = [window for window in windows if window.limit.unit is unit]
    return min(counted, key=lambda window: window.remaining_share(now.window_s), default=None)


def _retry_fields(style: LimitStyle, wait_s: float) -> bytes:
    if style is LimitStyle.NONE:
        return b""
    fields = b"retry-after: %d\r\n" % max(1, ceil(wait_s))
    return fields + b"retry-after-ms: %d\r\n" % max(1, ceil(wait_s * 1000.0)) if style is LimitStyle.OPENAI else fields


def _limit_text(full: Window, cost: Cost, model: str, wait_s: float, now: Moment) -> str:
    unit, per = full.limit.unit.value, full.limit.per.value
    asked = cost.of(full.limit.unit)
    shares = f"{unit} per {per} ({unit[0].upper()}P{per[0].upper()})"
    if not full.may_ever_fit(cost):
        return f"Request too large for model `{model}` on {shares}: Limit {full.limit.max}, Requested {asked}."
    return (
        f"Rate limit reached for model `{model}` on {shares}: Limit {full.limit.max}, Used {full.used(now.window_s)},"
        f" Requested {asked}. Please try again in {go_duration(wait_s)}."
    )


def _limit_body(style: LimitStyle, full: Window, text: str, now: Moment) -> bytes:
    unit = full.limit.unit
    match style:
        case LimitStyle.OPENAI | LimitStyle.GROQ | LimitStyle.NONE:
            return _openai_body(text, unit.value)
        case LimitStyle.MISTRAL:
            message = f"{unit.value.capitalize()} rate limit exceeded"
            return msgspec.json.encode(
                {"object": "error", "message": message, "type": "rate_limited", "param": None, "code": "1300"}
            )
        case LimitStyle.OPENROUTER:
            metadata = {"headers": _openrouter_standing([full], now)}
            return msgspec.json.encode({"error": {"message": text, "code": 429, "metadata": metadata}})
        case LimitStyle.CLOUDFLARE if unit is LimitUnit.NEURONS and full.limit.per is WindowLength.DAY:
            return _cloudflare_body(3036, f"You have used up your daily free allocation of {full.limit.max} neurons.")
        case LimitStyle.CLOUDFLARE:
            return _cloudflare_body(971, "Please wait and consider throttling your request speed.")


def _openai_body(message: str, kind: str) -> bytes:
    return openai_answer.error(Refusal(status=429, message=message, type=kind, code="rate_limit_exceeded"))


def _cloudflare_body(code: int, message: str) -> bytes:
    errors = [{"code": code, "message": message}]
    return msgspec.json.encode({"success": False, "errors": errors, "result": None, "messages": []})

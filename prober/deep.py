"""One deep probe of a target: a real completion through its dialect, as small as the model allows."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.trace import Tracer

from prober.exchange import OPEN_FILES, Exchanges, Phases, Reply
from prober.funds import Funds, Unaffordable, worst_usage
from prober.probe import Finding, ProbeResult, describe, span_ids, traced
from prober.recipes import LADDER
from router_service.core.catalog import Target
from router_service.core.chat import Completion, FinishReason, Usage
from router_service.core.errors import UpstreamError
from router_service.core.health import QuotaWindow
from router_service.core.outcome import FAILURES, Outcome
from router_service.providers.dialect import Dialect, HttpHead

UNSENT = frozenset({OPEN_FILES, "CONNECT", "DNS", "TLS"})
"""Faults before the question was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepAnswer:
    """A probe that was made, and what is left of its provider's limits after it. `wants_more`: this model answers only
    a more generous recipe.
    """

    result: ProbeResult
    windows: tuple[QuotaWindow, ...] = ()
    wants_more: bool = False


class DeepProbe:
    """Asks over `exchanges`, in the `dialects` by name, what `funds` have room for."""

    def __init__(self, exchanges: Exchanges, *, dialects: Mapping[str, Dialect], funds: Funds, tracer: Tracer) -> None:
        self._exchanges = exchanges
        self._dialects = dialects
        self._funds = funds
        self._tracer = tracer

    async def __call__(self, target: Target, rung: int) -> DeepAnswer | Unaffordable:
        """Probe once, by the recipe at `rung` of the ladder. Never raises for what a network or a provider can do."""
        expense = await self._funds.reserve(target, LADDER[rung])
        if isinstance(expense, Unaffordable):
            return expense
        usage: Usage | None = worst_usage(LADDER[rung])  # for as long as nobody says otherwise
        try:
            answer, usage = await self._ask(target, rung)
        finally:
            await expense.settle(usage)
        return answer

    async def _ask(self, target: Target, rung: int) -> tuple[DeepAnswer, Usage | None]:
        """The answer, and what was billed for it."""
        provider, recipe = target.provider, LADDER[rung]
        dialect = self._dialects[provider.dialect]
        attempt_id = f"probe-{secrets.token_hex(8)}.1"
        call = dialect.encode(recipe.prompt(), target, attempt_id=attempt_id, is_stream=False)
        with traced(self._tracer, f"probe {target.id}", provider.name) as span:
            span.set_attribute("signalbox.target", target.id)
            phases = Phases()
            reply = await self._exchanges.ask(call, phases, timeout_s=provider.timeouts.first_byte_s)
            told = _read(dialect, reply, target, is_last_resort=rung + 1 == len(LADDER))
            timing = phases.timing(is_ok=told.finding is Finding.GOOD, status_code=reply.status)
            result = ProbeResult(
                provider=provider.name,
                target=target.id,
                finding=told.finding,
                timing=timing,
                error=f"{told.error} {reply.status}" if told.error and reply.status else told.error,
                retry_after_s=told.retry_after_s,
                span=span_ids(span),
                wall_time=time.time(),
            )
            describe(span, result)
        windows = self._funds.observe(target, reply.headers)
        answer = DeepAnswer(result=result, windows=windows, wants_more=told.wants_more)
        return answer, _billed(reply, told, worst_usage(recipe))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a reply says. `usage` is None where it states none."""

    finding: Finding
    error: str = ""
    retry_after_s: float = 0.0
    wants_more: bool = False
    usage: Usage | None = None


def _read(dialect: Dialect, reply: Reply, target: Target, *, is_last_resort: bool) -> _Told:
    if reply.fault:
        return _Told(finding=Finding.UNASKED if reply.fault == OPEN_FILES else Finding.BAD, error=reply.fault)
    if reply.status == 200 and reply.body is not None:
        try:
            completion = dialect.decode(reply.body, target)
        except UpstreamError as e:
            return _of_error(e, is_last_resort=is_last_resort)
        return _of_completion(completion, is_last_resort=is_last_resort)
    head = HttpHead(status=reply.status, headers=reply.headers)
    return _of_error(dialect.failure(head, reply.body or b""), is_last_resort=is_last_resort)


def _of_completion(completion: Completion, *, is_last_resort: bool) -> _Told:
    """An answer that was cut before its first word says little: the model may need room for its thoughts."""
    message = completion.message
    has_begun = bool(message.content or message.reasoning or message.tool_calls)
    if has_begun or completion.finish_reason is not FinishReason.LENGTH or is_last_resort:
        return _Told(finding=Finding.GOOD, usage=completion.usage)
    return _Told(finding=Finding.UNANSWERED, wants_more=True, usage=completion.usage)


def _of_error(error: UpstreamError, *, is_last_resort: bool) -> _Told:
    """A vendor that rejects the question finds its limit too low, or does not know the word for little thought."""
    finding = _FINDINGS.get(error.outcome, Finding.BAD if error.outcome in FAILURES else Finding.UNANSWERED)
    return _Told(
        finding=finding,
        error=error.outcome.name,
        retry_after_s=error.retry_after_s or 0.0,
        wants_more=error.outcome is Outcome.CALLER_ERROR and not is_last_resort,
        usage=error.usage,
    )


_FINDINGS = {
    Outcome.CREDENTIALS: Finding.KEY_REFUSED,
    Outcome.RATE_LIMITED: Finding.RATE_LIMITED,
    Outcome.MONEY: Finding.MONEY_GONE,
}


def _billed(reply: Reply, told: _Told, worst: Usage) -> Usage | None:
    """An error costs nothing but counts as a request; an answer that states no usage may have cost all there was."""
    if reply.fault in UNSENT:
        return None
    if told.usage is not None:
        return told.usage
    is_free = not reply.fault and reply.status != 200
    return Usage() if is_free else worst

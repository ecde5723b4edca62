"""One request's books: the attempts that were made for it, how each of them ended, and the bill of them all."""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from types import TracebackType

from router_service.core.attempt import Answer, Attempt
from router_service.core.catalog import Target
from router_service.core.chat import Delta, FinishReason, Message, Usage
from router_service.core.deadline import UNMEASURED_ANSWER_S, UNMEASURED_FIRST_TOKEN_S, first_answer_timer_s
from router_service.core.errors import (
    CallerDeadline,
    Diverged,
    InternalFault,
    SignalboxError,
    TimeShareSpent,
    UpstreamError,
    UpstreamTimeout,
)
from router_service.core.events import AttemptFinished, AttemptStarted, Audience
from router_service.core.outcome import Outcome
from router_service.core.overhead import Overhead
from router_service.core.plan import Plan
from router_service.core.prices import estimated_usage, filled_usage, unfinished_usage
from router_service.core.request import Request
from router_service.service.away import Away
from router_service.service.resumption import Transcript, continued, written_tokens
from router_service.service.rooms import Room
from router_service.service.said import Broken, Resumed, Started
from router_service.service.tries import CLOCK_SLACK_S, Try


class Run:
    """Opens an entry for each attempt, closes it exactly once, and tells the audience of both.

    `failures` are the errors of the attempts that failed, in the order in which they did. `away` measures the time in
    which others have the turn.
    """

    def __init__(self, request: Request, *, audience: Audience, trace: object) -> None:
        self.request = request
        self.plan: Plan | None = None
        self.max_attempts = 0
        self.attempts: list[Attempt] = []
        self.transcript = Transcript() if request.routing.resume_on_failure else None
        self.failures: list[tuple[Try, UpstreamError]] = []
        self.delivered_chunks = 0
        self.was_sent = False
        self.attempts_begun = 0
        self.away = Away()
        self._audience = audience
        self._trace = trace
        self._open: dict[int, Try] = {}
        self._winner: Try | None = None
        self._sources: list[Try] = []
        self._first_token: float | None = None
        self._started = time.monotonic()
        self._planned: float | None = None
        self._overhead: Overhead | None = None

    def follow(self, request: Request, plan: Plan, *, max_attempts: int) -> None:
        """`request` is the run's own as it was read for the decision."""
        self.request = request
        self.plan = plan
        self.max_attempts = max_attempts
        self._planned = time.monotonic()

    def begin(
        self,
        target: Target,
        room: Room,
        *,
        is_stream: bool,
        is_further: bool,
        is_hedged: bool,
        attempts_left: int,
        wants_new_connection: bool,
    ) -> Try:
        """An attempt that begins with this; `attempts_left` counts it. `is_further` is as in Try."""
        assert self.plan is not None
        standing, timeouts, now = self.plan.standing(target), target.provider.timeouts, time.monotonic()
        if is_stream:
            limit_s, usual_s = timeouts.first_byte_s, standing.time_to_first_token_p95_s
        else:
            limit_s, usual_s = timeouts.answer_s, standing.answer_p95_s
        late_after_s = usual_s or (UNMEASURED_FIRST_TOKEN_S if is_stream else UNMEASURED_ANSWER_S)
        call = AttemptStarted(target=target.id, is_stream=is_stream)
        self._audience.attempt_started(call)
        prefix = self._delivered_text()
        self.attempts_begun += 1
        self._open[self.attempts_begun] = attempt = Try(
            number=self.attempts_begun,
            target=target,
            prompt=continued(self.request.prompt, prefix) if prefix else self.request.prompt,
            prefix=prefix,
            room=room,
            call=call,
            is_further=is_further,
            is_hedged=is_hedged,
            wants_new_connection=wants_new_connection,
            started=now,
            start_time=time.time(),
            limit_s=limit_s,
            usual_s=usual_s,
            late_after_s=late_after_s,
            silent_until=now
            + first_answer_timer_s(
                timer_s=limit_s,
                left_s=self.request.deadline - now,
                attempts_left=attempts_left,
                p95_s=usual_s,
                guess_s=late_after_s,
            ),
        )
        return attempt

    def recording(self, attempt: Try) -> Recording:
        """Around all that is done of an attempt: however it ends, that goes on record. An UpstreamError ends there."""
        return Recording(self, attempt)

    def claim(self, attempt: Try) -> bool:
        """Whether it is this attempt that answers; False where another, that ran beside it, was quicker."""
        if self._winner is None:
            self._winner = attempt
        return self._winner is attempt

    def heard(self, attempt: Try, delta: Delta) -> None:
        """A part of a stream's answer has come, for the caller to read."""
        if attempt.first_token is None:
            attempt.first_token = time.monotonic()
        self._audience.attempt_heard(attempt.call, delta)

    def waits(self, attempt: Try) -> None:
        """A stream that has begun waits for its provider again."""
        self._audience.attempt_waits(attempt.call)

    def succeeded(self, attempt: Try, message: Message | None, finish: FinishReason, model: str) -> None:
        """The attempt's answer is whole; a stream's `message` is None, since its text was heard in parts."""
        usage = self._used(attempt)
        self._record(attempt, Outcome.OK, usage=usage, finish=finish, model=model, answer=message)

    def answer(self, attempt: Try, message: Message, finish: FinishReason) -> Answer:
        """What the request came to, once every attempt has ended."""
        self._overhead = self._overhead_by_now()
        return Answer(
            request_id=self.request.request_id,
            message=message,
            finish_reason=finish,
            usage=self._delivered_usage(attempt),
            target=attempt.target,
            attempts=tuple(self.attempts),
            latency_s=self.latency_s(),
            time_to_first_token_s=self.time_to_first_token_s(),
            plan=self.plan,
            overhead=self._overhead,
        )

    def failed(self, attempt: Try, error: UpstreamError) -> None:
        """The attempt's own error. What it may have cost is estimated as far as the provider has not reported it."""
        self.failures.append((attempt, error))
        if self._winner is attempt:
            self._winner = None
        attempt.usage = error.usage or attempt.usage
        attempt.output_characters = max(error.output_characters, attempt.output_characters)
        usage: Usage | None = None
        if error.maybe_billed and isinstance(error, UpstreamTimeout | TimeShareSpent):
            usage = self._used_when_left(attempt)
        elif error.maybe_billed or attempt.usage is not None:
            usage = self._used(attempt)
        is_broken = attempt.has_begun and not isinstance(error, Diverged)
        outcome = Outcome.INTERRUPTED if is_broken else error.outcome
        self._record(attempt, outcome, usage=usage, error=error)

    def cut_short(self, attempt: Try, error: BaseException) -> None:
        """The attempt ended because the caller left, the deadline passed, or we ourselves failed.

        A caller who leaves after the answer is whole cuts nothing short: its end is on record already.
        """
        if attempt.number not in self._open:
            return
        if not isinstance(error, Exception) and time.monotonic() >= self.request.deadline - CLOCK_SLACK_S:
            error = CallerDeadline(attempt.stage)  # it ended what went on around the attempt
        match error:
            case CallerDeadline():
                outcome = Outcome.DEADLINE
            case SignalboxError():
                outcome = Outcome.CANCELLED  # of what had been read already: no fault of the target
            case Exception():
                outcome, error = Outcome.BAD_RESPONSE, InternalFault()  # over the answer: other targets may do better
            case _:
                outcome = Outcome.CANCELLED
        usage = self._used_when_left(attempt) if attempt.was_sent else None
        its_own = error if isinstance(error, CallerDeadline | InternalFault) else None
        self._record(attempt, outcome, usage=usage, error=its_own)

    def beaten(self, attempt: Try) -> None:
        """The attempt answered, and another that ran beside it had been quicker."""
        self._record(attempt, Outcome.CANCELLED, usage=self._used(attempt))

    def opens(self, attempt: Try) -> Sequence[Started | Broken | Resumed]:
        """What a stream says before the first text of an attempt."""
        broken = self._sources[-1] if self._sources else None
        self._sources.append(attempt)
        if broken is None:
            return (Started(attempt.target, tuple(self.attempts)),)
        record = next(a for a in self.attempts if a.number == broken.number)
        return (Broken(record), Resumed(broken.target.id, attempt.target.id, len(attempt.prefix)))

    def delivered(self, delta: Delta) -> None:
        """A part of a stream is about to go to its caller."""
        if not self.delivered_chunks:
            self._first_token = time.monotonic()
        self.delivered_chunks += 1
        if self.transcript is not None:
            self.transcript.add(delta)

    def broke(self) -> UpstreamError | None:
        """Why the stream broke off whose text was delivered; None where nothing was."""
        if not self.delivered_chunks:
            return None
        return next(error for attempt, error in self.failures if attempt is self._sources[-1])

    def can_be_resumed(self) -> bool:
        """Whether the caller lets a stream go on elsewhere, and this is one that can: there is nothing to add to an
        answer that its model had ended when the stream broke.
        """
        if self.transcript is None or (self._sources and self._sources[-1].has_finished):
            return False
        return self.transcript.can_be_continued(self.request.prompt)

    def written_tokens(self) -> int:
        """How much of a stream's answer its caller has, which whoever goes on is given to read; an estimate."""
        return written_tokens(self._delivered_text())

    def end_all_but(self, winner: Try | None, error: BaseException) -> None:
        """Whatever is still under way beside `winner` ends, also what was called off before it could begin."""
        for attempt in list(self._open.values()):
            if attempt is not winner:
                self.cut_short(attempt, error)

    def spent_usd_nanos(self) -> int:
        """What the attempts came to that have ended, and those under way will probably come to."""
        expected = sum([attempt.room.usd_nanos for attempt in self._open.values()])
        return expected + sum([attempt.cost_usd_nanos for attempt in self.attempts])

    def latency_s(self) -> float:
        return time.monotonic() - self._started

    def time_to_first_token_s(self) -> float | None:
        """From the run's begin to the first part of a stream, over all attempts; None where there was none."""
        return None if self._first_token is None else self._first_token - self._started

    def overhead(self) -> Overhead:
        """What was the router's own of all this time: up to the answer, or up to now where there is none."""
        return self._overhead or self._overhead_by_now()

    def _overhead_by_now(self) -> Overhead:
        now = time.monotonic()
        arrived = self._started if self.request.arrived is None else self.request.arrived
        planned = now if self._planned is None else self._planned
        return Overhead(self._started - arrived, planned - self._started, max(0.0, now - planned - self.away.total_s))

    def _delivered_text(self) -> str:
        return "" if self.transcript is None else self.transcript.text

    def _delivered_usage(self, attempt: Try) -> Usage:
        """Of the whole text, whoever wrote which part of it; what was asked counts once."""
        if len(self._sources) < 2:
            return self._used(attempt)
        parts = [self._used(source) for source in self._sources]
        return replace(
            parts[0],
            output_tokens=sum([part.output_tokens for part in parts]),
            reasoning_tokens=sum([part.reasoning_tokens for part in parts]),
            estimated=any(part.estimated for part in parts),
        )

    def _used(self, attempt: Try) -> Usage:
        estimate = estimated_usage(input_tokens=attempt.room.input_tokens, output_characters=attempt.output_characters)
        return (filled_usage if attempt.is_counted else unfinished_usage)(attempt.usage, estimate)

    def _used_when_left(self, attempt: Try) -> Usage:
        """The same of an attempt that was not waited for any longer. Of an answer that comes in one piece nobody has
        seen anything then, and its provider has probably written all of it.
        """
        used = self._used(attempt)
        if attempt.is_whole or attempt.call.is_stream:
            return used
        return unfinished_usage(used, replace(used, output_tokens=attempt.room.output_tokens))

    def _record(
        self,
        attempt: Try,
        outcome: Outcome,
        *,
        usage: Usage | None,
        error: SignalboxError | None = None,
        finish: FinishReason | None = None,
        model: str = "",
        answer: Message | None = None,
    ) -> None:
        del self._open[attempt.number]
        self.was_sent = self.was_sent or attempt.was_sent
        cost_usd_nanos = attempt.room.give_back(usage, was_sent=attempt.was_sent)
        record = Attempt(
            number=attempt.number,
            target=attempt.target,
            outcome=outcome,
            error_reason="" if error is None else error.reason,
            error="" if error is None else str(error),
            status_code=attempt.status_code,
            start_time=attempt.start_time,
            latency_s=time.monotonic() - attempt.started,
            time_to_first_token_s=None if attempt.first_token is None else attempt.first_token - attempt.started,
            usage=usage,
            cost_usd_nanos=cost_usd_nanos,
            maybe_billed=outcome is not Outcome.OK and usage is not None,
            is_hedged=attempt.is_hedged,
            retry_after_s=error.retry_after_s if isinstance(error, UpstreamError) else None,
            finish_reason=finish,
            response_model=model,
            dropped_fields=attempt.dropped_fields,
        )
        insort(self.attempts, record, key=attrgetter("number"))
        self._audience.attempt_finished(
            AttemptFinished(
                started=attempt.call,
                request=self.request,
                plan=self.plan,
                attempt=record,
                trace=self._trace,
                answer=answer,
                is_resumption=bool(attempt.prefix),
            )
        )


class Recording:
    """As Run.recording."""

    __slots__ = ("_attempt", "_run")

    def __init__(self, run: Run, attempt: Try) -> None:
        self._run = run
        self._attempt = attempt

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, UpstreamError):
            self._run.failed(self._attempt, error)
            return True
        if error is not None:
            self._run.cut_short(self._attempt, error)
        return False

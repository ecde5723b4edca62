"""One request's way along its plan: which target is tried next, what each try came to, and the bill of them all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from router_service.core.attempt import Answer, Attempt
from router_service.core.catalog import Target
from router_service.core.chat import Completion, Delta, FinishReason, Message, Role, StreamEnd, Usage
from router_service.core.deadline import (
    OUT_OF_THE_USUAL,
    UNMEASURED_ANSWER_S,
    UNMEASURED_FIRST_TOKEN_S,
    first_answer_timer_s,
)
from router_service.core.errors import (
    AttemptsFailed,
    CallerDeadline,
    ConnectFailed,
    InternalFault,
    KeptConnectionLost,
    ServerFailed,
    SignalboxError,
    Stage,
    TimeShareSpent,
    UpstreamError,
    UpstreamTimeout,
)
from router_service.core.events import AttemptFinished, AttemptStarted, Observer
from router_service.core.outcome import FAILURES, Outcome
from router_service.core.overhead import Overhead
from router_service.core.plan import Plan, Standing
from router_service.core.prices import estimated_usage, filled_usage
from router_service.core.request import Request
from router_service.service.refusals import no_room
from router_service.service.retries import LONGEST_S, Retries
from router_service.service.rooms import Room, Rooms, Unroomed

CLOCK_SLACK_S = 0.05
"""The loop's timers may fire that much before the clock says so."""
STREAMED_MESSAGE = Message(role=Role.ASSISTANT)


@dataclass(slots=True, kw_only=True)
class Try:
    """An attempt under way. `stage` and `output_characters` grow with it, and so do `usage`, what the provider has
    reported so far, and `away_s`, how long the provider or a stream's reader had the turn; clocks are monotonic but
    `start_time`.
    """

    number: int
    target: Target
    room: Room
    call: AttemptStarted
    attempts_left: int
    wants_new_connection: bool
    started: float
    start_time: float
    usual_s: float = 0.0
    stage: Stage = Stage.CONNECT
    status_code: int = 0
    first_token: float | None = None
    output_characters: int = 0
    usage: Usage | None = None
    away_s: float = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether something of the answer has come."""
        return self.first_token is not None

    @property
    def was_sent(self) -> bool:
        return self.stage is not Stage.CONNECT

    def connected(self) -> None:
        """The transport has a connection: from here on the provider may have seen the request."""
        self.stage = Stage.FIRST_BYTE

    def count(self, delta: Delta) -> None:
        """Something of the answer has come, for the bill."""
        self.output_characters += len(delta.content) + len(delta.reasoning)
        self.output_characters += sum(len(call.arguments_json_fragment) for call in delta.tool_calls)


class Run:
    """Hands out tries until one succeeds or none is left, and tells the observer of each one's end exactly once."""

    def __init__(self, request: Request, *, observer: Observer, trace: object) -> None:
        self.request = request
        self.plan: Plan | None = None
        self.attempts: list[Attempt] = []
        self.delivered_chunks = 0
        self.was_sent = False
        self._causes: list[tuple[str, UpstreamError]] = []
        self._unroomed: dict[str, Unroomed] = {}
        self._targets: tuple[Target, ...] = ()
        self._next_place = 0
        self._last: tuple[Try, UpstreamError] | None = None
        self._has_repeated = False
        self._most_attempts = 0
        self._observer = observer
        self._trace = trace
        self._away_s = 0.0
        self._first_token: float | None = None
        self._started = time.monotonic()
        self._planned: float | None = None
        self._overhead: Overhead | None = None

    def follow(self, request: Request, plan: Plan, *, max_attempts: int) -> None:
        """`request` is the run's own as it was read for the decision."""
        self.request = request
        self.plan = plan
        self._targets = plan.targets
        self._most_attempts = max_attempts
        self._planned = time.monotonic()

    async def next_try(self, rooms: Rooms, retries: Retries, *, is_stream: bool) -> Try | None:
        """The next target with room, where the last one failed in a way that another may cure; None where nobody is
        left, within time and number. A target without room costs no attempt.

        The same target comes again, once, where it only closed a kept connection, and where there is no other and it
        failed in a way that passes. The wait before that is in here.
        """
        if not self._may_go_on():
            return None
        if (pause_s := self._pause_before_again_s(retries)) is not None:
            await self._pause(pause_s)
            if attempt := self._taken(rooms, self._next_place - 1, is_stream=is_stream):
                return attempt
        while self._next_place < len(self._targets):
            place = self._next_place
            self._next_place += 1
            if len(self._targets) == 1:
                retries.asked(self._targets[place].id)
            if attempt := self._taken(rooms, place, is_stream=is_stream):
                return attempt
        return None

    async def _pause(self, pause_s: float) -> None:
        """A wait for the provider's sake, and so none of the router's own time."""
        began = time.monotonic()
        try:
            await asyncio.sleep(pause_s)
        finally:
            self._away_s += time.monotonic() - began

    def _may_go_on(self) -> bool:
        if len(self.attempts) >= self._most_attempts:
            return False
        return self._last is None or self._last[1].fails_over

    def _pause_before_again_s(self, retries: Retries) -> float | None:
        """Until the same target is tried again; None where it is not. Who took long to fail will do so again."""
        if self._last is None:
            return None
        attempt, error = self._last
        if isinstance(error, KeptConnectionLost):
            return 0.0
        is_too_late = attempt.has_begun or error.stage not in (Stage.CONNECT, Stage.FIRST_BYTE)
        if is_too_late or error.outcome not in FAILURES or not isinstance(error, ConnectFailed | ServerFailed):
            return None
        now = time.monotonic()
        is_quick = now - attempt.started < attempt.target.provider.timeouts.connect_s - CLOCK_SLACK_S
        if self._has_repeated or len(self._targets) > 1 or not is_quick or now + LONGEST_S >= self.request.deadline:
            return None
        self._has_repeated = True
        return retries.pause_s(attempt.target.id, told_s=error.retry_after_s)

    def _taken(self, rooms: Rooms, place: int, *, is_stream: bool) -> Try | None:
        """An attempt at the target in that place, which begins with this; None where it has no room."""
        assert self.plan is not None
        target, now = self._targets[place], time.monotonic()
        if now >= self.request.deadline:
            raise CallerDeadline(Stage.SELECT)
        room = rooms.take(self.request, self.plan, place, spent_usd_nanos=self._spent_usd_nanos())
        if isinstance(room, Unroomed):
            self._unroomed[target.id] = room
            return None
        call = AttemptStarted(target=target.id, is_stream=is_stream)
        self._observer.attempt_started(call)
        return Try(
            number=len(self.attempts) + 1,
            target=target,
            room=room,
            call=call,
            attempts_left=min(self._most_attempts - len(self.attempts), len(self._targets) - place),
            wants_new_connection=self._last is not None and isinstance(self._last[1], KeptConnectionLost),
            started=now,
            start_time=time.time(),
        )

    def _spent_usd_nanos(self) -> int:
        return sum([attempt.cost_usd_nanos for attempt in self.attempts])

    def heard(self, attempt: Try, delta: Delta) -> None:
        """A part of a stream's answer has come, for the caller to read."""
        if attempt.first_token is None:
            attempt.first_token = time.monotonic()
        self._observer.attempt_heard(attempt.call, delta)

    def waits(self, attempt: Try) -> None:
        """A stream that has begun waits for its provider again."""
        self._observer.attempt_waits(attempt.call)

    def first_token_until(self, attempt: Try) -> float:
        """When a stream must have begun, on the monotonic clock."""
        usual_s = self._standing(attempt).time_to_first_token_p95_s
        limit_s = attempt.target.provider.timeouts.first_byte_s
        return self._until(attempt, limit_s, usual_s, unmeasured_s=UNMEASURED_FIRST_TOKEN_S)

    def answered_until(self, attempt: Try) -> float:
        """When a whole answer must have come, on the monotonic clock."""
        usual_s = self._standing(attempt).answer_p95_s
        limit_s = attempt.target.provider.timeouts.answer_s
        return self._until(attempt, limit_s, usual_s, unmeasured_s=UNMEASURED_ANSWER_S)

    def too_slow(self, attempt: Try, limit_s: float) -> UpstreamError:
        """An attempt said nothing until its timer ended. It is the target's fault when that was the target's own limit,
        or far longer than it usually takes; else its share of the caller's time was too short to tell.
        """
        silent_s = time.monotonic() - attempt.started
        is_unusual = attempt.usual_s > 0 and silent_s >= OUT_OF_THE_USUAL * attempt.usual_s
        kind = UpstreamTimeout if is_unusual or silent_s >= limit_s - CLOCK_SLACK_S else TimeShareSpent
        return kind("the provider did not answer in time", stage=attempt.stage, maybe_billed=attempt.was_sent)

    def failed(self, attempt: Try, error: UpstreamError) -> None:
        """The attempt's own error. What it may have cost is estimated as far as the provider has not reported it."""
        self._causes.append((attempt.target.id, error))
        self._last = (attempt, error)
        if isinstance(error, KeptConnectionLost):
            self._most_attempts += 1  # it was spent on nobody
        attempt.usage = error.usage or attempt.usage
        attempt.output_characters = max(error.output_characters, attempt.output_characters)
        usage = self._used(attempt) if error.maybe_billed or attempt.usage is not None else None
        self._record(
            attempt,
            Outcome.INTERRUPTED if attempt.has_begun else error.outcome,
            usage=usage,
            error=error,
        )

    def cut_short(self, attempt: Try, error: BaseException) -> None:
        """The attempt ended because the caller left, the deadline passed, or we ourselves failed.

        A caller who leaves after the answer is whole cuts nothing short: its end is on record already.
        """
        if self.attempts and self.attempts[-1].number == attempt.number:
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
        usage = self._used(attempt) if attempt.was_sent else None
        its_own = error if isinstance(error, CallerDeadline | InternalFault) else None
        self._record(attempt, outcome, usage=usage, error=its_own)

    def succeeded(self, attempt: Try, completion: Completion) -> Answer:
        usage, message, finish = self._used(attempt), completion.message, completion.finish_reason
        self._record(attempt, Outcome.OK, usage=usage, finish=finish, model=completion.model, answer=message)
        return self._answer(attempt, message, finish, usage)

    def streamed(self, attempt: Try, end: StreamEnd) -> Answer:
        usage = self._used(attempt)
        self._record(attempt, Outcome.OK, usage=usage, finish=end.finish_reason, model=end.model)
        return self._answer(attempt, STREAMED_MESSAGE, end.finish_reason, usage)

    def gave_up(self) -> SignalboxError:
        """Everybody failed; or others took all the room since the plan was made."""
        telling = [(t, e) for t, e in self._causes if not isinstance(e, KeptConnectionLost)] or self._causes
        return AttemptsFailed(telling) if telling else no_room(self.request, self._unroomed)

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
        return Overhead(self._started - arrived, planned - self._started, max(0.0, now - planned - self._away_s))

    def _answer(self, attempt: Try, message: Message, finish: FinishReason, usage: Usage) -> Answer:
        self._overhead = self._overhead_by_now()
        return Answer(
            request_id=self.request.request_id,
            message=message,
            finish_reason=finish,
            usage=usage,
            target=attempt.target,
            attempts=tuple(self.attempts),
            latency_s=self.latency_s(),
            time_to_first_token_s=self.time_to_first_token_s(),
            plan=self.plan,
            overhead=self._overhead,
        )

    def _standing(self, attempt: Try) -> Standing:
        assert self.plan is not None
        return self.plan.standing(attempt.target)

    def _until(self, attempt: Try, limit_s: float, usual_s: float, *, unmeasured_s: float) -> float:
        attempt.usual_s = usual_s
        return attempt.started + first_answer_timer_s(
            timer_s=limit_s,
            left_s=self.request.deadline - attempt.started,
            attempts_left=attempt.attempts_left,
            p95_s=usual_s or unmeasured_s,
        )

    def _used(self, attempt: Try) -> Usage:
        tokens, characters = attempt.room.input_tokens, attempt.output_characters
        return filled_usage(attempt.usage, estimated_usage(input_tokens=tokens, output_characters=characters))

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
        self.was_sent = self.was_sent or attempt.was_sent
        self._away_s += attempt.away_s
        if self._first_token is None:
            self._first_token = attempt.first_token
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
            retry_after_s=error.retry_after_s if isinstance(error, UpstreamError) else None,
            finish_reason=finish,
            response_model=model,
        )
        self.attempts.append(record)
        self._observer.attempt_finished(
            AttemptFinished(
                started=attempt.call,
                request=self.request,
                plan=self.plan,
                attempt=record,
                trace=self._trace,
                answer=answer,
            )
        )

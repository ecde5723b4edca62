"""One request's way along its plan: whom to ask next, after what pause, until one answers or nobody is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from router_service.core.catalog import CONTINUES_TEXT, Target
from router_service.core.decision.rejection import Refusal, Rejection
from router_service.core.errors import (
    AttemptsFailed,
    CallerDeadline,
    ConnectFailed,
    Cure,
    KeptConnectionLost,
    ResponseTooLarge,
    ServerFailed,
    SignalboxError,
    Stage,
    StreamInterrupted,
    UpstreamError,
)
from router_service.core.health import State
from router_service.core.outcome import FAILURES
from router_service.core.settings import RoutingSettings
from router_service.service.allowance import Allowance
from router_service.service.hedging import BUSY, SHARE
from router_service.service.refusals import no_room
from router_service.service.retries import LONGEST_S, Retries
from router_service.service.rooms import Rooms
from router_service.service.run import Run
from router_service.service.tries import CLOCK_SLACK_S, Try


class Course:
    """Hands out attempts, one target after the other, within time and number. One without room costs no attempt."""

    def __init__(
        self, run: Run, rooms: Rooms, retries: Retries, hedges: Allowance, rules: RoutingSettings, *, is_stream: bool
    ) -> None:
        assert run.plan is not None
        self._run = run
        self._plan = run.plan
        self._rooms = rooms
        self._retries = retries
        self._hedges = hedges
        self._rules = rules
        self._is_stream = is_stream
        self._next_place = 0
        self._failures_seen = 0
        self._has_repeated = False
        self._told_too_long = 0
        self._asked: set[str] = set()
        self._lost_connections: set[str] = set()
        self._again = ""
        self._refused: dict[str, Refusal] = {}
        self._full: dict[str, int] = {}
        self._waits_until: float | None = None

    async def next_try(self) -> Try | None:
        """The next target with room, where the last one failed in a way that another may cure; None where nobody is
        left.

        The same target comes again, once, where it only closed a kept connection, and where there is no other and it
        failed in a way that passes. Only where all who may serve are full it waits for one of them, in a queue. Both
        waits are in here.
        """
        if not self._may_go_on():
            return None
        failures = self._new_failures()
        if not self._look_for_wider() and (attempt := await self._taken_again(failures)):
            return attempt
        while self._next_place < len(self._plan.targets):
            place = self._next_place
            self._next_place += 1
            target = self._plan.targets[place]
            if self._suits(target) and (attempt := self._taken(place)):
                return attempt
        return await self._queued()

    def may_hedge(self) -> bool:
        """Whether the caller wants a second call beside one that is late."""
        is_wanted = self._run.request.routing.hedge and not self._run.delivered_chunks
        return is_wanted and self._attempts_left() > 0

    def hedge(self) -> Try | None:
        """An attempt beside the one under way, at the next target that is well and not busy; None where there is none,
        or where hedges, attempts or the caller's money are used up.
        """
        if not self._attempts_left() or not self._hedges.has_one():
            return None
        for place, target in enumerate(self._plan.targets):
            is_busy = self._rooms.slots.load(target) > BUSY
            if target.id in self._asked or is_busy or self._plan.standing(target).state is State.UNHEALTHY:
                continue
            if attempt := self._taken(place, is_hedged=True):
                self._hedges.take()
                return attempt
        return None

    def succeeded(self, attempt: Try) -> None:
        """The attempt's answer is whole."""
        if attempt.is_further:
            self._retries.succeeded(self._run.request.tenant, attempt.target.id, now=time.monotonic())
        elif attempt.number > 1:
            self._retries.answered(attempt.target.id)

    def gave_up(self) -> SignalboxError:
        """Everybody failed; or nobody has room by now."""
        causes = [(attempt.target.id, error) for attempt, error in self._run.failures]
        if (broke := self._run.broke()) is not None:
            return _interrupted(broke)
        telling = [(target, e) for target, e in causes if not isinstance(e, KeptConnectionLost)] or causes
        return AttemptsFailed(telling) if telling else no_room(self._run.request, self._refused)

    def _new_failures(self) -> Sequence[tuple[Try, UpstreamError]]:
        """What failed since the last attempt was chosen: two, where they ran beside each other."""
        new = self._run.failures[self._failures_seen :]
        self._failures_seen += len(new)
        for attempt, error in new:
            if attempt.wants_new_connection and (error.outcome in FAILURES or isinstance(error, KeptConnectionLost)):
                self._retries.came_again_in_vain(attempt.target.id)
        return new

    async def _taken_again(self, failures: Sequence[tuple[Try, UpstreamError]]) -> Try | None:
        """One of the targets that just failed once more: the one that only lost a kept connection, or the only one."""
        for attempt, error in failures:
            if isinstance(error, KeptConnectionLost):
                self._lost_connections.add(attempt.target.id)
                return self._taken_for(attempt.target)
        if failures and (pause_s := self._pause_before_again_s(*failures[-1])) is not None:
            return await self._taken_after(pause_s, failures[-1][0].target)
        return None

    async def _taken_after(self, pause_s: float, target: Target) -> Try | None:
        """What permits it is taken before the pause: else all who pause would pass on the same."""
        if not self._permitted(target):
            return None
        try:
            with self._run.away:
                await asyncio.sleep(pause_s)
            return self._taken_for(target, is_permitted=True)
        except BaseException:
            self._return_permission(target)
            raise

    def _taken_for(self, target: Target, *, is_permitted: bool = False) -> Try | None:
        """An attempt at a target that was asked before; where it is full by now, it is waited for."""
        place = next((n for n, each in enumerate(self._plan.targets) if each.id == target.id), None)
        if place is None:
            return None
        attempt = self._taken(place, is_permitted=is_permitted)
        if attempt is None:
            self._again = target.id
        return attempt

    def _may_go_on(self) -> bool:
        if not self._attempts_left():
            return False
        if self._run.delivered_chunks and not self._run.can_be_resumed():
            return False
        return all(self._has_cure(error) for _, error in self._run.failures)

    def _has_cure(self, error: UpstreamError) -> bool:
        match error.cure:
            case Cure.ANYBODY | Cure.LARGER_WINDOW:
                return True
            case Cure.OTHER_FILTER:
                return self._rules.fails_over_filters(self._run.request.tenant)
            case Cure.NOBODY:
                return False

    def _look_for_wider(self) -> bool:
        """After a target's word that the prompt is too long for it, only larger windows are left: the whole decision's,
        or those of a plan that the caller has chosen. It may not be the last word, where two ran beside each other.
        """
        told = [attempt for attempt, error in self._run.failures if error.cure is Cure.LARGER_WINDOW]
        if len(told) == self._told_too_long:
            return False
        self._told_too_long = len(told)
        self._plan = self._plan.wider(
            max(attempt.target.model.context_tokens or attempt.room.input_tokens for attempt in told),
            keeps_chain=bool(self._run.request.routing.decision_id),
        )
        self._next_place, self._full = 0, {}
        return True

    def _attempts_left(self) -> int:
        return self._run.max_attempts - self._attempts_made()

    def _attempts_made(self) -> int:
        """A kept connection that was closed is an attempt on record, and one that was spent on nobody."""
        vain = sum([isinstance(error, KeptConnectionLost) for _, error in self._run.failures])
        return self._run.attempts_begun - vain

    def _is_further(self, target: Target) -> bool:
        """Whether an attempt at it is one of those that the budget binds: all but the first, the first failover to a
        target that is not failing itself, and one more after a kept connection was lost where that helps.
        """
        made = self._attempts_made()
        if target.id in self._asked:
            return not (target.id in self._lost_connections and self._retries.may_come_again(target.id))
        if made == 1:
            return self._plan.standing(target).state is State.UNHEALTHY
        return made > 1

    def _suits(self, target: Target) -> bool:
        """Whether it is one that was not asked yet, or is to be asked again and was full by then, and that can go on
        where a stream broke off.
        """
        if self._run.delivered_chunks and CONTINUES_TEXT not in target.model.capabilities:
            return False
        return target.id not in self._asked or target.id == self._again

    def _is_allowed(self, target: Target) -> bool:
        tenant, now = self._run.request.tenant, time.monotonic()
        return not self._is_further(target) or self._retries.allow(tenant, target.id, now=now)

    def _pause_before_again_s(self, attempt: Try, error: UpstreamError) -> float | None:
        """Until the only target is tried again; None where it is not. Who took long to fail will do so again."""
        is_too_late = attempt.has_begun or error.stage not in (Stage.CONNECT, Stage.FIRST_BYTE)
        if is_too_late or error.outcome not in FAILURES or not isinstance(error, ConnectFailed | ServerFailed):
            return None
        now = time.monotonic()
        is_quick = now - attempt.started < attempt.target.provider.timeouts.connect_s - CLOCK_SLACK_S
        has_others = len(self._plan.targets) > 1
        if self._has_repeated or has_others or not is_quick or now + LONGEST_S >= self._run.request.deadline:
            return None
        self._has_repeated = True
        return self._retries.pause_s(told_s=error.retry_after_s)

    async def _queued(self) -> Try | None:
        """An attempt at the first of the full targets to have a slot; None where none has one in time."""
        deadline, slots = self._run.request.deadline, self._rooms.slots
        while full := self._full_targets():
            if self._waits_until is None:
                self._waits_until = time.monotonic() + self._rules.queue_wait_s
            with self._run.away:
                target = await slots.wait(full, until=min(self._waits_until, deadline))
            if target is None and time.monotonic() >= deadline - CLOCK_SLACK_S:
                raise CallerDeadline(Stage.SELECT)
            if target is None:
                return None
            if attempt := self._taken(self._full.pop(target.id), has_slot=True):
                return attempt
        return None

    def _full_targets(self) -> list[Target]:
        """Those that had no slot and may still be asked, in the plan's order."""
        targets = [self._plan.targets[place] for place in self._full.values()]
        return [target for target in targets if self._suits(target) and self._is_allowed(target)]

    def _taken(
        self, place: int, *, has_slot: bool = False, is_hedged: bool = False, is_permitted: bool = False
    ) -> Try | None:
        """An attempt at the target in that place, which begins with this; None where it has no room, or where it is
        one more than the budget of further attempts allows. It `is_permitted` where that was asked before.
        """
        run, target = self._run, self._plan.targets[place]
        if not has_slot and time.monotonic() >= run.request.deadline:
            raise CallerDeadline(Stage.SELECT)
        is_further = not is_hedged and self._is_further(target)
        if is_further and not is_permitted and not self._permitted(target):
            if has_slot:
                self._rooms.slots.give_back(target)
            return None
        take = self._rooms.take_beside if has_slot else self._rooms.take
        spent, written = run.spent_usd_nanos(), run.written_tokens()
        room = take(run.request, self._plan, place, spent_usd_nanos=spent, written_tokens=written)
        if isinstance(room, Refusal):
            if is_further:
                self._return_permission(target)
            self._refused[target.id] = room
            if room.reason is Rejection.CONCURRENCY:
                self._full[target.id] = place
            return None
        if not is_further and not run.attempts_begun:
            self._hedges.put(SHARE)
            self._retries.asked(run.request.tenant, target.id, now=time.monotonic())
        self._asked.add(target.id)
        return run.begin(
            target,
            room,
            is_stream=self._is_stream,
            is_further=is_further,
            is_hedged=is_hedged,
            attempts_left=min(self._attempts_left(), len(self._plan.targets) - place),
            wants_new_connection=target.id in self._lost_connections,
        )

    def _permitted(self, target: Target) -> bool:
        is_well = self._plan.standing(target).state is not State.UNHEALTHY
        return self._retries.take(self._run.request.tenant, target.id, now=time.monotonic(), is_well=is_well)

    def _return_permission(self, target: Target) -> None:
        self._retries.give_back(self._run.request.tenant, target.id, now=time.monotonic())


def _interrupted(error: UpstreamError) -> SignalboxError:
    """Why a stream that has begun will not go on."""
    if isinstance(error, ResponseTooLarge):
        return error
    interrupted = StreamInterrupted(error)
    interrupted.__cause__ = error
    return interrupted

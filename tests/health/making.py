"""What the tests of the health channel are made of: attempts, snapshots, and a clock that is set by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from router_service.core.attempt import Attempt
from router_service.core.catalog import Model, Provider, Target
from router_service.core.chat import Prompt, Usage
from router_service.core.events import AttemptFinished, AttemptStarted
from router_service.core.health import ProviderHealth, Snapshot, State, TargetHealth
from router_service.core.outcome import Outcome
from router_service.core.plan import Standing
from router_service.core.request import Request
from router_service.core.settings import ProberSettings
from router_service.health.board import HealthBoard, Reception

REPORTER = "router-under-test"
TARGETS = ("alder/small", "alder/large", "birch/small", "cedar/small")
SHARES = {State.UNHEALTHY: 0.0, State.DEGRADED: 0.1, State.RECOVERING: 0.05}


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class BoardRig:
    """A board on a clock of one's own, told of attempts and snapshots in few words."""

    def __init__(self, settings: ProberSettings | None = None) -> None:
        self.clock = Clock()
        self.board = HealthBoard(TARGETS, settings or ProberSettings(), clock=self.clock)
        self._begun: dict[str, list[AttemptStarted]] = defaultdict(list)

    def attempt(
        self,
        target: str,
        outcome: Outcome = Outcome.OK,
        *,
        times: int = 1,
        retry_after_s: float | None = None,
        latency_s: float = 0.5,
    ) -> None:
        for _ in range(times):
            attempt(self.board, target, outcome, retry_after_s=retry_after_s, latency_s=latency_s)

    def begin(self, target: str, *, calls: int, is_stream: bool = False) -> list[AttemptStarted]:
        begun = [AttemptStarted(target=target, is_stream=is_stream) for _ in range(calls)]
        for call in begun:
            self.board.attempt_started(call)
        self._begun[target] += begun
        return begun

    def end(self, target: str, outcome: Outcome = Outcome.OK, *, calls: int = 1, latency_s: float = 0.5) -> None:
        """End the calls that began first."""
        for _ in range(calls):
            call = self._begun[target].pop(0)
            self.board.attempt_finished(finished(call, outcome, latency_s=latency_s))

    def accept(self, made: Snapshot) -> Reception:
        return self.board.accept(made, merged=made.merged_sequences.get(REPORTER, 0))

    def after(self, seconds: float) -> BoardRig:
        self.clock.now += seconds
        self.board.tick()
        return self

    def standing(self, target: str) -> Standing:
        return self.board.standings()[target]

    def state(self, target: str) -> State:
        return self.standing(target).state


def attempt(
    board: HealthBoard,
    target: str,
    outcome: Outcome = Outcome.OK,
    *,
    retry_after_s: float | None = None,
    latency_s: float = 0.5,
) -> None:
    """Tell `board` of a whole call, from its start to its end."""
    call = AttemptStarted(target=target, is_stream=False)
    board.attempt_started(call)
    board.attempt_finished(finished(call, outcome, retry_after_s=retry_after_s, latency_s=latency_s))


def finished(
    call: AttemptStarted, outcome: Outcome, *, retry_after_s: float | None = None, latency_s: float = 0.5
) -> AttemptFinished:
    provider, _, model = call.target.partition("/")
    ended = Attempt(
        number=1,
        target=Target(
            provider=Provider(name=provider, dialect="openai", base_url="http://127.0.0.1:1"), model=Model(id=model)
        ),
        outcome=outcome,
        status_code=200 if outcome is Outcome.OK else 503,
        start_time=0.0,
        latency_s=latency_s,
        time_to_first_token_s=latency_s / 2 if outcome is Outcome.OK else None,
        usage=Usage(input_tokens=10, output_tokens=20),
        retry_after_s=retry_after_s,
    )
    request = Request(request_id="r", prompt=Prompt(messages=()), deadline=0.0)
    return AttemptFinished(started=call, request=request, plan=None, attempt=ended, trace=None)


def snapshot(
    sequence: int = 1,
    *,
    epoch: int = 1,
    merged: int | None = None,
    blocks: tuple[ProviderHealth, ...] = (),
    **states: State,
) -> Snapshot:
    """Every target healthy but those of the providers that `states` names."""
    targets = {target: healthy(target, states.get(target.partition("/")[0], State.HEALTHY)) for target in TARGETS}
    return Snapshot(
        epoch=epoch,
        sequence=sequence,
        prober_id="prober-1",
        targets=targets,
        providers={block.provider: block for block in blocks},
        merged_sequences={} if merged is None else {REPORTER: merged},
    )


def healthy(target: str, state: State = State.HEALTHY) -> TargetHealth:
    made = TargetHealth(target=target, state=state, state_age_s=60.0)
    return replace(made, traffic_share=SHARES.get(state, 1.0))

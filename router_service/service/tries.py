"""One attempt while it is under way: what it was given, and what is known of it so far."""

from __future__ import annotations

import time
from dataclasses import dataclass

from router_service.core.catalog import Target
from router_service.core.chat import Delta, Prompt, Usage
from router_service.core.deadline import OUT_OF_THE_USUAL
from router_service.core.errors import Stage, TimeShareSpent, UpstreamError, UpstreamTimeout
from router_service.core.events import AttemptStarted
from router_service.service.rooms import Room

CLOCK_SLACK_S = 0.05
"""The loop's timers may fire that much before the clock says so."""


@dataclass(slots=True, kw_only=True, eq=False)
class Try:
    """It goes on after `prefix`, which attempts before it delivered. `stage` and `output_characters` grow with it, and
    so does `usage`, what the provider has reported so far. It `has_finished` once the model has ended its answer, and
    the stream of it may still break; it `is_whole`: all of the answer was read, whether it is
    any good or not. Clocks are monotonic but `start_time`.

    It may stay silent until `silent_until`: `limit_s` is the target's own bound on that, `usual_s` the 95th percentile
    of what was measured there, 0 where nothing was, and `late_after_s` the same with a guess in its place. `is_further`
    marks those that the budget of further attempts binds, `is_hedged` those that began while another was under way.
    """

    number: int
    target: Target
    prompt: Prompt
    prefix: str
    room: Room
    call: AttemptStarted
    is_further: bool
    is_hedged: bool
    wants_new_connection: bool
    started: float
    start_time: float
    limit_s: float
    usual_s: float
    late_after_s: float
    silent_until: float
    stage: Stage = Stage.CONNECT
    status_code: int = 0
    first_token: float | None = None
    output_characters: int = 0
    has_finished: bool = False
    is_whole: bool = False
    usage: Usage | None = None
    dropped_fields: tuple[str, ...] = ()

    @property
    def has_begun(self) -> bool:
        """Whether something of the answer has come."""
        return self.first_token is not None

    @property
    def is_counted(self) -> bool:
        """Whether what was reported is of all the answer, also where its stream broke after that."""
        return self.is_whole or (self.has_finished and self.usage is not None)

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

    def too_slow(self) -> UpstreamError:
        """It said nothing until its timer ended. It is the target's fault when that was the target's own limit, or far
        longer than it usually takes; else its share of the caller's time was too short to tell.
        """
        silent_s = time.monotonic() - self.started
        is_unusual = self.usual_s > 0 and silent_s >= OUT_OF_THE_USUAL * self.usual_s
        kind = UpstreamTimeout if is_unusual or silent_s >= self.limit_s - CLOCK_SLACK_S else TimeShareSpent
        return kind("the provider did not answer in time", stage=self.stage, maybe_billed=self.was_sent)

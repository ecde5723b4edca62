"""The control interface under `/_sim/`: behaviours, faults, limits and their clock, the request log and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

import msgspec

from . import wire
from .behaviours import BehaviourError, parse_behaviours, show_behaviours
from .limits_shown import show_limits
from .schedule import ANY, Schedule, ScheduleError, parse_schedule
from .staging import PATHS, Call
from .state import SimulatorState

PREFIX = "/_sim/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAnswer:
    """The answer to a control request."""

    status: int = 200
    content_type: bytes = wire.JSON
    fields: bytes = b""
    body: bytes = b"{}"

    def encoded(self) -> bytes:
        """Return the answer as bytes for the socket."""
        return wire.head(self.status, self.content_type, body=len(self.body), fields=self.fields) + self.body


def control(call: Call, state: SimulatorState) -> ControlAnswer:
    """Carry out a control request and answer it."""
    try:
        return _dispatch(call, state)
    except (BehaviourError, ScheduleError) as error:
        return _problem(400, str(error))
    except (UnicodeDecodeError, RecursionError):
        return _problem(400, f"{call.path}: the body is not JSON in UTF-8, or is nested too deeply")


class _ClockStep(msgspec.Struct, forbid_unknown_fields=True):
    # Forward only: a window that ended stays ended.
    advance_s: Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]


def _dispatch(call: Call, state: SimulatorState) -> ControlAnswer:
    match call.method, call.path.removeprefix(PREFIX):
        case "GET", "behaviours":
            return ControlAnswer(body=show_behaviours(state.cast.behaviours))
        case "POST", "behaviours":
            state.cast.recast(parse_behaviours(call.body), now_s=state.clock())
            return ControlAnswer(body=show_behaviours(state.cast.behaviours))
        case "GET", "limits":
            return ControlAnswer(body=show_limits(state))
        case "DELETE", "limits":
            state.cast.restart_windows()
            return ControlAnswer(body=show_limits(state))
        case "GET", "clock":
            return _show_clock(state)
        case "POST", "clock":
            return _advance_clock(call.body, state)
        case "GET", "faults":
            return _show_faults(state)
        case "POST", "faults":
            state.schedule = _read_schedule(call.body, now_s=state.clock())
            return _show_faults(state)
        case "DELETE", "faults":
            state.schedule = Schedule((), set_at_s=state.clock())
            return _show_faults(state)
        case "GET", "log":
            return _show_log(call.query, state)
        case "DELETE", "log":
            state.log.empty()
            return ControlAnswer()
        case "GET", "connections":
            return _show_connections(state)
        case _, "behaviours" | "limits" | "clock" | "faults" | "log" | "connections":
            return _problem(405, f"{call.method} is not possible on {call.path}")
        case _:
            return _problem(404, f"{call.path}: there are behaviours, limits, clock, faults, log and connections")


def _read_schedule(body: bytes, *, now_s: float) -> Schedule:
    """Read a schedule, none of whose rules could never fire. Raises ScheduleError."""
    schedule = parse_schedule(body, set_at_s=now_s)
    for number, shown in enumerate(schedule.show(now_s)):
        if shown.rule.path not in (ANY, *PATHS):
            raise ScheduleError(f"rules[{number}].path: {shown.rule.path}: want one of {', '.join((ANY, *PATHS))}")
    return schedule


def _advance_clock(body: bytes, state: SimulatorState) -> ControlAnswer:
    try:
        step = msgspec.json.decode(body, type=_ClockStep)
    except msgspec.DecodeError as error:
        return _problem(400, str(error).replace("`", ""))
    state.advanced_s += step.advance_s
    return _show_clock(state)


def _show_clock(state: SimulatorState) -> ControlAnswer:
    clock = {"advanced_s": state.advanced_s, "now_s": state.since_start_s(state.window_moment().window_s)}
    return ControlAnswer(body=msgspec.json.encode(clock))


def _show_faults(state: SimulatorState) -> ControlAnswer:
    rules: list[dict[str, object]] = []
    for shown in state.schedule.show(state.clock()):
        standing = {name: getattr(shown, name) for name in ("state", "remaining_s", "matched", "fired")}
        rules.append({**msgspec.structs.asdict(shown.rule), **standing})
    return ControlAnswer(body=msgspec.json.encode({"rules": rules}))


def _show_log(query: str, state: SimulatorState) -> ControlAnswer:
    given = parse_qs(query).get("after", ["0"])[-1]
    if not (given.isascii() and given.isdigit()):
        return _problem(400, f"after={given}: want a row number")
    rows, following = state.log.read(int(given))
    fields = b"x-sim-next: %d\r\nx-sim-dropped: %d\r\n" % (following, state.log.dropped)
    return ControlAnswer(content_type=wire.NDJSON, fields=fields, body=rows)


def _show_connections(state: SimulatorState) -> ControlAnswer:
    # `now_s` is on the scale of the log's times, so that a test can place its own moments there.
    counts: dict[str, float] = {
        "open": state.open,
        "in_flight": state.in_flight,
        "accepted": state.accepted,
        "now_s": state.since_start_s(state.clock()),
    }
    return ControlAnswer(body=msgspec.json.encode(counts))


def _problem(status: int, message: str) -> ControlAnswer:
    return ControlAnswer(status=status, body=msgspec.json.encode({"error": {"message": message}}))

"""The log's row for one request, made from what was read, what was to be sent, and what was sent."""

from __future__ import annotations

from datetime import UTC, datetime

from .log import LogRow
from .player import Player
from .staging import Call, Performance, locate
from .state import SimulatorState


def witness(
    call: Call,
    performance: Performance | None,
    player: Player | None,
    state: SimulatorState,
    *,
    connection: int,
    closed_by: str,
) -> LogRow:
    """Return the row of a request that ends now; performance and player are missing where its answer never began."""
    if performance is None or player is None:
        return _unanswered(call, state, connection=connection, closed_by=closed_by)
    return LogRow(
        time=datetime.fromtimestamp(call.started_at, UTC),
        connection=connection,
        attempt_id=call.attempt_id,
        provider=performance.provider,
        model=performance.model,
        complete_request=call.is_complete,
        status=0 if player.first_byte_s is None else performance.script.status,
        events=player.events,
        input_tokens=performance.script.input_tokens,
        output_tokens=player.output_tokens,
        terminal=player.is_done and performance.script.is_whole,
        closed_by=closed_by,
        text_sha256=player.text_sha256(),
        path=performance.path,
        stream=performance.is_stream,
        fault=performance.fault,
        started=state.since_start_s(call.started_s),
        first_byte_s=None if player.first_byte_s is None else state.since_start_s(player.first_byte_s),
        ended_s=state.since_start_s(state.clock()),
    )


def _unanswered(call: Call, state: SimulatorState, *, connection: int, closed_by: str) -> LogRow:
    provider, path = locate(call.path)
    return LogRow(
        time=datetime.fromtimestamp(call.started_at, UTC),
        connection=connection,
        attempt_id=call.attempt_id,
        provider=provider,
        model="",
        complete_request=call.is_complete,
        status=0,
        events=0,
        input_tokens=0,
        output_tokens=0,
        terminal=False,
        closed_by=closed_by,
        text_sha256="",
        path=path,
        stream=False,
        fault=call.fault,
        started=state.since_start_s(call.started_s),
        first_byte_s=None,
        ended_s=state.since_start_s(state.clock()),
    )

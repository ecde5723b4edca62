"""The rows U01 to U26 of the fault matrix: what each becomes for a caller, in both forms of call, with one target and
with two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from signalbox.v1 import chat_pb2

from router_service.service.retries import SHORTEST_S
from tests.faults import answers, connections, floods, refusals, silences
from tests.faults.answers import CANARY
from tests.faults.fault import OUTCOMES, Fault, Trial, trials
from tests.faults.scripts import SERVED
from tests.faults.stage import KEY, SECOND, Played, Stage, staged
from tests.harness.processes import SLOWER_IN_CI, wait_until

FAULTS: tuple[Fault, ...] = (
    *connections.FAULTS,
    *silences.FAULTS,
    *answers.FAULTS,
    *refusals.FAULTS,
    *floods.FAULTS,
)
TRIALS = [trial for fault in FAULTS for trial in trials(fault)]
SLACK_S = 1.5 * SLOWER_IN_CI
"""What a busy machine may add to a bound; less than it would take to run into a patient provider's timer."""
CLOSE_S = 0.25
BESIDE = 12


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(TRIALS) as stage:
        yield stage


@pytest.fixture(scope="module")
def waited(stage: Stage) -> Mapping[str, Played]:
    """What became of those that a timer ends, played beside each other so that their waits are one."""
    waiting = [trial for trial in TRIALS if trial.waits]
    with ThreadPoolExecutor(BESIDE) as pool:
        return dict(zip([trial.id for trial in waiting], pool.map(stage.play, waiting), strict=True))


@pytest.mark.parametrize("trial", TRIALS, ids=[trial.id for trial in TRIALS])
def test_fault(stage: Stage, waited: Mapping[str, Played], trial: Trial) -> None:
    played = waited.get(trial.id) or stage.play(trial)
    if trial.has_second and not trial.seen.is_final:
        is_cured_by_the_second(trial, played)
    elif trial.seen.reason:
        is_refused(trial, played)
    else:
        is_served(trial, played)
    assert played.took_s <= bound_s(trial) + SLACK_S
    assert played.grew_mib <= (trial.fault.most_mib or 0)
    if played.host is not None:
        host = played.host
        assert len(host.requests) == trial.fault.is_sent, "it is asked once, or not at all"
        wait_until(lambda: host.open_now == 0, within_s=CLOSE_S + SLACK_S, what="its connection is closed")
    if trial.fault.also is not None:
        trial.fault.also(stage, trial, played)


def bound_s(trial: Trial) -> float:
    """What the call may take: a second target that serves takes no time worth naming."""
    return min(trial.seen.within_s, trial.fault.timeout_s)


def is_served(trial: Trial, played: Played) -> None:
    assert played.text == trial.seen.text
    assert played.answer.target == f"{trial.provider}/chat-small"
    assert [(a.outcome, a.maybe_billed) for a in played.answer.attempts] == [(chat_pb2.OUTCOME_OK, False)]


def is_refused(trial: Trial, played: Played) -> None:
    seen, refusal = trial.seen, played.refusal
    assert refusal.info.domain == "signalbox.dev"
    found = (refusal.code.name, refusal.info.reason, refusal.facts["maybe_billed"])
    assert found == (seen.code, seen.reason, str(seen.is_billed).lower())
    assert (refusal.facts["attempts"], refusal.facts["target"]) == ("1", f"{trial.provider}/chat-small")
    assert seen.text in (None, played.text)
    assert int(refusal.facts["delivered_chunks"]) == len(played.pieces)
    if seen.cause:
        assert refusal.facts["cause"] == seen.cause
    assert refusal.facts.get("partial", "false") == str(bool(played.pieces)).lower()
    assert refusal.retry_s == pytest.approx(seen.waits_s, abs=0.2) if seen.waits_s else refusal.retry_s is None
    may_come_again = not trial.fault.is_sent and seen.waits_s is not None
    assert refusal.pushback_ms == ("1000" if may_come_again else "-1"), "what was sent may not be repeated unasked"
    assert (refusal.facts["stage"] == "connect") == (not trial.fault.is_sent)
    assert not any(canary in f"{refusal}" for canary in (CANARY, KEY, "canary-of-the-prompt"))


def is_cured_by_the_second(trial: Trial, played: Played) -> None:
    failed, served = played.answer.attempts
    assert played.text == SERVED
    assert played.answer.target == served.target == f"{SECOND}/chat-small"
    reason = trial.seen.attempt_reason or trial.seen.reason
    assert (failed.target, failed.error_reason) == (f"{trial.provider}/chat-small", reason)
    assert chat_pb2.Outcome.Name(failed.outcome) == f"OUTCOME_{OUTCOMES[reason]}"
    assert (failed.maybe_billed, failed.cost_usd_nanos > 0) == (trial.seen.is_billed, trial.seen.is_billed)
    assert played.answer.cost_usd_nanos == failed.cost_usd_nanos + served.cost_usd_nanos


def test_u01_nobody_is_asked_again_without_a_pause(stage: Stage) -> None:
    """Where it is the only one, it is asked once more."""
    [trial] = [trial for trial in TRIALS if trial.id == "U01-refused-unary-alone"]
    played = stage.call(trial, stage.request(trial))
    assert (played.refusal.info.reason, played.refusal.facts["attempts"]) == ("UPSTREAM_CONNECT", "2")
    assert played.took_s >= SHORTEST_S


def test_every_row_has_a_fault() -> None:
    assert {fault.row for fault in FAULTS} == {f"U{number:02}" for number in range(1, 27)}


def test_nothing_of_all_this_is_written_down(stage: Stage) -> None:
    """The last test of the file: the router has met every fault by now."""
    log = stage.router.stderr()
    assert [canary for canary in (CANARY, KEY, "canary-of-the-prompt", "Traceback") if canary in log] == []

"""U19 to U22 and U26: providers that refuse, fail or point elsewhere."""

from __future__ import annotations

import time
from email.utils import formatdate

from signalbox.v1 import admin_pb2, health_feed_pb2

from tests.faults.fault import QUICK_S, Fault, Seen, Trial
from tests.faults.scripts import Act, asked, refusal, says
from tests.faults.stage import Played, Stage
from tests.harness.hosts import Peer
from tests.harness.raw import head

MONEY = {"code": "insufficient_quota", "message": "canary-of-a-body"}
METADATA = "http://169.254.169.254/latest/meta-data/"
WELL_S = 1.0
"""So long a provider is left alone that limits its rate and names no time."""


def _limited(retry_s: float = WELL_S) -> Seen:
    return Seen(reason="PROVIDERS_RATE_LIMITED", is_billed=False, within_s=QUICK_S, retry_s=retry_s)


OUT_OF_MONEY = Seen(
    reason="PROVIDERS_RATE_LIMITED", is_billed=False, within_s=QUICK_S, attempt_reason="PROVIDERS_OUT_OF_MONEY"
)


def _refused(reason: str) -> Seen:
    return Seen(reason=reason, is_billed=False, within_s=QUICK_S)


def is_left_alone(stage: Stage, trial: Trial, played: Played) -> None:
    """The next call does not reach it."""
    assert played.host is not None
    asked_before = len(played.host.requests)
    again = stage.play(trial)
    assert len(played.host.requests) == asked_before
    if not trial.has_second:
        assert (again.refusal.info.reason, again.refusal.facts["attempts"]) == (trial.seen.reason, "0")


def keeps_its_health(stage: Stage, trial: Trial, played: Played) -> None:
    """However often a request is refused for what it is."""
    for _ in range(10):
        stage.play(trial)
    asked = admin_pb2.GetTargetRequest(target=f"{trial.provider}/chat-small")
    health = stage.admin.GetTarget(asked, timeout=5).target.health
    assert (health.consecutive_failures, health.samples) == (0, 0)
    assert health.state != health_feed_pb2.HEALTH_STATE_UNHEALTHY


def reached_nobody_else(stage: Stage, trial: Trial, played: Played) -> None:
    assert stage.elsewhere.connections == 0


def dated(peer: Peer) -> None:
    now = time.time()
    date, later = formatdate(now, usegmt=True), formatdate(now + 100, usegmt=True)
    peer.send(refusal(429, f"date: {date}", f"retry-after: {later}"))


def _limiting(name: str, act: Act, retry_s: float = WELL_S) -> Fault:
    seen = _limited(retry_s)
    return Fault(row="U19", name=name, script=asked(act), unary=seen, streamed=seen, also=is_left_alone)


def _failing(status: int) -> Fault:
    seen = _refused("UPSTREAM_5XX")
    return Fault(row="U21", name=f"status-{status}", script=asked(says(refusal(status))), unary=seen, streamed=seen)


def _refusing(status: int, reason: str, *, code: str = "") -> Fault:
    """`code` is what the provider calls it, where the status alone says too little."""
    name = f"status-{status}-{code.replace('_', '-')}".rstrip("-")
    answer = refusal(status, error={"code": code, "message": "canary-of-a-body"})
    also = keeps_its_health if status == 400 else None
    seen = _refused(reason)
    return Fault(row="U22", name=name, script=asked(says(answer)), unary=seen, streamed=seen, also=also)


def _redirecting(name: str, status: int, location: str) -> Fault:
    """To a place that may name the port at which another host listens."""

    def act(peer: Peer) -> None:
        where = location.format(port=peer.host.elsewhere_port)
        peer.send(head(f"{status} X", f"location: {where}", "content-length: 0"))

    seen = _refused("UPSTREAM_REDIRECT")
    return Fault(row="U26", name=name, script=asked(act), unary=seen, streamed=seen, also=reached_nobody_else)


FAULTS = (
    _limiting("seconds", says(refusal(429, "retry-after: 2")), 2.0),
    _limiting("date", dated, 100.0),
    _limiting("milliseconds", says(refusal(429, "retry-after-ms: 1500")), 1.5),
    _limiting("absurdly-long", says(refusal(429, "retry-after: 1000000000")), 300.0),
    _limiting("negative", says(refusal(429, "retry-after: -5"))),
    _limiting("no-number", says(refusal(429, "retry-after: soon"))),
    _limiting("no-word", says(refusal(429))),
    Fault(
        row="U20",
        name="money-gone",
        script=asked(says(refusal(429, error=MONEY))),
        unary=OUT_OF_MONEY,
        streamed=OUT_OF_MONEY,
        also=is_left_alone,
    ),
    *(_failing(status) for status in (500, 502, 503, 504, 529)),
    _refusing(401, "UPSTREAM_CREDENTIALS"),
    _refusing(403, "UPSTREAM_CREDENTIALS"),
    _refusing(404, "UPSTREAM_MODEL_MISSING"),
    _refusing(400, "UPSTREAM_REJECTED_REQUEST"),
    _refusing(422, "UPSTREAM_REJECTED_REQUEST"),
    _refusing(413, "CONTEXT_TOO_LONG"),
    _refusing(400, "CONTEXT_TOO_LONG", code="context_length_exceeded"),
    _refusing(400, "CONTENT_FILTERED", code="content_filter"),
    *(_redirecting(f"status-{status}", status, "http://127.0.0.1:{port}/v1") for status in (301, 302, 307, 308)),
    _redirecting("to-metadata", 307, METADATA),
    _redirecting("to-a-file", 302, "file:///etc/passwd"),
)

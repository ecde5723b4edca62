"""Scenarios in which providers fail: who follows whom, how an outage is left and returned from, and what holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from signalbox.v1.chat_pb2 import TASK_TYPE_CHAT, TASK_TYPE_REASONING
from signalbox.v1.router_pb2 import Routing

from router_service.commands.demo.checks import Check, at_least, at_most, none_of, same
from router_service.commands.demo.scenario import none_failed, providers, served
from router_service.commands.demo.simulator import Row
from router_service.commands.demo.stage import Stage
from router_service.commands.demo.traffic import Heard, asks, at_once, at_rate

ORDER = ("openrouter", "groq", "cloudflare", "nvidia", "mistral", "local")
EXHAUSTED, BROKEN = "status=429;retry-after=600", "status=503"
EUROPEAN = ("mistral", "azure")

REQUESTS, LASTS_S = 500, 60.0
OUTAGE_FROM_S, OUTAGE_S = 10.0, 20.0
NOTICED_S = 2.0
"""From the first failure until the first choice has to be left."""
BACK_S = 30.0
WINDOW_S, STEP_S = 2.0, 0.25
"""What a share of the traffic is measured over, and how finely its return is."""
USUAL_SHARE = 0.9
"""What of the usual share counts as having it back: the last percents come with the last calls' evidence."""
LEFT_SHARE = 0.1


async def cascade(stage: Stage, _rng: Random) -> Sequence[Check]:
    """Each provider in turn says that its quota is gone, or breaks; the next one in order takes over."""
    answered: list[str] = []
    heard: list[Heard] = []
    faults: list[Mapping[str, object]] = []
    for step, name in enumerate(ORDER):
        wanted = asks(f"step-{step}", 3, Routing(task_type=TASK_TYPE_REASONING))
        found = await at_once(stage.client, wanted)
        heard += found
        answered += providers(found)
        faults.append({"provider": name, "fault": BROKEN if step % 2 else EXHAUSTED})
        await stage.simulator.show(faults)
    return [same("answered by, in order", list(ORDER), answered), none_failed(heard)]


async def outage(stage: Stage, _rng: Random) -> Sequence[Check]:
    """The first choice fails half the time for a while, probes included, and recovers.

    The requests are speed-critical, so that the first choice leads by enough to be missed: where the next one is almost
    as good, a few failures that have not faded yet are reason enough to stay there.
    """
    began_s = await stage.simulator.now_s()
    fault = {
        "provider": "groq",
        "fault": BROKEN,
        "probability": 0.5,
        "from_s": OUTAGE_FROM_S,
        "for_s": OUTAGE_S,
    }
    await stage.simulator.show([fault])
    wanted = asks("urgent", REQUESTS, Routing(task_type=TASK_TYPE_CHAT, speed_critical=True))
    heard = await at_rate(stage.client, wanted, per_s=REQUESTS / LASTS_S)
    first = [row for row in await stage.simulator.rows() if row.attempt == 1]
    failed_s = min((row.started_s for row in first if row.status != 200), default=began_s + OUTAGE_FROM_S)
    recovered_s = began_s + OUTAGE_FROM_S + OUTAGE_S
    usual = share_of(first, began_s, began_s + OUTAGE_FROM_S)
    back_s = back_after_s(first, recovered_s, USUAL_SHARE * usual)
    return [
        same("requests", REQUESTS, len(first)),
        none_failed(heard),
        at_least("share of first attempts before the outage", 0.9, usual),
        at_most(
            "share in the outage, from 2 s after its first failure",
            LEFT_SHARE,
            share_of(first, failed_s + NOTICED_S, recovered_s),
        ),
        at_most("time until the usual share is back", BACK_S, back_s, "s"),
    ]


async def compliance(stage: Stage, _rng: Random) -> Sequence[Check]:
    """Data that must stay in the EU stays there, when one provider fails, and when all of them do."""
    routing = Routing(region="eu", required_compliance=["gdpr"])
    well = await at_once(stage.client, asks("well", 20, routing), most=5)
    await stage.simulator.show([{"provider": "mistral", "fault": BROKEN}])
    failing = await at_once(stage.client, asks("one-down", 20, routing), most=5)
    await stage.simulator.show([{"provider": name, "fault": BROKEN} for name in EUROPEAN])
    down = await at_once(stage.client, asks("all-down", 10, routing), most=5)
    rows = await stage.simulator.rows()
    return [
        none_failed([*well, *failing]),
        same("answered while all are well", {"mistral": 20}, providers(well)),
        same(
            "answered while Mistral is down", {"azure": 20}, served(r for r in rows if r.request_id[:8] == "one-down")
        ),
        same("answered while both are down", {"nobody": 10}, providers(down)),
        none_of("errors without a reason", (h.request_id for h in down if not h.message or not _is_named(h))),
        none_of("calls beyond the EU or the certificate", (r.provider for r in rows if r.provider not in EUROPEAN)),
    ]


def share_of(first: Sequence[Row], from_s: float, to_s: float) -> float:
    """The first choice's share of the first attempts in a time."""
    within = [row for row in first if from_s <= row.started_s < to_s]
    return sum(row.provider == "groq" for row in within) / len(within) if within else 0.0


def back_after_s(first: Sequence[Row], recovered_s: float, wanted: float) -> float:
    """How long after the recovery the share is what it was, over the next seconds; infinite where it never is."""
    last_s = max((row.started_s for row in first), default=recovered_s)
    from_s = recovered_s
    while from_s + WINDOW_S <= last_s:
        if share_of(first, from_s, from_s + WINDOW_S) >= wanted:
            return from_s - recovered_s
        from_s += STEP_S
    return float("inf")


def _is_named(heard: Heard) -> bool:
    """Whether the refusal says what happened and not merely that something did."""
    return heard.error not in ("", "INTERNAL", "UNKNOWN")

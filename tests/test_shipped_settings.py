"""The promise to leave a broken provider within two seconds, on the settings that a new user has."""

from __future__ import annotations

import time

import pytest

from tests.harness import processes, settings
from tests.harness.load import Load
from tests.harness.processes import SLOWER_IN_CI, running, wait_until
from tests.harness.witness import Witness

LEAVE_S, LOOK_S = 2.0, 1.0
PACE = {"*": {"latency_s": 0.02, "tokens_per_s": 100, "output_tokens": 24}}
IN_FORCE: dict[str, dict[str, object]] = {"prober": {}, "health": {}}


@pytest.mark.slow
def test_a_provider_that_breaks_is_left_within_two_seconds() -> None:
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory, behaviours=PACE)
        with running(simulator):
            address = simulator.ready["simulator"]
            config = settings.write(directory, settings.simulated(address), **IN_FORCE)
            prober, router = processes.prober(directory, config), processes.router(directory, config)
            with running(prober, router), Witness(address) as witness, Load(router.ready["router"]) as load:

                def first_tries(*, since: float) -> list[str]:
                    return [c.tried[0].target for c in load.since(since) if c.tried]

                wait_until(
                    lambda: first_tries(since=0.0).count("alder/chat-small") >= 30,
                    within_s=10 * SLOWER_IN_CI,
                    what="the cheapest provider serves",
                )
                witness.break_provider("alder", "status=503")
                broken = time.monotonic()
                wait_until(lambda: time.monotonic() > broken + LEAVE_S + LOOK_S, within_s=5, what="time passes")
                later = first_tries(since=broken + LEAVE_S)
                assert len(later) > 20
                assert later.count("alder/chat-small") <= 0.1 * len(later)
            assert not load.errors(), "and nobody noticed"

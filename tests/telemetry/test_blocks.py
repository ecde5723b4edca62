"""Why a provider is not called for a while, as a gauge of the router and of the prober."""

from __future__ import annotations

from contextlib import ExitStack

from signalbox_client import Client

from tests.harness import processes, settings
from tests.harness.metrics import Figures, scraped
from tests.harness.processes import wait_until
from tests.harness.witness import Witness

NAME = "signalbox_provider_blocked"
FREE = {"rate_limited": 0, "money": 0, "credentials": 0, "overloaded": 0}


FAULTS = {
    "alder": ("status=429;retry-after=60", "rate_limited"),
    "birch": ("status=402", "money"),
    "cedar": ("status=401", "credentials"),
}
"""What each provider answers, and the reason that is told of it."""
PROVIDERS = (*FAULTS, "dogwood")


def _blocks(page: Figures) -> dict[str, dict[str, float]]:
    return {provider: page.by(NAME, "reason", provider=provider) for provider in PROVIDERS}


def test_block_is_told_by_its_reason() -> None:
    with ExitStack() as running:
        directory = running.enter_context(processes.short_directory())
        simulator = processes.simulator(directory)
        running.enter_context(processes.running(simulator))
        config = settings.write(directory, settings.simulated(simulator.ready["simulator"], PROVIDERS))
        router, prober = processes.router(directory, config), processes.prober(directory, config)
        running.enter_context(processes.running(prober, router))
        witness = running.enter_context(Witness(simulator.ready["simulator"]))
        pages = (router.ready["metrics"], prober.ready["metrics"])
        assert [_blocks(scraped(page)) for page in pages] == [dict.fromkeys(PROVIDERS, FREE)] * 2
        witness.show([{"provider": provider, "fault": fault} for provider, (fault, _) in FAULTS.items()])
        with Client(router.ready["router"], channels=1) as client:
            assert client.complete("hello").target == "dogwood/chat-small"
        told = {provider: {**FREE, reason: 1} for provider, (_, reason) in FAULTS.items()} | {"dogwood": FREE}
        for page in pages:
            wait_until(lambda page=page: _blocks(scraped(page)) == told, within_s=10, what="every block")  # type: ignore[misc]

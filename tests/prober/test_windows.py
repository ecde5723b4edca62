"""What is left of limits, by whoever said so last."""

from __future__ import annotations

import grpc
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from prober.windows import Windows
from router_service.core.health import QuotaWindow
from tests.harness import processes, settings
from tests.harness.processes import SLOWER_IN_CI, wait_until

from .stage import NAMES, Stage, staged


def window(remaining: int, *, resets_in_s: float | None = 60.0, unit: str = "requests/minute") -> QuotaWindow:
    return QuotaWindow(unit=unit, limit=30, remaining=remaining, resets_in_s=resets_in_s)


def test_a_later_word_takes_the_place_of_an_earlier_one() -> None:
    windows = Windows()
    windows.tell("router-1", "alder", [window(3), window(9, unit="tokens/day")], 0.0)
    windows.tell("router-1", "alder", [window(20)], 1.0)
    assert windows.of("alder", 1.0) == (window(20),)
    assert windows.of("birch", 1.0) == ()


def test_of_two_sources_the_one_counts_that_leaves_less() -> None:
    windows = Windows()
    windows.tell("router-1", "alder", [window(3), window(9, unit="tokens/day")], 0.0)
    windows.tell("router-2", "alder", [window(5)], 0.0)
    assert set(windows.of("alder", 0.0)) == {window(3), window(9, unit="tokens/day")}
    windows.forget(["router-1"])
    assert windows.of("alder", 0.0) == (window(5),)


def test_the_time_to_the_reset_shrinks_and_a_window_that_began_anew_is_not_known() -> None:
    windows = Windows()
    windows.tell("router-1", "alder", [window(0), window(7, resets_in_s=None, unit="usd_nanos")], 100.0)
    assert windows.of("alder", 140.0)[0].resets_in_s == 20.0
    assert windows.of("alder", 160.0) == (window(7, resets_in_s=None, unit="usd_nanos"),)


def test_a_free_window_and_a_limit_of_the_same_unit_are_two() -> None:
    free = QuotaWindow(unit="requests/day", limit=50, remaining=4, is_free=True)
    limit = QuotaWindow(unit="requests/day", limit=200, remaining=154)
    windows = Windows()
    windows.tell("router-1", "alder", [limit, free], 0.0)
    assert windows.of("alder", 0.0) == (limit, free)


LIMIT = {"unit": "requests", "per": "day", "max": 40}
FREE = {"unit": "requests", "per": "day", "max": 30}


def limited(address: str) -> list[dict[str, object]]:
    return [settings.provider(n, f"http://{address}/{n}/v1", limits=[LIMIT], free=FREE) for n in NAMES]


def left(stage: Stage) -> dict[str, int]:
    """What is left of the limits and of the free windows of all providers together."""
    windows = [window for provider in stage.snapshot().providers.values() for window in provider.windows]
    return {kind: sum(w.remaining for w in windows if w.is_free == (kind == "free")) for kind in ("limit", "free")}


def test_what_a_router_has_used_of_limits_is_in_the_feed() -> None:
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, content="Hello")
    with staged(limited) as stage:
        router = processes.router(stage.directory, stage.directory / "signalbox.yaml")
        with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
            for _ in range(5):
                router_pb2_grpc.RouterStub(channel).Complete(router_pb2.CompleteRequest(messages=[message]), timeout=5)
            wait_until(
                lambda: left(stage) == {"limit": 3 * 40 - 5, "free": 3 * 30 - 5},
                within_s=5 * SLOWER_IN_CI,
                what="the feed does not say what is left",
            )


def test_what_deep_probes_use_of_limits_counts_with_what_callers_use() -> None:
    with staged(limited, deep={"enabled": True, "interval_s": 3600}) as stage:
        wait_until(lambda: len(stage.witness.rows()) == 3, within_s=5 * SLOWER_IN_CI, what="no deep probes")
        wait_until(
            lambda: left(stage) == {"limit": 3 * 40 - 3, "free": 3 * 30 - 3},
            within_s=5 * SLOWER_IN_CI,
            what="the probes were not counted",
        )

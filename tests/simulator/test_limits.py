"""Limits, concurrency and latencies by target, over real connections."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from .harness import PATIENCE_S, QUIET_S, Simulator, chat_body, raw_chat, read_answers, stream_body

DAY_S = 86_400


def set_behaviours(simulator: Simulator, behaviours: dict[str, Any]) -> None:
    """Put behaviours in force."""
    answer = simulator.client.post("/_sim/behaviours", json=behaviours)
    assert answer.status_code == 200, answer.text


def limits(simulator: Simulator) -> dict[str, Any]:
    """Return what the control interface shows, by name."""
    return {item["name"]: item for item in simulator.client.get("/_sim/limits").json()["items"]}


def requests_per(per: str, most: int) -> dict[str, object]:
    """Return a limit of requests."""
    return {"unit": "requests", "per": per, "max": most}


def test_limit_refuses_what_is_over_it_and_the_window_resets(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"free": {"limits": [requests_per("day", 3)], "limit_style": "openrouter"}})
    answers = [own_simulator.chat(chat_body(), provider="free") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert DAY_S - 60 < int(answers[3].headers["retry-after"]) <= DAY_S
    [window] = limits(own_simulator)["free"]["windows"]
    assert (window["used"], window["remaining"], window["refused"]) == (3, 0, 2)
    own_simulator.client.post("/_sim/clock", json={"advance_s": DAY_S - 60})
    assert own_simulator.chat(chat_body(), provider="free").status_code == 429
    clock = own_simulator.client.post("/_sim/clock", json={"advance_s": 60}).json()
    assert clock["advanced_s"] == DAY_S
    assert clock == {**own_simulator.client.get("/_sim/clock").json(), "now_s": clock["now_s"]}
    assert own_simulator.chat(chat_body(), provider="free").status_code == 200


def test_refusal_is_in_the_log_and_not_in_the_count_of_tokens(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"fast": {"limits": [{"unit": "tokens", "per": "minute", "max": 60}]}})
    assert own_simulator.chat(chat_body("x" * 40)).headers["x-ratelimit-remaining-tokens"] == "26"
    assert own_simulator.chat(chat_body("x" * 40), attempt="over").status_code == 429
    row = own_simulator.row("over")
    assert (row["status"], row["input_tokens"], row["output_tokens"], row["fault"]) == (429, 0, 0, "")
    assert limits(own_simulator)["fast"]["windows"][0]["used"] == 34
    assert own_simulator.chat(chat_body("x" * 40, max_tokens=16)).status_code == 200


def test_stream_carries_the_headers_too(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"fast": {"limits": [requests_per("minute", 2)]}})
    answer = own_simulator.chat(stream_body())
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.headers["x-ratelimit-remaining-requests"] == "1"


def test_neurons_that_are_gone_are_error_3036(own_simulator: Simulator) -> None:
    neurons = {"unit": "neurons", "per": "day", "max": 10}
    set_behaviours(own_simulator, {"cloudflare": {"limits": [neurons], "limit_style": "cloudflare"}})
    assert own_simulator.chat(chat_body(), provider="cloudflare").status_code == 200
    refusal = own_simulator.chat(chat_body(), provider="cloudflare")
    assert (refusal.status_code, refusal.json()["errors"][0]["code"]) == (429, 3036)


def test_only_answers_count(own_simulator: Simulator) -> None:
    behaviour = {"limits": [requests_per("minute", 1)], "requires_key": True}
    set_behaviours(own_simulator, {"fast": behaviour})
    assert own_simulator.client.get("/fast/v1/models", headers={"authorization": "Bearer k"}).status_code == 200
    assert own_simulator.chat(chat_body()).status_code == 401
    assert own_simulator.chat(chat_body(), key="k", fault="status=503").status_code == 503
    assert own_simulator.chat(b"{}", key="k").status_code == 400
    assert own_simulator.chat(chat_body(), key="k").status_code == 200
    assert own_simulator.chat(chat_body(), key="k").status_code == 429


def test_counts_are_shown_before_traffic_and_can_be_forgotten(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"fast": {"limits": [requests_per("minute", 1)], "max_concurrency": 2}})
    [window] = limits(own_simulator)["fast"]["windows"]
    assert window == {**requests_per("minute", 1), "used": 0, "remaining": 1, "refused": 0, "resets_in_s": None}
    assert limits(own_simulator)["fast"]["concurrency"] == {"busy": 0, "waiting": 0, "max": 2}
    assert own_simulator.chat(chat_body()).status_code == 200
    assert own_simulator.client.delete("/_sim/limits").json()["items"][0]["windows"][0]["used"] == 0
    assert own_simulator.chat(chat_body()).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b'{"advance_s": -1}', b'{"advance_s": "x"}', b'{"advance": 1}'])
def test_clock_only_goes_forward(simulator: Simulator, body: bytes) -> None:
    answer = simulator.client.post("/_sim/clock", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert simulator.client.get("/_sim/clock").json()["advanced_s"] == 0


async def chat_at_once(simulator: Simulator, attempts: list[str]) -> list[httpx.Response]:
    """Send requests at the same time and return the answers in the order of the attempts."""
    answers: dict[str, httpx.Response] = {}
    async with (
        httpx.AsyncClient(base_url=f"http://{simulator.address}", trust_env=False, timeout=PATIENCE_S) as client,
        anyio.create_task_group() as group,
    ):

        async def send(attempt: str) -> None:
            headers = {"x-request-id": attempt}
            answers[attempt] = await client.post("/slow/v1/chat/completions", json=chat_body(), headers=headers)

        for attempt in attempts:
            group.start_soon(send, attempt)
    return [answers[attempt] for attempt in attempts]


@pytest.mark.anyio
async def test_concurrency_queues_and_then_refuses(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"slow": {"latency_s": 0.2, "max_concurrency": 2, "max_waiting": 1}})
    answers = await chat_at_once(own_simulator, ["a", "b", "c", "d"])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 429]
    rows = [own_simulator.row(attempt) for attempt in ("a", "b", "c", "d")]
    waits_s = sorted(row["first_byte_s"] - row["started"] for row in rows)
    assert waits_s[0] < waits_s[1]
    assert waits_s[1] > 0.19
    assert waits_s[3] > 0.39
    assert limits(own_simulator)["slow"]["concurrency"] == {"busy": 0, "waiting": 0, "max": 2}


def test_who_leaves_gives_up_the_slot_or_the_place(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"slow": {"max_concurrency": 1, "max_waiting": 5}})
    with own_simulator.connect() as held, own_simulator.connect() as waiting, own_simulator.connect() as last:
        held.sendall(raw_chat(stream_body(), provider="slow", attempt="held", fault="stall"))
        held.recv(1)
        for number, connection in enumerate((waiting, last)):
            connection.sendall(raw_chat(chat_body(), provider="slow", attempt=f"waiting-{number}"))
            connection.settimeout(QUIET_S)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        assert limits(own_simulator)["slow"]["concurrency"] == {"busy": 1, "waiting": 2, "max": 1}
        waiting.close()
        row = own_simulator.row("waiting-0")
        assert (row["status"], row["closed_by"], row["first_byte_s"]) == (0, "client", None)
        assert limits(own_simulator)["slow"]["concurrency"]["waiting"] == 1
        held.close()
        last.settimeout(PATIENCE_S)
        assert read_answers(last, 1).startswith(b"HTTP/1.1 200")
    assert own_simulator.counts()["in_flight"] == 0


def test_target_answers_in_its_own_way(own_simulator: Simulator) -> None:
    own = {"latency": {"shape": "uniform", "low_s": 0.2, "high_s": 0.25}, "output_tokens": 3}
    set_behaviours(own_simulator, {"fast": {"output_tokens": 5}, "fast/large": own})
    for model, tokens in (("small", 5), ("large", 3)):
        answer = own_simulator.chat(chat_body(model=model), attempt=model)
        assert answer.json()["usage"]["completion_tokens"] == tokens
    small, large = (own_simulator.row(model) for model in ("small", "large"))
    assert large["first_byte_s"] - large["started"] > 0.19
    assert small["first_byte_s"] - small["started"] < large["first_byte_s"] - large["started"]


def test_changes_come_in_their_time(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"fast": {"latency_changes": [{"shape": "spike", "for_s": 600, "add_s": 0.2}]}})
    own_simulator.chat(chat_body(), attempt="during")
    during = own_simulator.row("during")
    assert during["first_byte_s"] - during["started"] > 0.19
    set_behaviours(own_simulator, {"fast": {"latency_changes": [{"shape": "step", "from_s": 600, "add_s": 900}]}})
    assert own_simulator.chat(chat_body()).status_code == 200


def test_queue_does_not_hold_up_the_end(own_simulator: Simulator) -> None:
    set_behaviours(own_simulator, {"slow": {"max_concurrency": 1, "max_waiting": 5}})
    with own_simulator.connect() as held, own_simulator.connect() as waiting:
        held.sendall(raw_chat(stream_body(), provider="slow", attempt="held", fault="stall"))
        held.recv(1)
        waiting.sendall(raw_chat(chat_body(), provider="slow", attempt="waiting"))
        waiting.settimeout(QUIET_S)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        assert own_simulator.stop() == 0

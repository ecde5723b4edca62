"""The control interface and the process itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx
import pytest

from router_service.core.simulation import Behaviour, SimulatorSettings
from router_service.simulator.server import serve

from .harness import PATIENCE_S, Simulator, chat_body


def test_schedule_is_set_shown_and_cleared(own_simulator: Simulator) -> None:
    rules = {"rules": [{"provider": "fast", "path": "chat", "fault": "status=503", "for_s": 60}]}
    shown = own_simulator.client.post("/_sim/faults", json=rules).json()["rules"]
    assert (shown[0]["fault"], shown[0]["state"]) == ("status=503", "active")
    assert own_simulator.chat(chat_body()).status_code == 503
    assert own_simulator.chat(chat_body(), provider="other").status_code == 200
    assert own_simulator.client.get("/fast/v1/models").status_code == 200
    [rule] = own_simulator.client.get("/_sim/faults").json()["rules"]
    assert (rule["matched"], rule["fired"]) == (1, 1)
    assert 0 < rule["remaining_s"] <= 60
    assert own_simulator.client.delete("/_sim/faults").json() == {"rules": []}
    assert own_simulator.chat(chat_body()).status_code == 200


def test_schedule_meets_the_first_requests_only(own_simulator: Simulator) -> None:
    own_simulator.client.post("/_sim/faults", json={"rules": [{"fault": "status=500", "first": 2}]})
    assert [own_simulator.chat(chat_body()).status_code for _ in range(4)] == [500, 500, 200, 200]


def test_schedule_is_in_the_row_and_yields_to_the_request(own_simulator: Simulator) -> None:
    own_simulator.client.post("/_sim/faults", json={"rules": [{"model": "m", "fault": "status=500"}]})
    own_simulator.chat(chat_body(model="m"), attempt="scheduled")
    own_simulator.chat(chat_body(model="m!status=502"), attempt="asked")
    assert own_simulator.row("scheduled")["fault"] == "status=500"
    assert own_simulator.row("asked")["status"] == 502


def test_behaviours_are_replaced_while_it_runs(own_simulator: Simulator) -> None:
    assert own_simulator.client.get("/_sim/behaviours").json()["*"]["output_tokens"] == 24
    own_simulator.client.post("/_sim/behaviours", json={"fast": {"output_tokens": 3}})
    assert own_simulator.chat(chat_body()).json()["usage"]["completion_tokens"] == 3
    assert own_simulator.chat(chat_body(), provider="other").json()["usage"]["completion_tokens"] == 24


def test_log_is_emptied(own_simulator: Simulator) -> None:
    own_simulator.chat(chat_body())
    assert own_simulator.client.delete("/_sim/log").status_code == 200
    assert own_simulator.client.get("/_sim/log").content == b""


def test_connections_are_counted(own_simulator: Simulator) -> None:
    with own_simulator.connect(), own_simulator.connect():
        own_simulator.chat(chat_body())
        counts = own_simulator.counts()
        assert (counts["open"], counts["accepted"], counts["in_flight"]) == (3, 3, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "part"),
    [
        ("POST", "/_sim/faults", b'{"rules":[{"fault":"explode"}]}', 400, "rules[0].fault: explode"),
        ("POST", "/_sim/faults", b"", 400, ""),
        (
            "POST",
            "/_sim/faults",
            b'{"rules":[{"fault":"reset"},{"fault":"reset","path":"/chat/completions"}]}',
            400,
            "rules[1].path: /chat/completions: want one of *, chat, models",
        ),
        ("POST", "/_sim/behaviours", b'{"fast":{"latency_s":-1}}', 400, "behaviours.fast.latency_s"),
        ("POST", "/_sim/behaviours", b"[]", 400, "behaviours"),
        ("POST", "/_sim/behaviours", b'{"\xff":{}}', 400, "not JSON in UTF-8"),
        ("POST", "/_sim/behaviours", b'{"fast":' + b"[" * 100_000, 400, "nested too deeply"),
        ("POST", "/_sim/faults", b'{"rules":[{"fault":"\xff"}]}', 400, "not JSON in UTF-8"),
        ("GET", "/_sim/log?after=x", b"", 400, "after=x"),
        ("PUT", "/_sim/log", b"", 405, "PUT"),
        ("GET", "/_sim/else", b"", 404, "/_sim/else"),
    ],
)
def test_bad_control_request_names_its_part(
    simulator: Simulator, method: str, path: str, body: bytes, status: int, part: str
) -> None:
    answer = simulator.client.request(method, path, content=body)
    assert answer.status_code == status
    assert part in answer.json()["error"]["message"]
    assert simulator.chat(chat_body()).status_code == 200


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_ends_the_process(own_simulator: Simulator, number: signal.Signals, code: int) -> None:
    with own_simulator.connect():
        own_simulator.chat(chat_body())
        assert own_simulator.stop(number=number) == code


def test_interrupt_before_it_serves_is_quiet() -> None:
    # The interpreter names each module that it has imported; this one comes long before the last.
    command = [sys.executable, "-v", "-m", "router_service.simulator", "--simulator-address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("import 'argparse'"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(PATIENCE_S) == -signal.SIGINT
    assert "Traceback" not in rest


def test_seed_decides_the_texts(start_simulator: Callable[..., Simulator]) -> None:
    texts = [
        start_simulator("--seed", seed).chat(chat_body()).json()["choices"][0]["message"]["content"]
        for seed in ("1", "1", "2")
    ]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--simulator-address", "nowhere"], "nowhere: want host:port"),
        (["--behaviour", "{missing}"], "No such file"),
        (["--behaviour", "{bad}"], "behaviours.fast.latency_s: Expected float, got str"),
        (["--log-capacity", "0"], "want a number from 1 up"),
        (["--log-capacity", "9" * 30], "want a number from 1 up"),
        (["--simulator-address", "0.0.0.0:0"], "0.0.0.0:0: other machines would reach it"),
        (["--simulator-address", "[::]:0"], "--allow-remote"),
        (["--simulator-address", "example.org:0"], "--allow-remote"),
        (["--what"], "unrecognized arguments"),
    ],
)
def test_bad_start_ends_with_2_and_says_why(tmp_path: Path, arguments: list[str], message: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"fast": {"latency_s": "soon"}}))
    given = [argument.format(missing=tmp_path / "missing.json", bad=bad) for argument in arguments]
    command = [sys.executable, "-m", "router_service.simulator", "--simulator-address", "127.0.0.1:0", *given]
    ended = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2
    assert message in ended.stderr.decode()


def test_an_address_that_is_taken_is_told_with_a_remedy(simulator: Simulator) -> None:
    command = [sys.executable, "-m", "router_service.simulator", "--simulator-address", simulator.address]
    ended = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, ended.stderr.decode()) == (
        2,
        f"cannot listen on {simulator.address}: another process uses it, perhaps another simulator; stop that, or "
        "choose another --simulator-address, port 0 for any\n",
    )


@pytest.mark.anyio
async def test_server_inside_a_process_ends_when_it_is_cancelled() -> None:
    addresses: list[str] = []
    is_ready = anyio.Event()

    def ready(address: str) -> None:
        addresses.append(address)
        is_ready.set()

    settings = SimulatorSettings(address="127.0.0.1:0", behaviours={"*": Behaviour(output_tokens=2)})
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: serve(settings, ready=ready))
            await is_ready.wait()
            async with httpx.AsyncClient(base_url=f"http://{addresses[0]}", trust_env=False) as client:
                answer = await client.post("/fast/v1/chat/completions", json=chat_body())
                group.cancel_scope.cancel()
    assert answer.json()["usage"]["completion_tokens"] == 2


def test_address_beyond_this_machine_is_served_where_that_is_meant(start_simulator: Callable[..., Simulator]) -> None:
    simulator = start_simulator("--simulator-address", "0.0.0.0:0", "--allow-remote")
    assert simulator.address.startswith("0.0.0.0:")
    assert simulator.chat(chat_body()).status_code == 200

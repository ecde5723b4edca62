"""`signalbox route`: what it asks the router, and the plan as people and programs get it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from signalbox.v1 import chat_pb2, router_pb2
from signalbox.v1.router_pb2 import Routing

from tests.commands.conftest import Played, Run
from tests.commands.playing import NAMES
from tests.harness import stack

NOBODY = "127.0.0.1:1"
OPTIONS: list[tuple[list[str], Callable[[Routing], object], object]] = [
    (["--task", "code_generation"], lambda r: r.task_type, chat_pb2.TASK_TYPE_CODE_GENERATION),
    (["--complexity", "complex"], lambda r: r.complexity, chat_pb2.COMPLEXITY_COMPLEX),
    (["--strategy", "cost_optimized"], lambda r: r.strategy, "cost_optimized"),
    (["--budget-tier", "low"], lambda r: r.budget_tier, chat_pb2.BUDGET_TIER_LOW),
    (["--region", "eu"], lambda r: r.region, "eu"),
    (["--environment", "development"], lambda r: r.environment, chat_pb2.ENVIRONMENT_DEVELOPMENT),
    (["--model", "fast"], lambda r: r.model, "fast"),
    (["--speed-critical"], lambda r: r.speed_critical, True),
    (["--prefer-cheap"], lambda r: r.prefer_cheap, True),
    (["--prefer-self-hosted"], lambda r: r.prefer_self_hosted, True),
    (["--max-cost", "0.01"], lambda r: r.max_cost_usd_nanos, 10_000_000),
    (["--max-cost", "0"], lambda r: r.HasField("max_cost_usd_nanos"), True),
    (["--max-latency", "1.5"], lambda r: r.max_latency.ToMilliseconds(), 1500),
    (["--min-quality", "0.75"], lambda r: r.min_quality, 0.75),
    (["--min-quality", "0"], lambda r: r.HasField("min_quality"), True),
    (["--require", "tools", "--require", "vision"], lambda r: list(r.required_capabilities), ["tools", "vision"]),
    (["--prefer", "reasoning"], lambda r: list(r.preferred_capabilities), ["reasoning"]),
    (["--allow", "groq", "--allow", "mistral"], lambda r: list(r.allowed_providers), ["groq", "mistral"]),
    (["--deny", "openai"], lambda r: list(r.denied_providers), ["openai"]),
    (["--compliance", "gdpr"], lambda r: list(r.required_compliance), ["gdpr"]),
    (["--requires-compliance"], lambda r: r.requires_compliance, True),
    (["--requires-sla"], lambda r: r.requires_sla, True),
    (["--weight", "cost=2", "--weight", "latency=0.5"], lambda r: dict(r.weights), {"cost": 2.0, "latency": 0.5}),
]
MISUSES = [
    [],
    ["hello", "--task", "nonsense"],
    ["hello", "--max-cost", "-1"],
    ["hello", "--max-cost", "nan"],
    ["hello", "--max-latency", "0"],
    ["hello", "--min-quality", "1.1"],
    ["hello", "--label", "technical"],
    ["hello", "--label", "=true"],
    ["hello", "--weight", "cost=much"],
    ["hello", "--weight", "cost"],
    ["hello", "--region", "\udcff"],
    ["hello", "--allow", "\udcff"],
    ["hello", "--max-candidates", "0"],
    ["--estimated-input-tokens", "-1"],
]


def test_words_without_explain(run: Run, played: Played) -> None:
    output = run("route", "hello", "--address", played.address)
    first, then, reason, terms = output.out.splitlines()
    assert (output.code, output.err) == (0, "")
    assert (first, then) == (NAMES[0], f"then {NAMES[1]}")
    assert reason.startswith(f"{NAMES[0]} has 71.5 points")
    for word in ("rule 'simple chat'", "chat, simple (inferred, 82% sure)", "0.00012 USD", "640 ms", "quality 0.70"):
        assert word in terms
    [asked] = played.router.routes
    assert (asked.view, asked.messages[0].content) == (router_pb2.PLAN_VIEW_BASIC, "hello")
    assert asked.routing == Routing()


@pytest.mark.parametrize(("arguments", "field", "value"), OPTIONS, ids=[" ".join(o[0]) for o in OPTIONS])
def test_option_fills_its_field(
    run: Run, played: Played, arguments: list[str], field: Callable[[Routing], object], value: object
) -> None:
    assert run("route", "hello", *arguments, "--address", played.address).code == 0
    [asked] = played.router.routes
    assert field(asked.routing) == value
    assert len(asked.routing.ListFields()) == 1


def test_size_stands_in_for_a_prompt(run: Run, played: Played) -> None:
    arguments = ["--estimated-input-tokens", "5000", "--max-output-tokens", "7", "--label", "technical=true"]
    assert run("route", *arguments, "--address", played.address).code == 0
    [asked] = played.router.routes
    assert (asked.estimated_input_tokens, asked.generation.max_output_tokens) == (5000, 7)
    assert (dict(asked.labels), len(asked.messages)) == ({"technical": "true"}, 0)


def test_json_is_the_plan_with_its_original_names(run: Run, played: Played) -> None:
    plain = run("route", "hello", "--json", "--address", played.address)
    document = plain.document()
    assert (plain.code, plain.err) == (0, "")
    assert (document["target"], document["fallbacks"]) == (NAMES[0], [NAMES[1]])
    assert (document["decision_id"], document["estimated_cost_usd_nanos"]) == ("d-1", "120000")
    assert "candidates" not in document
    full = run("route", "hello", "--json", "--explain", "--max-candidates", "7", "--address", played.address)
    assert len(full.document()["candidates"]) == 5
    assert [r.max_candidates for r in played.router.routes] == [0, 7]


def test_explanation_fits_eighty_columns_without_colour(run: Run, played: Played) -> None:
    output = run("route", "hello", "--explain", "--address", played.address)
    assert output.code == 0
    assert "\x1b" not in output.out
    assert max(len(line) for line in output.out.splitlines()) <= 80
    said = " ".join(output.out.split())
    for word in (f"{NAMES[0]} → {NAMES[1]}", "cost ██████████████████▎", "27.3 of 30", "task match", "10.5 of 15"):
        assert word in said
    assert "rejected 10" in said
    assert "disabled ████████████████████ 9 azure/gpt-5 there is no key for azure" in said
    assert "and 7 more targets" in said
    assert said.index("disabled") < said.index("budget tier"), "the most frequent reason comes first"


@pytest.mark.parametrize("columns", ["60", "200"])
def test_explanation_keeps_to_the_width_it_is_given(
    run: Run, played: Played, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    output = run("route", "hello", "--explain", "--address", played.address)
    assert max(len(line) for line in output.out.splitlines()) <= int(columns)


def test_health_below_zero_is_a_number(run: Run, played: Played) -> None:
    output = run("route", "hello", "--explain", "--address", played.address)
    assert "-12.5 of 30" in output.out
    assert "-12 " in output.out


def test_impossible_request_is_refused_in_few_words(run: Run, played: Played) -> None:
    output = run("route", "nobody", "--address", played.address)
    assert (output.code, output.out) == (4, "")
    assert "NO_ELIGIBLE_TARGET" in output.err


def test_impossible_request_explained_tells_every_rejection(run: Run, played: Played) -> None:
    output = run("route", "nobody", "--explain", "--address", played.address)
    assert output.code == 4
    for word in ("no target may serve", "region", "alder/m", "birch/m", "it runs in us, and eu is demanded"):
        assert word in output.out
    document = run("route", "nobody", "--explain", "--json", "--address", played.address)
    assert document.code == 4
    told = document.document()
    assert told["plan"]["rejected_by_reason"] == [{"reason": "REJECTION_REASON_REGION", "count": 2}]
    short = run("route", "nobody", "--json", "--address", played.address).document()
    assert short.keys() == {"error"}
    assert told["error"].keys() == short["error"].keys()
    assert {told["error"][key] == short["error"][key] for key in ("code", "reason")} == {True}


@pytest.mark.parametrize("arguments", MISUSES, ids=ascii)
def test_misuse_is_exit_2(run: Run, arguments: list[str]) -> None:
    output = run("route", *arguments)
    assert (output.code, output.out) == (2, "")
    assert output.err


def test_absent_router_is_exit_3(run: Run) -> None:
    output = run("route", "hello", "--address", NOBODY)
    assert (output.code, output.out) == (3, "")
    assert "signalbox up" in output.err
    error = run("route", "hello", "--json", "--address", NOBODY).document()["error"]
    assert (error["code"], error["reason"]) == ("UNAVAILABLE", "UNREACHABLE")


def test_running_router_explains_itself(run: Run) -> None:
    with stack.routing() as running:
        words = run("route", "Why do trains wait at signals?", "--task", "chat", "--address", running.address)
        told = run("route", "hello", "--explain", "--deny", "alder", "--address", running.address)
        impossible = run("route", "hello", "--explain", "--region", "eu", "--address", running.address)
        models = run("models", "--json", "--address", running.address)
    assert words.code == told.code == 0
    assert words.out.splitlines()[0] in ("alder/chat-small", "birch/chat-small")
    assert told.out.startswith("birch/chat-small\n")
    assert max(len(line) for line in told.out.splitlines()) <= 80
    for word in ("cost ", "of 30", "rejected 1", "provider not allowed", "the request denies alder"):
        assert word in told.out
    assert impossible.code == 4
    assert "and eu is demanded" in " ".join(impossible.out.split())
    assert [item["target"] for item in models.document()["items"]] == ["alder/chat-small", "birch/chat-small"]

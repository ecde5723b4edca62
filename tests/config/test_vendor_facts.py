"""The shipped configuration beside what was taken down of its models: windows, prices, abilities, refusals, ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from router_service.core.catalog import ASSISTANT_PREFILL, FORCED_TOOL_CHOICE, REASONING_OFF, Model
from tests.config.shipped import TAKEN_ON, shipped

DOCUMENT = json.loads(Path(__file__).with_name("vendor_facts.json").read_text(encoding="utf-8"))
OUR_NAMES = {"vertex_ai": "vertex"}
CAPABILITIES = ("tools", "vision", "json_schema", "reasoning")
REFUSED: Mapping[str, frozenset[str]] = {
    "sampling_params": frozenset({"temperature", "top_p"}),
    "forced_tool_choice": frozenset({FORCED_TOOL_CHOICE}),
    "assistant_prefill": frozenset({ASSISTANT_PREFILL}),
}
"""What a model refuses of which the facts say `false`."""
SAMPLING_OF_REASONERS = frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty"})
"""OpenAI's own documentation says it of all its models that reason, the facts of none."""
KNOWN_BETTER: Mapping[tuple[str, str], str] = {
    ("cohere/command-a-plus-05-2026", "input"): "the price is not published, and 0 would make it free",
    ("cohere/command-a-plus-05-2026", "output"): "the price is not published, and 0 would make it free",
    ("mistral/mistral-embed", "output"): "vectors have no output to pay for",
    ("deepseek/deepseek-flash", "json_schema"): "its documentation has JSON objects only",
    ("deepseek/deepseek-v4-pro", "json_schema"): "its documentation has JSON objects only",
    ("ollama/llama3.1:8b", "context"): "the server's own default, which cuts longer prompts without a word",
    ("ollama/llama3.1:8b", "max_output"): "it follows from the window",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A model as the facts have it and as it ships."""

    id: str
    facts: Mapping[str, Any]
    model: Model


def _pairs() -> list[Pair]:
    by_id = shipped().catalog.by_id
    pairs = []
    for facts in DOCUMENT["models"]:
        id = f"{OUR_NAMES.get(facts['provider'], facts['provider'])}/{facts['model']}"
        pairs.append(Pair(id=id, facts=facts, model=by_id[id].model))
    return pairs


PAIRS = _pairs()


def _shipped_facts(model: Model) -> Mapping[str, object]:
    return {
        "context": model.context_tokens,
        "max_output": model.max_output_tokens,
        "input": model.prices.input,
        "output": model.prices.output,
        "cached_input": model.prices.cached_input,
        "retires": str(model.retires) if model.retires else None,
        **{name: name in model.capabilities for name in CAPABILITIES},
    }


def test_the_facts_are_of_the_day_that_the_catalogue_is_of() -> None:
    assert DOCUMENT["taken"] == str(TAKEN_ON)


def test_what_differs_from_the_facts_is_known_and_has_its_reason() -> None:
    differing = {
        (pair.id, name)
        for pair in PAIRS
        for name, ours in _shipped_facts(pair.model).items()
        if pair.facts.get(name) != ours
    }
    assert differing == KNOWN_BETTER.keys()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.id)
def test_a_model_is_told_nothing_that_it_refuses_and_everything_else(pair: Pair) -> None:
    refused = frozenset[str]().union(*(names for fact, names in REFUSED.items() if pair.facts.get(fact) is False))
    if pair.facts.get("thinking_always_on"):
        refused |= {REASONING_OFF}
    if pair.facts["provider"] in ("openai", "azure") and pair.facts["reasoning"]:
        refused |= SAMPLING_OF_REASONERS
    assert pair.model.rejects == refused


def test_who_asks_for_what_was_retired_is_told_when_and_what_to_ask_for() -> None:
    catalog = shipped().catalog
    told = {(p.name, r.id): (str(r.since), r.replacement) for p in catalog.providers for r in p.retired}
    facts = {
        (f["provider"], f["model"]): (f["retires"], f["replace_with"].replace(" ", "/")) for f in DOCUMENT["retired"]
    }
    assert told == facts
    assert all(catalog.named(replacement) for _, replacement in told.values())
    assert not any(catalog.named(name) for _, name in told)

"""LiteLLM's `provider/model` names, and what the shipped configuration knows of that provider and model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from router_service.config.source import Value
from router_service.config.values import at, items

PREFIXES: Mapping[str, str] = {
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "hosted_vllm": "vllm",
    "lm_studio": "lmstudio",
    "nvidia_nim": "nvidia",
    "ollama_chat": "ollama",
    "together_ai": "together",
    "vertex_ai": "vertex",
}
"""LiteLLM's names of providers that are called otherwise here."""
FAMILIES = (
    (re.compile(r"(gpt|chatgpt|o\d|text-embedding)-?"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gemini"),
    (re.compile(r"command"), "cohere"),
)
"""Whose model a name without a provider is."""
_VARIABLE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]{0,127})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A provider's name here, its name for the model, and the shipped entries of both, None where there is none."""

    provider: str
    model: str
    known_provider: Value
    known_model: Value


def home_of(name: str, shipped: Value) -> Home | None:
    """Where LiteLLM's model `name` is at home; None where that cannot be told."""
    prefix, slash, model = name.partition("/")
    known = {at(entry, "name"): entry for _, entry in items(at(shipped, "providers"), ())}
    provider = PREFIXES.get(prefix, prefix)
    if not slash:
        model, provider = name, next((home for family, home in FAMILIES if family.match(name)), "")
    provider = re.sub(r"[^a-z0-9_-]", "-", provider.lower()).strip("-_")[:50]
    if not (provider and model):
        return None
    entry = known.get(provider)
    models = items(at(entry, "models"), ())
    return Home(
        provider=provider,
        model=model,
        known_provider=entry,
        known_model=next((found for _, found in models if at(found, "id") == model), None),
    )


def variable_in(value: Value) -> str:
    """`NAME` of `os.environ/NAME`; empty where it is something else."""
    found = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else ""

"""A prompt cut to what a target takes: settings that it would refuse are left out or lowered, and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from router_service.core.catalog import REASONING_OFF, Target
from router_service.core.chat import Generation, Prompt

ADJUSTABLE = ("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty", "reasoning_effort")
"""The fields of a request's `Generation` that a target may not take, by the names of the wire contract."""
OUTPUT_LIMIT = "max_output_tokens"
"""How long the answer may be is taken by all, up to the longest answer that a model gives."""
NO_EFFORT = "none"
_PLAIN = Generation()
_DEFAULTS = {name: getattr(_PLAIN, name) for name in ADJUSTABLE}


def adjusted(generation: Generation) -> frozenset[str]:
    """The adjustable fields that are set, and REASONING_OFF where the model is told not to reason."""
    names = [name for name in ADJUSTABLE if _is_set(generation, name)]
    return frozenset([*names, REASONING_OFF] if generation.reasoning_effort == NO_EFFORT else names)


def fitted(prompt: Prompt, target: Target) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt as the target can take it, and the fields of its `Generation` that were left out for that, or lowered:
    an answer that may be longer than any of the model's is one that may be as long as its longest.
    """
    untaken, generation = target.untaken_fields, prompt.generation
    if REASONING_OFF in untaken and generation.reasoning_effort == NO_EFFORT:
        untaken |= {"reasoning_effort"}
    dropped = [name for name in ADJUSTABLE if name in untaken and _is_set(generation, name)]
    values: dict[str, Any] = {name: _DEFAULTS[name] for name in dropped}
    most, asked = target.model.max_output_tokens, generation.max_output_tokens
    if most is not None and asked is not None and asked > most:
        dropped.append(OUTPUT_LIMIT)
        values[OUTPUT_LIMIT] = most
    if not dropped:
        return prompt, ()
    return replace(prompt, generation=replace(generation, **values)), tuple(dropped)


def _is_set(generation: Generation, name: str) -> bool:
    return bool(getattr(generation, name) != _DEFAULTS[name])

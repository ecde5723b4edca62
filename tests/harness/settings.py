"""Configuration for tests: simulated providers with short timers, so that minutes of the real thing take seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

PRICES = {"alder": (0.10, 0.40), "birch": (0.15, 0.60), "cedar": (0.50, 1.50), "dogwood": (0.60, 1.80)}
QUICK_HEALTH = {"cooldown_s": 1.0, "recovery_step_s": 0.4, "min_dwell_s": 0.2}
QUICK_PROBER = {"interval_s": 0.5, "confirm_s": 0.1, "timeout_s": 1.0, "stale_s": 3, "ignore_s": 10, "report_s": 0.2}
TIMEOUTS = {"connect": 1, "first_byte": 2, "gap": 2, "answer": 3}
IMPATIENT = {"connect": 1, "first_byte": 0.8, "gap": 0.8, "answer": 1}


ABLE = {"capabilities": ["tools", "vision", "json_schema", "reasoning"]}
"""What a model's entry says of one that can do all that there is."""


def provider(
    name: str, base_url: str, *, prices: tuple[float, float] | None = None, **more: object
) -> dict[str, object]:
    """An entry with one model; `more` is what else is said of the provider."""
    model = small(prices or PRICES[name])
    entry: dict[str, object] = {"name": name, "dialect": "openai", "base_url": base_url, "tier": "fast_cloud"}
    return {**entry, "timeouts_s": TIMEOUTS, "models": [model], **more}


def small(prices: tuple[float, float], more: Mapping[str, object] | None = None) -> dict[str, object]:
    """The model's entry; `more` is what else is said of it."""
    return {
        "id": "chat-small",
        "alias": ["small"],
        "prices": dict(zip(("input", "output"), prices, strict=True)),
    } | dict(more or {})


def write(directory: Path, providers: list[dict[str, object]], **sections: Mapping[str, object]) -> Path:
    """A signalbox.yaml in `directory`; `sections` replace or add top-level ones. Nothing is explored unless asked for,
    so that the same requests go to the same targets every time.
    """
    document: dict[str, object] = {
        "version": 1,
        "server": {"drain_s": 5, "lame_duck_s": 0.2},
        "prober": QUICK_PROBER,
        "health": QUICK_HEALTH,
        "providers": providers,
        **sections,
        "routing": {"exploration": 0, **sections.get("routing", {})},
    }
    path = directory / "signalbox.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def simulated(
    address: str,
    names: tuple[str, ...] = ("alder", "birch", "cedar"),
    *,
    model: Mapping[str, object] | None = None,
    **more: Mapping[str, float],
) -> list[dict[str, object]]:
    return [
        {**provider(name, f"http://{address}/{name}/v1", prices=None, **more), "models": [small(PRICES[name], model)]}
        for name in names
    ]
